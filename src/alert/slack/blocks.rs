//! A message's blocks: at most 50, texts of at most 3,000 characters, headers of 150, fields of 2,000
//! (docs.slack.dev, "Block Kit").

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::text::{code, line, lines};
use crate::{
    alert::Message,
    config::{Mention, Severity},
    incident::{Affected, Alarm, Notice, Telling},
};

/// How messages look, beside what they say.
pub(super) struct Looks<'a> {
    pub(super) mention: Option<&'a Mention>,
    pub(super) dashboard: Option<&'a str>,
    /// It stands below the first message about its incident: what was said there is not said again.
    pub(super) is_threaded: bool,
}

const HEADER: usize = 150;
const TEXT: usize = 3_000;
const FIELD: usize = 2_000;

/// A name within a text that has others.
const NAME: usize = 200;

/// Tasks in one list: with names of the greatest length they fit in a text.
const TASKS_MAX: usize = 10;

/// Incidents in one message that gathers them; each takes a block.
const GATHERED_MAX: usize = 40;

/// The whole message, but for where it goes.
pub(super) fn message(message: &Message<'_>, looks: &Looks<'_>) -> Value {
    let (text, blocks) = match message.notices {
        [notice] => one(notice, message.loud, looks),
        notices => gathered(notices, message.loud, looks),
    };
    json!({"text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

fn one(notice: &Notice, is_loud: bool, looks: &Looks<'_>) -> (String, Vec<Value>) {
    let alarm = &notice.alarm;
    let mention = looks.mention.filter(|_| is_loud).map(called);
    let headline = headline(notice);
    let with_mention = |text: String| match &mention {
        Some(mention) => format!("{mention} {text}").trim_end().to_owned(),
        None => text,
    };
    // What notifications show.
    let text = with_mention(line(&headline, 500));
    let header = line(&headline, HEADER);
    // What the header says whole is not said again.
    let why = alarm.why.as_deref().filter(|_| tells_why(notice)).map(|why| lines(why, 2_000));
    let whole = header.ends_with('…').then(|| format!("*{}*", line(&what(notice), 600)));
    let first: Vec<String> = whole.into_iter().chain(why).collect();
    let first = with_mention(first.join("\n"));
    let mut blocks =
        vec![json!({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": false}})];
    if !first.is_empty() {
        blocks.push(section(first));
    }
    if !looks.is_threaded {
        blocks.push(json!({"type": "section", "fields": fields(notice)}));
    }
    if tells_why(notice) {
        blocks.extend(effect(alarm).map(section));
        let mut helps = format!("*What helps*\n{}", code(&alarm.command, 600));
        if let Some(hint) = &alarm.hint {
            helps.push_str(&format!("\n{}", line(hint, 2_000)));
        }
        blocks.push(section(helps));
    }
    if notice.event == Telling::Recovered && !looks.is_threaded {
        // It takes the place of what was said when it began.
        let was = format!("It was: {}", line(&alarm.what, 600));
        let why = alarm.why.as_deref().map(|why| format!("\n{}", lines(why, 2_000)));
        blocks.push(section(was + &why.unwrap_or_default()));
    }
    blocks.push(foot(notice, looks));
    (text, blocks)
}

/// Several incidents, each as it stood at the end.
fn gathered(notices: &[Notice], is_loud: bool, looks: &Looks<'_>) -> (String, Vec<Value>) {
    let mut last: Vec<&Notice> = Vec::new();
    for notice in notices {
        last.retain(|other| other.incident != notice.incident);
        last.push(notice);
    }
    let open = last.iter().filter(|notice| notice.event != Telling::Recovered).count();
    let project = notices.first().map_or("", |notice| &notice.project);
    let headline = format!("{project}: {open} open, {} recovered", last.len() - open);
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": line(&headline, HEADER), "emoji": false}}),
    ];
    let mention = looks.mention.filter(|_| is_loud).map(called);
    blocks.extend(mention.clone().map(section));
    for notice in last.iter().take(GATHERED_MAX) {
        let mut text = format!("{} *{}*   {}", icon(notice), line(&what(notice), 600), since(notice));
        if tells_why(notice) {
            if let Some(why) = &notice.alarm.why {
                text.push_str(&format!("\n{}", line(why, 1_000)));
            }
            text.push_str(&format!("\n{}", code(&notice.alarm.command, 600)));
        }
        blocks.push(section(text));
    }
    let more = last.len().saturating_sub(GATHERED_MAX);
    let mut texts = Vec::new();
    if more > 0 {
        texts.push(format!("and {more} more: `barncat incidents`"));
    }
    texts.extend(looks.dashboard.map(link));
    if texts.is_empty() {
        texts.push("`barncat incidents` lists what is open".to_owned());
    }
    blocks.push(context(texts));
    let text = line(&headline, 500);
    (mention.map(|mention| format!("{mention} {text}")).unwrap_or(text), blocks)
}

fn tells_why(notice: &Notice) -> bool {
    !matches!(notice.event, Telling::Recovered | Telling::Acknowledged)
}

fn icon(notice: &Notice) -> &'static str {
    match (notice.event, notice.alarm.can_wait(), notice.alarm.severity) {
        (Telling::Recovered, ..) => "🟢",
        (Telling::Acknowledged, ..) => "👀",
        (Telling::Test, ..) => "🐈",
        (_, true, Severity::Warn) => "🟡",
        (_, true, Severity::Error) => "🟠",
        (_, false, _) => "🔴",
    }
}

/// `🔴 deliveries: raw_shop.orders failed 3 times`.
fn headline(notice: &Notice) -> String {
    format!("{} {}: {}", icon(notice), notice.project, what(notice))
}

fn what(notice: &Notice) -> String {
    let subject = notice.alarm.task.as_deref().unwrap_or("a run");
    let what = &notice.alarm.what;
    match notice.event {
        Telling::Opened | Telling::Test => what.clone(),
        Telling::Reopened => format!("again: {what}"),
        Telling::Updated => format!("worse: {what}"),
        Telling::Flapping => {
            format!("{subject} comes and goes; told no more until it stays well for an hour")
        }
        Telling::Acknowledged => {
            format!("{} is at it: {what}", notice.acknowledged_by.as_deref().unwrap_or("somebody"))
        }
        Telling::Recovered => format!("{subject} recovered after {}", span(notice.lasted())),
    }
}

fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match (minutes / (24 * 60), minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => format!("{} s", span.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn fields(notice: &Notice) -> Vec<Value> {
    let alarm = &notice.alarm;
    let mut fields = vec![("Since", date(notice.opened_at))];
    fields.extend(notice.recovered_at.map(|at| ("Recovered", date(at))));
    fields.push(("Tier", if alarm.can_wait() { "optional".to_owned() } else { "critical".to_owned() }));
    fields.extend(alarm.data_as_of.map(|at| ("Published data of", date(at))));
    fields.extend(alarm.owner.as_deref().map(|owner| ("Owner", line(owner, NAME))));
    let field = |(name, text): (&str, String)| json!({"type": "mrkdwn", "text": format!("*{name}*\n{text}")});
    debug_assert!(fields.iter().all(|(_, text)| text.len() < FIELD));
    fields.into_iter().map(field).collect()
}

fn effect(alarm: &Alarm) -> Option<String> {
    let effect = &alarm.effect;
    let count = |number: u32, what: &str| match number {
        1 => format!("1 {what} task waits"),
        number => format!("{number} {what} tasks wait"),
    };
    if effect.critical.is_empty() {
        return (effect.others > 0).then(|| format!("*Effect*\n{}", count(effect.others, "optional")));
    }
    let mut text = "*Effect*".to_owned();
    for Affected { task, deadline } in effect.critical.iter().take(TASKS_MAX) {
        text.push_str(&format!("\n• {}", code(task, NAME)));
        if let Some(deadline) = deadline {
            text.push_str(&format!(", due at {}", line(deadline, 20)));
        }
    }
    if let Some(more @ 1..) = effect.critical.len().checked_sub(TASKS_MAX) {
        text.push_str(&format!("\n• {more} more critical tasks"));
    }
    if effect.others > 0 {
        text.push_str(&format!("\n{}", count(effect.others, "optional")));
    }
    Some(text)
}

fn foot(notice: &Notice, looks: &Looks<'_>) -> Value {
    let mut texts = vec![format!("incident {}", line(&notice.incident, NAME))];
    if tells_why(notice) && notice.event != Telling::Test {
        texts.push(code(&format!("barncat incidents ack {}", notice.incident), NAME));
    }
    texts.extend(looks.dashboard.map(link));
    context(texts)
}

fn since(notice: &Notice) -> String {
    format!("since {}", date(notice.opened_at))
}

/// In the reader's own time.
fn date(at: Timestamp) -> String {
    let fallback = at.strftime("%Y-%m-%d %H:%M UTC");
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{fallback}>", at.as_second())
}

fn link(url: &str) -> String {
    // A `|` or `>` would end it early.
    let url = url.replace('|', "%7C");
    format!("<{}|dashboard>", line(&url, TEXT - 20))
}

fn called(mention: &Mention) -> String {
    match mention {
        Mention::Here => "<!here>".to_owned(),
        Mention::Channel => "<!channel>".to_owned(),
        Mention::User(id) => format!("<@{id}>"),
        Mention::Group(id) => format!("<!subteam^{id}>"),
    }
}

fn section(text: String) -> Value {
    debug_assert!(text.encode_utf16().count() <= TEXT);
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn context(texts: Vec<String>) -> Value {
    let elements: Vec<Value> =
        texts.into_iter().map(|text| json!({"type": "mrkdwn", "text": text})).collect();
    json!({"type": "context", "elements": elements})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::examples::*, *};

    const LOOKS: Looks<'_> = Looks {
        mention: Some(&Mention::Here),
        dashboard: Some("https://barncat.internal"),
        is_threaded: false,
    };

    fn told(notices: &[Notice], looks: &Looks<'_>) -> Value {
        let message_ = Message {
            notices,
            address: "main",
            loud: true,
            thread: None,
            doubtful: false,
            mark: "deliveries/1",
        };
        message(&message_, looks)
    }

    #[test]
    fn a_message_says_what_since_when_why_what_it_does_and_what_helps() {
        insta::assert_json_snapshot!("opened", told(&[notice(Telling::Opened)], &LOOKS));
        let threaded = Looks { is_threaded: true, ..LOOKS };
        insta::assert_json_snapshot!("recovered_in_thread", told(&[notice(Telling::Recovered)], &threaded));
        insta::assert_json_snapshot!("recovered", told(&[notice(Telling::Recovered)], &LOOKS));
        insta::assert_json_snapshot!("acknowledged", told(&[notice(Telling::Acknowledged)], &threaded));
        insta::assert_json_snapshot!("flapping", told(&[notice(Telling::Flapping)], &threaded));
    }

    #[test]
    fn what_can_wait_is_gathered_and_each_incident_told_once() {
        let mut other = notice(Telling::Opened);
        other.incident = "01JD0000000000000000000002".to_owned();
        let notices = [notice(Telling::Opened), other, notice(Telling::Recovered)];
        insta::assert_json_snapshot!("gathered", told(&notices, &Looks { dashboard: None, ..LOOKS }));
    }

    proptest! {
        #[test]
        fn slack_takes_every_message(notices in prop::collection::vec(any_notice(), 1..60), is_threaded: bool) {
            let looks = Looks { is_threaded, ..LOOKS };
            let one = told(&notices[..1], &looks);
            prop_assert_eq!(alert_double::slack_refuses(&one), None, "{}", one);
            let all = told(&notices, &looks);
            prop_assert_eq!(alert_double::slack_refuses(&all), None, "{}", all);
        }
    }
}

//! Slack's channels as a person would read them, for the demo.

use serde_json::Value;

use crate::Kept;

/// All messages of Slack, by channel, each with what stands below it; what was changed says so.
pub fn shown(kept: &[Kept]) -> String {
    let messages = || kept.iter().filter(|kept| kept.service == "slack");
    let mut places: Vec<&str> = Vec::new();
    for message in messages() {
        if !places.contains(&message.place.as_str()) {
            places.push(&message.place);
        }
    }
    let mut text = String::new();
    for place in places {
        text.push_str(&format!("channel {place}\n"));
        let here = || messages().filter(|message| message.place == place);
        for first in here().filter(|message| message.thread_ts.is_none()) {
            text.push_str(&one(first, "  "));
            for below in here().filter(|below| below.thread_ts.is_some() && below.thread_ts == first.ts) {
                text.push_str(&one(below, "    │ "));
            }
        }
    }
    text
}

fn one(message: &Kept, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for block in message.body["blocks"].as_array().into_iter().flatten() {
        let many = |name: &str| block[name].as_array().cloned().unwrap_or_default();
        let texts: Vec<String> = std::iter::once(block["text"].clone())
            .chain(many("fields"))
            .chain(many("elements"))
            .filter_map(|text| text["text"].as_str().map(plain))
            .collect();
        match block["type"].as_str() {
            // A field's name and its value, and what stands side by side, on one line.
            Some("context") => lines.push(texts.join("   ")),
            _ if !many("fields").is_empty() => {
                lines.push(texts.iter().map(|field| field.replace('\n', " ")).collect::<Vec<_>>().join("   "))
            }
            _ => lines
                .extend(texts.iter().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())),
        }
    }
    if !message.before.is_empty() {
        lines.push("(edited)".to_owned());
    }
    lines.iter().map(|line| format!("{indent}{line}").trim_end().to_owned() + "\n").collect()
}

/// Slack's marks as it shows them: dates, mentions, links, bold.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('<') {
        let Some((mark, after)) = from.split_once('>') else { break };
        shown.push_str(before);
        let label = mark.rsplit_once('|').map(|(_, label)| label.to_owned());
        shown.push_str(&label.unwrap_or_else(|| mark.replacen('!', "@", 1)));
        rest = after;
    }
    shown.push_str(rest);
    shown.replace('*', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// A value that was sent, on one line.
pub fn line(kept: &Kept, body: &Value) -> String {
    serde_json::json!({"service": kept.service, "place": kept.place, "ts": kept.ts, "thread_ts": kept.thread_ts, "body": body})
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_thread_stands_below_its_message() {
        let message = |ts: &str, thread: Option<&str>, text: &str, before: Vec<Value>| Kept {
            service: "slack",
            place: "C1".to_owned(),
            ts: Some(ts.to_owned()),
            thread_ts: thread.map(str::to_owned),
            body: json!({"blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": text}},
                {"type": "section", "fields": [{"text": "*Since*\n<!date^0^{date}|1970-01-01>"}, {"text": "*Tier*\ncritical"}]},
                {"type": "section", "text": {"text": "<!here> a &lt; b"}},
            ]}),
            before,
            at: Instant::now(),
        };
        let kept = [
            message("1", None, "wrong", vec![json!({})]),
            message("2", None, "another", Vec::new()),
            message("3", Some("1"), "well", Vec::new()),
        ];
        let expected = "channel C1\n\n  wrong\n  Since 1970-01-01   Tier critical\n  @here a < b\n  (edited)\n    │\n    │ well\n    \
                        │ Since 1970-01-01   Tier critical\n    │ @here a < b\n\n  another\n  Since 1970-01-01   Tier critical\n  @here a < b\n";
        assert_eq!(shown(&kept), expected);
    }
}

//! `incidents`: what is wrong, and quieting it.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context,
    args::{IncidentsArgs, IncidentsCommand},
    complaint::Complaint,
    exit::Exit,
    moment, quantity, style,
};
use crate::{
    clock::{Clock, System},
    control::{KeptIncident, Mute, Waiting},
    incident::{Alarm, State},
    run::{self, Acknowledged, Incidents},
};

#[derive(Debug, Serialize)]
struct Listed<'a> {
    incidents: Vec<Incident<'a>>,
    mutes: Vec<Muted<'a>>,
    /// Messages that should have been sent by now, by channel.
    waiting: Vec<Unsent<'a>>,
}

#[derive(Debug, Serialize)]
struct Incident<'a> {
    incident: &'a str,
    state: &'static str,
    opened_at: Timestamp,
    seen_at: Timestamp,
    recovered_at: Option<Timestamp>,
    times: u32,
    acknowledged_by: Option<&'a str>,
    acknowledged_at: Option<Timestamp>,
    muted_until: Option<Timestamp>,
    #[serde(flatten)]
    alarm: &'a Alarm,
}

#[derive(Debug, Serialize)]
struct Muted<'a> {
    what: &'a str,
    until: Timestamp,
    by: &'a str,
}

/// Messages that should have been sent by now.
#[derive(Debug, Serialize)]
pub(super) struct Unsent<'a> {
    channel: &'a str,
    messages: u32,
    error: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    what: &'a str,
    /// Whether it was otherwise before.
    changed: bool,
}

/// Lists what is open, or changes how loud it is.
pub(super) async fn incidents(context: &Context, args: IncidentsArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    match args.command {
        None => {
            let found = run::incidents(&project, &environment, args.all, args.limit).await?;
            list(context, &found, args.all)?;
        }
        Some(IncidentsCommand::Ack { id }) => {
            let Acknowledged { incident, is_news } = run::acknowledge(&project, &environment, &id).await?;
            let id = &incident.incident.id;
            let text = match (&incident.incident.acknowledged_by, is_news) {
                (_, true) => format!("{id}   {}: you are at it\n", incident.incident.alarm.what),
                (Some(by), false) => format!("{id}   {by} is at it already\n"),
                (None, false) => format!("{id}   is over\n"),
            };
            tell(context, &Done { what: id, changed: is_news }, &text)?;
        }
        Some(IncidentsCommand::Mute { what, span }) => {
            let mute = run::mute(&project, &environment, &what, span).await?;
            let text = format!("{}   muted until {}\n", mute.what, moment(mute.until));
            tell(context, &Muted::from(&mute), &text)?;
        }
        Some(IncidentsCommand::Unmute { what }) => {
            let (what, changed) = run::unmute(&project, &environment, &what).await?;
            let text = if changed { "muted no more" } else { "was not muted" };
            tell(context, &Done { what: &what, changed }, &format!("{what}   {text}\n"))?;
        }
    }
    Ok(Exit::Done)
}

fn tell(context: &Context, json: &impl Serialize, text: &str) -> Result<(), Complaint> {
    match context.output.is_json() {
        true => context.output.json(json)?,
        false => context.output.data(text)?,
    }
    Ok(())
}

fn list(context: &Context, found: &Incidents, all: bool) -> Result<(), Complaint> {
    if context.output.is_json() {
        let listed = Listed {
            incidents: found.incidents.iter().map(Incident::from).collect(),
            mutes: found.mutes.iter().map(Muted::from).collect(),
            waiting: found.waiting.iter().map(Unsent::from).collect(),
        };
        context.output.json(&listed)?;
        return Ok(());
    }
    if found.incidents.is_empty() {
        context.output.say(if all { "there was no incident yet" } else { "nothing is wrong" });
    }
    let mut text: String = found.incidents.iter().map(|kept| incident_text(kept, System.now())).collect();
    for Mute { what, until, by } in &found.mutes {
        text.push_str(&format!("{what} is muted until {} by {by}\n", moment(*until)));
    }
    text.extend(found.waiting.iter().map(|waiting| Unsent::from(waiting).line()));
    context.output.data(&text)?;
    Ok(())
}

/// Three lines or four.
fn incident_text(kept: &KeptIncident, now: Timestamp) -> String {
    let incident = &kept.incident;
    let alarm = &incident.alarm;
    let (sign, colour) = match (incident.state, alarm.can_wait()) {
        (State::Recovered, _) => ("✓", style::GOOD),
        (_, true) => ("○", style::WARNING),
        (_, false) => ("✗", style::ERROR),
    };
    let end = incident.recovered_at.unwrap_or(now);
    let lasted = quantity::duration(end.duration_since(incident.opened_at).as_secs_f64());
    let since = match incident.state {
        State::Open => format!("since {} ({lasted})", moment(incident.opened_at)),
        State::Settling => {
            format!("since {}; it comes and goes, and is well just now", moment(incident.opened_at))
        }
        State::Recovered => format!("from {} for {lasted}", moment(incident.opened_at)),
    };
    let times = if incident.times > 1 { format!(", seen {} times", incident.times) } else { String::new() };
    let mut text = format!(
        "{} {}   {}\n    {since}{times}\n",
        style::paint(colour, sign),
        incident.id,
        style::paint(style::STRONG, &alarm.what)
    );
    let mut more = |line: &str| text.push_str(&format!("    {line}\n"));
    if let Some(why) = &alarm.why {
        more(why);
    }
    if incident.state == State::Recovered {
        return text;
    }
    let affected: Vec<String> = alarm.effect.critical.iter().map(affected).collect();
    if !affected.is_empty() {
        more(&format!("waiting for it: {}", affected.join(", ")));
    }
    if let Some(by) = &incident.acknowledged_by {
        more(&format!("{by} is at it"));
    }
    if let Some(until) = kept.muted_until {
        more(&format!("muted until {}", moment(until)));
    }
    more(&alarm.command);
    text
}

fn affected(affected: &crate::incident::Affected) -> String {
    match &affected.deadline {
        Some(deadline) => format!("{} (due at {deadline})", affected.task),
        None => affected.task.clone(),
    }
}

impl<'a> From<&'a KeptIncident> for Incident<'a> {
    fn from(kept: &'a KeptIncident) -> Self {
        let incident = &kept.incident;
        Self {
            incident: &incident.id,
            state: match incident.state {
                State::Open => "open",
                State::Settling => "settling",
                State::Recovered => "recovered",
            },
            opened_at: incident.opened_at,
            seen_at: incident.seen_at,
            recovered_at: incident.recovered_at,
            times: incident.times,
            acknowledged_by: incident.acknowledged_by.as_deref(),
            acknowledged_at: kept.acknowledged_at,
            muted_until: kept.muted_until,
            alarm: &incident.alarm,
        }
    }
}

impl<'a> From<&'a Mute> for Muted<'a> {
    fn from(Mute { what, until, by }: &'a Mute) -> Self {
        Self { what, until: *until, by }
    }
}

impl Unsent<'_> {
    /// For people.
    pub(super) fn line(&self) -> String {
        let why = self.error.map(|error| format!(": {error}")).unwrap_or_default();
        let messages = quantity::count(usize::try_from(self.messages).unwrap_or(usize::MAX), "message");
        format!("{messages} not sent by {} yet{why}\n", self.channel)
    }
}

impl<'a> From<&'a Waiting> for Unsent<'a> {
    fn from(Waiting { channel, messages, error }: &'a Waiting) -> Self {
        Self { channel, messages: *messages, error: error.as_deref() }
    }
}

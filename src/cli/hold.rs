//! `hold` and `release`: tasks that keep their published data.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context,
    args::{HoldArgs, ReleaseArgs},
    complaint::Complaint,
    exit::Exit,
    moment,
};
use crate::{
    control::{self, PlacedHold},
    run::{self, HoldRequest},
};

/// A hold, as every command's JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Hold<'a> {
    task: &'a str,
    since: Timestamp,
    until: Option<Timestamp>,
    by: &'a str,
    reason: Option<&'a str>,
}

impl<'a> From<&'a control::Hold> for Hold<'a> {
    fn from(hold: &'a control::Hold) -> Self {
        let control::Hold { task, since, until, by, reason } = hold;
        Self { task, since: *since, until: *until, by, reason: reason.as_deref() }
    }
}

#[derive(Debug, Serialize)]
struct Holds<'a> {
    holds: Vec<Placed<'a>>,
}

#[derive(Debug, Serialize)]
struct Placed<'a> {
    #[serde(flatten)]
    hold: Hold<'a>,
    /// It was on hold already.
    extended: bool,
}

#[derive(Debug, Serialize)]
struct Releases<'a> {
    tasks: Vec<Release<'a>>,
}

#[derive(Debug, Serialize)]
struct Release<'a> {
    task: &'a str,
    /// It was on hold until now.
    released: bool,
}

/// Puts tasks on hold.
pub(super) async fn hold(context: &Context, args: HoldArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let HoldArgs { names, span, reason, mode } = args;
    let request = HoldRequest { select: names, mode: mode.into(), span, reason };
    let placed = run::hold(&project, &environment, &request).await?;
    if context.output.is_json() {
        let holds = placed
            .iter()
            .map(|placed| Placed { hold: Hold::from(&placed.hold), extended: placed.before.is_some() });
        context.output.json(&Holds { holds: holds.collect() })?;
    } else {
        let text: String = placed.iter().map(text).collect();
        context.output.data(&text)?;
    }
    Ok(Exit::Done)
}

/// Lets tasks go. One that is not on hold is no error: it is as it was asked to be.
pub(super) async fn release(context: &Context, args: ReleaseArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let released = run::release(&project, &environment, args.mode.into(), &args.names).await?;
    if context.output.is_json() {
        let tasks = released.iter().map(|(task, hold)| Release { task, released: hold.is_some() });
        context.output.json(&Releases { tasks: tasks.collect() })?;
    } else {
        let line = |(task, hold): &(String, Option<control::Hold>)| match hold {
            Some(hold) => format!("{task}   released; it was {hold}\n"),
            None => format!("{task}   was not on hold\n"),
        };
        context.output.data(&released.iter().map(line).collect::<String>())?;
    }
    Ok(Exit::Done)
}

fn text(placed: &PlacedHold) -> String {
    let task = &placed.hold.task;
    let until = |hold: &control::Hold| {
        hold.until.map_or("until it is released".to_owned(), |until| format!("until {}", moment(until)))
    };
    let now = until(&placed.hold);
    match &placed.before {
        None => format!("{task}   held {now}\n"),
        Some(before) => format!(
            "{task}   held {now}; it was held already, since {} by {}, {}\n",
            moment(before.since),
            before.by,
            until(before)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_tells_its_end_and_the_one_before() {
        let hold = |until: Option<&str>| control::Hold {
            task: "raw.orders".to_owned(),
            since: "2026-11-22T05:00:00Z".parse().expect("a time"),
            until: until.map(|until| until.parse().expect("a time")),
            by: "ana@loader-1".to_owned(),
            reason: None,
        };
        let placed = PlacedHold { hold: hold(None), before: None };
        assert_eq!(text(&placed), "raw.orders   held until it is released\n");
        let before = Some(hold(Some("2026-11-22T06:00:00Z")));
        let placed = PlacedHold { hold: hold(Some("2026-11-22T17:00:00Z")), before };
        assert_eq!(
            text(&placed),
            "raw.orders   held until 2026-11-22 17:00:00 UTC; it was held already, since 2026-11-22 05:00:00 UTC \
             by ana@loader-1, until 2026-11-22 06:00:00 UTC\n"
        );
    }
}

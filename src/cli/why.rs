//! `why`: why a table is as it is.

use jiff::Timestamp;
use serde::Serialize;

use super::{Context, complaint::Complaint, exit::Exit, quantity, summary::task_status_word};
use crate::{
    clock::{Clock, System},
    control::HistoryRow,
    event::{TaskStatus, Tier},
    run::{self, Why},
};

#[derive(Serialize)]
struct Json<'a> {
    task: &'a str,
    kind: &'a str,
    tier: Tier,
    critical: Option<&'a str>,
    load: Option<&'a str>,
    as_of: Option<Timestamp>,
    published_at: Option<Timestamp>,
    status: Option<&'a str>,
    ended_at: Option<Timestamp>,
    error: Option<&'a str>,
    hold: Option<String>,
    cause: Option<Cause<'a>>,
    needs: Vec<Need<'a>>,
}

#[derive(Serialize)]
struct Cause<'a> {
    task: &'a str,
    status: &'a str,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Need<'a> {
    task: &'a str,
    soft: bool,
    as_of: Option<Timestamp>,
    status: Option<TaskStatus>,
}

/// Says why.
pub(super) async fn why(context: &Context, name: &str) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let why = run::why(&project, &environment, run::Mode::Production, name).await?;
    if context.output.is_json() {
        context.output.json(&json(&why))?;
    } else {
        context.output.data(&text(&why, System.now()))?;
    }
    Ok(Exit::Done)
}

fn error_of(row: &HistoryRow) -> Option<&str> {
    Some(row.outcome.as_ref()?.error.as_ref()?.message.as_str())
}

fn json(why: &Why) -> Json<'_> {
    Json {
        task: &why.task,
        kind: &why.kind,
        tier: why.tier,
        critical: why.critical.as_deref(),
        load: why.last.as_ref().map(|last| last.load.as_str()),
        as_of: why.last.as_ref().map(|last| last.as_of),
        published_at: why.last.as_ref().and_then(|last| last.published_at),
        status: why.ended.as_ref().map(|row| row.status.as_str()),
        ended_at: why.ended.as_ref().and_then(HistoryRow::ended_at),
        error: why.ended.as_ref().and_then(error_of),
        hold: why.hold.as_ref().map(ToString::to_string),
        cause: why.cause.as_ref().map(|row| Cause {
            task: &row.task,
            status: &row.status,
            error: error_of(row),
        }),
        needs: why
            .needs
            .iter()
            .map(|need| Need {
                task: &need.task,
                soft: !need.is_hard,
                as_of: need.as_of,
                status: need.status,
            })
            .collect(),
    }
}

fn text(why: &Why, now: Timestamp) -> String {
    let mut lines = vec![first_line(why)];
    lines.push(match &why.last {
        Some(last) => format!("shows {}, by load {}", moment(last.as_of, now), last.load),
        None if matches!(why.kind.as_str(), "load" | "model") => "was never published".to_owned(),
        None => String::new(),
    });
    if let Some(hold) = &why.hold {
        lines.push(format!("is {hold}; `barncat release {}` lets it go", hold.task));
    }
    if let Some(row) = &why.ended {
        let error = error_of(row).map_or(String::new(), |error| format!(": {error}"));
        lines.push(format!(
            "{} in run {}, begun {}{error}",
            row.status,
            row.run,
            moment(row.started_at, now)
        ));
    }
    if let Some(cause) = &why.cause {
        let error = error_of(cause).map_or(String::new(), |error| format!(": {error}"));
        lines.push(format!("because {} {}{error}", cause.task, cause.status));
    }
    for need in &why.needs {
        let how = if need.is_hard { "needs" } else { "can go on without" };
        let shows =
            need.as_of.map_or("never published".to_owned(), |as_of| format!("of {}", moment(as_of, now)));
        let status = need.status.map_or(String::new(), |status| format!(", {}", task_status_word(status)));
        lines.push(format!("{how} {}   {shows}{status}", need.task));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n  ") + "\n"
}

fn first_line(why: &Why) -> String {
    match (&why.critical, why.tier) {
        (Some(by), _) => format!("{}   {}, critical: {by}", why.task, why.kind),
        (None, Tier::Critical) => format!("{}   {}, critical", why.task, why.kind),
        (None, Tier::Optional) => format!("{}   {}, optional", why.task, why.kind),
    }
}

/// `2026-11-27 04:31:00 UTC, 2 h ago`.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs_f64().max(0.0);
    format!("{}, {} ago", at.strftime("%F %T UTC"), quantity::duration(seconds))
}

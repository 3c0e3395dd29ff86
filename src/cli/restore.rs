//! `restore`: publish an earlier load of a table again.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, args::RestoreArgs, complaint::Complaint, confirm::confirmed, exit::Exit, moment, quantity,
    run::watched, style, summary,
};
use crate::run::{self, PlannedRestore};

/// What `--dry-run --output json` prints.
#[derive(Debug, Serialize)]
struct Json<'a> {
    task: String,
    place: &'a str,
    load: &'a str,
    last: &'a str,
    as_of: Timestamp,
    published_at: Option<Timestamp>,
    watermark: Option<&'a str>,
    rows: u64,
    bytes: u64,
    loads: usize,
    publish: String,
    notes: &'a [String],
}

/// Shows what would be published, asks, and does it.
pub(super) async fn restore(context: &Context, args: RestoreArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let mode = args.mode.into();
    let planned = tokio::select! {
        biased;
        () = context.stop.token.cancelled() => return Ok(Exit::Failed),
        planned = run::plan_restore(&project, &environment, mode, &args.table, &args.load) => planned?,
    };
    let output = &context.output;
    if args.dry_run {
        match output.is_json() {
            true => output.json(&json(&planned))?,
            false => output.data(&text(&planned))?,
        }
        return Ok(Exit::Done);
    }
    output.say(text(&planned).trim_end());
    let task = planned.spec.target.to_string();
    if !confirmed(context, args.yes, &format!("publish it as {task}?")).await? {
        output.say("nothing was changed");
        return Ok(Exit::Failed);
    }
    let request = run::Request {
        select: vec![task.clone()],
        work: run::Work::Restore { load: planned.restoration.wanted.load.clone() },
        ..run::Request::of(mode)
    };
    let outcome = watched(context, &request).await?;
    match output.is_json() {
        true => output.json(&outcome)?,
        false => output.data(&summary::summary(&outcome))?,
    }
    let exit = Exit::of_run(&outcome, true);
    if exit == Exit::Done {
        let hint = style::paint(style::HINT, "hint:");
        output.say(&format!(
            "{hint} {task} is on hold; after `barncat release {task}` the next run goes on from there"
        ));
    }
    Ok(exit)
}

fn json(planned: &PlannedRestore) -> Json<'_> {
    let PlannedRestore { spec, place, restoration } = planned;
    let wanted = &restoration.wanted;
    Json {
        task: spec.target.to_string(),
        place,
        load: &wanted.load,
        last: &restoration.last.load,
        as_of: wanted.as_of,
        published_at: wanted.published_at,
        watermark: wanted.watermark.as_deref(),
        rows: wanted.table_rows,
        bytes: restoration.bytes(),
        loads: restoration.loads(),
        publish: restoration.publish.to_string(),
        notes: &restoration.notes,
    }
}

fn text(planned: &PlannedRestore) -> String {
    let PlannedRestore { spec, place, restoration } = planned;
    let (wanted, last) = (&restoration.wanted, &restoration.last);
    let loads = match restoration.loads() {
        1 => "whole".to_owned(),
        2 => "1 load of new rows upon a whole one".to_owned(),
        loads => format!("{} loads of new rows upon a whole one", loads - 1),
    };
    let mut text = format!(
        "{} on {place}, published by {}\n  to   load {}: as of {}, {}; {loads}, {} in the stage\n  from load {}: as of {}, {}\n",
        spec.target,
        restoration.publish,
        wanted.load,
        moment(wanted.as_of),
        rows(wanted.table_rows),
        quantity::bytes(restoration.bytes()),
        last.load,
        moment(last.as_of),
        rows(last.table_rows),
    );
    for note in &restoration.notes {
        text.push_str(&format!("  {} {note}\n", style::paint(style::WARNING, "!")));
    }
    text
}

fn rows(number: u64) -> String {
    match number {
        1 => "1 row".to_owned(),
        number => format!("{} rows", quantity::exact(number)),
    }
}

//! `clean`: take away what lies about.

use serde::Serialize;

use super::{
    Context, args::CleanArgs, columns, complaint::Complaint, confirm::confirmed, exit::Exit, moment,
    quantity, style,
};
use crate::{
    error::Failure,
    load::Staged,
    run::{self, Cleaned, Dropped, Orphan},
    schema::RelationKind,
};

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Json<'a> {
    dry_run: bool,
    /// Of loads that were never published.
    staging_tables: Vec<&'a str>,
    /// Loads with unfinished uploads.
    uploads: Vec<&'a str>,
    /// Objects of loads that were never published.
    unpublished: JsonStaged<'a>,
    /// Objects of published loads.
    past_keep: JsonStaged<'a>,
    /// Tables that a run is at work on.
    at_work: Vec<String>,
    /// What is published and no longer in the project; `null` without `--removed`.
    removed: Option<Vec<JsonOrphan<'a>>>,
}

#[derive(Debug, Serialize)]
struct JsonStaged<'a> {
    loads: Vec<&'a str>,
    objects: u64,
    bytes: u64,
}

impl<'a> From<&'a Staged> for JsonStaged<'a> {
    fn from(staged: &'a Staged) -> Self {
        let loads = staged.loads.iter().map(String::as_str).collect();
        Self { loads, objects: staged.objects, bytes: staged.bytes }
    }
}

#[derive(Debug, Serialize)]
struct JsonOrphan<'a> {
    table: String,
    view: bool,
    rows: u64,
    bytes: u64,
    load: &'a str,
    dropped: bool,
    error: Option<&'a Failure>,
}

/// Cleans; asks before it drops a table.
pub(super) async fn clean(context: &Context, args: CleanArgs) -> Result<Exit, Complaint> {
    let work = work(context, &args);
    tokio::select! {
        biased;
        // The status is the signal's.
        () = context.stop.token.cancelled() => Ok(Exit::Failed),
        done = work => done,
    }
}

async fn work(context: &Context, args: &CleanArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let (output, mode) = (&context.output, args.mode.into());
    let orphans = match args.removed {
        true => run::orphans(&project, &environment, mode).await?,
        false => Vec::new(),
    };
    if args.removed && !args.dry_run && !orphans.is_empty() {
        output.say(listed(&orphans).trim_end());
        let question = format!("drop {}?", counted(&orphans));
        if !confirmed(context, args.yes, &question).await? {
            output.say("nothing was changed");
            return Ok(Exit::Failed);
        }
    }
    let cleaned = run::clean(&project, &environment, mode, args.dry_run).await?;
    let dropped = match args.dry_run || orphans.is_empty() {
        true => Vec::new(),
        false => run::drop_orphans(&project, &environment, mode, &orphans).await?,
    };
    if output.is_json() {
        output.json(&json(args, &cleaned, &orphans, &dropped))?;
    } else {
        let mut text = text(&cleaned, args.dry_run);
        match (args.removed, args.dry_run) {
            (true, _) if orphans.is_empty() => {
                text.push_str("everything that is published is in the project\n")
            }
            (true, true) => text.push_str(&listed(&orphans)),
            _ => text.extend(dropped.iter().map(told)),
        }
        output.data(&text)?;
    }
    let kept = dropped.iter().any(|(_, result)| result.is_err());
    Ok(if kept { Exit::Failed } else { Exit::Done })
}

fn json<'a>(
    args: &CleanArgs,
    cleaned: &'a Cleaned,
    orphans: &'a [Orphan],
    dropped: &'a [Dropped],
) -> Json<'a> {
    let Cleaned { leftovers, past_keep } = cleaned;
    let orphan = |orphan: &'a Orphan| {
        let result = dropped.iter().find(|(table, _)| *table == orphan.last.table).map(|(_, result)| result);
        JsonOrphan {
            table: orphan.last.table.to_string(),
            view: is_view(orphan),
            rows: orphan.last.table_rows,
            bytes: orphan.live.as_ref().map_or(0, |live| live.bytes),
            load: &orphan.last.load,
            dropped: matches!(result, Some(Ok(_))),
            error: result.and_then(|result| result.as_ref().err()),
        }
    };
    Json {
        dry_run: args.dry_run,
        staging_tables: leftovers.staging_tables.iter().map(|table| table.name.as_str()).collect(),
        uploads: leftovers.uploads.iter().map(String::as_str).collect(),
        unpublished: (&leftovers.staged).into(),
        past_keep: (&past_keep.staged).into(),
        at_work: past_keep.at_work.iter().map(ToString::to_string).collect(),
        removed: args.removed.then(|| orphans.iter().map(orphan).collect()),
    }
}

fn text(cleaned: &Cleaned, dry_run: bool) -> String {
    let Cleaned { leftovers, past_keep } = cleaned;
    let verb = if dry_run { "would go" } else { "gone" };
    let mut text = String::new();
    for table in &leftovers.staging_tables {
        text.push_str(&format!("{verb}   staging table {} of a load that was never published\n", table.name));
    }
    for load in &leftovers.uploads {
        text.push_str(&format!("{verb}   unfinished uploads of load {load}\n"));
    }
    let staged = |staged: &Staged, what: &str| match staged.objects {
        0 => String::new(),
        _ => format!(
            "{verb}   {} in the stage, {}, of {} {what}\n",
            objects(staged.objects),
            quantity::bytes(staged.bytes),
            quantity::count(staged.loads.len(), "load"),
        ),
    };
    text.push_str(&staged(&leftovers.staged, "never published"));
    text.push_str(&staged(&past_keep.staged, "past `keep`"));
    for table in &past_keep.at_work {
        let mark = style::paint(style::WARNING, "○");
        text.push_str(&format!("{mark} {table}   a run is at work on it, and sees to what is past `keep`\n"));
    }
    if text.is_empty() {
        text.push_str("nothing lies about\n");
    }
    text
}

fn objects(number: u64) -> String {
    quantity::count(usize::try_from(number).unwrap_or(usize::MAX), "object")
}

fn is_view(orphan: &Orphan) -> bool {
    orphan.live.as_ref().is_some_and(|live| live.kind == RelationKind::View)
}

/// `2 tables and 1 view`.
fn counted(orphans: &[Orphan]) -> String {
    let views = orphans.iter().filter(|orphan| is_view(orphan)).count();
    let tables = quantity::count(orphans.len() - views, "table");
    match (views, orphans.len() - views) {
        (0, _) => tables,
        (views, 0) => quantity::count(views, "view"),
        (views, _) => format!("{tables} and {}", quantity::count(views, "view")),
    }
}

/// What is no longer in the project.
fn listed(orphans: &[Orphan]) -> String {
    let row = |orphan: &Orphan| {
        let (Orphan { last, live }, is_view) = (orphan, is_view(orphan));
        let note = match live.as_ref().map(|live| live.views.as_slice()) {
            None => "dropped already, its objects are left".to_owned(),
            Some([]) => String::new(),
            Some(views) => format!("stays: read by {}", views.join(", ")),
        };
        vec![
            last.table.to_string(),
            if is_view { "view".to_owned() } else { quantity::exact(last.table_rows) },
            if is_view { String::new() } else { quantity::bytes(live.as_ref().map_or(0, |live| live.bytes)) },
            last.published_at.map_or(String::new(), moment),
            note,
        ]
    };
    columns::lay(&["not in the project", ">rows", ">size", "last published", ""], orphans.iter().map(row))
}

/// What became of one.
fn told((table, result): &Dropped) -> String {
    match result {
        Ok(staged) if staged.objects > 0 => {
            format!("gone   {table}, and {} of it in the stage\n", objects(staged.objects))
        }
        Ok(_) => format!("gone   {table}\n"),
        Err(failure) => {
            let mut text =
                format!("{} {table}   stays: {}\n", style::paint(style::ERROR, "✗"), failure.message);
            if let Some(hint) = &failure.hint {
                text.push_str(&format!("      {} {hint}\n", style::paint(style::HINT, "hint:")));
            }
            text
        }
    }
}

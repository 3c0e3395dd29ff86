//! `discover` of a service: its rows, or a row for a path that is asked once.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Unlisted,
    asked::{Asked, look},
    write,
};
use crate::{
    cli::{Context, columns, complaint::Complaint, exit::Exit, quantity},
    config::{Environment, HttpSource, LoadSpec, Project, SourceConfig, listing},
    control::Control,
    error::Failure,
    event::Tier,
    run::{Mode, reach},
    source::{LocalSlots, http::Ask},
};

/// A table, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Table<'a> {
    task: String,
    method: &'static str,
    path: &'a str,
    strategy: String,
    key: &'a [String],
    columns: usize,
}

/// What was found by asking.
#[derive(Debug, Serialize)]
struct Discovery<'a> {
    source: &'a str,
    table: &'a str,
    records: &'a str,
    looked_at: u64,
    row: &'a str,
    /// What the row does not say, and a person must.
    notes: &'a [String],
    /// The file that the row was added to.
    written: Option<&'a str>,
}

fn table(spec: &LoadSpec) -> Option<Table<'_>> {
    let http = spec.http.as_ref()?;
    Some(Table {
        task: spec.target.to_string(),
        method: http.request.method.as_str(),
        path: &http.request.path.text,
        strategy: spec.strategy.to_string(),
        key: &spec.key,
        columns: http.columns.len(),
    })
}

/// Lists what the source's rows name.
pub(super) fn list(context: &Context, project: &Project, config: &SourceConfig) -> Result<Exit, Complaint> {
    let loads = project.named_loads();
    let loads: Vec<&LoadSpec> = loads.iter().filter(|spec| spec.source == config.name).collect();
    let tables: Vec<Table<'_>> = loads.iter().filter_map(|spec| table(spec)).collect();
    if context.output.is_json() {
        context.output.json(&tables)?;
        return Ok(Exit::Done);
    }
    if !tables.is_empty() {
        let row = |table: &Table<'_>| {
            vec![
                table.task.clone(),
                format!("{} {}", table.method, table.path),
                table.strategy.clone(),
                table.key.join(", "),
                table.columns.to_string(),
            ]
        };
        let titles = ["table", "asks", "strategy", "key", ">columns"];
        context.output.data(&columns::lay(&titles, tables.iter().map(row)))?;
    }
    context
        .output
        .say("a service has no list of its tables: `--path /…` asks it once, and says a row for the answer");
    Ok(Exit::Done)
}

/// Asks once, and prints or writes a row for the answer.
pub(super) async fn ask(
    context: &Context,
    (project, environment): (&Project, &Environment),
    (config, service): (&SourceConfig, &HttpSource),
    asked: Asked,
    unlisted: Unlisted,
) -> Result<Exit, Complaint> {
    let endpoint = reach::control_endpoint(project, environment)?;
    // It counts as any other request does.
    let control = Control::open_existing(&endpoint, &reach::control_schema(Mode::Production)).await?;
    let slots = Arc::new(LocalSlots::new(1));
    let asker =
        reach::service::asker((&config.name, service), project, environment, control.as_ref(), slots)?;
    let answer = asker.ask(&asked.request(), Tier::Optional).await;
    if let Some(control) = control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    let answer = answer.map_err(|error| Complaint::from(Failure::of(&*error)))?;
    let found = look(&asked, &answer)?;
    let mut loaders = project.loaders.iter().filter(|loader| loader.source == config.name);
    let file = match loaders.next() {
        Some(loader) => loader.file.clone(),
        None => write::new_name(&config.name, "service", |name| project.dir.join(name).exists()),
    };
    let written = unlisted == Unlisted::Write;
    if written {
        write::add_row(&project.dir, &config.name, &file, (&asked.table, &found.row))?;
    }
    if context.output.is_json() {
        context.output.json(&Discovery {
            source: &config.name,
            table: &asked.table,
            records: &found.records,
            looked_at: found.inferred.records,
            row: &found.row,
            notes: &found.notes,
            written: written.then_some(file.as_str()),
        })?;
    } else if !written {
        let row = listing::service_row(&asked.table, &found.row)?;
        context.output.data(&format!("# {file}, below [tables]\n{row}"))?;
    }
    let records = quantity::count(usize::try_from(found.inferred.records).unwrap_or(usize::MAX), "record");
    context.output.say(&match written {
        true => format!("wrote a row for {} to {file}, by {records}", asked.table),
        false => format!("by {records} at {}; --write adds it", found.records),
    });
    for note in &found.notes {
        context.output.say(note);
    }
    Ok(Exit::Done)
}

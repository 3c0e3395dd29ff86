//! Publishing an earlier state of a table again, from what lies in the stage.
//!
//! The last load that brought the whole table is filled as ever; the loads of new rows that followed it
//! are done again upon it, one by one, up to the wanted one. Then it is published as any load is. What the
//! next load must remember is what it would have remembered then.

mod held;
mod layers;

use std::collections::BTreeMap;

pub use self::layers::restorable;
use self::layers::{Layer, layers};
use super::{
    Attempt, LoadError, Loaded, Workshop,
    connections::hold_connections,
    decide::{choice, refuse_if_anothers},
    fill,
    progress::Progress,
    tidy,
};
use crate::{
    clock::{self, Clock, System},
    config::{LoadSpec, OnBrokenView},
    event::Step,
    fail_point,
    publish::{self, Ready, hand_over, is_near},
    schema::{Layout, diff},
    sql::TableName,
    stage::Stage,
    warehouse::{
        Delta, Descriptions, Filling, LedgerRow, LiveTable, Publication, PublishKind, Published, Staging,
        StagingColumn, StagingSpec, State, Warehouse,
    },
};

/// An earlier state that can be published again.
pub struct Restoration {
    /// The load whose state it is.
    pub wanted: LedgerRow,
    /// The table's last published load.
    pub last: LedgerRow,
    /// How it would be published.
    pub publish: PublishKind,
    /// What people should know.
    pub notes: Vec<String>,
    live_columns: Option<Vec<String>>,
    layers: Vec<Layer>,
}

impl Restoration {
    /// How many loads it is put together of.
    pub fn loads(&self) -> usize {
        self.layers.len()
    }

    /// What is read from the stage.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.manifest.bytes()).sum()
    }
}

/// Where loads of a project lie in the stage.
#[derive(Clone, Copy)]
pub struct Shelf<'a> {
    /// The project.
    pub project: &'a str,
    /// `production` or `test`.
    pub mode: &'a str,
    /// The stage.
    pub stage: &'a dyn Stage,
}

/// Looks whether the state of the load whose id begins with `wanted` can be published, and how. Changes
/// nothing.
pub async fn plan_restore(
    shelf: Shelf<'_>,
    spec: &LoadSpec,
    wanted: &str,
    warehouse: &dyn Warehouse,
) -> Result<Restoration, LoadError> {
    let table = &spec.target;
    let last = warehouse.last_load(table).await.map_err(LoadError::Warehouse)?;
    refuse_if_anothers(shelf.project, spec, last.as_ref())?;
    let rows = warehouse.loads(table).await.map_err(LoadError::Warehouse)?;
    let wanted = named(table, &rows, wanted)?.clone();
    let Some(last) = last else { return Err(unknown(table, &wanted.load)) };
    let layers = layers(shelf, table, &rows, &wanted).await?;
    let mut columns = layers.last().map(|layer| layer.columns.clone()).unwrap_or_default();
    let dialect = warehouse.abilities().await.map_err(LoadError::Warehouse)?.dialect();
    columns.extend(wanted.state.mark.iter().map(|mark| StagingColumn::mark(mark, dialect)));
    let live = warehouse.live(table).await.map_err(LoadError::Warehouse)?;
    let how = publish::decide(choice(spec), table, Some(&last), live.as_ref(), &columns)?;
    let mut notes: Vec<String> = how.reason.into_iter().collect();
    notes.extend(changed_columns(live.as_ref(), &columns));
    if last.state.mark.is_some() {
        notes.push(
            "rows are marked as deleted as they were then: what was marked since is not any more".to_owned(),
        );
    }
    if spec.consistent_group.is_some() {
        notes.push("the tables that it must match stay as they are".to_owned());
    }
    let live_columns = live.as_ref().map(LiveTable::column_names);
    Ok(Restoration { wanted, last, publish: how.kind, notes, live_columns, layers })
}

/// The load that is meant by the beginning of an id.
pub(super) fn named<'a>(
    table: &TableName,
    rows: &'a [LedgerRow],
    wanted: &str,
) -> Result<&'a LedgerRow, LoadError> {
    let begin = wanted.to_ascii_uppercase();
    let found: Vec<&LedgerRow> = rows.iter().filter(|row| row.load.starts_with(&begin)).collect();
    match found.as_slice() {
        [row] if !begin.is_empty() => Ok(row),
        [] => Err(unknown(table, wanted)),
        several => Err(LoadError::AmbiguousLoad {
            table: table.clone(),
            load: wanted.to_owned(),
            choices: several.iter().map(|row| row.load.clone()).collect(),
        }),
    }
}

fn unknown(table: &TableName, load: &str) -> LoadError {
    LoadError::UnknownLoad { table: table.clone(), load: load.to_owned() }
}

/// In what the table's columns will differ from those of now.
fn changed_columns(live: Option<&LiveTable>, columns: &[StagingColumn]) -> Vec<String> {
    let Some(live) = live else {
        return vec!["the table is gone from the warehouse and made anew".to_owned()];
    };
    let types = |columns: &[StagingColumn]| -> BTreeMap<String, String> {
        columns.iter().map(|column| (column.name.clone(), column.sql_type.clone())).collect()
    };
    let (now, then) = (types(&live.columns), types(columns));
    let goes = now.keys().filter(|name| !then.contains_key(*name));
    let mut notes: Vec<String> = goes.map(|name| format!("column `{name}` goes")).collect();
    for (name, sql_type) in &then {
        match now.get(name) {
            None => notes.push(format!("column `{name}` comes back")),
            Some(other) if other != sql_type => {
                notes.push(format!("column `{name}` is {other} and becomes {sql_type}"));
            }
            Some(_) => {}
        }
    }
    notes
}

/// Makes one attempt to publish the state of the load whose id begins with `wanted`. After `Ok` the table
/// shows it and is on hold, after `Err` the table is as it was.
pub async fn restore(workshop: &Workshop, attempt: &Attempt, wanted: &str) -> Result<Loaded, LoadError> {
    let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
    let attempt = &attempt.filled_by(workshop, &connections);
    let spec = &attempt.spec;
    let shelf = Shelf { project: &workshop.project, mode: &workshop.mode, stage: &*workshop.stage };
    let restoration = plan_restore(shelf, spec, wanted, &*workshop.warehouse).await?;
    let (load, task) = (clock::new_id_after(Some(&restoration.last.load)), spec.target.to_string());
    workshop.control.start_attempt(&workshop.run, &task, attempt.number, &load).await?;
    let placed = held::place(workshop, &spec.target, &restoration.wanted.load).await?;
    fail_point!("restore.before");
    let restored = as_load(workshop, attempt, &restoration, &load).await;
    fail_point!("restore.after");
    if restored.is_err() {
        held::take_back(workshop, &load, &placed).await;
    }
    restored
}

/// Publishes it as the load `load`.
async fn as_load(
    workshop: &Workshop,
    attempt: &Attempt,
    restoration: &Restoration,
    load: &str,
) -> Result<Loaded, LoadError> {
    let spec = &attempt.spec;
    let Some((base, deltas)) = restoration.layers.split_first() else {
        return Err(unknown(&spec.target, &restoration.wanted.load));
    };
    let progress = Progress::new(spec.target.to_string(), workshop.events.clone());
    progress.tell(Step::Filling);
    let staging = StagingSpec {
        load: load.to_owned(),
        run: workshop.run.clone(),
        table: spec.target.clone(),
        columns: base.columns.clone(),
        mark: restoration.wanted.state.mark.clone(),
        key: base.manifest.key.clone(),
        layout: Layout::default(),
        filling: Filling::Parts {
            format: base.manifest.format,
            compression: base.manifest.compression,
            jobs: attempt.fill_jobs(workshop),
        },
    };
    let mut staging = workshop.warehouse.open_staging(staging).await.map_err(LoadError::Warehouse)?;
    let filled = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => Err(LoadError::Cancelled),
        filled = put_together(workshop, &mut staging, base, deltas) => filled,
    };
    let rows = match filled {
        Ok(rows) => rows,
        Err(error) => {
            staging.discard().await;
            return Err(error);
        }
    };
    progress.tell(Step::Publishing);
    let row = ledger_row(workshop, restoration, load, rows);
    let published = publish(workshop, attempt, restoration, staging, row).await?;
    let wanted = &restoration.wanted;
    tidy::after_publish(workshop, &spec.target, (&wanted.schema_hash, &wanted.schema), load).await;
    Ok(loaded(restoration, load, rows, published))
}

/// Fills the base and does the loads that followed again. Returns the rows.
async fn put_together(
    workshop: &Workshop,
    staging: &mut Box<dyn Staging>,
    base: &Layer,
    deltas: &[Layer],
) -> Result<u64, LoadError> {
    let filled = fill::fill(workshop, staging, fill::replay(&base.manifest)).await?;
    let counted = staging.count().await.map_err(LoadError::Warehouse)?;
    let staged = base.manifest.rows();
    if staged != filled || staged != counted {
        return Err(LoadError::Counts { table: base.row.table.clone(), staged, filled, counted });
    }
    for layer in deltas {
        let Layer { row, manifest, columns } = layer;
        let delta = Delta {
            manifest: manifest.clone(),
            columns: columns.clone(),
            kind: row.publish,
            marked_at: row.published_at.filter(|_| row.state.mark.is_some()),
        };
        staging.apply(&delta, workshop.stage.clone()).await.map_err(LoadError::Warehouse)?;
    }
    staging.count().await.map_err(LoadError::Warehouse)
}

/// What the ledger is told: another load, by which the next one goes on as it would have from `wanted`.
fn ledger_row(workshop: &Workshop, restoration: &Restoration, load: &str, rows: u64) -> LedgerRow {
    let wanted = &restoration.wanted;
    LedgerRow {
        load: load.to_owned(),
        previous: Some(restoration.last.load.clone()),
        run: workshop.run.clone(),
        strategy: "restore".to_owned(),
        publish: restoration.publish,
        rows,
        bytes: restoration.bytes(),
        table_rows: rows,
        late_rows: None,
        deleted_rows: None,
        state: State {
            strategy: wanted.loaders_strategy().to_owned(),
            base: load.to_owned(),
            restored: Some(wanted.load.clone()),
            ..wanted.state.clone()
        },
        published_at: None,
        ..wanted.clone()
    }
}

async fn publish(
    workshop: &Workshop,
    attempt: &Attempt,
    restoration: &Restoration,
    staging: Box<dyn Staging>,
    ledger: LedgerRow,
) -> Result<Published, LoadError> {
    let publishing = &workshop.publishing;
    let publication = Publication {
        kind: restoration.publish,
        increment: None,
        mark: None,
        previous: ledger.previous.clone(),
        live_columns: restoration.live_columns.clone(),
        ledger,
        grants: publishing.grants.clone(),
        descriptions: Descriptions::default(),
        drop_broken_views: attempt.spec.on_broken_view == OnBrokenView::Drop,
        lock_timeout: publishing.lock_timeout,
        lock_wait: publishing.lock_wait,
        snapshot_wait: publishing.snapshot_wait,
        deadline_near: is_near(attempt.due_at, System.now()),
    };
    let ready = Ready::Table(staging);
    let published = hand_over(&*workshop.warehouse, ready, publication, &workshop.cancel).await;
    published.map_err(LoadError::Warehouse)?.ok_or(LoadError::Cancelled)
}

fn loaded(restoration: &Restoration, load: &str, rows: u64, published: Published) -> Loaded {
    let wanted = &restoration.wanted;
    let mut warnings = restoration.notes.clone();
    warnings.extend(published.warnings);
    if rows != wanted.table_rows {
        warnings.push(format!(
            "the table had {} rows with load {}, and has {rows} now: something else wrote to it then",
            wanted.table_rows, wanted.load
        ));
    }
    Loaded {
        load: load.to_owned(),
        reason: format!("shows load {} again", wanted.load),
        published: Some(published.kind),
        rows,
        late_rows: None,
        deleted_rows: None,
        kept_rows: 0,
        read_rows: 0,
        watermark: wanted.watermark.clone(),
        schema_hash: wanted.schema_hash.clone(),
        schema_changes: diff(&restoration.last.schema, &wanted.schema),
        bytes: restoration.bytes(),
        as_of: wanted.as_of,
        snapshot: wanted.snapshot.clone(),
        lag_seconds: None,
        checks: Vec::new(),
        warnings,
    }
}

//! One attempt at one model.

use super::{
    Attempt, Made, ModelError,
    ledger::{self, Decision},
    unchanged,
};
use crate::{
    check::{self, Audited, Staged},
    clock::{self, Clock, System},
    config::{ModelKind, OnBrokenView},
    error::{Class, Fault},
    event::CheckOutcome,
    load::{Workshop, is_superseded},
    publish::{self, Ready, hand_over, is_near},
    schema::{Layout, RelationKind},
    warehouse::{
        Filling, Increment, LedgerRow, LiveTable, Publication, PublishKind, Published, Select, Staging,
        StagingColumn, StagingSpec,
    },
};

/// Makes one attempt at one model.
///
/// After `Ok` it is published (or nothing changed since it was), after `Err` it is as it was.
pub async fn make(workshop: &Workshop, attempt: &Attempt<'_>) -> Result<Made, ModelError> {
    let made = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => return Err(ModelError::Cancelled),
        begun = begin(workshop, attempt) => begun?,
    };
    match made {
        Begun::Unchanged(made) => Ok(made),
        Begun::ToDo(decision, select) => publish_it(workshop, attempt, *decision, &select).await,
    }
}

/// What came of looking.
enum Begun {
    Unchanged(Made),
    ToDo(Box<Decision>, Select),
}

/// Looks whether there is anything to do, and decides how. Changes nothing but the control database.
async fn begin(workshop: &Workshop, attempt: &Attempt<'_>) -> Result<Begun, ModelError> {
    let (warehouse, table) = (&*workshop.warehouse, &attempt.target);
    let last = warehouse.last_load(table).await.map_err(ModelError::Warehouse)?;
    let upon = last.as_ref().map(|last| last.load.clone());
    match begin_upon(last, workshop, attempt).await {
        Err(error)
            if error.class() != Class::Passing && is_superseded(warehouse, table, upon.as_deref()).await =>
        {
            Err(ModelError::Superseded { table: table.clone() })
        }
        begun => begun,
    }
}

async fn begin_upon(
    last: Option<LedgerRow>,
    workshop: &Workshop,
    attempt: &Attempt<'_>,
) -> Result<Begun, ModelError> {
    let (warehouse, spec, target) = (&workshop.warehouse, attempt.spec, &attempt.target);
    if let Some(last) = last.as_ref().filter(|last| last.project != workshop.project) {
        let (table, other, project) = (target.clone(), last.project.clone(), workshop.project.clone());
        return Err(ModelError::OtherProject { table, other, project });
    }
    let live = warehouse.live(target).await.map_err(ModelError::Warehouse)?;
    let dialect = workshop.dialect();
    let whole = Select::of(&spec.statement, dialect, spec.kind.first_since(), attempt.name_of);
    let definition = unchanged::definition(spec, &whole);
    if let (Some(why), Some(last)) =
        (unchanged::why(attempt, last.as_ref(), live.as_ref(), &definition), last.as_ref())
    {
        return Ok(Begun::Unchanged(as_it_is(attempt, last, why)));
    }
    let columns = described(workshop, attempt, &whole).await?;
    let goes_on = goes_on(attempt, last.as_ref(), live.as_ref(), &columns, &definition);
    let (publish, reason) = match (&goes_on, spec.kind == ModelKind::View) {
        (Some(_), _) => (PublishKind::Merge, None),
        (None, true) => (of_view(attempt, last.as_ref(), live.as_ref())?, None),
        (None, false) => {
            let (last, live) = (last.as_ref(), live.as_ref());
            let decided = publish::decide(spec.publish.into(), target, last, live, &columns)?;
            if decided.kind == PublishKind::Swap
                && let Some(live) = live
            {
                publish::broken(target, live, &columns, spec.on_broken_view == OnBrokenView::Drop)?;
            }
            (decided.kind, decided.reason)
        }
    };
    let is_whole = goes_on.is_none();
    let reason =
        reason.unwrap_or_else(|| why_made(attempt, last.as_ref(), live.as_ref(), &definition, is_whole));
    let select = match goes_on {
        Some(since) => Select::of(&spec.statement, dialect, Some(&since), attempt.name_of),
        None => whole,
    };
    let load = clock::new_id_after(last.as_ref().map(|last| last.load.as_str()));
    tracing::Span::current().record("load", load.as_str());
    workshop.control.start_attempt(&workshop.run, &target.to_string(), attempt.number, &load).await?;
    let live_columns = live.as_ref().map(LiveTable::column_names);
    let decision = Decision { load, last, live_columns, columns, publish, is_whole, definition, reason };
    Ok(Begun::ToDo(Box::new(decision), select))
}

/// The watermark that an incremental model goes on from; `None`: the whole of it is made.
fn goes_on(
    attempt: &Attempt<'_>,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
    columns: &[StagingColumn],
    definition: &str,
) -> Option<String> {
    let ModelKind::Incremental { .. } = attempt.spec.kind else { return None };
    let (last, live) = (last?, live?);
    // Rows that a sample left out lie below the watermark.
    let is_same = last.state.definition == definition
        && last.state.sample == attempt.sample_of_rows()
        && live.kind == RelationKind::Table
        && live.is_held_to(&attempt.spec.key)
        && columns.iter().all(|column| live.columns.contains(column))
        && live.columns.len() == columns.len();
    last.watermark.clone().filter(|_| is_same && !attempt.full)
}

/// A view is replaced; a table of its name is nobody's to drop.
fn of_view(
    attempt: &Attempt<'_>,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
) -> Result<PublishKind, ModelError> {
    let table = attempt.target.clone();
    match live {
        Some(_) if last.is_none() => Err(publish::Refusal::NotOurs { table }.into()),
        Some(live) if live.kind != RelationKind::View => Err(ModelError::NoView { table }),
        _ => Ok(PublishKind::Replace),
    }
}

async fn described(
    workshop: &Workshop,
    attempt: &Attempt<'_>,
    select: &Select,
) -> Result<Vec<StagingColumn>, ModelError> {
    let spec = attempt.spec;
    let mut columns = workshop.warehouse.describe(select).await.map_err(ModelError::Warehouse)?;
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let cursor = match &spec.kind {
        ModelKind::Incremental { cursor, .. } => Some(("cursor", cursor)),
        ModelKind::Table | ModelKind::View => None,
    };
    let named = spec.key.iter().map(|name| ("key", name));
    let named = named.chain(spec.columns.keys().map(|name| ("columns", name))).chain(cursor);
    for (key, name) in named {
        if !has(name) {
            let (file, column) = (spec.statement.file.clone(), name.clone());
            return Err(ModelError::NoColumn { file, key, column });
        }
    }
    for column in columns.iter_mut().filter(|column| spec.key.contains(&column.name)) {
        column.nullable = false;
    }
    Ok(columns)
}

fn why_made(
    attempt: &Attempt<'_>,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
    definition: &str,
    is_whole: bool,
) -> String {
    let why = match (last, live) {
        (None, _) => "first time",
        (Some(_), None) => "it was gone",
        _ if attempt.full => "all of it was asked for",
        (Some(last), _) if last.state.definition != definition => "its definition changed",
        _ if attempt.spec.kind == ModelKind::View => "the view was changed by hand",
        (Some(last), _) if last.state.sample != attempt.sample_of_rows() => {
            "it was made of a sample, or is now"
        }
        _ if !is_whole => "new rows",
        _ if attempt.reads_others => "what it reads may have changed",
        _ => "what it reads changed",
    };
    match attempt.sample_of_rows() {
        Some(rows) => format!("of a sample of {rows} rows a table; {why}"),
        None => why.to_owned(),
    }
}

fn as_it_is(attempt: &Attempt<'_>, last: &LedgerRow, why: &str) -> Made {
    Made {
        load: last.load.clone(),
        reason: why.to_owned(),
        published: None,
        rows: (last.strategy != ledger::VIEW).then_some(last.table_rows),
        // A view shows what it reads, and that may be newer.
        as_of: if last.strategy == ledger::VIEW { ledger::as_of(attempt) } else { last.as_of },
        watermark: last.watermark.clone(),
        sample: attempt.sample(),
        checks: Vec::new(),
        warnings: Vec::new(),
    }
}

async fn publish_it(
    workshop: &Workshop,
    attempt: &Attempt<'_>,
    decision: Decision,
    select: &Select,
) -> Result<Made, ModelError> {
    let (ready, rows, watermark, checks) = match attempt.spec.kind {
        ModelKind::View => (Ready::View(select), 0, None, Vec::new()),
        ModelKind::Table | ModelKind::Incremental { .. } => {
            let (staging, rows, watermark) = fill(workshop, attempt, &decision, select).await?;
            let (staging, checks) = sound(workshop, attempt, &decision, staging).await?;
            (Ready::Table(staging), rows, watermark, checks)
        }
    };
    let publishing = &workshop.publishing;
    let publication = Publication {
        kind: decision.publish,
        increment: (!decision.is_whole).then(|| Increment {
            added: Vec::new(),
            late: None,
            gone: Vec::new(),
            is_whole: false,
            table_rows: decision.last.as_ref().map(|last| last.table_rows),
        }),
        mark: None,
        previous: decision.last.as_ref().map(|last| last.load.clone()),
        live_columns: decision.live_columns.clone(),
        ledger: ledger::row(workshop, attempt, &decision, (rows, watermark.clone())),
        grants: publishing.grants.clone(),
        descriptions: ledger::descriptions(attempt),
        drop_broken_views: attempt.spec.on_broken_view == OnBrokenView::Drop,
        lock_timeout: publishing.lock_timeout,
        lock_wait: publishing.lock_wait,
        snapshot_wait: publishing.snapshot_wait,
        deadline_near: is_near(attempt.due_at, System.now()),
    };
    let published = hand_over(&*workshop.warehouse, ready, publication, &workshop.cancel).await;
    let published = published.map_err(ModelError::Warehouse)?.ok_or(ModelError::Cancelled)?;
    Ok(Made { checks, ..made(attempt, decision, published, rows, watermark) }.with_warnings())
}

/// The staging table, if nothing speaks against its publish.
async fn sound(
    workshop: &Workshop,
    attempt: &Attempt<'_>,
    decision: &Decision,
    staging: Box<dyn Staging>,
) -> Result<(Box<dyn Staging>, Vec<CheckOutcome>), ModelError> {
    let Some(audit) = &attempt.audit else { return Ok((staging, Vec::new())) };
    let now = System.now();
    let staged = Staged {
        load: &decision.load,
        table: &attempt.target,
        columns: &decision.columns,
        mark: None,
        key: &attempt.spec.key,
        is_part: !decision.is_whole,
        are_new: false,
        as_of: ledger::as_of(attempt),
        // It shows the moment of its oldest input, and may have new rows all the same.
        moment: now,
        now,
    };
    let audited = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => return Err(ModelError::Cancelled),
        audited = check::audit((&*workshop.warehouse, &workshop.control), audit, &staged, staging) => audited,
    };
    match audited.map_err(ModelError::Warehouse)? {
        Audited::Sound(staging, checks) => Ok((staging, checks)),
        Audited::Unsound(unsound) => Err(ModelError::Unsound(Box::new(unsound))),
    }
}

/// A staging table with all its rows, counted twice.
async fn fill(
    workshop: &Workshop,
    attempt: &Attempt<'_>,
    decision: &Decision,
    select: &Select,
) -> Result<(Box<dyn Staging>, u64, Option<String>), ModelError> {
    let spec = StagingSpec {
        load: decision.load.clone(),
        run: workshop.run.clone(),
        table: attempt.target.clone(),
        columns: decision.columns.clone(),
        mark: None,
        key: attempt.spec.key.clone(),
        layout: match decision.publish {
            PublishKind::Swap => attempt.spec.layout.clone(),
            // It is none of the table that stays.
            _ => Layout::default(),
        },
        filling: Filling::Select,
    };
    let mut staging = workshop.warehouse.open_staging(spec).await.map_err(ModelError::Warehouse)?;
    let filled = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => Err(ModelError::Cancelled),
        filled = counted(attempt, decision, &mut staging, select) => filled,
    };
    match filled {
        Ok((rows, watermark)) => Ok((staging, rows, watermark)),
        Err(error) => {
            staging.discard().await;
            Err(error)
        }
    }
}

async fn counted(
    attempt: &Attempt<'_>,
    decision: &Decision,
    staging: &mut Box<dyn Staging>,
    select: &Select,
) -> Result<(u64, Option<String>), ModelError> {
    let filled = staging.fill_from(select).await.map_err(ModelError::Warehouse)?;
    let counted = staging.count().await.map_err(ModelError::Warehouse)?;
    if filled != counted {
        return Err(ModelError::Counts { table: attempt.target.clone(), filled, counted });
    }
    let ModelKind::Incremental { cursor, .. } = &attempt.spec.kind else { return Ok((filled, None)) };
    let greatest = staging.greatest(cursor).await.map_err(ModelError::Warehouse)?;
    let before = decision.last.as_ref().filter(|_| !decision.is_whole);
    // No new row moves it nowhere.
    Ok((filled, greatest.or_else(|| before.and_then(|last| last.watermark.clone()))))
}

fn made(
    attempt: &Attempt<'_>,
    decision: Decision,
    published: Published,
    rows: u64,
    watermark: Option<String>,
) -> Made {
    let written = published.written.map(|written| written.inserted + written.updated);
    Made {
        load: decision.load,
        reason: decision.reason,
        published: Some(published.kind),
        rows: (attempt.spec.kind != ModelKind::View).then(|| written.unwrap_or(rows)),
        as_of: ledger::as_of(attempt),
        watermark,
        sample: attempt.sample(),
        checks: Vec::new(),
        warnings: published.warnings,
    }
}

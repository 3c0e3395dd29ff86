//! From the stage into a staging table, and from there to its readers.

use tokio::sync::mpsc;

use super::{Attempt, Decision, LoadError, Workshop, decide::staging_columns, marks, progress::Progress};
use crate::{
    check::{self, Audited, Staged},
    clock::{Clock, System},
    config::{LoadSpec, OnBrokenView},
    event::{CheckOutcome, Step},
    publish::{Ready, hand_over, is_near},
    schema::Layout,
    source::Position,
    stage::{LoadPrefix, manifest::Manifest},
    warehouse::{
        Descriptions, Fill, Filling, Increment, LedgerRow, LiveTable, Publication, PublishKind, Published,
        Staging, StagingSpec, State,
    },
};

/// Opens the staging table of one load.
pub(super) async fn open(
    workshop: &Workshop,
    attempt: &Attempt,
    decision: &Decision,
    load: &str,
) -> Result<Box<dyn Staging>, LoadError> {
    let spec = &attempt.spec;
    let staging = StagingSpec {
        load: load.to_owned(),
        run: workshop.run.clone(),
        table: spec.target.clone(),
        columns: staging_columns(&decision.shape),
        mark: spec.deletes.mark().map(str::to_owned),
        key: decision.shape.key.clone(),
        layout: match decision.publish {
            PublishKind::Swap => decision.shape.layout.clone(),
            // It is none of the table that stays.
            _ => Layout::default(),
        },
        filling: Filling::Parts {
            format: decision.shape.format,
            compression: spec.compression.unwrap_or(workshop.publishing.compression),
            jobs: match decision.is_whole() {
                // They are few, and published by the transaction that fills.
                false => 1,
                true => attempt.fill_jobs(workshop),
            },
        },
    };
    workshop.warehouse.open_staging(staging).await.map_err(LoadError::Warehouse)
}

/// Fills a staging table from parts as they come.
pub(super) async fn fill(
    workshop: &Workshop,
    staging: &mut Box<dyn Staging>,
    parts: mpsc::Receiver<Fill>,
) -> Result<u64, LoadError> {
    staging.fill(parts, workshop.stage.clone()).await.map_err(LoadError::Warehouse)
}

/// A whole load as a fill sees it: its parts, then its manifest.
pub(super) fn replay(manifest: &Manifest) -> mpsc::Receiver<Fill> {
    let (sender, receiver) = mpsc::channel(manifest.parts.len() + 1);
    for part in &manifest.parts {
        let _ = sender.try_send(Fill::Part(part.clone()));
    }
    let _ = sender.try_send(Fill::Done(Box::new(manifest.clone())));
    receiver
}

/// A staging table with all its rows.
pub(super) struct Filled<'a> {
    pub(super) staging: Box<dyn Staging>,
    pub(super) manifest: &'a Manifest,
    /// The rows that the warehouse says it took in.
    pub(super) rows: u64,
}

/// Compares the counts, asks the checks that come before a publish, and publishes.
pub(super) async fn publish(
    workshop: &Workshop,
    attempt: &Attempt,
    decision: &Decision,
    position: &Position,
    filled: Filled<'_>,
    progress: &Progress,
) -> Result<(Published, Vec<CheckOutcome>), LoadError> {
    let Filled { mut staging, manifest, rows: filled } = filled;
    let counted = match staging.count().await {
        Ok(counted) => counted,
        Err(error) => {
            staging.discard().await;
            return Err(LoadError::Warehouse(error));
        }
    };
    let staged = manifest.rows();
    if staged != filled || staged != counted {
        staging.discard().await;
        return Err(LoadError::Counts { table: attempt.spec.target.clone(), staged, filled, counted });
    }
    progress.tell(Step::Publishing);
    let (staging, checks) = sound(workshop, attempt, decision, (&manifest.load, position), staging).await?;
    let publishing = &workshop.publishing;
    let publication = Publication {
        kind: decision.publish,
        increment: increment(&attempt.spec, decision, manifest),
        mark: attempt.spec.deletes.mark().map(str::to_owned),
        previous: decision.last.as_ref().map(|last| last.load.clone()),
        live_columns: decision.live.as_ref().map(LiveTable::column_names),
        ledger: ledger_row(workshop, attempt, decision, position, manifest),
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
    let published = published.map_err(LoadError::Warehouse)?.ok_or(LoadError::Cancelled)?;
    Ok((published, checks))
}

/// The staging table, if nothing speaks against its publish.
async fn sound(
    workshop: &Workshop,
    attempt: &Attempt,
    decision: &Decision,
    (load, position): (&str, &Position),
    staging: Box<dyn Staging>,
) -> Result<(Box<dyn Staging>, Vec<CheckOutcome>), LoadError> {
    // Single rows that are mended are as the source has them.
    let Some(audit) = attempt.audit.as_ref().filter(|_| attempt.repair.is_none()) else {
        return Ok((staging, Vec::new()));
    };
    let staged = Staged {
        load,
        table: &attempt.spec.target,
        columns: &staging_columns(&decision.shape),
        mark: attempt.spec.deletes.mark(),
        key: &decision.shape.key,
        is_part: !decision.is_whole(),
        are_new: decision.publish == PublishKind::Insert,
        as_of: position.as_of,
        moment: position.as_of,
        now: System.now(),
    };
    let audit = check::audit((&*workshop.warehouse, &workshop.control), audit, &staged, staging);
    let audited = workshop.unless_cancelled(audit).await?;
    match audited.map_err(LoadError::Warehouse)? {
        Audited::Sound(staging, checks) => Ok((staging, checks)),
        Audited::Unsound(unsound) => Err(LoadError::Unsound(Box::new(unsound))),
    }
}

/// What is written into the live table, where that one stays.
fn increment(spec: &LoadSpec, decision: &Decision, manifest: &Manifest) -> Option<Increment> {
    if decision.is_whole() {
        let stays = decision.publish == PublishKind::Replace && spec.deletes.mark().is_some();
        return stays.then(|| Increment {
            added: marks::to_add(spec, &decision.shape, decision.live.as_ref()).into_iter().collect(),
            late: None,
            gone: Vec::new(),
            is_whole: true,
            table_rows: None,
        });
    }
    let new_rows = decision.new_rows.as_ref();
    // With a new column all that the overlap reads again differs: to call that late would be wrong.
    let is_widened = new_rows.is_some_and(|new_rows| !new_rows.added.is_empty());
    // What is mended was not there, though the ledger may have counted it.
    let is_mended = decision.by_keys || new_rows.is_some_and(|new_rows| new_rows.compare);
    Some(Increment {
        added: new_rows.map(|new_rows| new_rows.added.clone()).unwrap_or_default(),
        late: new_rows
            .filter(|_| !is_widened)
            .map(|new_rows| decision.shape.cursor(&new_rows.cursor).at_most(&new_rows.watermark)),
        gone: manifest.gone.clone(),
        is_whole: false,
        table_rows: match &decision.last {
            Some(last) if !is_mended => Some(last.table_rows),
            _ => decision.counted,
        },
    })
}

fn ledger_row(
    workshop: &Workshop,
    attempt: &Attempt,
    decision: &Decision,
    position: &Position,
    manifest: &Manifest,
) -> LedgerRow {
    let spec = &attempt.spec;
    let prefix = LoadPrefix::new(&workshop.project, &workshop.mode, &spec.target, &manifest.load);
    let row = LedgerRow {
        load: manifest.load.clone(),
        table: spec.target.clone(),
        previous: decision.last.as_ref().map(|last| last.load.clone()),
        project: workshop.project.clone(),
        run: workshop.run.clone(),
        strategy: spec.strategy.to_string(),
        publish: decision.publish,
        source: spec.source.clone(),
        source_table: spec.source_table.clone(),
        system: position.system.clone(),
        lsn: position.lsn,
        as_of: position.as_of,
        snapshot: position.snapshot.clone(),
        schema_hash: decision.schema_hash.clone(),
        schema: decision.schema.clone(),
        content_hash: match &decision.last {
            // A table that is repaired is again what that load made it.
            Some(last) if decision.by_keys => last.content_hash.clone(),
            // A part of the table tells nothing of all of it.
            _ if decision.piece.is_some() => None,
            _ => Some(manifest.content_hash()),
        },
        manifest: Some(prefix.manifest()),
        rows: manifest.rows(),
        bytes: manifest.bytes(),
        watermark: decision.watermark.clone(),
        table_rows: match &decision.last {
            Some(last) if !decision.is_whole() => last.table_rows,
            _ => manifest.rows(),
        },
        late_rows: None,
        deleted_rows: None,
        state: State {
            strategy: spec.strategy.to_string(),
            restored: None,
            base: match decision.is_whole() {
                false => decision.state.base.clone(),
                true => manifest.load.clone(),
            },
            unfit: manifest.unfit.clone(),
            manifest_sha256: Some(manifest.sha256.clone()),
            ..decision.state.clone()
        },
        published_at: None,
    };
    match &decision.last {
        // The table as a whole shows no later moment than before.
        Some(last) if decision.piece.is_some() => LedgerRow {
            strategy: "backfill".to_owned(),
            system: last.system.clone(),
            lsn: last.lsn,
            as_of: last.as_of,
            snapshot: last.snapshot.clone(),
            ..row
        },
        _ => row,
    }
}

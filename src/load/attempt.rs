//! One attempt at one table: extract and fill side by side, then publish.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Attempt, Decision, LoadError, Loaded, Workshop,
    connections::{Held, hold},
    decide::decide,
    extract::Extract,
    fill, marks,
    missed::Missed,
    progress::Progress,
    service, tidy,
};
use crate::{
    check, clock,
    event::{CheckOutcome, Step},
    source::{PartPlan, Position, SharedSnapshots, Snapshot},
    stage::manifest::Manifest,
    warehouse::{Fill, LedgerRow, Published},
};

/// How many whole parts may wait in the stage before the reading of others waits for the fill.
const PARTS_AHEAD: usize = 2;

/// The same where the source's snapshot should be let go soon.
const PARTS_AHEAD_IN_HASTE: usize = 1_000;

/// Makes one attempt at one table.
///
/// After `Ok` the table is published (or equals what is published already), after `Err` it is as it
/// was. A passing failure gives the source's snapshot up, so that the next attempt gets a new one.
pub async fn load(workshop: &Workshop, attempt: &Attempt) -> Result<Loaded, LoadError> {
    if let Some(service) = snapshots(workshop, attempt)?.source().service() {
        // On the heap, like all that is deep: what follows would be too much for a thread's stack.
        return Box::pin(service::load(workshop, attempt, service)).await;
    }
    let Held { snapshot, connections } = hold(workshop, std::slice::from_ref(attempt)).await?;
    let id = snapshot.position().snapshot.clone();
    let loaded = in_snapshot(workshop, &attempt.filled_by(workshop, &connections), snapshot).await;
    if loaded.as_ref().is_err_and(LoadError::is_of_snapshot) {
        snapshots(workshop, attempt)?.give_up(Some(&id)).await;
    }
    loaded
}

/// The shared snapshots of an attempt's source.
pub(super) fn snapshots<'a>(
    workshop: &'a Workshop,
    attempt: &Attempt,
) -> Result<&'a SharedSnapshots, LoadError> {
    let spec = &attempt.spec;
    workshop
        .sources
        .get(&spec.source)
        .ok_or_else(|| LoadError::NoSource { table: spec.target.clone(), source_name: spec.source.clone() })
}

/// The same in a given snapshot.
pub(super) async fn in_snapshot(
    workshop: &Workshop,
    attempt: &Attempt,
    snapshot: Arc<dyn Snapshot>,
) -> Result<Loaded, LoadError> {
    let begun = Begun::new(workshop, attempt, &*snapshot).await?;
    let done = begun.load(snapshot).await;
    begun.end(done).await
}

/// Below so many rows a table is refused only if it turned empty.
const SMALL_TABLE_ROWS: u64 = 100;

impl Attempt {
    /// Refuses to let a table shrink from `before` rows to `now` if that is more than the loader allows.
    pub(super) fn refuse_shrinking(&self, before: u64, now: u64) -> Result<(), LoadError> {
        let limit = self.spec.shrink_limit;
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact to the row")]
        let vanished = before.saturating_sub(now) as f64 / before.max(1) as f64;
        let is_small = before < SMALL_TABLE_ROWS && now > 0;
        match self.accept_shrink || is_small || vanished <= limit {
            true => Ok(()),
            false => {
                Err(LoadError::Shrank { table: self.spec.target.clone(), before, now, loses_kept: false })
            }
        }
    }
}

/// An attempt that has been decided upon: from here on it has an id and leaves traces.
pub(super) struct Begun<'a> {
    workshop: &'a Workshop,
    attempt: &'a Attempt,
    decision: Decision,
    missed: Missed,
    position: Position,
    load: String,
    progress: Progress,
    /// Whether the warehouse was asked to publish.
    publish_tried: AtomicBool,
    /// How many rows the live table had where nothing but that told it from what was published.
    others_left: OnceLock<u64>,
}

/// What came of an attempt.
pub(super) struct Done {
    manifest: Manifest,
    /// `None`: it equals what is published already.
    published: Option<Published>,
    /// What was asked of the rows before.
    checks: Vec<CheckOutcome>,
}

impl Done {
    fn unchanged(manifest: Manifest) -> Self {
        Self { manifest, published: None, checks: Vec::new() }
    }
}

/// Why nothing is left to fill.
enum Cut {
    /// All that was read is published already.
    Unchanged(Box<Manifest>),
    Failed(LoadError),
}

impl<'a> Begun<'a> {
    /// Decides and writes the attempt down, so that what it leaves behind is known to be alive.
    pub(super) async fn new(
        workshop: &'a Workshop,
        attempt: &'a Attempt,
        snapshot: &dyn Snapshot,
    ) -> Result<Self, LoadError> {
        let decision =
            decide(&workshop.project, &attempt.spec, attempt.full, snapshot, &*workshop.warehouse).await?;
        // What was decided before it was asked may not hold any more.
        let is_part = snapshot.answers().is_some_and(|answers| answers.since.is_some());
        if is_part && attempt.chunk.is_none() && !attempt.mends && decision.is_whole() {
            return Err(LoadError::Superseded { table: attempt.spec.target.clone() });
        }
        let decision = match &attempt.repair {
            Some(repair) => decision.repairing(repair),
            None => decision,
        };
        let decision = match &attempt.chunk {
            Some(chunk) => decision.backfilling(attempt, chunk, snapshot).await?,
            None => decision,
        };
        let decision = match attempt.mends {
            true => decision.mending(attempt)?,
            false => decision,
        };
        let decision = match attempt.number {
            0 | 1 => decision,
            _ => decision.with_another_null(),
        };
        let decision = decision.measured(&attempt.spec, snapshot).await?;
        let look = Missed::look(attempt, &decision, snapshot, &*workshop.warehouse);
        let missed = workshop.unless_cancelled(look).await??;
        let decision = decision.having_found(&missed);
        let load = clock::new_id_after(decision.last.as_ref().map(|last| last.load.as_str()));
        let task = attempt.spec.target.to_string();
        tracing::Span::current().record("load", load.as_str());
        workshop.control.start_attempt(&workshop.run, &task, attempt.number, &load).await?;
        if let Some(chunk) = &attempt.chunk {
            workshop.control.start_chunk(&chunk.backfill, chunk.number, &load).await?;
        }
        let progress = Progress::new(task, workshop.events.clone());
        progress.tell(Step::Extracting);
        let (position, publish_tried) = (snapshot.position().clone(), AtomicBool::new(false));
        let others_left = OnceLock::new();
        Ok(Self { workshop, attempt, decision, missed, position, load, progress, publish_tried, others_left })
    }

    /// From the source to its readers.
    async fn load(&self, snapshot: Arc<dyn Snapshot>) -> Result<Done, LoadError> {
        let extract = self.extraction();
        let plans = self.workshop.unless_cancelled(extract.plan(&*snapshot)).await??;
        // The fill of a single part begins no later if it waits for the manifest, and of a table that has not
        // changed, which most are that are so small, the warehouse then counts the rows and does no more.
        match plans.len() {
            0 | 1 => {
                let manifest = self.workshop.unless_cancelled(extract.run(snapshot, plans, None)).await??;
                self.publish_staged(manifest).await
            }
            _ => self.side_by_side(extract, snapshot, plans).await,
        }
    }

    /// Extracts and fills at once: a part is filled as soon as it is whole in the stage.
    async fn side_by_side(
        &self,
        extract: Extract<'_>,
        snapshot: Arc<dyn Snapshot>,
        plans: Vec<PartPlan>,
    ) -> Result<Done, LoadError> {
        let mut staging = fill::open(self.workshop, self.attempt, &self.decision, &self.load).await?;
        let (sender, receiver) = mpsc::channel(self.parts_ahead());
        let extracted = async {
            let manifest = extract.run(snapshot, plans, Some(&sender)).await.map_err(Cut::Failed)?;
            if self.is_unchanged(&manifest).await.map_err(Cut::Failed)? {
                // Spares the table its key and its figures for the planner.
                return Err(Cut::Unchanged(Box::new(manifest)));
            }
            // If nobody listens any more, the fill has failed and says so itself.
            let _ = sender.send(Fill::Done(Box::new(manifest.clone()))).await;
            Ok(manifest)
        };
        let filled = async { fill::fill(self.workshop, &mut staging, receiver).await.map_err(Cut::Failed) };
        let both = tokio::select! {
            biased;
            () = self.workshop.cancel.cancelled() => Err(Cut::Failed(LoadError::Cancelled)),
            both = async { tokio::try_join!(extracted, filled) } => both,
        };
        match both {
            Ok((manifest, filled)) => self.publish(staging, manifest, filled).await,
            Err(cut) => {
                staging.discard().await;
                match cut {
                    Cut::Unchanged(manifest) => Ok(Done::unchanged(*manifest)),
                    Cut::Failed(error) => Err(error),
                }
            }
        }
    }

    /// How many whole parts may wait to be filled. After a failure the source is read as fast as it
    /// can be: a snapshot that is held for a shorter time is less likely to be lost again.
    fn parts_ahead(&self) -> usize {
        if self.attempt.number == 1 { PARTS_AHEAD } else { PARTS_AHEAD_IN_HASTE }
    }

    /// Reads the table into the stage, up to the manifest.
    pub(super) async fn extract(&self, snapshot: Arc<dyn Snapshot>) -> Result<Manifest, LoadError> {
        let extract = self.extraction();
        let plans = extract.plan(&*snapshot).await?;
        extract.run(snapshot, plans, None).await
    }

    fn extraction(&self) -> Extract<'_> {
        Extract {
            workshop: self.workshop,
            spec: &self.attempt.spec,
            decision: &self.decision,
            missed: &self.missed,
            chunk: self.attempt.chunk.as_deref(),
            load: &self.load,
            attempt: self.attempt.number,
            progress: self.progress.clone(),
        }
    }

    /// Fills from a load that is whole in the stage, and publishes it.
    pub(super) async fn publish_staged(&self, manifest: Manifest) -> Result<Done, LoadError> {
        if self.workshop.unless_cancelled(self.is_unchanged(&manifest)).await?? {
            return Ok(Done::unchanged(manifest));
        }
        let mut staging = fill::open(self.workshop, self.attempt, &self.decision, &self.load).await?;
        let parts = fill::replay(&manifest);
        let filled =
            self.workshop.unless_cancelled(fill::fill(self.workshop, &mut staging, parts)).await.flatten();
        match filled {
            Ok(filled) => self.publish(staging, manifest, filled).await,
            Err(error) => {
                staging.discard().await;
                Err(error)
            }
        }
    }

    async fn publish(
        &self,
        staging: Box<dyn crate::warehouse::Staging>,
        manifest: Manifest,
        filled: u64,
    ) -> Result<Done, LoadError> {
        if let Err(error) = self.refuse_shrinking(manifest.rows()).await {
            staging.discard().await;
            return Err(error);
        }
        self.publish_tried.store(true, Ordering::Relaxed);
        let filled = fill::Filled { staging, manifest: &manifest, rows: filled };
        let (workshop, attempt) = (self.workshop, self.attempt);
        let (published, checks) =
            fill::publish(workshop, attempt, &self.decision, &self.position, filled, &self.progress).await?;
        Ok(Done { manifest, published: Some(published), checks })
    }

    /// Whether the next load could go on from the last one as it could from this one.
    fn goes_on_from(&self, last: &LedgerRow) -> bool {
        let (before, now) = (&last.state, &self.decision.state);
        last.loaders_strategy() == self.attempt.spec.strategy.to_string()
            && (&before.definition, &before.system, before.relation)
                == (&now.definition, &now.system, now.relation)
            && before.awaiting.is_empty()
    }

    /// A whole load of a source that lost more of its rows than is believed. Small tables come and go.
    async fn refuse_shrinking(&self, now: u64) -> Result<(), LoadError> {
        let Some(last) = &self.decision.last else { return Ok(()) };
        let is_same = last.state.definition == self.decision.state.definition;
        // A loop's table is made anew from nothing, whatever is asked: its rows come round by round.
        let is_compared = is_same || self.attempt.spec.work().is_some();
        if !self.decision.is_whole() || self.decision.live.is_none() || !is_compared {
            return Ok(());
        }
        if self.attempt.refuse_shrinking(last.table_rows, now).is_ok() {
            return Ok(());
        }
        // Something else may have taken rows since the ledger counted: readers lose only what is there.
        let spec = &self.attempt.spec;
        let mark = marks::there(spec, self.decision.live.as_ref());
        let counted = self.workshop.warehouse.reach(&spec.target, mark, None).await;
        let (counted, _) = counted.map_err(LoadError::Warehouse)?;
        self.attempt.refuse_shrinking(last.table_rows.min(counted), now).map_err(|error| match error {
            LoadError::Shrank { table, before, now, .. } => {
                let loses_kept = self.decision.loses_kept && !self.decision.changes.is_empty();
                LoadError::Shrank { table, before, now, loses_kept }
            }
            error => error,
        })
    }

    /// Whether a load equals what is published, and that is still there: somebody else may have emptied the table.
    /// Rows that were changed where they are nobody sees but `verify`. Where new rows alone are brought a
    /// count would cost more than all else.
    async fn is_unchanged(&self, manifest: &Manifest) -> Result<bool, LoadError> {
        let Some(last) = self.decision.last.as_ref().filter(|_| self.is_as_published(manifest)) else {
            return Ok(false);
        };
        if !self.decision.is_whole() || self.attempt.compared {
            return Ok(true);
        }
        let spec = &self.attempt.spec;
        let counted = self.workshop.warehouse.reach(&spec.target, spec.deletes.mark(), None).await;
        let (counted, _) = counted.map_err(LoadError::Warehouse)?;
        if counted != last.table_rows {
            let _ = self.others_left.set(counted);
        }
        Ok(counted == last.table_rows)
    }

    /// Whether a load equals what was published: the same bytes in the stage, and the live table still
    /// has the form that they were published in.
    fn is_as_published(&self, manifest: &Manifest) -> bool {
        let (Some(last), Some(live)) = (&self.decision.last, &self.decision.live) else {
            return false;
        };
        if self.decision.by_keys || self.decision.piece.is_some() {
            return false;
        }
        if let Some(new_rows) = &self.decision.new_rows {
            // When was compared must be written down, unless each load compares, and which file the rows
            // were in; what was added must be there, what is gone must go.
            let each_time = self.attempt.spec.compare_every == Some(Duration::ZERO);
            if (new_rows.compare && !each_time)
                || new_rows.rewritten
                || !new_rows.added.is_empty()
                || !manifest.gone.is_empty()
            {
                return false;
            }
            if manifest.rows() == 0 {
                return true;
            }
        } else if !self.goes_on_from(last) {
            return false;
        }
        let mark = self.attempt.spec.deletes.mark();
        !self.attempt.full
            && !self.decision.relaid
            && last.schema_hash == self.decision.schema_hash
            && last.content_hash.as_deref() == Some(&manifest.content_hash())
            && live.columns_but(mark) == super::decide::staging_columns(&self.decision.shape)
            && mark.is_none_or(|mark| live.has(mark))
            && (self.decision.shape.key.is_empty() || live.is_held_to(&self.decision.shape.key))
    }

    /// Writes down what has to be, and takes away what lies in the stage for nothing.
    pub(super) async fn end(self, done: Result<Done, LoadError>) -> Result<Loaded, LoadError> {
        let Self { workshop, attempt, decision, missed, position, load, publish_tried, others_left, .. } =
            self;
        let target = &attempt.spec.target;
        let published = matches!(&done, Ok(Done { published: Some(_), .. }));
        if published {
            let schema = (decision.schema_hash.as_str(), &decision.schema);
            tidy::after_publish(workshop, target, schema, &load).await;
        } else if !(publish_tried.into_inner() && done.is_err() && may_be_published(workshop, &load).await) {
            tidy::remove_load(workshop, target, &load).await;
        }
        let Done { manifest, published, checks } = done?;
        let is_whole = decision.is_whole();
        let rebuilt = published.is_some().then(|| decision.went(manifest.rows())).flatten();
        // What was known at the last load is told by `plan`, not each time.
        let is_news = decision.last.is_none() || !decision.changes.is_empty();
        let mut warnings = if is_news { decision.notes } else { Vec::new() };
        warnings.extend(decision.news);
        warnings.extend(rebuilt);
        let published_before = decision.last.as_ref().map(|last| last.table_rows);
        warnings.extend(others_left.get().zip(published_before).map(|(left, before)| {
            format!("the table had {left} rows where {before} were published: somebody else changed it")
        }));
        warnings.extend(manifest.unfit.iter().map(ToString::to_string));
        if attempt.chunk.is_none() {
            warnings.extend(decision.state.awaited(target));
        }
        warnings.extend(missed.warning(attempt.chunk.is_some()));
        warnings.extend(check::warnings(&checks));
        warnings.extend(published.iter().flat_map(|published| published.warnings.iter().cloned()));
        // The load that the table shows: where nothing was published, the last one.
        let shown = decision.last.filter(|_| published.is_none()).map(|last| last.load);
        Ok(Loaded {
            load: shown.unwrap_or(load),
            reason: match published {
                Some(_) => decision.reason,
                None => "the same as what is published".to_owned(),
            },
            published: published.as_ref().map(|published| published.kind),
            rows: match published.as_ref().and_then(|published| published.written) {
                Some(written) if !is_whole => written.inserted + written.updated,
                None if !is_whole => 0,
                _ => manifest.rows(),
            },
            late_rows: published.as_ref().and_then(|published| published.written).map(|written| written.late),
            deleted_rows: published
                .as_ref()
                .and_then(|published| published.written)
                .map(|written| written.deleted),
            kept_rows: missed.kept,
            read_rows: manifest.rows(),
            watermark: decision.watermark,
            schema_hash: decision.schema_hash,
            schema_changes: decision.changes,
            bytes: manifest.bytes(),
            as_of: position.as_of,
            snapshot: position.snapshot,
            lag_seconds: position.lag_seconds,
            checks,
            warnings,
        })
    }
}

/// Whether a load that ended in an error may be published all the same: the answer to its COMMIT was
/// lost, and the ledger could not be asked. What it staged stays then, until the next run knows.
async fn may_be_published(workshop: &Workshop, load: &str) -> bool {
    workshop.warehouse.is_published(load).await.unwrap_or(true)
}

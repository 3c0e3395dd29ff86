//! A backfill: chunk after chunk, each under the table's lock for itself, so that loads can go between
//! them.

mod chunks;
mod plan;
mod prepare;
mod told;

use std::{collections::BTreeSet, num::NonZeroU64, sync::Arc};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::plan::{PlannedBackfill, plan_backfill};
use super::{Mode, RunError, open::open, verdict};
use crate::{
    clock::{self, Clock},
    config::{Environment, LoadSpec, Project},
    control::{Backfill, BackfillChunk},
    event::{BackfillOutcome, Event, RunOutcome},
    load::{LoadError, Pace, Wish, Workshop},
};

/// What a backfill is asked to do.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// The table.
    pub table: String,
    /// Where to write.
    pub mode: Mode,
    /// Which rows.
    pub begin: Begin,
    /// How many parts of a chunk are read at once.
    pub parts: usize,
    /// How fast rows are read at most.
    pub rows_per_second: Option<NonZeroU64>,
}

/// Whether a backfill is a new one.
#[derive(Debug, Clone)]
pub enum Begin {
    /// It is; an unfinished one of the table is an error.
    Anew(Wish),
    /// It is; an unfinished one of the table is given up.
    Restart(Wish),
    /// The table's unfinished one goes on.
    Resume,
}

/// Does what is asked for. `Err` means that nothing was started, `Ok(None)` that it was stopped before.
pub async fn backfill(
    project: &Project,
    environment: &Environment,
    request: &BackfillRequest,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Option<BackfillOutcome>, RunError> {
    let (started_at, begun, run) = (clock::System.now(), Instant::now(), clock::new_id());
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(None),
        opened = open(project, environment, request.mode, &run, events.clone(), cancel.clone()) => opened?,
    };
    let control = opened.workshop.control.clone();
    let prepared = tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(None),
        prepared = prepare::prepare(project, request, &opened) => prepared.map(Some),
    };
    let outcome = match prepared {
        Ok(Some((mut backfilling, guard))) => {
            let (task, outcome) = backfilling.run(begun).await;
            drop(guard);
            let run = RunOutcome {
                status: verdict::status(std::slice::from_ref(&task), true, cancel.is_cancelled()),
                run,
                mode: request.mode.to_string(),
                started_at,
                seconds: begun.elapsed().as_secs_f64(),
                tasks: vec![task],
                warnings: Vec::new(),
                deadlines: Vec::new(),
            };
            if let Err(error) = control.finish_run(&run).await {
                tracing::warn!(%error, "the run's end was not written to the control database");
            }
            let _ = events.send(Event::RunFinished(Box::new(run))).await;
            Ok(Some(outcome))
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    if let Err(error) = control.close().await {
        tracing::warn!(%error, "the session with the control database was not closed; it ends by itself");
    }
    outcome
}

fn below(error: LoadError) -> RunError {
    RunError::Below(Box::new(error))
}

/// A backfill under way.
struct Backfilling {
    workshop: Arc<Workshop>,
    spec: LoadSpec,
    task: String,
    backfill: Backfill,
    chunks: Vec<BackfillChunk>,
    parts: usize,
    pace: Option<Arc<Pace>>,
    /// Rows that this process has read, and written, and their bytes in the stage.
    read: u64,
    written: u64,
    bytes: u64,
    warnings: BTreeSet<String>,
}

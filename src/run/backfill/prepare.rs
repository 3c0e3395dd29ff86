//! Everything before the first chunk: which backfill it is, and that nobody else is at it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    super::{RunError, open::Opened, start, tasks},
    BackfillRequest, Backfilling, Begin, below,
};
use crate::{
    clock,
    config::{LoadSpec, Project},
    control::{Backfill, BackfillChunk, Holder, Lease},
    event::Tier,
    load::{BackfillError, LoadError, Pace, Workshop, plan_backfill, refuse_if_changed},
};

/// Everything before the first chunk. The lease keeps other backfills of the table away.
pub(super) async fn prepare(
    project: &Project,
    request: &BackfillRequest,
    opened: &Opened,
) -> Result<(Backfilling, Lease), RunError> {
    let workshop = opened.workshop.clone();
    workshop.warehouse.prepare().await.map_err(RunError::Below)?;
    let reached = (&workshop.sources, &opened.schemas);
    let spec = tasks::only(project, reached, &*workshop.warehouse, &request.table).await?;
    let task = spec.target.to_string();
    refuse_if_held(&workshop, &spec).await.map_err(below)?;
    let guard = alone(&workshop, &spec).await.map_err(below)?;
    let (backfill, chunks, is_new) = journal(&workshop, &spec, &request.begin).await.map_err(below)?;
    let selection = format!("backfill {task}");
    workshop.control.start_run(&start(request.mode, selection, &workshop.run)).await?;
    // A leftover that cannot be taken away now is no reason to wait.
    if let Err(error) = crate::load::tidy(&workshop).await {
        tracing::warn!(%error, "what earlier crashes left was not all taken away");
    }
    if is_new {
        workshop.control.start_backfill(&workshop.run, &backfill, &chunks).await?;
    }
    let pace = request.rows_per_second.map(|rows| Arc::new(Pace::new(rows)));
    let (parts, warnings) = (request.parts, BTreeSet::new());
    Ok((
        Backfilling {
            workshop,
            spec,
            task,
            backfill,
            chunks,
            parts,
            pace,
            read: 0,
            written: 0,
            bytes: 0,
            warnings,
        },
        guard,
    ))
}

async fn alone(workshop: &Workshop, spec: &LoadSpec) -> Result<Lease, LoadError> {
    let name = format!("backfill/{}", spec.target);
    let holder = Holder { run: workshop.run.clone(), what: format!("backfill {}", spec.target) };
    if let Some(lease) = workshop.control.acquire(&name, &holder, Duration::ZERO).await? {
        return Ok(lease);
    }
    Err(match workshop.control.who_holds(&name).await? {
        Some(held) => BackfillError::UnderWay {
            table: spec.target.clone(),
            run: held.run,
            host: held.host,
            pid: held.pid,
        }
        .into(),
        None => BackfillError::Locked { table: spec.target.clone(), waited_seconds: 0 }.into(),
    })
}

/// Whether a person wants the table to keep its data.
pub(super) async fn refuse_if_held(workshop: &Workshop, spec: &LoadSpec) -> Result<(), LoadError> {
    let task = spec.target.to_string();
    match workshop.control.holds().await?.into_iter().find(|hold| hold.task == task) {
        Some(hold) => {
            Err(BackfillError::OnHold { table: spec.target.clone(), hold: hold.to_string() }.into())
        }
        None => Ok(()),
    }
}

/// The backfill that is to be done, and whether it is a new one.
async fn journal(
    workshop: &Workshop,
    spec: &LoadSpec,
    begin: &Begin,
) -> Result<(Backfill, Vec<BackfillChunk>, bool), LoadError> {
    let table = || spec.target.clone();
    let unfinished = workshop.control.unfinished_backfill(&spec.target.to_string()).await?;
    let wish = match (begin, &unfinished) {
        (Begin::Resume, None) => return Err(BackfillError::NoneToResume { table: table() }.into()),
        (Begin::Anew(_), Some((_, chunks))) => {
            let done = chunks.iter().filter(|chunk| chunk.done.is_some()).count();
            return Err(BackfillError::Unfinished { table: table(), done, chunks: chunks.len() }.into());
        }
        (Begin::Resume, Some(_)) => None,
        (Begin::Anew(wish) | Begin::Restart(wish), _) => Some(wish),
    };
    let Some(wish) = wish else {
        let last = workshop.warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?;
        let Some((backfill, chunks)) = unfinished else {
            return Err(BackfillError::NoneToResume { table: table() }.into());
        };
        refuse_if_changed(spec, last.as_ref(), (&backfill.base, &backfill.definition))?;
        return Ok((backfill, chunks, false));
    };
    let snapshots = workshop.sources.get(&spec.source);
    let snapshots =
        snapshots.ok_or_else(|| LoadError::NoSource { table: table(), source_name: spec.source.clone() })?;
    let snapshot = snapshots.get(Tier::Optional).await.map_err(LoadError::Source)?;
    let plan = plan_backfill(&workshop.project, spec, wish, &*snapshot, &*workshop.warehouse).await;
    // The table's lock is waited for next, perhaps for long: who has it may want these connections.
    drop(snapshot);
    snapshots.give_up(None).await;
    let plan = plan?;
    if let Some((before, _)) = &unfinished {
        workshop.control.finish_backfill(&before.id, "given_up").await?;
    }
    let backfill = Backfill {
        id: clock::new_id(),
        task: spec.target.to_string(),
        definition: plan.last.state.definition.clone(),
        base: plan.last.state.base.clone(),
        wanted: plan.wanted,
    };
    let chunks = (1..).zip(plan.slices).map(|(number, slice)| BackfillChunk {
        number,
        range: slice.range,
        expected: slice.rows,
        load: None,
        done: None,
    });
    Ok((backfill, chunks.collect(), true))
}

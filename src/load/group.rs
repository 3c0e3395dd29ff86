//! Tables that must match each other: all of them are extracted from one snapshot before any of
//! them is published.

use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::{
    Attempt, LoadError, Loaded, Workshop, attempt,
    connections::{Connections, Held, hold},
};
use crate::source::Snapshot;

/// Makes one attempt at a group of tables of one source. The answers are in the order of `attempts`.
///
/// If one member cannot be extracted, none is published: that one answers with its error, the others
/// with [`LoadError::GroupMember`]. Publishing them is one transaction a table; if one of these
/// fails, it alone is behind the others until its next attempt, and says so.
pub async fn load_group(workshop: &Workshop, attempts: &[Attempt]) -> Vec<Result<Loaded, LoadError>> {
    let Some(first) = attempts.first() else { return Vec::new() };
    let Held { snapshot, connections } = match hold(workshop, attempts).await {
        Ok(held) => held,
        Err(error) => return fail_together(attempts, 0, error),
    };
    let id = snapshot.position().snapshot.clone();
    let outcomes = in_snapshot(workshop, attempts, snapshot, &connections).await;
    let gone = outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(LoadError::is_of_snapshot));
    if gone && let Ok(snapshots) = attempt::snapshots(workshop, first) {
        snapshots.give_up(Some(&id)).await;
    }
    outcomes
}

/// The same in a given snapshot, by so many connections.
pub(super) async fn in_snapshot(
    workshop: &Workshop,
    attempts: &[Attempt],
    snapshot: Arc<dyn Snapshot>,
    connections: &Connections,
) -> Vec<Result<Loaded, LoadError>> {
    let attempts: Vec<Attempt> =
        attempts.iter().map(|attempt| attempt.filled_by(workshop, connections)).collect();
    let mut extracted = Vec::with_capacity(attempts.len());
    let mut failure = None;
    for (place, attempt) in attempts.iter().enumerate() {
        let begun = match attempt::Begun::new(workshop, attempt, &*snapshot).await {
            Ok(begun) => begun,
            Err(error) => {
                failure = Some((place, error));
                break;
            }
        };
        match begun.extract(snapshot.clone()).await {
            Ok(manifest) => extracted.push((begun, manifest)),
            Err(error) => {
                let error = begun.end(Err(error)).await.err().unwrap_or(LoadError::Cancelled);
                failure = Some((place, error));
                break;
            }
        }
    }
    drop(snapshot);
    if let Some((place, error)) = failure {
        for (begun, _) in extracted {
            // Takes the staged parts away; the answer is made below.
            let _ = begun.end(Err(LoadError::Cancelled)).await;
        }
        return fail_together(&attempts, place, error);
    }
    let widest = attempts.iter().map(|attempt| attempt.fill_jobs(workshop)).max().unwrap_or(1);
    let at_once = (connections.count() / widest).max(1) as usize;
    let publishing = extracted.into_iter().map(|(begun, manifest)| async move {
        let done = begun.publish_staged(manifest).await;
        begun.end(done).await
    });
    let publishing: Vec<_> = publishing.map(Box::pin).collect();
    stream::iter(publishing).buffered(at_once).collect().await
}

/// No attempt at any of them: the `failed` one says why, the others that they were to be done with it.
pub(super) fn fail_together<T>(
    attempts: &[Attempt],
    failed: usize,
    error: LoadError,
) -> Vec<Result<T, LoadError>> {
    let Some(other) = attempts.get(failed).map(|attempt| attempt.spec.target.clone()) else {
        return Vec::new();
    };
    let cancelled = matches!(error, LoadError::Cancelled);
    let mut error = Some(error);
    let answer = |(place, attempt): (usize, &Attempt)| {
        if place == failed
            && let Some(error) = error.take()
        {
            return Err(error);
        }
        if cancelled {
            return Err(LoadError::Cancelled);
        }
        Err(LoadError::GroupMember { table: attempt.spec.target.clone(), other: other.clone() })
    };
    attempts.iter().enumerate().map(answer).collect()
}

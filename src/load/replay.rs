//! Rows made again of what a service answered, without asking it; and failed requests, sent again.
//!
//! Both can be done as often as one likes: rows are known by their keys.

use std::collections::BTreeSet;

use super::{
    Attempt, LoadError, Loaded, Workshop,
    attempt::{in_snapshot, snapshots},
    chain::chain,
    connections::hold_connections,
    restore::named,
    service::{self, collect_queries},
    work,
};
use crate::{
    clock::{Clock, System},
    fingerprint,
    source::http::{
        Asked, Service, Span,
        collect::{CollectionManifest, Query, Question},
    },
    stage::{
        CollectionPrefix,
        manifest::{CollectionRef, Manifest},
    },
    warehouse::{LedgerRow, Lineage},
};

/// How many failed requests are sent again at once; the next replay sends the others.
const REQUESTS_MAX: u32 = 10_000;

/// Makes the table anew of the answers that a load, and those that it stands on, were made of, with the columns that
/// its row has now. `load`: its id or the beginning of it; `None`: the last one.
pub async fn replay(workshop: &Workshop, attempt: &Attempt, load: Option<&str>) -> Result<Loaded, LoadError> {
    let snapshots = snapshots(workshop, attempt)?;
    let service = snapshots.source().service().ok_or_else(|| no_service(attempt))?;
    let table = service.table(&attempt.spec.source_table).map_err(service::boxed)?;
    let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
    let collections = collections(workshop, attempt, &table.asked, load).await?;
    let snapshot = service.collected(table, &workshop.stage, collections);
    let attempt = Attempt { full: true, ..attempt.filled_by(workshop, &connections) };
    let mut loaded = in_snapshot(workshop, &attempt, snapshot.clone()).await?;
    loaded.warnings.extend(service::in_words(&snapshot.left_out()));
    Ok(loaded)
}

fn no_service(attempt: &Attempt) -> LoadError {
    LoadError::NotOfService { table: attempt.spec.target.clone() }
}

/// The collections that a load shows, the oldest first.
async fn collections(
    workshop: &Workshop,
    attempt: &Attempt,
    asked: &Asked,
    load: Option<&str>,
) -> Result<Vec<(CollectionPrefix, CollectionManifest)>, LoadError> {
    let target = &attempt.spec.target;
    let rows = workshop.warehouse.loads(target).await.map_err(LoadError::Warehouse)?;
    let wanted = match (load, rows.first()) {
        (Some(load), _) => named(target, &rows, load)?,
        (None, Some(last)) => last,
        (None, None) => return Err(LoadError::Gone { table: target.clone() }),
    };
    let lineage: Vec<Lineage> = rows.iter().map(LedgerRow::lineage).collect();
    let mut all: Vec<CollectionRef> = Vec::new();
    for load in chain(&lineage, &wanted.load) {
        let missing = |what: String| LoadError::NotInStage {
            table: target.clone(),
            load: wanted.load.clone(),
            missing: vec![what],
        };
        let row = rows.iter().find(|row| row.load == load);
        let key = row.and_then(|row| row.manifest.as_ref()).ok_or_else(|| missing(format!("load {load}")))?;
        let sha256 = row.and_then(|row| row.state.manifest_sha256.as_deref());
        let manifest = Manifest::read(&*workshop.stage, key, sha256).await?;
        // A loop begins with an empty table.
        if manifest.collections.is_empty() && manifest.rows() == 0 {
            continue;
        }
        if manifest.collections.is_empty() {
            return Err(missing(format!("the answers of load {load}")));
        }
        // One that was made again names those of before too.
        for collection in manifest.collections {
            all.retain(|other| other.id != collection.id);
            all.push(collection);
        }
    }
    let mut collections = Vec::with_capacity(all.len());
    for CollectionRef { id, sha256 } in all {
        let prefix = CollectionPrefix::new(&workshop.project, &workshop.mode, target, &id);
        let manifest = CollectionManifest::read(&*workshop.stage, &prefix, &sha256).await?;
        let question = Question::read(&*workshop.stage, &prefix).await?;
        if let Some((then, now)) = question.and_then(|question| asked.differs(&question)) {
            let (table, load) = (target.clone(), wanted.load.clone());
            return Err(LoadError::AskedOtherwise { table, load, then, now });
        }
        collections.push((prefix, manifest));
    }
    Ok(collections)
}

/// Sends a table's failed requests again, and merges the rows that they bring.
pub async fn ask_again(workshop: &Workshop, attempt: &Attempt) -> Result<Loaded, LoadError> {
    let snapshots = snapshots(workshop, attempt)?;
    let service = snapshots.source().service().ok_or_else(|| no_service(attempt))?;
    let table = service.table(&attempt.spec.source_table).map_err(service::boxed)?;
    attempt.beginning.now();
    let task = attempt.spec.target.to_string();
    let failed = workshop.control.failed_requests(&task, REQUESTS_MAX).await?;
    let (mut ids, mut queries) = (Vec::new(), Vec::new());
    for (request, _) in failed {
        // What an older binary wrote and this one does not understand stays where it is.
        let Ok(query) = serde_json::from_value::<Query>(request.request) else { continue };
        ids.push(request.id);
        // As the row asks now: that may be what was mended.
        queries.push(table.asked.query(query.given.clone()).unwrap_or(query));
    }
    if queries.is_empty() {
        let last = workshop.warehouse.last_load(&attempt.spec.target).await.map_err(LoadError::Warehouse)?;
        let last = last.ok_or_else(|| LoadError::Gone { table: attempt.spec.target.clone() })?;
        return Ok(Loaded { reason: "no request has failed".to_owned(), ..work::nothing(last) });
    }
    let (loaded, failed) = mended(workshop, attempt, service, (&ids, queries)).await?;
    // What failed again is still to be sent.
    let answered = (0..).zip(ids).filter(|(number, _)| !failed.contains(number));
    let answered: Vec<String> = answered.map(|(_, id)| id).collect();
    workshop.control.end_failed(&answered, Some(&loaded.load)).await?;
    Ok(loaded)
}

async fn mended(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    (ids, queries): (&[String], Vec<Query>),
) -> Result<(Loaded, BTreeSet<u64>), LoadError> {
    let now = System.now();
    // Which rows they bring is known by the queries themselves.
    let span = Span { since: Some(String::new()), until: None, now };
    // With a request that was mended it is another collection.
    let asked = queries.iter().map(|query| serde_json::to_string(query).unwrap_or_default());
    let asked = fingerprint::of(ids.iter().cloned().chain(asked));
    let collected = collect_queries(workshop, attempt, service, (asked, span, queries)).await?;
    let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
    let attempt = Attempt { mends: true, ..attempt.filled_by(workshop, &connections) };
    let loaded = in_snapshot(workshop, &attempt, collected.snapshot.clone()).await;
    collected.end(workshop, loaded.as_ref().err()).await;
    let mut loaded = loaded?;
    let left = collected.snapshot.left_out();
    loaded.warnings.extend(service::in_words(&left));
    Ok((loaded, left.requests.iter().map(|request| request.query).collect()))
}

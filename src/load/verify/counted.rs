//! Whether a published table has as many rows as its service: the service is asked for all of them, and they are
//! counted. Its rows cannot be compared one by one, as those of a database are.

use super::{Verified, Verify, keeps_deleted};
use crate::{
    clock::{Clock, System},
    event::{DifferingKeys, Verification},
    load::{
        Attempt, LoadError, Workshop,
        connections::names,
        marks,
        service::{self, collect},
    },
    source::http::{Service, Span},
};

/// What is told of each such table.
const COUNTED: &str = "rows of a service are counted, and not compared one by one";

/// Verifies tables of one service, one after the other.
pub(super) async fn verify(
    workshop: &Workshop,
    attempts: &[Attempt],
    how: Verify,
    service: &Service,
) -> Vec<Result<Verified, LoadError>> {
    let mut answers = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        answers.push(one(workshop, attempt, how, service).await);
    }
    answers
}

async fn one(
    workshop: &Workshop,
    attempt: &Attempt,
    how: Verify,
    service: &Service,
) -> Result<Verified, LoadError> {
    let mut loaded = match how.as_is {
        true => None,
        false => Some(service::load(workshop, attempt, service).await?),
    };
    if attempt.work.is_some() {
        // The service would be asked about each row of work again.
        return Ok(Verified { loaded, verification: None });
    }
    let spec = &attempt.spec;
    if workshop.warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?.is_none() {
        return Ok(Verified { loaded, verification: None });
    }
    let mut found = counted(workshop, attempt, how, service).await?;
    let is_mended = how.repair && !how.as_is && !found.equal;
    if is_mended {
        let whole = Attempt { full: true, ..attempt.clone() };
        let before_repair = Some(super::in_words(&found));
        loaded = Some(service::load(workshop, &whole, service).await?);
        found = Verification { before_repair, ..counted(workshop, attempt, how, service).await? };
    }
    Ok(Verified { loaded, verification: Some(found) })
}

/// Asks for all rows, and counts them on both sides.
async fn counted(
    workshop: &Workshop,
    attempt: &Attempt,
    how: Verify,
    service: &Service,
) -> Result<Verification, LoadError> {
    let spec = &attempt.spec;
    let span = Span { since: None, until: None, now: System.now() };
    let collected = collect(workshop, attempt, service, span).await?;
    let rows = collected.snapshot.rows(&spec.source_table).await.map_err(LoadError::Source);
    collected.end(workshop, rows.as_ref().err()).await;
    let source_rows = rows?.unwrap_or_default();
    let connection = workshop.connections(&names(std::slice::from_ref(attempt)), 1, attempt.tier).await?;
    let live = workshop.warehouse.live(&spec.target).await.map_err(LoadError::Warehouse)?;
    if live.is_none() {
        return Err(LoadError::Gone { table: spec.target.clone() });
    }
    let mark = marks::there(spec, live.as_ref());
    let reached = workshop.warehouse.reach(&spec.target, mark, None).await;
    let (warehouse_rows, _) = reached.map_err(LoadError::Warehouse)?;
    drop(connection);
    let (missing, extra) =
        (source_rows.saturating_sub(warehouse_rows), warehouse_rows.saturating_sub(source_rows));
    let kept = if keeps_deleted(spec) { extra } else { 0 };
    Ok(Verification {
        equal: missing == 0 && extra == kept,
        compared_with: collected.snapshot.position().as_of,
        as_is: how.as_is,
        source_rows,
        warehouse_rows,
        missing,
        extra,
        kept,
        different: 0,
        doubled: 0,
        repeated: 0,
        newer: 0,
        columns: std::collections::BTreeMap::default(),
        not_compared: Vec::new(),
        not_comparable: vec![COUNTED.to_owned()],
        before_repair: None,
        keys: DifferingKeys { missing: Vec::new(), extra: Vec::new(), different: Vec::new() },
    })
}

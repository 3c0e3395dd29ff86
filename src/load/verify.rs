//! Whether a published table holds what its source does: compared row by row, in one snapshot.

mod counted;

use std::sync::Arc;

use super::{
    Attempt, LoadError, Loaded, Looks, Repair, Workshop, attempt,
    compare::{Comparison, compare},
    compared::{Compared, compared},
    connections::{Connections, Held, hold},
    decide::refuse_if_behind,
    group,
    missed::KEYS_MAX,
};
use crate::{
    compare::{Detail, Differences, Key},
    config::{Deletes, LoadSpec, Strategy},
    event::{DifferingKeys, Event, KeyValues, Step, Verification},
    fail_point,
    source::Snapshot,
    warehouse::LedgerRow,
};

/// How to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    /// Compare the table as it is, instead of bringing it up to the source's snapshot first.
    pub as_is: bool,
    /// Mend what differs, and compare again.
    pub repair: bool,
    /// How many keys of each kind of difference are kept.
    pub keys: usize,
}

/// What came of an attempt to verify.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The load that brought the table up to the snapshot; `None` where it was compared as it is.
    pub loaded: Option<Loaded>,
    /// What the comparison found; `None` where nothing is published that could be compared.
    pub verification: Option<Verification>,
}

/// Verifies tables of one source, all in one snapshot: first each of them is brought up to it by its own
/// strategy, then compared. The answers are in the order of `attempts`; an error means that a table could
/// not be compared.
pub async fn verify(
    workshop: &Workshop,
    attempts: &[Attempt],
    how: Verify,
) -> Vec<Result<Verified, LoadError>> {
    let Some(first) = attempts.first() else { return Vec::new() };
    if let Ok(snapshots) = attempt::snapshots(workshop, first)
        && let Some(service) = snapshots.source().service()
    {
        return counted::verify(workshop, attempts, how, service).await;
    }
    let Held { snapshot, connections } = match hold(workshop, attempts).await {
        Ok(held) => held,
        Err(error) => return group::fail_together(attempts, 0, error),
    };
    let compared =
        |attempt: &Attempt| Attempt { compared: true, ..attempt.filled_by(workshop, &connections) };
    let attempts: Vec<Attempt> = attempts.iter().map(compared).collect();
    let mut answers = Vec::with_capacity(attempts.len());
    for (attempt, loaded) in
        attempts.iter().zip(bring_up(workshop, &attempts, how, &snapshot, &connections).await)
    {
        let answer = match loaded {
            Ok(loaded) => one(workshop, attempt, how, &snapshot, loaded).await,
            Err(error) => Err(error),
        };
        answers.push(answer);
    }
    if answers.iter().any(|answer| answer.as_ref().is_err_and(LoadError::is_of_snapshot))
        && let Ok(snapshots) = attempt::snapshots(workshop, first)
    {
        snapshots.give_up(Some(&snapshot.position().snapshot)).await;
    }
    answers
}

async fn bring_up(
    workshop: &Workshop,
    attempts: &[Attempt],
    how: Verify,
    snapshot: &Arc<dyn Snapshot>,
    connections: &Connections,
) -> Vec<Result<Option<Loaded>, LoadError>> {
    let loaded = match attempts {
        _ if how.as_is => return attempts.iter().map(|_| Ok(None)).collect(),
        [attempt] => vec![attempt::in_snapshot(workshop, attempt, snapshot.clone()).await],
        attempts => group::in_snapshot(workshop, attempts, snapshot.clone(), connections).await,
    };
    loaded.into_iter().map(|loaded| loaded.map(Some)).collect()
}

async fn one(
    workshop: &Workshop,
    attempt: &Attempt,
    how: Verify,
    snapshot: &Arc<dyn Snapshot>,
    loaded: Option<Loaded>,
) -> Result<Verified, LoadError> {
    let verifying = Verifying { workshop, attempt, how, snapshot };
    workshop.unless_cancelled(verifying.run(loaded)).await?
}

/// In what a table differs, and whether its rows can be named.
struct Differing {
    differences: Differences,
    has_key: bool,
}

/// One table that is being verified.
struct Verifying<'a> {
    workshop: &'a Workshop,
    attempt: &'a Attempt,
    how: Verify,
    snapshot: &'a Arc<dyn Snapshot>,
}

impl Verifying<'_> {
    async fn run(&self, loaded: Option<Loaded>) -> Result<Verified, LoadError> {
        let spec = &self.attempt.spec;
        let last = self.workshop.warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?;
        let Some(last) = last else { return Ok(Verified { loaded, verification: None }) };
        refuse_if_behind(spec, Some(&last), self.snapshot.position())?;
        let (found, differing) = self.compare(&last).await?;
        let is_hopeless = found.is_stuck() && found.missing + found.different == 0;
        if found.equal || !self.how.repair || self.how.as_is || is_hopeless {
            return Ok(Verified { loaded, verification: Some(found) });
        }
        fail_point!("verify.repair.before");
        let loaded = self.repair(&found, &differing).await?;
        fail_point!("verify.repair.after");
        // Rows that stay are not repaired.
        let mended = Verification { extra: found.extra - found.kept, kept: 0, ..found };
        let before_repair = Some(in_words(&mended));
        let (found, _) = self.compare(&last).await?;
        Ok(Verified { loaded: Some(loaded), verification: Some(Verification { before_repair, ..found }) })
    }

    /// Makes the table's rows those of the snapshot again: just those that differ, by their keys; the
    /// whole table where rows have no key or more of them differ than are worth it.
    async fn repair(&self, found: &Verification, differing: &Differing) -> Result<Loaded, LoadError> {
        let Differing { differences, has_key } = differing;
        let mut mend = differences.missing_keys.clone();
        mend.extend_from_slice(&differences.different_keys);
        let (gone, extra) = match keeps_deleted(&self.attempt.spec) {
            true => (Vec::new(), 0),
            false => (differences.extra_keys.clone(), found.extra),
        };
        let repair = Repair { mend, gone, counted: found.warehouse_rows };
        let all = found.missing + found.different + extra;
        let is_listed = (repair.mend.len() + repair.gone.len()) as u64 == all && found.doubled == 0;
        let by_keys = *has_key && found.not_compared.is_empty() && (is_listed || found.is_stuck());
        let attempt = match by_keys {
            true => Attempt { repair: Some(Arc::new(repair)), ..self.attempt.clone() },
            false => Attempt { full: true, ..self.attempt.clone() },
        };
        attempt::in_snapshot(self.workshop, &attempt, self.snapshot.clone()).await
    }

    async fn compare(&self, last: &LedgerRow) -> Result<(Verification, Differing), LoadError> {
        let _ = self.workshop.events.try_send(Event::TaskProgress {
            task: self.attempt.spec.target.to_string(),
            step: Step::Comparing,
            rows: 0,
            bytes: 0,
        });
        let spec = &self.attempt.spec;
        let warehouse = &*self.workshop.warehouse;
        let Compared { schema, shape, live, not_compared, not_comparable } =
            compared(spec, &**self.snapshot, warehouse).await?;
        let mut looks = Looks::rows(spec, &shape, Some(&live));
        if self.how.as_is {
            looks.source.newer = super::compared::newer(spec, &schema, last);
        }
        let limit = if self.how.repair { KEYS_MAX } else { self.how.keys };
        let found = compare(&**self.snapshot, warehouse, &looks, Detail::Columns, limit).await?;
        let columns = shape.columns.iter().filter(|column| !shape.key.contains(&column.name));
        let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
        let verification =
            Verification { not_comparable, ..self.verification(&found, &columns, not_compared) };
        Ok((verification, Differing { differences: found.differences, has_key: !shape.key.is_empty() }))
    }

    /// Whether nothing differs but rows that the loader keeps on purpose.
    fn is_good(&self, differences: &Differences) -> bool {
        let is_kept = differences.extra == 0 || keeps_deleted(&self.attempt.spec);
        // A row that is there twice is none that is gone from the source.
        differences.missing == 0 && differences.different == 0 && is_kept && differences.repeated == 0
    }

    /// The keys that are shown.
    fn values(&self, keys: &[Key]) -> Vec<KeyValues> {
        keys.iter().take(self.how.keys).map(Key::values).collect()
    }

    fn verification(&self, found: &Comparison, columns: &[&str], not_compared: Vec<String>) -> Verification {
        let differences = &found.differences;
        let differing = columns.iter().zip(&differences.differing).filter(|(_, rows)| **rows > 0);
        Verification {
            equal: self.is_good(differences) && not_compared.is_empty(),
            compared_with: self.snapshot.position().as_of,
            as_is: self.how.as_is,
            source_rows: found.source_rows,
            warehouse_rows: found.warehouse_rows,
            missing: differences.missing,
            extra: differences.extra,
            kept: match keeps_deleted(&self.attempt.spec) {
                true => differences.extra - differences.repeated,
                false => 0,
            },
            different: differences.different,
            doubled: differences.doubled,
            repeated: differences.repeated,
            newer: differences.newer,
            columns: differing.map(|(column, rows)| ((*column).to_owned(), *rows)).collect(),
            not_compared,
            not_comparable: Vec::new(),
            before_repair: None,
            keys: DifferingKeys {
                missing: self.values(&differences.missing_keys),
                extra: self.values(&differences.extra_keys),
                different: self.values(&differences.different_keys),
            },
        }
    }
}

/// Whether rows stay that are gone from the source.
pub(super) fn keeps_deleted(spec: &LoadSpec) -> bool {
    spec.strategy != Strategy::Full && spec.deletes == Deletes::Ignore
}

/// What was found, in words: `2 rows are missing, 1 differs in fee`.
pub fn in_words(found: &Verification) -> String {
    let mut words = Vec::new();
    let only_there = if found.kept > 0 { "only in the warehouse, and kept" } else { "only in the warehouse" };
    let (more, missing) =
        ("more in the warehouse, of keys that the source has", "missing from the warehouse");
    let extra = found.extra.saturating_sub(found.repeated);
    for (rows, what) in [(found.missing, missing), (extra, only_there), (found.repeated, more)] {
        match rows {
            0 => {}
            1 => words.push(format!("1 row is {what}")),
            rows => words.push(format!("{rows} rows are {what}")),
        }
    }
    let columns: Vec<&str> = found.columns.keys().map(String::as_str).collect();
    let columns = if columns.is_empty() { String::new() } else { format!(" in {}", columns.join(", ")) };
    match found.different {
        0 => {}
        1 => words.push(format!("1 row differs{columns}")),
        rows => words.push(format!("{rows} rows differ{columns}")),
    }
    words.extend(found.not_compared.iter().cloned());
    if words.is_empty() { "equal".to_owned() } else { words.join("; ") }
}

//! Work that a query of the warehouse gives: one request a row, its rows merged, and then the next batch.
//!
//! A round reads so many rows of work as it asks about at once, asks, and publishes what came: whatever ends a run,
//! what it has done is done. A row is asked about once in a run. Work that comes again although its answer was
//! published would never end: that is an error. A row whose request fails for good is kept, and one of which no request can be
//! made is told; neither holds another one up.

use std::collections::{BTreeMap, HashSet};

use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    Attempt, LoadError, Loaded, Workshop,
    attempt::in_snapshot,
    connections::{hold_connections, names},
    service::{boxed, collect_queries, in_words},
};
use crate::{
    clock::{Clock, System},
    config::http::HttpWork,
    fingerprint, quantity,
    source::http::{Given, Service, ServiceTable, Span, collect::Query},
    sql::quote_ident,
    warehouse::{LedgerRow, Select},
};

/// How many rows of work one round asks about at most.
const ROWS_A_ROUND: usize = 1_000;

/// Does the work of a table, round by round.
pub(super) async fn load(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    select: &Select,
) -> Result<Loaded, LoadError> {
    let spec = &attempt.spec;
    let Some(work) = spec.http.as_ref().and_then(|http| http.work.as_ref()) else {
        return Err(LoadError::NotOfService { table: spec.target.clone() });
    };
    let begun = Instant::now();
    let mut done = Done::of(workshop, attempt, service).await?;
    let question = Question::of(workshop, attempt, select).await?;
    let mut seen = HashSet::new();
    while done.rounds < rounds(work, spec.sample.is_some())
        && (done.rounds == 0 || begun.elapsed() < work.repeat_for)
    {
        let left = question.rows(workshop, attempt, seen.len()).await?;
        let count = left.len();
        let rows = left.into_iter().filter(|row| !seen.contains(&print(row)));
        let rows: Vec<Work> = rows.take(enough(attempt)).collect();
        if rows.is_empty() {
            match count > done.failed {
                true => return Err(LoadError::WorkStays { table: spec.target.clone(), rows: count }),
                false => break,
            }
        }
        seen.extend(rows.iter().map(print));
        let table = service.table(&spec.source_table).map_err(boxed)?;
        let (queries, unasked) = queries(table, rows)?;
        done.leave(&unasked);
        if queries.is_empty() {
            continue;
        }
        let asked = queries.len();
        let (loaded, failed) = Box::pin(round(workshop, attempt, service, queries)).await?;
        done.add(asked, loaded, failed);
    }
    Ok(done.loaded())
}

/// Rows of work of which no request can be made, and the first one's reason.
#[derive(Default)]
struct Unasked {
    rows: usize,
    why: String,
}

/// The queries of rows of work. A row of which none can be made holds no other one up.
fn queries(table: &ServiceTable, rows: Vec<Work>) -> Result<(Vec<Query>, Unasked), LoadError> {
    let (mut queries, mut unasked) = (Vec::new(), Unasked::default());
    for work in rows {
        match table.asked.query(Given { work, ..Given::default() }) {
            Ok(query) => queries.push(query),
            Err(error) => {
                let Some(why) = error.of_row() else { return Err(boxed(error.into())) };
                unasked.rows += 1;
                if unasked.rows == 1 {
                    unasked.why = why.to_string();
                }
            }
        }
    }
    Ok((queries, unasked))
}

/// How many rows of work one round asks about.
fn enough(attempt: &Attempt) -> usize {
    let sample = attempt.spec.sample.as_ref().and_then(|sample| usize::try_from(sample.rows).ok());
    sample.unwrap_or(ROWS_A_ROUND).min(ROWS_A_ROUND)
}

fn rounds(work: &HttpWork, is_sample: bool) -> u32 {
    if work.until_empty && !is_sample { work.rounds } else { 1 }
}

/// One row of work: its columns by their names.
type Work = BTreeMap<String, Option<String>>;

fn print(row: &Work) -> String {
    fingerprint::of(row.iter().flat_map(|(name, value)| {
        [name.as_str(), value.as_deref().unwrap_or_default(), if value.is_some() { "1" } else { "0" }]
    }))
}

/// The query.
struct Question {
    select: Select,
    columns: Vec<String>,
}

impl Question {
    async fn of(workshop: &Workshop, attempt: &Attempt, select: &Select) -> Result<Self, LoadError> {
        let connection = workshop.connections(&names(std::slice::from_ref(attempt)), 1, attempt.tier).await?;
        let columns = workshop.warehouse.describe(select).await.map_err(LoadError::Warehouse)?;
        drop(connection);
        let columns = columns.into_iter().map(|column| column.name).collect();
        Ok(Self { select: select.clone(), columns })
    }

    /// What is to be done, beyond so many rows that were asked about.
    async fn rows(
        &self,
        workshop: &Workshop,
        attempt: &Attempt,
        asked: usize,
    ) -> Result<Vec<Work>, LoadError> {
        let texts: Vec<String> =
            self.columns.iter().map(|column| format!("{}::varchar", quote_ident(column))).collect();
        let select = Select {
            // The line break ends a comment that the query may end in.
            sql: format!(
                "SELECT {} FROM ({}\n) work LIMIT {}",
                texts.join(", "),
                self.select.sql,
                ROWS_A_ROUND + asked
            ),
            ..self.select.clone()
        };
        let connection = workshop.connections(&names(std::slice::from_ref(attempt)), 1, attempt.tier).await?;
        let answers = workshop.warehouse.answers(&[select]).await.map_err(LoadError::Warehouse)?;
        drop(connection);
        let row = |row: Vec<Option<String>>| self.columns.iter().cloned().zip(row).collect();
        Ok(answers.into_iter().flatten().map(row).collect())
    }
}

/// One round: asks about rows of work, and publishes what came. How many requests failed for good.
async fn round(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    mut queries: Vec<Query>,
) -> Result<(Loaded, usize), LoadError> {
    let table = service.table(&attempt.spec.source_table).map_err(boxed)?;
    // Their order is the warehouse's affair: a round that was cut off is known by its rows.
    queries.sort_by(|one, other| one.given.work.cmp(&other.given.work));
    let prints: Vec<String> = queries.iter().map(|query| print(&query.given.work)).collect();
    let span = Span { since: None, until: None, now: System.now() };
    let asked = fingerprint::of(prints.iter().chain([&table.asked.fingerprint(&span)]));
    let collected = collect_queries(workshop, attempt, service, (asked, span, queries)).await?;
    let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
    let attempt = Attempt { mends: true, full: false, ..attempt.filled_by(workshop, &connections) };
    let loaded = in_snapshot(workshop, &attempt, collected.snapshot.clone()).instrument(of_load()).await;
    drop(connections);
    collected.end(workshop, loaded.as_ref().err()).await;
    let mut loaded = loaded?;
    let left = collected.snapshot.left_out();
    loaded.warnings.extend(in_words(&left));
    Ok((loaded, left.requests.len()))
}

/// Each round is a load, and a span keeps what it was told first.
fn of_load() -> tracing::Span {
    tracing::info_span!("round", load = tracing::field::Empty)
}

/// What has been done.
struct Done {
    /// The table's last load.
    loaded: Loaded,
    rounds: u32,
    rows: usize,
    /// Rows of work whose requests failed for good.
    failed: usize,
}

impl Done {
    /// Nothing yet. A table that is not there is published empty: `work` may read it.
    async fn of(workshop: &Workshop, attempt: &Attempt, service: &Service) -> Result<Self, LoadError> {
        let spec = &attempt.spec;
        let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
        let last = workshop.warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?;
        let live = workshop.warehouse.live(&spec.target).await.map_err(LoadError::Warehouse)?;
        let loaded = match (last, live) {
            // What an earlier attempt of this run has done is done.
            (Some(last), Some(_)) if !attempt.full || last.run == workshop.run => nothing(last),
            _ => {
                let table = service.table(&spec.source_table).map_err(boxed)?;
                let empty = service.collected(table, &workshop.stage, Vec::new());
                let attempt = Attempt { full: true, ..attempt.filled_by(workshop, &connections) };
                in_snapshot(workshop, &attempt, empty).instrument(of_load()).await?
            }
        };
        Ok(Self { loaded, rounds: 0, rows: 0, failed: 0 })
    }

    fn leave(&mut self, unasked: &Unasked) {
        if unasked.rows == 0 {
            return;
        }
        self.failed += unasked.rows;
        let rows = quantity::count(unasked.rows, "row");
        self.loaded.warnings.push(format!("{rows} of work cannot be asked about: {}", unasked.why));
    }

    fn add(&mut self, rows: usize, loaded: Loaded, failed: usize) {
        self.rounds += 1;
        self.rows += rows;
        self.failed += failed;
        let before = &mut self.loaded;
        let warnings = [std::mem::take(&mut before.warnings), loaded.warnings.clone()].concat();
        *before = Loaded {
            rows: before.rows + loaded.rows,
            read_rows: before.read_rows + loaded.read_rows,
            bytes: before.bytes + loaded.bytes,
            published: loaded.published.or(before.published),
            warnings,
            ..loaded
        };
    }

    fn loaded(self) -> Loaded {
        let rows = self.rows;
        let reason = match self.rounds {
            0 => "no work".to_owned(),
            1 => format!("asked about {rows} rows of work"),
            rounds => format!("asked about {rows} rows of work in {rounds} rounds"),
        };
        Loaded { reason, ..self.loaded }
    }
}

/// A table that stays as its last load left it.
pub(super) fn nothing(last: LedgerRow) -> Loaded {
    Loaded {
        load: last.load,
        reason: String::new(),
        published: None,
        rows: 0,
        late_rows: None,
        deleted_rows: None,
        kept_rows: 0,
        read_rows: 0,
        watermark: last.watermark,
        schema_hash: last.schema_hash,
        schema_changes: Vec::new(),
        bytes: 0,
        as_of: last.as_of,
        snapshot: last.snapshot,
        lag_seconds: None,
        checks: Vec::new(),
        warnings: Vec::new(),
    }
}

//! Whether the outcome is as it should be: built-in kinds of checks, and queries whose rows are failures; of
//! published tables ([`look`], [`ask_file`]) and of a staging table before it is published ([`audit`]).
//!
//! Counts rows, and shows none: what is kept of failing rows goes where somebody asks for it, never into a
//! message, and private columns are not even read.

mod anomaly;
mod audit;
mod due;
mod kinds;
mod sample;
mod words;

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};

use self::{
    anomaly::{Coming, Grounds, LoadTold},
    kinds::{Known, Looked},
    sample::Shown,
};
pub use self::{
    audit::{Audit, Audited, AuditedFile, Staged, Unsound, audit},
    due::{Answer, due, not_due},
    kinds::Resolved,
};
use crate::{
    config::{Anomaly, CheckKind, CheckOptions, CheckSpec, Measured},
    control::Control,
    error::{Class, Failure, Fault},
    event::{CheckOutcome, CheckStatus, RowSample},
    sql::{Dialect, TableName},
    warehouse::{LedgerRow, NameOf, PublishKind, Select, StagingColumn, Warehouse, WarehouseError},
};

/// How many loads before say what is usual.
const LOADS_LOOKED_AT: usize = 9;

/// What can go wrong with a check, beside what it finds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The warehouse.
    #[error("{}", Failure::of(.0.as_ref()))]
    Warehouse(WarehouseError),
    /// The run should stop.
    #[error("stopped")]
    Cancelled,
}

impl Fault for CheckError {
    fn class(&self) -> Class {
        match self {
            Self::Warehouse(error) => error.class(),
            // Never shown: a task that was stopped has a status of its own.
            Self::Cancelled => Class::Passing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Warehouse(error) => error.hint(),
            Self::Cancelled => None,
        }
    }
}

/// The built-in checks of a published table.
#[derive(Debug, Clone)]
pub struct TableChecks<'a> {
    /// The table.
    pub table: &'a TableName,
    /// Rows with a value in it are gone from the source.
    pub mark: Option<&'a str>,
    /// The checks; those that match a source are somebody else's.
    pub checks: &'a [Resolved],
    /// The columns that nobody is shown, in lower case.
    pub private: &'a BTreeSet<String>,
}

impl TableChecks<'_> {
    /// Those that are asked of the warehouse.
    fn asked(&self) -> Vec<Resolved> {
        self.checks.iter().filter(|check| !matches_source(check)).cloned().collect()
    }

    fn looked(&self, dialect: Dialect, now: Timestamp) -> Looked<'_> {
        Looked { dialect, table: self.table, mark: self.mark, beside: None, now }
    }
}

/// What a table is held against that is not in the warehouse.
#[derive(Clone, Copy)]
pub struct History<'a> {
    /// Where it stands.
    pub control: &'a Control,
    /// In which zone days begin.
    pub zone: &'a TimeZone,
    /// The moment that the table shows; `None`: that of its last load.
    pub shown_at: Option<Timestamp>,
    /// A person takes what is abnormal for usual.
    pub accept: bool,
}

/// The SQL that the warehouse gets, all of it; `None`: it is asked nothing.
pub fn compiled(dialect: Dialect, of: &TableChecks<'_>, now: Timestamp) -> Option<Select> {
    let checks = of.asked();
    let statements = of.looked(dialect, now).questions(&checks).statements;
    let all = statements.join(";\n");
    checks.first().filter(|_| !all.is_empty()).map(|first| placed(&all, &first.check.place))
}

/// Asks them of the table as it is now.
pub async fn look(
    warehouse: &dyn Warehouse,
    of: &TableChecks<'_>,
    history: History<'_>,
    now: Timestamp,
) -> Result<Vec<CheckOutcome>, WarehouseError> {
    let mut checks = of.asked();
    if checks.iter().any(measures_all_columns) {
        let live = warehouse.live(of.table).await?;
        measure_columns(&mut checks, &live.map(|live| live.columns).unwrap_or_default(), of.mark);
    }
    let Some(first) = checks.first() else { return Ok(Vec::new()) };
    let dialect = warehouse.dialect();
    let looked = of.looked(dialect, now);
    let mut known = known(warehouse, of.table, &checks, None).await?;
    if checks.iter().any(is_anomaly) {
        known.grounds = Some(grounds(warehouse, of.table, history, now).await?);
    }
    let questions = looked.questions(&checks);
    let place = &first.check.place;
    let selects = questions.statements.iter().map(|sql| placed(sql, place)).collect::<Vec<_>>();
    let answers = warehouse.answers(&selects).await?;
    let judged = questions.judge(&checks, &answers, &known, now);
    let mut outcomes: Vec<CheckOutcome> =
        checks.iter().zip(judged).map(|(check, judged)| outcome(check, judged, false)).collect();
    if history.accept {
        let refused = history.control.refused_by(&of.table.to_string()).await.unwrap_or_else(|error| {
            tracing::warn!(table = %of.table, %error, "what kept it from being published is not known");
            Vec::new()
        });
        anomaly::accept_next(&checks, &mut outcomes, &refused, now);
    }
    let wanted = sample::wanted(&checks, &outcomes);
    if !wanted.is_empty() {
        let columns = warehouse.live(of.table).await?.map(|live| live.columns).unwrap_or_default();
        let shown = Shown::of(&columns, dialect, of.private);
        let selects = sample::selects(&looked, &checks, &wanted, &shown);
        let answers = warehouse.answers(&selects).await?;
        sample::keep(&mut outcomes, &wanted, &shown, answers);
    }
    Ok(outcomes)
}

/// Whether a check needs the source.
pub fn matches_source(check: &Resolved) -> bool {
    matches!(check.check.kind, CheckKind::MatchSource { .. })
}

/// What came of a check against the source: so many rows differ, of so many.
pub fn matched(check: &Resolved, rows: u64, of: u64) -> CheckOutcome {
    let message = words::failing(&check.check.kind, rows, of, None);
    let status = check.check.options.verdict(rows, of);
    let measures = Vec::new();
    outcome(check, kinds::Judged { rows: Some(rows), of: Some(of), status, message, measures }, false)
}

/// Asks a check in a file of the tables as they are now.
pub async fn ask_file(
    warehouse: &dyn Warehouse,
    spec: &CheckSpec,
    name_of: NameOf<'_>,
    private: &BTreeSet<String>,
) -> Result<CheckOutcome, WarehouseError> {
    let dialect = warehouse.dialect();
    let select = select_of(spec, &|statement| Select::of(statement, dialect, None, name_of));
    let rows = count_of(warehouse.answers(&[counted(&select)]).await?.first());
    let mut outcome = of_file((&spec.name, &spec.options), &select.file, rows, false);
    if outcome.status != CheckStatus::Passed && spec.options.sample > 0 {
        // Two columns of one name, as `sum` and `sum` are, cannot be told apart: what was found stands all the same.
        match sample_of_file(warehouse, &select, spec.options.sample, private).await {
            Ok(sample) => outcome.sample = sample,
            Err(error) => tracing::debug!(file = select.file, %error, "no rows of a check are kept"),
        }
    }
    Ok(outcome)
}

async fn sample_of_file(
    warehouse: &dyn Warehouse,
    select: &Select,
    limit: u32,
    private: &BTreeSet<String>,
) -> Result<Option<RowSample>, WarehouseError> {
    let shown = Shown::of(&warehouse.describe(select).await?, warehouse.dialect(), private);
    let Some(sql) = shown.select(&format!("FROM ({}\n) AS t", select.sql), limit) else { return Ok(None) };
    let answers = warehouse.answers(&[Select { sql, ..select.clone() }]).await?;
    Ok(answers.into_iter().next().map(|rows| shown.sample(rows)))
}

/// The query whose rows are the failures.
pub fn select_of(spec: &CheckSpec, written: &dyn Fn(&crate::config::Statement) -> Select) -> Select {
    let own = written(&spec.statement);
    let Some(other) = spec.reconcile.as_ref().map(written) else { return own };
    // Blanks and line breaks end what one of them may end in: a comment.
    let only_in = |one: &str, another: &str| {
        format!("SELECT * FROM ({one}\n) AS one EXCEPT SELECT * FROM ({another}\n) AS another")
    };
    let sql = format!(
        "SELECT * FROM ({}) AS only_here UNION ALL SELECT * FROM ({}) AS only_there",
        only_in(&own.sql, &other.sql),
        only_in(&other.sql, &own.sql)
    );
    Select { sql, ..own }
}

/// The same, its rows counted. What stands before it stands on its first line, so that places stay right.
fn counted(select: &Select) -> Select {
    let sql = format!("SELECT count(*)::varchar FROM ({}\n) AS counted", select.sql);
    Select { sql, ..select.clone() }
}

fn count_of(answer: Option<&crate::warehouse::TextRows>) -> u64 {
    answer.and_then(|rows| rows.first()?.first()?.as_deref()?.parse().ok()).unwrap_or(0)
}

fn of_file(
    (name, options): (&str, &CheckOptions),
    file: &str,
    rows: u64,
    before_publish: bool,
) -> CheckOutcome {
    CheckOutcome {
        check: name.to_owned(),
        status: options.verdict(rows, rows),
        rows: Some(rows),
        of: None,
        message: format!("{file} found {}", words::rows(rows)),
        before_publish,
        measures: Vec::new(),
        sample: None,
    }
}

fn outcome(resolved: &Resolved, judged: kinds::Judged, before_publish: bool) -> CheckOutcome {
    let kinds::Judged { rows, of, status, message, measures } = judged;
    let check = resolved.check.label();
    let message = format!("{check}: {message}");
    CheckOutcome { check, status, rows, of, message, before_publish, measures, sample: None }
}

fn placed(sql: &str, place: &crate::config::Place) -> Select {
    Select { sql: sql.to_owned(), file: place.file.clone(), line: place.line }
}

/// What the ledger must say for these checks. `staged`: whether rows are about to be written into the table, and
/// the moment that they show; else the last load is the one that is looked at.
async fn known(
    warehouse: &dyn Warehouse,
    table: &TableName,
    checks: &[Resolved],
    staged: Option<(bool, Timestamp)>,
) -> Result<Known, WarehouseError> {
    let has_any = |is_it: fn(&CheckKind) -> bool| checks.iter().any(|check| is_it(&check.check.kind));
    let asks_before = has_any(|kind| matches!(kind, CheckKind::RowCount { change: Some(_), .. }));
    let asks_as_of = has_any(|kind| matches!(kind, CheckKind::Freshness { column: None, .. }));
    let mut known = Known { as_of: staged.map(|(_, as_of)| as_of), ..Known::default() };
    if asks_as_of && staged.is_none() {
        known.as_of = warehouse.last_load(table).await?.map(|row| row.as_of);
    }
    if !asks_before {
        return Ok(known);
    }
    let loads = warehouse.loads(table).await?;
    let is_of_some = |row: &LedgerRow| matches!(row.publish, PublishKind::Insert | PublishKind::Merge);
    known.before = match staged {
        // Rows that come are held against those that came, a whole table against whole ones.
        Some((true, _)) => loads.iter().filter(|row| is_of_some(row)).map(|row| row.rows).collect(),
        Some((false, _)) => loads.iter().map(|row| row.table_rows).collect(),
        None => loads.iter().skip(1).map(|row| row.table_rows).collect(),
    };
    known.before.truncate(LOADS_LOOKED_AT);
    Ok(known)
}

/// Whether a check holds a table against its own history.
pub fn is_anomaly(check: &Resolved) -> bool {
    matches!(check.check.kind, CheckKind::Anomaly(_))
}

/// How many columns are looked at where none are named.
const COLUMNS_MEASURED: usize = 100;

fn measures_all_columns(check: &Resolved) -> bool {
    matches!(&check.check.kind, CheckKind::Anomaly(Anomaly { of: Measured::Nulls, columns, .. }) if columns.is_empty())
}

/// Names the columns to those that are asked of all.
fn measure_columns(checks: &mut [Resolved], columns: &[StagingColumn], mark: Option<&str>) {
    for check in checks.iter_mut().filter(|check| measures_all_columns(check)) {
        if let CheckKind::Anomaly(anomaly) = &mut check.check.kind {
            let names = columns.iter().map(|column| column.name.clone());
            let own = names.filter(|name| Some(name.as_str()) != mark);
            anomaly.columns = own.take(COLUMNS_MEASURED).collect();
        }
    }
}

/// What was measured of a table before. What cannot be read is no reason not to publish.
async fn measured_before(control: &Control, table: &TableName) -> Option<Vec<crate::control::Series>> {
    let measures = control.measures(&format!("{table}.checks")).await;
    let unread = |error: &_| tracing::warn!(%table, %error, "what it was measured to be is not read");
    measures.inspect_err(unread).ok()
}

/// What the measures of a published table are held against.
async fn grounds(
    warehouse: &dyn Warehouse,
    table: &TableName,
    History { control, zone, shown_at, accept }: History<'_>,
    now: Timestamp,
) -> Result<Grounds, WarehouseError> {
    let last = warehouse.last_load(table).await?;
    let load = match &last {
        // Neither what an earlier load was nor some of the past is as loads are.
        Some(row) if row.strategy == row.loaders_strategy() => {
            let seconds = control.load_seconds(&table.to_string(), &row.load).await;
            let is_part = matches!(row.publish, PublishKind::Insert | PublishKind::Merge);
            Some(LoadTold {
                moment: row.as_of,
                of: if is_part { "new rows" } else { "whole" },
                rows: row.rows,
                bytes: row.bytes,
                seconds: seconds.ok().flatten(),
            })
        }
        _ => None,
    };
    Ok(Grounds {
        at: last.map(|row| shown_at.map_or(row.as_of, |shown| shown.max(row.as_of))),
        now,
        zone: zone.clone(),
        series: measured_before(control, table).await,
        load,
        staged: None,
        accept,
        by_hand_at: control.last_by_hand(&table.to_string()).await.ok().flatten(),
    })
}

/// The checks that failed, each with what it found.
pub fn failed_in_words(outcomes: &[CheckOutcome]) -> Option<String> {
    let failed: Vec<String> = outcomes
        .iter()
        .filter(|outcome| outcome.status == CheckStatus::Failed)
        .map(|outcome| outcome.message.clone())
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// What people are told of those that warn, one by one.
pub fn warnings(outcomes: &[CheckOutcome]) -> impl Iterator<Item = String> {
    outcomes
        .iter()
        .filter(|outcome| outcome.status == CheckStatus::Warned)
        .map(|outcome| outcome.message.clone())
}

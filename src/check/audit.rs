//! Checks of a staging table, before its rows are the live ones.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    Coming, Grounds, Resolved, failed_in_words, is_anomaly,
    kinds::Looked,
    known, measure_columns, measured_before, outcome, placed,
    sample::{self, Shown},
};
use crate::{
    config::CheckOptions,
    control::{Control, Series},
    error::{Class, Fault},
    event::{CheckOutcome, CheckStatus},
    fail_point,
    sql::{Dialect, TableName},
    warehouse::{Select, Staging, StagingColumn, Warehouse, WarehouseError},
};

/// What is asked before a table is published.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Built-in checks.
    pub kinds: Vec<Resolved>,
    /// Checks in files.
    pub files: Vec<AuditedFile>,
    /// The columns that nobody is shown, in lower case.
    pub private: BTreeSet<String>,
    /// In which zone days begin.
    pub zone: TimeZone,
}

/// A check in a file that looks at a staging table.
#[derive(Debug, Clone)]
pub struct AuditedFile {
    /// The check's name.
    pub name: String,
    /// What it means.
    pub options: CheckOptions,
    /// Its query, in which the table has no schema: just its own name, in quotes.
    pub select: Select,
}

/// A staging table that is filled.
#[derive(Debug)]
pub struct Staged<'a> {
    /// The load.
    pub load: &'a str,
    /// The table that it is for.
    pub table: &'a TableName,
    /// The staging table's columns.
    pub columns: &'a [StagingColumn],
    /// Rows with a value in it are gone from the source.
    pub mark: Option<&'a str>,
    /// Rows of the same key take each other's place.
    pub key: &'a [String],
    /// Whether its rows are written into the live table, and do not take the place of all of it.
    pub is_part: bool,
    /// Whether none of them takes the place of one that is there.
    pub are_new: bool,
    /// The moment that they show.
    pub as_of: Timestamp,
    /// The moment by which they are held against what came before them.
    pub moment: Timestamp,
    /// The time.
    pub now: Timestamp,
}

/// Why a table was not published.
#[derive(Debug, thiserror::Error)]
#[error("{table} was not published: {}", failed_in_words(checks).unwrap_or_default())]
pub struct Unsound {
    /// The table.
    pub table: TableName,
    /// What its checks found.
    pub checks: Vec<CheckOutcome>,
    /// Where the rows can be looked at; `None`: the staging table could not be kept.
    pub kept: Option<String>,
}

impl Fault for Unsound {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        let mut shows = format!("`barncat history {} --rows` shows some of the rows", self.table);
        let is_unusual = |check: &CheckOutcome| {
            check.status == CheckStatus::Failed && check.check.starts_with("anomalies ")
        };
        if self.checks.iter().any(is_unusual) {
            shows.push_str(&format!(
                "; if it is right so, `barncat check {} --accept` takes it for usual",
                self.table
            ));
        }
        Some(match &self.kept {
            Some(kept) => format!(
                "the last good rows stay; the others are kept in {kept} until `barncat clean`; {shows}"
            ),
            None => format!("the last good rows stay; {shows}"),
        })
    }
}

/// What came of it.
pub enum Audited {
    /// It may be published.
    Sound(Box<dyn Staging>, Vec<CheckOutcome>),
    /// It may not.
    Unsound(Unsound),
}

impl Staged<'_> {
    fn looked<'a>(&'a self, table: &'a TableName, dialect: Dialect) -> Looked<'a> {
        let beside = self.is_part.then_some((self.table, self.key));
        Looked { dialect, table, mark: self.mark, beside, now: self.now }
    }

    fn grounds(&self, series: Option<Vec<Series>>, zone: &TimeZone) -> Grounds {
        let staged = match (self.is_part, self.are_new) {
            (false, _) => Coming::Whole,
            (true, true) => Coming::New,
            (true, false) => Coming::Merged,
        };
        Grounds {
            at: Some(self.moment),
            now: self.now,
            zone: zone.clone(),
            series,
            load: None,
            staged: Some(staged),
            accept: false,
            by_hand_at: None,
        }
    }
}

impl Audit {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.files.is_empty()
    }
}

/// Asks everything. Where something failed the staging table is committed and stays, in the place of the one
/// that the table's last such failure left; after an error nothing of it is left.
pub async fn audit(
    (warehouse, control): (&dyn Warehouse, &Control),
    audit: &Audit,
    staged: &Staged<'_>,
    mut staging: Box<dyn Staging>,
) -> Result<Audited, WarehouseError> {
    if audit.is_empty() {
        return Ok(Audited::Sound(staging, Vec::new()));
    }
    fail_point!("staging.audit.before");
    let checks = match ask((warehouse, control), audit, staged, &mut staging).await {
        Ok(checks) => checks,
        Err(error) => {
            staging.discard().await;
            return Err(error);
        }
    };
    fail_point!("staging.audit.after");
    if checks.iter().all(|check| check.status != CheckStatus::Failed) {
        return Ok(Audited::Sound(staging, checks));
    }
    // Known to be kept before it is: a sweep never takes it for a leftover.
    if let Err(error) = control.keep_staging(staged.table, staged.load).await {
        tracing::warn!(table = %staged.table, %error, "the staging table is not kept");
        staging.discard().await;
        return Ok(Audited::Unsound(Unsound { table: staged.table.clone(), checks, kept: None }));
    }
    fail_point!("staging.keep.before");
    let kept = staging.keep().await;
    fail_point!("staging.keep.after");
    let kept = kept.inspect_err(|error| {
        tracing::warn!(table = %staged.table, %error, "the staging table is not kept");
    });
    Ok(Audited::Unsound(Unsound { table: staged.table.clone(), checks, kept: kept.ok() }))
}

async fn ask(
    (warehouse, control): (&dyn Warehouse, &Control),
    audit: &Audit,
    staged: &Staged<'_>,
    staging: &mut Box<dyn Staging>,
) -> Result<Vec<CheckOutcome>, WarehouseError> {
    let dialect = warehouse.dialect();
    let mut kinds = audit.kinds.clone();
    measure_columns(&mut kinds, staged.columns, staged.mark);
    let mut known = known(warehouse, staged.table, &kinds, Some((staged.is_part, staged.as_of))).await?;
    if kinds.iter().any(is_anomaly) {
        known.grounds = Some(staged.grounds(measured_before(control, staged.table).await, &audit.zone));
    }
    let place = kinds.first().map(|first| &first.check.place);
    let built_in = |table: &TableName| {
        let statements = staged.looked(table, dialect).questions(&kinds).statements;
        let placed = |sql: &String| place.map(|place| placed(sql, place));
        statements.iter().filter_map(placed).collect::<Vec<Select>>()
    };
    let all = |table: &TableName| {
        let files = audit.files.iter().map(|file| upon(file, staged.table, table, dialect));
        built_in(table).into_iter().chain(files).collect::<Vec<Select>>()
    };
    let mut answers = staging.answers(&all).await?;
    let of_files = answers.split_off(answers.len().saturating_sub(audit.files.len()));
    // Which table is asked is of no matter to what the answers mean.
    let questions = staged.looked(staged.table, dialect).questions(&kinds);
    let judged = kinds.iter().zip(questions.judge(&kinds, &answers, &known, staged.now));
    let mut outcomes: Vec<CheckOutcome> =
        judged.map(|(check, judged)| outcome(check, judged, true)).collect();
    let wanted = sample::wanted(&kinds, &outcomes);
    if !wanted.is_empty() {
        let shown = Shown::of(staged.columns, dialect, &audit.private);
        let some =
            |table: &TableName| sample::selects(&staged.looked(table, dialect), &kinds, &wanted, &shown);
        let rows = staging.answers(&some).await?;
        sample::keep(&mut outcomes, &wanted, &shown, rows);
    }
    for (file, answer) in audit.files.iter().zip(&of_files) {
        let rows = super::count_of(Some(answer));
        outcomes.push(super::of_file((&file.name, &file.options), &file.select.file, rows, true));
    }
    Ok(outcomes)
}

/// The query with the staging table's rows under the table's own name, by which its columns may be called.
fn upon(file: &AuditedFile, table: &TableName, staged: &TableName, dialect: Dialect) -> Select {
    let (name, from) = (dialect.ident(&table.name), dialect.table(staged));
    let counted = super::counted(&file.select).sql;
    Select { sql: format!("WITH {name} AS (SELECT * FROM {from}) {counted}"), ..file.select.clone() }
}

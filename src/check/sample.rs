//! Some of the failing rows, without what is private: such a column is not even read.

use std::collections::BTreeSet;

use super::kinds::{Looked, Resolved};
use crate::{
    event::{CheckOutcome, CheckStatus, RowSample},
    sql::Dialect,
    warehouse::{Select, StagingColumn, TextRows},
};

/// How many columns of a row are kept.
const COLUMNS_MAX: usize = 30;

/// How many characters of a value are kept.
const CHARACTERS_MAX: u32 = 200;

/// The columns that may be shown.
pub(super) struct Shown {
    names: Vec<String>,
    /// Each as text, of the row `t`.
    expressions: Vec<String>,
}

impl Shown {
    pub(super) fn of(columns: &[StagingColumn], dialect: Dialect, private: &BTreeSet<String>) -> Self {
        let is_public = |column: &&StagingColumn| !private.contains(&column.name.to_lowercase());
        let (names, expressions) = columns
            .iter()
            .filter(is_public)
            .filter_map(|column| Some((column.name.clone(), as_text(column, dialect)?)))
            .take(COLUMNS_MAX)
            .unzip();
        Self { names, expressions }
    }

    /// Some of the rows `from` gives; `None`: nothing of them may be shown.
    pub(super) fn select(&self, from: &str, limit: u32) -> Option<String> {
        let columns = self.expressions.join(", ");
        (!self.names.is_empty() && limit > 0).then(|| format!("SELECT {columns} {from} LIMIT {limit}"))
    }

    pub(super) fn sample(&self, rows: TextRows) -> RowSample {
        RowSample { columns: self.names.clone(), rows }
    }
}

/// `None`: it cannot be shown as text. Redshift casts fewer types than Postgres does.
fn as_text(column: &StagingColumn, dialect: Dialect) -> Option<String> {
    const CAST: [&str; 11] = [
        "char", "bpchar", "varchar", "text", "smallint", "int", "bigint", "numeric", "decimal", "date",
        "time",
    ];
    let own = format!("t.{}", dialect.ident(&column.name));
    let of = column.sql_type.to_lowercase();
    let can_cast =
        || CAST.iter().any(|name| of.starts_with(name)) || of == "real" || of.starts_with("double");
    let text = match dialect {
        Dialect::Redshift if of.starts_with("bool") => {
            format!("CASE WHEN {own} THEN 'true' WHEN NOT {own} THEN 'false' END")
        }
        Dialect::Redshift if !can_cast() => return None,
        _ => format!("cast({own} AS varchar)"),
    };
    Some(format!("substring({text}, 1, {CHARACTERS_MAX})::varchar"))
}

/// The checks of which rows are kept, by their places.
pub(super) fn wanted(checks: &[Resolved], outcomes: &[CheckOutcome]) -> Vec<usize> {
    let is_wanted = |(check, outcome): (&Resolved, &CheckOutcome)| {
        outcome.status != CheckStatus::Passed
            && outcome.rows.is_some_and(|rows| rows > 0)
            && check.check.options.sample > 0
    };
    let all = checks.iter().zip(outcomes).enumerate();
    all.filter(|(_, both)| is_wanted(*both)).map(|(place, _)| place).collect()
}

/// One statement for each of them; none where nothing may be shown.
pub(super) fn selects(
    looked: &Looked<'_>,
    checks: &[Resolved],
    wanted: &[usize],
    shown: &Shown,
) -> Vec<Select> {
    let one = |place: &usize| {
        let resolved = &checks[*place];
        let from = looked.failing_rows(resolved)?;
        let sql = shown.select(&from, resolved.check.options.sample)?;
        Some(super::placed(&sql, &resolved.check.place))
    };
    wanted.iter().filter_map(one).collect()
}

/// Writes the answers to their outcomes.
pub(super) fn keep(outcomes: &mut [CheckOutcome], wanted: &[usize], shown: &Shown, answers: Vec<TextRows>) {
    for (place, rows) in wanted.iter().zip(answers) {
        outcomes[*place].sample = Some(shown.sample(rows));
    }
}

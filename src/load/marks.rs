//! Rows that stay although the source does not have them any more: `deletes = "mark"`.
//!
//! A column of the warehouse's table says since when a row is gone. It is no column of the source's, so it
//! is in no schema and in no part. What compares the tables leaves marked rows out: one whose key the
//! source has again is found missing, is brought, and its mark goes. Marked rows are nowhere but in the
//! table; so nothing puts another table in its place, unless a person asks for it.

use super::{LoadError, decide::staging_columns};
use crate::{
    config::LoadSpec,
    publish::Refusal,
    schema::Shape,
    sql::quote_ident,
    warehouse::{LedgerRow, LiveTable, StagingColumn},
};

/// The column, if the live table has it already.
pub(super) fn there<'a>(spec: &'a LoadSpec, live: Option<&LiveTable>) -> Option<&'a str> {
    spec.deletes.mark().filter(|mark| live.is_some_and(|live| live.has(mark)))
}

/// The table's columns as a load finds them or makes them; the mark only where the table has it, or there
/// is no table yet.
pub(super) fn columns(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>) -> Vec<StagingColumn> {
    let mark = if live.is_none() { spec.deletes.mark() } else { there(spec, live) };
    staging_columns(shape)
        .into_iter()
        .chain(mark.map(|mark| StagingColumn::mark(mark, shape.dialect)))
        .collect()
}

/// The mark, where the live table does not have it yet.
pub(super) fn to_add(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>) -> Option<StagingColumn> {
    let mark = spec.deletes.mark().filter(|mark| live.is_some_and(|live| !live.has(mark)));
    mark.map(|mark| StagingColumn::mark(mark, shape.dialect))
}

/// Why a column that somebody else made cannot be the mark, and the SQL that makes it so.
pub(super) fn unfit(spec: &LoadSpec, shape: &Shape, live: &LiveTable) -> Option<(String, String)> {
    let wanted = StagingColumn::mark(there(spec, Some(live))?, shape.dialect);
    let there = live.columns.iter().find(|column| column.name == wanted.name && **column != wanted)?;
    let StagingColumn { name, sql_type, .. } = &wanted;
    let what = format!(
        "column `{name}` is {} in the warehouse and must be {sql_type}, NULL allowed",
        there.sql_type
    );
    let column = quote_ident(name);
    let sql = format!(
        "ALTER TABLE {} ALTER COLUMN {column} DROP NOT NULL, ALTER COLUMN {column} TYPE {sql_type}",
        spec.target.quoted()
    );
    Some((what, sql))
}

/// Refuses a mark of the name of one of the source's columns, and to let marked rows go unasked.
pub(super) fn refuse(
    spec: &LoadSpec,
    shape: &Shape,
    last: Option<&LedgerRow>,
    full: bool,
) -> Result<(), LoadError> {
    let mark = spec.deletes.mark();
    if let Some(column) = mark.filter(|mark| shape.columns.iter().any(|column| column.name == **mark)) {
        return Err(LoadError::MarkTaken {
            table: spec.source_table.clone(),
            column: column.to_owned(),
            place: spec.place.to_string(),
        });
    }
    match last.and_then(|last| last.state.mark.as_deref()) {
        Some(column) if mark != Some(column) && !full => {
            Err(LoadError::MarksLost { table: spec.target.clone(), column: column.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Whether a load of the whole table leaves the live one where it is, with the rows that it does not have.
pub(super) fn stay(spec: &LoadSpec, last: Option<&LedgerRow>, live: Option<&LiveTable>) -> bool {
    let before = last.and_then(|last| last.state.mark.as_deref());
    let mark = spec.deletes.mark();
    live.is_some() && mark.is_some() && (before.is_none() || before == mark)
}

/// Why they cannot: the table would have to be another one.
pub(super) fn refused(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>, why: Refusal) -> LoadError {
    match (why, live) {
        (Refusal::ReplaceChanged { .. }, Some(live)) => {
            LoadError::WouldLoseMarks { table: spec.target.clone(), sql: fitting(spec, shape, live) }
        }
        (why, _) => why.into(),
    }
}

/// The key by which the rows of a whole load are told from those that stay.
pub(super) fn need_key(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>) -> Result<(), LoadError> {
    match live.is_none_or(|live| live.is_held_to(&shape.key)) {
        true => Ok(()),
        false => {
            let key: Vec<String> = shape.key.iter().map(|name| quote_ident(name)).collect();
            let sql = format!("ALTER TABLE {} ADD UNIQUE ({})", spec.target.quoted(), key.join(", "));
            Err(LoadError::WouldLoseMarks { table: spec.target.clone(), sql })
        }
    }
}

/// SQL that gives the live table the columns that a load brings.
fn fitting(spec: &LoadSpec, shape: &Shape, live: &LiveTable) -> String {
    let wanted = columns(spec, shape, Some(live));
    let mut clauses = Vec::new();
    for there in live.columns.iter().filter(|there| !wanted.iter().any(|one| one.name == there.name)) {
        clauses.push(format!("DROP COLUMN {}", quote_ident(&there.name)));
    }
    for StagingColumn { name, sql_type, nullable } in &wanted {
        let column = quote_ident(name);
        match live.columns.iter().find(|there| there.name == *name) {
            None if *nullable => clauses.push(format!("ADD COLUMN {column} {sql_type}")),
            None => clauses.push(format!("ADD COLUMN {column} {sql_type} NOT NULL DEFAULT …")),
            Some(there) => {
                if there.sql_type != *sql_type {
                    clauses.push(format!("ALTER COLUMN {column} TYPE {sql_type} USING {column}::{sql_type}"));
                }
                if there.nullable != *nullable {
                    let verb = if *nullable { "DROP" } else { "SET" };
                    clauses.push(format!("ALTER COLUMN {column} {verb} NOT NULL"));
                }
            }
        }
    }
    format!("ALTER TABLE {} {}", spec.target.quoted(), clauses.join(", "))
}

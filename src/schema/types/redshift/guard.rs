//! One look at all columns of a row whose unfit values fail the load.
//!
//! A CASE a column costs a scan of a wide table more than the reading of most of its columns. What the values of
//! several columns have in common is asked once: the lowest and the highest of a row's dates say it of all.
//! Nothing stands for a value that fails the load, so the columns are sent as they are, and the look is part of
//! what is asked for in place of the first of them: only rows that are sent are looked at, whatever the
//! condition by which they are chosen costs.

use super::{Arrival, Case, Suspect, counted::add_one};
use crate::{
    schema::{ShapedColumn, UnfitPolicy},
    sql::quote_ident,
};

/// A column whose unfit values are counted under the numbers from `first` on.
#[derive(Debug)]
pub(in crate::schema) struct Guarded<'a> {
    pub(in crate::schema) column: &'a str,
    pub(in crate::schema) arrival: &'a Arrival,
    pub(in crate::schema) first: usize,
}

impl Arrival {
    /// Whether the column can be sent as it is, and be looked at with others.
    pub(in crate::schema) fn is_guarded(&self, policy: UnfitPolicy) -> bool {
        policy == UnfitPolicy::Fail && matches!(self.suspect, Suspect::Outside { .. } | Suspect::Nan)
    }
}

/// Makes the first of these columns, each with its place, count what of all of them does not fit.
pub(in crate::schema) fn guard(columns: &mut [ShapedColumn], guarded: &[(usize, Guarded<'_>)]) {
    let Some((place, _)) = guarded.first() else { return };
    let guarded: Vec<&Guarded<'_>> = guarded.iter().map(|(_, guarded)| guarded).collect();
    let expression = &mut columns[*place].expression;
    *expression = counting(expression, &guarded);
}

fn counting(expression: &str, guarded: &[&Guarded<'_>]) -> String {
    let mut kinds: Vec<(&Suspect, Vec<String>)> = Vec::new();
    for Guarded { column, arrival, .. } in guarded {
        let column = quote_ident(column);
        match kinds.iter_mut().find(|(kind, _)| *kind == &arrival.suspect) {
            Some((_, columns)) => columns.push(column),
            None => kinds.push((&arrival.suspect, vec![column])),
        }
    }
    let suspect: Vec<String> = kinds.iter().filter_map(|(kind, columns)| kind.of_any(columns)).collect();
    let counted: Vec<String> = guarded.iter().map(|guarded| guarded.counted()).collect();
    // Each of the latter is true, so that all are looked at.
    format!(
        "CASE WHEN {} THEN CASE WHEN {} THEN {expression} END ELSE {expression} END",
        suspect.join(" OR "),
        counted.join(" AND ")
    )
}

impl Guarded<'_> {
    /// SQL that counts and is true.
    fn counted(&self) -> String {
        let count = |(at, case): (usize, &Case)| {
            format!("WHEN {} THEN {} IS NOT NULL ", case.when, add_one(self.first + at))
        };
        let cases: String = self.arrival.cases.iter().enumerate().map(count).collect();
        let suspect = self.arrival.suspect.sql();
        format!("CASE WHEN {suspect} THEN CASE {cases}ELSE true END ELSE true END")
            .replace("$c", &quote_ident(self.column))
    }
}

//! The CASE that lets fitting values through, replaces the others and counts them.
//!
//! Counting needs neither a pass of its own nor anything created on the source: a custom setting,
//! local to the transaction, is raised by one for each value. That is evaluated only in the branch of a
//! value that does not fit, and works on a standby.

use super::Arrival;
use crate::{
    schema::{UnfitKind, UnfitPolicy},
    sql::quote_ident,
};

/// One kind of value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) kind: UnfitKind,
    /// Whether it is one: SQL. Looked at in their order, where the value is suspect.
    pub(super) when: String,
    /// What `clamp` or `truncate` makes of it.
    pub(super) nearest: Option<(UnfitPolicy, String)>,
}

impl Case {
    pub(super) fn new(kind: UnfitKind, when: impl Into<String>) -> Self {
        Self { kind, when: when.into(), nearest: None }
    }

    pub(super) fn or(self, policy: UnfitPolicy, nearest: impl Into<String>) -> Self {
        Self { nearest: Some((policy, nearest.into())), ..self }
    }

    /// What the policy makes of it, where it can make something of it.
    pub(super) fn instead(&self, policy: UnfitPolicy) -> Option<&str> {
        match &self.nearest {
            Some((of, sql)) if *of == policy => Some(sql),
            _ if policy == UnfitPolicy::Null => Some("NULL"),
            _ => None,
        }
    }

    /// A value that fails the load is never published: what stands for it does not matter.
    pub(super) fn sql(&self, policy: UnfitPolicy) -> &str {
        self.instead(policy).unwrap_or("NULL")
    }

    /// `fail`, where the policy has no answer to values of this kind.
    pub(super) fn policy(&self, policy: UnfitPolicy) -> UnfitPolicy {
        match self.instead(policy) {
            Some(_) => policy,
            None => UnfitPolicy::Fail,
        }
    }
}

/// The setting that counts under this number.
fn setting(number: usize) -> String {
    format!("barncat.unfit_{number}")
}

/// SQL for what the source has counted under this number in the open transaction.
pub fn count(number: usize) -> String {
    // Reset at a transaction's end, a custom setting is not gone but empty.
    format!("coalesce(nullif(pg_catalog.current_setting('{}', true), ''), '0')::bigint", setting(number))
}

impl Arrival {
    pub(super) fn sql(&self, column: &str, policy: UnfitPolicy, counted_from: Option<usize>) -> String {
        let value = &self.value;
        let sql = match self.cases.is_empty() {
            true => value.clone(),
            false => {
                let cases: String = self
                    .cases
                    .iter()
                    .enumerate()
                    .map(|(at, case)| {
                        let instead = case.sql(policy);
                        let then = match counted_from {
                            Some(first) => counted(first + at, instead, value),
                            None => instead.to_owned(),
                        };
                        format!("WHEN {} THEN {then} ", case.when)
                    })
                    .collect();
                let cleared = self.cleared.as_deref().unwrap_or(value);
                let suspect = &self.suspect;
                format!("CASE WHEN {suspect} THEN CASE {cases}ELSE {cleared} END ELSE {value} END")
            }
        };
        sql.replace("$c", &quote_ident(column))
    }
}

/// SQL that counts one more under this number; what it gives is never NULL.
fn add_one(number: usize) -> String {
    format!("pg_catalog.set_config('{}', ({} + 1)::text, true)", setting(number), count(number))
}

/// What is set is never NULL; the branch that is not taken gives a NULL the value's type.
fn counted(number: usize, instead: &str, value: &str) -> String {
    let (then, otherwise) = match instead {
        "NULL" => (value, "NULL"),
        instead => ("NULL", instead),
    };
    format!("CASE WHEN {} IS NULL THEN {then} ELSE {otherwise} END", add_one(number))
}

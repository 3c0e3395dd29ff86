//! `anomalies = ["rows", "nulls"]`, or `{ of = ["rows"], sensitivity = 4 }`: what is held against its own history.

use super::{BuiltIn, CheckKind, CheckOptions};
use crate::config::{Keys, Severity};

const KEY: &str = "anomalies";

/// How many robust standard deviations off is abnormal, unless the check says otherwise.
const SENSITIVITY: u32 = 4;

/// On how many days it must have been measured.
const HISTORY: u32 = 7;

/// What is held against its own history, and how closely.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    /// What is measured.
    pub of: Measured,
    /// Of these columns; empty: of all.
    pub columns: Vec<String>,
    /// By which column's newest value freshness is told; `None`: by the loads.
    pub column: Option<String>,
    /// How many robust standard deviations off is abnormal.
    pub sensitivity: f64,
    /// On how many days it must have been measured before it is judged.
    pub history: u32,
}

/// What is measured of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// How many rows it has, and how many came.
    Rows,
    /// How many bytes a row of its loads has in the stage.
    Bytes,
    /// How long its task took.
    Duration,
    /// How old its newest row or its last load is.
    Freshness,
    /// The share of NULLs of its columns.
    Nulls,
}

impl Measured {
    const ALL: [Self; 5] = [Self::Rows, Self::Bytes, Self::Duration, Self::Freshness, Self::Nulls];

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Freshness => "freshness",
            Self::Nulls => "nulls",
        }
    }

    /// Whether it can be told of a staging table.
    pub fn is_of_rows(self) -> bool {
        matches!(self, Self::Rows | Self::Nulls)
    }
}

/// Reads the key of `checks`: a check for each thing that is measured.
pub(super) fn read(checks: &Keys<'_>, defaults: &CheckOptions) -> Vec<BuiltIn> {
    if !checks.has(KEY) {
        return Vec::new();
    }
    // A guess by statistics fails nothing unless somebody wants that.
    let quiet = || match checks.has("severity") {
        true => defaults.clone(),
        false => CheckOptions { severity: Severity::Warn, error_if: None, ..defaults.clone() },
    };
    let place = checks.place_of(KEY);
    let made = |of: Measured, like: &Anomaly, options: &CheckOptions| {
        let before_publish = options.before_publish && of.is_of_rows();
        let options = CheckOptions { before_publish, warn_if: None, error_if: None, ..options.clone() };
        BuiltIn { kind: CheckKind::Anomaly(Anomaly { of, ..like.clone() }), options, place: place.clone() }
    };
    let mut like = Anomaly {
        of: Measured::Rows,
        columns: Vec::new(),
        column: None,
        sensitivity: f64::from(SENSITIVITY),
        history: HISTORY,
    };
    if !checks.is_table(KEY) {
        let of = measured(checks, KEY);
        return of.into_iter().map(|of| made(of, &like, &quiet())).collect();
    }
    let Some(own) = checks.table(KEY) else { return Vec::new() };
    if !own.has("of") {
        own.missing("of", "of = [\"rows\", \"nulls\"]");
    }
    let of = measured(&own, "of");
    like.columns = own.strings("columns");
    like.column = own.string("column");
    like.sensitivity = own.number("sensitivity", 1..=20).map_or(like.sensitivity, f64::from);
    like.history = own.number("history", 3..=60).unwrap_or(like.history);
    for (key, needs) in [("columns", Measured::Nulls), ("column", Measured::Freshness)] {
        if own.has(key) && !of.contains(&needs) {
            own.wrong(key, format_args!("is of no use: `of` has no `{}`", needs.word()));
        }
    }
    for threshold in ["warn_if", "error_if", "sample"] {
        if own.has(threshold) {
            own.wrong(threshold, "is of no use: it counts no failing rows");
        }
    }
    let options = CheckOptions::read(&own, &quiet(), true);
    if own.has("before_publish") && options.before_publish && !of.iter().any(|of| of.is_of_rows()) {
        own.wrong("before_publish", "is of no use: of a staging table `rows` and `nulls` can be asked");
    }
    own.finish();
    of.into_iter().map(|of| made(of, &like, &options)).collect()
}

fn measured(keys: &Keys<'_>, key: &'static str) -> Vec<Measured> {
    let names = keys.strings(key);
    let known = |name: &String| Measured::ALL.into_iter().find(|of| of.word() == name);
    let found: Vec<Measured> = names.iter().filter_map(known).collect();
    if found.len() < names.len() {
        let all = Measured::ALL.map(|of| format!("`{}`", of.word())).join(", ");
        keys.wrong(key, format_args!("takes {all}"));
    } else if found.iter().enumerate().any(|(at, of)| found[..at].contains(of)) {
        keys.wrong(key, "says one of them twice");
    } else if names.is_empty() && keys.has(key) {
        keys.wrong(key, "says nothing");
    }
    found
}

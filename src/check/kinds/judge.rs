//! What the answers mean to each check. Pure.

use jiff::Timestamp;

use super::{Known, Resolved};
use crate::{
    check::{
        anomaly::{self, Counted},
        words,
    },
    config::{Anomaly, BuiltIn, CheckKind},
    event::{CheckStatus, Measure},
};

/// How many loads before must be known to say what is usual.
const LOADS_MIN: usize = 3;

/// What an answer means: rows that fail, of how many, the status, and the words for it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::check) struct Judged {
    pub(in crate::check) rows: Option<u64>,
    pub(in crate::check) of: Option<u64>,
    pub(in crate::check) status: CheckStatus,
    pub(in crate::check) message: String,
    pub(in crate::check) measures: Vec<Measure>,
}

pub(super) fn measured(check: &BuiltIn, anomaly: &Anomaly, counted: &Counted, known: &Known) -> Judged {
    let nothing = || anomaly::Said {
        measures: Vec::new(),
        status: CheckStatus::Passed,
        message: "nothing was published yet".to_owned(),
    };
    let said = known
        .grounds
        .as_ref()
        .map_or_else(nothing, |grounds| anomaly::judge(check, anomaly, counted, grounds));
    let anomaly::Said { measures, status, message } = said;
    Judged { rows: None, of: None, status, message, measures }
}

pub(super) fn judge(
    Resolved { check, other }: &Resolved,
    (of, counted): (Option<u64>, Option<u64>),
    known: &Known,
    now: Timestamp,
) -> Judged {
    let all_or_nothing = |wrong: Option<String>, well: &str| {
        let rows = u64::from(wrong.is_some());
        let message = wrong.unwrap_or_else(|| well.to_owned());
        let status = check.options.verdict(rows, 1);
        Judged { rows: None, of, status, message, measures: Vec::new() }
    };
    let rows_now = of.unwrap_or(0);
    match &check.kind {
        CheckKind::RowCount { min, max, change } => {
            let usual = change.and_then(|change| Some((change, median(&known.before)?)));
            let wrong = words::row_count(rows_now, (*min, *max), usual);
            all_or_nothing(wrong, &words::has_rows(rows_now))
        }
        CheckKind::Freshness { column: Some(column), max } => {
            let is_stale = counted == Some(0);
            let told = format!("no row has a `{column}` of the last {}", words::duration(*max));
            all_or_nothing(is_stale.then_some(told), "fresh")
        }
        CheckKind::Freshness { column: None, max } => {
            let is_old = |as_of: Timestamp| now.duration_since(as_of).unsigned_abs() > *max && as_of < now;
            let told = |as_of: Timestamp| {
                format!("its rows are of {as_of:.0}, which is more than {} ago", words::duration(*max))
            };
            let wrong = match known.as_of {
                Some(as_of) => is_old(as_of).then(|| told(as_of)),
                None => Some("nothing was published yet".to_owned()),
            };
            all_or_nothing(wrong, "fresh")
        }
        kind => {
            let rows = counted.unwrap_or(0);
            let message = words::failing(kind, rows, rows_now, other.as_ref());
            let status = check.options.verdict(rows, rows_now);
            Judged { rows: Some(rows), of, status, message, measures: Vec::new() }
        }
    }
}

/// The median of what the loads before had; `None`: too few to say.
fn median(before: &[u64]) -> Option<u64> {
    let mut sorted = before.to_vec();
    sorted.sort_unstable();
    (sorted.len() >= LOADS_MIN).then(|| sorted[sorted.len() / 2])
}

//! What checks found, in words: numbers and columns' names, never a row's value.

use std::time::Duration;

use crate::{config::CheckKind, sql::TableName};

pub(super) fn rows(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

pub(super) fn has_rows(count: u64) -> String {
    format!("it has {}", rows(count))
}

/// `26 h`.
pub(super) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// Rows that fail one by one.
pub(super) fn failing(kind: &CheckKind, failing: u64, of: u64, other: Option<&TableName>) -> String {
    let what = match kind {
        CheckKind::Unique(columns) => {
            format!("share {} with another row", names(columns))
        }
        CheckKind::NotNull(column) => format!("have no `{column}`"),
        CheckKind::AcceptedValues { column, .. } => format!("have a `{column}` that is not accepted"),
        CheckKind::Relationship { column, to, .. } => {
            let other = other.map(ToString::to_string).unwrap_or_default();
            format!("have a `{column}` that is no `{to}` of {other}")
        }
        CheckKind::Range { column, .. } => format!("have a `{column}` out of its range"),
        CheckKind::MatchSource { by_hash: true } => "are not as the source has them".to_owned(),
        CheckKind::MatchSource { by_hash: false } => "are too few or too many".to_owned(),
        CheckKind::RowCount { .. } | CheckKind::Freshness { .. } => "fail".to_owned(),
    };
    format!("{failing} of {} {what}", rows(of))
}

fn names(columns: &[String]) -> String {
    columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ")
}

/// What is wrong with a number of rows. `usual`: how far from what is usual it may be.
pub(super) fn row_count(
    count: u64,
    (min, max): (Option<u64>, Option<u64>),
    usual: Option<(f64, u64)>,
) -> Option<String> {
    let has = has_rows(count);
    if let Some(min) = min.filter(|min| count < *min) {
        return Some(format!("{has}, and at least {min} are expected"));
    }
    if let Some(max) = max.filter(|max| count > *max) {
        return Some(format!("{has}, and at most {max} are expected"));
    }
    let (change, usual) = usual?;
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact to the row")]
    let off = count.abs_diff(usual) as f64 / usual.max(1) as f64;
    let percent = change * 100.0;
    (off > change)
        .then(|| format!("{has}, more than {percent} % off {usual}, the median of the loads before"))
}

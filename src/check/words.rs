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
        CheckKind::RowCount { .. } | CheckKind::Freshness { .. } | CheckKind::Anomaly(_) => "fail".to_owned(),
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

/// In what a measure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Rows,
    Bytes,
    Seconds,
    Share,
}

impl Unit {
    pub(super) fn told(self, value: f64) -> String {
        match self {
            Self::Rows => format!("{value:.0}"),
            Self::Bytes => format!("{value:.1} bytes"),
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Seconds if value < 120.0 => format!("{value:.1} s"),
            Self::Seconds if value < 7200.0 => format!("{:.0} min", value / 60.0),
            Self::Seconds if value < 172_800.0 => format!("{:.1} h", value / 3600.0),
            Self::Seconds => format!("{:.1} days", value / 86_400.0),
        }
    }
}

/// What lies between these is as ever.
pub(super) fn expected(low: Option<f64>, high: Option<f64>, unit: Unit) -> String {
    let low = low.filter(|low| *low > 0.0);
    match (low, high) {
        (Some(low), Some(high)) if unit == Unit::Rows => {
            format!("expected are {} to {}", unit.told(low.ceil()), unit.told(high.floor()))
        }
        (Some(low), Some(high)) => format!("expected are {} to {}", unit.told(low), unit.told(high)),
        (Some(low), None) => format!("expected are at least {}", unit.told(low)),
        (None, Some(high)) => format!("expected are at most {}", unit.told(high.max(0.0))),
        (None, None) => "anything is expected".to_owned(),
    }
}

pub(super) fn too_little_history(days: usize, of: usize) -> String {
    format!("too little history: {days} of {of} days")
}

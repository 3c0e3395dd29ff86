//! `windows = "1d"`: time cut into spans, each of which is asked for by itself.

use std::time::Duration;

use jiff::{Timestamp, civil, tz::TimeZone};

use crate::config::Keys;

/// How time is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpWindows {
    /// How long a window is; whole days are days of `timezone`.
    pub length: Duration,
    /// Where days begin: a name that `jiff` knows.
    pub timezone: String,
    /// Whether the window that now is in is asked for, too.
    pub with_today: bool,
}

/// The least that one may span.
const LEAST: Duration = Duration::from_secs(1);

/// Reads `windows`: a time span, or a table of keys.
pub(super) fn read(keys: &Keys<'_>) -> Option<HttpWindows> {
    let (length, timezone, with_today) = if keys.is_table("windows") {
        let windows = keys.table("windows")?;
        let length = windows.duration("length");
        if !windows.has("length") {
            windows.missing("length", "length = \"1d\"");
        }
        let timezone = windows.string("timezone").unwrap_or_else(|| "UTC".to_owned());
        if TimeZone::get(&timezone).is_err() {
            windows.wrong("timezone", "is not a time zone like `Europe/London`");
        }
        let with_today = windows.boolean("today").unwrap_or(true);
        windows.finish();
        (length, timezone, with_today)
    } else {
        (keys.duration("windows"), "UTC".to_owned(), true)
    };
    let length = length?;
    if length < LEAST {
        keys.wrong("windows", "is less than a second");
    }
    Some(HttpWindows { length, timezone, with_today })
}

/// Reads `from`: a day, which begins in `timezone`, or a moment.
pub(super) fn from(keys: &Keys<'_>, timezone: &str) -> Option<Timestamp> {
    let text = keys.text_of("from", "a day like `2024-01-01`, or a moment like `2024-01-01T00:00:00Z`")?;
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let day = || text.parse::<civil::Date>().ok()?.to_zoned(zone).ok().map(|day| day.timestamp());
    let from = match text.contains('T') {
        true => text.parse::<Timestamp>().ok(),
        false => day(),
    };
    if from.is_none() {
        keys.wrong("from", "is no day like `2024-01-01`, and no moment like `2024-01-01T00:00:00Z`");
    }
    from
}

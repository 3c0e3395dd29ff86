//! `limits = { second = 5, day = 1000 }`: how often a service may be asked.

use jiff::tz::TimeZone;

use crate::config::Keys;

/// How often a service may be asked, over all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// In any second.
    pub second: Option<u32>,
    /// In any minute.
    pub minute: Option<u32>,
    /// In any hour.
    pub hour: Option<u32>,
    /// From midnight to midnight in `timezone`.
    pub day: Option<u32>,
    /// Where the service's day begins: a name that `jiff` knows.
    pub timezone: String,
}

impl HttpLimits {
    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        [self.second, self.minute, self.hour, self.day].iter().any(Option::is_some)
    }

    /// `5 a second, 1000 a day (America/New_York)`; empty where there are none.
    pub fn in_words(&self) -> String {
        let each = [(self.second, "second"), (self.minute, "minute"), (self.hour, "hour"), (self.day, "day")];
        let each = each.iter().filter_map(|(limit, span)| Some(format!("{} a {span}", (*limit)?)));
        let mut words = each.collect::<Vec<_>>().join(", ");
        if self.day.is_some() {
            words += &format!(" ({})", self.timezone);
        }
        words
    }
}

/// Reads `limits` and `limits_timezone`.
pub(super) fn read(keys: &Keys<'_>) -> HttpLimits {
    let timezone = keys.string("limits_timezone").unwrap_or_else(|| "UTC".to_owned());
    if TimeZone::get(&timezone).is_err() {
        keys.wrong("limits_timezone", "is not a time zone like `America/New_York`");
    }
    let mut limits = HttpLimits { second: None, minute: None, hour: None, day: None, timezone };
    let Some(table) = keys.table("limits") else { return limits };
    const MOST: u32 = 100_000_000;
    limits.second = table.number("second", 1..=MOST);
    limits.minute = table.number("minute", 1..=MOST);
    limits.hour = table.number("hour", 1..=MOST);
    limits.day = table.number("day", 1..=MOST);
    let said = [
        ("second", limits.second, 1),
        ("minute", limits.minute, 60),
        ("hour", limits.hour, 3_600),
        ("day", limits.day, 86_400),
    ];
    // One that a shorter one can never reach would be believed to hold something back.
    for (key, limit, seconds) in said {
        let is_less = |(_, other, span): &(&str, Option<u32>, u64)| match (limit, other) {
            (Some(limit), Some(other)) => *span < seconds && limit < *other,
            _ => false,
        };
        if let Some((shorter, _, _)) = said.iter().find(|other| is_less(other)) {
            table.wrong(key, format_args!("is less than `{shorter}`, which can so never be used up"));
        }
    }
    table.finish();
    limits
}

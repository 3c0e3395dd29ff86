//! Dates and times. Postgres writes them as ISO with a space, in UTC, which COPY reads.

use super::{Arrival, Case};
use crate::schema::{UnfitKind, UnfitPolicy};

/// `date`, `timestamp`, `timestamptz`. That COPY reads years of another length than four digits, or
/// those of before Christ, is documented nowhere, and no type there is infinite.
pub(super) fn time(name: &str) -> Arrival {
    let (there, first, last) = match name {
        "date" => ("date", "0001-01-01", "9999-12-31"),
        "timestamp" => ("timestamp", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
        _ => ("timestamptz", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"),
    };
    let (first, last) = (format!("'{first}'::{there}"), format!("'{last}'::{there}"));
    let nearest = format!("CASE WHEN $c < {first} THEN {first} ELSE {last} END");
    Arrival::of(there, "$c")
        .suspecting(
            format!("$c < {first} OR $c > {last}"),
            vec![Case::new(UnfitKind::FarDate, "true").or(UnfitPolicy::Clamp, nearest)],
        )
        .or_text()
}

/// `interval`, by ISO 8601: `P1Y2M3DT4H5M6.7S`. Written here, because the session's style is what
/// everything else is compared by.
pub(super) fn interval() -> Arrival {
    let part = |field: &str| format!("nullif(extract({field} FROM $c)::bigint, 0)");
    let second =
        "nullif(rtrim(rtrim(to_char(extract(second FROM $c)::numeric, 'FM90.999999'), '0'), '.'), '0')";
    let is_short =
        "extract(hour FROM $c) <> 0 OR extract(minute FROM $c) <> 0 OR extract(second FROM $c) <> 0";
    let written = format!(
        "coalesce(nullif(concat('P', {}||'Y', {}||'M', {}||'D', CASE WHEN {is_short} THEN 'T' END, {}||'H', {}||'M', {second}||'S'), 'P'), 'PT0S')",
        part("year"),
        part("month"),
        part("day"),
        part("hour"),
        part("minute"),
    );
    // Only since version 17 there are infinite ones, which have no parts.
    let value =
        format!("CASE WHEN $c::text LIKE '%infinity' THEN $c::text WHEN $c IS NOT NULL THEN {written} END");
    Arrival::of("varchar(64)", value)
}

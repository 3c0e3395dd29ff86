//! Dates and times as services write them.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    fmt::temporal::DateTimePrinter,
    tz::TimeZone,
};

use super::number::Number;

/// To the second, in the form of Postgres.
const PRINTER: DateTimePrinter = DateTimePrinter::new().separator(b' ').precision(Some(0));

/// `2026-11-29`, and nothing else.
pub(super) fn date(text: &str) -> Option<String> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date: Date = text.parse().ok().filter(|_| is_plain)?;
    (date.year() > 0).then(|| date.to_string())
}

/// A local time, in the form of Postgres.
pub(super) fn timestamp(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "is no time like 2026-11-29T08:00:00, without a zone";
    let (head, fraction) = split(text)?;
    let time: DateTime = head.parse().ok().filter(|time: &DateTime| time.year() > 0).ok_or(WRONG)?;
    Ok(PRINTER.datetime_to_string(&time) + &fraction)
}

/// A moment with its offset, in UTC and in the form of Postgres.
pub(super) fn moment(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "is no time like 2026-11-29T08:00:00Z, with its offset";
    let bytes = text.as_bytes();
    if !text.is_ascii() {
        return Err(WRONG);
    }
    let zone = match bytes.last() {
        Some(b'Z' | b'z') => text.len() - 1,
        _ => text.rfind(['+', '-']).filter(|at| *at > 16).ok_or(WRONG)?,
    };
    let (head, fraction) = split(&text[..zone])?;
    let offset = match &text[zone..] {
        "Z" | "z" => "Z".to_owned(),
        // `+0100` and `+01`, as some write.
        offset if offset.len() == 5 && !offset.contains(':') => format!("{}:{}", &offset[..3], &offset[3..]),
        offset if offset.len() == 3 => format!("{offset}:00"),
        offset => offset.to_owned(),
    };
    let moment: Timestamp = format!("{}{offset}", head.replace(' ', "T")).parse().map_err(|_| WRONG)?;
    written(moment, &fraction).ok_or(WRONG)
}

/// Seconds, or thousandths of them, since 1970.
pub(super) fn epoch(text: &str, decimals: i64) -> Result<String, &'static str> {
    const WRONG: &str = "is no number of seconds since 1970 that a time can be";
    let number = Number::read(text).ok_or(WRONG)?;
    if number.decimals() + decimals > 6 {
        return Err("is a time with more than six decimals");
    }
    let plain = number.plain();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let width = usize::try_from(6 - decimals).unwrap_or(0);
    let micros: i64 = format!("{whole}{fraction:0<width$}").parse().map_err(|_| WRONG)?;
    let moment = Timestamp::from_microsecond(micros).map_err(|_| WRONG)?;
    let fraction = match micros.rem_euclid(1_000_000) {
        0 => String::new(),
        rest => format!(".{rest:06}").trim_end_matches('0').to_owned(),
    };
    written(moment, &fraction).ok_or(WRONG)
}

/// `None`: before the first year, which Postgres writes otherwise.
fn written(moment: Timestamp, fraction: &str) -> Option<String> {
    let time = moment.to_zoned(TimeZone::UTC).datetime();
    (time.year() > 0).then(|| PRINTER.datetime_to_string(&time) + fraction + "+00")
}

/// A time without its fraction, and the fraction with its point and without zeros at its end.
fn split(text: &str) -> Result<(&str, String), &'static str> {
    let (head, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = head.len() == 19 && head.is_ascii() && matches!(head.as_bytes()[10], b'T' | b't' | b' ');
    if !is_plain || !fraction.bytes().all(|byte| byte.is_ascii_digit()) || text.ends_with('.') {
        return Err("is no time like 2026-11-29T08:00:00");
    }
    // A minute's sixty-first second is nobody's.
    if &head[17..] == "60" {
        return Err("is a leap second, which no column holds");
    }
    match fraction.trim_end_matches('0') {
        "" => Ok((head, String::new())),
        fraction if fraction.len() > 6 => Err("is a time with more than six decimals"),
        fraction => Ok((head, format!(".{fraction}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        for (text, written) in [
            ("2026-11-29T08:00:00Z", "2026-11-29 08:00:00+00"),
            ("2026-11-29T08:00:00.120000+01:00", "2026-11-29 07:00:00.12+00"),
            ("2026-11-29 00:30:00-0830", "2026-11-29 09:00:00+00"),
            ("2026-11-29T08:00:00.123456000Z", "2026-11-29 08:00:00.123456+00"),
            ("1969-12-31T23:59:59.5z", "1969-12-31 23:59:59.5+00"),
        ] {
            assert_eq!(moment(text).as_deref(), Ok(written), "{text}");
        }
        for wrong in [
            "2026-11-29T08:00:00",
            "2026-11-29",
            "2026-11-29T08:00:00.1234567Z",
            "2026-02-30T00:00:00Z",
            "",
            "2026-11-29T08:00Z",
            "2026-11-29T08:00:60Z",
            "2026-11-29T08:00:00.Z",
            // Letters that lie across the places where it is parted.
            "2026-11-29T08:00é0Z",
            "2026-11-29T08:00:00+1é1",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "heute",
            "2026-11-29T24:00:00Z",
            "ääääääääääääääääää+01",
        ] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn local_times_have_no_zone_and_dates_no_time() {
        assert_eq!(timestamp("2026-11-29T08:00:00.50").as_deref(), Ok("2026-11-29 08:00:00.5"));
        assert!(timestamp("2026-11-29T08:00:00Z").is_err() && timestamp("2026-11-29").is_err());
        assert_eq!(date("2026-02-28").as_deref(), Some("2026-02-28"));
        for wrong in ["2026-02-30", "2026-2-3", "20260203", "2026-02-28T00:00:00", "0000-01-01", "-001-01-01"]
        {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn seconds_since_1970_are_exact() {
        assert_eq!(epoch("1", 0).as_deref(), Ok("1970-01-01 00:00:01+00"));
        assert_eq!(epoch("1700000000.25", 0).as_deref(), Ok("2023-11-14 22:13:20.25+00"));
        assert_eq!(epoch("1700000000123", 3).as_deref(), Ok("2023-11-14 22:13:20.123+00"));
        assert_eq!(epoch("-0.5", 0).as_deref(), Ok("1969-12-31 23:59:59.5+00"));
        assert_eq!(epoch("1.7e9", 0).as_deref(), Ok("2023-11-14 22:13:20+00"));
        for wrong in ["1e30", "1.1234567", "x", ""] {
            assert!(epoch(wrong, 0).is_err(), "{wrong}");
        }
    }
}

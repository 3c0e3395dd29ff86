//! Days and moments as COPY reads them by its defaults and by 'auto' (§1.5). Only what is sure: years of
//! four digits, a blank between day and time, at most six digits of a second, an offset in hours and minutes.

use super::values::Refusal;

fn number(text: &str, digits: usize) -> Option<u32> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        _ => 31,
    }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    match (number(year, 4), number(month, 2), number(day, 2)) {
        (Some(year), Some(month), Some(day)) => {
            year > 0 && (1..=12).contains(&month) && day > 0 && day <= days_of(year, month)
        }
        _ => false,
    }
}

fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<_> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else { return false };
    let below = |text: &str, end: u32| number(text, 2).is_some_and(|number| number < end);
    let fits = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    below(hours, 24) && below(minutes, 60) && below(seconds, 60) && fits
}

fn is_offset(text: &str) -> bool {
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "00"));
    number(hours, 2).is_some_and(|hours| hours < 16) && number(minutes, 2).is_some_and(|minutes| minutes < 60)
}

pub(super) fn date(field: &str) -> Result<String, Refusal> {
    if is_day(field) {
        return Ok(field.to_owned());
    }
    Err((1205, "Invalid Date Format - length must be 10 or more".to_owned()))
}

/// A TIMESTAMP ignores the offset; a TIMESTAMPTZ without one is in UTC.
pub(super) fn timestamp(field: &str, keeps_zone: bool) -> Result<String, Refusal> {
    let refused = || (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]".to_owned());
    let (day, rest) = field.split_once(' ').unwrap_or((field, "00:00:00"));
    let at = rest.find(['+', '-']);
    let (time, offset) = at.map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let offset_fits = offset.is_none_or(|offset| is_offset(&offset[1..]));
    if !is_day(day) || !is_time(time.trim_end()) || !offset_fits {
        return Err(refused());
    }
    Ok(match offset {
        Some(offset) if keeps_zone => format!("{day} {time}{offset}"),
        None if keeps_zone => format!("{day} {time}+00"),
        _ => format!("{day} {time}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{date, timestamp};

    #[test]
    fn what_is_a_day() {
        for field in ["2024-02-29", "0001-01-01", "9999-12-31"] {
            assert!(date(field).is_ok(), "{field}");
        }
        for field in
            ["2023-02-29", "2024-13-01", "0000-01-01", "10000-01-01", "24-01-01", "2024-1-1", "infinity"]
        {
            assert!(date(field).is_err(), "{field}");
        }
    }

    #[test]
    fn what_is_a_moment() {
        let with_zone = |field| timestamp(field, true);
        assert_eq!(with_zone("2024-01-31 23:59:59.5+02").as_deref(), Ok("2024-01-31 23:59:59.5+02"));
        assert_eq!(with_zone("2024-01-31 23:59:59").as_deref(), Ok("2024-01-31 23:59:59+00"));
        assert_eq!(with_zone("2024-01-31").as_deref(), Ok("2024-01-31 00:00:00+00"));
        assert_eq!(timestamp("2024-01-31 23:59:59-05:30", false).as_deref(), Ok("2024-01-31 23:59:59"));
        for field in [
            "2024-01-31T23:59:59",
            "2024-01-31 24:00:00",
            "2024-01-31 23:59:60",
            "2024-01-31 23:59:59.1234567",
            "2024-01-31 23:59",
            "2024-01-31 23:59:59+02:30:15",
            "2024-01-31 23:59:59 BC",
            "-infinity",
        ] {
            assert!(with_zone(field).is_err(), "{field}");
        }
    }
}

//! Time spans and sizes as people write them: `30m`, `30 minutes`, `20 GB`.

use std::time::Duration;

/// A time span, or `None`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// A share as `5 %` or `0.5%`, from 0 to 1, or `None`.
pub(super) fn share(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    (unit == "%" && number <= 100.0).then_some(number / 100.0)
}

/// A size in bytes, or `None`. `GB` and `GiB` are the same: 1024³, as Postgres has it.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => 0,
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" => 30,
        "tb" | "tib" => 40,
        _ => return None,
    };
    let bytes = number * 2_f64.powi(shift);
    // Far more than any disk; below it every whole number of bytes is exact enough.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    (0.0..1e18).contains(&bytes).then_some(bytes as u64)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [("30m", 1800.0), ("30 minutes", 1800.0), ("1.5h", 5400.0), ("300ms", 0.3)] {
            assert_eq!(duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "30", "m", "-1m", "1 fortnight", "1e300 d", "1..2s", "9999999999999999999999 w"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn shares_are_read_as_people_write_them() {
        assert_eq!(share("5 %"), Some(0.05));
        assert_eq!(share("100%"), Some(1.0));
        for text in ["5", "101 %", "-1 %", "% 5"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("20 GB"), Some(20 << 30));
        assert_eq!(size("1.5kB"), Some(1536));
        assert_eq!(size("20"), None);
        assert_eq!(size("99999999 TB"), None);
    }
}

//! Numbers as people read them: rows, bytes, durations. Pure.

/// Every digit, in groups of three: `12,402`.
pub(crate) fn exact(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two digits or three: `999`, `3.1 M`, `212 k`.
pub(crate) fn short(number: u64) -> String {
    scaled(number as f64, 1000.0, &["", " k", " M", " G", " T"])
}

/// A size in decimal units, as disks and S3 are billed: `9.1 MB`.
pub(crate) fn bytes(number: u64) -> String {
    scaled(number as f64, 1000.0, &[" B", " kB", " MB", " GB", " TB", " PB"])
}

/// `0.4 s`, `41 s`, `2 min 5 s`, `3 h 10 min`, `4 d 6 h`.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => pair(whole, 60, "min", 1, "s"),
        3_600..86_400 => pair(whole, 3_600, "h", 60, "min"),
        _ => pair(whole, 86_400, "d", 3_600, "h"),
    }
}

/// The greater unit and what is left in the lesser one, without a zero.
fn pair(whole: u64, greater: u64, greater_name: &str, lesser: u64, lesser_name: &str) -> String {
    let rest = whole % greater / lesser;
    if rest == 0 {
        format!("{} {greater_name}", whole / greater)
    } else {
        format!("{} {greater_name} {rest} {lesser_name}", whole / greater)
    }
}

/// A singular or a plural: `1 task`, `11 tasks`.
pub(crate) fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{} {word}s", exact(number as u64)) }
}

fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // 999.5 of one unit would be written as 1000 of it.
    while number >= step - 0.5 && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    if unit == 0 || number >= 9.95 {
        format!("{number:.0}{}", units[unit])
    } else {
        format!("{number:.1}{}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        let written = [0, 999, 1_000, 12_402, 1_234_567].map(exact);
        assert_eq!(written, ["0", "999", "1,000", "12,402", "1,234,567"]);
    }

    #[test]
    fn counts_keep_two_or_three_digits() {
        let written = [0, 999, 1_000, 3_140_000, 212_400, 999_600, 99_960].map(short);
        assert_eq!(written, ["0", "999", "1.0 k", "3.1 M", "212 k", "1.0 M", "100 k"]);
        assert_eq!(bytes(u64::MAX), "18447 PB");
        assert_eq!(bytes(9_123_456), "9.1 MB");
        assert_eq!(bytes(12), "12 B");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let written = [0.04, 1.25, 9.96, 59.4, 59.6, 125.0, 3_600.0, 11_400.0, 367_200.0].map(duration);
        assert_eq!(
            written,
            ["0.0 s", "1.2 s", "10 s", "59 s", "1 min", "2 min 5 s", "1 h", "3 h 10 min", "4 d 6 h"]
        );
    }

    #[test]
    fn words_agree_with_their_number() {
        assert_eq!(
            [count(1, "task"), count(0, "task"), count(1_100, "row")],
            ["1 task", "0 tasks", "1,100 rows"]
        );
    }
}

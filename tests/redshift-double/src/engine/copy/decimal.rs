//! Decimals: excess digits after the point are cut off, or rounded with ROUNDEC (§1.5).

use super::values::Refusal;

pub(super) fn decimal(field: &str, precision: usize, scale: usize, round: bool) -> Result<String, Refusal> {
    let unsigned = field.strip_prefix(['-', '+']).unwrap_or(field);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err((1209, "Invalid decimal number".to_owned()));
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(scale).collect();
    let mut digits = format!("{whole}{kept}").into_bytes();
    if round && fraction.as_bytes().get(scale).is_some_and(|next| *next >= b'5') {
        increment(&mut digits);
    }
    let digits = String::from_utf8_lossy(&digits).trim_start_matches('0').to_owned();
    // Of up to 19 digits it is an integer of 8 bytes (§4).
    let fits =
        digits.len() <= precision && (precision > 19 || digits.is_empty() || digits.parse::<i64>().is_ok());
    if !fits {
        return Err((1204, "Numeric data overflow (result precision)".to_owned()));
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let sign = if field.starts_with('-') { "-" } else { "" };
    Ok(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// One more, in the last place.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn excess_digits_are_cut_or_rounded() {
        for (field, cut, rounded) in [
            ("1.239", "1.23", "1.24"),
            ("-1.239", "-1.23", "-1.24"),
            ("+0.995", "0.99", "1.00"),
            ("9.999", "9.99", "10.00"),
            (".5", "0.50", "0.50"),
            ("5.", "5.00", "5.00"),
            ("00012", "12.00", "12.00"),
        ] {
            assert_eq!(decimal(field, 5, 2, false).as_deref(), Ok(cut));
            assert_eq!(decimal(field, 5, 2, true).as_deref(), Ok(rounded));
        }
    }

    #[test]
    fn what_does_not_fit() {
        let code = |field, precision, scale| decimal(field, precision, scale, true).map_err(|(code, _)| code);
        assert_eq!(code("1000", 5, 2), Err(1204));
        assert_eq!(code("999.995", 5, 2), Err(1204));
        assert_eq!(code("9223372036854775807", 19, 0), Ok("9223372036854775807".to_owned()));
        assert_eq!(code("9223372036854775808", 19, 0), Err(1204));
        assert_eq!(code("9223372036854775808", 20, 0), Ok("9223372036854775808".to_owned()));
        for field in ["", ".", "-", "1e3", "1,5", "NaN", "1.2.3", "--1"] {
            assert_eq!(code(field, 5, 2), Err(1209), "{field}");
        }
    }
}

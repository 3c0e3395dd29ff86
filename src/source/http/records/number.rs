//! Numbers as they are written, digit by digit.

/// A number: `digits × 10^-scale`, without needless zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// No leading zero; empty is nought.
    digits: String,
    /// How many of them are behind the point; negative: so many zeros follow.
    scale: i64,
}

/// Farther away from the point no digit is looked at: no column holds it.
const FAR: u64 = 100_000;

impl Number {
    /// Reads one as JSON writes it; `None`: it is none, or too far from nought or too fine for any column.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let mut digits = format!("{whole}{fraction}");
        // What is beyond 64 bits is beyond each column too.
        let mut scale = i64::try_from(fraction.len()).ok()?.saturating_sub(exponent);
        let kept = digits.trim_end_matches('0').len();
        scale = scale.saturating_sub(i64::try_from(digits.len() - kept).ok()?);
        digits.truncate(kept);
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, scale: 0 });
        }
        (scale.unsigned_abs() <= FAR).then_some(Self { negative, digits, scale })
    }

    /// How many digits are before the point.
    pub(super) fn whole_digits(&self) -> i64 {
        (i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - self.scale).max(0)
    }

    /// How many digits are behind it.
    pub(super) fn decimals(&self) -> i64 {
        self.scale.max(0)
    }

    /// Without an exponent.
    pub(super) fn plain(&self) -> String {
        let (digits, scale) = (&self.digits, self.scale);
        let mut text = String::with_capacity(digits.len() + 8);
        if self.negative {
            text.push('-');
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        if digits.is_empty() {
            text.push('0');
        } else if scale <= 0 {
            text.push_str(digits);
            text.push_str(&zeros(-scale));
        } else {
            let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
            if count > scale {
                let at = usize::try_from(count - scale).unwrap_or(0);
                text.push_str(&digits[..at]);
                text.push('.');
                text.push_str(&digits[at..]);
            } else {
                text.push_str("0.");
                text.push_str(&zeros(scale - count));
                text.push_str(digits);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_all_their_digits() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("12345678901234567890.1234567890", "12345678901234567890.123456789"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("-120e-1", "-12"),
            ("0.10", "0.1"),
            ("100", "100"),
            ("00.5", "0.5"),
        ] {
            assert_eq!(Number::read(text).map(|number| number.plain()).as_deref(), Some(plain), "{text}");
        }
        for none in ["", "-", "1.", ".5", "1e", "0x1", "NaN", "1 ", "1e999999999999", "1e200000", "+1", "1_0"]
        {
            assert_eq!(Number::read(none), None, "{none}");
        }
    }

    #[test]
    fn digits_before_and_behind_the_point_are_counted() {
        let of = |text: &str| Number::read(text).map(|number| (number.whole_digits(), number.decimals()));
        assert_eq!(of("123.450"), Some((3, 2)));
        assert_eq!(of("0.001"), Some((0, 3)));
        assert_eq!(of("5e4"), Some((5, 0)));
    }

    proptest::proptest! {
        #[test]
        fn a_number_without_exponent_is_read_as_the_same_again(whole in 0_i128.., decimals in 0_u32..20, exponent in -30_i32..30) {
            let text = format!("{whole}.{decimals:05}e{exponent}");
            let number = Number::read(&text).expect("it is one");
            proptest::prop_assert_eq!(Number::read(&number.plain()), Some(number));
        }
    }
}

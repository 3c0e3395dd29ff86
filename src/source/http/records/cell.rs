//! From a value as it is written to the text that a column of a type has in CSV.

use std::borrow::Cow;

use super::{
    column::ColumnType,
    json::{kind, string, unfit},
    number::Number,
    time,
};

/// A value's text; `None`: NULL. An error is what is wrong with it.
pub type Cell<'a> = Option<Cow<'a, str>>;

const NUL: &str = "is a text with NUL, which no warehouse holds";

/// Of a JSON text.
pub(super) fn of_json(column_type: ColumnType, raw: &str) -> Result<Cell<'_>, Cow<'static, str>> {
    let first = raw.as_bytes().first();
    match (first, column_type) {
        (Some(b'n'), _) => Ok(None),
        (_, ColumnType::Jsonb) => match unfit(raw) {
            Some(what) => Err(what.into()),
            None => Ok(Some(raw.into())),
        },
        (Some(b'"'), _) => match string(raw) {
            Ok(Cow::Borrowed(text)) => of_text(column_type, text),
            Ok(Cow::Owned(text)) => {
                of_text(column_type, &text).map(|cell| cell.map(|text| text.into_owned().into()))
            }
            Err(_) => Err("is a string with half a surrogate pair".into()),
        },
        (Some(b'{' | b'['), _) => Err(format!("is {}, which only jsonb takes", kind(raw)).into()),
        (Some(b't' | b'f'), ColumnType::Text) => Ok(Some(raw.into())),
        (Some(b't' | b'f'), ColumnType::Boolean) => of_text(column_type, raw),
        (Some(b't' | b'f'), _) => Err(format!("is true or false, and no {}", column_type.word()).into()),
        (_, ColumnType::Text) => Ok(Some(raw.into())),
        (
            _,
            ColumnType::Boolean
            | ColumnType::Date
            | ColumnType::Timestamp
            | ColumnType::TimestampTz
            | ColumnType::Uuid,
        ) => Err(format!("is a number, and no {}", column_type.word()).into()),
        (_, _) => of_text(column_type, raw),
    }
}

/// Of a field of CSV.
pub(super) fn of_csv(column_type: ColumnType, field: &str) -> Result<Cell<'_>, Cow<'static, str>> {
    match (field, column_type) {
        ("", ColumnType::Text) => Ok(Some("".into())),
        ("", _) => Ok(None),
        (_, ColumnType::Jsonb) => match serde_json::from_str::<serde::de::IgnoredAny>(field) {
            Err(_) => Err("is no JSON".into()),
            Ok(_) => of_json(column_type, field.trim()),
        },
        (field, _) => of_text(column_type, field),
    }
}

/// Of the text in a string or a field.
fn of_text(column_type: ColumnType, text: &str) -> Result<Cell<'_>, Cow<'static, str>> {
    let wrong = || Cow::from(format!("is no {}", column_type.word()));
    Ok(Some(match column_type {
        ColumnType::Text if text.contains('\0') => return Err(NUL.into()),
        ColumnType::Text | ColumnType::Jsonb => text.into(),
        ColumnType::SmallInt => whole(text, i64::from(i16::MIN), i64::from(i16::MAX), wrong)?,
        ColumnType::Integer => whole(text, i64::from(i32::MIN), i64::from(i32::MAX), wrong)?,
        ColumnType::BigInt => whole(text, i64::MIN, i64::MAX, wrong)?,
        ColumnType::Numeric(digits) => {
            let number = Number::read(text).ok_or_else(wrong)?;
            refuse_digits(&number, digits.or(Some(NUMERIC_MAX)))?;
            // As it is written: zeros at its end tell how exact it is.
            if text.contains(['e', 'E']) { number.plain().into() } else { text.into() }
        }
        ColumnType::Double => match text.parse::<f64>() {
            Ok(number) if number.is_finite() && Number::read(text).is_some() => text.into(),
            Ok(number) if Number::read(text).is_some() || number.is_infinite() => {
                return Err("is larger than a double can be".into());
            }
            _ => return Err(wrong()),
        },
        ColumnType::Boolean => match text {
            "true" => "t".into(),
            "false" => "f".into(),
            _ => return Err(wrong()),
        },
        ColumnType::Date => time::date(text).ok_or("is no date like 2026-11-29")?.into(),
        ColumnType::Timestamp => time::timestamp(text)?.into(),
        ColumnType::TimestampTz => time::moment(text)?.into(),
        ColumnType::Epoch(decimals) => time::epoch(text, i64::from(decimals))?.into(),
        ColumnType::Uuid => uuid(text).ok_or_else(wrong)?,
    }))
}

/// More digits Postgres does not hold where none are said: 131,072 before the point and 16,383 behind it.
pub(super) const NUMERIC_MAX: (u16, u16) = (u16::MAX, 16_383);

/// Refuses a number with more digits than `numeric(p,s)` has.
pub(super) fn refuse_digits(number: &Number, digits: Option<(u16, u16)>) -> Result<(), Cow<'static, str>> {
    let Some((precision, scale)) = digits else { return Ok(()) };
    if number.decimals() > i64::from(scale) {
        return Err(format!("has more than {scale} decimals").into());
    }
    let whole = precision - scale;
    match number.whole_digits() > i64::from(whole) {
        true => Err(format!("has more than {whole} digits before the point").into()),
        false => Ok(()),
    }
}

fn whole(
    text: &str,
    least: i64,
    greatest: i64,
    wrong: impl Fn() -> Cow<'static, str>,
) -> Result<Cow<'_, str>, Cow<'static, str>> {
    let is_plain = text.len() < 18
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let number = match is_plain {
        true => text.parse::<i64>().map_err(|_| wrong())?,
        false => {
            let number = Number::read(text).ok_or_else(&wrong)?;
            if number.decimals() > 0 {
                return Err("has decimals".into());
            }
            number.plain().parse::<i64>().map_err(|_| Cow::from("is out of range"))?
        }
    };
    if !(least..=greatest).contains(&number) {
        return Err("is out of range".into());
    }
    Ok(if is_plain { text.into() } else { number.to_string().into() })
}

fn uuid(text: &str) -> Option<Cow<'_, str>> {
    let is_one = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_one.then(|| text.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(word: &str, raw: &str) -> Result<Option<String>, String> {
        let column_type = ColumnType::of_word(word);
        of_json(column_type, raw).map(|cell| cell.map(Cow::into_owned)).map_err(Cow::into_owned)
    }

    #[test]
    fn a_value_goes_into_a_column_only_as_it_is() {
        for (word, raw, text) in [
            ("text", r#""a \"b\" \u00e4\ud83d\ude00""#, "a \"b\" ä😀"),
            ("text", "12345678901234567890.10", "12345678901234567890.10"),
            ("text", "true", "true"),
            ("text", "\"\"", ""),
            ("bigint", "9223372036854775807", "9223372036854775807"),
            ("bigint", "9007199254740993", "9007199254740993"),
            ("bigint", "\"-12\"", "-12"),
            ("integer", "3.0", "3"),
            ("integer", "2e3", "2000"),
            ("smallint", "-32768", "-32768"),
            ("numeric", "0.1234567890123456789012345678901", "0.1234567890123456789012345678901"),
            ("numeric(5,2)", "\"123.40\"", "123.40"),
            ("numeric", "1.20e1", "12"),
            ("double precision", "1e-7", "1e-7"),
            ("boolean", "true", "t"),
            ("boolean", "\"false\"", "f"),
            ("date", "\"2026-11-29\"", "2026-11-29"),
            ("timestamptz", "\"2026-11-29T08:00:00+02:00\"", "2026-11-29 06:00:00+00"),
            ("timestamptz epoch_ms", "1700000000123", "2023-11-14 22:13:20.123+00"),
            ("uuid", "\"6F9619FF-8B86-D011-B42D-00CF4FC964FF\"", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
            ("jsonb", r#"{"n": 12345678901234567890.123}"#, r#"{"n": 12345678901234567890.123}"#),
            ("jsonb", "\"x\"", "\"x\""),
        ] {
            assert_eq!(cell(word, raw), Ok(Some(text.to_owned())), "{word} {raw}");
            assert_eq!(cell(word, "null"), Ok(None));
        }
    }

    #[test]
    fn what_does_not_fit_is_told_without_the_value() {
        for (word, raw, what) in [
            ("text", r#"{"a":1}"#, "is an object, which only jsonb takes"),
            ("text", r#""a\u0000""#, NUL),
            ("text", r#""\ud800""#, "is a string with half a surrogate pair"),
            ("bigint", "9223372036854775808", "is out of range"),
            ("integer", "2147483648", "is out of range"),
            ("integer", "1.5", "has decimals"),
            ("integer", "\"\"", "is no integer"),
            ("integer", "\"12a\"", "is no integer"),
            ("integer", "true", "is true or false, and no integer"),
            ("numeric(5,2)", "1.234", "has more than 2 decimals"),
            ("numeric(5,2)", "1234", "has more than 3 digits before the point"),
            ("numeric", "\"NaN\"", "is no numeric"),
            ("double precision", "1e999", "is larger than a double can be"),
            ("double precision", "\"Infinity\"", "is larger than a double can be"),
            ("boolean", "1", "is a number, and no boolean"),
            ("boolean", "\"yes\"", "is no boolean"),
            ("date", "\"29.11.2026\"", "is no date like 2026-11-29"),
            ("date", "20261129", "is a number, and no date"),
            ("uuid", "\"x\"", "is no uuid"),
            ("jsonb", r#"["\u0000"]"#, "holds JSON with \\u0000"),
        ] {
            assert_eq!(cell(word, raw), Err(what.to_owned()), "{word} {raw}");
        }
    }

    #[test]
    fn an_empty_field_of_csv_is_null_but_in_a_text() {
        let of = |word: &str, field| {
            of_csv(ColumnType::of_word(word), field).map(|cell| cell.map(Cow::into_owned))
        };
        assert_eq!(of("text", ""), Ok(Some(String::new())));
        assert_eq!(of("bigint", ""), Ok(None));
        assert_eq!(of("bigint", "7"), Ok(Some("7".into())));
        assert_eq!(of("jsonb", " {\"a\":1} "), Ok(Some("{\"a\":1}".into())));
        assert!(of("jsonb", "{a}").is_err() && of("bigint", " 7").is_err());
    }
}

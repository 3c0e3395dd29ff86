//! A field's bytes to a value, by the rules of COPY (§1.4, §1.5). The value is text for Postgres.

use super::columns::Kind;
use crate::sql::copy::Options;

/// Why a field is refused: code and reason of `stl_load_errors` (§1.7).
pub(super) type Refusal = (i32, String);

fn refuse<T>(code: i32, reason: impl Into<String>) -> Result<T, Refusal> {
    Err((code, reason.into()))
}

/// The matrix of §1.4: whether quotes were around the field means nothing.
fn is_null(field: &[u8], kind: Kind, options: &Options) -> bool {
    let null = options.null_as.as_deref().unwrap_or("\\N").as_bytes();
    let is_blank = field.iter().all(|byte| *byte == b' ' || *byte == b'\t');
    if kind.is_text() {
        field == null
            || (field.is_empty() && options.empty_as_null)
            || (!field.is_empty() && is_blank && options.blanks_as_null)
    } else {
        // An empty field of any other type is NULL in any case.
        is_blank || field == null
    }
}

/// The value: `None` is NULL.
pub(super) fn value(field: &[u8], kind: Kind, options: &Options) -> Result<Option<String>, Refusal> {
    if is_null(field, kind, options) {
        return Ok(None);
    }
    if kind.is_text() {
        return text(field, kind, options).map(Some);
    }
    let field = match std::str::from_utf8(field) {
        Ok(field) => field,
        Err(_) => return refuse(1220, bad_utf8(field)),
    };
    if kind == Kind::Super {
        return super_value(field).map(Some);
    }
    let field = field.trim_matches([' ', '\t']);
    match kind {
        Kind::Whole(least, most) => whole(field, least, most),
        Kind::Decimal { precision, scale } => super::decimal::decimal(field, precision, scale, options.round),
        Kind::Real => float(field, true),
        Kind::Double => float(field, false),
        Kind::Boolean => boolean(field),
        Kind::Date => super::times::date(field),
        Kind::Timestamp => super::times::timestamp(field, false),
        Kind::TimestampTz => super::times::timestamp(field, true),
        Kind::Varbyte(length) => varbyte(field, length),
        Kind::Char(_) | Kind::Varchar(_) | Kind::Super | Kind::Unconfirmed => {
            refuse(1223, "how COPY reads a time of day is unconfirmed: load it as VARCHAR")
        }
    }
    .map(Some)
}

fn bad_utf8(field: &[u8]) -> String {
    let at = std::str::from_utf8(field).err().map_or(0, |error| error.valid_up_to());
    let byte = field.get(at).copied().unwrap_or_default();
    format!(
        "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {byte:02x} (error 1)"
    )
}

/// Lengths are bytes; blanks over the length are dropped in silence (§1.5).
fn text(field: &[u8], kind: Kind, options: &Options) -> Result<String, Refusal> {
    let (length, is_char) = match kind {
        Kind::Char(length) => (length, true),
        Kind::Varchar(length) => (length, false),
        _ => (0, false),
    };
    if is_char && !field.is_ascii() {
        return refuse(1215, "Multibyte character not supported for CHAR (Hint: try using VARCHAR)");
    }
    let mut text = match std::str::from_utf8(field) {
        Ok(text) => text.to_owned(),
        Err(_) => match options.accept_invalid {
            Some(replacement) => replaced(field, replacement),
            None => return refuse(1220, bad_utf8(field)),
        },
    };
    if options.trim_blanks {
        text.truncate(text.trim_end_matches(' ').len());
    }
    if text.len() > length {
        let excess = text.as_bytes()[length..].iter().all(|byte| *byte == b' ');
        if !excess && !options.truncate {
            return refuse(1204, "Char length exceeds DDL length");
        }
        let end = (0..=length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    Ok(text)
}

/// Each bad byte becomes one replacement.
fn replaced(field: &[u8], replacement: u8) -> String {
    let mut text = String::new();
    for chunk in field.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::from(replacement)));
    }
    text
}

fn whole(field: &str, least: i64, most: i64) -> Result<String, Refusal> {
    let digits = field.strip_prefix(['-', '+']).unwrap_or(field);
    if let Some(at) = digits.find(|c: char| !c.is_ascii_digit()) {
        let wrong: String = digits[at..].chars().take(1).collect();
        return refuse(1207, format!("Invalid digit, Value '{wrong}', Pos {at}, Type: Integer"));
    }
    if digits.is_empty() {
        return refuse(1207, "Invalid digit, Type: Integer");
    }
    match field.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
        _ => refuse(1222, "Overflow for the type of the column"),
    }
}

/// NaN and infinities are unconfirmed, so refused.
fn float(field: &str, is_real: bool) -> Result<String, Refusal> {
    let plain = field.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    let number = field.parse::<f64>().ok().filter(|number| plain && number.is_finite());
    match number {
        Some(number) if is_real && number.abs() > f64::from(f32::MAX) => {
            refuse(1204, "Value out of range for 4 bytes")
        }
        Some(_) => Ok(field.to_owned()),
        None => refuse(1208, "Invalid floating-point number"),
    }
}

fn boolean(field: &str) -> Result<String, Refusal> {
    match field.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" | "y" | "yes" => Ok("t".to_owned()),
        "f" | "false" | "0" | "n" | "no" => Ok("f".to_owned()),
        _ => refuse(1210, "Unknown boolean format"),
    }
}

/// Bare hexadecimal digits (§1.5).
fn varbyte(field: &str, length: usize) -> Result<String, Refusal> {
    if field.len() % 2 == 1 || !field.chars().all(|c| c.is_ascii_hexdigit()) {
        return refuse(1219, "Invalid hexadecimal digit");
    }
    if field.len() / 2 > length {
        return refuse(1204, "Value length exceeds DDL length");
    }
    Ok(format!("\\x{field}"))
}

/// The longest text inside of a SUPER (§4).
const MOST_LEAF_BYTES: usize = 65_535;
/// By CSV; the newer limit of 16 MB is unconfirmed for it (§4).
const MOST_SUPER_BYTES: usize = 1024 * 1024;

fn super_value(field: &str) -> Result<String, Refusal> {
    if field.len() > MOST_SUPER_BYTES {
        return refuse(1224, "SUPER value over 1 MB cannot be loaded from CSV");
    }
    let Ok(parsed) = serde_json::from_str::<serde_json::Value>(field) else {
        return refuse(1224, "Invalid JSON format for SUPER");
    };
    if !leaves_fit(&parsed) {
        return refuse(1224, "String value exceeds the max size of 65535 bytes");
    }
    if field.contains("\\u0000") {
        return refuse(1224, "Invalid JSON format for SUPER: \\u0000");
    }
    Ok(field.to_owned())
}

fn leaves_fit(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.len() <= MOST_LEAF_BYTES,
        serde_json::Value::Array(items) => items.iter().all(leaves_fit),
        serde_json::Value::Object(items) => items.values().all(leaves_fit),
        _ => true,
    }
}

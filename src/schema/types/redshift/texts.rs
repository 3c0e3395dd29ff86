//! Text and bytes: a VARCHAR is measured in bytes of UTF-8, and holds 65,535 of them.

use super::{Arrival, Case, varchar::VARCHAR_BYTES_MAX};
use crate::schema::{LookKind, UnfitKind, UnfitPolicy};

/// A character has at most four bytes in UTF-8. So many bytes of any server encoding cannot become
/// more than a VARCHAR holds, and their number is known without unpacking the value.
const BYTES_SURELY_FIT: u32 = VARCHAR_BYTES_MAX / 4;

/// What a VARBYTE is given: its documented limit is higher, that of a row in CSV is not much.
const VARBYTE_BYTES_MAX: u32 = 1_024_000;

/// `text`, `citext`.
pub(super) fn text() -> Arrival {
    bounded("$c", "$c")
}

/// Any other type by its text.
pub(super) fn as_text() -> Arrival {
    bounded("$c::text", "$c::text")
}

/// What is written by an expression.
pub(super) fn of(value: &str) -> Arrival {
    let text = format!("({value})::text");
    bounded(&text, &text)
}

/// `varchar(n)`: as many characters, of up to four bytes each.
pub(super) fn varchar(sql: &str) -> Arrival {
    match length(sql).and_then(in_bytes) {
        Some(bytes) => Arrival::of(format!("varchar({bytes})"), "$c"),
        None => text(),
    }
}

/// `char(n)`; the blanks at its end mean nothing.
pub(super) fn bpchar(sql: &str) -> Arrival {
    let fitting = length(sql).and_then(|characters| Some((characters, in_bytes(characters)?)));
    let Some((characters, bytes)) = fitting else { return as_text() };
    // To see that there are none costs less than to take none away.
    let value =
        format!("CASE WHEN pg_catalog.char_length($c) = {characters} THEN $c ELSE $c::text::bpchar END");
    Arrival::of(format!("varchar({bytes})"), value)
}

/// `bit(n)`, `bit varying(n)`: a digit a bit.
pub(super) fn bits(sql: &str) -> Arrival {
    match length(sql) {
        Some(bits) if bits <= VARCHAR_BYTES_MAX => Arrival::of(format!("varchar({bits})"), "$c"),
        _ => as_text(),
    }
}

/// `bytea`, as hex.
pub(super) fn bytea() -> Arrival {
    let too_long = Case::new(
        UnfitKind::TooLong { bytes_max: VARBYTE_BYTES_MAX },
        format!("octet_length($c) > {VARBYTE_BYTES_MAX}"),
    )
    .or(
        UnfitPolicy::Truncate,
        format!("pg_catalog.encode(substring($c FROM 1 FOR {VARBYTE_BYTES_MAX}), 'hex')"),
    );
    Arrival::of(format!("varbyte({VARBYTE_BYTES_MAX})"), "pg_catalog.encode($c, 'hex')")
        .suspecting(
            format!("octet_length($c) NOT BETWEEN 1 AND {VARBYTE_BYTES_MAX}"),
            vec![too_long, Case::new(UnfitKind::NoBytes, "true")],
        )
        .or_text()
}

/// `bytea` as text: the same hex in a VARCHAR.
pub(super) fn hex() -> Arrival {
    let bytes_max = VARCHAR_BYTES_MAX / 2;
    let too_long = Case::new(UnfitKind::TooLong { bytes_max }, "true");
    Arrival::of(format!("varchar({VARCHAR_BYTES_MAX})"), "pg_catalog.encode($c, 'hex')")
        .suspecting(format!("octet_length($c) > {bytes_max}"), vec![too_long])
}

/// A VARCHAR of the greatest size. `text` is SQL for the text that must fit into it.
fn bounded(value: &str, text: &str) -> Arrival {
    let too_long = Case::new(
        UnfitKind::TooLong { bytes_max: VARCHAR_BYTES_MAX },
        format!("octet_length({}) > {VARCHAR_BYTES_MAX}", in_utf8(text)),
    )
    .or(UnfitPolicy::Truncate, truncated(text));
    let is = format!("octet_length({text}) > {BYTES_SURELY_FIT}");
    Arrival::of(format!("varchar({VARCHAR_BYTES_MAX})"), value)
        .suspecting(is, vec![too_long])
        .seen_by(&[LookKind::LongText])
}

pub(super) fn in_utf8(text: &str) -> String {
    format!("pg_catalog.convert_to({text}, 'UTF8')")
}

/// The first 65,535 bytes, or up to three fewer: no character is cut in two. The bytes that go on with
/// a character begin with the bits 10.
fn truncated(text: &str) -> String {
    let bytes = in_utf8(text);
    let starts_at = |at: u32| format!("pg_catalog.get_byte({bytes}, {at}) & 192 <> 128");
    let end = VARCHAR_BYTES_MAX;
    format!(
        "pg_catalog.convert_from(substring({bytes} FROM 1 FOR CASE WHEN {} THEN {end} WHEN {} THEN {} WHEN {} THEN {} ELSE {} END), 'UTF8')",
        starts_at(end),
        starts_at(end - 1),
        end - 1,
        starts_at(end - 2),
        end - 2,
        end - 3,
    )
}

/// So many characters in bytes, if a VARCHAR holds so many.
fn in_bytes(characters: u32) -> Option<u32> {
    let bytes = characters.saturating_mul(4).min(VARCHAR_BYTES_MAX);
    (characters <= BYTES_SURELY_FIT).then_some(bytes)
}

/// The length in `character varying(30)`. `bit` alone is `bit(1)`; without a limit it is written `"bit"`.
fn length(sql: &str) -> Option<u32> {
    if sql == "bit" {
        return Some(1);
    }
    let (_, inside) = sql.split_once('(')?;
    inside.strip_suffix(')')?.parse().ok()
}

//! Values that are too long for the warehouse. The length of a row is known for nothing: only one that is long
//! enough is taken apart.

use crate::schema::{CsvForm, LongKind, VARCHAR_BYTES_MAX};

/// Counts what is too long in a row of CSV as Postgres writes it.
pub(super) fn count(row: &[u8], form: &CsvForm, counts: &mut [u64]) {
    if row.len() <= VARCHAR_BYTES_MAX as usize || form.long_values.is_empty() {
        return;
    }
    let values = values(row);
    for long in &form.long_values {
        let is_too_long = values.get(long.place).is_some_and(|value| match long.kind {
            LongKind::Text => is_long(value.len()),
            LongKind::JsonString => has_long_string(value),
        });
        if let Some(count) = counts.get_mut(long.number) {
            *count += u64::from(is_too_long);
        }
    }
}

fn is_long(bytes: usize) -> bool {
    bytes > VARCHAR_BYTES_MAX as usize
}

/// The values of a row. One that needs it is quoted, and a quote in it doubled.
fn values(row: &[u8]) -> Vec<Vec<u8>> {
    let mut values = vec![Vec::new()];
    let mut is_quoted = false;
    let mut bytes = row.strip_suffix(b"\n").unwrap_or(row).iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                values.last_mut().expect("there is always one").push(b'"');
            }
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => values.push(Vec::new()),
            byte => values.last_mut().expect("there is always one").push(byte),
        }
    }
    values
}

/// Whether a string in this JSON is too long, as it is without its escapes.
fn has_long_string(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'"', rest) {
        let inside = &rest[at + 1..];
        let mut end = 0;
        while inside.get(end).is_some_and(|byte| *byte != b'"') {
            end += if inside[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(inside.len());
        if is_long(end) {
            let quoted = &rest[at..(at + end + 2).min(rest.len())];
            let bytes = serde_json::from_slice::<String>(quoted).map_or(end, |string| string.len());
            if is_long(bytes) {
                return true;
            }
        }
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::LongValue;

    const MAX: usize = VARCHAR_BYTES_MAX as usize;

    /// What is counted of a row whose first value is text and whose third is JSON.
    fn counted(row: &str) -> [u64; 2] {
        let long_values = vec![
            LongValue { place: 0, kind: LongKind::Text, number: 0 },
            LongValue { place: 2, kind: LongKind::JsonString, number: 1 },
        ];
        let mut counts = [0; 2];
        count(row.as_bytes(), &CsvForm { long_values, ..CsvForm::default() }, &mut counts);
        counts
    }

    #[test]
    fn bytes_are_counted_and_neither_quotes_nor_other_values() {
        let text = |bytes: usize| format!("{},x,[]\n", "a".repeat(bytes));
        assert_eq!(counted(&text(MAX)), [0, 0]);
        assert_eq!(counted(&text(MAX + 1)), [1, 0]);
        let quoted = |inside: &str, after: &str| format!("\"{inside}\",x{after},[]\n");
        // Two bytes of CSV for each.
        assert_eq!(counted(&quoted(&"\"\"".repeat(MAX), "")), [0, 0]);
        assert_eq!(counted(&quoted(&"\"\"".repeat(MAX + 1), "")), [1, 0]);
        assert_eq!(counted(&quoted("a,b\nc", &"y".repeat(MAX + 1))), [0, 0]);
        assert_eq!(counted(&quoted(&"ä".repeat(MAX / 2), "")), [0, 0]);
        assert_eq!(counted(&quoted(&"ä".repeat(MAX / 2 + 1), "")), [1, 0]);
    }

    #[test]
    fn a_string_in_json_is_as_long_as_it_is_without_its_escapes() {
        let json =
            |inside: &str| format!("t,x,\"{{\"\"k\"\": [1, \"\"{inside}\"\"], \"\"l\"\": \"\"s\"\"}}\"\n");
        assert_eq!(counted(&json(&"a".repeat(MAX))), [0, 0]);
        assert_eq!(counted(&json(&"a".repeat(MAX + 1))), [0, 1]);
        assert_eq!(counted(&json(&"\\n".repeat(MAX))), [0, 0]);
        assert_eq!(counted(&json(&"\\n".repeat(MAX + 1))), [0, 1]);
        // An escaped quote ends nothing.
        assert_eq!(counted(&json(&"\\\"\"".repeat(MAX + 1))), [0, 1]);
        let short = "\"\"a\"\", ".repeat(MAX);
        assert_eq!(counted(&format!("t,x,\"[{short}0]\"\n")), [0, 0]);
    }

    #[test]
    fn json_that_breaks_off_ends_the_look() {
        for json in ["\"", "\"\\", "[\"a\", \"b"] {
            assert!(!has_long_string(json.as_bytes()), "{json}");
        }
    }
}

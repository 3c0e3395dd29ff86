//! Values that do not fit the warehouse, seen in rows that are read anyway. Few rows are taken apart: only one that
//! is long enough, or has the word in it.

use memchr::memmem::Finder;

use crate::schema::{Look, LookKind, VARCHAR_BYTES_MAX};

const NAN: &[u8] = b"NaN";
const INFINITY: &[u8] = b"Infinity";

/// What is looked for in a row.
pub(in crate::source) struct Looks {
    looks: Vec<Look>,
    words: Vec<Finder<'static>>,
    is_length_asked: bool,
}

impl Looks {
    pub(in crate::source) fn new(looks: &[Look]) -> Self {
        let asks = |kind| looks.iter().any(|look| look.kind == kind);
        let word = |(kind, word)| asks(kind).then(|| Finder::new(word));
        let words = [(LookKind::Nan, NAN), (LookKind::Infinity, INFINITY)];
        Self {
            words: words.into_iter().filter_map(word).collect(),
            is_length_asked: asks(LookKind::LongText) || asks(LookKind::LongJsonString),
            looks: looks.to_vec(),
        }
    }

    /// Counts what does not fit in a row of CSV as Postgres writes it.
    pub(in crate::source) fn count(&self, row: &[u8], counts: &mut [u64]) {
        let is_suspect = self.is_length_asked && is_long(row.len())
            || self.words.iter().any(|word| word.find(row).is_some());
        if !is_suspect {
            return;
        }
        let values = values(row);
        for look in &self.looks {
            let is_unfit = values.get(look.place).is_some_and(|value| match look.kind {
                LookKind::LongText => is_long(value.len()),
                LookKind::LongJsonString => has_long_string(value),
                LookKind::Nan => value == NAN,
                LookKind::Infinity => value.strip_prefix(b"-").unwrap_or(value) == INFINITY,
            });
            if let Some(count) = counts.get_mut(look.number) {
                *count += u64::from(is_unfit);
            }
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
    const MAX: usize = VARCHAR_BYTES_MAX as usize;

    /// What is counted of a row whose first value is text and whose third is JSON.
    fn counted(row: &str) -> [u64; 2] {
        let looks = [
            Look { place: 0, kind: LookKind::LongText, number: 0 },
            Look { place: 2, kind: LookKind::LongJsonString, number: 1 },
        ];
        let mut counts = [0; 2];
        Looks::new(&looks).count(row.as_bytes(), &mut counts);
        counts
    }

    #[test]
    fn a_word_is_counted_where_it_is_a_number() {
        let looks = [
            Look { place: 1, kind: LookKind::Nan, number: 0 },
            Look { place: 2, kind: LookKind::Nan, number: 1 },
            Look { place: 2, kind: LookKind::Infinity, number: 2 },
        ];
        let counted = |row: &str| {
            let mut counts = [0; 3];
            Looks::new(&looks).count(row.as_bytes(), &mut counts);
            counts
        };
        assert_eq!(counted("NaN,1,Infinity\n"), [0, 0, 1]);
        assert_eq!(counted("\"NaN,NaN\nNaN\",1,2\n"), [0, 0, 0]);
        assert_eq!(counted("x,NaN,-Infinity\n"), [1, 0, 1]);
        assert_eq!(counted("\"x\",\"NaN\",\"NaN\"\n"), [1, 1, 0]);
        assert_eq!(counted("x,1,NaNa\n"), [0, 0, 0]);
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

//! The row that COPY refused, looked up in its part: by its line, for its key.
//!
//! Keys are values, and a message holds none: but for whole numbers and uuids, which tell nothing of
//! anybody and are what a row is looked for by. Of other keys only the columns are named.

use super::dialect::folded;
use crate::{
    stage::{
        PartReader, SharedStage,
        manifest::{Manifest, Part},
    },
    warehouse::StagingSpec,
};

/// The key of a refused row in words, as far as it is known: ` (its key: id 17)`.
///
/// Whether Redshift counts lines or rows is said nowhere. So the key is told only where both are the same:
/// where no value before has an end of line in it.
pub(super) async fn key(
    (file, line): (&str, &str),
    spec: &StagingSpec,
    manifest: &Manifest,
    stage: &SharedStage,
) -> String {
    let part = manifest.parts.iter().find(|part| file.ends_with(part.key.as_str()));
    let (Some(part), Ok(line)) = (part, line.parse::<u64>()) else { return String::new() };
    let places: Option<Vec<usize>> = manifest
        .key
        .iter()
        .map(|name| manifest.columns.iter().position(|column| folded(column) == folded(name)))
        .collect();
    let Some(places) = places.filter(|places| !places.is_empty()) else { return String::new() };
    let names = manifest.key.join(", ");
    let Some(told) = told(spec, manifest) else { return format!(" (its key, {names}, is not shown)") };
    // It is for people: if the part cannot be read, what failed is told all the same.
    let row = fields_at(part, line, manifest, stage).await.unwrap_or_default();
    let named = places.iter().zip(&manifest.key).zip(told);
    let words: Option<Vec<String>> = named
        .map(|((place, name), told)| {
            row.get(*place).filter(|value| told(value)).map(|value| format!("{name} {value}"))
        })
        .collect();
    match words {
        Some(words) => format!(" (its key: {})", words.join(", ")),
        None => format!(" (its key, {names}, is not known)"),
    }
}

/// Which values of a column are told.
type IsTold = fn(&str) -> bool;

/// Of each column of the key which values of it are told, by its type; `None` where one has a type of which
/// none are.
fn told(spec: &StagingSpec, manifest: &Manifest) -> Option<Vec<IsTold>> {
    let told = |name: &String| {
        let column = spec.columns.iter().find(|column| folded(&column.name) == folded(name))?;
        match column.sql_type.as_str() {
            "smallint" | "integer" | "bigint" => Some(is_number as IsTold),
            // A uuid arrives so, and other texts may.
            "varchar(36)" => Some(is_uuid as IsTold),
            _ => None,
        }
    };
    manifest.key.iter().map(told).collect()
}

/// The fields of the row that is the line, if each row before has one line.
async fn fields_at(part: &Part, line: u64, manifest: &Manifest, stage: &SharedStage) -> Option<Vec<String>> {
    let mut reader = PartReader::open(stage, part, manifest.compression).await.ok()?;
    let mut rows = Rows::new(line);
    while let Some(chunk) = reader.next().await.ok()? {
        if let Some(found) = rows.read(&chunk) {
            return found;
        }
    }
    None
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Reads CSV as Postgres writes it, up to one row.
struct Rows {
    wanted: u64,
    line: u64,
    in_quotes: bool,
    /// A quote was met within quotes: the end of them, or one that stands for itself.
    after_quote: bool,
    field: Vec<u8>,
    fields: Vec<String>,
}

impl Rows {
    fn new(wanted: u64) -> Self {
        Self { wanted, line: 1, in_quotes: false, after_quote: false, field: Vec::new(), fields: Vec::new() }
    }

    /// `Some` once there is an answer: the row's fields, or that they cannot be told.
    fn read(&mut self, chunk: &[u8]) -> Option<Option<Vec<String>>> {
        for byte in chunk {
            if self.in_quotes && !self.after_quote {
                match byte {
                    b'"' => self.after_quote = true,
                    b'\n' if self.line < self.wanted => return Some(None),
                    byte => self.keep(*byte),
                }
                continue;
            }
            match byte {
                // After a quote within quotes: one that stands for itself.
                b'"' if self.after_quote => {
                    self.after_quote = false;
                    self.keep(b'"');
                }
                b'"' => self.in_quotes = true,
                byte => {
                    (self.in_quotes, self.after_quote) = (false, false);
                    match byte {
                        b',' => self.end_field(),
                        b'\n' => {
                            self.end_field();
                            if self.line == self.wanted {
                                return Some(Some(std::mem::take(&mut self.fields)));
                            }
                            self.line += 1;
                        }
                        byte => self.keep(*byte),
                    }
                }
            }
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        if self.line == self.wanted {
            self.field.push(byte);
        }
    }

    fn end_field(&mut self) {
        if self.line == self.wanted {
            self.fields.push(String::from_utf8_lossy(&std::mem::take(&mut self.field)).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer, and that it is the same however the bytes come.
    fn row(csv: &str, line: u64) -> Option<Vec<String>> {
        let whole = Rows::new(line).read(csv.as_bytes()).flatten();
        let mut rows = Rows::new(line);
        let by_byte = csv.bytes().find_map(|byte| rows.read(&[byte])).flatten();
        assert_eq!(whole, by_byte, "{csv}");
        whole
    }

    #[test]
    fn a_row_is_found_by_its_line() {
        let csv = "1,a,\"x, \"\"y\"\"\"\n2,\"b\",\n-3,c,\"two\nlines\"\n4,d,e\n";
        assert_eq!(row(csv, 1).unwrap(), ["1", "a", "x, \"y\""]);
        assert_eq!(row(csv, 2).unwrap(), ["2", "b", ""]);
        assert_eq!(row(csv, 3).unwrap(), ["-3", "c", "two\nlines"]);
        assert_eq!(row(csv, 4), None, "lines and rows are not the same any more");
        assert_eq!(row(csv, 9), None);
    }

    #[test]
    fn only_numbers_and_uuids_are_told() {
        for told in ["7", "-17", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] {
            assert!(is_number(told) || is_uuid(told), "{told}");
        }
        for secret in ["", "-", "zoe@example.com", "12a", "4111111111111111 ", "deadbeef-1"] {
            assert!(!is_number(secret) && !is_uuid(secret), "{secret}");
        }
    }
}

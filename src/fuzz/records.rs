//! What a service answers: JSON by a path, NDJSON and CSV, into rows. A row's line is read back as the cells that it was
//! made of, by rules written anew here; numbers are numbers of their type; records are counted as they are given. What is
//! no row is told without a value. What is suggested for a loader is TOML of just these columns.

use super::{SECRET, fuzz, outcome};
use crate::{
    schema::CsvForm,
    source::http::{
        Media,
        records::{
            self, ColumnSpec, ColumnType, Record, RecordsError, RecordsPath, RowWriter, Seen, ValuePath,
            each_record,
        },
    },
};

const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "false",
    "\"id\":",
    "\"text\":",
    "\"at\":",
    "\"data\":",
    "\"doc\":",
    "\\u0000",
    "\\ud800",
    "\\ude00",
    "\\\"",
    "\\\\",
    "1e5",
    "1e-5",
    "1000000e9223372036854775807",
    "0.00e-9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999",
    "\"2026-11-29\"",
    "\"2026-02-30\"",
    "\"2026-11-29T08:00:00.1234567+14:00\"",
    "\"9999-12-31T23:59:59-23:59\"",
    "\"0000-01-01T00:00:00Z\"",
    "-62135596800",
    "253402300800",
    "\"2026-06-30T23:59:60Z\"",
    "\"6F9619FF-8B86-D011-B42D-00CF4FC964FF\"",
    "\\.",
    "\"\"",
    ",,",
    "\n",
    "\r\n",
    "hunter2",
    "NaN",
    "Infinity",
    "{}",
    "\"\":",
    "\"a b\":",
    "\"a'b\\\\\":",
    "\"\\u001b\":",
];

/// How a body is read, by an input's first byte.
const WAYS: [(Media, &str); 8] = [
    (Media::Json, "$"),
    (Media::Json, "$[*]"),
    (Media::Json, "$.data[*]"),
    (Media::Json, "$..id"),
    (Media::Json, "$.data[?@.id > 1]"),
    (Media::Ndjson, "$"),
    (Media::Ndjson, "$.data[*]"),
    (Media::Csv, "$"),
];

const COLUMNS: [(&str, &str, &str); 14] = [
    ("id", "$.id", "bigint"),
    ("small", "$.id", "smallint"),
    ("text", "$.text", "text"),
    ("n", "$.n", "numeric"),
    ("money", "$.n", "numeric(12,2)"),
    ("x", "$.n", "double precision"),
    ("ok", "$.ok", "boolean"),
    ("day", "$.day", "date"),
    ("local", "$.local", "timestamp"),
    ("at", "$.at", "timestamptz"),
    ("seconds", "$.s", "timestamptz epoch"),
    ("uuid", "$.uuid", "uuid"),
    ("doc", "$.doc", "jsonb"),
    ("deep", "$.doc.a[1]", "jsonb"),
];

#[test]
fn records() {
    fuzz("records", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    let Some((first, body)) = input.split_first() else { return 0 };
    let (media, path) = WAYS[usize::from(*first) % WAYS.len()];
    let path = RecordsPath::read(path).expect("a path");
    let columns: Vec<ColumnSpec> = COLUMNS.into_iter().map(column).collect();
    let csv = match first / 64 {
        0 => CsvForm::default(),
        _ => CsvForm {
            null: "\\N".to_owned(),
            quote_all: true,
            row_bytes_max: Some(4_000),
            ..CsvForm::default()
        },
    };
    let (mut writer, mut seen) = (RowWriter::new(&columns, &[], &csv, 0), Seen::default());
    let (mut count, mut told) = (0, String::new());
    let read = each_record(body, media, &path, |record| {
        count += 1;
        told.push_str(&row(&mut writer, record, &csv));
        seen.see(record);
        suggested(record);
        Ok::<(), RecordsError>(())
    });
    match &read {
        Ok(()) => assert_eq!(records::count(body, media, &path, &[]), Ok(count)),
        Err(error) => told.push_str(&error.to_string()),
    }
    // The names of CSV's fields are told where two are the same.
    if !matches!(read, Err(RecordsError::Twice { .. })) {
        assert!(!told.contains(SECRET), "{told}");
    }
    let _ = seen.against(columns.iter());
    outcome(&told)
}

fn column((name, path, word): (&str, &str, &str)) -> ColumnSpec {
    ColumnSpec {
        name: name.to_owned(),
        path: ValuePath::read(path).expect("a path"),
        column_type: ColumnType::of_word(word),
        nullable: name != "id",
        hash: false,
    }
}

/// Holds a row against its line; what is wrong with it, in words.
fn row(writer: &mut RowWriter, record: Record<'_>, csv: &CsvForm) -> String {
    let cells = match writer.cells(record) {
        Ok(cells) => cells,
        Err(rejected) => return rejected.to_string(),
    };
    for (cell, (name, _, word)) in cells.iter().zip(COLUMNS) {
        let Some(text) = cell else { continue };
        assert!(!text.contains('\0'), "{name}");
        let is_it = match word {
            "smallint" => text.parse::<i16>().is_ok_and(|number| number.to_string() == **text),
            "bigint" => text.parse::<i64>().is_ok_and(|number| number.to_string() == **text),
            "numeric" | "numeric(12,2)" => {
                text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
                    && text.parse::<f64>().is_ok()
            }
            "double precision" => text.parse::<f64>().is_ok_and(f64::is_finite),
            "boolean" => matches!(&**text, "t" | "f"),
            "date" => text.parse::<jiff::civil::Date>().is_ok(),
            "timestamp" => text.parse::<jiff::civil::DateTime>().is_ok(),
            "timestamptz" | "timestamptz epoch" => text.parse::<jiff::Timestamp>().is_ok(),
            "uuid" => text.len() == 36 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()),
            "jsonb" => serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok(),
            _ => true,
        };
        assert!(is_it, "a {word} in {name}: {text:?}");
        // Postgres knows neither a year nought nor one before it by a minus.
        let is_time = word.starts_with("date") || word.starts_with("timestamp");
        assert!(
            !is_time || !text.starts_with("0000") && !text.starts_with('-'),
            "a {word} in {name}: {text:?}"
        );
    }
    let mut line = Vec::new();
    if let Err(rejected) = writer.line(&cells, &mut line) {
        assert!(line.is_empty());
        return rejected.to_string();
    }
    let line = String::from_utf8(line).expect("a line is text");
    let expected: Vec<Option<String>> = cells.iter().map(|cell| cell.as_deref().map(str::to_owned)).collect();
    assert_eq!(values(line.strip_suffix('\n').expect("a line ends"), &csv.null), expected, "{line:?}");
    String::new()
}

/// The values of a line of CSV, by COPY's rules: what is not quoted and is what stands for NULL is NULL.
fn values(line: &str, null: &str) -> Vec<Option<String>> {
    let (mut values, mut rest) = (Vec::new(), line);
    loop {
        let value = match rest.strip_prefix('"') {
            None => {
                let (value, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                rest = after;
                assert!(!value.contains(['"', '\n', '\r']), "{line:?}");
                (value != null).then(|| value.to_owned())
            }
            Some(mut inside) => {
                let mut value = String::new();
                loop {
                    let (piece, after) =
                        inside.split_once('"').unwrap_or_else(|| panic!("it does not end: {line:?}"));
                    value.push_str(piece);
                    match after.strip_prefix('"') {
                        Some(more) => {
                            value.push('"');
                            inside = more;
                        }
                        None => {
                            rest = after;
                            break Some(value);
                        }
                    }
                }
            }
        };
        values.push(value);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest.is_empty() => return values,
            None => panic!("something stands behind a quote: {line:?}"),
        }
    }
}

/// `discover` makes a loader's row of a record: TOML, with a path to each field, whatever it is called.
fn suggested(record: Record<'_>) {
    let Ok(inferred) = records::infer([record]) else { return };
    let text = format!("t = {{ {} }}\n", inferred.toml());
    let document: toml_edit::DocumentMut = text.parse().unwrap_or_else(|error| panic!("{error}: {text:?}"));
    let columns = document["t"]["columns"].as_inline_table().expect("a table");
    assert_eq!(columns.len(), inferred.columns.len(), "{text:?}");
    for ((name, found, _), (key, value)) in inferred.columns.iter().zip(columns.iter()) {
        assert_eq!(name, key);
        let value = value.as_str().expect("a text");
        let (word, path) = match value.find('$') {
            Some(at) => (value[..at].trim(), Some(value[at..].trim())),
            None => (value, None),
        };
        assert_eq!(ColumnType::of_word(word), *found, "{text:?}");
        if let (Some(path), Record::Json(json)) = (path, record) {
            let path = ValuePath::read(path).unwrap_or_else(|error| panic!("{error}: {text:?}"));
            assert_ne!(path.of(json), Ok(None), "{text:?}");
        }
    }
}

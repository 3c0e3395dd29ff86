//! What columns some records have: a suggestion, for a person to read before it is fixed.

use std::collections::{BTreeMap, BTreeSet};

use super::{ColumnType, Record, RecordsError, cell, json};

/// What was found in some records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The columns: name, type, and whether it may be NULL; in the order in which fields came.
    pub columns: Vec<(String, ColumnType, bool)>,
    /// What may be the key: a field in each record, each time with another value.
    pub key: Vec<String>,
    /// Where no field is that: two that are together. It may be chance.
    pub pair: Option<[String; 2]>,
    /// How many records were looked at.
    pub records: u64,
}

/// From the narrowest to the widest, as far as text can tell.
const OF_TEXT: [ColumnType; 5] =
    [ColumnType::Uuid, ColumnType::Date, ColumnType::TimestampTz, ColumnType::Timestamp, ColumnType::Text];

const OF_NUMBER: [ColumnType; 3] = [ColumnType::BigInt, ColumnType::Numeric(None), ColumnType::Text];

/// Each takes a walk through all records.
const PAIRS_MAX: usize = 100;

#[derive(Default)]
struct Field {
    order: usize,
    times: u64,
    has_null: bool,
    texts: u64,
    numbers: u64,
    flags: u64,
    nested: u64,
    /// Types that each value so far was one of.
    fits: Vec<ColumnType>,
    /// Those of texts and numbers, by record.
    values: Vec<String>,
}

/// Looks at records. Those that are no objects have no columns.
pub fn infer<'a>(records: impl IntoIterator<Item = Record<'a>>) -> Result<Inferred, RecordsError> {
    let (mut fields, mut count) = (BTreeMap::<String, Field>::new(), 0);
    for record in records {
        count += 1;
        match record {
            Record::Json(text) if text.starts_with('{') => {
                json::each_field(text, |name, raw| see(&mut fields, name, raw))?;
            }
            Record::Json(_) => {}
            Record::Csv { names, values } => {
                for (name, value) in names.iter().zip(values) {
                    // As JSON would have it.
                    match value {
                        "" => see(&mut fields, name, "null"),
                        value => see_text(&mut fields, name, value),
                    }
                }
            }
        }
    }
    let mut sorted: Vec<(String, Field)> = fields.into_iter().collect();
    sorted.sort_by_key(|(_, field)| field.order);
    let is_full =
        |field: &Field| field.times == count && !field.has_null && field.values.len() as u64 == count;
    let is_key =
        |field: &Field| is_full(field) && field.values.iter().collect::<BTreeSet<_>>().len() as u64 == count;
    let by_name = |name: &str| sorted.iter().find(|(own, field)| own == name && is_key(field));
    let key = by_name("id").or_else(|| {
        sorted.iter().find(|(name, field)| (name.ends_with("_id") || name.ends_with("Id")) && is_key(field))
    });
    // A number with digits behind the point is what was measured.
    let names: Vec<_> = sorted
        .iter()
        .filter(|(_, field)| is_full(field) && field.column_type() != ColumnType::Numeric(None))
        .collect();
    let pairs =
        names.iter().enumerate().flat_map(|(at, one)| names[at + 1..].iter().map(move |two| (one, two)));
    let pair = pairs.take(PAIRS_MAX).find(|((_, one), (_, two))| {
        let both: BTreeSet<_> = one.values.iter().zip(&two.values).collect();
        both.len() as u64 == count
    });
    let pair = pair.map(|((one, _), (two, _))| [one.clone(), two.clone()]);
    Ok(Inferred {
        pair: pair.filter(|_| key.is_none() && count > 1),
        key: key.map(|(name, _)| vec![name.clone()]).unwrap_or_default(),
        columns: sorted
            .iter()
            .map(|(name, field)| (name.clone(), field.column_type(), field.has_null || field.times < count))
            .collect(),
        records: count,
    })
}

fn field<'f>(fields: &'f mut BTreeMap<String, Field>, name: &str) -> &'f mut Field {
    let order = fields.len();
    fields.entry(name.to_owned()).or_insert_with(|| Field { order, ..Field::default() })
}

fn see(fields: &mut BTreeMap<String, Field>, name: &str, raw: &str) {
    let field = field(fields, name);
    field.times += 1;
    match raw.as_bytes().first() {
        Some(b'n') => field.has_null = true,
        Some(b'{' | b'[') => field.nested += 1,
        Some(b't' | b'f') => field.flags += 1,
        Some(b'"') => field.one(raw, &OF_TEXT, |field| &mut field.texts),
        _ => field.one(raw, &OF_NUMBER, |field| &mut field.numbers),
    }
}

fn see_text(fields: &mut BTreeMap<String, Field>, name: &str, text: &str) {
    let field = field(fields, name);
    field.times += 1;
    let is_number = cell::of_csv(ColumnType::Numeric(None), text).is_ok();
    match text {
        "true" | "false" => field.flags += 1,
        text if is_number => field.one(text, &OF_NUMBER, |field| &mut field.numbers),
        text => field.one(&serde_json::Value::from(text).to_string(), &OF_TEXT, |field| &mut field.texts),
    }
}

impl Field {
    fn one(&mut self, raw: &str, choices: &[ColumnType], count: impl Fn(&mut Self) -> &mut u64) {
        if *count(self) == 0 {
            self.fits.extend(choices);
        }
        *count(self) += 1;
        let is_other = |known: &ColumnType| choices.contains(known) && cell::of_json(*known, raw).is_err();
        self.fits.retain(|known| !is_other(known));
        self.values.push(raw.to_owned());
    }

    fn column_type(&self) -> ColumnType {
        match (self.nested, self.flags, self.numbers, self.texts) {
            (0, 0, 0, 0) => ColumnType::Text,
            (0, _, 0, 0) => ColumnType::Boolean,
            (0, 0, _, 0) | (0, 0, 0, _) => self.fits.first().copied().unwrap_or(ColumnType::Text),
            (0, ..) => ColumnType::Text,
            _ => ColumnType::Jsonb,
        }
    }
}

/// A name within the quotes of a JSON path, where control characters are written out (RFC 9535).
fn in_path(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '\\' | '\'' => text.extend(['\\', letter]),
            letter if letter.is_ascii_control() => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text
}

impl Inferred {
    /// As a loader's row says it: `columns = { id = "bigint", "a b" = "text" }`, and the key.
    pub fn toml(&self) -> String {
        let key = |name: &str| {
            let is_bare = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            // Not as a value: that may be written over several lines, which a key may not.
            if is_bare { name.to_owned() } else { toml_edit::Key::new(name).to_string() }
        };
        let path = |name: &str| {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.starts_with(|first: char| first.is_ascii_digit());
            if is_plain { String::new() } else { format!(" $['{}']", in_path(name)) }
        };
        let column = |(name, column_type, _): &(String, ColumnType, bool)| {
            let text = format!("{}{}", column_type.word(), path(name));
            format!("{} = {}", key(name), toml_edit::Value::from(text))
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        let names: Vec<String> =
            self.key.iter().map(|name| toml_edit::Value::from(name).to_string()).collect();
        match names.as_slice() {
            [] => format!("columns = {{ {} }}", columns.join(", ")),
            names => format!("columns = {{ {} }}, key = [{}]", columns.join(", "), names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_narrow_as_all_values_allow() {
        let records = [
            r#"{"id": 1, "n": 1, "day": "2026-01-01", "at": "2026-01-01T00:00:00Z", "ok": true, "x": 1, "doc": {}, "m": null, "a b": "x"}"#,
            r#"{"id": 2, "n": 1.5, "day": "2026-01-02", "at": "2026-01-01T00:00:00.1+01:00", "ok": false, "x": "y", "doc": 1, "late": 7}"#,
        ];
        let inferred = infer(records.map(Record::Json)).expect("it is JSON");
        assert_eq!(
            inferred.toml(),
            "columns = { id = \"bigint\", n = \"numeric\", day = \"date\", at = \"timestamptz\", ok = \"boolean\", \
             x = \"text\", doc = \"jsonb\", m = \"text\", \"a b\" = \"text $['a b']\", late = \"bigint\" }, key = [\"id\"]"
        );
        assert_eq!((inferred.records, inferred.columns[7].2, inferred.columns[0].2), (2, true, false));
    }

    #[test]
    fn csv_is_looked_at_by_its_texts() {
        let names = ["order_id", "n", "t"].map(str::to_owned);
        let rows =
            [["7", "1.5", "x"], ["8", "", "true"]].map(|row| csv_async::StringRecord::from(row.to_vec()));
        let records = rows.iter().map(|values| Record::Csv { names: &names, values });
        let inferred = infer(records).expect("it is CSV");
        assert_eq!(
            inferred.toml(),
            "columns = { order_id = \"bigint\", n = \"numeric\", t = \"text\" }, key = [\"order_id\"]"
        );
    }
}

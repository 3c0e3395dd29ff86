//! Which fields records have: what a service adds or leaves out is to be seen.

use std::collections::BTreeSet;

use super::{ColumnSpec, Record, json};
use crate::schema::Fields;

/// So many records of a collection are looked at: a service adds a field to all of them, or seldom to one alone.
const RECORDS_MAX: u64 = 1_000;

/// With more of them names are data, and none of them is news.
const FIELDS_MAX: usize = 500;

/// The fields of the first records.
#[derive(Debug, Default)]
pub struct Seen {
    names: BTreeSet<String>,
    records: u64,
}

impl Seen {
    /// Looks at one record.
    pub fn see(&mut self, record: Record<'_>) {
        if self.records == RECORDS_MAX || self.names.len() > FIELDS_MAX {
            return;
        }
        self.records += 1;
        let mut one = |name: &str| {
            if !self.names.contains(name) {
                self.names.insert(name.to_owned());
            }
        };
        match record {
            // What cannot be read here is an error where its cells are made.
            Record::Json(text) if text.starts_with('{') => {
                let _ = json::each_field(text, |name, _| one(name));
            }
            Record::Json(_) => {}
            Record::Csv { names, .. } => names.iter().for_each(|name| one(name)),
        }
    }

    /// Held against the columns that take their values from records; `None` where nothing can be said.
    pub fn against<'a>(&self, columns: impl Iterator<Item = &'a ColumnSpec>) -> Option<Fields> {
        let taken: Vec<Option<&str>> = columns.map(|column| column.path.first_name()).collect();
        if self.records == 0 || self.names.len() > FIELDS_MAX {
            return None;
        }
        // A column of the whole record takes every field.
        let takes_all = taken.contains(&None);
        let is_taken = |name: &String| taken.contains(&Some(name.as_str()));
        let unlisted = self.names.iter().filter(|name| !takes_all && !is_taken(name)).cloned().collect();
        let absent: BTreeSet<&str> =
            taken.into_iter().flatten().filter(|name| !self.names.contains(*name)).collect();
        Some(Fields { unlisted, absent: absent.into_iter().map(str::to_owned).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::http::records::{ColumnType, ValuePath};

    fn column(path: &str) -> ColumnSpec {
        ColumnSpec {
            name: "c".to_owned(),
            path: ValuePath::read(path).expect("a path"),
            column_type: ColumnType::Text,
            nullable: true,
            hash: false,
        }
    }

    #[test]
    fn fields_that_no_column_takes_and_columns_without_a_field_are_seen() {
        let mut seen = Seen::default();
        for record in [r#"{"id": 1, "a": null}"#, r#"{"id": "x", "b": {"c": 1}}"#, "7"] {
            seen.see(Record::Json(record));
        }
        let columns = [column("$.id"), column("$.b.c"), column("$.gone"), column("$.gone.too")];
        let fields = seen.against(columns.iter()).expect("there are records");
        assert_eq!((fields.unlisted, fields.absent), (vec!["a".to_owned()], vec!["gone".to_owned()]));
        let whole = [column("$")];
        assert_eq!(seen.against(whole.iter()), Some(Fields::default()));
        assert_eq!(Seen::default().against(columns.iter()), None);
    }

    #[test]
    fn names_that_are_data_are_no_news() {
        let mut seen = Seen::default();
        let record = (0..600).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        seen.see(Record::Json(&format!("{{{record}}}")));
        assert_eq!(seen.against([column("$.id")].iter()), None);
    }
}

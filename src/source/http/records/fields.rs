//! Which fields the records have had: what a service adds, leaves out or writes in another way is to be seen.

use std::collections::BTreeMap;

use super::{Record, RecordsError, json};

/// So many different fields are looked at.
const FIELDS_MAX: usize = 2_000;

/// The kinds of values, each a bit.
const KINDS: [(&str, u8); 6] =
    [("null", 1), ("true or false", 2), ("a number", 4), ("a string", 8), ("a list", 16), ("an object", 32)];

/// The fields of some records, and of which kinds their values were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    by_name: BTreeMap<String, Seen>,
    records: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    kinds: u8,
    times: u64,
}

impl Fields {
    /// Looks at one record.
    pub fn see(&mut self, record: Record<'_>) -> Result<(), RecordsError> {
        self.records += 1;
        match record {
            Record::Json(text) if text.starts_with('{') => {
                json::each_field(text, |name, value| self.one(name, json::kind(value)))?;
            }
            Record::Json(_) => {}
            Record::Csv { names, .. } => names.iter().for_each(|name| self.one(name, "a string")),
        }
        match self.by_name.len() > FIELDS_MAX {
            true => Err(RecordsError::ManyFields { max: FIELDS_MAX }),
            false => Ok(()),
        }
    }

    fn one(&mut self, name: &str, kind: &str) {
        let bit = KINDS.iter().find(|(known, _)| *known == kind).map_or(0, |(_, bit)| *bit);
        let seen = match self.by_name.get_mut(name) {
            Some(seen) => seen,
            None => self.by_name.entry(name.to_owned()).or_default(),
        };
        seen.kinds |= bit;
        seen.times += 1;
    }

    /// The fields' names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The fields that none of these paths' first names takes.
    pub fn besides(&self, known: &[&str]) -> Vec<String> {
        self.names().filter(|name| !known.contains(name)).map(str::to_owned).collect()
    }

    /// Names that no record had, of these.
    pub fn missing(&self, known: &[&str]) -> Vec<String> {
        let is_missing = |name: &&&str| self.records > 0 && !self.by_name.contains_key(**name);
        known.iter().filter(is_missing).map(|name| (*name).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_missing_fields_are_seen() {
        let mut fields = Fields::default();
        for record in [r#"{"id": 1, "a": null}"#, r#"{"id": "x", "b": [1]}"#, "7"] {
            fields.see(Record::Json(record)).expect("they are few");
        }
        assert_eq!(fields.names().collect::<Vec<_>>(), ["a", "b", "id"]);
        assert_eq!(fields.besides(&["id"]), ["a", "b"]);
        assert_eq!(fields.missing(&["id", "gone"]), ["gone"]);
        assert_eq!(Fields::default().missing(&["id"]), Vec::<String>::new());
    }

    #[test]
    fn names_that_are_data_end_the_look() {
        let record =
            format!("{{{}}}", (0..2_001).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(
            Fields::default().see(Record::Json(&record)),
            Err(RecordsError::ManyFields { max: 2_000 })
        );
    }
}

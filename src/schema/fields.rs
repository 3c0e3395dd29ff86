//! Fields of records, where a schema's columns are said by the loader and not by the source.

use serde::{Deserialize, Serialize};

/// How records differ from what a table's columns take. What a column takes from deep in a record is known by the field
/// that it begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fields {
    /// Fields that no column takes.
    pub unlisted: Vec<String>,
    /// Fields of columns that no record has.
    pub absent: Vec<String>,
}

impl Fields {
    /// In what they differ in another way than before, in words.
    pub fn news(&self, before: &Self) -> Vec<String> {
        let new = |now: &[String], before: &[String]| -> Option<String> {
            let new = now.iter().filter(|name| !before.contains(name));
            let names: Vec<String> = new.map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let unlisted = new(&self.unlisted, &before.unlisted)
            .map(|names| format!("the records have new fields, which no column takes: {names}"));
        let absent = new(&self.absent, &before.absent)
            .map(|names| format!("no record has these fields any more, and their columns are NULL: {names}"));
        unlisted.into_iter().chain(absent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_before_is_no_news() {
        let fields = |unlisted: &[&str], absent: &[&str]| Fields {
            unlisted: unlisted.iter().map(|name| (*name).to_owned()).collect(),
            absent: absent.iter().map(|name| (*name).to_owned()).collect(),
        };
        let before = fields(&["a"], &["x"]);
        assert_eq!(before.news(&before), Vec::<String>::new());
        assert_eq!(fields(&[], &[]).news(&before), Vec::<String>::new());
        assert_eq!(
            fields(&["a", "b", "c"], &["x", "y"]).news(&before),
            [
                "the records have new fields, which no column takes: `b`, `c`",
                "no record has these fields any more, and their columns are NULL: `y`"
            ]
        );
    }
}

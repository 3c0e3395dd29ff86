//! Rows added to a file of `loaders/`, with everything that people wrote there left as it is.

use toml_edit::{DocumentMut, Item, Table, TableLike, TomlError, value};

use super::row::is_pattern;
use crate::error::{Class, Fault};

/// A table to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its name in the source.
    pub table: String,
    /// What stands behind it as a comment; one line.
    pub comment: String,
}

/// Why no row can be added to a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// The file is no TOML.
    #[error("{file} is no TOML")]
    NoToml {
        /// The file.
        file: String,
        /// Where and why.
        #[source]
        source: TomlError,
    },
    /// The table has a row.
    #[error("{file} has a row for `{table}` already")]
    HasRow {
        /// The file.
        file: String,
        /// The table.
        table: String,
    },
    /// `tables` is there, but holds no rows.
    #[error("`tables` of {file} is no table")]
    NoTable {
        /// The file.
        file: String,
    },
}

impl Fault for ListingError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// `text`, the content of `file` in `loaders/`, with rows of strategy `full` added at the end of
/// `[tables]`. A table that has a row already keeps it.
pub fn add_rows(file: &str, text: &str, rows: &[NewRow]) -> Result<String, ListingError> {
    let no_toml = |source| ListingError::NoToml { file: file.to_owned(), source };
    let mut document: DocumentMut = text.parse().map_err(no_toml)?;
    let tables = document.entry("tables").or_insert_with(|| Item::Table(Table::new()));
    // A comment ends its line, and an inline table has but one.
    let with_comments = !tables.is_inline_table();
    let Some(tables) = tables.as_table_like_mut() else {
        return Err(ListingError::NoTable { file: file.to_owned() });
    };
    insert(tables, rows, with_comments);
    Ok(document.to_string())
}

/// The rows alone, as they would stand below `[tables]`.
pub fn rows(rows: &[NewRow]) -> String {
    let mut document = DocumentMut::new();
    insert(document.as_table_mut(), rows, true);
    document.to_string()
}

/// The content of a new file of `loaders/`, without a row.
pub fn new_file(source: &str, schema: &str) -> String {
    let mut document = DocumentMut::new();
    document["source"] = value(source);
    document["schema"] = value(schema);
    document["tables"] = Item::Table(Table::new());
    document.to_string()
}

/// The content of a new file of `loaders/` for a service, without a row.
pub fn new_service_file(source: &str) -> String {
    let mut document = DocumentMut::new();
    document["source"] = value(source);
    document["tables"] = Item::Table(Table::new());
    document.to_string()
}

/// The row of a service's table alone; `row` is its value as TOML.
pub fn service_row(table: &str, row: &str) -> Result<String, ListingError> {
    add_service_row("", "", (table, row)).map(|text| text.trim_start_matches("[tables]\n").to_owned())
}

/// `text`, the content of `file` in `loaders/`, with a service's table added at the end of `[tables]`.
pub fn add_service_row(file: &str, text: &str, (table, row): (&str, &str)) -> Result<String, ListingError> {
    let no_toml = |source| ListingError::NoToml { file: file.to_owned(), source };
    let mut document: DocumentMut = text.parse().map_err(no_toml)?;
    let row: toml_edit::Value = row.parse().map_err(no_toml)?;
    let tables = document.entry("tables").or_insert_with(|| Item::Table(Table::new()));
    let Some(tables) = tables.as_table_like_mut() else {
        return Err(ListingError::NoTable { file: file.to_owned() });
    };
    if tables.contains_key(table) {
        return Err(ListingError::HasRow { file: file.to_owned(), table: table.to_owned() });
    }
    tables.insert(table, value(row));
    Ok(document.to_string())
}

fn insert(tables: &mut dyn TableLike, rows: &[NewRow], with_comments: bool) {
    for row in rows {
        let key = key(&row.table);
        if tables.contains_key(&key) {
            continue;
        }
        let mut full = value("full");
        if let (true, Some(value)) = (with_comments, full.as_value_mut()) {
            // A name in it may hold a newline, which would end the comment.
            let comment = row.comment.replace(char::is_control, " ");
            value.decor_mut().set_suffix(format!(" # {comment}"));
        }
        tables.insert(&key, full);
    }
}

/// What a row for just this table is called: a name that looks like a pattern is written as the
/// pattern that matches nothing else.
fn key(table: &str) -> String {
    if is_pattern(table) { globset::escape(&table.replace('\\', "\\\\")) } else { table.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &str) -> NewRow {
        NewRow { table: table.into(), comment: "12 kB; key id".into() }
    }

    fn added(text: &str, tables: &[&str]) -> String {
        let rows: Vec<_> = tables.iter().map(|table| row(table)).collect();
        add_rows("loaders/shop.toml", text, &rows).expect("valid TOML")
    }

    fn tables(text: &str) -> Vec<String> {
        let document: DocumentMut = text.parse().expect("valid TOML");
        let tables = document["tables"].as_table_like().expect("a table");
        tables.iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn what_people_wrote_stays_as_it_is() {
        let text = "# mine\nsource = \"shop\"   # here\n\n[tables]\norders = { strategy = 'full' } # hot\n\n[defaults]\nretries = 3\n";
        assert_eq!(
            added(text, &["orders", "Order Items"]),
            "# mine\nsource = \"shop\"   # here\n\n[tables]\norders = { strategy = 'full' } # hot\n\
             \"Order Items\" = \"full\" # 12 kB; key id\n\n[defaults]\nretries = 3\n"
        );
    }

    #[test]
    fn rows_are_added_however_the_others_are_written() {
        for text in [
            "tables = { orders = \"full\" }\n",
            "[tables]\norders = \"full\"",
            "[tables.orders]\nstrategy = \"full\"\n",
            "tables.orders = \"full\"\n",
        ] {
            assert_eq!(
                tables(&added(text, &["riders", "x y"])).len(),
                3,
                "{}",
                added(text, &["riders", "x y"])
            );
        }
        assert_eq!(tables(&added("source = \"shop\"\n", &["riders"])), ["riders"]);
    }

    #[test]
    fn a_new_file_takes_rows_with_any_name() {
        let text = added(&new_file("shop", "a\"b"), &["x\n.y", "z"]);
        let document: DocumentMut = text.parse().expect("valid TOML");
        assert_eq!(document["schema"].as_str(), Some("a\"b"));
        assert_eq!(tables(&text), ["x\n.y", "z"]);
    }

    #[test]
    fn a_name_like_a_pattern_lists_itself_alone() {
        let key = key("a*[b]\\");
        let matcher = globset::Glob::new(&key).expect("a valid pattern").compile_matcher();
        assert!(matcher.is_match("a*[b]\\") && !matcher.is_match("axb"), "{key}");
    }

    #[test]
    fn a_comment_never_ends_early() {
        let rows = rows(&[NewRow { table: "t".into(), comment: "key a\nb = 1".into() }]);
        assert_eq!(rows, "t = \"full\" # key a b = 1\n");
    }

    #[test]
    fn what_cannot_take_a_row_is_said() {
        let error = add_rows("loaders/a.toml", "tables = 3\n", &[row("t")]).expect_err("a number");
        assert_eq!(error.to_string(), "`tables` of loaders/a.toml is no table");
    }
}

//! Rows added to a file of `loaders/`, with everything that people wrote there left as it is.

use toml_edit::{DocumentMut, Item, Table, TomlError, value};

/// A table to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its name in the source.
    pub table: String,
    /// What stands behind it as a comment; one line.
    pub comment: String,
}

/// `text`, the content of a file in `loaders/`, with rows of strategy `full` added at the end of
/// `[tables]`. A table that has a row already keeps it.
pub fn add_rows(text: &str, rows: &[NewRow]) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    let tables = document.entry("tables").or_insert_with(|| Item::Table(Table::new()));
    if let Some(tables) = tables.as_table_like_mut() {
        for row in rows {
            if tables.contains_key(&row.table) {
                continue;
            }
            let mut full = value("full");
            if let Some(value) = full.as_value_mut() {
                value.decor_mut().set_suffix(format!(" # {}", row.comment));
            }
            tables.insert(&row.table, full);
        }
    }
    Ok(document.to_string())
}

/// The content of a new file of `loaders/`, without a row.
pub fn new_file(source: &str, schema: &str) -> String {
    let mut document = DocumentMut::new();
    document["source"] = value(source);
    document["schema"] = value(schema);
    document["tables"] = Item::Table(Table::new());
    document.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &str) -> NewRow {
        NewRow { table: table.into(), comment: "12 kB; key id".into() }
    }

    #[test]
    fn what_people_wrote_stays_as_it_is() {
        let text = "# mine\nsource = \"shop\"   # here\n\n[tables]\norders = { strategy = 'full' } # hot\n\n[defaults]\nretries = 3\n";
        let added = add_rows(text, &[row("orders"), row("Order Items")]).expect("valid TOML");
        assert_eq!(
            added,
            "# mine\nsource = \"shop\"   # here\n\n[tables]\norders = { strategy = 'full' } # hot\n\
             \"Order Items\" = \"full\" # 12 kB; key id\n\n[defaults]\nretries = 3\n"
        );
    }

    #[test]
    fn a_new_file_takes_rows_with_any_name() {
        let text = add_rows(&new_file("shop", "a\"b"), &[row("x\n.y"), row("z")]).expect("valid TOML");
        let read: DocumentMut = text.parse().expect("valid TOML");
        assert_eq!(read["schema"].as_str(), Some("a\"b"));
        assert_eq!(read["tables"]["x\n.y"].as_str(), Some("full"));
        assert_eq!(read["tables"]["z"].as_str(), Some("full"));
    }
}

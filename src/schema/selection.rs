//! Which columns of a table are loaded, and how: the loader's `columns`, `exclude`, `hash`, `key`.

use super::{Column, ColumnType, Generated, TableSchema, TypeKind};
use crate::{
    error::{Class, Fault},
    sql::TableName,
};

/// The settings of one loader. The default takes every column as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; `None`: all. The source's order stays.
    pub columns: Option<Vec<String>>,
    /// Not these: they never leave the source.
    pub exclude: Vec<String>,
    /// Of these only the SHA-256 leaves the source.
    pub hash: Vec<String>,
    /// The key, where the source's primary key is not to be it; empty: the source's.
    pub key: Vec<String>,
}

/// A table as a loader takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The selected columns, the hashed ones as [`TypeKind::Hashed`], and the key.
    pub schema: TableSchema,
    /// What people should know.
    pub notes: Vec<String>,
}

/// A loader's settings that do not fit the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// A setting names a column that the table does not have.
    #[error("`{setting}` names the column `{column}`, which the source's table {table} does not have")]
    UnknownColumn {
        /// The source's table.
        table: TableName,
        /// Which setting: `exclude`.
        setting: &'static str,
        /// The column as it is written there.
        column: String,
        /// The table's column whose name is nearest.
        nearest: Option<String>,
    },
    /// `key` names a column that is left out.
    #[error("`key` names the column `{column}` of the source's table {table}, which is left out")]
    KeyLeftOut {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// The table has columns and none of them is left.
    #[error("no column of the source's table {table} is left to load")]
    NothingLeft {
        /// The source's table.
        table: TableName,
    },
}

impl Fault for SelectionError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownColumn { nearest, .. } => {
                nearest.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
            Self::KeyLeftOut { .. } => {
                Some("load the column, by its hash if need be, or take it out of `key`".to_owned())
            }
            Self::NothingLeft { .. } => {
                Some("write \"skip\" for a table that is not to be loaded".to_owned())
            }
        }
    }
}

impl Selection {
    /// Applies the settings to `schema`, the source's table `table`.
    pub fn apply(&self, table: &TableName, schema: &TableSchema) -> Result<Selected, SelectionError> {
        self.refuse_unknown(table, schema)?;
        let columns: Vec<Column> = schema
            .columns
            .iter()
            .filter(|column| self.takes(&column.name))
            .map(|column| self.hashed_if_asked(column))
            .collect();
        if columns.is_empty() && !schema.columns.is_empty() {
            return Err(SelectionError::NothingLeft { table: table.clone() });
        }
        let (key, notes) = self.key(table, schema)?;
        let mut schema = TableSchema { kind: schema.kind, columns, key };
        for column in &mut schema.columns {
            // A key of the loader's own makes a primary key too, which allows no NULL.
            column.nullable &= !schema.key.contains(&column.name);
        }
        Ok(Selected { schema, notes })
    }

    fn takes(&self, name: &String) -> bool {
        self.columns.as_ref().is_none_or(|only| only.contains(name)) && !self.exclude.contains(name)
    }

    fn hashed_if_asked(&self, column: &Column) -> Column {
        if !self.hash.contains(&column.name) {
            return column.clone();
        }
        let of = column.column_type.clone();
        let column_type =
            ColumnType { sql: format!("sha256({of})"), kind: TypeKind::Hashed { of: Box::new(of) } };
        Column { column_type, generated: Generated::No, ..column.clone() }
    }

    fn key(
        &self,
        table: &TableName,
        schema: &TableSchema,
    ) -> Result<(Vec<String>, Vec<String>), SelectionError> {
        if let Some(column) = self.key.iter().find(|name| !self.takes(name)) {
            return Err(SelectionError::KeyLeftOut { table: table.clone(), column: column.clone() });
        }
        if !self.key.is_empty() {
            return Ok((self.key.clone(), Vec::new()));
        }
        match schema.key.iter().find(|name| !self.takes(name)) {
            Some(column) => {
                let note = format!("it arrives without a key: the key's column `{column}` is left out");
                Ok((Vec::new(), vec![note]))
            }
            None => Ok((schema.key.clone(), Vec::new())),
        }
    }

    fn refuse_unknown(&self, table: &TableName, schema: &TableSchema) -> Result<(), SelectionError> {
        let settings = [
            ("columns", self.columns.as_deref().unwrap_or_default()),
            ("exclude", &self.exclude),
            ("hash", &self.hash),
            ("key", &self.key),
        ];
        for (setting, names) in settings {
            if let Some(column) = names.iter().find(|name| schema.column(name).is_none()) {
                return Err(SelectionError::UnknownColumn {
                    table: table.clone(),
                    setting,
                    column: column.clone(),
                    nearest: nearest(column, schema),
                });
            }
        }
        Ok(())
    }
}

/// The column whose name is near enough to be what was meant.
pub(super) fn nearest(name: &str, schema: &TableSchema) -> Option<String> {
    schema
        .columns
        .iter()
        .map(|column| (strsim::normalized_damerau_levenshtein(name, &column.name), &column.name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{builtin, column, table};

    fn customers() -> TableSchema {
        let text = builtin("text", "text");
        table(
            &["id"],
            vec![
                column(1, "id", builtin("int8", "bigint")),
                column(2, "email", text.clone()),
                column(3, "name", text),
            ],
        )
    }

    fn apply(selection: &Selection) -> Result<Selected, SelectionError> {
        selection.apply(&TableName::new("public", "customers"), &customers())
    }

    fn names(selected: &Selected) -> Vec<&str> {
        selected.schema.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn columns_are_taken_in_the_sources_order() {
        let only = Some(vec!["name".to_owned(), "id".to_owned()]);
        let selected = apply(&Selection { columns: only, ..Default::default() }).expect("they are all there");
        assert_eq!(names(&selected), ["id", "name"]);
        assert_eq!(selected.schema.key, ["id"]);
    }

    #[test]
    fn a_key_goes_with_its_column() {
        let selected =
            apply(&Selection { exclude: vec!["id".to_owned()], ..Default::default() }).expect("fits");
        assert_eq!(names(&selected), ["email", "name"]);
        assert!(selected.schema.key.is_empty());
        assert_eq!(selected.notes, ["it arrives without a key: the key's column `id` is left out"]);
    }

    #[test]
    fn a_key_of_ones_own_allows_no_null() {
        let selected =
            apply(&Selection { key: vec!["email".to_owned()], ..Default::default() }).expect("fits");
        assert_eq!(selected.schema.key, ["email"]);
        assert!(!selected.schema.columns[1].nullable && selected.schema.columns[2].nullable);
    }

    #[test]
    fn a_hashed_column_says_what_it_was() {
        let selected =
            apply(&Selection { hash: vec!["email".to_owned()], ..Default::default() }).expect("fits");
        assert_eq!(selected.schema.columns[1].column_type.sql, "sha256(text)");
    }

    #[test]
    fn a_setting_that_does_not_fit_names_place_and_suggestion() {
        let error = apply(&Selection { hash: vec!["emial".to_owned()], ..Default::default() })
            .expect_err("no such column");
        assert_eq!(
            error.to_string(),
            "`hash` names the column `emial`, which the source's table public.customers does not have"
        );
        assert_eq!(error.hint().as_deref(), Some("did you mean `email`?"));
        let left_out =
            Selection { exclude: vec!["id".to_owned()], key: vec!["id".to_owned()], ..Default::default() };
        assert!(matches!(apply(&left_out), Err(SelectionError::KeyLeftOut { .. })));
        let nothing = Selection { columns: Some(Vec::new()), ..Default::default() };
        assert!(matches!(apply(&nothing), Err(SelectionError::NothingLeft { .. })));
    }
}

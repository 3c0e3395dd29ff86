//! A table as it is extracted and as it arrives: one expression and one type a column, and whether
//! binary COPY serves.

use serde::{Deserialize, Serialize};

use super::{Abilities, TableSchema, arrival};
use crate::{
    error::{Class, Fault},
    sql::TableName,
};

/// How rows are written in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Postgres' binary COPY, header and trailer in each part. Between two Postgres with equal types.
    Binary,
    /// CSV as Postgres writes it; NULL is an unquoted empty field.
    Csv,
}

/// A table on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its columns in their order.
    pub columns: Vec<ShapedColumn>,
    /// The primary key; empty where there is none.
    pub key: Vec<String>,
    /// How its parts are written.
    pub format: Format,
    /// Which columns arrive as another type, and why.
    pub notes: Vec<String>,
}

/// A column on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapedColumn {
    /// Its name, on both sides.
    pub name: String,
    /// What the source is asked for: SQL over the source's column, names quoted.
    pub expression: String,
    /// What the warehouse is asked for where the two are compared: SQL over its column, which gives the
    /// text that the source's `expression` gives.
    pub arrived: String,
    /// The warehouse's type, in its SQL.
    pub sql_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

/// A table that cannot be brought as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// `format = "binary"` where binary COPY would change values.
    #[error("the source's table {table} cannot be loaded as binary, because of {}", columns.join(", "))]
    NotBinary {
        /// The source's table.
        table: TableName,
        /// The columns that are in the way, with their types: `doc xml`.
        columns: Vec<String>,
    },
}

impl Fault for ShapeError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        Some("leave `format` out, or exclude these columns".to_owned())
    }
}

/// How `schema` (what [`super::Selection::apply`] made of the source's table `table`) goes from a
/// source of `source_version` (`server_version_num`) to a Postgres warehouse that can do `abilities`.
/// `format` is the loader's setting: `None` takes binary where every column allows it.
pub fn shape(
    table: &TableName,
    schema: &TableSchema,
    source_version: u32,
    abilities: &Abilities,
    format: Option<Format>,
) -> Result<Shape, ShapeError> {
    let mut columns = Vec::with_capacity(schema.columns.len());
    let mut notes = Vec::new();
    let mut not_binary = Vec::new();
    for column in &schema.columns {
        let arrival = arrival(&column.column_type, source_version, abilities);
        if let Some(why) = arrival.note {
            notes.push(format!("column `{}` arrives as {}: {why}", column.name, arrival.sql_type));
        }
        if !arrival.binary {
            not_binary.push(format!("{} {}", column.name, column.column_type));
        }
        columns.push(ShapedColumn {
            name: column.name.clone(),
            expression: arrival.expression.sql(&column.name),
            arrived: arrival.expression.arrived(&column.name),
            sql_type: arrival.sql_type,
            nullable: column.nullable,
        });
    }
    let format = match format {
        Some(Format::Binary) if !not_binary.is_empty() => {
            return Err(ShapeError::NotBinary { table: table.clone(), columns: not_binary });
        }
        Some(format) => format,
        None if not_binary.is_empty() => Format::Binary,
        None => Format::Csv,
    };
    Ok(Shape { columns, key: schema.key.clone(), format, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{builtin, column, mood, table};

    fn shaped(columns: Vec<super::super::Column>, format: Option<Format>) -> Result<Shape, ShapeError> {
        let abilities = Abilities { version: 150_000, ..Default::default() };
        shape(&TableName::new("public", "orders"), &table(&[], columns), 150_000, &abilities, format)
    }

    #[test]
    fn binary_is_taken_only_if_every_column_allows_it() {
        let (id, doc) = (column(1, "id", builtin("int8", "bigint")), column(2, "doc", builtin("xml", "xml")));
        let format = |columns, format| shaped(columns, format).map(|shape| shape.format);
        assert_eq!(format(vec![id.clone()], None), Ok(Format::Binary));
        assert_eq!(format(vec![id.clone()], Some(Format::Csv)), Ok(Format::Csv));
        assert_eq!(format(vec![id.clone(), doc.clone()], None), Ok(Format::Csv));
        assert_eq!(
            format(vec![id, doc], Some(Format::Binary)).map_err(|error| error.to_string()),
            Err("the source's table public.orders cannot be loaded as binary, because of doc xml".to_owned())
        );
    }

    #[test]
    fn a_column_that_becomes_another_type_is_noted() {
        let shape = shaped(vec![column(1, "mood", mood(&["calm"]))], None).expect("nothing is asked for");
        assert_eq!(shape.notes, ["column `mood` arrives as text: public.mood is an enum"]);
        assert_eq!(shape.columns[0].expression, "\"mood\"");
    }

    #[test]
    fn a_table_without_columns_has_a_shape() {
        let shape = shaped(Vec::new(), None).expect("nothing is asked for");
        assert!(shape.columns.is_empty() && shape.notes.is_empty());
    }
}

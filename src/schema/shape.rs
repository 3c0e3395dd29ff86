//! A table as it is extracted and as it arrives: one expression and one type a column, and whether
//! binary COPY serves.

use serde::{Deserialize, Serialize};

use super::{
    Abilities, Cursor, Layout, PostgresAbilities, TableSchema, Unfit, UnfitPolicies, UnfitPolicy, arrival,
    types::redshift,
};
use crate::{
    error::{Class, Fault},
    sql::{Dialect, TableName, quote_ident},
};

/// How rows are written in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Postgres' binary COPY, header and trailer in each part. Between two Postgres with equal types.
    Binary,
    /// CSV as Postgres writes it.
    Csv,
}

/// What about CSV is not the same for every warehouse. The default is how Postgres writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvForm {
    /// What stands for NULL; nothing: an unquoted empty field. No value may be equal to it, quoted or
    /// not.
    pub null: String,
    /// How long a row may be.
    pub row_bytes_max: Option<u64>,
    /// Whether values are quoted although they need not be.
    pub quote_all: bool,
    /// What whoever reads a row looks for in it, and counts, in the order of the columns.
    pub looks: Vec<Look>,
}

/// Values that do not fit, for which the source does not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The value's place in the row, from 0.
    pub place: usize,
    /// Which value is counted.
    pub kind: LookKind,
    /// Under which number: a place in [`Shape::unfit`].
    pub number: usize,
}

/// What of a row tells for less than SQL does that a value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookKind {
    /// It is longer than `VARCHAR_BYTES_MAX` bytes.
    LongText,
    /// It is JSON, and a string in it is.
    LongJsonString,
    /// It is `NaN`.
    Nan,
    /// It is `Infinity` or `-Infinity`.
    Infinity,
}

/// What a loader says about how its table travels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `None` takes what fits.
    pub format: Option<Format>,
    /// What becomes of values that the warehouse cannot hold.
    pub unfit: UnfitPolicies,
    /// How the warehouse's table is laid out, by the source's names.
    pub layout: Layout,
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
    /// How, where that is CSV.
    pub csv: CsvForm,
    /// Values that the warehouse cannot hold, in the order of the numbers by which the source counts
    /// them.
    pub unfit: Vec<Unfit>,
    /// How the warehouse's table is laid out, where that is said.
    pub layout: Layout,
    /// Which columns arrive as another type, and why.
    pub notes: Vec<String>,
    /// Whose SQL the warehouse reads.
    pub dialect: Dialect,
}

impl Shape {
    /// The name in the warehouse of a column of the source, if it is on its way.
    pub fn named(&self, source_name: &str) -> Vec<String> {
        let is_it = |column: &&ShapedColumn| column.source_name == source_name;
        self.columns.iter().filter(is_it).map(|column| column.name.clone()).collect()
    }

    /// The cursor in the warehouse.
    pub fn cursor(&self, cursor: &Cursor) -> Cursor {
        let column = self.columns.iter().find(|column| column.source_name == cursor.column);
        match (self.dialect, column) {
            (Dialect::Redshift, Some(column)) => cursor.in_redshift(&column.name, &column.sql_type),
            _ => cursor.clone(),
        }
    }
}

/// A column on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapedColumn {
    /// Its name in the warehouse.
    pub name: String,
    /// Its name in the source.
    pub source_name: String,
    /// What the source is asked for: SQL over the source's column, names quoted.
    pub expression: String,
    /// The same where it is only looked at: nothing is counted.
    pub compared: String,
    /// What the warehouse is asked for where the two are compared: SQL over its column, which gives the
    /// text that `compared` gives.
    pub arrived: String,
    /// The warehouse's type, in its SQL.
    pub sql_type: String,
    /// The greatest size of its VARCHAR, where it may have a smaller one; `None`: what `sql_type` says is
    /// what it is.
    pub varchar_bytes: Option<u32>,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// Whether its values can be compared, and rows be named by them.
    pub comparable: Comparable,
}

/// What the texts of a column's values on both sides are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparable {
    /// They are compared, and are read back as the value: rows can be named by it.
    ByKey,
    /// They are compared, but no value can be read from them.
    NotByKey,
    /// They are not the same for the same value.
    Not {
        /// Why, and what can be done about it.
        why: &'static str,
    },
}

impl Comparable {
    /// Whether values are compared.
    pub fn is_compared(self) -> bool {
        !matches!(self, Self::Not { .. })
    }
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
    /// `format = "binary"` for a warehouse that reads CSV alone.
    #[error("the source's table {table} cannot be loaded as binary: Redshift reads CSV")]
    OnlyCsv {
        /// The source's table.
        table: TableName,
    },
    /// A table without columns, where none is known.
    #[error("the source's table {table} has no columns, and Redshift knows no such table")]
    NoColumns {
        /// The source's table.
        table: TableName,
    },
    /// Two columns would have one name.
    #[error(
        "the columns `{}` and `{}` of the source's table {table} have one name in Redshift, which knows lower case alone",
        columns.0, columns.1
    )]
    SameName {
        /// The source's table.
        table: TableName,
        /// The two columns.
        columns: (String, String),
    },
    /// A column's name is too long.
    #[error(
        "the name of the column `{column}` of the source's table {table} has {bytes} bytes; Redshift keeps {bytes_max}"
    )]
    LongName {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A column has the name of one that each table has by itself.
    #[error("the column `{column}` of the source's table {table} has a name that Redshift uses itself")]
    SystemName {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// `unfit` names a column that is not loaded.
    #[error("`unfit` names the column `{column}`, which is not loaded from the source's table {table}")]
    UnfitUnknown {
        /// The source's table.
        table: TableName,
        /// The column as it is written.
        column: String,
        /// The loaded column whose name is nearest.
        nearest: Option<String>,
    },
    /// The layout names a column that is not loaded.
    #[error("`redshift` names the column `{column}`, which is not loaded from the source's table {table}")]
    LayoutUnknown {
        /// The source's table.
        table: TableName,
        /// The column as it is written.
        column: String,
        /// The loaded column whose name is nearest.
        nearest: Option<String>,
    },
    /// The layout makes a key of a column that cannot be one.
    #[error(
        "the column `{column}` of the source's table {table} arrives as SUPER, by which Redshift neither distributes nor sorts"
    )]
    LayoutKey {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// `unfit` asks for what a column cannot have.
    #[error(
        "`unfit` asks for `{policy}` for the column `{column}` of the source's table {table}, which {}",
        why_refused(sql_type, *is_key, allowed)
    )]
    UnfitRefused {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
        /// Its type.
        sql_type: String,
        /// What is asked for.
        policy: UnfitPolicy,
        /// Whether it is of the key.
        is_key: bool,
        /// What it can have; nothing: each value of it fits.
        allowed: Vec<UnfitPolicy>,
    },
}

fn why_refused(sql_type: &str, is_key: bool, allowed: &[UnfitPolicy]) -> String {
    let words: Vec<String> = allowed.iter().map(|policy| format!("`{policy}`")).collect();
    match (allowed, is_key) {
        ([], _) => format!("is {sql_type}: Redshift holds each value of it"),
        (_, true) => format!("is of the key: it can have {}", words.join(", ")),
        (_, false) => format!("is {sql_type}: it can have {}", words.join(", ")),
    }
}

impl Fault for ShapeError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotBinary { .. } => "leave `format` out, or exclude these columns".to_owned(),
            Self::OnlyCsv { .. } => "leave `format` out".to_owned(),
            Self::NoColumns { .. } => "`skip` it".to_owned(),
            Self::SameName { .. } => {
                "exclude one of them, or load a view that names them otherwise".to_owned()
            }
            Self::LongName { .. } | Self::SystemName { .. } => {
                "exclude it, or load a view that names it otherwise".to_owned()
            }
            Self::LayoutKey { .. } => "take another column in `redshift`".to_owned(),
            Self::UnfitUnknown { nearest, .. } | Self::LayoutUnknown { nearest, .. } => {
                return nearest.as_ref().map(|name| format!("did you mean `{name}`?"));
            }
            Self::UnfitRefused { allowed, .. } if allowed.is_empty() => "leave it out of `unfit`".to_owned(),
            Self::UnfitRefused { .. } => {
                "a column that is never NULL cannot become NULL, and a key stays as it is".to_owned()
            }
        })
    }
}

/// How `schema` (what [`super::Selection::apply`] made of the source's table `table`) goes from a
/// source of `source_version` (`server_version_num`) to a warehouse that can do `abilities`.
pub fn shape(
    table: &TableName,
    schema: &TableSchema,
    source_version: u32,
    abilities: &Abilities,
    wishes: &Wishes,
) -> Result<Shape, ShapeError> {
    match abilities {
        Abilities::Postgres(abilities) => {
            to_postgres(table, schema, source_version, abilities, wishes.format)
        }
        Abilities::Redshift => to_redshift(table, schema, source_version, wishes),
    }
}

/// Binary where every column allows it, unless `format` says otherwise. Postgres holds each value.
fn to_postgres(
    table: &TableName,
    schema: &TableSchema,
    source_version: u32,
    abilities: &PostgresAbilities,
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
            source_name: column.name.clone(),
            expression: arrival.expression.sql(&column.name),
            compared: arrival.expression.sql(&column.name),
            arrived: arrival.expression.arrived(&column.name),
            sql_type: arrival.sql_type,
            varchar_bytes: None,
            nullable: column.nullable,
            comparable: Comparable::ByKey,
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
    let (csv, unfit) = (CsvForm::default(), Vec::new());
    let (key, dialect) = (schema.key.clone(), Dialect::Postgres);
    Ok(Shape { columns, key, format, csv, unfit, layout: Layout::default(), notes, dialect })
}

/// How long a row may be that Redshift reads.
const ROW_BYTES_MAX: u64 = 4 << 20;

fn to_redshift(
    table: &TableName,
    schema: &TableSchema,
    source_version: u32,
    wishes: &Wishes,
) -> Result<Shape, ShapeError> {
    if wishes.format == Some(Format::Binary) {
        return Err(ShapeError::OnlyCsv { table: table.clone() });
    }
    if schema.columns.is_empty() {
        return Err(ShapeError::NoColumns { table: table.clone() });
    }
    redshift::refuse_names(table, schema)?;
    let arrivals = redshift::policies(table, schema, source_version, &wishes.unfit)?;
    let (mut columns, mut unfit, mut notes) = (Vec::with_capacity(arrivals.len()), Vec::new(), Vec::new());
    let mut looks = Vec::new();
    for (place, (column, (arrival, policy))) in schema.columns.iter().zip(&arrivals).enumerate() {
        let (policy, number) = (*policy, unfit.len());
        for (at, kind) in arrival.looks(policy).iter().enumerate() {
            looks.push(Look { place, kind: *kind, number: number + at });
        }
        let name = redshift::folded(&column.name);
        if let Some(why) = &arrival.note {
            notes.push(format!("column `{name}` arrives as {}: {why}", arrival.sql_type));
        }
        columns.push(ShapedColumn {
            source_name: column.name.clone(),
            expression: arrival.expression(&column.name, policy, number),
            compared: redshift::in_source(&arrival.sql_type, &arrival.compared(&column.name, policy)),
            arrived: redshift::in_warehouse(&arrival.sql_type, &quote_ident(&name)),
            comparable: redshift::comparable(&arrival.sql_type),
            varchar_bytes: redshift::measurable(&arrival.sql_type),
            sql_type: arrival.sql_type.clone(),
            nullable: column.nullable,
            name,
        });
        unfit.extend(arrival.unfit(column, policy, &schema.key));
    }
    let csv = CsvForm {
        null: String::new(),
        row_bytes_max: Some(ROW_BYTES_MAX),
        // A line without anything in it need not be a row.
        quote_all: columns.len() == 1,
        looks,
    };
    let key = schema.key.iter().map(|name| redshift::folded(name)).collect();
    let (format, dialect) = (Format::Csv, Dialect::Redshift);
    let layout = wishes.layout.fit(table, schema, &columns)?;
    Ok(Shape { columns, key, format, csv, unfit, layout, notes, dialect })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{builtin, column, mood, table};

    fn shaped(columns: Vec<super::super::Column>, format: Option<Format>) -> Result<Shape, ShapeError> {
        let abilities = PostgresAbilities { version: 150_000, ..Default::default() };
        let wishes = Wishes { format, ..Default::default() };
        let table_name = TableName::new("public", "orders");
        shape(&table_name, &table(&[], columns), 150_000, &Abilities::Postgres(abilities), &wishes)
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

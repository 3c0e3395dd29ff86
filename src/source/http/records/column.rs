//! A table's columns: their names, types, and where their values stand in a record.

use super::ValuePath;
use crate::schema::{Column, ColumnType as SourceType, Generated, RelationKind, TableSchema, TypeKind};

/// A column of a service's table.
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// Where its value stands in a JSON record; in CSV the field of that name.
    pub path: ValuePath,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Only the SHA-256 of its text goes on.
    pub hash: bool,
}

impl ColumnSpec {
    /// The field of CSV that its values are in.
    pub fn field(&self) -> &str {
        self.path.first_name().unwrap_or(&self.name)
    }
}

/// The types that a column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `text`.
    Text,
    /// `smallint`.
    SmallInt,
    /// `integer`.
    Integer,
    /// `bigint`.
    BigInt,
    /// `numeric`, with digits in all and behind the point where they are said.
    Numeric(Option<(u16, u16)>),
    /// `double precision`.
    Double,
    /// `boolean`.
    Boolean,
    /// `date`.
    Date,
    /// `timestamp`.
    Timestamp,
    /// `timestamptz`.
    TimestampTz,
    /// `timestamptz`, as seconds since 1970, divided by ten so often: 0, or 3 for milliseconds.
    Epoch(u8),
    /// `uuid`.
    Uuid,
    /// `jsonb`.
    Jsonb,
}

/// The words of types without digits, as `config::http` reads them.
const WORDS: &[(&str, ColumnType)] = &[
    ("text", ColumnType::Text),
    ("smallint", ColumnType::SmallInt),
    ("integer", ColumnType::Integer),
    ("bigint", ColumnType::BigInt),
    ("numeric", ColumnType::Numeric(None)),
    ("double precision", ColumnType::Double),
    ("boolean", ColumnType::Boolean),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
    ("timestamptz", ColumnType::TimestampTz),
    ("timestamptz epoch", ColumnType::Epoch(0)),
    ("timestamptz epoch_ms", ColumnType::Epoch(3)),
    ("uuid", ColumnType::Uuid),
    ("jsonb", ColumnType::Jsonb),
];

impl ColumnType {
    /// The type of a word.
    #[cfg(test)]
    pub(crate) fn of_word(word: &str) -> Self {
        let digits = word.strip_prefix("numeric(").and_then(|rest| rest.strip_suffix(')')?.split_once(','));
        match digits {
            Some((precision, scale)) => {
                Self::Numeric(Some((precision.parse().expect("digits"), scale.parse().expect("digits"))))
            }
            None => WORDS.iter().find(|(known, _)| *known == word).expect("a type").1,
        }
    }

    /// As Postgres writes it.
    pub fn sql(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::SmallInt => "smallint".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::BigInt => "bigint".to_owned(),
            Self::Numeric(None) => "numeric".to_owned(),
            Self::Numeric(Some((precision, scale))) => format!("numeric({precision},{scale})"),
            Self::Double => "double precision".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Timestamp => "timestamp without time zone".to_owned(),
            Self::TimestampTz | Self::Epoch(_) => "timestamp with time zone".to_owned(),
            Self::Uuid => "uuid".to_owned(),
            Self::Jsonb => "jsonb".to_owned(),
        }
    }

    /// `pg_type.typname`.
    fn type_name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::SmallInt => "int2",
            Self::Integer => "int4",
            Self::BigInt => "int8",
            Self::Numeric(_) => "numeric",
            Self::Double => "float8",
            Self::Boolean => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampTz | Self::Epoch(_) => "timestamptz",
            Self::Uuid => "uuid",
            Self::Jsonb => "jsonb",
        }
    }

    /// As a loader says it, so that it is read as the same.
    pub(super) fn word(self) -> String {
        match self {
            Self::Numeric(Some((precision, scale))) => format!("numeric({precision},{scale})"),
            other => {
                WORDS.iter().find(|(_, known)| *known == other).map_or("text", |(word, _)| word).to_owned()
            }
        }
    }
}

/// The table's schema, as if a Postgres had it.
pub fn schema(columns: &[ColumnSpec], key: &[String]) -> TableSchema {
    let column = |(number, column): (i16, &ColumnSpec)| Column {
        name: column.name.clone(),
        number,
        column_type: SourceType {
            sql: column.column_type.sql(),
            kind: TypeKind::Builtin { name: column.column_type.type_name().into() },
        },
        nullable: column.nullable && !key.contains(&column.name),
        generated: Generated::No,
    };
    let columns = (1..).zip(columns).map(column).collect();
    TableSchema { kind: RelationKind::Table, columns, key: key.to_vec() }
}

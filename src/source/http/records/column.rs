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

/// What is none of the types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no type of a column")]
pub struct UnknownType {
    /// As it is written.
    pub text: String,
    /// The type that is nearest.
    pub nearest: Option<&'static str>,
}

/// The words of types without digits, other words for the same ones behind them.
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
    ("int", ColumnType::Integer),
    ("int2", ColumnType::SmallInt),
    ("int4", ColumnType::Integer),
    ("int8", ColumnType::BigInt),
    ("float8", ColumnType::Double),
    ("double", ColumnType::Double),
    ("bool", ColumnType::Boolean),
    ("decimal", ColumnType::Numeric(None)),
    ("json", ColumnType::Jsonb),
    ("varchar", ColumnType::Text),
];

impl ColumnType {
    /// Reads one: `bigint`, `numeric(12, 4)`, `timestamptz epoch_ms`.
    pub fn read(text: &str) -> Result<Self, UnknownType> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let word = words.join(" ");
        if let Some((_, found)) = WORDS.iter().find(|(name, _)| *name == word) {
            return Ok(*found);
        }
        digits(&word).map(|digits| Self::Numeric(Some(digits))).ok_or_else(|| UnknownType {
            text: text.trim().to_owned(),
            nearest: WORDS
                .iter()
                .map(|(name, _)| (strsim::normalized_damerau_levenshtein(&word, name), *name))
                .filter(|(likeness, _)| *likeness >= 0.5)
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, name)| name),
        })
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

/// The digits of `numeric(12,4)`.
fn digits(word: &str) -> Option<(u16, u16)> {
    let inside = word.strip_prefix("numeric").or_else(|| word.strip_prefix("decimal"))?;
    let inside = inside.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=1000).contains(&precision) && scale <= precision).then_some((precision, scale))
}

impl ColumnSpec {
    /// Its type and its path, as a loader says them in one text: `date $.day`, `numeric(12,4)`. Without a path it is the
    /// field of the column's name.
    pub fn read_text(text: &str) -> (&str, Option<&str>) {
        match text.find('$') {
            Some(at) => (text[..at].trim(), Some(text[at..].trim())),
            None => (text.trim(), None),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_written_as_the_same() {
        for (word, known) in WORDS {
            assert_eq!(ColumnType::read(word).as_ref(), Ok(known), "{word}");
            assert_eq!(ColumnType::read(&known.word()).as_ref(), Ok(known), "{word}");
        }
        assert_eq!(ColumnType::read("NUMERIC ( 12, 4 )"), Ok(ColumnType::Numeric(Some((12, 4)))));
        assert_eq!(ColumnType::read("numeric(12)"), Ok(ColumnType::Numeric(Some((12, 0)))));
        for wrong in ["numeric(2,4)", "numeric(0)", "varchar(3)", "", "bigint[]"] {
            assert!(ColumnType::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(ColumnType::read("bigin").unwrap_err().nearest, Some("bigint"));
        assert_eq!(ColumnSpec::read_text("date $.a.b"), ("date", Some("$.a.b")));
        assert_eq!(ColumnSpec::read_text(" numeric(3,1) "), ("numeric(3,1)", None));
    }
}

//! The columns that a `COPY` fills, from Postgres' catalog.

use tokio_postgres::Client;

use crate::{engine::error::SqlError, sql::copy::Copy};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits of the least and greatest number.
    Whole(i64, i64),
    Decimal {
        precision: usize,
        scale: usize,
    },
    Real,
    Double,
    Boolean,
    Date,
    Timestamp,
    TimestampTz,
    Char(usize),
    Varchar(usize),
    Varbyte(usize),
    Super,
    /// How COPY reads it is unconfirmed: TIME and TIMETZ.
    Unconfirmed,
}

impl Kind {
    /// Whether an empty field may be an empty text.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_))
    }

    /// The name and the length that the tables of errors show.
    pub(super) fn name(self) -> (&'static str, String) {
        match self {
            Self::Whole(_, 0x7fff) => ("int2", String::new()),
            Self::Whole(_, 0x7fff_ffff) => ("int4", String::new()),
            Self::Whole(..) => ("int8", String::new()),
            Self::Decimal { precision, scale } => ("numeric", format!("{precision}, {scale}")),
            Self::Real => ("float4", String::new()),
            Self::Double => ("float8", String::new()),
            Self::Boolean => ("bool", String::new()),
            Self::Date => ("date", String::new()),
            Self::Timestamp => ("timestamp", String::new()),
            Self::TimestampTz => ("timestamptz", String::new()),
            Self::Char(length) => ("char", length.to_string()),
            Self::Varchar(length) => ("varchar", length.to_string()),
            Self::Varbyte(length) => ("varbyte", length.to_string()),
            Self::Super => ("super", String::new()),
            Self::Unconfirmed => ("time", String::new()),
        }
    }
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) not_null: bool,
}

const SQL: &str = "
    SELECT a.attname::text, format_type(a.atttypid, NULL), a.atttypmod, a.attnotnull, a.attidentity <> '', c.length
    FROM pg_attribute a LEFT JOIN redshift_double.columns c ON c.relid = a.attrelid AND c.attnum = a.attnum
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The columns in the order of the file's fields: those of the list, or all.
pub(super) async fn read(client: &Client, relation: u32, copy: &Copy) -> Result<Vec<Column>, SqlError> {
    let rows = client.query(SQL, &[&relation]).await?;
    let mut known = Vec::new();
    for row in rows {
        let (name, is_identity): (String, bool) = (row.get(0), row.get(4));
        let kind = kind(row.get(1), row.get(2), row.get(5))?;
        known.push((Column { name, kind, not_null: row.get(3) }, is_identity));
    }
    let Some(list) = &copy.columns else {
        // Without a list, an identity is left to the table.
        return Ok(known.into_iter().filter(|(_, identity)| !identity).map(|(column, _)| column).collect());
    };
    let mut columns: Vec<Column> = Vec::new();
    for name in list {
        let found = known.iter().find(|(column, _)| column.name == *name);
        match found {
            None => {
                let text = format!("column \"{name}\" of relation \"{}\" does not exist", copy.table.name);
                return Err(SqlError::new("42703", text));
            }
            Some((_, true)) => {
                let text = format!("cannot set an identity column to a value without EXPLICIT_IDS: {name}");
                return Err(SqlError::new("0A000", text));
            }
            Some((column, false)) => columns.push(column.clone()),
        }
    }
    Ok(columns)
}

fn kind(type_: &str, modifier: i32, length: Option<i32>) -> Result<Kind, SqlError> {
    let declared = usize::try_from(modifier - 4).unwrap_or(0);
    Ok(match type_ {
        "smallint" => Kind::Whole(i16::MIN.into(), i16::MAX.into()),
        "integer" => Kind::Whole(i32::MIN.into(), i32::MAX.into()),
        "bigint" => Kind::Whole(i64::MIN, i64::MAX),
        "numeric" => Kind::Decimal { precision: declared >> 16, scale: declared & 0xffff },
        "real" => Kind::Real,
        "double precision" => Kind::Double,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "timestamp without time zone" => Kind::Timestamp,
        "timestamp with time zone" => Kind::TimestampTz,
        "time without time zone" | "time with time zone" => Kind::Unconfirmed,
        "character" => Kind::Char(declared),
        "character varying" => Kind::Varchar(declared),
        "redshift_double.varbyte" => Kind::Varbyte(usize::try_from(length.unwrap_or(64_000)).unwrap_or(0)),
        "redshift_double.super" => Kind::Super,
        other => return Err(SqlError::new("0A000", format!("COPY into a column of type {other}"))),
    })
}

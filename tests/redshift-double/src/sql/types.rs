//! Column types: what Redshift has, and what holds them in Postgres (§4).

use super::cursor::Cursor;
use crate::engine::error::SqlError;

/// The length that a text has when none is declared.
const DEFAULT_VARCHAR: u32 = 256;
const MOST_VARCHAR: u32 = 65_535;
const MOST_CHAR: u32 = 4096;
const DEFAULT_VARBYTE: u32 = 64_000;
const MOST_VARBYTE: u32 = 16_777_216;

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// The same as this one of Postgres.
    Same(&'static str),
    /// Days and moments: not as far as Postgres, and never infinite.
    Moment(&'static str),
    Decimal(u32, u32),
    Char(u32),
    Varchar(u32),
    Super,
    Varbyte(u32),
}

/// A rule that Postgres keeps by a CHECK, whose violation becomes an error of Redshift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Part of the constraint's name, by which the error is known.
    pub(crate) kind: &'static str,
    pub(crate) expression: String,
}

impl ColumnType {
    /// The type in Postgres.
    pub(crate) fn postgres(&self) -> String {
        match self {
            Self::Same(name) | Self::Moment(name) => (*name).to_owned(),
            Self::Decimal(precision, scale) => format!("numeric({precision},{scale})"),
            Self::Char(length) => format!("character({length})"),
            Self::Varchar(length) => format!("character varying({length})"),
            Self::Super => "redshift_double.super".to_owned(),
            Self::Varbyte(_) => "redshift_double.varbyte".to_owned(),
        }
    }

    /// What Postgres would allow and Redshift does not: lengths count bytes, CHAR is ASCII, a decimal
    /// of up to 19 digits is an integer of 8 bytes.
    pub(crate) fn rules(&self, column: &str) -> Vec<Rule> {
        let rule = |kind, expression| Rule { kind, expression };
        match self {
            Self::Same(_) | Self::Super => Vec::new(),
            Self::Moment("date") => {
                vec![rule("moment", format!("isfinite({column}) AND {column} <= '294276-12-31'"))]
            }
            Self::Moment(_) => vec![rule("moment", format!("isfinite({column})"))],
            Self::Decimal(19, 0) => {
                let most = "9223372036854775807";
                let text = format!("{column} <> 'NaN' AND {column} BETWEEN -{most} AND {most}");
                vec![rule("decimal", text)]
            }
            Self::Decimal(..) => vec![rule("decimal", format!("{column} <> 'NaN'"))],
            Self::Char(_) => vec![rule("ascii", format!("octet_length({column}) = char_length({column})"))],
            Self::Varchar(length) | Self::Varbyte(length) => {
                vec![rule("bytes", format!("octet_length({column}) <= {length}"))]
            }
        }
    }

    /// The encoding that the column gets if none is given (§1.6).
    pub(crate) fn encoding(&self, is_sort_key: bool) -> &'static str {
        match self {
            _ if is_sort_key => "none",
            Self::Same("boolean" | "real" | "double precision") => "none",
            Self::Same("smallint" | "integer" | "bigint") | Self::Moment(_) | Self::Decimal(..) => "az64",
            Self::Same(_) => "az64",
            Self::Char(_) | Self::Varchar(_) | Self::Varbyte(_) => "lzo",
            Self::Super => "zstd",
        }
    }

    /// Whether rows can be distributed or sorted by it.
    pub(crate) fn can_be_key(&self) -> bool {
        *self != Self::Super
    }
}

fn error(text: impl Into<String>) -> SqlError {
    SqlError::new("0A000", text)
}

/// Reads a type. `column` is what the error names, if the type is one that Redshift does not have.
pub(super) fn read(cursor: &mut Cursor<'_>, column: &str) -> Result<ColumnType, SqlError> {
    let start = cursor.clone();
    let token = cursor.next()?;
    let word = token.word();
    let type_ = match word.as_str() {
        "smallint" | "int2" => ColumnType::Same("smallint"),
        "integer" | "int" | "int4" => ColumnType::Same("integer"),
        "bigint" | "int8" => ColumnType::Same("bigint"),
        "real" | "float4" => ColumnType::Same("real"),
        "float8" => ColumnType::Same("double precision"),
        "float" => float(cursor)?,
        "double" => {
            cursor.expect("precision")?;
            ColumnType::Same("double precision")
        }
        "boolean" | "bool" => ColumnType::Same("boolean"),
        "date" => ColumnType::Moment("date"),
        "time" => {
            if zone(cursor)? {
                ColumnType::Same("timetz")
            } else {
                ColumnType::Same("time")
            }
        }
        "timetz" => ColumnType::Same("timetz"),
        "timestamp" => {
            if zone(cursor)? {
                ColumnType::Moment("timestamptz")
            } else {
                ColumnType::Moment("timestamp")
            }
        }
        "timestamptz" => ColumnType::Moment("timestamptz"),
        "decimal" | "numeric" => decimal(cursor)?,
        "char" | "character" | "nchar" if !cursor.eat("varying") => {
            char_of(length(cursor, MOST_CHAR)?.unwrap_or(1))?
        }
        "bpchar" => ColumnType::Char(DEFAULT_VARCHAR),
        "text" => ColumnType::Varchar(DEFAULT_VARCHAR),
        "varchar" | "nvarchar" | "char" | "character" | "nchar" => {
            varchar(length(cursor, MOST_VARCHAR)?.unwrap_or(DEFAULT_VARCHAR))?
        }
        "super" => ColumnType::Super,
        "varbyte" | "varbinary" => varbyte(length(cursor, MOST_VARBYTE)?)?,
        "binary" => {
            cursor.expect("varying")?;
            varbyte(length(cursor, MOST_VARBYTE)?)?
        }
        "uuid" | "jsonb" | "hstore" | "citext" | "bytea" => {
            return Err(SqlError::new("42704", format!("type \"{word}\" does not exist")));
        }
        _ => return Err(unsupported(&start, column, &token.text)),
    };
    if cursor.is_symbol("[") || cursor.word() == "array" {
        return Err(error(format!("Column \"{column}\" has unsupported type \"{}[]\".", type_.postgres())));
    }
    Ok(type_)
}

fn unsupported(start: &Cursor<'_>, column: &str, name: &str) -> SqlError {
    const POSTGRES_ALONE: &[&str] = &[
        "json",
        "inet",
        "cidr",
        "macaddr",
        "money",
        "bit",
        "xml",
        "interval",
        "point",
        "box",
        "line",
        "circle",
        "path",
        "polygon",
        "lseg",
        "name",
        "oid",
        "regclass",
        "geometry",
        "geography",
        "hllsketch",
    ];
    let name = name.to_lowercase();
    if matches!(name.as_str(), "serial" | "bigserial" | "smallserial" | "serial4" | "serial8") {
        return error("serial is not supported: SERIAL data type");
    }
    if POSTGRES_ALONE.contains(&name.as_str()) {
        return error(format!("Column \"{column}\" has unsupported type \"{name}\"."));
    }
    match start.peek() {
        Some(token) if !token.text.is_empty() => {
            SqlError::new("42704", format!("type \"{name}\" does not exist"))
        }
        _ => start.error(),
    }
}

fn length(cursor: &mut Cursor<'_>, most: u32) -> Result<Option<u32>, SqlError> {
    if !cursor.eat_symbol("(") {
        return Ok(None);
    }
    let length = if cursor.eat("max") { most } else { cursor.whole_number()? };
    cursor.expect_symbol(")")?;
    Ok(Some(length))
}

fn char_of(length: u32) -> Result<ColumnType, SqlError> {
    if length == 0 || length > MOST_CHAR {
        return Err(error(format!("length for type char cannot exceed {MOST_CHAR}")));
    }
    Ok(ColumnType::Char(length))
}

fn varchar(length: u32) -> Result<ColumnType, SqlError> {
    if length == 0 || length > MOST_VARCHAR {
        return Err(error(format!("length for type varchar cannot exceed {MOST_VARCHAR}")));
    }
    Ok(ColumnType::Varchar(length))
}

fn varbyte(length: Option<u32>) -> Result<ColumnType, SqlError> {
    let length = length.unwrap_or(DEFAULT_VARBYTE);
    if length == 0 || length > MOST_VARBYTE {
        return Err(error(format!("length for type varbyte cannot exceed {MOST_VARBYTE}")));
    }
    Ok(ColumnType::Varbyte(length))
}

fn float(cursor: &mut Cursor<'_>) -> Result<ColumnType, SqlError> {
    let digits = length(cursor, 53)?.unwrap_or(53);
    Ok(ColumnType::Same(if digits <= 24 { "real" } else { "double precision" }))
}

fn zone(cursor: &mut Cursor<'_>) -> Result<bool, SqlError> {
    if cursor.eat("with") {
        cursor.expect("time")?;
        cursor.expect("zone")?;
        return Ok(true);
    }
    if cursor.eat("without") {
        cursor.expect("time")?;
        cursor.expect("zone")?;
    }
    Ok(false)
}

fn decimal(cursor: &mut Cursor<'_>) -> Result<ColumnType, SqlError> {
    if !cursor.eat_symbol("(") {
        return Ok(ColumnType::Decimal(18, 0));
    }
    let precision = cursor.whole_number()?;
    let scale = if cursor.eat_symbol(",") { cursor.whole_number()? } else { 0 };
    cursor.expect_symbol(")")?;
    if precision == 0 || precision > 38 {
        return Err(SqlError::new(
            "22023",
            format!("NUMERIC precision {precision} must be between 1 and 38"),
        ));
    }
    if scale > 37 || scale > precision {
        let text = format!("NUMERIC scale {scale} must be between 0 and precision {precision}");
        return Err(SqlError::new("22023", text));
    }
    Ok(ColumnType::Decimal(precision, scale))
}

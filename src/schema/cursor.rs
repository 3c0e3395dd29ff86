//! The column that orders new rows, and the SQL that asks by it. A cursor's values arrive as they are; the
//! SQL of a Redshift warehouse differs in how it names the column and writes the values.

use jiff::Timestamp;

use super::{ColumnType, TableSchema, TypeKind, selection::nearest};
use crate::{
    error::{Class, Fault},
    sql::{Dialect, TableName, quote_ident, quote_literal},
};

/// A cursor. Values are texts as Postgres prints them in a session of ours: full precision, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The column's name, on both sides.
    pub column: String,
    /// How its values are ordered.
    pub kind: CursorKind,
    /// Whether it may be NULL: such rows are loaded each time.
    pub nullable: bool,
    /// The type of literals: `bigint`.
    sql_type: String,
    /// Whose SQL it is.
    dialect: Dialect,
}

/// How a cursor's values are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorKind {
    /// Integers and numeric.
    Number,
    /// `timestamptz`.
    Moment,
    /// `timestamp`, in whatever zone its writers have in mind.
    LocalTime,
    /// `date`.
    Date,
    /// `uuid`: ordered by time if its writers make version 7.
    Uuid,
    /// Text, ordered by its bytes.
    Text,
}

/// A column that cannot be a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It is not there, or not loaded.
    #[error("`cursor` names the column `{column}`, which is not loaded from the source's table {table}")]
    NotLoaded {
        /// The source's table.
        table: TableName,
        /// The column as it is written.
        column: String,
        /// The loaded column whose name is nearest.
        nearest: Option<String>,
    },
    /// Its type has no order that new rows follow.
    #[error(
        "`cursor` names the column `{column}` of the source's table {table}, whose type {sql_type} does not order new rows"
    )]
    NotOrdered {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
        /// Its type.
        sql_type: String,
    },
    /// Rows that come again could not be told from new ones.
    #[error(
        "the source's table {table} has no key, by which rows that come again are known, and no unique index on its cursor `{column}`"
    )]
    NoKey {
        /// The source's table.
        table: TableName,
        /// The cursor.
        column: String,
    },
    /// The greatest value is greater than any that can come.
    #[error("the greatest `{column}` of the source's table {table} is infinite: nothing new can follow it")]
    Infinite {
        /// The source's table.
        table: TableName,
        /// The column.
        column: String,
    },
}

impl Fault for CursorError {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoaded { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            Self::NotOrdered { .. } => Some(
                "integers, numeric, timestamp, date, uuid and text can be cursors; `strategy = \"full\"` needs none"
                    .to_owned(),
            ),
            Self::NoKey { .. } => Some(
                "`key = [\"…\"]` names columns that are unique together; `strategy = \"full\"` needs none".to_owned(),
            ),
            Self::Infinite { .. } => Some("`where` can leave such rows out".to_owned()),
        }
    }
}

impl Cursor {
    /// The cursor `column` of `schema`, which is the source's `table` as it is loaded.
    pub fn of(table: &TableName, schema: &TableSchema, column: &str) -> Result<Self, CursorError> {
        let Some(found) = schema.column(column) else {
            return Err(CursorError::NotLoaded {
                table: table.clone(),
                column: column.to_owned(),
                nearest: nearest(column, schema),
            });
        };
        let Some((kind, sql_type)) = kind(&found.column_type) else {
            return Err(CursorError::NotOrdered {
                table: table.clone(),
                column: column.to_owned(),
                sql_type: found.column_type.to_string(),
            });
        };
        let sql_type = sql_type.to_owned();
        let (column, nullable) = (column.to_owned(), found.nullable);
        Ok(Self { column, kind, nullable, sql_type, dialect: Dialect::Postgres })
    }

    /// How values of a type are ordered; `None` where it has no order that new rows follow.
    pub fn kind_of(column_type: &ColumnType) -> Option<CursorKind> {
        kind(column_type).map(|(kind, _)| kind)
    }

    /// The type of its values, in SQL.
    pub fn sql_type(&self) -> &str {
        &self.sql_type
    }

    /// The same in a Redshift warehouse: its column there, and the type as which it arrives.
    pub(super) fn in_redshift(&self, column: &str, sql_type: &str) -> Self {
        let family = sql_type.split_once('(').map_or(sql_type, |(family, _)| family);
        // A number without its size would be one of eighteen digits before the point.
        let sql_type = if family == "varchar" { family } else { sql_type };
        Self {
            column: column.to_owned(),
            sql_type: sql_type.to_owned(),
            dialect: Dialect::Redshift,
            ..self.clone()
        }
    }

    /// The column, as it is compared.
    pub fn expression(&self) -> String {
        self.collated(quote_ident(&self.column))
    }

    /// Rows from `low` on, and those that have no place in the order.
    pub fn at_least(&self, low: &str) -> String {
        let from = format!("{} >= {}", self.expression(), self.literal(low));
        match self.nullable {
            true => format!("({from} OR {} IS NULL)", quote_ident(&self.column)),
            false => format!("({from})"),
        }
    }

    /// Rows below `low`: exactly those that [`Cursor::at_least`] leaves out.
    pub fn below(&self, low: &str) -> String {
        format!("({} < {})", self.expression(), self.literal(low))
    }

    /// Rows at or below `watermark`.
    pub fn at_most(&self, watermark: &str) -> String {
        format!("({} <= {})", self.expression(), self.literal(watermark))
    }

    /// Rows that a watermark may stand on. A time beyond `now` would hide what comes until then, and
    /// a NaN is greater than any number.
    pub fn credible(&self, now: Timestamp) -> Option<String> {
        let now = quote_literal(&now.to_string());
        let limit = match self.kind {
            CursorKind::Moment => format!("<= {now}::timestamptz"),
            // Some zone is 14 hours ahead of UTC.
            CursorKind::LocalTime => format!("<= {now}::timestamptz::timestamp + interval '14 hours'"),
            CursorKind::Date => format!("<= ({now}::timestamptz::timestamp + interval '14 hours')::date"),
            CursorKind::Number if self.sql_type == "numeric" => "< 'NaN'::numeric".to_owned(),
            CursorKind::Number | CursorKind::Uuid | CursorKind::Text => return None,
        };
        Some(format!("{} {limit}", self.expression()))
    }

    /// SQL for the text of the value that is `seconds` before `value`; `None` where values are no
    /// times.
    pub fn earlier(&self, value: &str, seconds: u64) -> Option<String> {
        let value = self.literal(value);
        match self.kind {
            CursorKind::Moment | CursorKind::LocalTime => {
                Some(format!("({value} - interval '{seconds} seconds')::text"))
            }
            CursorKind::Date => Some(format!("({value} - {})::text", seconds.div_ceil(24 * 60 * 60))),
            CursorKind::Number | CursorKind::Uuid | CursorKind::Text => None,
        }
    }

    /// A value in SQL.
    pub fn literal(&self, value: &str) -> String {
        self.collated(format!("{}::{}", self.dialect.literal(value), self.sql_type))
    }

    fn collated(&self, sql: String) -> String {
        match (self.kind, self.dialect) {
            // The collations of two servers may differ; that of bytes does not.
            (CursorKind::Text, Dialect::Postgres) => format!("{sql} COLLATE \"C\""),
            _ => sql,
        }
    }
}

/// Whether a column's name promises that it tells of changes: `updated_at`.
pub fn promises_changes(name: &str) -> bool {
    const PARTS: [&str; 5] = ["updat", "modif", "chang", "last_touched", "row_version"];
    let name = name.to_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

fn kind(column_type: &ColumnType) -> Option<(CursorKind, &'static str)> {
    let name = match &column_type.kind {
        TypeKind::Builtin { name } => name,
        TypeKind::Domain { base } => return kind(base),
        _ => return None,
    };
    Some(match name.as_str() {
        "int2" => (CursorKind::Number, "smallint"),
        "int4" => (CursorKind::Number, "integer"),
        "int8" => (CursorKind::Number, "bigint"),
        "numeric" => (CursorKind::Number, "numeric"),
        "timestamptz" => (CursorKind::Moment, "timestamptz"),
        "timestamp" => (CursorKind::LocalTime, "timestamp"),
        "date" => (CursorKind::Date, "date"),
        "uuid" => (CursorKind::Uuid, "uuid"),
        "text" | "varchar" => (CursorKind::Text, "text"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{builtin, column, mood, table};

    fn cursor(name: &str, sql: &str, nullable: bool) -> Cursor {
        let mut column = column(1, "c", builtin(name, sql));
        column.nullable = nullable;
        Cursor::of(&TableName::new("public", "t"), &table(&[], vec![column]), "c").expect("it is ordered")
    }

    #[test]
    fn rows_are_either_below_or_not() {
        let id = cursor("int8", "bigint", false);
        assert_eq!(id.at_least("7"), "(\"c\" >= '7'::bigint)");
        assert_eq!(id.below("7"), "(\"c\" < '7'::bigint)");
        let at = cursor("timestamptz", "timestamp with time zone", true);
        assert_eq!(at.at_least("2026-01-01"), "(\"c\" >= '2026-01-01'::timestamptz OR \"c\" IS NULL)");
    }

    #[test]
    fn text_is_ordered_by_its_bytes() {
        let text = cursor("varchar", "character varying(30)", false);
        assert_eq!(text.below("O'x"), "(\"c\" COLLATE \"C\" < 'O''x'::text COLLATE \"C\")");
    }

    #[test]
    fn in_redshift_a_value_has_the_type_as_which_it_arrives() {
        let sql = |name, sql, there| cursor(name, sql, false).in_redshift("c", there).at_most(r"a\'");
        assert_eq!(sql("text", "text", "varchar(65535)"), r#"("c" <= 'a\\'''::varchar)"#);
        assert_eq!(sql("uuid", "uuid", "varchar(36)"), r#"("c" <= 'a\\'''::varchar)"#);
        assert_eq!(sql("numeric", "numeric", "numeric(38,18)"), r#"("c" <= 'a\\'''::numeric(38,18))"#);
    }

    #[test]
    fn a_time_beyond_now_is_not_believed() {
        let now = "2026-11-23T12:00:00Z".parse().expect("a time");
        assert_eq!(
            cursor("timestamptz", "timestamptz", false).credible(now).as_deref(),
            Some("\"c\" <= '2026-11-23T12:00:00Z'::timestamptz")
        );
        assert_eq!(cursor("int4", "integer", false).credible(now), None);
    }

    #[test]
    fn only_times_have_an_earlier() {
        let day = cursor("date", "date", false);
        assert_eq!(day.earlier("2026-11-23", 3600).as_deref(), Some("('2026-11-23'::date - 1)::text"));
        assert_eq!(cursor("uuid", "uuid", false).earlier("…", 1), None);
    }

    #[test]
    fn an_enum_orders_nothing_and_a_name_that_is_off_is_answered_with_the_nearest() {
        let schema = table(&[], vec![column(1, "mood", mood(&["calm"]))]);
        let of =
            |name| Cursor::of(&TableName::new("public", "t"), &schema, name).map_err(|error| error.hint());
        assert!(matches!(of("mood"), Err(Some(hint)) if hint.starts_with("integers")));
        assert_eq!(of("moood"), Err(Some("did you mean `mood`?".to_owned())));
    }
}

//! The text by which a value is compared between source and warehouse: SQL that both servers read, or one
//! for each, which gives the same text for the same value on both.

use crate::schema::Comparable;

/// A power of two whose logarithm to the base of two is a multiple of four: 2^56, as a double holds it.
const SCALE: &str = "72057594037927936";

/// One by the natural logarithm of sixteen.
const BY_LN_16: &str = "0.36067376022224085";

/// How values of a type are compared.
pub(in crate::schema) fn comparable(sql_type: &str) -> Comparable {
    match sql_type {
        "super" => Comparable::Not {
            why: "what SUPER writes of JSON is not what Postgres does; `text` in `unfit` lets it arrive as text",
        },
        "real" | "double precision" => Comparable::NotByKey,
        sql_type if sql_type.starts_with("varbyte") => Comparable::NotByKey,
        _ => Comparable::ByKey,
    }
}

/// What the source is asked for, of what it sends as this type.
pub(in crate::schema) fn in_source(sql_type: &str, value: &str) -> String {
    match sql_type {
        // What is sent of them is hex already.
        sql_type if sql_type.starts_with("varbyte") => value.to_owned(),
        // As many decimals as arrive, whatever was written.
        sql_type if sql_type.starts_with("numeric") => format!("({value})::{sql_type}"),
        sql_type => alike(sql_type, &format!("({value})")).unwrap_or_else(|| value.to_owned()),
    }
}

/// What the warehouse is asked for; `column` in quotes.
pub(in crate::schema) fn in_warehouse(sql_type: &str, column: &str) -> String {
    match sql_type {
        sql_type if sql_type.starts_with("varbyte") => format!("lower(from_varbyte({column}, 'hex'))"),
        sql_type => alike(sql_type, column).unwrap_or_else(|| column.to_owned()),
    }
}

/// The same for both: they read it alike. `None`: what both write by themselves is the same.
fn alike(sql_type: &str, value: &str) -> Option<String> {
    const TIME: &str = "YYYY-MM-DD HH24:MI:SS.US";
    Some(match sql_type {
        // Redshift does not cast it to text.
        "boolean" => format!("CASE WHEN {value} THEN 't' WHEN NOT {value} THEN 'f' END"),
        "date" => format!("to_char({value}, 'YYYY-MM-DD')"),
        "timestamp" => format!("to_char({value}, '{TIME}')"),
        "timestamptz" => format!("to_char({value} AT TIME ZONE 'UTC', '{TIME}') || '+00'"),
        "real" | "double precision" => float(value),
        _ => return None,
    })
}

/// A float to its last bit, by arithmetic that is exact everywhere: servers write floats each in their own
/// way. The number is divided by the power of sixteen that is about its size, and what is left is written in
/// hex, without zeros at its end; with it, where the point is. A logarithm that is off by a little moves
/// both the digits' number and the power, and the text stays the same. 0 and -0 are the same.
fn float(value: &str) -> String {
    let size = format!("nullif(abs({value}::float8), 0)");
    // Sixteen to these powers, and what is left after dividing by them, never overflows.
    let power = format!("least(greatest(floor(ln({size}) * {BY_LN_16})::int, -255), 255)");
    let digits = format!("to_hex(({size} / power(16::float8, {power}::float8) * {SCALE}::float8)::bigint)");
    format!(
        "CASE WHEN {value} = 0 THEN '0' ELSE CASE WHEN {value} < 0 THEN '-' ELSE '' END || rtrim({digits}, '0') \
         || 'p' || ({power} + length({digits}))::varchar END"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_only_what_can_be_written_back() {
        for sql_type in ["bigint", "numeric(38,18)", "varchar(36)", "timestamptz", "boolean", "date"] {
            assert_eq!(comparable(sql_type), Comparable::ByKey, "{sql_type}");
        }
        for sql_type in ["real", "double precision", "varbyte(1024000)"] {
            assert_eq!(comparable(sql_type), Comparable::NotByKey, "{sql_type}");
        }
        assert!(matches!(comparable("super"), Comparable::Not { .. }));
    }

    #[test]
    fn what_both_write_alike_stays_as_it_is() {
        assert_eq!(in_source("bigint", "\"id\""), "\"id\"");
        assert_eq!(in_warehouse("varchar(36)", "\"id\""), "\"id\"");
        assert_eq!(in_source("numeric(38,18)", "\"fee\""), "(\"fee\")::numeric(38,18)");
        assert_eq!(in_warehouse("numeric(38,18)", "\"fee\""), "\"fee\"");
    }

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(
            in_warehouse("timestamptz", "\"at\""),
            "to_char(\"at\" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"
        );
    }
}

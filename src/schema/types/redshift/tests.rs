use super::*;
use crate::schema::testing::{array, builtin, composite, domain, extension, mood, other, range};

const PG15: u32 = 150_018;

/// `value → type`, and what can become of values that do not fit.
fn crossing(column_type: &ColumnType) -> String {
    let arrival = arrival(column_type, PG15);
    let allowed: Vec<String> = arrival.allowed().iter().skip(1).map(ToString::to_string).collect();
    let fits = if arrival.cases.is_empty() { "fits".to_owned() } else { allowed.join(" ") };
    format!("{} → {}: {fits}", arrival.value, arrival.sql_type)
}

/// Each row of the table: the type's name, its SQL, what comes of it.
const ROWS: &[(&str, &str, &str)] = &[
    ("bool", "boolean", "$c → boolean: fits"),
    ("int2", "smallint", "$c → smallint: fits"),
    ("int4", "integer", "$c → integer: fits"),
    ("int8", "bigint", "$c → bigint: fits"),
    ("float4", "real", "$c → real: null clamp text"),
    ("float8", "double precision", "$c → double precision: null clamp text"),
    ("numeric", "numeric(12,2)", "$c → numeric(12,2): null text"),
    ("numeric", "numeric(38,37)", "$c → numeric(38,37): null text"),
    // An int64 does not hold all of nineteen digits.
    ("numeric", "numeric(19,0)", "$c → numeric(20,0): null text"),
    ("numeric", "numeric(3,-2)", "$c → numeric(5,0): null text"),
    ("numeric", "numeric(3,5)", "$c → numeric(5,5): null text"),
    ("money", "money", "$c::numeric → numeric(22,3): fits"),
    ("oid", "oid", "$c → bigint: fits"),
    ("xid", "xid", "$c → bigint: fits"),
    ("cid", "cid", "$c → bigint: fits"),
    ("xid8", "xid8", "$c → numeric(20,0): fits"),
    ("text", "text", "$c → varchar(65535): null truncate"),
    ("varchar", "character varying", "$c → varchar(65535): null truncate"),
    ("varchar", "character varying(30)", "$c → varchar(120): fits"),
    ("varchar", "character varying(16383)", "$c → varchar(65532): fits"),
    ("varchar", "character varying(16384)", "$c → varchar(65535): null truncate"),
    (
        "bpchar",
        "character(3)",
        "CASE WHEN pg_catalog.char_length($c) = 3 THEN $c ELSE $c::text::bpchar END → varchar(12): fits",
    ),
    ("bpchar", "bpchar", "$c::text → varchar(65535): null truncate"),
    ("name", "name", "$c → varchar(252): fits"),
    ("char", "\"char\"", "$c → varchar(4): fits"),
    ("bit", "bit", "$c → varchar(1): fits"),
    ("bit", "bit(8)", "$c → varchar(8): fits"),
    ("bit", "\"bit\"", "$c::text → varchar(65535): null truncate"),
    ("varbit", "bit varying(9)", "$c → varchar(9): fits"),
    ("varbit", "bit varying", "$c::text → varchar(65535): null truncate"),
    ("bytea", "bytea", "pg_catalog.encode($c, 'hex') → varbyte(1024000): null truncate text"),
    ("uuid", "uuid", "$c → varchar(36): fits"),
    ("json", "json", "$c → super: null text"),
    ("jsonb", "jsonb", "$c → super: null text"),
    ("date", "date", "$c → date: null clamp text"),
    ("timestamp", "timestamp without time zone", "$c → timestamp: null clamp text"),
    ("timestamptz", "timestamp with time zone", "$c → timestamptz: null clamp text"),
    ("time", "time without time zone", "$c → varchar(15): fits"),
    ("timetz", "time with time zone", "$c → varchar(24): fits"),
    ("inet", "inet", "pg_catalog.abbrev($c) → varchar(49): fits"),
    ("cidr", "cidr", "$c → varchar(49): fits"),
    ("macaddr", "macaddr", "$c → varchar(23): fits"),
    ("macaddr8", "macaddr8", "$c → varchar(23): fits"),
    ("pg_lsn", "pg_lsn", "$c → varchar(18): fits"),
    ("tid", "tid", "$c → varchar(18): fits"),
];

#[test]
fn each_row_of_the_table_is_so() {
    for (name, sql, expected) in ROWS {
        assert_eq!(crossing(&builtin(name, sql)), *expected, "{sql}");
    }
}

#[test]
fn what_redshift_has_nothing_like_arrives_as_text() {
    let names = "xml tsvector tsquery jsonpath pg_snapshot txid_snapshot regclass regtype point line lseg box \
        path polygon circle int4range numrange tsmultirange oidvector refcursor aclitem unheard_of";
    for name in names.split_whitespace() {
        let expected = "$c::text → varchar(65535): null truncate";
        assert_eq!(crossing(&builtin(name, name)), expected, "{name}");
        assert!(arrival(&builtin(name, name), PG15).note.is_some(), "{name}");
    }
}

#[test]
fn what_people_make_arrives_too() {
    let as_text = "$c::text → varchar(65535): null truncate";
    assert_eq!(crossing(&mood(&["calm", "hungry", "🦉"])), "$c → varchar(6): fits");
    assert_eq!(crossing(&mood(&[])), "$c → varchar(1): fits");
    assert_eq!(
        crossing(&domain("public.share", builtin("numeric", "numeric(5,4)"))),
        "$c → numeric(5,4): null text"
    );
    let json = "pg_catalog.to_json($c) → super";
    assert_eq!(crossing(&array(builtin("int4", "integer"))), format!("{json}: fits"));
    assert_eq!(crossing(&array(builtin("text", "text"))), format!("{json}: null text"));
    assert_eq!(crossing(&composite()), format!("{json}: fits"));
    assert_eq!(crossing(&extension("hstore", "hstore", "public.hstore")), format!("{json}: null text"));
    assert_eq!(
        crossing(&extension("citext", "citext", "public.citext")),
        "$c → varchar(65535): null truncate"
    );
    assert_eq!(crossing(&extension("postgis", "geometry", "gis.geometry")), as_text);
    assert_eq!(crossing(&range()), as_text);
    assert_eq!(crossing(&other()), as_text);
    let hashed = ColumnType {
        sql: "sha256(text)".into(),
        kind: TypeKind::Hashed { of: Box::new(builtin("text", "text")) },
    };
    assert!(crossing(&hashed).ends_with("→ varchar(64): fits"));
}

#[test]
fn a_number_without_bounds_gets_as_many_digits_as_there_are() {
    for (sql, there) in [
        ("numeric", "numeric(38,18)"),
        ("numeric(50,10)", "numeric(38,10)"),
        ("numeric(1000,50)", "numeric(38,18)"),
        ("numeric(45,40)", "numeric(38,33)"),
        ("numeric(3,50)", "numeric(38,37)"),
        ("numeric(20,-30)", "numeric(38,0)"),
        ("numeric(38,38)", "numeric(38,37)"),
    ] {
        let arrival = arrival(&builtin("numeric", sql), PG15);
        assert_eq!(arrival.sql_type, there, "{sql}");
        let allowed = [UnfitPolicy::Fail, UnfitPolicy::Null, UnfitPolicy::Clamp, UnfitPolicy::Text];
        assert_eq!(arrival.allowed(), allowed, "{sql}");
    }
}

#[test]
fn a_value_that_fits_costs_a_comparison_and_another_is_counted() {
    let arrival = arrival(&builtin("date", "date"), PG15);
    let fits = "\"born on\" < '0001-01-01'::date OR \"born on\" > '9999-12-31'::date";
    assert_eq!(
        arrival.compared("born on", UnfitPolicy::Null),
        format!("CASE WHEN {fits} THEN CASE WHEN true THEN NULL ELSE \"born on\" END ELSE \"born on\" END")
    );
    let counted = arrival.expression("born on", UnfitPolicy::Null, 7);
    assert_eq!(
        counted,
        format!(
            "CASE WHEN {fits} THEN CASE WHEN true THEN CASE WHEN pg_catalog.set_config('barncat.unfit_7', \
             (coalesce(nullif(pg_catalog.current_setting('barncat.unfit_7', true), ''), '0')::bigint + 1)::text, true) \
             IS NULL THEN \"born on\" ELSE NULL END ELSE \"born on\" END ELSE \"born on\" END"
        )
    );
}

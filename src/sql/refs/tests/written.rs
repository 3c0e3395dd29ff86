//! The SQL with names written out.

use super::{Reference, names, read};
use crate::sql::{Dialect, quote_ident};

fn in_raw(read: &Reference) -> Option<String> {
    Some(format!("{}.{}", quote_ident("raw_test"), quote_ident(&read.name)))
}

fn written(sql: &str, dialect: Dialect) -> String {
    read(sql, dialect).expect(sql).written(Some("'2026-01-01'::timestamptz"), in_raw)
}

#[test]
fn names_change_and_all_else_stays() {
    let sql = "-- tier = 'critical'\r\nWITH s AS (\n\tSELECT orders.id, größe FROM Orders -- the orders\n)\nSELECT raw.t.id,\
               \"raw\".\"t\".* FROM s, raw.t, raw . t AS x WHERE t.at >= :since; -- :since";
    let expected = "-- tier = 'critical'\r\nWITH s AS (\n\tSELECT orders.id, größe FROM \"raw_test\".\"orders\" -- the orders\n)\n\
                    SELECT \"raw_test\".\"t\".id,\"raw_test\".\"t\".* FROM s, \"raw_test\".\"t\", \"raw_test\".\"t\" AS x \
                    WHERE t.at >= '2026-01-01'::timestamptz; -- :since";
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        assert_eq!(written(sql, dialect), expected);
        let query = read(sql, dialect).expect(sql);
        assert_eq!(query.written(None, |_| None), sql);
        let statement = query.statement(None, |_| None);
        assert!(statement.starts_with("WITH s") && statement.ends_with(">= :since"), "{statement}");
    }
}

#[test]
fn written_names_stay_apart_from_their_neighbours() {
    let cases = [
        ("SELECT 1 FROM t\"x\"", "SELECT 1 FROM \"raw_test\".\"t\" \"x\""),
        ("SELECT 1 FROM\"t\"WHERE true", "SELECT 1 FROM\"raw_test\".\"t\"WHERE true"),
        (
            "SELECT 1 FROM(t JOIN u ON true)",
            "SELECT 1 FROM(\"raw_test\".\"t\" JOIN \"raw_test\".\"u\" ON true)",
        ),
        ("TABLE t", "TABLE \"raw_test\".\"t\""),
    ];
    for (sql, expected) in cases {
        assert_eq!(written(sql, Dialect::Postgres), expected);
        assert_eq!(
            names(&read(expected, Dialect::Postgres).expect(expected)).matches("raw_test.t").count(),
            1
        );
    }
    let plain = read("SELECT 1 FROM\"t\"WHERE true", Dialect::Postgres).expect("a SELECT");
    assert_eq!(plain.written(None, |_| Some("u".to_owned())), "SELECT 1 FROM u WHERE true");
}

#[test]
fn ways_into_super_columns_are_left() {
    let sql = "SELECT i.x FROM orders o, o.items i, raw.t, raw.t.list l";
    let expected =
        "SELECT i.x FROM \"raw_test\".\"orders\" o, o.items i, \"raw_test\".\"t\", \"raw_test\".\"t\".list l";
    assert_eq!(written(sql, Dialect::Redshift), expected);
}

#[test]
fn since_is_found_outside_of_strings_and_comments() {
    let cases = [
        ("SELECT a FROM t WHERE b>:since AND c<:since::date", 2),
        ("SELECT ARRAY[:since, 1] FROM t", 1),
        ("SELECT ':since', a::since, \":since\" FROM t -- :since", 0),
        ("SELECT (:since), f(:since), CASE WHEN a >= :since THEN 1 END FROM t", 3),
    ];
    for (sql, count) in cases {
        let query = read(sql, Dialect::Postgres).expect(sql);
        assert_eq!((query.since.len(), query.has_since()), (count, count > 0), "{sql}");
        let written = query.written(Some("'x'"), |_| None);
        assert!(read(&written, Dialect::Postgres).is_ok(), "{written}");
        assert_eq!(written.len(), sql.len() - count * ":since".len() + count * "'x'".len());
    }
    let slice = read("SELECT a[1:since], a[:since] FROM t", Dialect::Postgres).expect("a slice");
    assert!(!slice.has_since());
    let minus = read("SELECT a -:since FROM t", Dialect::Postgres).expect("a SELECT");
    assert_eq!(minus.written(Some("-5"), |_| None), "SELECT a -(-5) FROM t");
}

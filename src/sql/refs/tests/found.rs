//! The tables that are found, and the names that are none.

use super::{both, check};
use crate::sql::{Dialect, refs::read};

#[test]
fn tables_are_found_wherever_they_stand() {
    both(&[
        ("SELECT * FROM a, raw.b, db.raw.c", "a raw.b db.raw.c"),
        ("SELECT * FROM a JOIN b ON true LEFT JOIN c USING (id) CROSS JOIN d NATURAL JOIN e", "a b c d e"),
        ("SELECT * FROM a JOIN b ON a.id = (SELECT max(id) FROM c)", "a b c"),
        ("SELECT * FROM ((a JOIN b ON true) JOIN c ON true) x, (d CROSS JOIN e)", "a b c d e"),
        (
            "SELECT (SELECT 1 FROM a) FROM b WHERE c IN (SELECT d FROM e) AND EXISTS (SELECT 1 FROM f)",
            "a b e f",
        ),
        ("SELECT a FROM b WHERE c = ANY (SELECT d FROM e) AND c > ALL (SELECT d FROM f)", "b e f"),
        ("SELECT a FROM b GROUP BY a HAVING max(c) > (SELECT 1 FROM d) ORDER BY (SELECT 2 FROM e)", "b d e"),
        ("SELECT a FROM b LIMIT (SELECT n FROM c)", "b c"),
        ("SELECT CASE WHEN a THEN (SELECT b FROM c) ELSE coalesce((SELECT d FROM e), 1) END FROM f", "c e f"),
        ("SELECT rank() OVER (PARTITION BY (SELECT a FROM b) ORDER BY c) FROM d", "b d"),
        (
            "SELECT a FROM b UNION ALL SELECT a FROM c EXCEPT SELECT a FROM d INTERSECT SELECT a FROM e",
            "b c d e",
        ),
        ("(SELECT a FROM b) UNION (SELECT a FROM c ORDER BY 1 LIMIT 1)", "b c"),
        ("SELECT * FROM (SELECT * FROM (SELECT * FROM a) b) c, LATERAL (SELECT * FROM d) e", "a d"),
        ("SELECT a.x FROM t a, t b, T", "t t t"),
        ("VALUES (1, (SELECT max(id) FROM t))", "t"),
        ("SELECT * FROM (VALUES (1, 2)) AS v (a, b)", ""),
        ("TABLE raw.t", "raw.t"),
        ("SELECT 1 UNION TABLE t", "t"),
        ("SELECT a FROM t WHERE id IN (TABLE u)", "t u"),
        ("SELECT * FROM t AS x (a, b) TABLESAMPLE BERNOULLI (10)", "t"),
        ("SELECT 1;", ""),
        ("-- FROM x\n/* FROM y */ SELECT 'FROM z', $$ FROM q $$ FROM t; -- FROM u", "t"),
    ]);
}

#[test]
fn names_of_with_are_tables_only_where_they_are_not_known() {
    both(&[
        ("WITH a AS (SELECT * FROM t) SELECT * FROM a", "t"),
        ("WITH a AS (SELECT * FROM t), b AS (SELECT * FROM a) SELECT * FROM a, b", "t"),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a, b", "b"),
        ("WITH orders AS (SELECT * FROM orders) SELECT * FROM orders", "orders"),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r", ""),
        ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ""),
        ("WITH a AS (SELECT 1) SELECT * FROM raw.a, A, \"a\"", "raw.a"),
        ("WITH a AS (SELECT 1) SELECT (SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM a, t)) FROM u", "t u"),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", "a"),
        ("(WITH a AS (SELECT 1 FROM t) SELECT * FROM a) UNION SELECT * FROM a", "t a"),
        ("WITH a AS (SELECT 1) SELECT * FROM a UNION SELECT * FROM a UNION TABLE a", ""),
        (
            "WITH a AS (WITH b AS (SELECT 1 FROM t) SELECT * FROM b), c AS (SELECT * FROM b) SELECT * FROM c",
            "t b",
        ),
        ("WITH a AS (SELECT 1), b AS (WITH a AS (SELECT * FROM a) SELECT * FROM a) SELECT * FROM b", ""),
        ("WITH b AS (WITH a AS (SELECT * FROM a) SELECT * FROM a) SELECT * FROM b, a", "a a"),
        ("WITH a AS (TABLE t) TABLE a", "t"),
        ("WITH a AS (SELECT 1) SELECT 1 ORDER BY (SELECT 1 FROM a)", ""),
    ]);
    let sql = "WITH \"A\" AS (SELECT 1) SELECT * FROM a, \"A\", A";
    check(Dialect::Postgres, &[(sql, "a a")]);
    check(Dialect::Redshift, &[(sql, "")]);
}

#[test]
fn functions_and_words_before_from_are_no_tables() {
    both(&[
        ("SELECT * FROM generate_series(1, (SELECT max(n) FROM t)) AS g (n)", "t"),
        ("SELECT * FROM t, LATERAL f(t.x) AS y, raw.g(1)", "t"),
        ("SELECT EXTRACT(epoch FROM x), SUBSTRING(x FROM 1), TRIM(BOTH 'x' FROM x)", ""),
        ("SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM (SELECT c FROM d) FROM t", "d t"),
        (
            "SELECT a::raw.kind, CAST(b AS raw.kind), raw.f(c), d AT TIME ZONE 'UTC', interval '1 day' FROM t",
            "t",
        ),
        ("SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t", "t"),
        ("SELECT listagg(a, ',') WITHIN GROUP (ORDER BY b) FROM t", "t"),
        ("SELECT a FROM t GROUP BY GROUPING SETS ((a), (), (a, b)), ROLLUP (a), CUBE (b)", "t"),
        ("SELECT 'a'\n  'b' FROM t", "t"),
        ("SELECT * FROM current_date, CURRENT_USER AS u", ""),
        ("SELECT * FROM \"current_date\"", "current_date"),
    ]);
}

#[test]
fn postgres_alone() {
    check(
        Dialect::Postgres,
        &[
            ("SELECT * FROM ONLY raw.t, ONLY (u), v *", "raw.t u v"),
            ("SELECT FROM t", "t"),
            ("SELECT TRIM(BOTH FROM a), OVERLAY(a PLACING b FROM 1 FOR 2), POSITION('x' IN a) FROM t", "t"),
            ("SELECT DISTINCT ON (a) a, count(*) FILTER (WHERE b > (SELECT c FROM d)) FROM t", "d t"),
            ("SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY (SELECT b FROM c))", "t c"),
            ("SELECT ARRAY(SELECT a FROM b), ARRAY[1], c[1:2], c[:2], c[1:since] FROM t", "b t"),
            ("SELECT a->'b'->>'c', a #>> '{x}', a @> b, a ? 'x', a ?| b, (a, b) OVERLAPS (c, d) FROM t", "t"),
            ("SELECT a COLLATE pg_catalog.\"C\", b OPERATOR(pg_catalog.+) c FROM t ORDER BY a USING >", "t"),
            (
                "SELECT f(VARIADIC ARRAY[1]), a BETWEEN SYMMETRIC 1 AND 2 FROM t GROUP BY DISTINCT ROLLUP (a)",
                "t",
            ),
            ("SELECT * FROM unnest(ARRAY[1]) WITH ORDINALITY AS u (a, n), unnest((SELECT x FROM t))", "t"),
            ("SELECT * FROM json_to_recordset((SELECT j FROM t)) AS x (a int, b text)", "t"),
            ("SELECT * FROM ROWS FROM (f(1), g((SELECT a FROM t))) AS z (a, b)", "t"),
            ("SELECT * FROM xmltable('/r' PASSING (SELECT d FROM t) COLUMNS id int PATH '@id') AS x", "t"),
            (
                "WITH a AS MATERIALIZED (SELECT 1 FROM t), b AS NOT MATERIALIZED (SELECT 2 FROM a) TABLE b",
                "t",
            ),
            (
                "SELECT * FROM Raw.Orders, \"Raw\".\"Orders\", \"a.b\", \"we\"\"ird\"",
                "raw.orders Raw.Orders a.b we\"ird",
            ),
            ("SELECT * FROM orders o, o.items", "orders o.items"),
            ("SELECT /* FROM a /* FROM b */ FROM c */ $x$ FROM $$ d $x$, E'\\' FROM e' FROM t", "t"),
            ("SELECT '\\' FROM t", "t"),
        ],
    );
}

#[test]
fn redshift_alone() {
    check(
        Dialect::Redshift,
        &[
            ("SELECT TOP 10 * FROM t QUALIFY row_number() OVER (ORDER BY (SELECT a FROM b)) = 1", "t b"),
            ("SELECT * FROM (SELECT a, b FROM t) PIVOT (sum(b) FOR a IN ('x', 'y' AS z))", "t"),
            (
                "SELECT * FROM raw.t PIVOT (sum(b) FOR a IN ('x')) AS p, raw.u UNPIVOT (v FOR n IN (a, b))",
                "raw.t raw.u",
            ),
            ("SELECT * EXCLUDE (a) FROM t MINUS SELECT * FROM u", "t u"),
            ("SELECT a FROM t, u WHERE t.id = u.id(+)", "t u"),
            ("SELECT APPROXIMATE COUNT(DISTINCT a) FROM t GROUP BY ALL", "t"),
            ("SELECT a, level FROM t START WITH a = 1 CONNECT BY PRIOR a = b", "t"),
            ("SELECT * FROM #steps, \"#Steps\"", "#steps #steps"),
            ("SELECT * FROM \"Raw\".\"Orders\", RAW.ORDERS", "raw.orders raw.orders"),
            ("SELECT 'it\\'s FROM x' FROM t", "t"),
        ],
    );
}

#[test]
fn redshift_walks_into_super_columns() {
    check(
        Dialect::Redshift,
        &[
            ("SELECT i FROM raw.orders o, o.items i, i.parts p", "raw.orders"),
            ("SELECT i FROM orders, orders.items AS i AT n", "orders"),
            ("SELECT i FROM raw.orders, orders.items i", "raw.orders"),
            ("SELECT i FROM raw.orders, raw.orders.items i", "raw.orders ~raw.orders"),
            ("SELECT i FROM raw.orders o LEFT JOIN o.items i ON true JOIN raw.x ON true", "raw.orders raw.x"),
            ("SELECT e FROM foo f, f.rows AS r, r AS e", "foo"),
            ("SELECT e FROM foo f, f.rows[0] AS r", "foo"),
            ("SELECT * FROM orders, orders o", "orders orders"),
            ("SELECT v FROM orders o, UNPIVOT o.attrs AS v AT k, v.x AS y", "orders"),
            ("SELECT (SELECT count(*) FROM o.items i) FROM raw.orders o", "raw.orders"),
            ("SELECT * FROM raw.orders raw, (SELECT * FROM raw.x) y", "raw.orders raw.x"),
            ("SELECT * FROM o.items i, orders o", "o.items orders"),
            ("SELECT raw.t.list[0].a, raw.t.b.c FROM raw.t", "~raw.t ~raw.t raw.t"),
            ("SELECT raw.t.b FROM x raw, raw2.t", "x raw2.t"),
        ],
    );
    let query = read("SELECT * FROM raw.orders raw, raw.x", Dialect::Redshift).expect("a SELECT");
    let paths: Vec<_> = query.paths.iter().map(super::name).collect();
    assert_eq!(paths, ["raw.x"], "what may be a table after all is told");
}

#[test]
fn tables_that_qualify_columns_are_found() {
    both(&[
        ("SELECT raw.t.id, \"raw\".\"t\".*, count(raw.t.*) FROM raw.t", "~raw.t ~raw.t ~raw.t raw.t"),
        (
            "SELECT 1 FROM raw.t WHERE raw.t.a > 1 GROUP BY raw.t.a ORDER BY raw.t.a",
            "raw.t ~raw.t ~raw.t ~raw.t",
        ),
        ("SELECT (SELECT max(a) FROM u WHERE u.id = raw.t.id) FROM raw.t", "u ~raw.t raw.t"),
        ("SELECT db.raw.t.id FROM db.raw.t", "~db.raw.t db.raw.t"),
        ("SELECT raw.t.id FROM t", "~raw.t t"),
        ("SELECT other.t.id, t.id, x.y FROM raw.t", "raw.t"),
    ]);
    check(
        Dialect::Postgres,
        &[(
            "SELECT (raw.t.address).city, raw.t.list[1], (raw.t.*)::text FROM raw.t",
            "~raw.t ~raw.t ~raw.t raw.t",
        )],
    );
}

#[test]
fn places_count_characters_and_ranges_count_bytes() {
    let sql = "SELECT 'ä€😀',\r\n\tgröße FROM\t\"Über\".maße ü,\r\n  raw . /* c */ \"t\"";
    for dialect in [Dialect::Postgres, Dialect::Redshift] {
        let query = read(sql, dialect).expect("a SELECT");
        let found: Vec<_> =
            query.tables().map(|read| (&sql[read.range.clone()], read.line, read.column)).collect();
        assert_eq!(found, [("\"Über\".maße", 2, 13), ("raw . /* c */ \"t\"", 3, 3)]);
    }
}

#[test]
fn what_answers_one_row_whatever_is_there_is_known() {
    let is_always_one = |sql: &str| read(sql, Dialect::Postgres).unwrap().is_always_one_row;
    for sql in ["SELECT count(*) FROM t", "SELECT Sum(a)::int AS x, (max(b)) FROM t WHERE c"] {
        assert!(is_always_one(sql), "{sql}");
    }
    for sql in [
        "SELECT count(*) FROM t GROUP BY a",
        "SELECT count(*) FROM t HAVING count(*) > 0",
        "SELECT count(*) FROM t LIMIT 0",
        "SELECT count(*) OVER () FROM t",
        "SELECT count(*), a FROM t",
        "SELECT count(*) FROM t UNION ALL SELECT 1 WHERE false",
        "SELECT * FROM t",
    ] {
        assert!(!is_always_one(sql), "{sql}");
    }
}

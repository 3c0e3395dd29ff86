//! What Redshift refuses, although Postgres would take it.

use crate::support::Fixture;

#[tokio::test]
async fn statements_and_grammar_that_only_postgres_has() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int, s varchar(10))").await;
    for (sql, error) in [
        ("CREATE INDEX i ON t (a)", "not supported on Redshift tables"),
        ("CREATE UNIQUE INDEX i ON t (a)", "not supported on Redshift tables"),
        ("CREATE SEQUENCE s", "not supported on Redshift tables"),
        ("CREATE UNLOGGED TABLE u (a int)", "not supported"),
        ("CREATE TABLE u (a int CHECK (a > 0))", "not supported on Redshift tables"),
        ("CREATE TABLE u (a int) PARTITION BY RANGE (a)", "near \"PARTITION\""),
        ("CREATE TABLE u (a int) INHERITS (t)", "near \"INHERITS\""),
        ("CREATE TABLE u (LIKE t INCLUDING ALL)", "near \"INCLUDING\""),
        ("CREATE TABLE u (tag int)", "near \"tag\""),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "near \"CONFLICT\""),
        ("INSERT INTO t VALUES (1) RETURNING a", "near \"RETURNING\""),
        ("INSERT INTO t VALUES ((SELECT 1), 'x')", "subqueries"),
        ("SELECT DISTINCT ON (a) a FROM t", "near \"DISTINCT\""),
        ("SELECT * FROM t, LATERAL (SELECT 1) x", "near \"LATERAL\""),
        ("SELECT count(*) FILTER (WHERE a = 1) FROM t", "near \"FILTER\""),
        ("SELECT * FROM t FOR UPDATE", "near \"FOR\""),
        ("SELECT a IS DISTINCT FROM 1 FROM t", "near \"DISTINCT\""),
        ("SELECT * FROM (VALUES (1)) v (a)", "near \"VALUES\""),
        ("SELECT ARRAY[1]", "near \"ARRAY\""),
        ("SELECT E'\\\\n'", "near \"E\""),
        ("SELECT string_agg(s, ',') FROM t", "function string_agg() does not exist"),
        ("SELECT pg_advisory_lock(1)", "does not exist"),
        ("SELECT gen_random_uuid()", "does not exist"),
        ("SELECT now() FROM public.t", "not supported on Redshift tables"),
        ("SELECT * FROM public.t, pg_class", "not supported on Redshift tables"),
        ("INSERT INTO t SELECT 1, relname FROM pg_class", "not supported on Redshift tables"),
        ("SELECT '1'::uuid", "type \"uuid\" does not exist"),
        ("WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d", "cannot write"),
        ("DELETE FROM t AS x WHERE x.a = 1", "near \"AS\""),
        ("DELETE FROM t x WHERE x.a = 1", "near \"x\""),
        ("LOCK TABLE t IN EXCLUSIVE MODE", "near \"IN\""),
        ("LOCK t NOWAIT", "near \"NOWAIT\""),
        ("SET lock_timeout = 1000", "unrecognized configuration parameter \"lock_timeout\""),
        ("SET standard_conforming_strings = on", "unrecognized configuration parameter"),
        ("SAVEPOINT a", "near \"SAVEPOINT\""),
        ("DO 'BEGIN END'", "near \"DO\""),
        ("LISTEN a", "near \"LISTEN\""),
        ("COPY t FROM STDIN", "near"),
        ("ALTER TABLE t ADD COLUMN b int, ADD COLUMN c int", "near \",\""),
        ("ALTER TABLE t ADD COLUMN b int NOT NULL", "must have a non-null default"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "is not supported"),
        ("ALTER TABLE t ALTER COLUMN a DROP DEFAULT", "is not supported"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", "only supported for columns of type VARCHAR"),
        ("ALTER TABLE t SET SCHEMA public", "near \"SET\""),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "syntax error at end"),
        ("TRUNCATE t, u", "near \",\""),
    ] {
        let found = double.error(sql).await;
        assert!(found.contains(error), "{sql}: {found}");
    }
}

#[tokio::test]
async fn types_that_redshift_has_not() {
    let double = Fixture::new().await;
    for (type_, error) in [
        ("uuid", "type \"uuid\" does not exist"),
        ("jsonb", "type \"jsonb\" does not exist"),
        ("bytea", "does not exist"),
        ("json", "unsupported type \"json\""),
        ("inet", "unsupported type \"inet\""),
        ("interval", "unsupported type \"interval\""),
        ("int[]", "unsupported type \"integer[]\""),
        ("serial", "not supported"),
        ("mood", "type \"mood\" does not exist"),
        ("varchar(65536)", "length for type varchar cannot exceed 65535"),
        ("char(4097)", "length for type char cannot exceed 4096"),
        ("numeric(39,0)", "precision 39 must be between 1 and 38"),
        ("numeric(10,11)", "scale 11 must be between 0 and precision 10"),
        ("varbyte(16777217)", "cannot exceed 16777216"),
    ] {
        let found = double.error(&format!("CREATE TABLE u (a {type_})")).await;
        assert!(found.contains(error), "{type_}: {found}");
    }
    let columns: Vec<_> = (0..1601).map(|at| format!("c{at} int")).collect();
    let found = double.error(&format!("CREATE TABLE u ({})", columns.join(","))).await;
    assert!(found.contains("at most 1600 columns"), "{found}");
}

#[tokio::test]
async fn some_statements_run_only_outside_of_transactions() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int, s varchar(10))").await;
    for (sql, error) in [
        ("VACUUM t", "VACUUM cannot run inside a transaction block"),
        ("ALTER TABLE t ALTER COLUMN s TYPE varchar(20)", "ALTER TABLE ALTER COLUMN cannot run inside"),
        ("ALTER TABLE t APPEND FROM u", "ALTER TABLE APPEND cannot run inside"),
        ("ALTER TABLE t ALTER SORTKEY (a)", "cannot run inside"),
    ] {
        let found = double.batch_error(&["INSERT INTO t VALUES (1, 'x')", sql]).await;
        assert!(found.contains(error), "{sql}: {found}");
    }
    double.run("VACUUM t").await;
    double.run("ALTER TABLE t ALTER SORTKEY (a)").await;
    double.run("ALTER TABLE t ALTER COLUMN s TYPE varchar(20)").await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
}

//! What Redshift does otherwise than Postgres.

use crate::support::Fixture;

#[tokio::test]
async fn names_fold_also_in_quotes() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE \"Public\".\"Mixed\" (\"Id\" int, \"oRder\" int)").await;
    assert_eq!(double.rows("SELECT \"ID\" FROM MIXED").await, Vec::<String>::new());
    assert!(double.error("CREATE TABLE u (\"a\" int, \"A\" int)").await.contains("specified more than once"));
    double
        .run_batch(&[
            "SET enable_case_sensitive_identifier TO true",
            "CREATE TABLE u (\"a\" int, \"A\" int)",
            "INSERT INTO u (\"A\") VALUES (1)",
        ])
        .await;
    assert!(
        double.error("SELECT \"A\" AS x FROM u WHERE a = 1 AND \"B\" = 1").await.contains("does not exist")
    );
}

#[tokio::test]
async fn texts_count_bytes() {
    let double = Fixture::new().await;
    double
        .run("CREATE TABLE t (a int, s varchar(4), c char(4), n text, d decimal(19,0), b varbyte(2))")
        .await;
    double.run("INSERT INTO t (s) VALUES ('äö')").await;
    for values in ["(s) VALUES ('äöü')", "(s) VALUES ('abcde')"] {
        let found = double.error(&format!("INSERT INTO t {values}")).await;
        assert!(found.contains("Value too long for character type"), "{values}: {found}");
    }
    assert!(double.error("INSERT INTO t (c) VALUES ('ä')").await.contains("invalid ASCII"));
    let long = "x".repeat(257);
    assert!(double.error(&format!("INSERT INTO t (n) VALUES ('{long}')")).await.contains("too long"));
    assert!(double.error("INSERT INTO t (d) VALUES (9223372036854775808)").await.contains("overflow"));
    double.run("ALTER TABLE t ALTER COLUMN s TYPE varchar(6)").await;
    double.run("INSERT INTO t (s) VALUES ('äöü')").await;
    let found = double.error("ALTER TABLE t ALTER COLUMN s TYPE varchar(5)").await;
    assert!(found.contains("values are longer"), "{found}");
    double.run("ALTER TABLE t ADD COLUMN late varchar(2) DEFAULT 'x'").await;
    assert!(double.error("INSERT INTO t (late) VALUES ('äx')").await.contains("too long"));
    double.run("CREATE TABLE u (LIKE t INCLUDING DEFAULTS)").await;
    assert!(double.error("INSERT INTO u (s) VALUES ('äöüä')").await.contains("too long"));
    double.run("CREATE TABLE v AS SELECT s, upper(s) AS up FROM t").await;
    assert!(double.error("INSERT INTO v (s) VALUES ('äöüä')").await.contains("too long"));
}

#[tokio::test]
async fn backslashes_escape() {
    let double = Fixture::new().await;
    assert_eq!(double.rows(r"SELECT '\N', '\\N', 'a\'b', 'a''b', '\101'").await, [r"N|\N|a'b|a'b|A"]);
}

#[tokio::test]
async fn keys_are_not_enforced_and_not_null_is() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE, c int NOT NULL, FOREIGN KEY (a) REFERENCES t (b))").await;
    double.run("INSERT INTO t VALUES (1, 1, 1), (1, 1, 1)").await;
    assert!(double.error("INSERT INTO t VALUES (1, 1, NULL)").await.contains("null value in column \"c\""));
    assert!(double.error("INSERT INTO t VALUES (NULL, 1, 1)").await.contains("null value in column \"a\""));
}

#[tokio::test]
async fn layouts_are_kept_and_copied() {
    let double = Fixture::new().await;
    double
        .run("CREATE TABLE t (a bigint ENCODE raw, b varchar(5) ENCODE zstd, c int) BACKUP NO DISTSTYLE KEY DISTKEY (c) COMPOUND SORTKEY (b, a)")
        .await;
    assert!(double.error("CREATE TABLE u (a int) DISTSTYLE KEY").await.contains("DISTKEY"));
    assert!(double.error("CREATE TABLE u (a super) SORTKEY (a)").await.contains("super"));
    assert!(double.error("CREATE TABLE u (a int ENCODE best)").await.contains("encoding best"));
    assert!(double.error("CREATE TABLE u (LIKE t) DISTSTYLE ALL").await.contains("syntax error"));
    assert!(double.error("ALTER TABLE t DROP COLUMN c").await.contains("cannot drop distkey column \"c\""));
    assert!(double.error("ALTER TABLE t DROP COLUMN a").await.contains("cannot drop sortkey column \"a\""));
    double.run("ALTER TABLE t ADD COLUMN gone int").await;
    double.run("ALTER TABLE t DROP COLUMN gone").await;
    double.run("CREATE TABLE u (LIKE t)").await;
    assert!(double.error("ALTER TABLE u DROP COLUMN c").await.contains("cannot drop distkey column \"c\""));
}

#[tokio::test]
async fn truncate_commits() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    double.run("CREATE TABLE u (a int)").await;
    double.batch_error(&["INSERT INTO u VALUES (1)", "TRUNCATE t", "SELECT 1/0"]).await;
    assert_eq!(double.rows("SELECT count(*) FROM u").await, ["1"]);
}

#[tokio::test]
async fn an_error_aborts_the_transaction() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    double.batch_error(&["INSERT INTO t VALUES (1)", "SELECT uuid_generate_v4()"]).await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
}

#[tokio::test]
async fn a_bound_view_follows_its_table_and_a_late_one_its_name() {
    let double = Fixture::new().await;
    double.run_batch(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)"]).await;
    double.run("CREATE VIEW bound AS SELECT a FROM public.t").await;
    double.run("CREATE VIEW late AS SELECT a FROM public.t WITH NO SCHEMA BINDING").await;
    assert!(
        double.error("CREATE VIEW x AS SELECT a FROM t WITH NO SCHEMA BINDING").await.contains("qualified")
    );
    assert!(double.error("DROP TABLE t").await.contains("other objects depend on it"));
    double
        .run_batch(&[
            "CREATE TABLE t_new (a int)",
            "INSERT INTO t_new VALUES (2)",
            "ALTER TABLE public.t RENAME TO t_old",
            "ALTER TABLE public.t_new RENAME TO t",
        ])
        .await;
    assert_eq!(double.rows("SELECT a FROM bound").await, ["1"]);
    assert_eq!(double.rows("SELECT a FROM late").await, ["2"]);
    double.run("DROP TABLE t").await;
    assert!(double.error("SELECT a FROM late").await.contains("does not exist"));
}

#[tokio::test]
async fn super_has_limits() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a super)").await;
    double.run("INSERT INTO t SELECT json_parse('{\"b\": [1, 2.50], \"a\": null}')").await;
    assert_eq!(double.rows("SELECT json_serialize(a) FROM t").await, ["{\"a\":null,\"b\":[1,2.50]}"]);
    let found = double.error("INSERT INTO t SELECT json_parse('\"' || repeat('x', 65536) || '\"')").await;
    assert!(found.contains("limits of SUPER"), "{found}");
}

#[tokio::test]
async fn merge_meets_each_row_once() {
    let double = Fixture::new().await;
    double.run_batch(&["CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 1)"]).await;
    double.run_batch(&["CREATE TABLE u (a int, b int)", "INSERT INTO u VALUES (1, 2), (3, 4)"]).await;
    let merge = "MERGE INTO t USING u AS s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b \
                 WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b)";
    double.run(merge).await;
    assert_eq!(double.rows("SELECT a, b FROM t ORDER BY a").await, ["1|2", "3|4"]);
    double.run("INSERT INTO u VALUES (1, 5)").await;
    assert!(double.error(merge).await.contains("Found multiple matches to update the same tuple."));
    double.run("DELETE FROM t USING u WHERE t.a = u.a").await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
}

#[tokio::test]
async fn blanks_at_the_end_do_not_count_in_comparisons() {
    let double = Fixture::new().await;
    double
        .run_batch(&[
            "CREATE TABLE t (s varchar(10), n int)",
            "INSERT INTO t VALUES ('a', 1), ('a  ', 2), (' a', 3)",
        ])
        .await;
    double.run_batch(&["CREATE TABLE u (s varchar(10))", "INSERT INTO u VALUES ('a ')"]).await;
    assert_eq!(double.rows("SELECT count(*) FROM t WHERE s = 'a'").await, ["2"]);
    assert_eq!(double.rows("SELECT count(*) FROM t WHERE s IN ('b', 'a ')").await, ["2"]);
    assert_eq!(double.rows("SELECT count(DISTINCT s) FROM t").await, ["2"]);
    assert_eq!(double.rows("SELECT count(*) FROM t GROUP BY s ORDER BY 1").await, ["1", "2"]);
    assert_eq!(double.rows("SELECT sum(len(s)) FROM t").await, ["6"], "they are kept");
    assert_eq!(double.rows("SELECT n FROM t JOIN u ON t.s = u.s ORDER BY n").await, ["1", "2"]);
    let id = double
        .run_batch(&[
            "SET search_path TO public",
            "DELETE FROM t USING u WHERE t.s = u.s",
            "SHOW search_path",
        ])
        .await;
    assert_eq!(double.result(&format!("{id}:3")).await, [["public"]]);
    assert_eq!(double.rows("SELECT n FROM t").await, ["3"]);
}

#[tokio::test]
async fn names_before_parentheses() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE public.t (a int, \"set\" int)").await;
    double.run("INSERT INTO public.t (a) VALUES (1)").await;
    double.run("INSERT INTO \"public\".\"t\" (\"a\", \"set\") SELECT 2, 3").await;
    double.run("INSERT INTO t (a) (SELECT 4)").await;
    let sql = "WITH c (x) AS (SELECT a FROM public.t), \"d\" (\"y\") AS (SELECT x FROM c) \
               SELECT sum(e.z) FROM (SELECT \"y\" FROM \"d\") AS \"e\" (z) WHERE z IN (1, 2) AND NOT (z = 2)";
    assert_eq!(double.rows(sql).await, ["1"]);
    for sql in
        ["SELECT \"pg_sleep\"(0)", "SELECT pg_catalog.pg_sleep(0)", "SELECT pg_catalog.\"pg_sleep\"(0)"]
    {
        assert!(double.error(sql).await.contains("function pg_sleep() does not exist"), "{sql}");
    }
}

//! `COPY` from a real S3 server.

use std::io::Write;

use crate::{
    s3::{BUCKET, KEY, S3, SECRET},
    support::Fixture,
};

const ROLE: &str = "arn:aws:iam::1:role/r";

async fn fixture() -> (Fixture, S3) {
    let s3 = S3::start().await;
    let endpoint = s3.endpoint.clone();
    let change = |settings: redshift_double::Settings| {
        settings.s3(&endpoint, KEY, SECRET).bucket(BUCKET, "us-east-1").bucket("far", "eu-west-1").role(ROLE)
    };
    (Fixture::with(change).await, s3)
}

/// By a manifest, with these options.
fn copy(options: &str) -> String {
    format!("COPY t FROM 's3://{BUCKET}/m' IAM_ROLE '{ROLE}' MANIFEST CSV {options}")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("it is packed");
    encoder.finish().expect("it is packed")
}

#[tokio::test]
async fn every_type_is_loaded() {
    let (double, s3) = fixture().await;
    double
        .run("CREATE TABLE t (i int, d decimal(10,2), f float8, b boolean, dt date, ts timestamp, tz timestamptz, s varchar(20), c char(3), v varbyte(4), j super)")
        .await;
    let row = "7,1.239,1e3,t,2024-02-29,2024-01-31 23:59:59.123456,2024-01-31 23:59:59+02:00,\"a,\"\"b\"\"\n\",abc,00ff,\"{\"\"a\"\": [1, null]}\"\r\n";
    s3.put_with_manifest("a.csv.gz", gzip(row.as_bytes()));
    let id = double.run_batch(&[&copy("GZIP NULL AS '@N@' TIMEFORMAT 'auto' DATEFORMAT 'auto' MAXERROR 0 COMPUPDATE OFF STATUPDATE OFF"), "SELECT pg_last_copy_count()"]).await;
    let parts = double.ended(&id).await.sub_statements.unwrap();
    assert_eq!((parts[0].result_rows, parts[0].has_result_set), (1, Some(false)));
    assert_eq!(double.result(&format!("{id}:2")).await, [["1"]]);
    let rows = double.rows("SELECT i, d, f, b, dt, ts, tz, s, c, v, json_serialize(j) FROM t").await;
    assert_eq!(double.rows("SELECT j FROM t").await, ["{\"a\":[1,null]}"]);
    let expected = "7|1.23|1000|true|2024-02-29|2024-01-31 23:59:59.123456|2024-01-31 21:59:59+00|a,\"b\"\n|abc|00ff|{\"a\":[1,null]}";
    assert_eq!(rows, [expected]);
}

#[tokio::test]
async fn nulls_are_told_by_the_matrix() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int, s varchar(10))").await;
    s3.put_with_manifest("a", "1,\n2,\"\"\n3,\\N\n4,S\n5,\"S\"\n6,\" \"\n,x\n");
    for (options, expected) in [
        ("", ["1|''", "2|''", "3|∅", "4|'S'", "5|'S'", "6|' '", "∅|'x'"]),
        ("NULL AS 'S'", ["1|''", "2|''", "3|'\\N'", "4|∅", "5|∅", "6|' '", "∅|'x'"]),
        ("EMPTYASNULL", ["1|∅", "2|∅", "3|∅", "4|'S'", "5|'S'", "6|' '", "∅|'x'"]),
        ("NULL AS ''", ["1|∅", "2|∅", "3|'\\N'", "4|'S'", "5|'S'", "6|' '", "∅|'x'"]),
        ("BLANKSASNULL", ["1|''", "2|''", "3|∅", "4|'S'", "5|'S'", "6|∅", "∅|'x'"]),
        // The statement's own backslash is an escape: N is meant.
        ("NULL AS '\\N'", ["1|''", "2|''", "3|'\\N'", "4|'S'", "5|'S'", "6|' '", "∅|'x'"]),
        ("NULL AS '\\\\N'", ["1|''", "2|''", "3|∅", "4|'S'", "5|'S'", "6|' '", "∅|'x'"]),
    ] {
        double.run("TRUNCATE t").await;
        double.run(&copy(options)).await;
        let found = double.rows("SELECT n, '''' || s || '''' FROM t ORDER BY n").await;
        let expected: Vec<_> = expected.iter().map(|row| (*row).to_owned()).collect();
        assert_eq!(found, expected, "{options}");
    }
}

#[tokio::test]
async fn refused_rows_are_told_and_survive_the_rollback() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int NOT NULL, s varchar(4))").await;
    for (csv, code, column, reason) in [
        ("x,a\n", "1207", "n", "Invalid digit"),
        ("99999999999,a\n", "1222", "n", "Overflow"),
        ("1,äöü\n", "1204", "s", "Char length exceeds DDL length"),
        (",a\n", "1213", "n", "Missing data for not-null field"),
        ("1\n", "1203", "", "Delimiter not found"),
        ("1,2,3\n", "1202", "", "Extra column(s) found"),
        ("1,\"a\n", "1214", "", "Invalid quote"),
        ("1,a\"b\n", "1214", "", "Invalid quote"),
        ("1,a\u{0}\n", "1216", "", "NUL"),
        ("\n", "1211", "", "empty"),
    ] {
        s3.put_with_manifest("a", format!("1,ok\n{csv}"));
        let error = double.batch_error(&[&copy(""), "SELECT 1"]).await;
        assert!(error.contains("Check 'sys_load_error_detail' system table"), "{error}");
        let error = double.error(&copy("")).await;
        assert!(error.contains("Load into table 't' failed.  Check 'stl_load_errors'"), "{error}");
        let sql = "SELECT trim(filename), line_number, err_code, trim(colname), trim(err_reason) \
                   FROM stl_load_errors ORDER BY starttime DESC LIMIT 1";
        let rows = double.rows(sql).await;
        let start = format!("s3://stage/a|2|{code}|{column}|");
        assert!(rows[0].starts_with(&start) && rows[0].contains(reason), "{csv}: {rows:?}");
    }
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
    assert_eq!(double.rows("SELECT count(*) FROM sys_load_error_detail").await, ["20"]);
}

#[tokio::test]
async fn max_error_skips_rows() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int)").await;
    s3.put_with_manifest("a", "1\nx\n2\ny\n3");
    double.error(&copy("MAXERROR 2")).await;
    double.error(&copy("MAXERROR 1")).await;
    double.run(&copy("MAXERROR 3")).await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["3"]);
    double.run(&copy("IGNOREALLERRORS")).await;
    assert!(double.error(&copy("IGNOREALLERRORS MAXERROR 2")).await.contains("exclude"));
}

#[tokio::test]
async fn values_are_cut_and_rounded_as_told() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (d decimal(5,2), s varchar(3))").await;
    s3.put_with_manifest("a", "-0.999,äbcd\n");
    assert!(double.error(&copy("")).await.contains("failed"));
    double.run(&copy("TRUNCATECOLUMNS")).await;
    double.run(&copy("TRUNCATECOLUMNS ROUNDEC")).await;
    assert_eq!(double.rows("SELECT d, s FROM t ORDER BY d DESC").await, ["-0.99|äb", "-1.00|äb"]);
    s3.put_with_manifest("a", "1,abc   \n");
    double.run(&copy("")).await;
    s3.put_with_manifest("a", b"1,a\xffb\n");
    assert!(double.error(&copy("")).await.contains("failed"));
    double.run(&copy("ACCEPTINVCHARS")).await;
    assert_eq!(double.rows("SELECT s FROM t WHERE d = 1 ORDER BY s").await, ["a?b", "abc"]);
    s3.put_with_manifest("a", "1000\n");
    double.error(&copy("FILLRECORD")).await;
    s3.put_with_manifest("a", "h\n\n5\n");
    double.run(&copy("FILLRECORD IGNOREHEADER 1 IGNOREBLANKLINES")).await;
    assert_eq!(double.rows("SELECT '<' || s || '>' FROM t WHERE d = 5").await, ["<>"]);
}

#[tokio::test]
async fn manifests_and_prefixes() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int)").await;
    s3.put("p/a", "1\n");
    s3.put("p/a.bak", "2\n");
    let prefix = format!("COPY t FROM 's3://{BUCKET}/p/a' IAM_ROLE default CSV");
    let id = double.run_batch(&[&prefix, "SELECT pg_last_copy_count()"]).await;
    assert_eq!(double.result(&format!("{id}:2")).await, [["2"]], "a stray object is loaded");
    let entry = |key: &str, more: &str| format!(r#"{{"url":"s3://{BUCKET}/{key}"{more}}}"#);
    for (entries, expected) in [
        (vec![entry("p/a", ""), entry("p/a", ""), entry("gone", "")], Ok("2")),
        (vec![entry("p/a", ""), entry("gone", r#","mandatory":true"#)], Err("key does not exist")),
        (vec![entry("gone", "")], Err("no files")),
        (vec![], Err("no files")),
        (vec![entry("p/", "")], Err("8001")),
        (vec![entry("p/a", r#","meta":{"content_length":3}"#)], Err("content_length")),
        (vec![r#"{"url":"s3://far/x"}"#.to_owned()], Err("PermanentRedirect")),
    ] {
        double.run("TRUNCATE t").await;
        s3.put("m", format!("{{\"entries\":[{}]}}", entries.join(",")));
        match expected {
            Ok(rows) => {
                double.run(&copy("")).await;
                assert_eq!(double.rows("SELECT count(*) FROM t").await, [rows]);
            }
            Err(text) => {
                let error = double.error(&copy("")).await;
                assert!(error.contains(text), "{entries:?}: {error}");
            }
        }
    }
    s3.put("m", "{");
    assert!(double.error(&copy("")).await.contains("not valid JSON"));
    let sql = format!("COPY t FROM 's3://{BUCKET}/none' IAM_ROLE default MANIFEST CSV");
    assert!(double.error(&sql).await.contains("manifest"));
    let sql = format!("COPY t FROM 's3://{BUCKET}/none' IAM_ROLE default CSV");
    assert!(double.error(&sql).await.contains("does not exist"));
}

#[tokio::test]
async fn packing_is_not_guessed() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int)").await;
    let packed = gzip(b"1\n2\n");
    s3.put_with_manifest("a", &packed);
    double.error(&copy("")).await;
    double.error(&copy("ZSTD")).await;
    double.run(&copy("GZIP")).await;
    s3.put_with_manifest("a", &packed[..packed.len() - 9]);
    assert!(double.error(&copy("GZIP")).await.contains("decompress"));
    let packed = zstd::encode_all(&b"3\n4\n"[..], 1).unwrap();
    s3.put_with_manifest("a", [packed.clone(), packed.clone()].concat());
    double.run(&copy("ZSTD")).await;
    s3.put_with_manifest("a", &packed[..packed.len() - 2]);
    assert!(double.error(&copy("ZSTD")).await.contains("decompress"));
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["6"]);
}

#[tokio::test]
async fn statements_that_are_no_copy() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int, m int)").await;
    s3.put_with_manifest("a", "1\n");
    let from = format!("COPY t FROM 's3://{BUCKET}/m'");
    for (sql, error) in [
        (format!("{from} MANIFEST CSV"), "CREDENTIALS argument is required"),
        (format!("{from} IAM_ROLE 'arn:aws:iam::1:role/other' MANIFEST CSV"), "not authorized to assume"),
        (format!("{from} IAM_ROLE default MANIFEST"), "CSV alone"),
        (format!("{from} IAM_ROLE default CSV ESCAPE"), "not compatible with CSV"),
        (format!("{from} IAM_ROLE default CSV FIXEDWIDTH 'a'"), "not compatible with CSV"),
        (format!("{from} IAM_ROLE default CSV CSV"), "redundant"),
        (format!("{from} IAM_ROLE default ACCESS_KEY_ID 'a' CSV"), "exclude"),
        (format!("{from} IAM_ROLE default CSV MAGIC"), "near \"MAGIC\""),
        (format!("{from} IAM_ROLE default CSV REGION 'eu-west-1'"), "PermanentRedirect"),
        ("COPY t FROM '/etc/passwd' IAM_ROLE default CSV".to_owned(), "S3 path"),
        (format!("COPY t (nope) FROM 's3://{BUCKET}/m' IAM_ROLE default CSV"), "does not exist"),
        (
            format!("COPY nope FROM 's3://{BUCKET}/m' IAM_ROLE default CSV"),
            "relation \"nope\" does not exist",
        ),
        ("COPY t FROM 's3://none/m' IAM_ROLE default CSV".to_owned(), "NoSuchBucket"),
    ] {
        let found = double.error(&sql).await;
        assert!(found.contains(error), "{sql}: {found}");
    }
    let sql = format!(
        "COPY t (m) FROM 's3://{BUCKET}/m' IAM_ROLE '{ROLE}' MANIFEST REGION 'us-east-1' FORMAT AS CSV"
    );
    double.run(&sql).await;
    assert_eq!(double.rows("SELECT n, m FROM t").await, ["∅|1"]);
}

#[tokio::test]
async fn the_count_is_the_sessions() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int)").await;
    s3.put_with_manifest("a", "1\n2\n");
    double.run(&copy("")).await;
    assert_eq!(double.rows("SELECT pg_last_copy_count(), pg_last_copy_id()").await, ["0|-1"]);
    let guard = "SELECT CASE WHEN pg_last_copy_count() = 3 THEN 1 ELSE 1 / 0 END";
    assert!(double.batch_error(&[&copy(""), guard]).await.contains("division by zero"));
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["2"]);
}

#[tokio::test]
async fn rows_are_lost_as_planned() {
    let (double, s3) = fixture().await;
    double.run("CREATE TABLE t (n int)").await;
    s3.put_with_manifest("a", "1\n2\n3\n");
    double.double.knobs().on_statement("copy t", redshift_double::StatementFault::LoseRows(1), 1);
    let id = double.run_batch(&[&copy(""), "SELECT pg_last_copy_count()"]).await;
    assert_eq!(double.result(&format!("{id}:2")).await, [["2"]]);
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["2"]);
    assert_eq!(double.double.knobs().left(), 0);
}

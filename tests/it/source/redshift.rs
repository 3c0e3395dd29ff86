//! What of each type leaves the standby for a Redshift warehouse: CSV, byte by byte, and the values
//! that do not fit, counted.

use std::collections::BTreeMap;

use barncat::{
    error::Class,
    schema::{Abilities, Selection, Shape, UnfitKind, UnfitPolicies, UnfitPolicy, Wishes, shape},
    source::{Extraction, LongestQuestion, Snapshot, SourceError},
    sql::TableName,
};

use super::{class, snapshot};
use crate::support::Schema;

const NULL: &str = "@0123456789ABCDEFGHJKMNPQRS";

/// A type; values as SQL that is cast to it; what is sent of each.
type Sent = (&'static str, &'static [(&'static str, &'static str)]);

const FITTING: &[Sent] = &[
    ("boolean", &[("true", "t"), ("false", "f"), ("NULL", NULL)]),
    ("smallint", &[("-32768", "-32768")]),
    ("bigint", &[("'-9223372036854775808'", "-9223372036854775808")]),
    ("real", &[("0.1", "0.1"), ("'1.4e-45'", "1e-45"), ("'-0'", "-0"), ("'3.4028235e38'", "3.4028235e+38")]),
    ("double precision", &[("0.1", "0.1"), ("'1.7976931348623157e308'", "1.7976931348623157e+308")]),
    ("numeric(12,2)", &[("-0.5", "-0.50"), ("9999999999.99", "9999999999.99")]),
    ("numeric(3,-2)", &[("12345", "12300")]),
    (
        "numeric",
        &[
            ("'99999999999999999999.999999999999999999'", "99999999999999999999.999999999999999999"),
            ("'1.10'", "1.10"),
            ("'1e-18'", "0.000000000000000001"),
            // Zeros behind the last decimal say nothing.
            ("'0.5000000000000000000000'", "0.500000000000000000"),
        ],
    ),
    ("money", &[("'$1,234.56'", "1234.56"), ("'-92233720368547758.08'", "-92233720368547758.08")]),
    (
        "text",
        &[
            ("''", ""),
            ("'NULL'", "NULL"),
            (r"'\N'", r"\N"),
            (r"'\.'", r"\."),
            ("'say \"it\", now'", r#""say ""it"", now""#),
            (r"E'two\nlines\r'", "\"two\nlines\r\""),
            ("'  around  '", "  around  "),
            ("'🦉 naïve'", "🦉 naïve"),
            ("NULL", NULL),
        ],
    ),
    ("character varying(3)", &[("'🦉🦉🦉'", "🦉🦉🦉")]),
    ("character(5)", &[("'ab'", "ab"), ("''", "")]),
    ("name", &[("'a name'", "a name")]),
    ("\"char\"", &[("'a'", "a")]),
    ("bytea", &[(r"'\x00ff0a0d'", "00ff0a0d"), ("NULL", NULL)]),
    ("bit(3)", &[("B'101'", "101")]),
    ("bit varying", &[("B''", ""), ("B'1010'", "1010")]),
    ("uuid", &[("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    (
        "json",
        &[(r#"'{"a":  1, "a": [2]}'"#, r#""{""a"":  1, ""a"": [2]}""#), ("'null'", "null"), ("NULL", NULL)],
    ),
    // A backslash before it, and so no escaped NUL.
    ("json", &[(r#"'"a \\u0000"'"#, r#""""a \\u0000""""#)]),
    ("jsonb", &[(r#"'{"a":1e3,"é":"x"}'"#, r#""{""a"": 1000, ""é"": ""x""}""#), ("'null'", "null")]),
    ("integer[]", &[("'{{1,2},{3,NULL}}'", "\"[[1,2],[3,null]]\""), ("'{}'", "[]")]),
    ("text[]", &[(r#"'{"a \"b\"",NULL,""}'"#, r#""[""a \""b\"""",null,""""]""#)]),
    ("~.place", &[("ROW(1, 'x', 'b')", r#""{""x"":1,""the y"":""x"",""m"":""b""}""#)]),
    ("~.mood", &[("'a'", "a"), ("'b'", "b")]),
    ("~.cents", &[("1.5", "1.50")]),
    ("public.hstore", &[(r#"'a=>1,b=>NULL'"#, r#""{""a"": ""1"", ""b"": null}""#)]),
    ("int4range", &[("'[1,5)'", "\"[1,5)\"")]),
    (
        "xml",
        &[
            ("'<a/>'", "<a/>"),
            (
                r#"'<?xml version="1.0" encoding="UTF-8"?><a/>'"#,
                r#""<?xml version=""1.0"" encoding=""UTF-8""?><a/>""#,
            ),
        ],
    ),
    ("inet", &[("'::1/64'", "::1/64"), ("'10.0.0.1'", "10.0.0.1")]),
    ("macaddr8", &[("'08:00:2b:01:02:03:04:05'", "08:00:2b:01:02:03:04:05")]),
    ("point", &[("'(0.1,2)'", "\"(0.1,2)\"")]),
    ("oid", &[("'4294967295'", "4294967295")]),
    ("xid8", &[("'18446744073709551615'", "18446744073709551615")]),
    ("date", &[("'0001-01-01'", "0001-01-01"), ("'9999-12-31'", "9999-12-31"), ("NULL", NULL)]),
    ("time", &[("'24:00'", "24:00:00"), ("'23:59:59.999999'", "23:59:59.999999")]),
    ("timetz", &[("'23:59:59.999999-15:59:59'", "23:59:59.999999-15:59:59")]),
    (
        "timestamp",
        &[
            ("'2024-01-31 23:59:59.123456'", "2024-01-31 23:59:59.123456"),
            ("'2024-02-01'", "2024-02-01 00:00:00"),
        ],
    ),
    (
        "timestamptz",
        &[
            ("'2024-03-31 02:30 Europe/Berlin'", "2024-03-31 01:30:00+00"),
            ("'9999-12-31 23:59:59.999999Z'", "9999-12-31 23:59:59.999999+00"),
        ],
    ),
    (
        "interval",
        &[
            ("'1 year 2 mons -3 days +04:05:06.700'", "P1Y2M-3DT4H5M6.7S"),
            ("'-00:00:00.000001'", "PT-0.000001S"),
            ("'100:00:10'", "PT100H10S"),
            ("'0'", "PT0S"),
            ("'-1 mon'", "P-1M"),
            ("'-178000000 years'", "P-178000000Y"),
            ("NULL", NULL),
        ],
    ),
    ("pg_lsn", &[("'FFFFFFFF/FFFFFFFF'", "FFFFFFFF/FFFFFFFF")]),
    ("tsvector", &[("'a:1A b'", "'a':1A 'b'")]),
];

const MAKE_TYPES: &str = "
    CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE DOMAIN cents AS numeric(12,2);
    CREATE TYPE place AS (x integer, \"the y\" text, m mood);
    CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;";

/// A table for each type, `t0` and on: `n` counts the values.
fn tables(schema: &str, types: &[(&str, Vec<&str>)]) -> String {
    let here = |sql: &str| sql.replace('~', schema);
    let mut sql = String::new();
    for (at, (of, values)) in types.iter().enumerate() {
        let of = here(of);
        sql += &format!("CREATE TABLE {schema}.t{at} (n integer NOT NULL, c {of});");
        for (n, value) in values.iter().enumerate() {
            sql += &format!("INSERT INTO {schema}.t{at} VALUES ({n}, ({})::{of});", here(value));
        }
    }
    sql
}

async fn shaped(snapshot: &dyn Snapshot, table: &TableName, unfit: UnfitPolicies) -> Shape {
    let described = snapshot.describe(table).await.expect("it is there");
    let selected = Selection::default().apply(table, &described).expect("all of it");
    let wishes = Wishes { unfit, ..Default::default() };
    let mut shape = shape(table, &selected.schema, snapshot.server_version(), &Abilities::Redshift, &wishes)
        .expect("it travels");
    shape.csv.null = NULL.to_owned();
    shape
}

/// All that is sent, and what was counted.
async fn sent(
    snapshot: &dyn Snapshot,
    table: &TableName,
    shape: &Shape,
) -> Result<(String, Vec<u64>), SourceError> {
    let extraction = Extraction {
        table: table.clone(),
        columns: shape.columns.iter().map(|column| column.source_name.clone()).collect(),
        expressions: shape.columns.iter().map(|column| column.expression.clone()).collect(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: shape.format,
        csv: shape.csv.clone(),
        counted: shape.unfit.len(),
        part_bytes: 1 << 30,
        by_index: false,
    };
    let (mut bytes, mut counts) = (Vec::new(), vec![0; shape.unfit.len()]);
    for part in snapshot.plan_parts(&extraction).await? {
        let mut stream = snapshot.read(&part).await?;
        while let Some(chunk) = stream.next().await? {
            bytes.extend_from_slice(&chunk.bytes);
        }
        counts.iter_mut().zip(stream.counts()).for_each(|(sum, count)| *sum += count);
    }
    Ok((String::from_utf8(bytes).expect("CSV is UTF-8"), counts))
}

#[tokio::test]
async fn each_type_is_sent_as_redshift_reads_it() {
    let schema = Schema::on_standby(MAKE_TYPES).await;
    let types: Vec<(&str, Vec<&str>)> =
        FITTING.iter().map(|(of, values)| (*of, values.iter().map(|(value, _)| *value).collect())).collect();
    schema.run_on_primary(&tables(schema.name(), &types)).await;
    let snapshot = snapshot().await;
    for (at, (of, values)) in FITTING.iter().enumerate() {
        let table = TableName::new(schema.name(), format!("t{at}"));
        let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
        let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
        let expected: String =
            values.iter().enumerate().map(|(n, (_, field))| format!("{n},{field}\n")).collect();
        assert_eq!(csv, expected, "{of}: {}", shape.columns[1].expression);
        assert!(counts.iter().all(|count| *count == 0), "{of}: {counts:?}");
    }
}

/// A type; a value that does not fit; its kind; what each policy makes of it, `fail` where it has no answer.
type Unfitting = (&'static str, &'static str, UnfitKind, &'static [(UnfitPolicy, &'static str)]);

use UnfitKind::{EscapedNul, FarDate, LongString, Nan, NoBytes, TooFine, TooLarge, TooLong};
use UnfitPolicy::{Clamp, Null, Text, Truncate};

const LONG: UnfitKind = TooLong { bytes_max: 65_535 };
const FINE: UnfitKind = TooFine { decimals: 18 };
const MOST: &str = "99999999999999999999.999999999999999999";
const LEAST: &str = "-99999999999999999999.999999999999999999";

const UNFITTING: &[Unfitting] = &[
    ("real", "'NaN'", Nan, &[(Null, NULL), (Text, "NaN")]),
    ("real", "'Infinity'", TooLarge, &[(Null, NULL), (Clamp, "3.4028233e+38"), (Text, "Infinity")]),
    ("double precision", "'NaN'", Nan, &[(Null, NULL)]),
    ("double precision", "'-Infinity'", TooLarge, &[(Clamp, "-1.7976931348623157e+308")]),
    ("numeric(30,2)", "'NaN'", Nan, &[(Null, NULL), (Text, "NaN")]),
    ("numeric(5,0)", "'NaN'", Nan, &[(Null, NULL)]),
    ("~.cents", "'NaN'", Nan, &[(Null, NULL)]),
    ("numeric", "'NaN'", Nan, &[(Null, NULL), (Text, "NaN")]),
    ("numeric", "'Infinity'", TooLarge, &[(Null, NULL), (Clamp, MOST), (Text, "Infinity")]),
    ("numeric", "'-1e20'", TooLarge, &[(Null, NULL), (Clamp, LEAST), (Text, "-100000000000000000000")]),
    ("numeric", "repeat('9', 131072)", TooLarge, &[(Clamp, MOST)]),
    ("numeric", "'1e-16383'", FINE, &[(Null, NULL), (Clamp, "0.000000000000000000")]),
    (
        "numeric",
        "'0.1234567890123456789'",
        FINE,
        &[(Clamp, "0.123456789012345679"), (Text, "0.1234567890123456789")],
    ),
    ("numeric", "'99999999999999999999.9999999999999999999'", FINE, &[(Clamp, MOST)]),
    ("numeric(50,10)", "'1e30'", TooLarge, &[(Clamp, "9999999999999999999999999999.9999999999")]),
    ("date", "'infinity'", FarDate, &[(Null, NULL), (Clamp, "9999-12-31"), (Text, "infinity")]),
    ("date", "'4713-11-24 BC'", FarDate, &[(Clamp, "0001-01-01"), (Text, "4713-11-24 BC")]),
    ("date", "'5874897-12-31'", FarDate, &[(Clamp, "9999-12-31")]),
    ("timestamp", "'-infinity'", FarDate, &[(Null, NULL), (Clamp, "0001-01-01 00:00:00")]),
    ("timestamptz", "'294276-12-31Z'", FarDate, &[(Null, NULL), (Clamp, "9999-12-31 23:59:59.999999+00")]),
    ("bytea", "''", NoBytes, &[(Null, NULL), (Text, "")]),
    ("json", r#"'{"a": "\u0000"}'"#, EscapedNul, &[(Null, NULL), (Text, r#""{""a"": ""\u0000""}""#)]),
    ("json", r#"'"\\\u0000"'"#, EscapedNul, &[(Null, NULL)]),
    ("json", "to_json(ARRAY[1, 2]::text || repeat('x', 65535))", LongString, &[(Null, NULL)]),
    ("jsonb", "jsonb_build_object('a', jsonb_build_array(repeat('é', 32768)))", LongString, &[(Null, NULL)]),
    ("text[]", "ARRAY['a', repeat('x', 65536)]", LongString, &[(Null, NULL)]),
    ("public.hstore", "public.hstore('a', repeat('x', 65536))", LongString, &[(Null, NULL)]),
    ("~.place", "ROW(1, repeat('x', 65536), 'a')", LongString, &[(Null, NULL)]),
    ("text", "repeat('x', 65536)", LONG, &[(Null, NULL)]),
    ("character varying", "repeat('🦉', 16384)", LONG, &[(Null, NULL)]),
    ("xml", "'<a>' || repeat('x', 65536) || '</a>'", LONG, &[(Null, NULL)]),
    ("bit varying", "repeat('1', 65536)", LONG, &[(Null, NULL)]),
];

fn only(policy: UnfitPolicy) -> UnfitPolicies {
    UnfitPolicies { all: UnfitPolicy::Fail, columns: BTreeMap::from([("c".to_owned(), policy)]) }
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_counted_and_becomes_what_the_policy_says() {
    let schema = Schema::on_standby(MAKE_TYPES).await;
    // Two rows with the value, and NULL.
    let types: Vec<(&str, Vec<&str>)> =
        UNFITTING.iter().map(|(of, value, ..)| (*of, vec![*value, "NULL", *value])).collect();
    schema.run_on_primary(&tables(schema.name(), &types)).await;
    let snapshot = snapshot().await;
    for (at, (of, value, kind, policies)) in UNFITTING.iter().enumerate() {
        let table = TableName::new(schema.name(), format!("t{at}"));
        let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
        let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
        let counted: Vec<(UnfitKind, UnfitPolicy, u64)> = shape
            .unfit
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(unfit, count)| (unfit.kind, unfit.policy, count))
            .collect();
        assert_eq!(counted, [(*kind, UnfitPolicy::Fail, 2)], "{of} {value}");
        // What is not to be loaded may be in a part: it is the count that ends the load, before there is a manifest.
        assert!(csv.starts_with("0,") && csv.contains(&format!("\n1,{NULL}\n2,")), "{of} {value}");
        for (policy, expected) in *policies {
            let shape = shaped(&*snapshot, &table, only(*policy)).await;
            let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
            assert_eq!(csv, format!("0,{expected}\n1,{NULL}\n2,{expected}\n"), "{of} {value} {policy}");
            let uses = if *policy == Text { 0 } else { 2 };
            assert_eq!(counts.iter().sum::<u64>(), uses, "{of} {value} {policy}");
            assert!(
                shape.unfit.iter().zip(counts).all(|(unfit, count)| count == 0 || unfit.policy == *policy)
            );
        }
    }
}

/// What is cut ends with a whole character, and as late as it can.
#[tokio::test]
async fn text_is_cut_between_characters() {
    let values: Vec<String> = ["", "x", "xx", "xxx"]
        .iter()
        .flat_map(|before| ["é", "漢", "🦉"].map(|letter| format!("'{before}' || repeat('{letter}', 40000)")))
        .collect();
    let schema = Schema::on_standby("").await;
    let types = [
        ("text", values.iter().map(String::as_str).collect()),
        ("bytea", vec!["decode(repeat('ab', 1024001), 'hex')"]),
    ];
    schema.run_on_primary(&tables(schema.name(), &types)).await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "t0");
    let shape = shaped(&*snapshot, &table, only(Truncate)).await;
    let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
    assert_eq!(counts, [12]);
    for line in csv.lines() {
        let (n, text) = line.split_once(',').expect("two fields");
        let n: usize = n.parse().expect("a number");
        let width = [2, 3, 4][n % 3];
        let before = n / 3;
        assert_eq!(text.len(), before + (65_535 - before) / width * width, "line {n}");
    }
    let table = TableName::new(schema.name(), "t1");
    let shape = shaped(&*snapshot, &table, only(Truncate)).await;
    let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
    assert_eq!((csv.len(), counts), (2 + 2 * 1_024_000 + 1, vec![1, 0]));
}

/// A value at the limit is sent as it is.
#[tokio::test]
async fn what_just_fits_is_neither_counted_nor_changed() {
    let schema = Schema::on_standby("").await;
    let types = [
        ("text", vec!["repeat('x', 65535)", "repeat('🦉', 16383)"]),
        (
            "jsonb",
            vec!["to_jsonb(repeat('x', 65535))", "jsonb_build_array(repeat('x', 65535), repeat('y', 65535))"],
        ),
        ("text[]", vec!["ARRAY[repeat('\"', 65535), repeat('x', 65535)]"]),
        ("bytea", vec!["decode(repeat('ab', 1024000), 'hex')"]),
    ];
    schema.run_on_primary(&tables(schema.name(), &types)).await;
    let snapshot = snapshot().await;
    for (at, (of, values)) in types.iter().enumerate() {
        let table = TableName::new(schema.name(), format!("t{at}"));
        let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
        let (csv, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
        assert_eq!(csv.lines().count(), values.len(), "{of}");
        assert!(csv.len() > 65_535 && counts.iter().all(|count| *count == 0), "{of}: {counts:?}");
    }
}

/// Quoting would tell it from NULL, but Redshift does not look at that.
#[tokio::test]
async fn a_value_that_is_equal_to_what_stands_for_null_is_an_error() {
    let schema = Schema::on_standby("").await;
    let taken = format!("'{NULL}'");
    schema.run_on_primary(&tables(schema.name(), &[("text", vec!["'x'", &taken])])).await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "t0");
    let mut shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
    let error = sent(&*snapshot, &table, &shape).await.expect_err("it would become NULL");
    assert!(error.to_string().contains("equal to what was to stand for NULL"), "{error}");
    assert_eq!(class(&error), Class::Passing);
    shape.csv.null = "~another".to_owned();
    let (csv, _) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
    assert_eq!(csv, format!("0,x\n1,{NULL}\n"));
}

#[tokio::test]
async fn a_row_that_redshift_does_not_read_is_an_error() {
    let schema = Schema::on_standby("").await;
    let long = "(SELECT jsonb_agg(repeat('x', 60000)) FROM generate_series(1, 70))";
    schema.run_on_primary(&tables(schema.name(), &[("jsonb", vec![long])])).await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "t0");
    let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
    let error = sent(&*snapshot, &table, &shape).await.expect_err("it is too long");
    assert!(error.to_string().contains("has a row of more than 4194304 bytes of CSV"), "{error}");
    assert_eq!(class(&error), Class::Lasting);
}

/// An empty line need not be a row, so the only column is quoted.
#[tokio::test]
async fn a_table_of_one_column_has_no_empty_lines() {
    let schema =
        Schema::on_standby("CREATE TABLE one (c text); INSERT INTO one VALUES (''), (NULL), ('x')").await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "one");
    let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
    let (csv, _) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
    assert_eq!(csv, format!("\"\"\n{NULL}\n\"x\"\n"));
}

/// A size is in bytes of UTF-8, and of what is sent.
#[tokio::test]
async fn the_longest_text_is_measured_in_bytes() {
    let schema = Schema::on_standby(
        "CREATE TABLE said (id int, a text, b text, c xml);
         INSERT INTO said VALUES (1, 'abc', NULL, '<a/>'), (2, repeat('🦉', 100), NULL, NULL)",
    )
    .await;
    let snapshot = snapshot().await;
    let measured = async |condition: Option<&str>| {
        let question = LongestQuestion {
            table: TableName::new(schema.name(), "said"),
            condition: condition.map(str::to_owned),
            texts: ["\"a\"", "\"b\"", "\"c\"::text"].map(str::to_owned).to_vec(),
        };
        snapshot.longest(&question).await.expect("it can be read")
    };
    assert_eq!(measured(None).await, [400, 0, 4]);
    assert_eq!(measured(Some("id < 2 -- the first")).await, [3, 0, 4]);
    assert_eq!(measured(Some("false")).await, [0, 0, 0]);
}

/// What a view computes is not packed as what a table stores.
#[tokio::test]
async fn what_a_view_computes_is_looked_at_too() {
    let schema = Schema::on_standby(
        "CREATE VIEW computed AS
         SELECT ('NaN'::numeric + g)::numeric(12,2) AS a, to_jsonb(repeat('x', 65536 * g)) AS c
         FROM generate_series(1, 2) g",
    )
    .await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "computed");
    let shape = shaped(&*snapshot, &table, UnfitPolicies::default()).await;
    let (_, counts) = sent(&*snapshot, &table, &shape).await.expect("it can be read");
    assert_eq!(counts, [2, 2]);
}

/// Counted again from nothing in the next part, on the same session.
#[tokio::test]
async fn each_part_counts_its_own() {
    let schema = Schema::on_standby(
        "CREATE TABLE many (id int PRIMARY KEY, c real, filler text);
         INSERT INTO many SELECT i, CASE WHEN i % 10 = 0 THEN 'NaN' ELSE i::real END, repeat('x', 500)
         FROM generate_series(1, 2000) i",
    )
    .await;
    let snapshot = snapshot().await;
    let table = TableName::new(schema.name(), "many");
    let shape = shaped(&*snapshot, &table, only(Null)).await;
    let extraction = Extraction {
        table: table.clone(),
        columns: vec!["c".into()],
        expressions: shape.columns.iter().map(|column| column.expression.clone()).collect(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: shape.format,
        csv: shape.csv.clone(),
        counted: shape.unfit.len(),
        part_bytes: 1 << 18,
        by_index: false,
    };
    let mut counted = Vec::new();
    for part in snapshot.plan_parts(&extraction).await.expect("it has parts") {
        let mut stream = snapshot.read(&part).await.expect("it can be read");
        while stream.next().await.expect("it does not break").is_some() {}
        counted.push(stream.counts()[0]);
    }
    assert!(counted.len() > 2, "{counted:?}");
    assert_eq!(counted.iter().sum::<u64>(), 200);
}

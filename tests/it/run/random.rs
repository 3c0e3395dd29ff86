//! Tables of random types, names and nasty values, through whole runs: what arrives is what was there.

use barncat::sql::{quote_ident, quote_literal};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};

use crate::support::project::Project;

/// A table: its columns' names and types, and rows of SQL expressions.
#[derive(Debug, Clone)]
struct Table {
    columns: Vec<(String, &'static str)>,
    rows: Vec<Vec<String>>,
    format: &'static str,
    compression: &'static str,
}

fn literal(text: String) -> String {
    quote_literal(&text)
}

/// Types, each with the expressions of its values.
fn kinds() -> Vec<(&'static str, BoxedStrategy<String>)> {
    let specials = |of: &'static [&'static str]| select(of).prop_map(quote_literal).boxed();
    let json = any::<i64>().prop_flat_map(|n| {
        text()
            .prop_map(move |text| quote_literal(&serde_json::json!({ "k": [text, n, null, {}] }).to_string()))
    });
    let moment = (-200_000_000_000_000_000_i64..9_000_000_000_000_000_000)
        .prop_map(|micros| format!("timestamp '2000-01-01' + {micros} * interval '1 microsecond'"));
    vec![
        ("boolean", any::<bool>().prop_map(|value| value.to_string()).boxed()),
        ("smallint", any::<i16>().prop_map(|n| literal(n.to_string())).boxed()),
        ("bigint", any::<i64>().prop_map(|n| literal(n.to_string())).boxed()),
        ("double precision", any::<f64>().prop_map(|n| literal(float(n))).boxed()),
        ("real", any::<f32>().prop_map(|n| literal(float(f64::from(n)))).boxed()),
        ("numeric", "-?[0-9]{1,60}(\\.[0-9]{1,40})?|NaN|-?Infinity".prop_map(literal).boxed()),
        ("numeric(12,2)", "-?[0-9]{1,9}(\\.[0-9]{1,3})?|NaN".prop_map(literal).boxed()),
        ("text", text().prop_map(literal).boxed()),
        ("varchar(40)", text().prop_map(|text| literal(text.chars().take(40).collect())).boxed()),
        ("char(7)", "[ a-zé\\\\,\"]{0,7}".prop_map(literal).boxed()),
        (
            "bytea",
            prop::collection::vec(any::<u8>(), 0..60)
                .prop_map(|bytes| {
                    format!("'\\x{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
                })
                .boxed(),
        ),
        (
            "timestamp",
            prop_oneof![moment, specials(&["infinity", "-infinity", "4713-01-01 00:00:00 BC"])].boxed(),
        ),
        ("timestamptz", specials(&["infinity", "0044-03-15 12:00+01 BC", "2026-10-25 01:30:00.000001+00"])),
        ("date", specials(&["-infinity", "5874897-12-31", "0001-01-01 BC", "2024-02-29"])),
        ("timetz", specials(&["24:00:00-12", "00:00:00.000001+15:59:59"])),
        (
            "interval",
            (any::<i16>(), any::<i16>(), any::<i32>())
                .prop_map(|(months, days, secs)| {
                    format!("make_interval(months => {months}, days => {days}, secs => {secs} / 1000.0)")
                })
                .boxed(),
        ),
        ("jsonb", json.clone().boxed()),
        ("json", json.boxed()),
        ("uuid", any::<u128>().prop_map(|n| format!("'{n:032x}'")).boxed()),
        ("inet", specials(&["0.0.0.0/0", "::1", "192.168.0.1/24"])),
        (
            "text[]",
            prop::collection::vec(prop::option::of(text()), 0..5)
                .prop_map(|items| {
                    let items = items.iter().map(|item| item.as_deref().map_or("NULL".into(), quote_literal));
                    format!("ARRAY[{}]::text[]", items.collect::<Vec<_>>().join(", "))
                })
                .boxed(),
        ),
        ("int[]", specials(&["{}", "{{1,2},{3,NULL}}", "[-2:0]={7,8,9}"])),
        ("int4range", specials(&["empty", "[1,5)", "(,)"])),
        ("mood", specials(&["fine", "so, \"so\"", "\\."])),
        ("mood[]", specials(&["{fine,NULL}", "{}"])),
        ("percent", (0..=100_i32).prop_map(|n| n.to_string()).boxed()),
        (
            "pair",
            (any::<i32>(), text())
                .prop_map(|(n, text)| format!("ROW({n}, {})", quote_literal(&text)))
                .boxed(),
        ),
    ]
}

/// What breaks writers of CSV, COPY's text format, terminals and people.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let nasty = select(
        &[
            "\\N",
            "\\.",
            "\\",
            "\"",
            "\"\"",
            "'",
            ",",
            "\n",
            "\r\n",
            "\r",
            "\t",
            "NULL",
            "",
            " ",
            "\u{feff}",
            "\u{200b}",
            "\u{10ffff}",
            "🐈‍⬛",
            "é",
            "e\u{301}",
            "\u{1}",
            "\u{7f}",
            "{}",
            "()",
            "%s",
            "$1",
            "--",
            "${HOME}",
        ][..],
    );
    let mixed = prop::collection::vec(nasty, 0..8).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => mixed, 1 => any::<String>().prop_map(|text| text.replace('\0', ""))]
}

fn float(n: f64) -> String {
    match n {
        n if n.is_nan() => "NaN".to_owned(),
        n if n.is_infinite() => if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        n => format!("{n:e}"),
    }
}

fn table() -> impl Strategy<Value = Table> {
    let kinds = kinds();
    let column = (0..kinds.len(), "[A-Za-z äß\".,$'\\\\/-]{0,20}");
    prop::collection::vec(column, 1..9).prop_flat_map(move |columns| {
        let values: Vec<BoxedStrategy<String>> = columns
            .iter()
            .map(|(kind, _)| prop_oneof![1 => Just("NULL".to_owned()), 4 => kinds[*kind].1.clone()].boxed())
            .collect();
        let types: Vec<&'static str> = columns.iter().map(|(kind, _)| kinds[*kind].0).collect();
        // A number makes them unique, and keeps them from being cut to the same 63 bytes.
        let names = columns.into_iter().enumerate().map(|(at, (_, name))| format!("{at}{name}"));
        let columns: Vec<_> = names.zip(types).collect();
        let rows = prop::collection::vec(values, 0..25);
        (Just(columns), rows, select(&["binary", "csv", ""][..]), select(&["zstd", "gzip"][..]))
            .prop_map(|(columns, rows, format, compression)| Table { columns, rows, format, compression })
    })
}

impl Table {
    fn sql(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, of)| format!("{} {of}", quote_ident(name))).collect();
        let mut sql = format!(
            "CREATE TYPE mood AS ENUM ('fine', 'so, \"so\"', '\\.');
             CREATE DOMAIN percent AS smallint CHECK (VALUE BETWEEN 0 AND 100);
             CREATE TYPE pair AS (n int, note text);
             CREATE TABLE t ({});",
            columns.join(", ")
        );
        for row in &self.rows {
            let values: Vec<String> =
                row.iter().zip(&self.columns).map(|(value, (_, of))| format!("({value})::{of}")).collect();
            sql.push_str(&format!("INSERT INTO t VALUES ({});", values.join(", ")));
        }
        sql
    }

    /// Some types cannot be carried as binary: those say so, and are not of this test.
    fn loaders(&self) -> String {
        let only_csv = ["mood[]", "pair"];
        let binary_is_refused = self.columns.iter().any(|(_, of)| only_csv.contains(of));
        let format = match self.format {
            "" => String::new(),
            "binary" if binary_is_refused => String::new(),
            format => format!(", format = \"{format}\""),
        };
        format!("[tables]\nt = {{ strategy = \"full\", compression = \"{}\"{format} }}\n", self.compression)
    }
}

#[test]
fn random_tables_arrive_unchanged() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = Config { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&table(), |table| {
        runtime.block_on(async {
            let project = Project::new(&table.sql(), &table.loaders()).await;
            let (status, outcome) = project.try_run(&[]).await;
            prop_assert_eq!(status, Some(0), "{:#}", outcome);
            prop_assert_eq!(project.in_source("t").await, project.in_warehouse("t").await);
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

//! Random rows with nasty values, the whole way through COPY: each arrives as the table of types in
//! docs/REDSHIFT.md says, by conversions that are written here once more.

use barncat::sql::{quote_ident, quote_literal};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::{
    run::random::text,
    support::{
        connect,
        ground::{Ground, Scene, tests_on},
        project::{INTO, on_primary},
    },
};

tests_on!(by_data_api DataApi: random_tables_arrive_as_documented, texts_at_every_edge_arrive_as_they_are);
tests_on!(by_wire Wire: random_tables_arrive_as_documented);

/// Tables that one run loads.
const TABLES: usize = 24;

/// A type, expressions of its values, and what is compared: an expression over the source's column and one over
/// the warehouse's, `{c}` being the column.
struct Kind {
    of: &'static str,
    values: BoxedStrategy<String>,
    sent: &'static str,
    arrived: &'static str,
}

fn kind(
    of: &'static str,
    values: impl Strategy<Value = String> + 'static,
    sent: &'static str,
    arrived: &'static str,
) -> Kind {
    Kind { of, values: values.boxed(), sent, arrived }
}

/// As text on both sides.
fn same(of: &'static str, values: impl Strategy<Value = String> + 'static) -> Kind {
    kind(of, values, "{c}::text", "{c}::text")
}

fn literal(text: String) -> String {
    quote_literal(&text)
}

fn of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(quote_literal)
}

fn kinds() -> Vec<Kind> {
    let json = any::<i64>().prop_flat_map(|n| {
        text().prop_map(move |text| {
            quote_literal(&serde_json::json!({ "k": [text, n, null, {}, true] }).to_string())
        })
    });
    let array = prop::collection::vec(prop::option::of(text()), 0..5).prop_map(|items| {
        let items = items.iter().map(|item| item.as_deref().map_or("NULL".into(), quote_literal));
        format!("ARRAY[{}]::text[]", items.collect::<Vec<_>>().join(", "))
    });
    // Of the years 1 to 9999.
    let moment = (-63_000_000_000_000_000_i64..252_000_000_000_000_000)
        .prop_map(|micros| format!("timestamp '2000-01-01' + {micros} * interval '1 microsecond'"));
    let bytes = prop::collection::vec(any::<u8>(), 1..60).prop_map(|bytes| {
        format!("'\\x{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    let interval = (any::<i16>(), any::<i16>(), any::<i32>()).prop_map(|(months, days, secs)| {
        format!("make_interval(months => {months}, days => {days}, secs => {secs} / 1000.0)")
    });
    let short = text().prop_map(|text| literal(text.chars().take(40).collect()));
    let pair = (any::<i32>(), text()).prop_map(|(n, text)| format!("ROW({n}, {})", quote_literal(&text)));
    vec![
        same("boolean", any::<bool>().prop_map(|value| value.to_string())),
        same("smallint", any::<i16>().prop_map(|n| literal(n.to_string()))),
        same("integer", any::<i32>().prop_map(|n| literal(n.to_string()))),
        same("bigint", any::<i64>().prop_map(|n| literal(n.to_string()))),
        same("double precision", any::<f64>().prop_map(|n| literal(finite(n)))),
        same("real", any::<f32>().prop_map(|n| literal(finite(f64::from(n))))),
        same("numeric(12,2)", "-?[0-9]{1,9}(\\.[0-9]{1,3})?".prop_map(literal)),
        same("numeric(38,10)", "-?[0-9]{1,28}(\\.[0-9]{1,10})?".prop_map(literal)),
        kind(
            "numeric",
            "-?[0-9]{1,20}(\\.[0-9]{1,18})?".prop_map(literal),
            "{c}::numeric(38,18)::text",
            "{c}::text",
        ),
        same("text", text().prop_map(literal)),
        same("varchar(40)", short),
        kind("char(7)", "[ a-zé\\\\,\"]{0,7}".prop_map(literal), "rtrim({c})", "{c}::text"),
        kind("bytea", bytes, "encode({c}, 'hex')", "encode({c}::bytea, 'hex')"),
        same("timestamp", moment.clone()),
        kind(
            "timestamptz",
            moment.prop_map(|local| format!("({local}) AT TIME ZONE 'UTC'")),
            "({c} AT TIME ZONE 'UTC')::text",
            "({c} AT TIME ZONE 'UTC')::text",
        ),
        same("date", of(&["0001-01-01", "9999-12-31", "2024-02-29"])),
        same("time", of(&["24:00:00", "00:00:00.000001", "01:02:03"])),
        same("timetz", of(&["24:00:00-12", "00:00:00.000001+15:59", "12:00+00"])),
        same("interval", interval),
        kind("jsonb", json.clone(), "{c}::text", "{c}::text::jsonb::text"),
        kind("json", json, "{c}::jsonb::text", "{c}::text::jsonb::text"),
        same("uuid", any::<u128>().prop_map(|n| format!("'{n:032x}'"))),
        // Its cast to text writes another form than its output.
        kind(
            "inet",
            of(&["0.0.0.0/0", "::1", "192.168.0.1/24"]),
            "CASE WHEN {c} IS NOT NULL THEN format('%s', {c}) END",
            "{c}::text",
        ),
        kind("text[]", array, "to_jsonb({c})::text", "{c}::text::jsonb::text"),
        kind("int[]", of(&["{}", "{{1,2},{3,NULL}}"]), "to_jsonb({c})::text", "{c}::text::jsonb::text"),
        same("int4range", of(&["empty", "[1,5)", "(,)"])),
        same("mood", of(&["fine", "so, \"so\"", "\\."])),
        kind("mood[]", of(&["{fine,NULL}", "{}"]), "to_jsonb({c})::text", "{c}::text::jsonb::text"),
        same("percent", (0..=100_i32).prop_map(|n| n.to_string())),
        kind("pair", pair, "to_jsonb({c})::text", "{c}::text::jsonb::text"),
        same("bit varying(12)", "[01]{0,12}".prop_map(|bits| format!("B'{bits}'"))),
    ]
}

fn finite(n: f64) -> String {
    if n.is_finite() { format!("{n:e}") } else { "0.1".to_owned() }
}

/// A table: its columns' names and kinds, and rows of SQL expressions.
#[derive(Debug, Clone)]
struct Table {
    columns: Vec<(String, usize)>,
    rows: Vec<Vec<String>>,
    compression: &'static str,
}

fn table() -> impl Strategy<Value = Table> {
    let kinds = kinds();
    let column = (0..kinds.len(), "[A-Za-z äß\".,$'\\\\/-]{0,20}");
    prop::collection::vec(column, 1..9).prop_flat_map(move |columns| {
        let values: Vec<BoxedStrategy<String>> = columns
            .iter()
            .map(|(at, _)| prop_oneof![1 => Just("NULL".to_owned()), 4 => kinds[*at].values.clone()].boxed())
            .collect();
        let columns: Vec<(String, usize)> =
            columns.into_iter().enumerate().map(|(at, (kind, name))| (format!("{at}{name}"), kind)).collect();
        let rows = prop::collection::vec(values, 0..25);
        (Just(columns), rows, select(&["zstd", "gzip"][..])).prop_map(|(columns, rows, compression)| Table {
            columns,
            rows,
            compression,
        })
    })
}

impl Table {
    fn sql(&self, name: &str, kinds: &[Kind]) -> String {
        let columns: String = self
            .columns
            .iter()
            .map(|(name, kind)| format!(", {} {}", quote_ident(name), kinds[*kind].of))
            .collect();
        let mut sql = format!("CREATE TABLE {name} (row_number integer{columns});");
        for (number, row) in self.rows.iter().enumerate() {
            let values: String = row
                .iter()
                .zip(&self.columns)
                .map(|(value, (_, kind))| format!(", ({value})::{}", kinds[*kind].of))
                .collect();
            sql.push_str(&format!("INSERT INTO {name} VALUES ({number}{values});"));
        }
        sql
    }

    /// A query of a column's values in their order, and what becomes of the column's name.
    fn query(from: &str, name: &str, expression: &str) -> String {
        let value = expression.replace("{c}", &quote_ident(name));
        format!("SELECT coalesce('=' || {value}, 'NULL') FROM {from} ORDER BY row_number")
    }
}

/// A column's values in a database.
async fn values(client: &tokio_postgres::Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

async fn random_tables_arrive_as_documented(ground: Ground) {
    let kinds = kinds();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let tables: Vec<Table> =
        (0..TABLES).map(|_| table().new_tree(&mut runner).expect("a table is made up").current()).collect();
    let mut source = "CREATE TYPE mood AS ENUM ('fine', 'so, \"so\"', '\\.');
        CREATE DOMAIN percent AS smallint CHECK (VALUE BETWEEN 0 AND 100);
        CREATE TYPE pair AS (n int, note text);"
        .to_owned();
    let mut loaders = "[tables]\n".to_owned();
    for (number, table) in tables.iter().enumerate() {
        source += &table.sql(&format!("t{number}"), &kinds);
        loaders +=
            &format!("t{number} = {{ strategy = \"full\", compression = \"{}\" }}\n", table.compression);
    }
    let scene = Scene::on(ground, &source, &loaders).await;
    scene.run(&[]).await;
    let (replica, behind) = (connect("BARNCAT_REPLICA_ADMIN_URL").await, scene.database.connect().await);
    for client in [&replica, &behind] {
        let settings = "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 3";
        client.batch_execute(settings).await.expect("settings are set");
    }
    for (number, table) in tables.iter().enumerate() {
        for (name, kind) in &table.columns {
            let kind = &kinds[*kind];
            let sent = Table::query(&format!("{}.t{number}", scene.source.name()), name, kind.sent);
            let folded = name.to_ascii_lowercase();
            let arrived = Table::query(&format!("{INTO}.t{number}"), &folded, kind.arrived);
            let (sent, arrived) = (values(&replica, &sent).await, values(&behind, &arrived).await);
            assert_eq!(sent.len(), table.rows.len());
            assert_eq!(sent, arrived, "{} in {}", kind.of, table.sql("t", &kinds));
        }
    }
}

/// Long texts whose last character just fits, what COPY may take for something else, and what stands for NULL in
/// this very table.
async fn texts_at_every_edge_arrive_as_they_are(ground: Ground) {
    let edges = [
        "''",
        "' '",
        r"'\N'",
        r"'\.'",
        "'NULL'",
        "'@NULL@'",
        "'\"'",
        "'\"\"'",
        r"E'\\'",
        r"E'\\\\\\N'",
        r"E'a\nb'",
        r"E'\n'",
        r"E'\r\n\r'",
        "','",
        "repeat('x', 65535)",
        "repeat('é', 32767) || 'x'",
        "'x' || repeat('é', 32767)",
        "repeat('漢', 21845)",
        "repeat('🦉', 16383) || 'abc'",
        "'abc' || repeat('🦉', 16383)",
        r#"repeat('"', 65535)"#,
        r"repeat(E'\n', 65535)",
    ];
    let mut source =
        "CREATE TABLE edges (id int PRIMARY KEY, note text, other text); CREATE TABLE alone (note text);"
            .to_owned();
    for (id, edge) in edges.iter().enumerate() {
        source += &format!(
            "INSERT INTO edges VALUES ({id}, {edge}, NULL), ({}, NULL, {edge}); INSERT INTO alone VALUES ({edge}), (NULL);",
            id + 1000
        );
    }
    let loaders = "[tables]\nedges = { strategy = \"full\", attempts = 3 }\nalone = { strategy = \"full\", attempts = 3 }\n";
    let scene = Scene::on(ground, &source, loaders).await;
    scene.run(&[]).await;
    scene.assert_equal(&["edges", "alone"]).await;
    // What stands for NULL is looked for in the rows: they come again with another one.
    let null = "SELECT state::jsonb->>'null' FROM barncat.loads WHERE table_name = 'edges'";
    let null = scene.database.text(null).await;
    on_primary(
        &scene,
        &format!("INSERT INTO edges VALUES (5000, '{null}', 'a{null}'), (5001, NULL, '{null}a')"),
    )
    .await;
    let outcome = scene.run(&["edges"]).await;
    assert_eq!(outcome["tasks"][0]["attempts"], 2, "{outcome:#}");
    scene.assert_equal(&["edges"]).await;
}

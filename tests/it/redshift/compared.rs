//! Source and warehouse compared: values of every type, and keys and cursors of every type that can be one.

use serde_json::{Value, json};

use crate::support::{project::on_primary, redshift::OnRedshift};

/// A type and values of it, as SQL.
const TYPES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["-32768", "7"]),
    ("integer", &["2147483647", "0"]),
    ("bigint", &["-9223372036854775808", "9"]),
    ("numeric(12,2)", &["0.5", "-9999999999.99", "0"]),
    ("numeric(19,4)", &["922337203685477.5807", "-1"]),
    ("numeric(3,-2)", &["12345", "-100"]),
    ("numeric", &["1.10", "-0.000000000000000001", "12345678901234567890"]),
    ("money", &["1234.56", "-0.01"]),
    ("real", &["0.1", "-1.5e38", "'1e-45'", "0", "16777216", "1e-7"]),
    (
        "double precision",
        &[
            "0.1",
            "-0.3",
            "1e300",
            "'4.9e-324'",
            "'1.7976931348623157e308'",
            "0",
            "'-0'",
            "16",
            "15.999999999999998",
            "1.0000000000000002",
            "'2.2250738585072014e-308'",
            "'2.225073858507201e-308'",
            "256",
            "0.0625",
        ],
    ),
    ("text", &["''", "'a '", "'a'", r#"E'two\nlines \\N "quoted"'"#, "'🦉 naïve'"]),
    ("varchar(10)", &["'x'", "''"]),
    ("char(5)", &["'ab'", "''"]),
    ("name", &["'a name'"]),
    ("bytea", &[r"'\x00ff0a0d'", r"'\xabcdef'"]),
    ("uuid", &["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    ("date", &["'0001-01-01'", "'9999-12-31'"]),
    ("time", &["'24:00'", "'23:59:59.999999'", "'01:02'"]),
    ("timetz", &["'23:59:59.9-15:59:59'", "'01:02+05:30'"]),
    ("timestamp", &["'2024-01-31 23:59:59.123456'", "'2024-02-01'", "'0001-01-01 00:00:00.5'"]),
    ("timestamptz", &["'2024-03-31 02:30 Europe/Berlin'", "'9999-12-31 23:59:59.999999Z'"]),
    ("interval", &["'1 year -3 days 04:05:06.7'", "'0'"]),
    ("inet", &["'::1/64'", "'10.0.0.1'", "'::1'", "'10.0.0.1/8'"]),
    ("cidr", &["'10.0.0.0/8'", "'10.0.0.1'", "'::/0'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("bit(3)", &["B'101'"]),
    ("int4range", &["'[1,5)'"]),
    ("xml", &["'<a/>'"]),
    ("oid", &["'4294967295'"]),
    ("pg_lsn", &["'FFFFFFFF/1'"]),
];

/// One table of all types: row 0 has NULLs, the others the values.
fn all_types() -> String {
    let columns: String = TYPES.iter().enumerate().map(|(at, (of, _))| format!(", c{at} {of}")).collect();
    let rows = TYPES.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let mut sql = format!(
        "CREATE TABLE kinds (id bigint PRIMARY KEY{columns}, doc jsonb); INSERT INTO kinds (id) VALUES (0);"
    );
    for row in 0..rows {
        let values: String =
            TYPES.iter().map(|(of, values)| format!(", ({})::{of}", values[row % values.len()])).collect();
        sql += &format!(
            "INSERT INTO kinds VALUES ({}{values}, '{{\"b\": [1.0, \"x\"], \"a\": null}}');",
            row + 1
        );
    }
    sql + "CREATE TABLE bare AS SELECT * FROM kinds; ALTER TABLE bare DROP COLUMN id; INSERT INTO bare SELECT * FROM bare;"
}

/// What `verify` finds, by table.
async fn verify(on: &OnRedshift, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["verify", "--output", "json"].iter().chain(arguments).copied().collect();
    let output = on.project.barncat(&all, &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let found = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    (output.status.code(), found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_every_type_are_compared_alike() {
    let on = OnRedshift::new(&all_types(), "[tables]\nkinds = \"full\"\nbare = \"full\"\n").await;
    on.project.run(&[]).await;
    let (status, found) = verify(&on, &["--as-is"]).await;
    assert_eq!(status, Some(0), "{found:#}");
    for task in found["tasks"].as_array().expect("tasks") {
        let verification = &task["verification"];
        assert_eq!(verification["equal"], true, "{task:#}");
        let why = verification["not_comparable"][0].as_str().unwrap_or_default();
        assert!(why.starts_with("column `doc` is not compared: "), "{why}");
    }
    // A change of each column in a row of its own is seen, and brought back.
    let changed: Vec<String> = (0..TYPES.len()).map(|at| format!("c{at}")).collect();
    for name in &changed {
        on.project.database.run(&format!("UPDATE raw.kinds SET {name} = NULL WHERE id = 1")).await;
    }
    let (status, found) = verify(&on, &["--as-is", "kinds"]).await;
    assert_eq!(status, Some(1), "{found:#}");
    let differing = &found["tasks"][0]["verification"]["columns"];
    let expected: serde_json::Map<String, Value> =
        changed.iter().map(|name| (name.clone(), json!(1))).collect();
    assert_eq!(differing, &Value::Object(expected));
    let (status, found) = verify(&on, &["--as-is", "bare"]).await;
    assert_eq!(status, Some(0), "{found:#}");
    on.project.database.run("UPDATE raw.bare SET c10 = 0.30000000000000004 WHERE c10 = -0.3").await;
    let (_, found) = verify(&on, &["--as-is", "bare"]).await;
    assert_eq!(found["tasks"][0]["verification"]["missing"], 2, "{found:#}");
    let (status, found) = verify(&on, &["--repair"]).await;
    assert_eq!(status, Some(0), "{found:#}");
}

/// Name, type, a value and one beyond it, as SQL.
const KEYS: &[(&str, &str, &str, &str)] = &[
    ("by_text", "text", r"'a\b ''q'' '", r"'b\'"),
    ("by_uuid", "uuid", "'00000000-0000-7000-8000-00000000000a'", "'00000000-0000-7000-8000-00000000000b'"),
    ("by_number", "numeric", "1.50", "2.25"),
    ("by_moment", "timestamptz", "'2026-01-01 00:00:00.5Z'", "'2026-01-02Z'"),
    ("by_local", "timestamp", "'2026-01-01 00:00:00.5'", "'2026-01-02'"),
    ("by_day", "date", "'2026-01-01'", "'2026-01-02'"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_cursors_of_every_type_find_what_is_gone_and_what_was_missed() {
    let (mut sql, mut loaders) = (String::new(), "[tables]\n".to_owned());
    for (name, of, value, _) in KEYS {
        sql += &format!(
            "CREATE TABLE {name} (k {of}, n integer, \"At\" {of} NOT NULL, PRIMARY KEY (k, n));
             INSERT INTO {name} SELECT {value}, n, {value} FROM generate_series(1, 3) n;"
        );
        loaders += &format!("{name} = {{ strategy = \"merge\", cursor = \"At\", deletes = \"detect\" }}\n");
    }
    loaders = format!(
        "[defaults]\ncompare_every = \"1s\"\nshrink_limit = \"100 %\"\noverlap = \"0s\"\n\n{loaders}"
    );
    sql += "CREATE TABLE by_float (k double precision PRIMARY KEY, at timestamptz);";
    let on = OnRedshift::new(&sql, &loaders).await;
    on.project.run(&[]).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let mut change = String::new();
    for (name, _, value, beyond) in KEYS {
        change += &format!(
            "DELETE FROM {name} WHERE n = 1; INSERT INTO {name} VALUES ({value}, 7, {value}), ({beyond}, 8, {beyond});"
        );
    }
    on_primary(&on.project, &change).await;
    let outcome = on.project.run(&[]).await;
    for task in outcome["tasks"].as_array().expect("tasks") {
        assert_eq!(task["publish"], "merge", "{task:#}");
    }
    for (name, ..) in KEYS {
        let rows = on.text(&format!("SELECT string_agg(n::text, ' ' ORDER BY n) FROM raw.{name}")).await;
        assert_eq!(rows, "2 3 7 8", "{name}");
    }
    let (status, found) = verify(&on, &["--as-is"]).await;
    assert_eq!(status, Some(0), "{found:#}");
    // By a float no row can be named; as text it can.
    let row = "[tables]\nby_float = { strategy = \"merge\", cursor = \"at\"";
    on.project.write_loaders(&format!("{row} }}\n"));
    let output = on.project.barncat(&["plan"], &[]).await;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("the key of raw.by_float has the column `k`, which arrives as double precision"),
        "{said}"
    );
    on.project.write_loaders(&format!("{row}, unfit = {{ k = \"text\" }} }}\n"));
    on.project.run(&[]).await;
}

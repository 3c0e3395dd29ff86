//! Relations of every shape, in whole runs: what arrives equals the source.

use std::sync::atomic::{AtomicU32, Ordering};

use barncat::sql::TableName;

use super::{all_lines, extraction, kept_snapshot};
use crate::support::{
    Schema,
    project::{INTO, Project},
    variable,
};

const ALL: &str = "[tables]\n\"*\" = \"full\"\n";

/// Runs `loaders` over `sql` and compares `tables`.
async fn arrive(sql: &str, loaders: &str, tables: &[&str]) -> Project {
    let project = Project::new(sql, loaders).await;
    project.run(&[]).await;
    project.assert_equal(tables).await;
    project
}

async fn tables_of(project: &Project) -> Vec<String> {
    let sql = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = '{INTO}'::regnamespace
         AND relkind IN ('r', 'p') ORDER BY relname COLLATE \"C\""
    );
    project.database.texts(&sql).await
}

#[tokio::test]
async fn partitions_arrive_in_one_table_whatever_their_depth_and_form() {
    let project = arrive(
        "CREATE TABLE sales (id int NOT NULL, region text NOT NULL, amount numeric) PARTITION BY LIST (region);
         CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north') PARTITION BY RANGE (id);
         CREATE TABLE sales_north_1 PARTITION OF sales_north FOR VALUES FROM (0) TO (500);
         CREATE TABLE sales_north_2 PARTITION OF sales_north FOR VALUES FROM (500) TO (5000);
         CREATE TABLE sales_empty PARTITION OF sales FOR VALUES IN ('empty');
         CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
         CREATE TABLE sales_south (gone int, amount numeric, region text NOT NULL, more int, id int NOT NULL);
         ALTER TABLE sales_south DROP gone, DROP more;
         ALTER TABLE sales ATTACH PARTITION sales_south FOR VALUES IN ('south');
         INSERT INTO sales SELECT n, (ARRAY['north', 'south', 'west'])[1 + n % 3], n / 7.0 FROM generate_series(1, 1000) n;
         CREATE TABLE no_partitions (id int) PARTITION BY RANGE (id);
         CREATE TABLE only_levels (id int) PARTITION BY RANGE (id);
         CREATE TABLE only_levels_1 PARTITION OF only_levels FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (id);",
        ALL,
        &["sales", "no_partitions", "only_levels"],
    )
    .await;
    // The partitions themselves are no tables of their own: their rows came with the parent's.
    assert_eq!(tables_of(&project).await, ["no_partitions", "only_levels", "sales"]);
}

/// A parent's own rows come with the parent, its children's with the children: nothing twice.
#[tokio::test]
async fn an_inheritance_parent_arrives_without_its_childrens_rows() {
    let project = arrive(
        "CREATE TABLE vehicles (id int, wheels int);
         CREATE TABLE cars (doors int) INHERITS (vehicles);
         CREATE TABLE taxis (sign text) INHERITS (cars);
         INSERT INTO vehicles VALUES (1, 3); INSERT INTO cars VALUES (2, 4, 5); INSERT INTO taxis VALUES (3, 4, 5, 'x');
         CREATE VIEW all_vehicles AS SELECT * FROM vehicles;",
        ALL,
        &["taxis", "all_vehicles"],
    )
    .await;
    for (table, ids) in [("vehicles", "{1}"), ("cars", "{2}"), ("taxis", "{3}"), ("all_vehicles", "{1,2,3}")]
    {
        let sql = format!("SELECT array_agg(id ORDER BY id)::text FROM {INTO}.{table}");
        assert_eq!(project.database.text(&sql).await, ids, "{table}");
    }
}

#[tokio::test]
async fn views_and_materialized_views_arrive_as_tables() {
    let sql = "
        CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT n, 'n' || n FROM generate_series(1, 99) n;
        CREATE VIEW plain AS SELECT id, upper(name) AS name, count(*) OVER () AS all FROM t WHERE id > 5;
        CREATE VIEW upon_it AS SELECT * FROM plain ORDER BY id DESC LIMIT 7;
        CREATE VIEW of_nothing AS SELECT;
        CREATE MATERIALIZED VIEW stored AS SELECT * FROM plain WITH DATA;";
    arrive(sql, ALL, &["t", "plain", "upon_it", "of_nothing", "stored"]).await;
}

#[tokio::test]
async fn a_materialized_view_without_data_is_told_by_name() {
    let sql = "CREATE TABLE t (id int); CREATE MATERIALIZED VIEW stored AS SELECT * FROM t WITH NO DATA;";
    let (status, outcome) = Project::new(sql, ALL).await.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let text = outcome.to_string();
    assert!(text.contains("has not been populated") && text.contains("stored"), "{outcome:#}");
}

#[tokio::test]
async fn foreign_tables_arrive_also_as_partitions() {
    let server = format!("far_{}", std::process::id());
    let sql = format!(
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public;
         CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw
           OPTIONS (host '127.0.0.1', port '{port}', dbname 'shop');
         CREATE USER MAPPING FOR PUBLIC SERVER {server} OPTIONS (user 'barncat_source', password '{password}');
         CREATE TABLE near (id int, name text); INSERT INTO near SELECT n, 'n' || n FROM generate_series(1, 50) n;
         CREATE FOREIGN TABLE far (id int, name text) SERVER {server} OPTIONS (table_name 'near');
         CREATE TABLE parted (id int, name text) PARTITION BY RANGE (id);
         CREATE TABLE parted_near PARTITION OF parted FOR VALUES FROM (100) TO (200);
         CREATE FOREIGN TABLE parted_far PARTITION OF parted FOR VALUES FROM (0) TO (100)
           SERVER {server} OPTIONS (table_name 'near');
         INSERT INTO parted VALUES (150, 'here');
         DO $$ BEGIN
           EXECUTE format('ALTER FOREIGN TABLE far OPTIONS (ADD schema_name %L)', current_schema());
           EXECUTE format('ALTER FOREIGN TABLE parted_far OPTIONS (ADD schema_name %L)', current_schema());
         END $$;
         GRANT USAGE ON FOREIGN SERVER {server} TO postgres;",
        port = variable("BARNCAT_REPLICA_PORT"),
        password = variable("BARNCAT_SOURCE_PASSWORD"),
    );
    let project = arrive(&sql, ALL, &["near", "far", "parted"]).await;
    let rows = format!("SELECT count(*)::text FROM {INTO}.parted");
    assert_eq!(project.database.text(&rows).await, "51");
}

#[tokio::test]
async fn generated_identity_and_dropped_columns_arrive() {
    arrive(
        "CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
         INSERT INTO always (a) VALUES (1), (2), (NULL);
         CREATE TABLE by_default (id bigint GENERATED BY DEFAULT AS IDENTITY (START 100), s serial, a text DEFAULT 'x');
         INSERT INTO by_default DEFAULT VALUES; INSERT INTO by_default (id) VALUES (5);
         CREATE TABLE holes (gone1 int, a int, gone2 text, b text, gone3 int);
         INSERT INTO holes SELECT n, n, 'x', 'b' || n, n FROM generate_series(1, 20) n;
         ALTER TABLE holes DROP gone1, DROP gone2, DROP gone3, ADD gone2 date, ADD c int DEFAULT 7;
         INSERT INTO holes VALUES (21, 'b21', '2024-01-01', 8);",
        ALL,
        &["always", "by_default", "holes"],
    )
    .await;
}

#[tokio::test]
async fn tables_without_columns_rows_or_key_and_with_1600_columns_arrive() {
    let wide: Vec<_> = (1..=1600).map(|n| format!("c{n} int DEFAULT {n}")).collect();
    let sql = format!(
        "CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
         CREATE TABLE nothing_at_all ();
         CREATE TABLE no_rows (id int PRIMARY KEY, name text);
         CREATE TABLE no_key (a int, b text); INSERT INTO no_key VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
         CREATE TABLE wide ({}); INSERT INTO wide DEFAULT VALUES; INSERT INTO wide (c1) VALUES (NULL);",
        wide.join(", ")
    );
    let project = arrive(&sql, ALL, &["no_columns", "nothing_at_all", "no_rows", "no_key", "wide"]).await;
    let rows = format!("SELECT count(*)::text FROM {INTO}.no_columns");
    assert_eq!(project.database.text(&rows).await, "2");
}

/// Every name both of a table and of its column. A quote is doubled, as in SQL.
const NAMES: &[&str] = &[
    "Upper Case",
    "select",
    "quo\"\"te",
    "'single'",
    "dot.ted",
    "../up",
    "/",
    "🦉 naïve 漢字",
    "1digit",
    "per%cent%20",
    "back\\slash",
    "semi;colon--",
    "star*[a]{b}",
    " ",
    "ctid ",
    "äääääääääääääääääääääääääääääää1",
    "äääääääääääääääääääääääääääääää2",
    "a_name_of_63_bytes_which_is_all_that_postgres_keeps_of_a_name_1",
    "a_name_of_63_bytes_which_is_all_that_postgres_keeps_of_a_name_2",
];

#[tokio::test]
async fn tables_and_columns_of_any_name_arrive() {
    let make = |name: &&str| {
        format!(
            "CREATE TABLE \"{name}\" (\"{name}\" int PRIMARY KEY, id text);
             INSERT INTO \"{name}\" SELECT n, $x${name}$x$ || n FROM generate_series(1, 5) n;"
        )
    };
    let sql: String = NAMES.iter().map(make).collect();
    assert!(NAMES.iter().filter(|name| name.len() == 63).count() == 4, "as long as they can be");
    let project = arrive(&sql, ALL, NAMES).await;
    // A second run finds each by its name again.
    project
        .source
        .run_on_primary(&format!("SET search_path = {}; {}", project.source.name(), change()))
        .await;
    project.run(&[]).await;
    project.assert_equal(NAMES).await;
    assert!(project.staged().iter().all(|path| !path.starts_with("..")), "{:?}", project.staged());
}

fn change() -> String {
    NAMES.iter().map(|name| format!("UPDATE \"{name}\" SET id = 'changed';")).collect()
}

#[tokio::test]
async fn names_that_the_warehouse_would_cut_are_refused_before_anything_starts() {
    let long = "x".repeat(64);
    let loaders = format!("[tables]\na = {{ strategy = \"full\", as = \"{long}\" }}\n");
    let project = Project::new("CREATE TABLE a (id int)", &loaders).await;
    let output = project.barncat(&["run"], &[]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("64 bytes") && told.contains("63"), "{told}");
}

#[tokio::test]
async fn what_a_row_selects_is_what_arrives() {
    let project = Project::new(
        "CREATE TABLE people (id int PRIMARY KEY, email text, secret text, born date, \"Odd Name\" int);
         INSERT INTO people SELECT n, 'abc', 'hidden' || n, '2000-01-01'::date + n, n FROM generate_series(1, 100) n;
         CREATE TABLE few (a int, b int, c int); INSERT INTO few VALUES (1, 2, 3);",
        r#"[tables]
people = { strategy = "full", as = "Persons", exclude = ["secret"], hash = ["email"], where = "born > '2000-02-01' AND \"Odd Name\" % 2 = 0 -- even" }
few = { strategy = "full", columns = ["c", "a"] }
"#,
    )
    .await;
    project.run(&[]).await;
    assert_eq!(tables_of(&project).await, ["Persons", "few"]);
    let columns = |table: &str| {
        format!(
            "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
             WHERE attrelid = '{INTO}.{table}'::regclass AND attnum > 0 AND NOT attisdropped"
        )
    };
    assert_eq!(project.database.text(&columns("\"Persons\"")).await, "id,email,born,Odd Name");
    let few = project.database.text(&columns("few")).await;
    assert!(few == "a,c" || few == "c,a", "{few}");
    let sums = format!("SELECT count(*) || ' ' || sum(id) || ' ' || min(email) FROM {INTO}.\"Persons\"");
    let (rows, sum) = (32..=100).filter(|n| n % 2 == 0).fold((0, 0), |(rows, sum), n| (rows + 1, sum + n));
    let hash_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(project.database.text(&sums).await, format!("{rows} {sum} {hash_of_abc}"));
}

/// A table of many parts, read by the library in parts of one block, while it grows and rows move.
#[tokio::test]
async fn a_table_of_many_parts_has_every_row_once_while_it_grows() {
    let schema = Schema::on_standby(
        "CREATE TABLE t (id int PRIMARY KEY, pad text);
         INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 2000) n",
    )
    .await;
    let snapshot = kept_snapshot().await;
    let extraction = extraction(&TableName::new(schema.name(), "t"), &["id"]);
    assert!(snapshot.plan_parts(&extraction).await.expect("it can be planned").len() > 20);
    for _ in 0..3 {
        tokio::select! {
            lines = all_lines(&*snapshot, &extraction) => {
                let mut ids: Vec<u32> = lines.expect("it can be read").iter().map(|id| id.parse().unwrap()).collect();
                ids.sort_unstable();
                assert_eq!(ids, (1..=2000).collect::<Vec<_>>());
            }
            () = writing(&schema) => unreachable!("it never ends"),
        }
    }
}

/// Adds, changes and deletes rows without end.
async fn writing(schema: &Schema) {
    static ROUND: AtomicU32 = AtomicU32::new(1);
    loop {
        let round = ROUND.fetch_add(1, Ordering::Relaxed);
        let sql = format!(
            "INSERT INTO {0}.t SELECT n, 'new' FROM generate_series(10000 * {round}, 10000 * {round} + 900) n;
             UPDATE {0}.t SET pad = 'changed' WHERE id % 7 = {round} % 7;
             DELETE FROM {0}.t WHERE id % 50 = {round} % 50",
            schema.name()
        );
        schema.run_on_primary(&sql).await;
    }
}

//! What a run does when nothing crashes: first, again, in test mode, stopped, twice at once.

use std::{
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    connect,
    process::{Process, send},
    project::Project,
};

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'is ' || n FROM generate_series(1, 100) n;
    CREATE TABLE riders (id int, name text); INSERT INTO riders VALUES (1, 'Ana'), (1, 'Ana'), (2, NULL);
    CREATE TABLE empty (id int);";

const ALL: &[&str] = &["orders", "riders", "empty"];

async fn project() -> Project {
    Project::new(
        SOURCE,
        "[tables]\n\"*\" = \"full\"\norders = { strategy = \"full\", tier = \"critical\" }\n",
    )
    .await
}

fn task<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    tasks.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("no {name} in {outcome:#}"))
}

#[tokio::test]
async fn a_run_loads_every_table_and_the_second_finds_them_unchanged() {
    let project = project().await;
    let first = project.run(&[]).await;
    project.assert_equal(ALL).await;
    let orders = task(&first, "raw.orders");
    assert_eq!((&orders["status"], &orders["rows"]), (&"succeeded".into(), &100.into()));
    assert_eq!(task(&first, "raw.empty")["rows"], 0);
    let snapshots: Vec<&Value> = first["tasks"].as_array().unwrap().iter().map(|t| &t["snapshot"]).collect();
    assert!(snapshots.iter().all(|snapshot| *snapshot == snapshots[0]), "one snapshot for all: {first:#}");

    let second = project.run(&[]).await;
    assert_eq!(task(&second, "raw.orders")["status"], "unchanged");
    assert_eq!(task(&second, "raw.orders")["load"], orders["load"], "the load that the table shows");
    assert_eq!(task(&project.run(&["--full", "orders"]).await, "raw.orders")["status"], "succeeded");
    project
        .source
        .run_on_primary(&format!("INSERT INTO {}.orders VALUES (101, 'new')", project.source.name()))
        .await;
    let third = project.run(&[]).await;
    assert_eq!(task(&third, "raw.orders")["status"], "succeeded");
    assert_eq!(task(&third, "raw.riders")["status"], "unchanged");
    project.assert_equal(ALL).await;
}

/// Most tables of a night have not changed, and must cost the warehouse next to nothing.
#[tokio::test]
async fn of_a_table_that_has_not_changed_the_warehouse_makes_nothing() {
    let parts = "CREATE TABLE events (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (20);
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (20) TO (100);
        INSERT INTO events SELECT n FROM generate_series(1, 50) n;";
    let loaders = "[tables]\norders = \"full\"\nevents = \"full\"\n";
    let project = Project::new(&format!("{SOURCE}{parts}"), loaders).await;
    let passed = async |table: &str| {
        let output = project.barncat(&["run", table], &[("BARNCAT_FAILPOINTS", "list")]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        ["staging.create.before", "staging.key.before"].map(|point| text.contains(point))
    };
    for table in ["orders", "events"] {
        assert_eq!(passed(table).await, [true, true], "{table}");
    }
    assert_eq!(passed("orders").await, [false, false], "one part: not even a staging table");
    // By the time that the last of several parts is read the first ones are filled already.
    assert_eq!(passed("events").await, [true, false], "two parts: no key, no figures for the planner");
    project.assert_equal(&["orders", "events"]).await;
}

/// What is published is what the source has, whoever else writes to the warehouse.
#[tokio::test]
async fn rows_that_somebody_took_from_a_table_come_back() {
    let more = "CREATE TABLE events (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (20);
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (20) TO (100);
        INSERT INTO events SELECT n FROM generate_series(1, 50) n;
        CREATE TABLE log (id bigint PRIMARY KEY); INSERT INTO log SELECT n FROM generate_series(1, 50) n;";
    let loaders = "[tables]\n\"*\" = \"full\"\nlog = { strategy = \"append\", cursor = \"id\" }\n";
    let project = Project::new(&format!("{SOURCE}{more}"), loaders).await;
    project.run(&[]).await;
    project.run(&[]).await;
    project
        .database
        .run(
            "TRUNCATE raw.orders, raw.log; DELETE FROM raw.events WHERE id > 45;
             ALTER TABLE raw.riders RENAME TO riders_before; CREATE TABLE raw.riders (LIKE raw.riders_before);
             DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE raw.riders OWNER TO %I', tableowner)
                                  FROM pg_tables WHERE tablename = 'riders_before'); END $$",
        )
        .await;
    let outcome = project.run(&[]).await;
    let emptied = "somebody emptied the table in the warehouse";
    for (name, reason, warning) in [
        ("orders", emptied, "the table had 0 rows where 100 were published: somebody else changed it"),
        ("riders", emptied, "the table had 0 rows where 3 were published: somebody else changed it"),
        (
            "events",
            "loaded whole each time",
            "the table had 45 rows where 50 were published: somebody else changed it",
        ),
    ] {
        let task = task(&outcome, &format!("raw.{name}"));
        assert_eq!((&task["status"], &task["reason"]), (&"succeeded".into(), &reason.into()), "{task:#}");
        assert_eq!(task["warnings"][0], warning, "{task:#}");
    }
    assert_eq!(task(&outcome, "raw.log")["reason"], emptied);
    assert_eq!(task(&outcome, "raw.empty")["status"], "unchanged", "an empty table is none that was emptied");
    project.assert_equal(&["orders", "riders", "events", "log", "empty"]).await;
    let again = project.run(&[]).await;
    let whole = again["tasks"].as_array().unwrap().iter().filter(|task| task["task"] != "raw.log");
    assert!(whole.clone().all(|task| task["status"] == "unchanged"), "{again:#}");
}

#[tokio::test]
async fn a_table_that_a_wildcard_matches_no_more_is_told() {
    let project = project().await;
    project.run(&[]).await;
    let drop = format!("DROP TABLE {}.riders", project.source.name());
    project.source.run_on_primary(&drop).await;
    let output = project.barncat(&["run", "--output", "json"], &[]).await;
    let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told: Vec<&str> = text.lines().filter(|line| line.contains("its source has it no longer")).collect();
    assert!(matches!(told[..], [line] if line.contains("raw.riders")), "{text}");
    let rows = project.database.texts("SELECT count(*)::text FROM raw.riders").await;
    assert_eq!(rows, ["3"], "readers keep it");
}

#[tokio::test]
async fn a_column_that_was_added_is_the_reason_and_arrives() {
    let project = project().await;
    project.run(&[]).await;
    let schema = project.source.name();
    project
        .source
        .run_on_primary(&format!("ALTER TABLE {schema}.riders ADD tip numeric(6,2) DEFAULT 1.5"))
        .await;
    let outcome = project.run(&[]).await;
    let riders = task(&outcome, "raw.riders");
    assert_eq!(riders["reason"], "the schema changed: column `tip` was added");
    project.assert_equal(ALL).await;
    project.write_loaders("[tables]\nriders = { strategy = \"full\", on_schema_change = \"refuse\" }\n");
    project.source.run_on_primary(&format!("ALTER TABLE {schema}.riders DROP name")).await;
    let before = project.in_warehouse("riders").await;
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1));
    let error = &task(&outcome, "raw.riders")["error"];
    assert_eq!(
        (&error["class"], task(&outcome, "raw.riders")["attempts"].as_u64()),
        (&"lasting".into(), Some(1))
    );
    assert!(error["message"].as_str().unwrap().contains("`name`"), "{error}");
    assert_eq!(project.in_warehouse("riders").await, before, "the last good rows stay");
}

#[tokio::test]
async fn test_mode_writes_to_the_test_schemas_only() {
    let project = project().await;
    project.run(&["--mode", "test"]).await;
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)' ORDER BY 1";
    assert_eq!(
        project.database.texts(schemas).await,
        ["barncat_control_test", "barncat_staging_test", "barncat_test", "raw_test_ci"]
    );
    assert!(project.staged().iter().all(|path| path.starts_with("tests/test")), "{:?}", project.staged());
}

#[tokio::test]
async fn an_optional_failure_degrades_and_only_what_failed_is_run_again() {
    let project = project().await;
    project.database.run("CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO barncat_warehouse; CREATE TABLE raw.riders (mine int)").await;
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, &outcome["status"]), (Some(0), &"degraded".into()));
    let riders = task(&outcome, "raw.riders");
    assert_eq!((&riders["status"], &riders["error"]["class"]), (&"failed".into(), &"lasting".into()));
    assert!(
        riders["error"]["message"].as_str().unwrap().contains("neither created nor adopted"),
        "{riders:#}"
    );
    assert_eq!(project.try_run(&["--strict"]).await.0, Some(1));
    project.database.run("DROP TABLE raw.riders").await;
    let outcome = project.run(&["--failed"]).await;
    assert_eq!(outcome["tasks"].as_array().unwrap().len(), 1, "{outcome:#}");
    project.assert_equal(ALL).await;
}

#[tokio::test]
async fn a_critical_failure_fails_the_run_and_an_unknown_name_starts_nothing() {
    let project = project().await;
    project.database.run("CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO barncat_warehouse; CREATE TABLE raw.orders (mine int)").await;
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, &outcome["status"]), (Some(1), &"failed".into()));
    assert_eq!(task(&outcome, "raw.riders")["status"], "succeeded", "the others go on");
    let output = project.barncat(&["run", "ordres"], &[]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("did you mean `orders`?") || told.contains("did you mean `raw.orders`?"), "{told}");
}

#[tokio::test]
async fn a_table_that_is_gone_from_the_source_fails_alone() {
    let project = project().await;
    project.write_loaders("[tables]\n\"*\" = \"full\"\ngone = \"full\"\norders = { strategy = \"full\", tier = \"critical\" }\n");
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, &outcome["status"]), (Some(0), &"degraded".into()));
    let gone = task(&outcome, "raw.gone");
    assert_eq!((&gone["status"], &gone["error"]["class"]), (&"failed".into(), &"lasting".into()));
    assert!(gone["error"]["message"].as_str().unwrap().contains(".gone"), "{gone:#}");
    project.assert_equal(ALL).await;
}

#[tokio::test]
async fn a_source_that_is_away_holds_up_its_own_tables_alone() {
    let project = project().await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let dead = "[sources.dead]\nkind = \"postgres\"\nurl = \"postgres://u:hunter2@127.0.0.1:1/x\"\n";
    project.write("barncat.toml", &format!("{dead}{toml}"));
    let loaders = "source = \"dead\"\nschema = \"public\"\ninto = \"dead\"\n[defaults]\nattempts = 1\n[tables]\nt = \"full\"\n";
    project.write("loaders/dead.toml", loaders);
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, &outcome["status"]), (Some(0), &"degraded".into()));
    let error = &task(&outcome, "dead.t")["error"];
    assert_eq!(error["class"], "passing");
    assert!(error["message"].as_str().unwrap().contains("127.0.0.1:1/x"), "{error}");
    assert!(!outcome.to_string().contains("hunter2"));
    project.assert_equal(ALL).await;
}

#[tokio::test]
async fn a_selection_that_leaves_nothing_is_a_mistake() {
    let project = project().await;
    let output = project.barncat(&["run", "*", "--exclude", "*"], &[]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("nothing is selected: the project has 3 tasks"), "{told}");
}

/// A table whose reading takes half a minute, and a row policy of time: each row waits.
const SLOW: &str = "
    CREATE TABLE slow (id int); INSERT INTO slow SELECT generate_series(1, 300);
    CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; END';
    CREATE VIEW slowest AS SELECT slowly(id) AS id FROM slow;";

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < limit, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn copies_under_way(schema: &str) -> i64 {
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' || $1 || '%'";
    connect("BARNCAT_REPLICA_ADMIN_URL").await.query_one(sql, &[&schema]).await.expect("it answers").get(0)
}

#[tokio::test]
async fn a_signal_stops_a_run_within_seconds_and_leaves_nothing() {
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let project = Project::new(SLOW, "[tables]\nslowest = \"full\"\n").await;
        let mut command = project.command(&["run", "--output", "json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        until("the COPY runs", async || copies_under_way(project.source.name()).await > 0).await;
        send(signal, child.id());
        let began = Instant::now();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        assert_eq!((output.status.code(), output.status.signal()), (Some(expected), None));
        let outcome: Value =
            serde_json::from_slice(&output.stdout).expect("the outcome is told all the same");
        assert_eq!(outcome["status"], "cancelled");
        assert_eq!(task(&outcome, "raw.slowest")["status"], "cancelled");
        until("the server's query is cancelled", async || copies_under_way(project.source.name()).await == 0)
            .await;
        assert_eq!(project.staged(), Vec::<std::path::PathBuf>::new());
        let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace";
        assert_eq!(project.database.texts(left).await, Vec::<String>::new());
        let held = "SELECT name FROM barncat_control.locks WHERE session IS NOT NULL";
        assert_eq!(project.database.texts(held).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_table_that_another_run_loads_is_held_and_its_status_says_so() {
    let project = Project::new(SLOW, "[tables]\nslowest = \"full\"\n").await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{toml}lock_wait = \"1s\"\n"));
    let mut first = project.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the COPY runs", async || copies_under_way(project.source.name()).await > 0).await;
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!((status, &task(&outcome, "raw.slowest")["status"]), (Some(3), &"held".into()));
    let status = project.barncat(&["status"], &[]).await;
    assert!(String::from_utf8_lossy(&status.stdout).contains("raw.slowest"), "{status:?}");
    send("TERM", first.id());
    assert_eq!(first.wait().unwrap().code(), Some(143));
}

/// Two runs that each wait for what the other has would wait until `lock_wait` is over.
#[tokio::test]
async fn whoever_waits_for_a_tables_lock_keeps_no_connection_to_its_source() {
    let more =
        "CREATE TABLE quick (id int); CREATE VIEW later AS SELECT id, pg_sleep(1)::text AS slept FROM quick;
                INSERT INTO quick VALUES (1);";
    let loaders = "[tables]\nslowest = \"full\"\nquick = \"full\"\nlater = \"full\"\n";
    let project = Project::new(&format!("{SLOW}\n{more}"), loaders).await;
    let mut first =
        project.command(&["run", "slowest"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the COPY runs", async || copies_under_way(project.source.name()).await > 0).await;
    // The last of them begins when the lock has been waited for already, and reads in a snapshot of its own.
    let waits = Process::run(&project, &["--jobs", "2", "slowest", "later", "quick"], &[]);
    let ended = "SELECT count(*)::text FROM barncat_control.tasks WHERE status = 'succeeded'";
    until("the others are done", async || project.database.text(ended).await == "2").await;
    let sessions = "SELECT count(DISTINCT session)::text FROM barncat_control.locks WHERE name LIKE 'source/%' AND session IS NOT NULL";
    until("they keep no connection", async || project.database.text(sessions).await == "1").await;
    waits.send("TERM");
    send("TERM", first.id());
    assert_eq!(waits.end().await.0, Some(143));
    assert_eq!(first.wait().unwrap().code(), Some(143));
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_given_up() {
    let project = Project::new(
        SLOW,
        "[tables]\nslowest = { strategy = \"full\", time_limit = \"1s\", attempts = 1 }\n",
    )
    .await;
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1));
    let error = task(&outcome, "raw.slowest")["error"]["message"].as_str().unwrap().to_owned();
    assert!(error.contains("took longer than 1 s"), "{error}");
    until("the server's query is cancelled", async || copies_under_way(project.source.name()).await == 0)
        .await;
}

#[tokio::test]
async fn a_table_of_another_project_is_left_alone() {
    let project = project().await;
    project.run(&["orders"]).await;
    let text = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &text.replace("name = \"tests\"", "name = \"others\""));
    let (status, outcome) = project.try_run(&["--full", "orders"]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let error = &task(&outcome, "raw.orders")["error"];
    assert_eq!(error["class"], "lasting", "{error}");
    assert_eq!(error["message"], "raw.orders was published by the project `tests`, this one is `others`");
    project.assert_equal(&["orders"]).await;
}

#[tokio::test]
async fn a_wait_for_readers_with_older_snapshots_names_them_once() {
    let project = Project::new(SOURCE, "[tables]\norders = { strategy = \"full\", fill_jobs = 2 }\n").await;
    project.run(&[]).await;
    let reader = project.database.connect().await;
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.expect("it reads");
    let run = project.barncat(&["run", "--full"], &[]);
    let end = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        reader.batch_execute("COMMIT").await.expect("it ends");
    };
    let (output, ()) = tokio::join!(run, end);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let lines: Vec<_> = told.lines().filter(|line| line.contains("waits for readers with older")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains("raw.orders") && lines[0].contains("session "), "{told}");
    let seconds = told.split("seconds=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let digits = seconds.and_then(|seconds| seconds.split_once('.')).map_or(0, |(_, digits)| digits.len());
    assert!(digits <= 3, "{told}");
}

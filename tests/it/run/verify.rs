//! `verify`: says what differs between source and warehouse, mends it, and tells no value of a row.

use serde_json::{Value, json};

use crate::support::{
    ground::{Ground, Scene, tests_on},
    project::{INTO, Project, task},
};

const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, fee numeric(9,2), note text);
    INSERT INTO orders SELECT n, n, 'secret ' || n FROM generate_series(1, 5000) n;
    CREATE TABLE events (id bigint PRIMARY KEY, what text);
    INSERT INTO events SELECT n, 'e' || n FROM generate_series(1, 5000) n;
    CREATE TABLE riders (name text PRIMARY KEY, updated_at timestamptz NOT NULL, score float8);
    CREATE INDEX ON riders (updated_at);
    INSERT INTO riders SELECT 'rider ' || n, now() - INTERVAL '2 days', n / 7.0 FROM generate_series(1, 5000) n;
    CREATE TABLE log (a int, b text); INSERT INTO log SELECT n % 9, NULL FROM generate_series(1, 900) n;";

/// Loads neither compare keys nor read rows again by themselves: what is found here only `verify` has found.
const LOADERS: &str = "[tables]
orders = \"full\"
log = \"full\"
events = { strategy = \"append\", cursor = \"id\", compare_every = \"off\" }
riders = { strategy = \"merge\", cursor = \"updated_at\", compare_every = \"off\", deletes = \"detect\" }
";

async fn project() -> Project {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&[]).await;
    project
}

/// What `verify` answers: exit status, outcome.
async fn verify(project: &Project, arguments: &[&str]) -> (Option<i32>, Value) {
    let all: Vec<&str> = ["verify", "--output", "json"].iter().chain(arguments).copied().collect();
    let output = project.barncat(&all, &[]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

/// Missing, extra, different, newer.
fn counts(task: &Value) -> [u64; 4] {
    ["missing", "extra", "different", "newer"]
        .map(|count| task["verification"][count].as_u64().unwrap_or_else(|| panic!("no {count} in {task:#}")))
}

#[tokio::test]
async fn tables_are_brought_up_and_then_equal() {
    let project = project().await;
    let schema = project.source.name();
    project
        .source
        .run_on_primary(&format!(
            "INSERT INTO {schema}.orders VALUES (6000, 1, NULL); INSERT INTO {schema}.events VALUES (6000, '');
             UPDATE {schema}.riders SET score = '-0', updated_at = now() WHERE name = 'rider 7'"
        ))
        .await;
    let (status, outcome) = verify(&project, &[]).await;
    assert_eq!((status, &outcome["status"]), (Some(0), &json!("succeeded")), "{outcome:#}");
    for table in ["orders", "events", "riders", "log"] {
        let task = task(&outcome, &format!("{INTO}.{table}"));
        assert_eq!((&task["kind"], &task["verification"]["equal"]), (&json!("verify"), &json!(true)));
        assert_eq!(counts(task), [0; 4]);
        assert_eq!(task["verification"]["source_rows"], task["verification"]["warehouse_rows"]);
    }
    assert_eq!(task(&outcome, &format!("{INTO}.events"))["verification"]["source_rows"], 5001);
    project.assert_equal(&["orders", "events", "riders", "log"]).await;
    // A comparison is no load that has to be done: nothing is left for `--failed`.
    assert_eq!(project.run(&["--failed"]).await["tasks"], json!([]));
}

const PLANTED: &str = "
    UPDATE ~.events SET what = '' WHERE id = 77; DELETE FROM ~.events WHERE id = 78;
    UPDATE ~.riders SET score = score + 1e-12 WHERE name = 'rider 4242'; INSERT INTO ~.riders VALUES ('nobody', now(), 1);
    INSERT INTO ~.log VALUES (1, '')";

#[tokio::test]
async fn what_differs_is_counted_by_column_and_mended() {
    let project = project().await;
    project.database.run(&PLANTED.replace('~', INTO)).await;
    let (status, outcome) = verify(&project, &["events", "riders", "log"]).await;
    assert_eq!((status, &outcome["status"]), (Some(1), &json!("failed")), "{outcome:#}");
    let events = task(&outcome, &format!("{INTO}.events"));
    assert_eq!(counts(events), [1, 0, 1, 0]);
    assert_eq!(events["verification"]["columns"], json!({"what": 1}));
    assert_eq!(events["error"]["message"], "1 row is missing from the warehouse; 1 row differs in what");
    assert_eq!((&events["error"]["class"], events["attempts"].as_u64()), (&json!("lasting"), Some(1)));
    let riders = task(&outcome, &format!("{INTO}.riders"));
    assert_eq!(counts(riders), [0, 1, 1, 0]);
    assert_eq!(riders["verification"]["columns"], json!({"score": 1}));
    // The load before found the source unchanged, and so published nothing.
    assert_eq!(counts(task(&outcome, &format!("{INTO}.log"))), [0, 1, 0, 0]);

    let (status, outcome) = verify(&project, &["events", "riders", "log", "--repair"]).await;
    assert_eq!((status, &outcome["status"]), (Some(0), &json!("succeeded")), "{outcome:#}");
    let events = task(&outcome, &format!("{INTO}.events"));
    assert_eq!(events["reason"], "repaired: 1 row is missing from the warehouse; 1 row differs in what");
    assert_eq!((counts(events), &events["verification"]["equal"]), ([0; 4], &json!(true)));
    // Just the rows that differed; a table without a key is loaded whole.
    let written = "SELECT string_agg(table_name || ' ' || publish || ' ' || rows || ' ' || coalesce(deleted_rows::text, ''),
                       ', ' ORDER BY table_name)
                   FROM (SELECT DISTINCT ON (table_name) * FROM barncat.loads ORDER BY table_name, load DESC) AS newest";
    assert_eq!(
        project.database.text(written).await,
        "events merge 2 0, log swap 900 , orders swap 5000 , riders merge 1 1"
    );
    project.assert_equal(&["events", "riders", "log"]).await;
    let (status, _) = verify(&project, &[]).await;
    assert_eq!(status, Some(0));
}

#[tokio::test]
async fn values_are_told_only_to_who_asks_and_kept_nowhere() {
    let project = project().await;
    project.database.run(&format!("DELETE FROM {INTO}.riders WHERE name = 'rider 4242'")).await;
    let (_, outcome) = verify(&project, &["riders", "--as-is"]).await;
    assert!(!outcome.to_string().contains("rider 4242"), "{outcome:#}");
    let (status, outcome) = verify(&project, &["riders", "--as-is", "--keys"]).await;
    assert_eq!(status, Some(1));
    let keys = &task(&outcome, &format!("{INTO}.riders"))["verification"]["keys"];
    assert_eq!(keys, &json!({"missing": [["rider 4242"]], "extra": [], "different": []}));
    let text = project.barncat(&["verify", "riders", "--as-is", "--keys"], &[]).await;
    let text = String::from_utf8(text.stdout).expect("text is UTF-8");
    assert!(text.contains("riders: missing (\"rider 4242\")"), "{text}");
    let kept = "SELECT (SELECT string_agg(t::text, '') FROM barncat_control.tasks t)
                    || (SELECT string_agg(r::text, '') FROM barncat_control.runs r)";
    let kept = project.database.text(kept).await;
    assert!(kept.contains("verification") && !kept.contains("rider 4242"), "{kept}");
}

#[tokio::test]
async fn as_it_is_a_table_lacks_no_row_beyond_its_watermark() {
    let project = project().await;
    let schema = project.source.name();
    project
        .source
        .run_on_primary(&format!(
            "INSERT INTO {schema}.events SELECT n, 'new' FROM generate_series(5001, 5010) n;
             UPDATE {schema}.riders SET score = 0, updated_at = now() WHERE name = 'rider 7';
             INSERT INTO {schema}.riders VALUES ('new one', now(), 1)"
        ))
        .await;
    let before = project.in_warehouse("events").await;
    let (status, outcome) = verify(&project, &["events", "riders", "--as-is"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    assert_eq!(counts(task(&outcome, &format!("{INTO}.events"))), [0, 0, 0, 10]);
    assert_eq!(counts(task(&outcome, &format!("{INTO}.riders"))), [0, 0, 0, 2]);
    assert_eq!(project.in_warehouse("events").await, before, "nothing was loaded");
    project.database.run(&format!("DELETE FROM {INTO}.events WHERE id IN (1, 5000)")).await;
    let (status, outcome) = verify(&project, &["events", "--as-is"]).await;
    assert_eq!((status, counts(task(&outcome, &format!("{INTO}.events")))), (Some(1), [2, 0, 0, 10]));
}

#[tokio::test]
async fn columns_of_one_side_alone_are_named_and_the_rest_compared() {
    let project = project().await;
    let schema = project.source.name();
    project.source.run_on_primary(&format!("ALTER TABLE {schema}.orders ADD tip int")).await;
    project.database.run(&format!("ALTER TABLE {INTO}.orders ADD mine int")).await;
    let (status, outcome) = verify(&project, &["orders", "--as-is"]).await;
    assert_eq!(status, Some(1));
    let orders = task(&outcome, &format!("{INTO}.orders"));
    assert_eq!(counts(orders), [0; 4]);
    let named = json!(["column `mine` is in the warehouse alone", "column `tip` is in the source alone"]);
    assert_eq!(orders["verification"]["not_compared"], named);
}

#[tokio::test]
async fn what_was_never_loaded_is_skipped_and_what_is_gone_is_told() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.run(&["orders"]).await;
    let (status, outcome) = verify(&project, &["events", "--as-is"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    let events = task(&outcome, &format!("{INTO}.events"));
    assert_eq!(
        (&events["status"], &events["reason"]),
        (&json!("skipped"), &json!("nothing is published yet"))
    );
    project.database.run(&format!("DROP TABLE {INTO}.orders")).await;
    let (status, outcome) = verify(&project, &["orders", "--as-is"]).await;
    assert_eq!(status, Some(1));
    let error = &task(&outcome, &format!("{INTO}.orders"))["error"];
    assert_eq!(error["message"], format!("{INTO}.orders is gone from the warehouse"));
    // Brought up, it is there again.
    assert_eq!(verify(&project, &["orders"]).await.0, Some(0));
}

#[tokio::test]
async fn tables_that_must_match_are_brought_up_and_compared_together() {
    let loaders = "consistent = [[\"orders\", \"log\"]]\n[tables]\norders = \"full\"\nlog = \"full\"\n";
    let project = Project::new(SOURCE, loaders).await;
    let (status, outcome) = verify(&project, &[]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    let (orders, log) = (task(&outcome, &format!("{INTO}.orders")), task(&outcome, &format!("{INTO}.log")));
    assert_eq!(orders["snapshot"], log["snapshot"]);
    assert!(orders["snapshot"].is_string() && log["verification"]["equal"] == true);
}

#[tokio::test]
async fn rows_that_the_loader_keeps_are_told_and_are_no_fault() {
    let project = project().await;
    let delete = format!("DELETE FROM {}.events WHERE id = 9", project.source.name());
    project.source.run_on_primary(&delete).await;
    let (status, outcome) = verify(&project, &["events", "--repair"]).await;
    assert_eq!(status, Some(0), "{outcome:#}");
    let events = task(&outcome, &format!("{INTO}.events"));
    assert_eq!((counts(events), &events["verification"]["equal"]), ([0, 1, 0, 0], &json!(true)));
}

tests_on!(by_data_api DataApi: rows_that_are_there_twice_are_not_kept_but_told_and_mended);

/// Where rows that are gone from the source are kept, one that is there twice is none of them. Redshift holds
/// nobody to a key.
async fn rows_that_are_there_twice_are_not_kept_but_told_and_mended(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    let project: &Project = &scene;
    project.run(&["events"]).await;
    let into = |sql: &str| sql.replace("events", &format!("{INTO}.events"));
    let double =
        "INSERT INTO events SELECT * FROM events WHERE id = 21; INSERT INTO events VALUES (20, 'bad')";
    scene.run_as_owner(&into(double)).await;
    let (code, outcome) = verify(project, &["events"]).await;
    let events = task(&outcome, "raw.events");
    assert_eq!((code, events["status"].as_str(), counts(events)), (Some(1), Some("failed"), [0, 2, 0, 0]));
    assert_eq!(
        (&events["verification"]["kept"], &events["verification"]["repeated"]),
        (&json!(0), &json!(2))
    );
    let told = events["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(told, "2 rows are more in the warehouse, of keys that the source has");
    let (code, outcome) = verify(project, &["events", "--repair"]).await;
    assert_eq!(code, Some(0), "{outcome:#}");
    let rows = into("SELECT count(*) || ' ' || count(*) FILTER (WHERE what = 'bad') FROM events");
    assert_eq!(project.database.text(&rows).await, "5000 0");

    // Beside one that is kept, no key takes just one of two away, and nothing that is kept is lost.
    let both = "INSERT INTO events VALUES (20, 'bad'), (9000, 'gone from the source')";
    scene.run_as_owner(&into(both)).await;
    let (code, outcome) = verify(project, &["events", "--repair"]).await;
    assert_eq!(code, Some(1), "{outcome:#}");
    let hint = task(&outcome, "raw.events")["error"]["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("run --full"), "{hint}");
    assert_eq!(project.database.text(&rows).await, "5002 1");
}

//! `clean`: what lies about goes, what is in use stays.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{assert_told, told};
use crate::support::project::Project;

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);
    CREATE TABLE riders (id int PRIMARY KEY); INSERT INTO riders VALUES (1);
    CREATE TABLE fees (id int PRIMARY KEY);";

async fn json_of(project: &Project, arguments: &[&str]) -> (Value, Option<i32>) {
    let output = project.barncat(&[arguments, &["--output", "json"]].concat(), &[]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    (json, output.status.code())
}

async fn text_of(project: &Project, arguments: &[&str]) -> String {
    super::written(project.barncat(arguments, &[]).await)
}

#[test]
fn help_says_what_goes_and_what_stays() {
    assert_told!(told(Path::new(env!("CARGO_MANIFEST_DIR")), &["clean", "--help"]));
}

#[tokio::test]
async fn what_a_killed_run_left_goes_once_the_run_is_dead() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\n").await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &format!("{toml}fill_jobs = 2\n"));
    let mut command = project.command(&["run"]);
    command.env("BARNCAT_FAILPOINTS", "staging.key.before=sleep(120000)");
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    let staging = "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE nspname = 'barncat_staging'";
    while project.database.texts(staging).await.is_empty() {
        assert!(Instant::now() < deadline, "nothing was filled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let staged = project.staged();
    let (alive, _) = json_of(&project, &["clean"]).await;
    assert_eq!(
        (&alive["staging_tables"], &alive["unpublished"]["objects"]),
        (&json!([]), &json!(0)),
        "{alive:#}"
    );
    assert_eq!(project.staged(), staged, "a living attempt's");

    run.kill().expect("it still runs");
    run.wait().expect("it ends");
    let (dead, status) = json_of(&project, &["clean"]).await;
    assert_eq!(status, Some(0));
    assert_eq!(dead["staging_tables"].as_array().map(Vec::len), Some(1), "{dead:#}");
    assert_eq!(dead["unpublished"]["objects"], staged.len(), "{dead:#}");
    assert_eq!(project.staged(), Vec::<std::path::PathBuf>::new());
    assert_eq!(project.database.texts(staging).await, [""; 0]);
    assert_eq!(
        text_of(&project, &["clean"]).await,
        "exit status: 0\n--- stdout\nnothing lies about\n--- stderr\n"
    );
}

/// Somebody made a view of a staging table that failed its checks: all else goes.
#[tokio::test]
async fn a_staging_table_that_cannot_be_dropped_keeps_nothing_else() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\nriders = \"full\"\n").await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &format!("{toml}fill_jobs = 2\n"));
    for table in ["orders", "riders"] {
        let kill = [("BARNCAT_FAILPOINTS", "publish.ledger.before=kill")];
        let output = project.barncat(&["run", table], &kill).await;
        assert_eq!(output.status.code(), None, "{output:?}");
    }
    let staging =
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace
        AND relkind = 'r' ORDER BY 1";
    let tables = project.database.texts(staging).await;
    let view = format!("CREATE VIEW raw.looked_at AS SELECT * FROM barncat_staging.{}", tables[0]);
    project.database.run(&view).await;
    let (cleaned, status) = json_of(&project, &["clean"]).await;
    assert_eq!(status, Some(0), "{cleaned:#}");
    assert_eq!(project.database.texts(staging).await, tables[..1]);
    assert_eq!(project.staged(), Vec::<std::path::PathBuf>::new());
}

/// A probe is no load, and no attempt knows of it: one that is a day old has no `doctor` any more.
#[tokio::test]
async fn what_a_killed_doctor_left_goes_after_a_day() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\n").await;
    project.run(&[]).await;
    let of_load = project.staged();
    let mode = of_load[0].ancestors().nth(3).expect("it lies in its load, its table and its mode").to_owned();
    let now = std::time::SystemTime::now();
    let probe = |age_hours: u64, name: &str| {
        let id = ulid::Ulid::from_datetime(now - Duration::from_secs(age_hours * 60 * 60));
        let key = mode.join("doctor").join(id.to_string()).join(name);
        let path = project.dir().join("stage").join(&key);
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder can be made");
        std::fs::write(path, "written by barncat doctor; may be deleted").expect("it is written");
        key
    };
    let (young, old) = (probe(23, "probe.unfinished"), [probe(25, "probe.unfinished"), probe(26, "probe")]);
    let (cleaned, status) = json_of(&project, &["clean"]).await;
    assert_eq!(status, Some(0), "{cleaned:#}");
    let mut left = of_load.clone();
    left.push(young);
    left.sort();
    assert_eq!(project.staged(), left, "without {old:?}: {cleaned:#}");
}

#[tokio::test]
async fn a_run_against_another_warehouse_takes_no_past_away_and_a_person_may() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\n").await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let control = crate::support::warehouse::Database::empty().await;
    project.write("barncat.toml", &format!("{toml}\n[control]\nurl = \"{}\"\n", control.url()));
    project.run(&[]).await;
    let staged = project.staged();
    let other = crate::support::warehouse::Database::empty().await;
    let url = other.url();
    let output = project.barncat(&["run"], &[("WAREHOUSE_URL", url.as_str())]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(staged.iter().all(|path| project.staged().contains(path)), "{staged:?}");
    // Back on the right one all of it can be restored.
    project.run(&["--full"]).await;
    let load = project.database.texts("SELECT load FROM barncat.loads ORDER BY published_at LIMIT 1").await;
    let output = project.barncat(&["restore", "orders", "--load", &load[0], "--yes"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // By hand what the other one shows goes: this ledger knows nothing of it.
    let (cleaned, _) = json_of(&project, &["clean"]).await;
    assert_ne!(cleaned["unpublished"]["objects"], json!(0), "{cleaned:#}");
}

#[tokio::test]
async fn before_the_first_run_there_is_nothing_to_clean_and_a_dry_run_makes_nothing() {
    let project = Project::new(TABLES, "[tables]\norders = \"full\"\n").await;
    for arguments in [&["clean", "--dry-run"][..], &["clean", "--removed", "--dry-run"]] {
        let (cleaned, status) = json_of(&project, arguments).await;
        assert_eq!((status, &cleaned["unpublished"]["objects"]), (Some(0), &json!(0)), "{cleaned:#}");
    }
    let made = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'barncat%'";
    assert_eq!(project.database.texts(made).await, [""; 0]);
    assert_eq!(json_of(&project, &["clean"]).await.1, Some(0));
}

#[tokio::test]
async fn loads_past_keep_go_and_the_newest_two_stay() {
    let stage = "url = \"file:./stage\"\nkeep = { loads = 9, days = 9 }";
    let project = Project::with_stage(TABLES, "[tables]\norders = \"full\"\n", stage, &[]).await;
    let mut loads = Vec::new();
    for _ in 0..4 {
        let outcome = project.run(&["--full"]).await;
        loads.push(outcome["tasks"][0]["load"].as_str().expect("a load").to_owned());
    }
    let all = project.staged();
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &toml.replace("loads = 9", "loads = 1"));
    let (found, _) = json_of(&project, &["clean", "--dry-run"]).await;
    assert_eq!(found["past_keep"]["loads"], json!(loads[..2]));
    assert_eq!(project.staged(), all, "a dry run takes nothing");
    let (gone, _) = json_of(&project, &["clean"]).await;
    assert_eq!(gone["past_keep"], found["past_keep"]);
    let left = project.staged();
    assert_eq!(left.len(), all.len() / 2);
    assert!(
        left.iter().all(|path| loads[2..].iter().any(|load| path.to_string_lossy().contains(load))),
        "{left:?}"
    );
    assert_eq!(json_of(&project, &["clean"]).await.0["past_keep"]["objects"], 0);
}

#[tokio::test]
async fn tables_without_a_loader_are_dropped_after_a_yes_and_can_be_loaded_again() {
    let project = Project::new(TABLES, "[tables]\n\"*\" = \"full\"\n").await;
    project.run(&[]).await;
    project.database.run("CREATE TABLE raw.theirs (id int)").await;
    assert_eq!(json_of(&project, &["clean", "--removed"]).await, (none_removed(), Some(0)));
    project.write_loaders("[tables]\norders = \"full\"\n");
    let plan = text_of(&project, &["plan"]).await;
    assert!(plan.contains("raw.riders is published, and no longer in the project"), "{plan}");

    let refused = text_of(&project, &["clean", "--removed"]).await;
    assert!(
        refused.starts_with("exit status: 2\n") && refused.contains("nobody to ask: drop 2 tables?"),
        "{refused}"
    );
    let dry = text_of(&project, &["clean", "--removed", "--dry-run"]).await;
    assert!(dry.contains("raw.fees") && dry.contains("raw.riders") && !dry.contains("raw.theirs"), "{dry}");
    assert_eq!(tables(&project).await, ["fees", "orders", "riders", "theirs"]);

    let (removed, status) = json_of(&project, &["clean", "--removed", "--yes"]).await;
    assert_eq!(status, Some(0), "{removed:#}");
    assert!(removed["removed"].as_array().is_some_and(|all| all.iter().all(|one| one["dropped"] == true)));
    assert_eq!(tables(&project).await, ["orders", "theirs"]);
    assert!(
        project.staged().iter().all(|path| path.to_string_lossy().contains("raw.orders")),
        "{:?}",
        project.staged()
    );
    let (plan, _) = json_of(&project, &["plan"]).await;
    assert_eq!(plan["orphans"], json!([]), "what is gone is told no longer");
    let shown = project.database.texts("SELECT table_name FROM barncat.tables").await;
    assert_eq!(shown, ["orders"], "a table that is gone shows no load");

    project.write_loaders("[tables]\n\"*\" = \"full\"\n");
    let outcome = project.run(&[]).await;
    assert!(outcome["tasks"].as_array().is_some_and(|all| all.iter().all(|task| task["error"].is_null())));
    project.assert_equal(&["orders", "riders", "fees"]).await;
}

fn none_removed() -> Value {
    let none = json!({"loads": [], "objects": 0, "bytes": 0});
    json!({"dry_run": false, "staging_tables": [], "uploads": [], "unpublished": none, "past_keep": none,
        "at_work": [], "removed": []})
}

async fn tables(project: &Project) -> Vec<String> {
    project.database.texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'raw' ORDER BY 1").await
}

#[tokio::test]
async fn a_table_that_something_depends_on_or_that_is_on_hold_stays() {
    let project = Project::new(TABLES, "[tables]\n\"*\" = \"full\"\n").await;
    project.run(&[]).await;
    project
        .database
        .run(
            "CREATE SCHEMA bi; CREATE VIEW bi.board AS SELECT * FROM raw.riders;
              CREATE MATERIALIZED VIEW bi.sums AS SELECT count(*) FROM raw.riders;
              CREATE TABLE bi.charged (fee int REFERENCES raw.fees)",
        )
        .await;
    project.write_loaders("[tables]\nriders = \"skip\"\nfees = \"skip\"\n\"*\" = \"full\"\n");
    assert_eq!(text_of(&project, &["hold", "orders"]).await.lines().next(), Some("exit status: 0"));
    project.write_loaders("[tables]\n\"other*\" = \"full\"\n");
    let text = text_of(&project, &["clean", "--removed", "--yes"]).await;
    assert!(text.starts_with("exit status: 1\n"), "{text}");
    assert!(text.contains("raw.riders is needed by materialized view bi.sums, view bi.board"), "{text}");
    assert!(text.contains("raw.fees is needed by constraint charged_fee_fkey on table bi.charged"), "{text}");
    assert!(text.contains("raw.orders is on hold since "), "{text}");
    assert_eq!(tables(&project).await, ["fees", "orders", "riders"]);
    project.database.run("DROP SCHEMA bi CASCADE").await;
    let (_, status) = json_of(&project, &["clean", "--removed", "--yes"]).await;
    assert_eq!((status, tables(&project).await), (Some(1), vec!["orders".to_owned()]));
}

#[tokio::test]
async fn a_table_that_a_wildcard_names_stays_when_its_source_has_it_no_longer() {
    let project = Project::new(TABLES, "[tables]\n\"*\" = \"full\"\n").await;
    project.run(&[]).await;
    project.source.run_on_primary(&format!("DROP TABLE {}.riders", project.source.name())).await;
    let (plan, _) = json_of(&project, &["plan"]).await;
    assert_eq!((&plan["orphans"], &plan["gone"]), (&json!([]), &json!(["raw.riders"])));
    let plan = text_of(&project, &["plan"]).await;
    assert!(plan.contains("raw.riders keeps its rows: its source has the table no longer"), "{plan}");
    assert_eq!(json_of(&project, &["clean", "--removed", "--yes"]).await, (none_removed(), Some(0)));
    assert_eq!(tables(&project).await, ["fees", "orders", "riders"]);
}

//! Two processes that run the same project at once: what one has taken the other skips, or finds done.

use std::{fmt::Write, time::Duration};

use serde_json::Value;

use crate::support::{
    ground::{Ground, Scene, long_tests_on, tests_on},
    process::Process,
    project::{INTO, on_primary},
    warehouse::Database,
};

tests_on!(on_postgres Postgres: with_one_control_database_no_attempts_overlap,
    with_two_control_databases_no_load_is_published_twice);
tests_on!(by_wire Wire: with_one_control_database_no_attempts_overlap,
    with_two_control_databases_no_load_is_published_twice);
long_tests_on!(by_data_api DataApi: with_one_control_database_no_attempts_overlap,
    with_two_control_databases_no_load_is_published_twice);

const TABLES: u64 = 6;
const MODELS: u64 = 3;
const ROUNDS: u64 = 3;

/// Numbers that look random and are the same each time; what the processes make of them is not.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A project of random loads and models.
async fn scene(ground: Ground, dice: &mut Dice) -> Scene {
    let (mut source, mut loaders) =
        (String::new(), "[defaults]\noverlap = \"0s\"\nattempts = 5\n[tables]\n".to_owned());
    for table in 0..TABLES {
        let _ = write!(
            source,
            "CREATE TABLE t{table} (id int PRIMARY KEY, version int, at timestamptz DEFAULT now());
             INSERT INTO t{table} SELECT n, 1 FROM generate_series(1, {}) n;",
            1 + dice.throw(200)
        );
        // Each strategy is there, whatever is thrown.
        let keys = match (table % 3, dice.throw(2)) {
            (0, 0) => "strategy = \"full\"",
            (0, _) => "strategy = \"full\", publish = \"replace\"",
            (1, _) => "strategy = \"append\", cursor = \"id\", deletes = \"ignore\"",
            (_, _) => "strategy = \"merge\", cursor = \"at\", deletes = \"ignore\"",
        };
        let fill_jobs = 1 + dice.throw(2);
        let _ = writeln!(loaders, "t{table} = {{ {keys}, fill_jobs = {fill_jobs} }}");
    }
    let scene = Scene::on(ground, &source, &loaders).await;
    for model in 0..MODELS {
        scene.write(&format!("sql/models/m{model}.sql"), &select(model, ""));
    }
    scene
}

/// A model's SQL, with its tables' names written as they are or with a schema.
fn select(model: u64, schema: &str) -> String {
    let (one, other) = (model, model + 3);
    format!(
        "select a.version, count(*) as matched from {schema}t{one} a join {schema}t{other} b on b.id = a.id group by a.version"
    )
}

/// Some of the tables have other rows.
async fn change(scene: &Scene, round: u64, dice: &mut Dice) {
    let mut sql = String::new();
    for table in 0..TABLES {
        if dice.throw(3) == 0 {
            continue;
        }
        let (version, id) = (round + 2, 1000 * (round + 1));
        if table % 3 != 1 {
            let below = dice.throw(50);
            let _ = write!(
                sql,
                "UPDATE t{table} SET version = {version}, at = clock_timestamp() WHERE id < {below};"
            );
        }
        let _ = write!(sql, "INSERT INTO t{table} VALUES ({id}, {version}, clock_timestamp());");
    }
    on_primary(scene, &format!("{sql} SELECT 1")).await;
}

/// Two runs, one a moment after the other: what came of each task in either.
async fn both(scene: &Scene, dice: &mut Dice, second: (&[&str], &[(&str, &str)])) -> [Vec<Value>; 2] {
    let jobs = [(); 2].map(|()| (1 + dice.throw(4)).to_string());
    let one = Process::run(scene, &["--jobs", &jobs[0]], &[]);
    tokio::time::sleep(Duration::from_millis(dice.throw(400))).await;
    let arguments = [&["--jobs", jobs[1].as_str()], second.0].concat();
    let other = Process::run(scene, &arguments, second.1);
    let mut tasks = [Vec::new(), Vec::new()];
    for (process, tasks) in [one, other].into_iter().zip(&mut tasks) {
        let (status, outcome) = process.end().await;
        // All of it may have been held.
        assert!(matches!(status, Some(0 | 3)), "{outcome:#}");
        tasks.extend(outcome["tasks"].as_array().expect("a run has tasks").iter().cloned());
    }
    tasks
}

/// Fails if a table was brought by both, or the ledger has something else than what the two say.
async fn assert_once_each(scene: &Scene, tasks: &[Vec<Value>; 2], before: &[String]) {
    let loads = loads(scene).await;
    let mut new: Vec<String> = loads.iter().filter(|load| !before.contains(load)).cloned().collect();
    let mut told = Vec::new();
    let mut by_table: Vec<&str> = Vec::new();
    for task in tasks.iter().flatten() {
        let status = task["status"].as_str().unwrap_or_default();
        assert!(["succeeded", "unchanged", "held"].contains(&status), "{task:#}");
        if status == "succeeded" && task["kind"] != "command" {
            told.push(task["load"].as_str().unwrap_or_default().to_owned());
            // A load of new rows reads the last ones of before again, and finds them there.
            if task["kind"] == "load" && (task["strategy"] == "full" || task["rows"] != 0) {
                by_table.push(task["task"].as_str().unwrap_or_default());
            }
        }
    }
    new.sort();
    told.sort();
    by_table.sort_unstable();
    assert_eq!(new, told, "what is published, and who says so");
    assert!(by_table.windows(2).all(|two| two[0] != two[1]), "the second brought it again: {by_table:?}");
    let chain = "SELECT table_name || ' ' || count(*) FROM barncat.loads
                 GROUP BY table_name HAVING count(*) <> count(DISTINCT coalesce(previous, '')) OR count(*) <> count(DISTINCT load)";
    assert_eq!(scene.database.texts(chain).await, Vec::<String>::new(), "each load follows another one");
}

async fn loads(scene: &Scene) -> Vec<String> {
    scene.database.texts("SELECT load FROM barncat.loads").await
}

/// A last run brings what was held; then all is as the source has it, and can be restored.
async fn assert_right(scene: &Scene) {
    scene.run(&[]).await;
    let tables: Vec<String> = (0..TABLES).map(|table| format!("t{table}")).collect();
    scene.assert_equal(&tables.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for model in 0..MODELS {
        let select = select(model, &format!("{INTO}."));
        let differing = format!(
            "SELECT count(*)::text FROM (({select} EXCEPT SELECT * FROM {INTO}.m{model})
             UNION ALL (SELECT * FROM {INTO}.m{model} EXCEPT {select})) AS d"
        );
        assert_eq!(scene.database.text(&differing).await, "0", "m{model}");
    }
    assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
    let staged = scene.staged();
    let last = "SELECT load FROM barncat.loads l WHERE source <> '' AND NOT EXISTS
                    (SELECT FROM barncat.loads n WHERE n.previous = l.load AND n.table_name = l.table_name)";
    for load in scene.database.texts(last).await {
        let manifest = format!("{load}/manifest.json");
        let is_staged = staged.iter().any(|path| path.to_string_lossy().ends_with(&manifest));
        assert!(is_staged, "the rows of {load} are gone: {staged:?}");
    }
}

async fn with_one_control_database_no_attempts_overlap(ground: Ground) {
    let mut dice = Dice(5);
    let scene = scene(ground, &mut dice).await;
    let toml = std::fs::read_to_string(scene.dir().join("barncat.toml")).expect("it is there");
    let alone = "[tasks.alone]\ncommand = [\"sh\", \"-c\", \"mkdir busy && sleep 0.3 && rmdir busy\"]\nattempts = 1\n";
    for round in 0..ROUNDS {
        // In the second round nobody waits: what is taken is held.
        let lock_wait = if round == 1 { "0s" } else { "2m" };
        scene.write("barncat.toml", &format!("{toml}lock_wait = \"{lock_wait}\"\n\n{alone}"));
        let before = if round == 0 { Vec::new() } else { loads(&scene).await };
        let tasks = both(&scene, &mut dice, (&[], &[])).await;
        assert_once_each(&scene, &tasks, &before).await;
        change(&scene, round, &mut dice).await;
    }
    let overlapping = "SELECT a.task FROM barncat_control.attempts a JOIN barncat_control.attempts b
            ON b.task = a.task AND (b.run, b.attempt) > (a.run, a.attempt)
            AND tstzrange(a.started_at, a.ended_at) && tstzrange(b.started_at, b.ended_at)";
    assert_eq!(scene.control().texts(overlapping).await, Vec::<String>::new());
    let of_both = "SELECT count(*)::text FROM (SELECT task FROM barncat_control.attempts GROUP BY task HAVING count(DISTINCT run) > 1) AS t";
    assert_ne!(scene.control().text(of_both).await, "0", "both were at work");
    assert_right(&scene).await;
}

async fn with_two_control_databases_no_load_is_published_twice(ground: Ground) {
    let mut dice = Dice(8);
    let scene = scene(ground, &mut dice).await;
    let other = Database::empty().await;
    scene.write("barncat.other.toml", "[control]\nurl = \"${OTHER_URL}\"\n");
    let url = other.url();
    for round in 0..ROUNDS {
        let before = if round == 0 { Vec::new() } else { loads(&scene).await };
        let tasks = both(&scene, &mut dice, (&["--env", "other"], &[("OTHER_URL", &url)])).await;
        assert_once_each(&scene, &tasks, &before).await;
        change(&scene, round, &mut dice).await;
    }
    assert_right(&scene).await;
}

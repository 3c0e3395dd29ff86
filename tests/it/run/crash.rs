//! SIGKILL at every fail point in turn. The points are not listed here: a run tells which it passes,
//! so that a new one is covered by itself.

use std::{
    collections::BTreeSet, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio, sync::Arc,
    time::Duration,
};

use redshift_double::{Knobs, StatementFault};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{
    ground::{Ground, Scene, long_tests_on, on_each_ground, tests_on},
    project::{INTO, Project, on_primary},
    s3::{BUCKET, Fault, Operation, S3Server},
    variable,
};

long_tests_on!(each_point_in_both_runs Postgres: killed_at_each_fail_point_of_both_runs);
long_tests_on!(each_point_by_data_api DataApi: killed_at_each_fail_point_of_both_runs);
long_tests_on!(each_point_by_wire Wire: killed_at_each_fail_point_of_both_runs);
on_each_ground![killed_at_any_fail_point_readers_see_the_last_good_table_and_the_next_run_mends_all];

/// A key and a view upon it; two parts that are filled by two connections; rows replaced in place; rows
/// inserted; rows merged, deleted and found by their keys; rows marked as deleted.
const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL, version int NOT NULL);
    INSERT INTO orders SELECT n, 'is ' || n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE events (id bigint, version int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (20);
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (20) TO (100);
    INSERT INTO events SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE prices (id int PRIMARY KEY, version int);
    INSERT INTO prices SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE log (id bigint PRIMARY KEY, version int);
    INSERT INTO log SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE accounts (id bigint PRIMARY KEY, version int, at timestamptz DEFAULT now() - interval '3 hours');
    INSERT INTO accounts SELECT n, 1 FROM generate_series(1, 50) n;
    CREATE TABLE clients (id bigint PRIMARY KEY, version int);
    INSERT INTO clients SELECT n, 1 FROM generate_series(1, 50) n;";

const LOADERS: &str = "[tables]\norders = { strategy = \"full\", checks = { before_publish = true, not_null = [\"status\"] } }\nevents = { strategy = \"full\", fill_jobs = 2 }\n\
                       prices = { strategy = \"full\", publish = \"replace\" }\n\
                       log = { strategy = \"append\", cursor = \"id\", on_schema_change = \"extend\" }\n\
                       accounts = { strategy = \"merge\", cursor = \"at\", deletes = \"detect\" }\n\
                       clients = { strategy = \"merge\", cursor = \"id\", deletes = \"mark\", compare_every = \"0s\" }\n";

/// Every row changes, one goes and one comes, in each round from the second on.
fn changes(round: usize) -> String {
    let (goes, comes, late) = (round + 5, round + 49, 2 * round + 47);
    let in_whole = |table: &str| {
        format!("UPDATE {table} SET version = {round}; DELETE FROM {table} WHERE id = {goes}; ")
            + &format!("INSERT INTO {table} (id, version) VALUES ({comes}, {round});")
    };
    let whole: String = ["events", "prices"].map(in_whole).concat();
    format!(
        "UPDATE orders SET version = {round}; DELETE FROM orders WHERE id = {goes};
         INSERT INTO orders VALUES ({comes}, 'new', {round}); {whole}
         ALTER TABLE log ADD COLUMN note_{round} text;
         INSERT INTO log (id, version, note_{round}) VALUES ({comes}, {round}, 'new');
         UPDATE accounts SET version = {round}, at = now() WHERE id < 5; DELETE FROM accounts WHERE id = {goes};
         INSERT INTO accounts VALUES ({late}, {round}, now()), ({late} + 1, {round}, DEFAULT);
         DELETE FROM clients WHERE id = {goes}; INSERT INTO clients VALUES ({comes}, {round});"
    )
}

const TABLES: &[&str] = &["orders", "events", "prices", "log", "accounts"];

/// What begins so has to do with the warehouse; `wire.` with one way to it.
const OF_WAREHOUSES: &[&str] = &["warehouse.", "staging.", "publish.", "wire."];

/// How many projects are at it at once: each waits some seconds until the killed run is surely dead.
const AT_ONCE: usize = 6;

async fn killed_at_any_fail_point_readers_see_the_last_good_table_and_the_next_run_mends_all(ground: Ground) {
    let points = Points::of(ground).await.once();
    killed_at(
        ground,
        match ground {
            Ground::Postgres => points,
            // What has nothing to do with the warehouse is killed on Postgres; the two ways to Redshift take turns.
            Ground::DataApi => points.half(0).only(OF_WAREHOUSES),
            Ground::Wire => points.half(1).only(OF_WAREHOUSES),
        },
    )
    .await;
}

async fn killed_at_each_fail_point_of_both_runs(ground: Ground) {
    let points = Points::of(ground).await;
    killed_at(ground, if ground.is_redshift() { points.only(OF_WAREHOUSES) } else { points }).await;
}

async fn killed_at(ground: Ground, points: Points) {
    let mut lanes = JoinSet::new();
    let mut later: [Vec<String>; AT_ONCE] = Default::default();
    for (number, point) in points.second.into_iter().enumerate() {
        later[number % AT_ONCE].push(point);
    }
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    for point in points.first {
        let slots = slots.clone();
        lanes.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("it is never closed");
            killed_in_the_first_run(&scene(ground).await, &point).await;
        });
    }
    for points in later {
        let slots = slots.clone();
        lanes.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("it is never closed");
            let project = scene(ground).await;
            project.run(&[]).await;
            view_upon_orders(&project).await;
            for (round, point) in (2..).zip(points) {
                killed_in_a_later_run(&project, &point, round).await;
            }
        });
    }
    let mut failed = 0;
    while let Some(lane) = lanes.join_next().await {
        failed += usize::from(lane.is_err());
    }
    assert_eq!(failed, 0, "their own messages are above");
}

/// By the Data API a statement goes on without whoever sent it, and by wire a COMMIT that has arrived: the publish
/// of a process that was killed is done while the next run is at work already.
async fn a_publish_that_outlives_its_process_is_met_by_the_next_run(ground: Ground) {
    let loaders = "[tables]\norders = \"full\"\n";
    let scene = Scene::on(
        ground,
        "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1);",
        loaders,
    )
    .await;
    let Scene::Redshift(on) = &scene else { panic!("Postgres rolls back what nobody commits") };
    scene.run(&[]).await;
    for (round, pause) in [(2, 1_500), (3, 4_000)] {
        on_primary(&scene, &format!("INSERT INTO orders VALUES ({round})")).await;
        let ledger = "insert into \"barncat\".\"loads\"";
        let (knobs, pause) = (on.double.knobs(), Duration::from_millis(pause));
        let in_ledger = if ground == Ground::Wire { Duration::from_secs(1) } else { pause };
        knobs.on_statement(ledger, StatementFault::Wait(in_ledger), 1);
        let mut run = scene.command(&["run"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        happened(knobs).await;
        if ground == Ground::Wire {
            knobs.on_statement("commit", StatementFault::Wait(pause), 1);
            happened(knobs).await;
        }
        run.kill().expect("it still runs");
        run.wait().expect("it ends");
        scene.run(&[]).await;
        scene.assert_equal(&["orders"]).await;
        let chain = "SELECT count(*) || ' ' || count(DISTINCT coalesce(previous, '')) FROM barncat.loads";
        let chain = scene.database.text(chain).await;
        let (loads, previous) = chain.split_once(' ').expect("two numbers");
        assert_eq!(loads, previous, "each load follows another one");
        // By then it is over, and what it may have left is gone with the next run.
        tokio::time::sleep(pause).await;
        scene.run(&[]).await;
        assert_eq!(scene.tables_of_loads().await, Vec::<String>::new());
        // Each published load can be restored: its rows lie in the stage.
        let staged: Vec<String> =
            scene.staged().iter().map(|path| path.to_string_lossy().into_owned()).collect();
        for load in scene.database.texts("SELECT load FROM barncat.loads").await {
            let is_whole = staged.iter().any(|path| path.contains(&load) && path.ends_with("manifest.json"));
            assert!(is_whole, "the rows of {load} are gone: {staged:?}");
        }
    }
}

/// Waits until what was planned has come by.
pub(super) async fn happened(knobs: &Knobs) {
    while knobs.left() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

tests_on!(of_a_batch DataApi: a_publish_that_outlives_its_process_is_met_by_the_next_run);
tests_on!(of_a_commit Wire: a_publish_that_outlives_its_process_is_met_by_the_next_run);

/// Rows that do not compress: an object of more than one piece.
const LARGE: &str = "
    CREATE TABLE large (id int PRIMARY KEY, noise bytea);
    INSERT INTO large SELECT n, decode((SELECT string_agg(md5(n || ' ' || k), '') FROM generate_series(1, 32) k), 'hex')
        FROM generate_series(1, 16000) n;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_fail_point_of_an_upload_to_s3_the_next_run_mends_all() {
    let by_folder = scene(Ground::Postgres).await;
    let elsewhere = passed(&by_folder).await;
    let (_server, through_s3) = s3_project().await;
    let points: BTreeSet<String> = passed(&through_s3).await.difference(&elsewhere).cloned().collect();
    assert!(points.len() >= 6, "{points:?}");
    let slots = Arc::new(Semaphore::new(AT_ONCE / 2));
    let mut cases = JoinSet::new();
    for point in points {
        let slots = slots.clone();
        cases.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("it is never closed");
            let (server, project) = s3_project().await;
            kill_at(&project, &point).await;
            assert_eq!(project.in_warehouse("large").await, None, "{point}");
            list_uploads_as_s3_does(&server);
            let (status, outcome) = project.try_run(&[]).await;
            assert_eq!(status, Some(0), "{point}: {outcome:#}");
            project.assert_equal(&["large"]).await;
            assert_eq!(server.unfinished_uploads(), (vec![], 0), "{point}: an upload is left");
            assert_staged_is_published(&project, server.objects(), &point).await;
        });
    }
    let mut failed = 0;
    while let Some(case) = cases.join_next().await {
        failed += usize::from(case.is_err());
    }
    assert_eq!(failed, 0, "the cases' own messages are above");
}

/// The server in the tests cannot list unfinished uploads, S3 can: only there is one found that died
/// before its id was noted.
fn list_uploads_as_s3_does(server: &S3Server) {
    let created = server.faults.seen(Operation::CreateUpload);
    let Some(key) = created.last().and_then(|seen| {
        seen.path_and_query
            .strip_prefix(&format!("/{BUCKET}/"))?
            .split_once('?')
            .map(|(key, _)| key.to_owned())
    }) else {
        return;
    };
    let uploads = server.unfinished_uploads().0.into_iter();
    let uploads: String =
        uploads.map(|id| format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")).collect();
    let listing = format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>");
    server.faults.plan(Operation::ListUploads, Fault::Answer(listing), u32::MAX);
}

async fn s3_project() -> (S3Server, Project) {
    let server = S3Server::start().await;
    let stage = format!(
        "url = \"s3://{BUCKET}/etl\"\nendpoint = \"{}\"\nregion = \"eu-west-2\"\npath_style = true",
        server.endpoint()
    );
    let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, variable(name)));
    let variables = credentials.each_ref().map(|(name, value)| (*name, value.as_str()));
    let project = Project::with_stage(LARGE, "[tables]\nlarge = \"full\"\n", &stage, &variables).await;
    (server, project)
}

async fn scene(ground: Ground) -> Scene {
    Scene::on(ground, SOURCE, LOADERS).await
}

/// The fail points that a first run passes, and those of a run upon changed tables.
#[derive(Debug, Clone)]
struct Points {
    first: BTreeSet<String>,
    second: BTreeSet<String>,
}

impl Points {
    async fn of(ground: Ground) -> Self {
        let project = scene(ground).await;
        let first = passed(&project).await;
        view_upon_orders(&project).await;
        change(&project, 2).await;
        let points = Self { first, second: passed(&project).await };
        assert!(points.first.len() > 30, "{points:?}");
        points
    }

    /// Each in a later run, if such a run passes it.
    fn once(self) -> Self {
        Self { first: self.first.difference(&self.second).cloned().collect(), second: self.second }
    }

    /// One half of all, and what belongs to one way alone. In which half a point is follows from its name: one that
    /// two ways pass is in just one half of theirs.
    fn half(self, which: u32) -> Self {
        let number = |point: &str| point.bytes().map(u32::from).sum::<u32>() % 2;
        let some = |points: BTreeSet<String>| {
            let is_of = |point: &String| number(point) == which || point.starts_with("wire.");
            points.into_iter().filter(is_of).collect()
        };
        Self { first: some(self.first), second: some(self.second) }
    }

    /// Those whose names begin so.
    fn only(self, kinds: &[&str]) -> Self {
        let some = |points: BTreeSet<String>| {
            points.into_iter().filter(|point| kinds.iter().any(|kind| point.starts_with(kind))).collect()
        };
        Self { first: some(self.first), second: some(self.second) }
    }
}

async fn passed(project: &Project) -> BTreeSet<String> {
    let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", "list")]).await;
    let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("fail point: ")).map(str::to_owned).collect()
}

async fn killed_in_the_first_run(project: &Scene, point: &str) {
    kill_at(project, point).await;
    for table in TABLES {
        let (source, warehouse) = (project.in_source(table).await, project.in_warehouse(table).await);
        assert!(warehouse.is_none() || warehouse == source, "{point}: {table} is half there: {warehouse:?}");
    }
    mended(project, point).await;
}

async fn killed_in_a_later_run(project: &Scene, point: &str, round: usize) {
    let mut before = Vec::new();
    for table in TABLES {
        before.push(in_warehouse(project, table).await);
    }
    change(project, round).await;
    kill_at(project, point).await;
    for (table, before) in TABLES.iter().zip(before) {
        let (source, warehouse) = (project.in_source(table).await, in_warehouse(project, table).await);
        let is_new = project.in_warehouse(table).await == source;
        assert!(warehouse == before || is_new, "{point}: {table} is {warehouse:?}");
    }
    mended(project, point).await;
    let seen = project.database.text(&format!("SELECT max(version)::text FROM {INTO}.new_orders")).await;
    assert_eq!(seen, round.to_string(), "{point}: the view still shows the old table");
}

/// A table's rows as they are compared with those of before. On Redshift a column that is new is added by a
/// statement of its own, before the rows that have it.
async fn in_warehouse(project: &Scene, table: &str) -> Option<String> {
    if table != "log" {
        return project.in_warehouse(table).await;
    }
    let rows = format!("SELECT string_agg(id || ' ' || version, ',' ORDER BY id) FROM {INTO}.log");
    Some(project.database.text(&rows).await)
}

/// The rows of `clients` that are there, and those that are marked as deleted.
async fn clients(project: &Project) -> String {
    let rows = "string_agg(id || ' ' || version, ',' ORDER BY id)";
    let sql = format!(
        "SELECT {rows} FILTER (WHERE deleted_at IS NULL) || coalesce('; ' || {rows} FILTER (WHERE deleted_at IS NOT NULL), '')
         FROM {INTO}.clients"
    );
    project.database.text(&sql).await
}

/// The same as it should be: of the first fifty none is forgotten.
async fn clients_of_source(project: &Project) -> String {
    let table = format!("{}.clients", project.source.name());
    let sql = format!(
        "SELECT string_agg(id || ' ' || version, ',' ORDER BY id) || coalesce((
             SELECT '; ' || string_agg(n || ' 1', ',' ORDER BY n) FROM generate_series(1, 50) n
             WHERE n NOT IN (SELECT id FROM {table})), '') FROM {table}"
    );
    project.source.query(&sql).await.expect("it is read")[0].get(0)
}

async fn view_upon_orders(project: &Scene) {
    let view = format!("CREATE VIEW {INTO}.new_orders AS SELECT id, version FROM {INTO}.orders");
    project.run_as_owner(&view).await;
}

async fn change(project: &Project, round: usize) {
    on_primary(project, &changes(round)).await;
}

async fn kill_at(project: &Project, point: &str) {
    let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(9), "{point} was not reached: {told}");
}

/// The next run needs no hand, and nothing of the killed one is left.
async fn mended(project: &Scene, point: &str) {
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(0), "{point}: {outcome:#}");
    project.assert_equal(TABLES).await;
    assert_eq!(clients(project).await, clients_of_source(project).await, "{point}");
    assert_eq!(
        project.tables_of_loads().await,
        Vec::<String>::new(),
        "{point}: staging tables, or a table swapped away, are left"
    );
    let locks = "SELECT name FROM barncat_control.locks WHERE session IS NOT NULL";
    assert_eq!(project.control().texts(locks).await, Vec::<String>::new(), "{point}: locks are left");
    let running = "SELECT run FROM barncat_control.runs WHERE ended_at IS NULL";
    assert_eq!(project.control().texts(running).await, Vec::<String>::new(), "{point}: runs are left open");
    assert_staged_is_published(project, project.staged(), point).await;
}

async fn assert_staged_is_published(project: &Project, staged: Vec<PathBuf>, point: &str) {
    let loads: BTreeSet<String> =
        project.database.texts("SELECT load FROM barncat.loads").await.into_iter().collect();
    for path in staged {
        let known = path.iter().any(|part| loads.contains(&*part.to_string_lossy()));
        assert!(known, "{point}: {} is left in the stage", path.display());
    }
}

//! `doctor`: what it tests, and that what it prints mends what it found.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    assert_told,
    scene::{Scene, place},
};
use crate::support::{
    pooler,
    s3::{BUCKET, Fault, Operation, S3Server},
    variable,
};

const TABLES: &str = "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE riders (id int, iban text);";

/// What was found by one test of one part.
fn found<'a>(report: &'a Value, part: &str, test: &str) -> &'a Value {
    let mut tests = report["tests"].as_array().expect("a list").iter();
    tests
        .find(|found| found["part"] == part && found["test"] == test)
        .unwrap_or_else(|| panic!("no test {test} of {part}: {report:#}"))
}

/// Every SQL that was printed for a part.
fn mends(report: &Value, part: &str) -> String {
    let tests = report["tests"].as_array().expect("a list").iter();
    tests.filter(|found| found["part"] == part).filter_map(|found| found["sql"].as_str()).collect()
}

#[tokio::test]
async fn where_all_is_well_each_test_says_so() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    assert_told!(scene.told(&["doctor"]).await);
    let left = std::fs::read_dir(scene.path().join("stage")).map_or(0, |folder| folder.count());
    assert_eq!(left, 0, "nothing is left in the stage");
    let run = scene.told(&["run"]).await;
    assert!(run.starts_with("exit status: 0\n"), "it promised that: {run}");
    let after = scene.told(&["doctor"]).await;
    assert!(after.contains("may replace the 2 tables that are there"), "{after}");
}

#[tokio::test]
async fn one_server_that_is_away_keeps_nobody_from_testing_the_others() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let nowhere = [("WAREHOUSE_URL", "postgres://me:hunter2@127.0.0.1:1/warehouse")];
    assert_told!(scene.told_with(&["doctor"], &nowhere).await);
    let (report, status) =
        scene.json_with(&["doctor"], &[("SHOP_URL", "postgres://me:hunter2@127.0.0.1:1/shop")]).await;
    assert_eq!((status, &report["status"]), (1, &"fail".into()));
    assert_eq!(found(&report, "source shop", "login")["status"], "fail");
    for (part, test) in [("stage", "objects"), ("warehouse", "schemas"), ("control database", "schema")] {
        assert_eq!(found(&report, part, test)["status"], "ok", "{part}");
    }
}

#[tokio::test]
async fn a_missing_variable_and_a_wrong_password_are_failures_of_their_part_alone() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let stage = scene.read("barncat.toml").replace("file:./stage", "${NOT_SET_URL}");
    scene.write("barncat.toml", &stage);
    let wrong = variable("BARNCAT_REPLICA_URL").replace(&variable("BARNCAT_SOURCE_PASSWORD"), "hunter2");
    let (report, status) = scene.json_with(&["doctor"], &[("SHOP_URL", &wrong)]).await;
    assert_eq!(status, 1);
    let stage = found(&report, "stage", "url");
    assert_eq!(stage["place"], "barncat.toml:9:7");
    assert!(stage["message"].as_str().expect("a text").contains("NOT_SET_URL"), "{stage}");
    let login = found(&report, "source shop", "login");
    assert!(login["message"].as_str().expect("a text").contains("password authentication failed"), "{login}");
    assert_eq!(found(&report, "warehouse", "login")["status"], "ok");
}

#[tokio::test]
async fn what_is_missing_on_the_source_comes_with_the_sql_that_mends_it() {
    let scene =
        Scene::new(TABLES, "orders = \"full\"\nriders = { strategy = \"full\", exclude = [\"iban\"] }\n")
            .await;
    let url = scene.own_role().await;
    let name = scene.schema().name();
    let take = format!(
        "REVOKE SELECT ON {name}.orders, {name}.riders FROM {name}; ALTER ROLE {name} CONNECTION LIMIT 4"
    );
    scene.schema().run_on_primary(&take).await;
    let url = [("SHOP_URL", url.as_str())];
    assert_told!(scene.told_with(&["doctor"], &url).await);
    let (report, _) = scene.json_with(&["doctor"], &url).await;
    scene
        .schema()
        .run_on_primary(
            &mends(&report, "source shop").replace("ALTER SYSTEM", "-- ALTER SYSTEM").replace("SCHEMA", name),
        )
        .await;
    let (report, status) = scene.json_with(&["doctor"], &url).await;
    assert_eq!(status, 0, "{report:#}");
}

#[tokio::test]
async fn a_row_for_a_table_that_is_not_there_is_told_with_its_place() {
    let scene = Scene::new(TABLES, "ordrs = \"full\"\n").await;
    let (report, status) = scene.json(&["doctor"]).await;
    let loaders = found(&report, "source shop", "loaders");
    let message = loaders["message"].as_str().expect("a text");
    assert!(message.starts_with("loaders/shop.toml:6:1: "), "{message}");
    assert_eq!((status, &loaders["hint"]), (1, &"did you mean `orders`?".into()));
}

#[tokio::test]
async fn a_primary_is_refused() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let primary = variable("BARNCAT_PRIMARY_URL");
    let (report, status) = scene.json_with(&["doctor"], &[("SHOP_URL", &primary)]).await;
    let snapshot = found(&report, "source shop", "snapshot");
    assert!(snapshot["message"].as_str().expect("a text").contains("is a primary"), "{snapshot}");
    assert_eq!(status, 1);
}

#[tokio::test]
async fn the_warehouse_must_be_barncats_to_write() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    scene.write(
        "barncat.toml",
        &(scene.read("barncat.toml") + "grants = { select = [\"no one\"] }\nlock_timeout = \"2s\"\n"),
    );
    // A table that somebody else made, in a schema where barncat may not create.
    scene.database().run("CREATE SCHEMA raw; CREATE TABLE raw.orders (id int)").await;
    let (report, status) = scene.json(&["doctor"]).await;
    assert_eq!(status, 1);
    let of = |test| found(&report, "warehouse", test);
    assert_eq!(of("schemas")["sql"], "GRANT USAGE, CREATE ON SCHEMA \"raw\" TO \"barncat_warehouse\";");
    assert_eq!(
        of("tables")["message"],
        "raw.orders is there already, neither created nor adopted by barncat"
    );
    assert_eq!(of("grants")["sql"], "CREATE ROLE \"no one\";");
    assert_eq!(of("lock_timeout")["status"], "warn");
}

#[tokio::test]
async fn an_owner_that_barncat_may_not_act_as_is_named() {
    let scene = Scene::new(TABLES, "orders = \"full\"\n").await;
    assert!(scene.told(&["run"]).await.starts_with("exit status: 0\n"));
    let owner = format!("owner_{}", scene.schema().name());
    scene.database().run(&format!("CREATE ROLE {owner}; ALTER TABLE raw.orders OWNER TO {owner}")).await;
    let (report, status) = scene.json(&["doctor"]).await;
    let tables = found(&report, "warehouse", "tables");
    let sql = format!("GRANT \"{owner}\" TO \"barncat_warehouse\";").replace(scene.schema().name(), "SCHEMA");
    assert_eq!((status, &tables["sql"]), (1, &sql.into()));
    scene.database().run(&format!("GRANT {owner} TO barncat_warehouse")).await;
    assert_eq!(scene.json(&["doctor"]).await.1, 0);
    // The role outlives the database, and others' tests use the same barncat_warehouse.
    scene.database().run(&format!("REVOKE {owner} FROM barncat_warehouse")).await;
}

#[tokio::test]
async fn the_printed_roles_have_all_that_a_run_needs() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let name = format!("{}_own", scene.schema().name());
    let admin = scene.database().admin_url();
    let url = format!("postgres://{name}:hunter2@{}", place(&admin));
    let variables = [("WAREHOUSE_URL", url.as_str())];
    let (roles, status) = scene.json_with(&["doctor", "--roles"], &variables).await;
    assert_eq!(status, 0);
    let (_, database) = admin.rsplit_once('/').expect("an address ends in its database's name");
    let script = roles["roles"][1]["sql"].as_str().expect("a script");
    let script = script.replace("SCHEMA", scene.schema().name()).replace("\"DATABASE\"", database);
    psql(&admin, &script);
    scene.database().run(&format!("ALTER ROLE {name} PASSWORD 'hunter2'")).await;
    let (report, status) = scene.json_with(&["doctor"], &variables).await;
    assert_eq!(status, 0, "{report:#}");
    let run = scene.told_with(&["run"], &variables).await;
    assert!(run.starts_with("exit status: 0\n"), "{run}");
}

#[tokio::test]
async fn roles_are_printed_without_a_variable_too() {
    let scene = Scene::new("", "\"*\" = \"full\"\n").await;
    let unset = scene.read("barncat.toml").replace("SHOP_URL", "NOT_SET_URL");
    scene.write("barncat.toml", &unset);
    assert_told!(scene.told(&["doctor", "--roles"]).await);
}

/// Runs a script as people would.
fn psql(url: &str, script: &str) {
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql is on the PATH, as scripts/test.sh sets it");
    child.stdin.take().expect("stdin is piped").write_all(script.as_bytes()).expect("psql reads");
    assert!(child.wait().expect("psql ends").success(), "{script}");
}

#[tokio::test]
async fn a_pooler_by_transaction_is_noticed_in_front_of_warehouse_and_control_database() {
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let url = pooler::in_front_of(&scene.database().url()).await;
    let (report, status) = scene.json_with(&["doctor"], &[("WAREHOUSE_URL", &url)]).await;
    assert_eq!(status, 1);
    for part in ["warehouse", "control database"] {
        let (pooler, login) = (found(&report, part, "pooler"), found(&report, part, "login"));
        let message = pooler["message"].as_str().expect("a text");
        assert!(pooler["status"] == "fail" && message.contains("a pooler by transaction"), "{pooler}");
        assert_eq!(login["status"], "ok", "it lets queries through");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_tested_by_what_loads_do_there() {
    let server = S3Server::start().await;
    let scene = Scene::new(TABLES, "\"*\" = \"full\"\n").await;
    let stage = format!(
        "[stage]\nurl = \"s3://{BUCKET}/etl\"\nendpoint = \"{}\"\nregion = \"eu-west-2\"\npath_style = true\n",
        server.endpoint()
    );
    scene.write("barncat.s3.toml", &stage);
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, variable(name)));
    let variables = keys.each_ref().map(|(name, value)| (*name, value.as_str()));
    let doctor = ["doctor", "--env", "s3"];
    let (report, status) = scene.json_with(&doctor, &variables).await;
    assert_eq!(status, 0, "{report:#}");
    assert_eq!(found(&report, "stage", "objects")["place"], format!("s3://{BUCKET}/etl"));

    // Without the right to delete loads go on, and what they leave piles up.
    server.faults.plan(Operation::Delete, Fault::Refuse(403, "AccessDenied", "Access Denied"), 9);
    let (report, status) = scene.json_with(&doctor, &variables).await;
    assert_eq!((status, &found(&report, "stage", "delete")["status"]), (0, &"warn".into()));
    server.faults.clear();
    for operation in [Operation::Put, Operation::Get, Operation::List] {
        server.faults.plan(operation, Fault::Refuse(403, "AccessDenied", "Access Denied"), 9);
        let (report, status) = scene.json_with(&doctor, &variables).await;
        assert_eq!(
            (status, &found(&report, "stage", "objects")["status"]),
            (1, &"fail".into()),
            "{operation:?}"
        );
        server.faults.clear();
    }
}

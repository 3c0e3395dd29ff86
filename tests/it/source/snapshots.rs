//! Which tables show one moment, and which server it is of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use barncat::{
    error::Class,
    source::{SharedSnapshots, Snapshot, Source},
    sql::TableName,
};
use tokio::net::{TcpListener, TcpStream};

use super::{all_lines, class, extraction, kept_snapshot, options, snapshot, source};
use crate::support::{
    Schema,
    project::{INTO, Project},
    variable,
};

fn shared(snapshot_for: Duration) -> SharedSnapshots {
    SharedSnapshots::new(source(options(&variable("BARNCAT_REPLICA_URL"))), snapshot_for)
}

async fn current(shared: &SharedSnapshots) -> Arc<dyn Snapshot> {
    shared.get(barncat::event::Tier::Optional).await.expect("the standby answers")
}

#[tokio::test]
async fn loads_share_a_snapshot_for_as_long_as_they_may() {
    let brief = shared(Duration::from_millis(50));
    let first = current(&brief).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!Arc::ptr_eq(&first, &current(&brief).await));
}

#[tokio::test]
async fn a_snapshot_given_up_is_not_handed_out_again() {
    let shared = shared(Duration::from_secs(600));
    let first = current(&shared).await;
    assert!(Arc::ptr_eq(&first, &current(&shared).await));
    // A late failure of another snapshot does not hit this one.
    shared.give_up(Some("another")).await;
    assert!(Arc::ptr_eq(&first, &current(&shared).await));
    shared.give_up(Some(&first.position().snapshot)).await;
    assert!(!Arc::ptr_eq(&first, &current(&shared).await));
}

#[tokio::test]
async fn all_tables_of_a_snapshot_show_one_moment() {
    let schema = Schema::on_standby("CREATE TABLE a (id int); CREATE TABLE b (id int)").await;
    let snapshot = kept_snapshot().await;
    let read = async |table: &str| {
        all_lines(&*snapshot, &extraction(&TableName::new(schema.name(), table), &["id"]))
            .await
            .expect("it is read")
            .len()
    };
    assert_eq!(read("a").await, 0);
    schema
        .run_on_primary(&format!("INSERT INTO {0}.a VALUES (1); INSERT INTO {0}.b VALUES (1)", schema.name()))
        .await;
    assert_eq!((read("a").await, read("b").await), (0, 0), "both as they were");
}

/// Money moves between two tables all the time: only one moment has the right sum.
#[tokio::test]
async fn a_consistent_group_matches_while_it_is_written() {
    let project = Project::new(
        "CREATE TABLE giro (id int PRIMARY KEY, amount int); INSERT INTO giro SELECT n, 100 FROM generate_series(1, 50) n;
         CREATE TABLE savings (id int PRIMARY KEY, amount int); INSERT INTO savings SELECT n, 100 FROM generate_series(1, 50) n;
         CREATE VIEW late AS SELECT 1 AS id, pg_sleep(0.2)::text AS slept;",
        "consistent = [[\"giro\", \"savings\"]]\n\n[tables]\n\"*\" = \"full\"\n",
    )
    .await;
    // Each start would open a snapshot of its own.
    let settings = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &settings.replace("[stage]", "snapshot_for = \"1ms\"\n\n[stage]"));
    for _ in 0..3 {
        tokio::select! {
            outcome = project.run(&["--jobs", "1"]) => {
                let tasks = outcome["tasks"].as_array().expect("tasks");
                let of = |name: &str| tasks.iter().find(|task| task["task"] == format!("{INTO}.{name}")).expect("it ran");
                assert_eq!(of("giro")["snapshot"], of("savings")["snapshot"], "{outcome:#}");
                assert_ne!(of("giro")["snapshot"], of("late")["snapshot"], "{outcome:#}");
            }
            () = moving_money(&project.source) => unreachable!("it never ends"),
        }
        let sum = format!(
            "SELECT ((SELECT sum(amount) FROM {INTO}.giro) + (SELECT sum(amount) FROM {INTO}.savings))::text"
        );
        assert_eq!(project.database.text(&sum).await, "10000");
    }
    let moved = format!("SELECT (sum(amount) <> 5000)::text FROM {INTO}.giro");
    assert_eq!(project.database.text(&moved).await, "true", "something was moved meanwhile");
}

async fn moving_money(schema: &Schema) {
    loop {
        let sql = format!(
            "BEGIN; UPDATE {0}.giro SET amount = amount - 1; UPDATE {0}.savings SET amount = amount + 1; COMMIT",
            schema.name()
        );
        schema.run_on_primary(&sql).await;
    }
}

#[tokio::test]
async fn a_primary_is_refused_unless_it_is_allowed() {
    let url = variable("BARNCAT_PRIMARY_URL");
    let Err(error) = source(options(&url)).open_snapshot(barncat::event::Tier::Optional).await else {
        panic!("it is a primary")
    };
    assert_eq!(class(&error), Class::Lasting);
    assert!(error.hint().is_some_and(|hint| hint.contains("allow_primary = true")), "{error}");
    let mut allowed = options(&url);
    allowed.allow_primary = true;
    let snapshot =
        source(allowed).open_snapshot(barncat::event::Tier::Optional).await.expect("it is allowed");
    assert_eq!(snapshot.position().lag_seconds, None);
    let schema = Schema::on_standby("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let t = TableName::new(schema.name(), "t");
    let error = snapshot.describe(&t).await.expect_err("the snapshot is older than the table");
    assert_eq!(class(&error), Class::Lasting, "{error}");
}

/// An address behind which connections go to one server and to the next in turn.
async fn balanced(urls: [&str; 2]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let ports = urls.map(port_of);
    tokio::spawn(async move {
        let turn = AtomicUsize::new(0);
        while let Ok((mut client, _)) = listener.accept().await {
            let port = ports[turn.fetch_add(1, Ordering::Relaxed) % 2];
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    urls[0].replace(&format!(":{}/", port_of(urls[0])), &format!(":{port}/"))
}

fn port_of(url: &str) -> u16 {
    let (place, _) = url.rsplit_once('/').expect("the address holds a database");
    place.rsplit_once(':').expect("the address holds a port").1.parse().expect("a port is a number")
}

#[tokio::test]
async fn an_endpoint_that_leads_to_two_servers_is_named() {
    let schema = Schema::on_standby("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let url = balanced([&variable("BARNCAT_REPLICA_URL"), &variable("BARNCAT_PRIMARY_URL")]).await;
    let mut both = options(&url);
    both.allow_primary = true;
    let snapshot = source(both)
        .open_snapshot(barncat::event::Tier::Optional)
        .await
        .expect("one connection is no trouble");
    let error = all_lines(&*snapshot, &extraction(&TableName::new(schema.name(), "t"), &["id"]))
        .await
        .expect_err("the second connection reaches another server");
    assert_eq!(class(&error), Class::Lasting, "{error}");
    let told = error.to_string();
    assert!(told.contains(&port_of(&url).to_string()), "{told}");
    assert!(told.contains("does not always lead to the same session or server"), "{told}");
    assert!(error.hint().is_some_and(|hint| hint.contains("balanced endpoint")), "{told}");
}

/// Servers speak the language of their `lc_messages`: only the SQLSTATE says what is meant.
#[tokio::test]
async fn the_language_of_a_message_does_not_matter() {
    let schema = Schema::on_standby(
        "CREATE FUNCTION fail(message text, code text) RETURNS int LANGUAGE plpgsql AS
           'BEGIN RAISE EXCEPTION ''%'', message USING ERRCODE = code; END';
         CREATE VIEW german AS SELECT fail('storniere Anfrage wegen Konflikt mit der Wiederherstellung', '40001') AS id;
         CREATE VIEW ended AS SELECT fail('breche Verbindung ab auf Anweisung des Administrators', '57P01') AS id;
         CREATE VIEW gone AS SELECT fail('Relation existiert nicht', '42P01') AS id;
         CREATE VIEW english AS SELECT fail('canceling statement due to conflict with recovery', 'P0001') AS id;",
    )
    .await;
    let read = async |view: &str| {
        let extraction = extraction(&TableName::new(schema.name(), view), &["id"]);
        all_lines(&*snapshot().await, &extraction).await.expect_err("it fails")
    };
    for view in ["german", "ended"] {
        let error = read(view).await;
        assert_eq!(class(&error), Class::Passing, "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("hot_standby_feedback")), "{error}");
    }
    assert_eq!(class(&read("gone").await), Class::Passing);
    assert_eq!(class(&read("english").await), Class::Lasting);
}

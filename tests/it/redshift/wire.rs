//! By wire: loads, one fault at a time, sessions that end, statements that nobody waits for, logins.

use std::time::Duration;

use barncat::{
    pg::{Endpoint, TlsSettings},
    secret::Secret,
    warehouse::{RedshiftWarehouse, Warehouse, redshift::Options},
};
use redshift_double::{LoginFault, StatementFault, faults};
use serde_json::json;

use super::faults::{DIGEST, SOURCE, run_with_fault};
use crate::support::{
    connect_to,
    project::INTO,
    redshift::{OnRedshift, Way},
};

async fn loaded() -> OnRedshift {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    on.project.run(&[]).await;
    on
}

/// A warehouse in this process, at this address.
fn warehouse_at(on: &OnRedshift, url: &str, ca: Option<&str>) -> RedshiftWarehouse {
    let tls = TlsSettings {
        mode: Some(barncat::pg::TlsMode::VerifyFull),
        ca: ca.map(Into::into),
        ..TlsSettings::default()
    };
    let endpoint = Endpoint::parse(&Secret::new(url), &tls, on.project.dir()).expect("an address");
    RedshiftWarehouse::by_wire(endpoint, options())
}

fn options() -> Options {
    Options { ledger_schema: "barncat".to_owned(), copy_role: "default".to_owned(), stage_region: None }
}

fn warehouse(on: &OnRedshift) -> RedshiftWarehouse {
    warehouse_at(on, &on.double.wire_url(), Some("redshift.pem"))
}

/// How many sessions are in a statement that runs until it is cancelled.
async fn hanging(on: &OnRedshift) -> String {
    on.text("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep(%' AND state = 'active'")
        .await
}

/// Waits until a query has this answer, ten seconds at most.
async fn assert_becomes(expected: &str, mut asked: impl AsyncFnMut() -> String) {
    let mut last = String::new();
    for _ in 0..100 {
        last = asked().await;
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_is_published_as_by_the_data_api() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    let outcome = on.project.run(&[]).await;
    let task = &outcome["tasks"][0];
    assert_eq!(
        (&task["status"], &task["rows"], &task["publish"]),
        (&json!("succeeded"), &json!(500), &json!("swap"))
    );
    on.assert_same("orders", DIGEST).await;
    assert_eq!(on.project.run(&[]).await["tasks"][0]["status"], "unchanged");
    assert_eq!(on.double.knobs().calls(), [], "nothing is asked of AWS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_fail_or_are_lost() {
    let conflict = faults::serializable_violation(100_017);
    let ledger = "insert into \"barncat\".\"loads\"";
    let cases = [
        ("alter table", StatementFault::Fail(conflict.clone()), 5),
        ("alter table", StatementFault::Cut, 1),
        ("copy ", StatementFault::Fail(conflict), 1),
        ("copy ", StatementFault::Disconnect, 1),
        ("begin", StatementFault::Cut, 1),
        ("lock ", StatementFault::Disconnect, 1),
        (ledger, StatementFault::Disconnect, 1),
        (ledger, StatementFault::Cut, 1),
        ("drop table", StatementFault::Disconnect, 1),
    ];
    let on = loaded().await;
    for (number, (statement, fault, times)) in cases.into_iter().enumerate() {
        on.double.knobs().on_statement(statement, fault.clone(), times);
        run_with_fault(&on, number, &format!("{fault:?} at {statement}, {times} times")).await;
    }
}

/// The COMMIT of the publish, not one of the others: it is the next after the ledger's row, which rests long
/// enough for the fault to be planned.
async fn lose_commit(on: &OnRedshift, fault: StatementFault) {
    let ledger = "insert into \"barncat\".\"loads\"";
    let knobs = on.double.knobs();
    let before = knobs.statements().len();
    knobs.on_statement(ledger, StatementFault::Wait(Duration::from_secs(2)), 1);
    let schema = on.project.source.name();
    on.project
        .source
        .run_on_primary(&format!("UPDATE {schema}.orders SET note = note || '!' WHERE id = 2"))
        .await;
    let planned = async {
        let is_written = |sql: &String| sql.to_lowercase().starts_with(ledger);
        while !knobs.statements().iter().skip(before).any(is_written) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        knobs.on_statement("commit", fault, 1);
    };
    let (outcome, ()) = tokio::join!(on.project.run(&[]), planned);
    assert_eq!(knobs.left(), 0, "it was planned in time");
    assert_eq!(outcome["tasks"][0]["status"], "succeeded", "{outcome:#}");
    on.assert_same("orders", DIGEST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_done_once() {
    let on = loaded().await;
    // Done and not told; then not done and not told.
    for (fault, loads) in [(StatementFault::Disconnect, "2"), (StatementFault::Cut, "3")] {
        lose_commit(&on, fault).await;
        assert_eq!(on.text("SELECT count(*)::text FROM barncat.loads").await, loads);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_ended_at_rest_are_opened_anew() {
    let on = loaded().await;
    let warehouse = warehouse(&on);
    for _ in 0..2 {
        assert_eq!(warehouse.last_loads().await.expect("it is reached").len(), 1);
        on.double.knobs().end_idle();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // A login that takes its time, or is cut, is a passing error of one try.
    on.double.knobs().end_idle();
    tokio::time::sleep(Duration::from_millis(200)).await;
    on.double.knobs().on_login(LoginFault::Cut, 1);
    let error = warehouse.last_loads().await.expect_err("the login was cut");
    assert_eq!(error.class(), barncat::error::Class::Passing, "{error}");
    assert_eq!(warehouse.last_loads().await.expect("it is reached").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_nobody_waits_for_is_cancelled() {
    let on = loaded().await;
    let warehouse = warehouse(&on);
    on.double.knobs().on_statement("from \"barncat\".loads", StatementFault::Hang, 1);
    let asked = tokio::time::timeout(Duration::from_secs(2), warehouse.last_loads()).await;
    assert!(asked.is_err(), "it hangs");
    assert_becomes("0", async || hanging(&on).await).await;
    assert_eq!(warehouse.last_loads().await.expect("it is reached").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_to_be_had_is_given_up_and_tried_again() {
    let on = loaded().await;
    let reader = connect_to(&on.project.database.admin_url()).await;
    reader.batch_execute(&format!("BEGIN; SELECT count(*) FROM {INTO}.orders")).await.expect("it reads");
    let schema = on.project.source.name();
    on.project.source.run_on_primary(&format!("UPDATE {schema}.orders SET note = 'x' WHERE id = 3")).await;
    let ended = async {
        let locks = |on: &OnRedshift| {
            on.double
                .knobs()
                .statements()
                .iter()
                .filter(|sql| sql.ends_with(".\"orders\"") && sql.starts_with("LOCK"))
                .count()
        };
        let before = locks(&on);
        while locks(&on) < before + 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        reader.batch_execute("COMMIT").await.expect("it ends");
    };
    let (outcome, ()) = tokio::join!(on.project.run(&[]), ended);
    assert_eq!(outcome["tasks"][0]["status"], "succeeded", "{outcome:#}");
    on.assert_same("orders", DIGEST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_nobody_vouches_for_and_a_wrong_password_are_told() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    let told = async |warehouse: RedshiftWarehouse| {
        let error = warehouse.last_loads().await.expect_err("it is refused");
        barncat::error::Failure::of(&*error).message
    };
    let message = told(warehouse_at(&on, &on.double.wire_url(), None)).await;
    assert!(message.starts_with("no TLS with localhost:"), "{message}");
    let (_, password) = on.double.user();
    let url = on.double.wire_url().replace(&password, "hunter2");
    let message = told(warehouse_at(&on, &url, Some("redshift.pem"))).await;
    assert!(message.starts_with("cannot log in to localhost:"), "{message}");
    assert!(!message.contains("hunter2") && message.contains("28000"), "{message}");
}

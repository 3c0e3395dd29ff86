//! One fault at a time: the live table stays right, and what could not be done is done by the same run's
//! next try or by the next run.

use redshift_double::{CallFault, Operation, StatementFault, faults};

use crate::support::{project::INTO, redshift::OnRedshift};

pub(super) const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 500) n;";

pub(super) const DIGEST: &str = "SELECT id || ' ' || note FROM {t} ORDER BY id";

async fn loaded() -> OnRedshift {
    let on = OnRedshift::new(SOURCE, "[tables]\norders = \"full\"\n").await;
    on.project.run(&[]).await;
    on
}

/// A run that meets a fault, which was planned; `number` counts them.
pub(super) async fn run_with_fault(on: &OnRedshift, number: usize, fault: &str) {
    let schema = on.project.source.name();
    // The fault is planned already: what the source is asked for does not meet it.
    on.project
        .source
        .run_on_primary(&format!("UPDATE {schema}.orders SET note = 'new {number}' WHERE id = 1"))
        .await;
    on.project.try_run(&[]).await;
    assert_eq!(on.double.knobs().left(), 0, "{fault} did not happen");
    on.double.knobs().clear();
    let rows = on.text(&format!("SELECT count(*)::text FROM {INTO}.orders")).await;
    assert_eq!(rows, "500", "{fault}");
    on.project.run(&[]).await;
    on.assert_same("orders", DIGEST).await;
    let loads =
        on.text("SELECT count(*) || ' ' || count(DISTINCT coalesce(previous, '')) FROM barncat.loads").await;
    assert_eq!(loads, format!("{0} {0}", number + 2), "{fault}: published once");
    let others = format!(
        "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE nspname = '{INTO}' AND relkind = 'r' AND relname <> 'orders'"
    );
    assert_eq!(on.text(&others).await, "", "{fault}: staging and old tables are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_fail_or_are_lost() {
    let conflict = faults::serializable_violation(100_017);
    let cases = [
        ("alter table", StatementFault::Fail(conflict.clone()), 5),
        ("alter table", StatementFault::DoAndFail(conflict.clone()), 1),
        ("alter table", StatementFault::Disconnect, 1),
        ("lock ", StatementFault::Abort, 1),
        ("copy ", StatementFault::Fail(conflict), 1),
        ("copy ", StatementFault::Disconnect, 1),
        ("copy ", StatementFault::Abort, 1),
        ("insert into \"barncat\".\"loads\"", StatementFault::Disconnect, 1),
        ("drop table", StatementFault::Abort, 1),
    ];
    let on = loaded().await;
    for (number, (statement, fault, times)) in cases.into_iter().enumerate() {
        on.double.knobs().on_statement(statement, fault.clone(), times);
        run_with_fault(&on, number, &format!("{fault:?} at {statement}, {times} times")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_or_whose_answers_are_lost() {
    let calls = [
        (Operation::ExecuteStatement, CallFault::Throttle, 3),
        (Operation::ExecuteStatement, CallFault::DoAndCut, 1),
        (Operation::BatchExecuteStatement, CallFault::DoAndCut, 1),
        (Operation::BatchExecuteStatement, CallFault::DoAndRefuse, 2),
        (Operation::BatchExecuteStatement, CallFault::Cut, 2),
        (Operation::DescribeStatement, CallFault::Refuse, 4),
        (Operation::DescribeStatement, CallFault::Throttle, 4),
        (Operation::GetStatementResult, CallFault::Cut, 2),
        (Operation::Any, CallFault::ExpiredCredentials, 1),
    ];
    let on = loaded().await;
    for (number, (operation, fault, times)) in calls.into_iter().enumerate() {
        on.double.knobs().on_call(operation, fault, times);
        run_with_fault(&on, number, &format!("{fault:?} at {operation:?}, {times} times")).await;
    }
}

//! The front: the life of statements, batches, results, tokens, limits, faults of calls.

use std::time::Duration;

use aws_sdk_redshiftdata::{error::ProvideErrorMetadata, types::Field};
use redshift_double::{CallFault, Operation, StatementFault, faults};

use crate::support::{Fixture, client_of};

#[tokio::test]
async fn a_statement_runs_and_its_values_have_types() {
    let double = Fixture::new().await;
    double
        .run("CREATE TABLE t (i bigint, f double precision, b boolean, d decimal(10,2), s varchar(20))")
        .await;
    let id =
        double.run("INSERT INTO t VALUES (1, 1.5, true, 2.50, 'x'), (NULL, NULL, NULL, NULL, NULL)").await;
    let end = double.ended(&id).await;
    assert_eq!((end.result_rows, end.has_result_set), (2, Some(false)));
    let id = double.run("SELECT * FROM t ORDER BY i").await;
    let end = double.ended(&id).await;
    assert_eq!((end.result_rows, end.has_result_set), (2, Some(true)));
    let page = double.client.get_statement_result().id(&id).send().await.unwrap();
    assert_eq!(page.total_num_rows, 2);
    let expected = [
        Field::LongValue(1),
        Field::DoubleValue(1.5),
        Field::BooleanValue(true),
        Field::StringValue("2.50".to_owned()),
        Field::StringValue("x".to_owned()),
    ];
    assert_eq!(page.records[0], expected);
    assert!(page.records[1].iter().all(|field| *field == Field::IsNull(true)));
    let columns = page.column_metadata.unwrap();
    let types: Vec<_> = columns.iter().map(|column| column.type_name.as_deref().unwrap()).collect();
    assert_eq!(types, ["int8", "float8", "bool", "numeric", "varchar"]);
    assert_eq!((columns[3].precision, columns[3].scale), (10, 2));
}

#[tokio::test]
async fn an_error_is_a_state() {
    let double = Fixture::new().await;
    assert!(
        double.error("SELECT * FROM missing").await.starts_with("ERROR: relation \"missing\" does not exist")
    );
    assert!(double.error("SELECT 1; SELECT 2").await.contains("multiple commands"));
}

#[tokio::test]
async fn a_batch_is_one_transaction() {
    let double = Fixture::new().await;
    let id = double
        .run_batch(&["CREATE TABLE t (a int)", "INSERT INTO t VALUES (1),(2)", "SELECT count(*) FROM t"])
        .await;
    let end = double.ended(&id).await;
    let parts = end.sub_statements.unwrap();
    let rows: Vec<_> = parts.iter().map(|part| (part.result_rows, part.has_result_set.unwrap())).collect();
    assert_eq!(rows, [(-1, false), (2, false), (1, true)]);
    assert_eq!(parts[2].id, format!("{id}:3"));
    assert_eq!(double.result(&format!("{id}:3")).await, [["2"]]);
    // The batch itself has no result.
    let error = double.client.get_statement_result().id(&id).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));

    let id = double.submit_batch(&["INSERT INTO t VALUES (3)", "SELECT 1/0", "SELECT 1"]).await;
    let end = double.ended(&id).await;
    assert!(end.error.unwrap().contains("division by zero"));
    let states: Vec<_> =
        end.sub_statements.unwrap().iter().map(|p| p.status.clone().unwrap().to_string()).collect();
    assert_eq!(states, ["FINISHED", "FAILED", "ABORTED"]);
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["2"]);
}

#[tokio::test]
async fn a_batch_has_no_transactions_of_its_own() {
    let double = Fixture::new().await;
    assert!(double.batch_error(&["BEGIN", "SELECT 1"]).await.contains("transaction statements"));
}

#[tokio::test]
async fn a_client_token_is_answered_with_the_same_id() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let call = || {
        let call = double.client.execute_statement().cluster_identifier("double").database("dev");
        call.client_token("one").sql("INSERT INTO t VALUES (1)")
    };
    let first = call().send().await.unwrap().id.unwrap();
    let second = call().send().await.unwrap().id.unwrap();
    assert_eq!(first, second);
    double.ended(&first).await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["1"]);
    let error = call().sql("SELECT 2").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
}

#[tokio::test]
async fn parameters_stand_for_values_alone() {
    let double = Fixture::new().await;
    let call = |sql: &str, name: &str, value: &str| {
        let parameter = aws_sdk_redshiftdata::types::SqlParameter::builder().name(name).value(value).build();
        let call = double.client.execute_statement().cluster_identifier("double").database("dev");
        call.sql(sql).parameters(parameter.unwrap()).send()
    };
    let id = call("SELECT :x::varchar(20) AS v", "x", "it's \\").await.unwrap().id.unwrap();
    double.ended(&id).await;
    assert_eq!(double.result(&id).await, [["it's \\"]]);
    let id = call("SELECT 1", "x", "1").await.unwrap().id.unwrap();
    assert!(double.ended(&id).await.error.unwrap().contains("not used"));
    assert_eq!(call("SELECT :x", "x", "").await.unwrap_err().code(), Some("ValidationException"));
}

#[tokio::test]
async fn limits_hold() {
    let double = Fixture::new().await;
    let mut call = double.client.batch_execute_statement().cluster_identifier("double").database("dev");
    for _ in 0..41 {
        call = call.sqls("SELECT 1");
    }
    assert_eq!(call.send().await.unwrap_err().code(), Some("ValidationException"));
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    let call = double.client.execute_statement().cluster_identifier("double").database("dev").sql(long);
    assert_eq!(call.send().await.unwrap_err().code(), Some("ValidationException"));
    assert!(double.error("SELECT repeat('x', 65537)").await.contains("64 KB"));
    let id = double.run("SELECT repeat('x', 60000) FROM (SELECT 1 UNION ALL SELECT 2) a, (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) b, (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5) c").await;
    assert_eq!(double.result(&id).await.len(), 30, "over two pages");
}

#[tokio::test]
async fn a_hanging_statement_is_cancelled() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    double.double.knobs().on_statement("insert into t", StatementFault::Hang, 1);
    let id = double.submit_batch(&["INSERT INTO t VALUES (1)", "SELECT 1"]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = double.client.describe_statement().id(&id).send().await.unwrap().status.unwrap();
    assert_eq!(status.as_str(), "STARTED");
    let answer = double.client.cancel_statement().id(&id).send().await.unwrap();
    assert_eq!(answer.status, Some(true));
    assert_eq!(double.ended(&id).await.status.unwrap().as_str(), "ABORTED");
    let error = double.client.cancel_statement().id(&id).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("already in ABORTED state"));
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
}

#[tokio::test]
async fn planned_errors_take_the_transaction_with_them() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let knobs = double.double.knobs();
    knobs.on_statement("values (2)", StatementFault::DoAndFail(faults::serializable_violation(7)), 1);
    let batch = ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"];
    assert!(double.batch_error(&batch).await.contains("1023"));
    knobs.on_statement("values (2)", StatementFault::Disconnect, 1);
    double.batch_error(&batch).await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["0"]);
    knobs.on_statement("values (1)", StatementFault::Disconnect, 1);
    double.error("INSERT INTO t VALUES (1)").await;
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["1"], "autocommitted work stays");
    assert_eq!(knobs.left(), 0);
}

#[tokio::test]
async fn calls_go_wrong_as_planned() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    let knobs = double.double.knobs();
    let call = || {
        let call = double.client.execute_statement().cluster_identifier("double").database("dev");
        call.sql("INSERT INTO t VALUES (1)").send()
    };
    knobs.on_call(Operation::ExecuteStatement, CallFault::Throttle, 1);
    assert_eq!(call().await.unwrap_err().code(), Some("ThrottlingException"));
    knobs.on_call(Operation::Any, CallFault::ExpiredCredentials, 1);
    assert_eq!(call().await.unwrap_err().code(), Some("ExpiredTokenException"));
    knobs.on_call(Operation::ExecuteStatement, CallFault::DoAndCut, 1);
    assert!(call().await.unwrap_err().code().is_none(), "the connection ended");
    knobs.on_call(Operation::ExecuteStatement, CallFault::DoAndRefuse, 1);
    assert_eq!(call().await.unwrap_err().code(), Some("InternalServerException"));
    let all = double.client.list_statements().send().await.unwrap().statements;
    for statement in &all {
        double.ended(&statement.id).await;
    }
    assert_eq!(double.rows("SELECT count(*) FROM t").await, ["2"], "lost answers are not lost work");
    assert!(knobs.calls().len() > 6);
}

#[tokio::test]
async fn statements_are_the_callers_own() {
    let double = Fixture::new().await;
    let id = double.run("SELECT 1").await;
    let other = client_of(&double.double, "AKIDOTHER");
    let error = other.describe_statement().id(&id).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    assert!(other.list_statements().send().await.unwrap().statements.is_empty());
}

#[tokio::test]
async fn a_statement_that_starts_slowly_is_submitted() {
    let double = Fixture::new().await;
    double.double.knobs().on_statement("select 1", StatementFault::SlowStart(Duration::from_millis(300)), 1);
    let id = double.submit("SELECT 1").await;
    let status = double.client.describe_statement().id(&id).send().await.unwrap().status.unwrap();
    assert_eq!(status.as_str(), "SUBMITTED");
    assert_eq!(double.ended(&id).await.status.unwrap().as_str(), "FINISHED");
    double.double.knobs().on_statement("select 2", StatementFault::Abort, 1);
    let id = double.submit("SELECT 2").await;
    assert_eq!(double.ended(&id).await.status.unwrap().as_str(), "ABORTED");
}

#[tokio::test]
async fn a_double_that_is_gone_holds_no_locks() {
    let database = crate::support::new_database().await;
    let double = Fixture::at(&database, |settings| settings).await;
    double.run("CREATE TABLE t (a int)").await;
    double.double.knobs().on_statement("select 1", StatementFault::Hang, 1);
    double.submit_batch(&["LOCK t", "SELECT 1"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(double);
    let behind = crate::support::connect(&database).await;
    behind.batch_execute("SET lock_timeout = '20s'; SELECT count(*) FROM t").await.expect("the lock is free");
}

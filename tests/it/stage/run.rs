//! What a run says when its stage is not to be had: once, with what to do.

use crate::support::{
    project::Project,
    s3::{Fault, Operation, S3Server},
    variable,
};

const ORDERS: &str =
    "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 1000);";

async fn project_in(server: &S3Server, variables: &[(&str, &str)]) -> Project {
    let stage = format!(
        "url = \"s3://{}\"\nendpoint = \"{}\"\nregion = \"eu-west-2\"\npath_style = true",
        crate::support::s3::BUCKET,
        server.endpoint()
    );
    Project::with_stage(ORDERS, "[tables]\norders = \"full\"\n", &stage, variables).await
}

/// The only task's error after a run that failed at its first try.
async fn error_of(project: &Project) -> serde_json::Value {
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let task = &outcome["tasks"][0];
    assert_eq!((&task["status"], task["attempts"].as_u64()), (&"failed".into(), Some(1)), "{outcome:#}");
    assert_eq!(task["error"]["class"], "lasting", "{outcome:#}");
    assert_eq!(project.in_warehouse("orders").await, None);
    task["error"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_a_run_says_where_they_come_from() {
    let server = S3Server::start().await;
    let project = project_in(&server, &[("AWS_EC2_METADATA_DISABLED", "true")]).await;
    let error = error_of(&project).await;
    let hint = "give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    assert_eq!(error["hint"], hint, "{error:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_object_fails_the_load_and_the_next_run_needs_no_hand() {
    let server = S3Server::start().await;
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
    let credentials = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())];
    let project = project_in(&server, &credentials).await;
    server.faults.plan(Operation::Put, Fault::Refuse(403, "AccessDenied", "Access Denied"), u32::MAX);
    let error = error_of(&project).await;
    let message = error["message"].as_str().expect("a message");
    assert!(message.ends_with(".pgcopy.zst: AccessDenied, Access Denied"), "{message}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("s3:PutObject")), "{error:#}");
    server.faults.clear();
    project.run(&[]).await;
    project.assert_equal(&["orders"]).await;
}

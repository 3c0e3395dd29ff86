use barncat::{
    control::{Control, ControlError},
    error::{Class, Fault},
};

use super::{endpoint, endpoint_of, fresh_schema, open, superuser};
use crate::support::variable;

#[tokio::test]
async fn many_processes_at_once_migrate_once() {
    let schema = fresh_schema();
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let schema = schema.clone();
        processes.spawn(async move { open(&schema).await });
    }
    assert_eq!(processes.join_all().await.len(), 8);
    let applied = format!("SELECT count(*), count(DISTINCT number) FROM {schema}.migrations");
    let row = superuser().await.query_one(&applied, &[]).await.unwrap();
    let (all, distinct): (i64, i64) = (row.get(0), row.get(1));
    assert!(all >= 1 && all == distinct, "{all} rows of {distinct} migrations");
}

#[tokio::test]
async fn a_newer_database_is_refused_unless_it_says_that_it_is_compatible() {
    let schema = fresh_schema();
    open(&schema).await;
    let newer = |number: i32, compatible_from: i32| {
        format!(
            "INSERT INTO {schema}.migrations (number, name, checksum, compatible_from, version)
             VALUES ({number}, 'a later one', 'x', {compatible_from}, '9.9.9')"
        )
    };
    let admin = superuser().await;
    admin.batch_execute(&newer(9000, 1)).await.unwrap();
    open(&schema).await;
    admin.batch_execute(&newer(9001, 9000)).await.unwrap();
    let refused = Control::open(&endpoint(), &schema).await.err().expect("it is refused");
    assert!(matches!(refused, ControlError::Newer { found: 9001, needed: 9000, .. }), "{refused}");
    assert_eq!(refused.class(), Class::Lasting);
    assert!(Control::open_existing(&endpoint(), &schema).await.is_err());
}

#[tokio::test]
async fn who_only_looks_makes_nothing() {
    let schema = fresh_schema();
    assert!(Control::open_existing(&endpoint(), &schema).await.unwrap().is_none());
    let there = "SELECT FROM pg_namespace WHERE nspname = $1";
    assert!(superuser().await.query_opt(there, &[&schema]).await.unwrap().is_none());
    open(&schema).await;
    let control = Control::open_existing(&endpoint(), &schema).await.unwrap().expect("it is there");
    assert!(control.running().await.unwrap().is_empty());
    let sessions = format!("SELECT FROM {schema}.sessions");
    assert!(superuser().await.query(&sessions, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_role_that_may_only_use_its_schema_is_enough() {
    let control = Control::open(&endpoint_of(&variable("BARNCAT_CONTROL_URL")), "barncat_control").await;
    control.unwrap().live_loads().await.unwrap();
}

#[tokio::test]
async fn a_schemas_name_may_be_anything() {
    let control = open(&format!("Odd \"{}\" control.x", fresh_schema())).await;
    assert!(control.history(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_that_is_not_there_is_one_clear_error() {
    let url = variable("BARNCAT_WAREHOUSE_URL").replace("/warehouse", "/no_such_database");
    let error = Control::open(&endpoint_of(&url), "barncat_control").await.err().expect("there is none");
    assert_eq!(error.class(), Class::Lasting);
    assert!(barncat::error::Failure::of(&error).message.contains("no_such_database"), "{error}");
}

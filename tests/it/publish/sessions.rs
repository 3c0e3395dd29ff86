//! Sessions are kept between two uses: nobody meets what another use left in one, and none is used again
//! whose use did not end well.

use std::{collections::BTreeSet, time::Duration};

use barncat::warehouse::{Select, Warehouse, WarehouseError};

use crate::support::warehouse::Database;

fn select(sql: &str) -> Select {
    Select { sql: sql.to_owned(), file: "sql/checks/c.sql".to_owned(), line: 1 }
}

/// How many rows it gives, asked as a check asks.
async fn counted(database: &Database, sql: &str) -> Result<u64, WarehouseError> {
    let counts = select(&format!("SELECT count(*)::varchar FROM ({sql}) AS counted"));
    let answers = database.warehouse.answers(&[counts]).await?;
    Ok(answers[0][0][0].as_deref().expect("a count").parse().expect("a number"))
}

/// The processes that serve barncat.
async fn served(database: &Database) -> BTreeSet<String> {
    let sql = "SELECT pid::text FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'barncat %'";
    database.texts(sql).await.into_iter().collect()
}

async fn until_none_of(database: &Database, gone: &BTreeSet<String>) {
    let quiet = async {
        while !served(database).await.is_disjoint(gone) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), quiet).await.expect("the sessions end");
}

#[tokio::test]
async fn a_session_is_used_again_and_knows_nothing_of_its_last_use() {
    let database = Database::new().await;
    let first = served(&database).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let leaves = "SELECT set_config('barncat.left', 'here', false), set_config('search_path', 'nowhere', false),
                         set_config('statement_timeout', '1', false), pg_advisory_lock(7), pg_advisory_lock(7)";
    assert_eq!(counted(&database, leaves).await.unwrap(), 1);
    // A lock that it kept would hold up whoever wants it until it is used again.
    assert_eq!(database.text("SELECT pg_try_advisory_lock(7)::text").await, "true");
    let finds = "SELECT 1 WHERE current_setting('barncat.left', true) = 'here'
                 UNION ALL SELECT 1 WHERE current_setting('statement_timeout') <> '0'
                 UNION ALL SELECT 1 WHERE current_setting('application_name') NOT LIKE 'barncat % check'
                 UNION ALL SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(counted(&database, finds).await.unwrap(), 0);
    for _ in 0..3 {
        database.warehouse.last_loads().await.unwrap();
        database.warehouse.describe(&select("SELECT 1 AS id")).await.unwrap();
    }
    assert_eq!(served(&database).await, first, "one session served all of it");
    let rests = "SELECT DISTINCT state || ', ' || application_name FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name LIKE 'barncat %'";
    assert_eq!(database.texts(rests).await, ["idle, barncat 01RUN resting"]);
}

#[tokio::test]
async fn a_session_whose_statement_failed_or_was_given_up_ends() {
    let database = Database::new().await;
    for sql in ["SELECT 1 FROM generate_series(0, 1) AS n WHERE 1 / n = 1", "SELECT pg_sleep(600)"] {
        database.warehouse.last_loads().await.unwrap();
        let before = served(&database).await;
        let answer = tokio::time::timeout(Duration::from_secs(2), counted(&database, sql)).await;
        assert!(!matches!(answer, Ok(Ok(_))), "{sql}");
        until_none_of(&database, &before).await;
        assert_eq!(counted(&database, "SELECT 1").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn sessions_that_the_server_ended_while_they_rested_are_opened_anew() {
    let database = Database::new().await;
    let both = tokio::join!(database.warehouse.last_loads(), database.warehouse.last_loads());
    both.0.and(both.1).unwrap();
    let before = served(&database).await;
    for pid in &before {
        database.run(&format!("SELECT pg_terminate_backend({pid})")).await;
    }
    until_none_of(&database, &before).await;
    assert!(database.warehouse.last_loads().await.unwrap().is_empty());
    assert!(served(&database).await.is_disjoint(&before));
}

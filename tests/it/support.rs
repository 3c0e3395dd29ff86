//! What the tests share: the servers that `scripts/test.sh` has started, and schemas on them.

pub(crate) mod aws;
pub(crate) mod cluster;
pub(crate) mod ground;
pub(crate) mod hostile;
pub(crate) mod logins;
pub(crate) mod pooler;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod proxy;
pub(crate) mod rds;
pub(crate) mod redshift;
pub(crate) mod replica;
pub(crate) mod s3;
pub(crate) mod secrets;
pub(crate) mod signed;
pub(crate) mod warehouse;

use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// An address of `target/servers/env`. Without servers the test fails, and says by which command
/// they start.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests by `make test`"))
}

/// A plain connection to one of the servers.
pub(crate) async fn connect(name: &str) -> Client {
    connect_to(&variable(name)).await
}

/// A plain connection to any of their databases.
pub(crate) async fn connect_to(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test's server answers");
    tokio::spawn(connection);
    client
}

/// A name for a schema or a database that no other test has, not one of an earlier run either:
/// processes' numbers come again.
pub(crate) fn new_name() -> String {
    format!("test_{}", barncat::clock::new_id().to_lowercase())
}

/// A schema of one test's own, on the primary and so on its standby. It stays until the servers go.
pub(crate) struct Schema {
    name: String,
    primary: Client,
}

impl Schema {
    /// Makes it, runs `sql` in it, lets the source's role read it, and waits until the standby has it.
    pub(crate) async fn on_standby(sql: &str) -> Self {
        let name = new_name();
        let schema = Self { name, primary: connect("BARNCAT_PRIMARY_ADMIN_URL").await };
        let name = &schema.name;
        schema
            .run_on_primary(&format!(
                "CREATE SCHEMA {name}; SET search_path = {name}; GRANT USAGE ON SCHEMA {name} TO barncat_source;
                 ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO barncat_source; {sql}"
            ))
            .await;
        schema
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements on the primary and waits until the standby has replayed them.
    pub(crate) async fn run_on_primary(&self, sql: &str) {
        self.primary.batch_execute(sql).await.expect("the test's SQL is valid");
        wait_until_replayed().await;
    }
}

/// Waits until the standby has replayed all that the primary has written by now.
pub(crate) async fn wait_until_replayed() {
    let primary = connect("BARNCAT_PRIMARY_ADMIN_URL").await;
    replayed(&primary, &connect("BARNCAT_REPLICA_ADMIN_URL").await).await;
}

async fn replayed(primary: &Client, standby: &Client) {
    let row = primary.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.expect("it answers");
    let lsn: String = row.get(0);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let sql = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
        if standby.query_one(sql, &[&lsn]).await.expect("it answers").get(0) {
            return;
        }
        assert!(Instant::now() < deadline, "the standby has not replayed {lsn}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

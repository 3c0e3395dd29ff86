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

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_postgres::{Client, Error, NoTls, Row};

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

/// A plain session that is kept from one look to the next: to begin one costs the server more than most looks do.
pub(crate) struct Kept {
    url: String,
    client: tokio::sync::Mutex<Option<Arc<Client>>>,
}

impl Kept {
    /// To be begun at the first look.
    pub(crate) fn at(url: String) -> Self {
        Self { url, client: tokio::sync::Mutex::default() }
    }

    async fn client(&self) -> Arc<Client> {
        let mut kept = self.client.lock().await;
        match kept.as_ref().filter(|client| !client.is_closed()) {
            Some(client) => client.clone(),
            None => kept.insert(Arc::new(connect_to(&self.url).await)).clone(),
        }
    }

    /// What a query answers. Begins a session anew if a test, or its server's end, has ended the one kept.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Row>, Error> {
        match self.client().await.query(sql, &[]).await {
            Err(error) if error.is_closed() => self.client().await.query(sql, &[]).await,
            answered => answered,
        }
    }

    /// Runs statements. What they set is not kept.
    pub(crate) async fn run(&self, sql: &str) {
        let mut client = self.client().await;
        let mut ran = client.batch_execute(sql).await;
        if ran.as_ref().is_err_and(Error::is_closed) {
            client = self.client().await;
            ran = client.batch_execute(sql).await;
        }
        ran.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        // Where this fails they have ended the session itself.
        let _ = client.batch_execute("DISCARD ALL").await;
    }
}

/// A name for a schema or a database that no other test has, not one of an earlier run either:
/// processes' numbers come again.
pub(crate) fn new_name() -> String {
    format!("test_{}", barncat::clock::new_id().to_lowercase())
}

/// A schema of one test's own, on the primary and so on its standby. It stays until the servers go.
pub(crate) struct Schema {
    name: String,
    /// Its settings stay, such as `search_path`.
    primary: Client,
    standby: Kept,
}

impl Schema {
    /// Makes it, runs `sql` in it, lets the source's role read it, and waits until the standby has it.
    pub(crate) async fn on_standby(sql: &str) -> Self {
        let name = new_name();
        let primary = connect("BARNCAT_PRIMARY_ADMIN_URL").await;
        let standby = Kept::at(variable("BARNCAT_REPLICA_ADMIN_URL"));
        let schema = Self { name, primary, standby };
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
        self.primary.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        replayed(&self.primary, &*self.standby.client().await).await;
    }

    /// What a query on the standby answers.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Row>, Error> {
        self.standby.query(sql).await
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

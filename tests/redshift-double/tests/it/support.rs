//! A double on a database of one test's own, and a client for it.

use std::time::Duration;

use aws_sdk_redshiftdata::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    operation::describe_statement::DescribeStatementOutput,
    types::Field,
};
use redshift_double::{Double, Settings};
use tokio_postgres::NoTls;

/// A double, a client for it, and the database behind.
pub(crate) struct Fixture {
    pub(crate) double: Double,
    pub(crate) client: Client,
    /// The database, if it goes with the fixture.
    database_url: Option<String>,
}

/// Dozens of databases would be a burden to the server and to the disk.
impl Drop for Fixture {
    fn drop(&mut self) {
        let Some(url) = self.database_url.take() else { return };
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime is made").block_on(async {
                let admin = connect(&admin_url()).await;
                let _ = admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
            });
        });
        let _ = dropping.join();
    }
}

fn admin_url() -> String {
    #[expect(clippy::disallowed_methods, reason = "the tests' servers are in the environment")]
    std::env::var("BARNCAT_WAREHOUSE_ADMIN_URL").expect("scripts/test.sh gives the servers' addresses")
}

/// A database without anything in it.
pub(crate) async fn new_database() -> String {
    let name = format!("double_{}", uuid::Uuid::new_v4().simple());
    let admin = connect(&admin_url()).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
    let (server, _) = admin_url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a url");
    format!("{server}/{name}")
}

/// A session on Postgres itself.
pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server answers");
    tokio::spawn(connection);
    client
}

/// A client with this key; without retries, so that tests see every fault.
pub(crate) fn client_of(double: &Double, key: &str) -> Client {
    let config = aws_sdk_redshiftdata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(key, "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(double.url());
    Client::from_conf(config.build())
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    pub(crate) async fn with(change: impl FnOnce(Settings) -> Settings) -> Self {
        let url = new_database().await;
        let mut fixture = Self::at(&url, change).await;
        fixture.database_url = Some(url);
        fixture
    }

    /// On this database.
    pub(crate) async fn at(database_url: &str, change: impl FnOnce(Settings) -> Settings) -> Self {
        let double = Double::start(change(Settings::new(database_url))).await.expect("it starts");
        let client = client_of(&double, "AKIDTEST");
        Self { double, client, database_url: None }
    }

    /// Gives a statement; its id.
    pub(crate) async fn submit(&self, sql: &str) -> String {
        let call = self.client.execute_statement().cluster_identifier("double").database("dev").sql(sql);
        call.send().await.expect("it is taken").id.expect("it has an id")
    }

    /// Gives a batch; its id.
    pub(crate) async fn submit_batch(&self, sqls: &[&str]) -> String {
        let mut call = self.client.batch_execute_statement().workgroup_name("double").database("dev");
        for sql in sqls {
            call = call.sqls(*sql);
        }
        call.send().await.expect("it is taken").id.expect("it has an id")
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self, id: &str) -> DescribeStatementOutput {
        for _ in 0..400 {
            let now = self.client.describe_statement().id(id).send().await.expect("it is described");
            let status = now.status.as_ref().expect("it has a status").as_str();
            if ["FINISHED", "FAILED", "ABORTED"].contains(&status) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("statement {id} did not end");
    }

    /// Runs a statement that must finish.
    pub(crate) async fn run(&self, sql: &str) -> String {
        let id = self.submit(sql).await;
        let end = self.ended(&id).await;
        assert_eq!(end.status.expect("it has a status").as_str(), "FINISHED", "{sql}: {:?}", end.error);
        id
    }

    /// Runs a batch that must finish.
    pub(crate) async fn run_batch(&self, sqls: &[&str]) -> String {
        let id = self.submit_batch(sqls).await;
        let end = self.ended(&id).await;
        assert_eq!(end.status.expect("it has a status").as_str(), "FINISHED", "{:?}", end.error);
        id
    }

    /// Runs a statement that must fail; with what.
    pub(crate) async fn error(&self, sql: &str) -> String {
        let id = self.submit(sql).await;
        let end = self.ended(&id).await;
        assert_eq!(end.status.expect("it has a status").as_str(), "FAILED", "{sql}");
        end.error.expect("it tells the error")
    }

    /// Runs a batch that must fail; with what.
    pub(crate) async fn batch_error(&self, sqls: &[&str]) -> String {
        let id = self.submit_batch(sqls).await;
        let end = self.ended(&id).await;
        assert_eq!(end.status.expect("it has a status").as_str(), "FAILED", "{sqls:?}");
        end.error.expect("it tells the error")
    }

    /// The rows of a result, values as text, NULL as `∅`.
    pub(crate) async fn result(&self, id: &str) -> Vec<Vec<String>> {
        let (mut rows, mut token) = (Vec::new(), None);
        loop {
            let call = self.client.get_statement_result().id(id).set_next_token(token);
            let page = call.send().await.expect("it has a result");
            rows.extend(page.records.iter().map(|row| row.iter().map(text).collect::<Vec<_>>()));
            token = page.next_token;
            if token.is_none() {
                return rows;
            }
        }
    }

    /// The rows of a query, each joined by `|`.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let id = self.run(sql).await;
        self.result(&id).await.iter().map(|row| row.join("|")).collect()
    }
}

fn text(field: &Field) -> String {
    match field {
        Field::IsNull(_) => "∅".to_owned(),
        Field::BooleanValue(value) => value.to_string(),
        Field::LongValue(value) => value.to_string(),
        Field::DoubleValue(value) => value.to_string(),
        Field::StringValue(value) => value.clone(),
        other => panic!("a field of another kind: {other:?}"),
    }
}

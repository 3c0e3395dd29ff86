//! The front by wire, by a client nobody here wrote.

use std::{sync::Arc, time::Duration};

use redshift_double::{LoginFault, SqlError, StatementFault, faults};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres::{Client, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::Fixture;

fn tls(double: &Fixture) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(double.double.authority().as_bytes()).expect("it is PEM");
    roots.add(authority).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

async fn connect_to(double: &Fixture, url: &str) -> Result<Client, Error> {
    let (client, connection) =
        tokio_postgres::connect(&format!("{url}?sslmode=require"), tls(double)).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn connect(double: &Fixture) -> Client {
    connect_to(double, &double.double.wire_url()).await.expect("the double answers")
}

async fn rows(client: &Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let values = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned());
            Some(values.collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

async fn error(client: &Client, sql: &str) -> (String, String) {
    let error = client.simple_query(sql).await.expect_err("it is refused");
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

#[tokio::test]
async fn statements_run_and_values_are_text() {
    let double = Fixture::new().await;
    let client = connect(&double).await;
    for sql in ["CREATE TABLE t (i bigint, s varchar(20))", "INSERT INTO t VALUES (1, 'a'), (2, NULL)", ""] {
        client.simple_query(sql).await.unwrap();
    }
    assert_eq!(rows(&client, "SELECT i, s FROM t ORDER BY i").await, ["1|a", "2|NULL"]);
    assert!(rows(&client, "SELECT version()").await[0].contains("Redshift"));
    assert_eq!(error(&client, "SELECT nothing FROM t").await.0, "42703");
    assert_eq!(error(&client, "CREATE TABLE u (id serial)").await.0, "0A000");
    // What the gate lets through is what the Data API lets through.
    assert_eq!(double.double.knobs().statements().len(), 6);
}

#[tokio::test]
async fn a_transaction_is_the_sessions_own() {
    let double = Fixture::new().await;
    let (one, other) = (connect(&double).await, connect(&double).await);
    one.simple_query("CREATE TABLE t (i bigint)").await.unwrap();
    for sql in ["BEGIN", "INSERT INTO t VALUES (1)"] {
        one.simple_query(sql).await.unwrap();
    }
    assert_eq!(rows(&other, "SELECT count(*) FROM t").await, ["0"]);
    one.simple_query("COMMIT").await.unwrap();
    assert_eq!(rows(&other, "SELECT count(*) FROM t").await, ["1"]);
    one.simple_query("BEGIN").await.unwrap();
    one.simple_query("DELETE FROM t").await.unwrap();
    assert_eq!(error(&one, "SELECT 1/0").await.0, "22012");
    assert_eq!(error(&one, "SELECT 1").await.0, "25P02");
    one.simple_query("ROLLBACK").await.unwrap();
    assert_eq!(rows(&one, "SELECT count(*) FROM t").await, ["1"]);
}

#[tokio::test]
async fn without_tls_or_with_a_wrong_password_or_prepared_nobody_gets_anywhere() {
    let double = Fixture::new().await;
    let url = double.double.wire_url();
    let plain = tokio_postgres::connect(&format!("{url}?sslmode=disable"), tokio_postgres::NoTls).await;
    assert_eq!(plain.err().unwrap().code().unwrap().code(), "28000");
    let (_, password) = double.double.user();
    let wrong = connect_to(&double, &url.replace(&password, "wrong")).await;
    assert_eq!(wrong.err().unwrap().code().unwrap().code(), "28000");
    let elsewhere = connect_to(&double, &url.replace("/dev", "/other")).await;
    assert_eq!(elsewhere.err().unwrap().code().unwrap().code(), "3D000");
    let client = connect(&double).await;
    assert_eq!(client.query("SELECT 1", &[]).await.err().unwrap().code().unwrap().code(), "0A000");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn a_login_for_a_while_ends_and_its_session_goes_on() {
    let double = Fixture::new().await;
    let password = double.double.give_login("IAM:etl", None, Duration::from_secs(900));
    let url = format!("postgres://IAM%3Aetl:{password}@localhost:{}/dev", double.double.wire_port());
    let client = connect_to(&double, &url).await.expect("the login is good");
    double.double.end_logins();
    assert_eq!(connect_to(&double, &url).await.err().unwrap().code().unwrap().code(), "28000");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn a_statement_is_cancelled_and_the_session_goes_on() {
    let double = Fixture::new().await;
    let client = connect(&double).await;
    double.double.knobs().on_statement("select 41", StatementFault::Hang, 1);
    let cancel = client.cancel_token();
    let connector = tls(&double);
    let cancelled = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel_query(connector).await.unwrap();
    };
    let (refused, ()) = tokio::join!(error(&client, "SELECT 41"), cancelled);
    assert_eq!(refused.0, "57014");
    assert_eq!(rows(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn answers_are_lost_on_either_side_of_a_commit() {
    let double = Fixture::new().await;
    let watcher = connect(&double).await;
    watcher.simple_query("CREATE TABLE t (i bigint)").await.unwrap();
    for (fault, held) in [(StatementFault::Cut, "0"), (StatementFault::Disconnect, "1")] {
        let client = connect(&double).await;
        client.simple_query("BEGIN").await.unwrap();
        client.simple_query("INSERT INTO t VALUES (1)").await.unwrap();
        double.double.knobs().on_statement("commit", fault, 1);
        let lost = client.simple_query("COMMIT").await.expect_err("there is no answer");
        assert!(lost.as_db_error().is_none(), "{lost:?}");
        assert_eq!(rows(&watcher, "SELECT count(*) FROM t").await, [held]);
    }
    double.double.knobs().on_statement("insert", StatementFault::Silence, 1);
    let client = connect(&double).await;
    let asked = client.simple_query("INSERT INTO t VALUES (2)");
    assert!(tokio::time::timeout(Duration::from_millis(500), asked).await.is_err());
    assert_eq!(rows(&watcher, "SELECT count(*) FROM t").await, ["2"]);
}

#[tokio::test]
async fn sessions_at_rest_end_and_logins_go_wrong() {
    let double = Fixture::new().await;
    let client = connect(&double).await;
    double.double.knobs().end_idle();
    tokio::time::timeout(Duration::from_secs(5), async {
        while !client.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the session ends");
    let refused = SqlError::new("53300", "too many connections");
    double.double.knobs().on_login(LoginFault::Refuse(refused), 1);
    double.double.knobs().on_login(LoginFault::Cut, 1);
    let url = double.double.wire_url();
    assert_eq!(connect_to(&double, &url).await.err().unwrap().code().unwrap().code(), "53300");
    assert!(connect_to(&double, &url).await.err().unwrap().as_db_error().is_none());
    let client = connect(&double).await;
    double.double.knobs().on_statement("select 7", StatementFault::Fail(faults::conflict()), 1);
    assert_eq!(error(&client, "SELECT 7").await.0, "XX000");
}

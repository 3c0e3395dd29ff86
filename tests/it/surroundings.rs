//! What discover and doctor find on real servers.

use std::sync::Arc;

use barncat::{
    control::Control,
    diagnosis::{Finding, Verdict},
    pg::{self, Endpoint, Session, TlsSettings},
    schema::Selection,
    secret::Secret,
    source::{
        LocalSlots, SetBy,
        postgres::{Options, PostgresSource, TableAdvice, Tells},
    },
    sql::{TableName, quote_ident},
};

use crate::support::{Schema, variable};

fn endpoint(name: &str) -> Endpoint {
    Endpoint::parse(&Secret::new(variable(name)), &TlsSettings::default(), std::path::Path::new("."))
        .expect("the servers' addresses are valid")
}

fn source(name: &str) -> PostgresSource {
    let options = Options {
        name: "shop".into(),
        endpoint: endpoint(name),
        allow_primary: false,
        max_lag: None,
        run: "test".into(),
    };
    PostgresSource::new(options, Arc::new(LocalSlots::new(2)))
}

async fn advice(schema: &Schema, table: &str) -> TableAdvice {
    let all = source("BARNCAT_REPLICA_URL").advise(schema.name()).await.expect("the standby answers");
    all.into_iter().find(|advice| advice.table.name.name == table).expect("the table is listed")
}

async fn found(schema: &Schema, tables: &[&str]) -> Vec<Finding> {
    let wanted: Vec<_> =
        tables.iter().map(|table| (TableName::new(schema.name(), *table), Selection::default())).collect();
    source("BARNCAT_REPLICA_URL").diagnose(&wanted, 6).await
}

#[tokio::test]
async fn a_trigger_makes_a_cursor_trustworthy() {
    let schema = Schema::on_standby(
        "CREATE TABLE t (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, created_at timestamptz NOT NULL DEFAULT now(),
                         updated_at timestamptz NOT NULL DEFAULT now());
         CREATE INDEX ON t (updated_at);
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
         CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();",
    )
    .await;
    let advice = advice(&schema, "t").await;
    assert_eq!(advice.key, ["id"]);
    let cursor = advice.cursor.expect("a cursor is seen");
    assert_eq!((cursor.column.as_str(), cursor.indexed, cursor.tells), ("updated_at", true, Tells::Updates));
    assert_eq!(cursor.set_by, SetBy::Trigger("touch".into()));
}

#[tokio::test]
async fn a_disabled_trigger_sets_nothing_and_a_column_may_be_null() {
    let schema = Schema::on_standby(
        "CREATE TABLE t (a text, updated_at timestamptz DEFAULT now());
         CREATE TABLE u (a int, b int, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (b, a));
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
         CREATE TRIGGER touch BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION touch();
         ALTER TABLE u DISABLE TRIGGER touch;",
    )
    .await;
    let nullable = advice(&schema, "t").await.cursor.expect("a cursor is seen");
    assert_eq!((nullable.nullable, nullable.unique, nullable.set_by), (true, false, SetBy::Default));
    let advice = advice(&schema, "u").await;
    assert_eq!(advice.key, ["b", "a"]);
    let cursor = advice.cursor.expect("a cursor is seen");
    assert_eq!((cursor.indexed, cursor.set_by), (false, SetBy::Default));
}

#[tokio::test]
async fn who_sets_a_column_is_read_from_triggers_and_defaults() {
    let schema = Schema::on_standby(
        r#"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new . "Updated At" = now(); RETURN NEW; END';
           CREATE FUNCTION by_argument() RETURNS trigger LANGUAGE plpgsql
               AS 'BEGIN NEW := json_populate_record(NEW, json_build_object(TG_ARGV[0], now())); RETURN NEW; END';
           CREATE FUNCTION reads() RETURNS trigger LANGUAGE plpgsql
               AS 'BEGIN RAISE DEBUG ''%'', NEW.updated_at; RETURN NEW; END';
           CREATE TABLE odd ("Updated At" timestamptz NOT NULL);
           CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON odd FOR EACH ROW EXECUTE FUNCTION touch();
           CREATE TABLE argued (updated_at timestamptz NOT NULL, note text);
           CREATE TRIGGER argue BEFORE UPDATE ON argued FOR EACH ROW EXECUTE FUNCTION by_argument('x', 'updated_at');
           CREATE TABLE few (updated_at timestamptz NOT NULL, note text);
           CREATE TRIGGER of_note BEFORE UPDATE OF note ON few FOR EACH ROW EXECUTE FUNCTION by_argument('updated_at');
           CREATE TABLE inserted (updated_at timestamptz NOT NULL);
           CREATE TRIGGER first BEFORE INSERT ON inserted FOR EACH ROW EXECUTE FUNCTION by_argument('updated_at');
           CREATE TABLE read (updated_at timestamptz NOT NULL);
           CREATE TRIGGER reads BEFORE UPDATE ON read FOR EACH ROW EXECUTE FUNCTION reads();
           CREATE TRIGGER after AFTER UPDATE ON read FOR EACH ROW EXECUTE FUNCTION by_argument('updated_at');
           CREATE TABLE computed (a timestamp, updated_at timestamp GENERATED ALWAYS AS (a) STORED);
           CREATE TABLE parts (id int, updated_at timestamptz NOT NULL) PARTITION BY RANGE (id);"#,
    )
    .await;
    let all = source("BARNCAT_REPLICA_URL").advise(schema.name()).await.expect("the standby answers");
    let set_by = |table: &str| {
        let advice = all.iter().find(|advice| advice.table.name.name == table).expect("the table is listed");
        advice.cursor.as_ref().expect("a cursor is seen").set_by.clone()
    };
    assert_eq!(set_by("odd"), SetBy::Trigger("touch".into()));
    assert_eq!(set_by("argued"), SetBy::Trigger("argue".into()));
    assert_eq!(set_by("few"), SetBy::TriggerOfSome("of_note".into()));
    assert_eq!(set_by("inserted"), SetBy::Default);
    assert_eq!(set_by("read"), SetBy::Writer);
    assert_eq!(set_by("computed"), SetBy::Generated);
    assert_eq!(set_by("parts"), SetBy::Writer);
}

#[tokio::test]
async fn a_standby_whose_tables_can_be_read_has_no_failure() {
    let schema = Schema::on_standby("CREATE TABLE t (id int)").await;
    let found = found(&schema, &["t"]).await;
    assert!(found.iter().all(|finding| finding.status != Verdict::Fail), "{found:#?}");
    for test in ["login", "replica", "snapshot", "lag", "tables", "clock"] {
        assert!(found.iter().any(|finding| finding.test == test), "{test}: {found:#?}");
    }
}

#[tokio::test]
async fn a_missing_privilege_comes_with_the_sql_that_grants_it() {
    let schema = Schema::on_standby(
        "CREATE TABLE t (id int, secret text); CREATE TABLE u (id int); REVOKE SELECT ON t, u FROM barncat_source;
         GRANT SELECT (id) ON t TO barncat_source",
    )
    .await;
    let failures: Vec<_> = found(&schema, &["t", "u", "none"])
        .await
        .into_iter()
        .filter(|finding| finding.status == Verdict::Fail)
        .map(|finding| (finding.message, finding.sql))
        .collect();
    let name = |table: &str| format!("{}.{}", quote_ident(schema.name()), quote_ident(table));
    assert_eq!(failures.len(), 3, "{failures:#?}");
    assert_eq!(
        failures[0].1,
        Some(format!("GRANT SELECT (\"secret\") ON {} TO \"barncat_source\";", name("t")))
    );
    assert_eq!(failures[1].1, Some(format!("GRANT SELECT ON {} TO \"barncat_source\";", name("u"))));
    assert_eq!(failures[2].0, format!("source shop has no table {}.none", schema.name()));
    // What is printed mends it.
    for (_, sql) in &failures[..2] {
        schema.run_on_primary(sql.as_deref().expect("both have SQL")).await;
    }
    let found = found(&schema, &["t", "u"]).await;
    assert!(found.iter().all(|finding| finding.status != Verdict::Fail), "{found:#?}");
}

#[tokio::test]
async fn a_primary_is_refused_by_name() {
    let found = source("BARNCAT_PRIMARY_URL").diagnose(&[], 6).await;
    let failure = found.iter().find(|finding| finding.status == Verdict::Fail).expect("it is refused");
    assert!(failure.message.contains("is a primary, not a read replica"), "{failure:?}");
    assert!(failure.hint.as_deref().is_some_and(|hint| hint.contains("allow_primary")), "{failure:?}");
}

#[tokio::test]
async fn the_servers_settings_are_judged() {
    let admin =
        pg::connect(&endpoint("BARNCAT_REPLICA_ADMIN_URL"), &Session::new("test")).await.expect("it answers");
    let row = admin
        .query_one(
            "SELECT current_setting('hot_standby_feedback'), current_setting('max_standby_streaming_delay')",
            &[],
        )
        .await
        .expect("it answers");
    let found = source("BARNCAT_REPLICA_URL").diagnose(&[], 6).await;
    let status = |test| found.iter().find(|finding| finding.test == test).map(|finding| finding.status);
    let expected = if row.get::<_, &str>(0) == "on" { Verdict::Ok } else { Verdict::Warn };
    assert_eq!(status("hot_standby_feedback"), Some(expected));
    let expected = if row.get::<_, &str>(1) == "30s" { Verdict::Warn } else { Verdict::Ok };
    assert_eq!(status("max_standby_streaming_delay"), Some(expected));
}

#[tokio::test]
async fn a_control_database_without_rights_fails_until_the_printed_sql_has_run() {
    let name = format!("doctor_{}", std::process::id());
    let of_test = format!("{name}_test");
    let admin = crate::support::connect_to(
        &variable("BARNCAT_WAREHOUSE_ADMIN_URL").replace("/warehouse", "/control"),
    )
    .await;
    let found = Control::diagnose(&endpoint("BARNCAT_CONTROL_URL"), &name, &of_test).await;
    let failure = found.iter().find(|finding| finding.status == Verdict::Fail).expect("it may not create it");
    assert_eq!(failure.test, "schema", "{failure:?}");
    admin.batch_execute(failure.sql.as_deref().expect("SQL that mends it")).await.expect("valid SQL");
    // Production can do without test mode's.
    let warned =
        found.iter().find(|finding| finding.status == Verdict::Warn).expect("test mode cannot begin");
    assert!(warned.message.contains(&of_test), "{warned:?}");
    admin.batch_execute(warned.sql.as_deref().expect("SQL that mends it")).await.expect("valid SQL");
    let found = Control::diagnose(&endpoint("BARNCAT_CONTROL_URL"), &name, &of_test).await;
    assert!(found.iter().all(|finding| finding.status == Verdict::Ok), "{found:#?}");
    Control::open(&endpoint("BARNCAT_CONTROL_URL"), &name).await.expect("it may be made now");
    let found = Control::diagnose(&endpoint("BARNCAT_CONTROL_URL"), &name, &of_test).await;
    assert!(found.iter().any(|finding| finding.message == "are those of this release"), "{found:#?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_one_failure() {
    let nowhere = Endpoint::parse(
        &Secret::new("postgres://barncat@127.0.0.1:1/control"),
        &TlsSettings::default(),
        std::path::Path::new("."),
    )
    .expect("a valid url");
    let found = Control::diagnose(&nowhere, "barncat_control", "barncat_control_test").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.starts_with("cannot reach 127.0.0.1:1/control: "), "{found:?}");
}

//! Rows and columns that the role may not see: an error that says which, never fewer rows.

use barncat::{
    error::{Class, Fault},
    source::SourceError,
    sql::TableName,
};

use super::{all_lines, extraction, kept_snapshot, lines, snapshot};
use crate::support::Schema;

const PEOPLE: &str = "
    CREATE TABLE people (id int PRIMARY KEY, owner text NOT NULL, \"Secret No\" text);
    INSERT INTO people VALUES (1, 'barncat_source', 'x'), (2, 'somebody', 'y');";

const POLICY: &str = "
    CREATE POLICY own ON people USING (owner = current_user);
    ALTER TABLE people ENABLE ROW LEVEL SECURITY;";

async fn read(schema: &Schema, table: &str, columns: &[&str]) -> Result<Vec<String>, SourceError> {
    all_lines(&*snapshot().await, &extraction(&TableName::new(schema.name(), table), columns)).await
}

/// Message, hint and class of the error that reading must end in.
async fn refusal(schema: &Schema, table: &str, columns: &[&str]) -> (String, String, Class) {
    match read(schema, table, columns).await {
        Ok(lines) => panic!("{} rows of {table} were read", lines.len()),
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            (message(error.as_ref()), hint, error.class())
        }
    }
}

fn message(error: &dyn Fault) -> String {
    barncat::error::Failure::of(error).message
}

#[tokio::test]
async fn rows_hidden_by_row_security_are_an_error_that_names_the_table() {
    let schema = Schema::on_standby(&format!("{PEOPLE} {POLICY}")).await;
    let (message, hint, class) = refusal(&schema, "people", &["id"]).await;
    assert_eq!(message, format!("row security would hide rows of {}.people from this role", schema.name()));
    assert_eq!(class, Class::Lasting);
    assert!(hint.contains("BYPASSRLS"), "{hint}");
}

#[tokio::test]
async fn row_security_of_a_partition_or_below_a_view_hides_nothing_in_silence() {
    let schema = Schema::on_standby(&format!(
        "{PEOPLE} {POLICY}
         CREATE VIEW mine WITH (security_invoker = true) AS SELECT * FROM people;
         CREATE TABLE parted (id int, owner text) PARTITION BY LIST (owner);
         CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
         INSERT INTO parted VALUES (1, 'barncat_source'), (2, 'somebody');
         CREATE POLICY own ON parted_1 USING (owner = current_user);
         ALTER TABLE parted_1 ENABLE ROW LEVEL SECURITY;"
    ))
    .await;
    for table in ["mine", "parted"] {
        let (message, _, class) = refusal(&schema, table, &["id"]).await;
        assert!(message.contains("row") && message.contains("security"), "{message}");
        assert!(message.contains(table), "{message}");
        assert_eq!(class, Class::Lasting, "{message}");
    }
}

/// A policy that comes between the planning and a part.
#[tokio::test]
async fn row_security_that_comes_later_hides_nothing_in_silence() {
    let schema = Schema::on_standby(PEOPLE).await;
    let snapshot = kept_snapshot().await;
    let extraction = extraction(&TableName::new(schema.name(), "people"), &["id"]);
    let parts = snapshot.plan_parts(&extraction).await.expect("it can be planned");
    schema.run_on_primary(POLICY).await;
    let error = lines(&*snapshot, &parts[0]).await.expect_err("one of two rows would come");
    assert!(message(error.as_ref()).contains("row-level security"), "{error}");
}

#[tokio::test]
async fn a_role_that_bypasses_row_security_reads_all() {
    let schema = Schema::on_standby(&format!("{PEOPLE} {POLICY}")).await;
    let source = super::source(super::options(&crate::support::variable("BARNCAT_REPLICA_ADMIN_URL")));
    let snapshot = barncat::source::Source::open_snapshot(&*source, barncat::event::Tier::Optional)
        .await
        .expect("it may");
    let extraction = extraction(&TableName::new(schema.name(), "people"), &["id"]);
    assert_eq!(all_lines(&*snapshot, &extraction).await.expect("it may"), ["1", "2"]);
}

#[tokio::test]
async fn a_role_with_some_columns_reads_those_and_is_told_of_the_others() {
    let schema = Schema::on_standby(&format!(
        "{PEOPLE} REVOKE SELECT ON people FROM barncat_source; GRANT SELECT (id, owner) ON people TO barncat_source"
    ))
    .await;
    assert_eq!(
        read(&schema, "people", &["id", "owner"]).await.expect("these it may read"),
        ["1,barncat_source", "2,somebody"]
    );
    let (message, hint, class) = refusal(&schema, "people", &["id", "owner", "Secret No"]).await;
    assert_eq!(message, format!("the role may not read column Secret No of {}.people", schema.name()));
    assert!(hint.starts_with("GRANT SELECT (\"Secret No\") ON"), "{hint}");
    assert!(hint.contains("`exclude` or `columns`"), "{hint}");
    assert_eq!(class, Class::Lasting);
}

#[tokio::test]
async fn a_role_without_any_right_is_told_which_one_to_ask_for() {
    let schema = Schema::on_standby(&format!("{PEOPLE} REVOKE SELECT ON people FROM barncat_source")).await;
    let (message, hint, class) = refusal(&schema, "people", &["id"]).await;
    assert_eq!(message, format!("the role may not read any column of {}.people", schema.name()));
    assert_eq!(hint, format!("GRANT SELECT ON \"{}\".\"people\" TO \"barncat_source\"", schema.name()));
    assert_eq!(class, Class::Lasting);
}

#[tokio::test]
async fn a_role_that_may_not_use_the_schema_is_told_so() {
    let schema = Schema::on_standby(PEOPLE).await;
    let revoke = format!("REVOKE USAGE ON SCHEMA {} FROM barncat_source", schema.name());
    schema.run_on_primary(&revoke).await;
    let (message, hint, class) = refusal(&schema, "people", &["id"]).await;
    assert!(message.contains(&format!("permission denied for schema {}", schema.name())), "{message}");
    assert!(hint.contains("GRANT"), "{hint}");
    assert_eq!(class, Class::Lasting);
}

/// A standby has no rows of an unlogged table, and of a partition neither.
#[tokio::test]
async fn an_unlogged_table_is_an_error_that_names_it() {
    let schema = Schema::on_standby(
        "CREATE UNLOGGED TABLE fast (id int); INSERT INTO fast VALUES (1);
         CREATE TABLE parted (id int) PARTITION BY RANGE (id);
         CREATE TABLE kept PARTITION OF parted FOR VALUES FROM (0) TO (10);
         CREATE UNLOGGED TABLE lost PARTITION OF parted FOR VALUES FROM (10) TO (20);
         INSERT INTO parted VALUES (1), (11);",
    )
    .await;
    for (table, unlogged) in [("fast", "fast"), ("parted", "lost")] {
        let (message, hint, class) = refusal(&schema, table, &["id"]).await;
        let expected = format!("{}.{unlogged} is unlogged: a standby has no rows of it", schema.name());
        assert_eq!(message, expected);
        assert!(!hint.is_empty());
        assert_eq!(class, Class::Lasting);
    }
}

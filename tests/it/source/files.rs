//! Rows move under a snapshot: it protects rows, not files. What rewrites a table, replayed while it
//! is read, must end in an error that passes, never in a short table.

use std::sync::Arc;

use barncat::{
    error::Class,
    source::{Extraction, PartPlan},
    sql::TableName,
};

use super::{Kept, all_lines, class, extraction, kept_snapshot, lines, snapshot};
use crate::support::{Schema, project::Project};

pub(super) const ROWS: usize = 900;

const TABLES: &str = "
    CREATE TABLE t (id int PRIMARY KEY, pad text NOT NULL);
    INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n;
    DELETE FROM t WHERE id <= 100;
    CREATE TABLE p (id int, pad text NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (600);
    CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (600) TO (2000);
    INSERT INTO p SELECT id, pad FROM t;";

/// Upon them: they would keep the tables from being altered.
const VIEWS: &str = "
    CREATE VIEW v AS SELECT id, pad FROM t;
    CREATE VIEW vp AS SELECT id, pad FROM p;
    CREATE MATERIALIZED VIEW m AS SELECT id, pad FROM t;";

/// One table of a schema, its parts planned in a snapshot.
pub(super) struct Planned {
    pub(super) schema: Schema,
    snapshot: Arc<Kept>,
    extraction: Extraction,
    parts: Vec<PartPlan>,
}

impl Planned {
    pub(super) async fn new(table: &str) -> Self {
        let schemas = [Self::schema(table).await];
        Self::all(table, schemas).await.pop().expect("one is planned")
    }

    pub(super) async fn schema(table: &str) -> Schema {
        let views = if matches!(table, "v" | "vp" | "m") { VIEWS } else { "" };
        Schema::on_standby(&format!("{TABLES} {views}")).await
    }

    /// The table of each schema, all in one snapshot.
    pub(super) async fn all(table: &str, schemas: impl IntoIterator<Item = Schema>) -> Vec<Self> {
        let snapshot = Arc::new(kept_snapshot().await);
        let mut all = Vec::new();
        for schema in schemas {
            let extraction = extraction(&TableName::new(schema.name(), table), &["id"]);
            let parts = snapshot.plan_parts(&extraction).await.expect("it can be planned");
            all.push(Self { schema, snapshot: snapshot.clone(), extraction, parts });
        }
        all
    }

    /// Each statement by itself: some must not stand in a transaction.
    pub(super) async fn change(&self, statements: &[&str]) {
        for sql in statements {
            self.schema.run_on_primary(&sql.replace('@', self.schema.name())).await;
        }
    }

    /// How many rows some parts give, or the class of the first error.
    pub(super) async fn read(&self, parts: &[PartPlan]) -> Result<usize, Class> {
        let mut rows = 0;
        for part in parts {
            rows += lines(&**self.snapshot, part).await.map_err(|error| class(&error))?.len();
        }
        Ok(rows)
    }

    /// Changes it between planning and reading.
    pub(super) async fn changed_before_the_first_part(&self, statements: &[&str]) -> Result<usize, Class> {
        self.change(statements).await;
        self.read(&self.parts).await
    }

    /// Changes it between two parts. The first are read whole.
    pub(super) async fn changed_between_two_parts(&self, statements: &[&str]) -> Result<usize, Class> {
        let (first, rest) = self.parts.split_at(self.parts.len() / 2);
        assert!(!first.is_empty() && !rest.is_empty(), "the table has several parts");
        let rows = self.read(first).await.expect("nothing has moved yet");
        assert!(rows < ROWS, "something is left to read");
        self.change(statements).await;
        Ok(rows + self.read(rest).await?)
    }
}

/// Every list of statements on a table of its own.
pub(super) async fn all(table: &str, lists: &[&[&str]]) -> Vec<Planned> {
    let mut schemas = Vec::new();
    for _ in lists {
        schemas.push(Planned::schema(table).await);
    }
    Planned::all(table, schemas).await
}

const REWRITES: &[&[&str]] = &[
    &["VACUUM FULL @.t"],
    &["CLUSTER @.t USING t_pkey"],
    &["TRUNCATE @.t"],
    &["ALTER TABLE @.t ALTER pad TYPE varchar(200) USING left(pad, 5)"],
    &["ALTER TABLE @.t ALTER id TYPE bigint"],
    &["DROP TABLE @.t CASCADE"],
    &["DROP TABLE @.t CASCADE", "CREATE TABLE @.t (id int, pad text)"],
    &["ALTER TABLE @.t RENAME TO gone", "CREATE TABLE @.t (id int, pad text)"],
    &["ALTER TABLE @.t RENAME id TO old_id; ALTER TABLE @.t ADD id int"],
    &["ALTER TABLE @.t DROP id CASCADE; ALTER TABLE @.t ADD id int"],
];

#[tokio::test]
async fn a_table_rewritten_between_planning_and_reading_is_never_short() {
    for (table, statements) in all("t", REWRITES).await.iter().zip(REWRITES) {
        let read = table.changed_before_the_first_part(statements).await;
        assert_eq!(read, Err(Class::Passing), "{statements:?}");
    }
}

#[tokio::test]
async fn a_table_rewritten_between_two_parts_is_never_short() {
    for (table, statements) in all("t", REWRITES).await.iter().zip(REWRITES) {
        let read = table.changed_between_two_parts(statements).await;
        assert_eq!(read, Err(Class::Passing), "{statements:?}");
    }
}

#[tokio::test]
async fn a_materialized_view_refreshed_while_it_is_read_is_never_short() {
    let statements = &["DELETE FROM @.t WHERE id < 500", "REFRESH MATERIALIZED VIEW @.m"];
    let read = Planned::new("m").await.changed_between_two_parts(statements).await;
    assert_eq!(read, Err(Class::Passing));
}

#[tokio::test]
async fn rows_that_change_while_a_table_is_read_do_no_harm() {
    let statements: &[&str] = &[
        "INSERT INTO @.t SELECT n, 'new' FROM generate_series(2000, 4000) n",
        "UPDATE @.t SET pad = 'changed' WHERE id % 3 = 0",
        "DELETE FROM @.t WHERE id % 5 = 0",
        "VACUUM @.t",
        "ALTER TABLE @.t ADD more int DEFAULT 5",
        "CREATE INDEX ON @.t (pad)",
        "ANALYZE @.t",
    ];
    let tables = all("t", &[statements, statements]).await;
    assert_eq!(tables[0].changed_before_the_first_part(statements).await, Ok(ROWS));
    assert_eq!(tables[1].changed_between_two_parts(statements).await, Ok(ROWS));
}

#[tokio::test]
async fn a_table_rewritten_between_snapshot_and_planning_is_never_short() {
    let schema = Planned::schema("t").await;
    let snapshot = kept_snapshot().await;
    let extraction = extraction(&TableName::new(schema.name(), "t"), &["id"]);
    // Its first query, as a load makes it.
    snapshot.describe(&extraction.table).await.expect("it is there");
    schema.run_on_primary(&format!("TRUNCATE {}.t", schema.name())).await;
    let error = all_lines(&*snapshot, &extraction).await.expect_err("900 rows were there");
    assert_eq!(class(&error), Class::Passing, "{error}");
    assert!(error.to_string().contains(".t was rewritten"), "it names the table: {error}");
}

/// A new snapshot, as the next attempt takes it, reads what is there now.
#[tokio::test]
async fn the_next_snapshot_reads_the_rewritten_table() {
    let planned = Planned::new("t").await;
    let read = planned.changed_before_the_first_part(&["VACUUM FULL @.t"]).await;
    assert_eq!(read, Err(Class::Passing));
    let lines = all_lines(&*snapshot().await, &planned.extraction).await.expect("it can be read again");
    assert_eq!(lines.len(), ROWS);
}

#[tokio::test]
async fn a_run_begins_such_a_table_anew() {
    let project = Project::new(TABLES, "[tables]\nt = \"full\"\np = \"full\"\n").await;
    for _ in 0..3 {
        tokio::select! {
            outcome = project.run(&["--full"]) => assert_eq!(outcome["status"], "succeeded"),
            () = rewriting(&project) => unreachable!("it never ends"),
        }
        project.assert_equal(&["t", "p"]).await;
    }
}

/// One rewrite every moment: some of them meet the run. No more than a run has tries for, however slow the
/// machine is.
async fn rewriting(project: &Project) {
    for table in ["t", "p", "t", "p"] {
        let sql = format!("VACUUM FULL {}.{table}", project.source.name());
        project.source.run_on_primary(&sql).await;
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
    std::future::pending().await
}

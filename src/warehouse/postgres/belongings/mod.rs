//! What belongs to a table and would be lost with it: read from the live table as statements for the
//! one that takes its place.
//!
//! In three phases: **shape**, before the fill, what rows are written by; **build**, after it, all that
//! takes time or needs the rows; **settle**, under the locks, what needs the table's own name. The first
//! two are read again under the locks and compared: nothing that somebody changed meanwhile is lost.

mod build;
mod settle;
mod shape;

use std::collections::BTreeSet;

pub(super) use self::build::{grants, revokes};

use super::{
    PostgresWarehouseError, live,
    staging::{PostgresStaging, key_name},
};
use crate::{
    fail_point,
    pg::{Connection, PgError},
    sql::{Dialect, TableName, quote_ident},
};

/// Objects that depend on the table `live` and are carried over. What is not listed here, and is no
/// view, is an obstacle; a test holds the kinds below against it.
pub(super) const CARRIED_DEPENDENTS: &str = "
    SELECT 'pg_class'::regclass, x.indexrelid FROM live t JOIN pg_index x ON x.indrelid = t.oid
    UNION ALL
    SELECT 'pg_attrdef'::regclass, d.oid FROM live t JOIN pg_attrdef d ON d.adrelid = t.oid
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid FROM live t JOIN pg_constraint k ON k.conrelid = t.oid
    WHERE k.confrelid <> t.oid
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid FROM live t JOIN pg_statistic_ext s ON s.stxrelid = t.oid
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid FROM live t JOIN pg_policy p ON p.polrelid = t.oid
    UNION ALL
    SELECT 'pg_trigger'::regclass, g.oid FROM live t JOIN pg_trigger g ON g.tgrelid = t.oid";

/// What happens to a belonging whose column is gone. The same as at ALTER TABLE … DROP COLUMN, but
/// that what goes is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It is nothing without the column.
    Silent,
    /// It goes, with a warning. Also where the column's new type does not fit.
    Warn,
    /// It stands for a rule that people rely upon: nothing is published.
    Refuse,
}

/// One kind of belonging.
struct Kind {
    /// Reads it from `live t`: what it is about, the columns that it needs, the statement.
    sql: String,
    loss: Loss,
}

impl Kind {
    fn new(loss: Loss, sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), loss }
    }
}

/// When statements are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Shape,
    Build,
    Settle,
}

impl Phase {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Shape => shape::kinds(),
            Self::Build => build::kinds(),
            Self::Settle => settle::kinds(),
        }
    }
}

/// One statement for the table that takes the live one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Belonging {
    /// What it is about, for people: `index orders_note_idx`.
    about: String,
    /// The columns that it needs.
    columns: Vec<String>,
    statement: String,
    loss: Loss,
}

/// What belongs to a table, as statements in the order in which they are run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Belongings(Vec<Belonging>);

/// The live table `$1` with what the kinds' statements need: its own name as SQL, the staging table's,
/// the load, the staging schema, the key's columns and its constraint as it is called for now (`$2` to
/// `$6`). And the columns that each object needs. The same text for every table: to plan it takes longer
/// than to run it, and a session does that once.
fn sources() -> String {
    format!(
        "live AS (
             SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name,
                    $2::text AS staging, $3::text AS load, $4::text AS staging_schema,
                    $5::text[] AS key, $6::text AS key_name,
                    c.relowner = current_user::regrole AS is_ours
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = $1 AND c.relkind = 'r'),
         needs AS (
             SELECT d.classid, d.objid, array_agg(DISTINCT a.attname::text ORDER BY a.attname::text) AS columns
             FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.refobjsubid > 0
             GROUP BY d.classid, d.objid),
         indexes AS ({})",
        build::INDEXES
    )
}

/// Reads what belongs to the table with this oid.
pub(super) async fn read(staging: &PostgresStaging, oid: u32, phase: Phase) -> Result<Belongings, PgError> {
    let kinds = phase.kinds();
    let all: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            format!("SELECT {number}, about, columns, sql FROM ({}) AS k(about, columns, sql)", kind.sql)
        })
        .collect();
    let sql = format!("WITH {} {} ORDER BY 1, 2, 4", sources(), all.join(" UNION ALL "));
    let (spec, schema) = (&staging.spec, quote_ident(&staging.table.schema));
    let (table, key_name) = (staging.table.quoted(), quote_ident(&key_name(&spec.load)));
    let rows = staging
        .connection
        .query_again(&sql, &[&oid, &table, &spec.load, &schema, &spec.key, &key_name])
        .await
        .map_err(|error| {
            staging.connection.error(format!("look at what belongs to {}", spec.table), &error)
        })?;
    let belonging = |row: &tokio_postgres::Row| {
        let number = usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
        Belonging {
            about: row.get(1),
            columns: row.get::<_, Option<Vec<String>>>(2).unwrap_or_default(),
            statement: row.get(3),
            loss: kinds.get(number).map_or(Loss::Refuse, |kind| kind.loss),
        }
    };
    Ok(Belongings(rows.iter().map(belonging).collect()))
}

/// Gives the empty staging table what rows are written by, where there is a live table: before the fill.
pub(super) async fn shape(staging: &PostgresStaging) -> Result<(), PostgresWarehouseError> {
    let Some(old) = live::find(&staging.connection, &staging.spec.table).await? else { return Ok(()) };
    let shape = read(staging, old.oid, Phase::Shape).await?;
    fail_point!("staging.shape.before");
    carry(staging, &shape, &mut Lost::default()).await?;
    fail_point!("staging.shape.after");
    Ok(())
}

/// What is not carried over, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost {
    about: BTreeSet<String>,
    /// One for each, for people.
    pub(super) warnings: Vec<String>,
}

impl Belongings {
    /// Those whose columns are all there, and which were not lost before. What must not be lost is an
    /// error that names all of it.
    fn fitting(
        &self,
        staging: &PostgresStaging,
        lost: &mut Lost,
    ) -> Result<Vec<&Belonging>, PostgresWarehouseError> {
        let table = &staging.spec.table;
        let is_there = |name: &String| {
            staging.spec.all_columns(Dialect::Postgres).iter().any(|column| column.name == *name)
        };
        let (mut fitting, mut needed_by) = (Vec::new(), Vec::new());
        for belonging in &self.0 {
            if lost.about.contains(&belonging.about) {
                continue;
            }
            let Some(gone) = belonging.columns.iter().find(|name| !is_there(name)) else {
                fitting.push(belonging);
                continue;
            };
            match belonging.loss {
                Loss::Silent => {}
                Loss::Warn => lost.add(&belonging.about, table, &format!("its column {gone} is gone")),
                Loss::Refuse => needed_by.push(format!("{} (column {gone})", belonging.about)),
            }
        }
        match needed_by.is_empty() {
            true => Ok(fitting),
            false => Err(PostgresWarehouseError::ColumnNeeded { table: table.clone(), needed_by }),
        }
    }

    /// All fitting statements as one batch: for the time under the locks.
    pub(super) fn batch(
        &self,
        staging: &PostgresStaging,
        lost: &mut Lost,
    ) -> Result<String, PostgresWarehouseError> {
        let fitting = self.fitting(staging, lost)?;
        Ok(fitting.iter().map(|belonging| belonging.statement.as_str()).collect::<Vec<_>>().join(";\n"))
    }
}

impl Lost {
    fn add(&mut self, about: &str, table: &TableName, why: &str) {
        if self.about.insert(about.to_owned()) {
            self.warnings.push(format!("dropped {about} of {table}: {why}"));
        }
    }
}

/// Runs the statements one by one, so that an error says what it is about.
pub(super) async fn carry(
    staging: &PostgresStaging,
    belongings: &Belongings,
    lost: &mut Lost,
) -> Result<(), PostgresWarehouseError> {
    let (connection, table) = (&staging.connection, &staging.spec.table);
    for belonging in belongings.fitting(staging, lost)? {
        let about = &belonging.about;
        if lost.about.contains(about) {
            continue;
        }
        match carry_one(connection, table, belonging).await {
            Err(error) if belonging.loss == Loss::Warn && does_not_fit(&error) => {
                connection.run("leave something out", "ROLLBACK TO SAVEPOINT barncat_belonging").await?;
                let why = error.server().map_or_else(String::new, |error| error.message.clone());
                lost.add(about, table, &why);
            }
            // The server speaks of the staging table, and of a name that the index has for now.
            Err(error) if matches!(error.code(), Some("23505" | "23P01")) => {
                return Err(PostgresWarehouseError::NotUniqueBy {
                    table: table.clone(),
                    object: about.clone(),
                });
            }
            other => other?,
        }
    }
    Ok(())
}

async fn carry_one(connection: &Connection, table: &TableName, belonging: &Belonging) -> Result<(), PgError> {
    let doing = format!("carry over {} of {table}", belonging.about);
    match belonging.loss {
        Loss::Warn => {
            let sql = format!(
                "SAVEPOINT barncat_belonging; {}; RELEASE SAVEPOINT barncat_belonging",
                belonging.statement
            );
            connection.run(&doing, &sql).await
        }
        Loss::Silent | Loss::Refuse => connection.run(&doing, &belonging.statement).await,
    }
}

/// Whether a statement was for columns of other types: an error of names and types, not of rights.
fn does_not_fit(error: &PgError) -> bool {
    error.code().is_some_and(|code| (code.starts_with("42") && code != "42501") || code == "0A000")
}

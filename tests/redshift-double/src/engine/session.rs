//! One session: statements run one after another, on a connection of its own.

use std::{collections::HashMap, sync::Arc};

use tokio_postgres::{CancelToken, SimpleQueryMessage};

use super::{
    Connection, Engine,
    copy::LastCopy,
    error::{SqlError, faults},
    outcome::{Outcome, ResultColumn, shown},
    tables,
};
use crate::{
    knobs::StatementFault,
    sql::{
        self, Statement,
        alter::AlterTable,
        change::Change,
        names::{Name, Naming},
    },
};

/// A session.
pub(crate) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) client: Connection,
    pub(super) pid: i32,
    pub(super) in_transaction: bool,
    /// Settings that only Redshift has.
    settings: HashMap<String, String>,
    /// The id of the query under way, and that of the one before.
    pub(super) query_id: i64,
    query_before: i64,
    pub(super) last_copy: LastCopy,
    is_serverless: bool,
    user: String,
}

impl Session {
    /// Opens one, as this user if one is named (§7: `DbUser`), of a workgroup or of a cluster.
    pub(crate) async fn open(
        engine: &Arc<Engine>,
        user: Option<&str>,
        is_serverless: bool,
    ) -> Result<Self, SqlError> {
        let client = engine.connect().await?;
        let engine_of = Arc::clone(engine);
        let mut session = Self {
            engine: engine_of,
            client,
            pid: 0,
            in_transaction: false,
            settings: HashMap::new(),
            query_id: -1,
            query_before: -1,
            last_copy: LastCopy::default(),
            is_serverless,
            user: String::new(),
        };
        engine.set_up(&session.client).await?;
        if let Some(user) = user {
            session.log_in(user).await?;
        }
        let row = session.client.query_one("SELECT pg_backend_pid(), current_user::text", &[]).await?;
        session.pid = row.get(0);
        session.user = row.get(1);
        Ok(session)
    }

    /// Ends one that has nothing under way. One that is dropped ends with its connection.
    pub(crate) async fn close(self) {
        if !self.in_transaction {
            self.engine.give_back(self.client).await;
        }
    }

    async fn log_in(&self, user: &str) -> Result<(), SqlError> {
        let failed = |_| {
            let text = format!("password authentication failed for user \"{user}\"");
            SqlError::new("28P01", text)
        };
        let sql = format!("SET SESSION AUTHORIZATION {}", sql::quoted(user));
        self.client.batch_execute(&sql).await.map_err(failed)
    }

    /// The process id that the session shows.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Begins a query; its id.
    pub(crate) fn next_query_id(&mut self) -> i64 {
        self.query_before = self.query_id;
        self.query_id = self.engine.next_query_id();
        self.query_id
    }

    /// Whether it is one of a serverless workgroup, which has no STL tables (§1.7).
    pub(super) fn is_serverless(&self) -> bool {
        self.is_serverless
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Leaves the block as an error does.
    pub(crate) async fn abort_block(&self) {
        let _ = self.client.batch_execute("SELECT 1/0").await;
    }

    /// Whether a transaction block is open.
    pub(crate) fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// What cancels the statement under way.
    pub(crate) fn canceller(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Runs one statement, with the faults that are planned for it.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Outcome, SqlError> {
        let knobs = self.engine.knobs().clone();
        knobs.note_statement(sql);
        self.engine.record().statement(sql);
        let before = |fault: &StatementFault| {
            matches!(
                fault,
                StatementFault::Fail(_)
                    | StatementFault::Hang
                    | StatementFault::Wait(_)
                    | StatementFault::Cut
            )
        };
        match knobs.next_for_statement(sql, before) {
            Some(StatementFault::Fail(error)) => return Err(self.failed(error).await),
            // It is Postgres that waits, so that it is Postgres that is cancelled.
            Some(StatementFault::Hang) => self.client.batch_execute("SELECT pg_sleep(3600)").await?,
            Some(StatementFault::Wait(time)) => tokio::time::sleep(time).await,
            Some(StatementFault::Cut) => return Err(self.cut()),
            _ => {}
        }
        let parsed = sql::parse(sql, self.naming());
        let ran = match parsed {
            Ok(Statement::Copy(copy)) => {
                let lose = |fault: &StatementFault| matches!(fault, StatementFault::LoseRows(_));
                let rows = match knobs.next_for_statement(sql, lose) {
                    Some(StatementFault::LoseRows(rows)) => rows,
                    _ => 0,
                };
                self.copy(&copy, rows).await
            }
            Ok(statement) => self.run_parsed(statement).await,
            Err(error) => Err(self.failed(error).await),
        };
        let outcome = ran.map_err(|error| self.told(error))?;
        let after = |fault: &StatementFault| {
            matches!(fault, StatementFault::DoAndFail(_) | StatementFault::Disconnect)
        };
        match knobs.next_for_statement(sql, after) {
            Some(StatementFault::DoAndFail(error)) => Err(self.failed(error).await),
            Some(StatementFault::Disconnect) => Err(self.cut()),
            _ => Ok(outcome),
        }
    }

    /// The connection ends: what is not committed is rolled back.
    fn cut(&self) -> SqlError {
        self.client.task.abort();
        SqlError::new("08006", "connection to the database was lost")
    }

    /// §2.3: whatever ends a query from outside names the query.
    fn told(&self, error: SqlError) -> SqlError {
        match error.code.as_str() {
            "57014" => {
                SqlError::new("57014", format!("Query ({}) canceled on user's request", self.query_id))
            }
            _ => error,
        }
    }

    /// A planned error leaves the transaction as a real one does.
    async fn failed(&self, error: SqlError) -> SqlError {
        if self.in_transaction {
            self.abort_block().await;
        }
        error
    }

    /// How names are read: `enable_case_sensitive_identifier` (§4).
    fn naming(&self) -> Naming {
        let setting = self.settings.get("enable_case_sensitive_identifier");
        Naming { case_sensitive: setting.is_some_and(|value| matches!(value.as_str(), "true" | "on" | "1")) }
    }

    async fn run_parsed(&mut self, statement: Statement) -> Result<Outcome, SqlError> {
        match statement {
            Statement::Begin => self.begin().await,
            Statement::Commit => self.commit().await,
            Statement::Rollback => self.roll_back().await,
            Statement::Set { name, value } => {
                match value {
                    Some(value) => self.settings.insert(name, value),
                    None => self.settings.remove(&name),
                };
                Ok(Outcome::default())
            }
            Statement::Show { sql: Some(sql), .. } => self.select(&sql).await,
            Statement::Show { name, sql: None } => {
                let value = self.settings.get(&name).map_or("off", String::as_str);
                self.select(&format!("SELECT {}::varchar AS {name}", sql::literal(value))).await
            }
            Statement::Rows(query) => {
                self.check_age(&query.reads).await?;
                self.tell_of_session(&query.sql).await?;
                self.select(&query.sql).await
            }
            Statement::Copy(copy) => self.copy(&copy, 0).await,
            Statement::Change(change) => self.change(&change).await,
            Statement::CreateTable(create) => self.define(&tables::create(&create)).await,
            Statement::AlterTable(alter) => self.alter(&alter).await,
            Statement::CreateView(view) => {
                self.create_view(&view).await?;
                Ok(Outcome::default())
            }
            Statement::CreateIdentity { sql, name, kind } => {
                let name = sql::literal(name.trim_matches('"'));
                let note = format!("INSERT INTO redshift_double.identities VALUES ({name}, '{kind}')");
                self.define(&format!("{sql}; {note}")).await
            }
            Statement::Truncate(name) => self.truncate(&format!("TRUNCATE {name}")).await,
            Statement::Lock(names) => self.lock(&names).await,
            Statement::Vacuum(name) => {
                self.refuse_in_transaction("VACUUM").await?;
                let name = name.map(|name| name.to_string()).unwrap_or_default();
                self.define(&format!("VACUUM {name}")).await
            }
            Statement::Define(sql) => self.define(&sql).await,
        }
    }

    /// §2.2: not inside of a transaction block. The block is aborted, as by any error.
    async fn refuse_in_transaction(&self, what: &str) -> Result<(), SqlError> {
        if !self.in_transaction {
            return Ok(());
        }
        let text = format!("{what} cannot run inside a transaction block");
        Err(self.failed(SqlError::new("25001", text)).await)
    }

    async fn alter(&self, alter: &AlterTable) -> Result<Outcome, SqlError> {
        if let Some(what) = alter.action.outside_transactions() {
            self.refuse_in_transaction(what).await?;
        }
        self.define(&tables::alter(alter)?).await
    }

    /// §2.2: it commits what was done before, and itself; the transaction is over.
    async fn truncate(&mut self, sql: &str) -> Result<Outcome, SqlError> {
        if self.in_transaction {
            self.commit().await?;
        }
        self.define(sql).await
    }

    /// §2.3: ACCESS EXCLUSIVE; outside of a block it is released at once.
    async fn lock(&self, names: &[Name]) -> Result<Outcome, SqlError> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let block = if self.in_transaction { "" } else { "SELECT WHERE false;" };
        self.define(&format!("{block} LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "))).await
    }

    /// `BEGIN`; in a block it only warns.
    pub(crate) async fn begin(&mut self) -> Result<Outcome, SqlError> {
        self.client.batch_execute("BEGIN").await?;
        self.in_transaction = true;
        Ok(Outcome::default())
    }

    /// `COMMIT`. Of a transaction that failed it is a rollback, as in Postgres.
    pub(crate) async fn commit(&mut self) -> Result<Outcome, SqlError> {
        self.in_transaction = false;
        self.client.batch_execute("COMMIT").await?;
        Ok(Outcome::default())
    }

    /// `ROLLBACK`; outside of a block it only warns.
    pub(crate) async fn roll_back(&mut self) -> Result<Outcome, SqlError> {
        self.in_transaction = false;
        self.client.batch_execute("ROLLBACK").await?;
        Ok(Outcome::default())
    }

    /// §2.4: a table that was made after the transaction's snapshot is error 1018. Postgres would show it
    /// empty. Names are looked up as of now, `pg_class` is read as of the snapshot.
    pub(super) async fn check_age(&self, names: &[Name]) -> Result<(), SqlError> {
        if !self.in_transaction || names.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let sql = "SELECT FROM unnest($1::text[]) AS n WHERE to_regclass(n) IS NOT NULL
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass(n)) LIMIT 1";
        match self.client.query_opt(sql, &[&names]).await? {
            None => Ok(()),
            Some(_) => Err(self.failed(faults::relation_does_not_exist()).await),
        }
    }

    /// What functions tell of the session. Settings of Postgres go back with a rollback, these do not:
    /// so they are set before they are read.
    async fn tell_of_session(&self, sql: &str) -> Result<(), SqlError> {
        if !sql.contains("redshift_double.pg_last_") && !sql.contains("redshift_double.st") {
            return Ok(());
        }
        let (copy, query) = (self.last_copy, self.query_before);
        let sql = format!(
            "SET redshift_double.last_copy_count = '{}'; SET redshift_double.last_copy_id = '{}';
             SET redshift_double.last_query_id = '{query}'; SET redshift_double.serverless = '{}'",
            copy.count, copy.id, self.is_serverless
        );
        Ok(self.client.batch_execute(&sql).await?)
    }

    async fn define(&self, sql: &str) -> Result<Outcome, SqlError> {
        self.client.batch_execute(sql).await?;
        Ok(Outcome::default())
    }

    /// §2.3: writers of a table come one after another. The snapshot is taken before the lock is had,
    /// so that whoever waited may find its snapshot old (the order is unconfirmed).
    async fn change(&self, change: &Change) -> Result<Outcome, SqlError> {
        self.check_age(&change.query.reads).await?;
        self.check_age(std::slice::from_ref(&change.target)).await?;
        let sql = format!(
            "SELECT redshift_double.lock_for_write({}); {}",
            change.target.literal(),
            change.query.sql
        );
        let messages = self.client.simple_query(&sql).await?;
        let affected = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        Ok(Outcome { affected, ..Outcome::default() })
    }

    /// Values come as text, as only the simple protocol gives them; their types by a prepared statement.
    async fn select(&self, sql: &str) -> Result<Outcome, SqlError> {
        let prepared = self.client.prepare(sql).await?;
        let columns = prepared.columns().iter().map(|column| ResultColumn {
            name: column.name().to_owned(),
            type_: column.type_().clone(),
            modifier: column.type_modifier(),
        });
        let columns: Vec<_> = columns.collect();
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let value = |at: usize| Some(shown(&columns[at].type_, row.get(at)?));
                Some((0..row.len()).map(value).collect())
            }
            _ => None,
        });
        let rows = rows.collect();
        Ok(Outcome { rows, columns: Some(columns), affected: None })
    }
}

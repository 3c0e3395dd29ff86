//! Some rows: inserted where their key is new, merged where they are new or differ, deleted where the
//! source has them no more, or marked as such. All of it can be done twice without harm.

use super::{
    super::{PostgresWarehouseError, live},
    InPlace, columns_of, is_collision,
    key::{self, Key},
    sql::Sql,
};
use crate::{
    pg::PgError,
    sql::quote_ident,
    warehouse::{Increment, PublishKind, Written},
};

impl InPlace<'_> {
    /// Gives the live table the columns that are new. Waits for readers as briefly as every lock here.
    pub(super) async fn add_columns(&self) -> Result<(), PostgresWarehouseError> {
        let Some(increment) = &self.publication.increment else { return Ok(()) };
        let table = &self.staging.spec.table;
        let (connection, mut clauses) = (&self.staging.connection, Vec::new());
        let Some(live) = live::find(connection, table).await? else { return Ok(()) };
        let there = live::columns(connection, table, live.oid).await?;
        for column in &increment.added {
            // A load whose answer was lost has added it already.
            if !there.iter().any(|other| other.name == column.name) {
                clauses.push(format!("ADD COLUMN {} {}", quote_ident(&column.name), column.sql_type));
            }
        }
        if !clauses.is_empty() {
            let sql = format!("ALTER TABLE ONLY {} {}", table.quoted(), clauses.join(", "));
            self.run("add columns to the table", &sql).await?;
        }
        Ok(())
    }

    /// Writes the staging table's rows and takes away those that are gone.
    pub(super) async fn write_some(
        &self,
        oid: u32,
        increment: &Increment,
    ) -> Result<Written, PostgresWarehouseError> {
        let (connection, spec) = (&self.staging.connection, &self.staging.spec);
        let table = &spec.table;
        let Some(key) = Key::read(connection, table, oid, &spec.key).await? else {
            return Err(PostgresWarehouseError::NoKey { table: table.clone(), key: spec.key.clone() });
        };
        let sql = self.sql();
        let late = increment.late.as_deref().unwrap_or("false");
        let failed = |error| PostgresWarehouseError::of_replace(table, error);
        if self.publication.mark.is_none() && !increment.gone.is_empty() {
            key::refuse_cascade(connection, table, oid).await?;
        }
        let deleted = match increment.is_whole {
            true => self.execute(&sql.delete_gone(&key), &[]).await,
            false => self.delete_gone(&sql, &key, &increment.gone).await,
        };
        let deleted = deleted.map_err(failed)?;
        let revived = match sql.revive_some(&key, late) {
            Some(sql) => self.written(&sql).await.map_err(failed)?,
            None => Written::default(),
        };
        let mut written = match self.publication.kind {
            PublishKind::Insert => self.written(&sql.insert_new(&key, late)).await.map_err(failed)?,
            _ => self.merge(oid, &sql, &key, late).await?,
        };
        written.inserted += revived.inserted;
        written.late += revived.late;
        written.deleted = deleted;
        self.look_after(&sql, &key).await?;
        Ok(written)
    }

    /// New rows and those that differ.
    async fn merge(
        &self,
        oid: u32,
        sql: &Sql,
        key: &Key,
        late: &str,
    ) -> Result<Written, PostgresWarehouseError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let failed = |error| PostgresWarehouseError::of_replace(table, error);
        self.run("begin to merge the rows", "SAVEPOINT barncat_rows").await?;
        match self.written(&sql.upsert_some(key, late)).await {
            // A unique value that wandered from one row to another collides in passing.
            Err(error) if is_collision(&error) => {
                // Before anything can be asked: the error has ended what the savepoint began.
                self.run("merge the rows in another way", "ROLLBACK TO SAVEPOINT barncat_rows").await?;
                if key::is_referred_to(connection, table, oid).await? {
                    return Err(failed(error));
                }
                let changed = self.execute(&sql.delete_changed_some(key), &[]).await.map_err(failed)?;
                let written = self.written(&sql.insert_new(key, late)).await.map_err(failed)?;
                let inserted = written.inserted.saturating_sub(changed);
                Ok(Written { inserted, updated: changed, ..written })
            }
            written => Ok(written.map_err(failed)?),
        }
    }

    /// The statements, with the mark if rows are marked.
    fn sql(&self) -> Sql {
        let (spec, publication) = (&self.staging.spec, self.publication);
        Sql::new(&spec.table, &self.staging.table, &spec.columns)
            .marking(publication.mark.as_deref(), self.at)
    }

    /// How many rows are not marked, and how many are, if rows are marked.
    pub(super) async fn count_marked(&self) -> Result<Option<(u64, u64)>, PgError> {
        let Some(sql) = self.sql().count_marked() else { return Ok(None) };
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let row = connection.query_one(&sql, &[]).await;
        let row = row.map_err(|error| connection.error(format!("count {table}"), &error))?;
        let count = |place: usize| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0);
        Ok(Some((count(0), count(1))))
    }

    async fn delete_gone(&self, sql: &Sql, key: &Key, gone: &[Vec<String>]) -> Result<u64, PgError> {
        if gone.is_empty() {
            return Ok(0);
        }
        let columns = columns_of(gone, key.columns.len());
        let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            columns.iter().map(|column| column as _).collect();
        self.execute(&sql.delete_listed(key), &parameters).await
    }

    async fn execute(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<u64, PgError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let done = connection.execute(sql, parameters).await;
        done.map_err(|error| connection.error(format!("write the rows of {table}"), &error))
    }

    /// Does a statement that answers how many rows were inserted, updated, late.
    async fn written(&self, sql: &str) -> Result<Written, PgError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let row = connection
            .query_one(sql, &[])
            .await
            .map_err(|error| connection.error(format!("write the rows of {table}"), &error))?;
        let count = |place: usize| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0);
        Ok(Written { inserted: count(0), updated: count(1), late: count(2), deleted: 0 })
    }

    /// Rules and triggers of the table's own can write other rows than were asked for.
    async fn look_after(&self, sql: &Sql, key: &Key) -> Result<(), PostgresWarehouseError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let row = connection
            .query_one(&sql.count_absent(key), &[])
            .await
            .map_err(|error| connection.error(format!("count the rows of {table}"), &error))?;
        let (absent, all): (i64, i64) = (row.get(0), row.get(1));
        match absent {
            0 => Ok(()),
            _ => Err(PostgresWarehouseError::Interfered {
                table: table.clone(),
                expected: u64::try_from(all).unwrap_or(0),
                found: all - absent,
            }),
        }
    }
}

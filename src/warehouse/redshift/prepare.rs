//! What must be there before the first load, and what earlier ones left behind.

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    Cluster, RedshiftError,
    dialect::{self, ident, literal},
    transport::Batch,
};
use crate::{error::Fault, fail_point, sql::TableName};

const LEDGER_SQL: &str = include_str!("../../../sql/ledger/redshift.sql");

/// How long a table that is dropped is waited for.
const DROP_WITHIN: Duration = Duration::from_secs(30);

impl Cluster {
    /// Whether the ledger is there. Once it is, it stays: nobody asks again.
    pub(super) async fn is_prepared(&self) -> Result<bool, RedshiftError> {
        if self.prepared.load(Ordering::Acquire) {
            return Ok(true);
        }
        let sql = format!(
            "SELECT count(*)::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = {} AND c.relname = 'tables'",
            literal(&self.options.ledger_schema)
        );
        let [answer] = self.ask(Batch::new("look for the ledger", "ledger").then(sql)).await?;
        let is_there = answer.number() == Some(1);
        self.prepared.store(is_there, Ordering::Release);
        Ok(is_there)
    }

    /// Makes the ledger.
    pub(super) async fn prepare(&self) -> Result<(), RedshiftError> {
        if self.is_prepared().await? {
            return Ok(());
        }
        self.ensure_schema(&self.options.ledger_schema).await?;
        fail_point!("warehouse.prepare.before");
        let mut batch = Batch::new("make the ledger", "prepare");
        for statement in statements(LEDGER_SQL) {
            batch = batch.then(statement.replace(":ledger", &self.ledger()));
        }
        match self.transport.run(batch).await {
            Ok(_) => {}
            // Another process may have made it at the same time.
            Err(_) if self.is_prepared().await? => {}
            Err(error) => return Err(error),
        }
        fail_point!("warehouse.prepare.after");
        Ok(())
    }

    /// Makes a schema that is not there. Two who do so at once both succeed.
    pub(super) async fn ensure_schema(&self, schema: &str) -> Result<(), RedshiftError> {
        if self.has_schema(schema).await? {
            return Ok(());
        }
        fail_point!("warehouse.schema.before");
        let doing = format!("create the schema {schema}");
        let batch = Batch::new(doing, "prepare").then(format!("CREATE SCHEMA {}", ident(schema)));
        match self.transport.run(batch).await {
            Ok(_) => {}
            Err(_) if self.has_schema(schema).await? => {}
            Err(error) => return Err(error),
        }
        fail_point!("warehouse.schema.after");
        Ok(())
    }

    async fn has_schema(&self, schema: &str) -> Result<bool, RedshiftError> {
        let name = literal(&dialect::folded(schema));
        let sql = format!("SELECT count(*)::varchar FROM pg_namespace WHERE nspname = {name}");
        let [answer] =
            self.ask(Batch::new(format!("look for the schema {schema}"), "prepare").then(sql)).await?;
        Ok(answer.number() == Some(1))
    }

    /// The tables of loads, beside those they are for, and their loads.
    pub(super) async fn beside(&self) -> Result<Vec<(TableName, String)>, RedshiftError> {
        let mark = literal(&format!("__{}_", self.options.ledger_schema));
        let sql = format!(
            "SELECT n.nspname::varchar, c.relname::varchar FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND position({mark} IN c.relname::varchar) > 0
               AND pg_get_userbyid(c.relowner)::varchar = current_user::varchar
             ORDER BY 1, 2"
        );
        let [answer] = self.ask(Batch::new("list staging tables", "sweep").then(sql)).await?;
        let ours = answer.rows.into_iter().filter_map(|row| match row.as_slice() {
            [Some(schema), Some(name)] => {
                let load = dialect::load_of(name, &self.options.ledger_schema)?;
                Some((TableName::new(schema, name), load))
            }
            _ => None,
        });
        Ok(ours.collect())
    }

    /// Drops what dead loads left.
    pub(super) async fn sweep(
        &self,
        is_dead: &(dyn for<'a> Fn(&'a str) -> bool + Send + Sync),
    ) -> Result<Vec<String>, RedshiftError> {
        let mut swept = Vec::new();
        for (table, load) in self.beside().await? {
            if !is_dead(&load) {
                continue;
            }
            fail_point!("warehouse.sweep.before");
            // By the Data API a statement goes on without whoever sent it. A DROP that waited for a publish
            // under way could meet what is the live table by then.
            self.transport.give_up(&load).await?;
            match self.drop_table(&table, &format!("sweep {load}")).await {
                Ok(()) => swept.push(table.to_string()),
                // Whoever still holds a lock on it is alive after all, or is about to end.
                Err(error) if error.class() == crate::error::Class::Passing => {}
                // Somebody made a view of it: no reason to leave all else lie.
                Err(error) => tracing::warn!(%error, "a staging table of a dead load stays"),
            }
            fail_point!("warehouse.sweep.after");
        }
        Ok(swept)
    }

    /// Drops a view.
    pub(super) async fn drop_view(&self, view: &TableName, name: &str) -> Result<(), RedshiftError> {
        let sql = format!("DROP VIEW IF EXISTS {}", dialect::table(view));
        self.ask::<1>(Batch::new(format!("drop {view}"), name).then(sql)).await.map(drop)
    }

    /// Drops a table of a load.
    pub(super) async fn drop_table(&self, table: &TableName, name: &str) -> Result<(), RedshiftError> {
        let sql = format!("DROP TABLE IF EXISTS {}", dialect::table(table));
        let mut batch = Batch::new(format!("drop {table}"), name).then(sql);
        // A query that waited for a swap reads the old table now, for as long as it takes: the next run sweeps it.
        batch.locks = Some((1, self.transport.locks_within(DROP_WITHIN)));
        self.ask::<1>(batch).await.map(drop)
    }
}

/// The statements of a file: each ends in `;` at the end of a line. Comments are lines of their own.
fn statements(text: &str) -> impl Iterator<Item = String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let code = code.join("\n");
    let all: Vec<String> = code.split(";\n").map(|one| one.trim().trim_end_matches(';').to_owned()).collect();
    all.into_iter().filter(|one| !one.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_made_by_statements_of_one_batch() {
        let all: Vec<String> = statements(LEDGER_SQL).collect();
        assert_eq!(all.len(), 5, "{all:#?}");
        assert!(all.iter().all(|one| one.starts_with("CREATE") || one.starts_with("COMMENT")), "{all:#?}");
    }
}

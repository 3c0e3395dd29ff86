//! The swap: the old table is renamed away, the staging table in, all within the publish transaction.
//!
//! First everything slow, while readers go on; then the locks; then renames, which take no time. A try
//! whose locks are not to be had goes back to a savepoint: the frozen rows stay.

use super::{
    PostgresWarehouseError,
    live::{self, Relation},
    locks::{self, Patience},
    obstacles,
    staging::{PostgresStaging, key_name, name_of},
    views,
};
use crate::{
    fail_point,
    pg::PgError,
    sql::{TableName, quote_ident},
    warehouse::Publication,
};

/// Puts the staging table in the live one's place. Answers with warnings.
pub(super) async fn swap(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<Vec<String>, PostgresWarehouseError> {
    let table = &staging.spec.table;
    let swap = Swap { staging, publication };
    match live::find(&staging.connection, table).await? {
        None => swap.bring_in().await,
        Some(_) if publication.previous.is_none() => {
            Err(PostgresWarehouseError::NotOurs { table: table.clone() })
        }
        Some(_) => swap.exchange().await,
    }
}

/// One publish by swap.
struct Swap<'a> {
    staging: &'a PostgresStaging,
    publication: &'a Publication,
}

/// What a try came to.
enum Try {
    Done(Vec<String>),
    /// What belongs to the table is not what was carried over.
    Changed,
}

impl Swap<'_> {
    /// There is no live table yet.
    async fn bring_in(&self) -> Result<Vec<String>, PostgresWarehouseError> {
        fail_point!("publish.rename.before");
        self.move_in().await?;
        self.name_key().await?;
        fail_point!("publish.rename.after");
        self.grant().await?;
        Ok(Vec::new())
    }

    /// Tries until the locks are had, or the time for them is used up.
    async fn exchange(&self) -> Result<Vec<String>, PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        let mut patience = Patience::new(self.publication.lock_wait);
        self.sql("begin the swap", "SAVEPOINT barncat_swap").await?;
        loop {
            let failed = match self.attempt().await {
                Ok(Try::Done(warnings)) => return Ok(warnings),
                Ok(Try::Changed) => false,
                Err(error) if locks::is_refused(&error) => true,
                Err(error) => return Err(error),
            };
            self.sql("try the swap again", "ROLLBACK TO SAVEPOINT barncat_swap").await?;
            if failed && let Some(old) = live::find(&self.staging.connection, table).await? {
                patience.note_blockers(locks::blockers(&self.staging.connection, table, old.oid).await?);
            }
            if !patience.wait().await {
                let (table, waited_ms) = (table.clone(), patience.waited_ms());
                return Err(match failed {
                    true => {
                        PostgresWarehouseError::Locked { table, waited_ms, blockers: patience.blockers() }
                    }
                    false => PostgresWarehouseError::Unsteady { table, waited_ms },
                });
            }
        }
    }

    async fn attempt(&self) -> Result<Try, PostgresWarehouseError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let Some(old) = live::find(connection, table).await? else { return Ok(Try::Changed) };
        self.refuse_obstacles(&old).await?;
        let views = views::read(connection, table, old.oid).await?;
        locks::take(connection, table, &views, self.publication.lock_timeout).await?;
        // Nobody can change any of it from here on.
        if live::find(connection, table).await?.is_none_or(|now| now.oid != old.oid) {
            return Ok(Try::Changed);
        }
        let locked = views::read_locked(connection, table, old.oid).await?;
        if !views::are_same(&locked, &views) {
            return Ok(Try::Changed);
        }
        self.refuse_obstacles(&old).await?;
        fail_point!("publish.rename.before");
        let away = TableName::new(&table.schema, name_of(&self.staging.spec.load, "old"));
        let sql = format!("ALTER TABLE {} RENAME TO {}", table.quoted(), quote_ident(&away.name));
        self.sql("move the old table away", &sql).await?;
        self.move_in().await?;
        fail_point!("publish.rename.after");
        fail_point!("publish.views.before");
        let drop_broken = self.publication.drop_broken_views;
        let warnings = views::replace(connection, table, &locked, drop_broken).await?;
        fail_point!("publish.views.after");
        fail_point!("publish.drop.before");
        self.sql("drop the old table", &format!("DROP TABLE {}", away.quoted())).await?;
        self.name_key().await?;
        fail_point!("publish.drop.after");
        Ok(Try::Done(warnings))
    }

    /// What came to depend on the table after it was decided to swap.
    async fn refuse_obstacles(&self, old: &Relation) -> Result<(), PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        let obstacles = obstacles::obstacles(&self.staging.connection, table, old.oid).await?;
        match obstacles.is_empty() {
            true => Ok(()),
            false => Err(PostgresWarehouseError::Bound { table: table.clone(), obstacles }),
        }
    }

    async fn move_in(&self) -> Result<(), PgError> {
        let (staging, table) = (&self.staging.table, &self.staging.spec.table);
        let here = TableName::new(&table.schema, &staging.name);
        let sql = format!(
            "ALTER TABLE {} SET SCHEMA {}; ALTER TABLE {} RENAME TO {}",
            staging.quoted(),
            quote_ident(&table.schema),
            here.quoted(),
            quote_ident(&table.name)
        );
        self.sql("move the new table in", &sql).await
    }

    async fn name_key(&self) -> Result<(), PgError> {
        if self.staging.spec.key.is_empty() {
            return Ok(());
        }
        let table = &self.staging.spec.table;
        let sql = format!(
            "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
            table.quoted(),
            quote_ident(&key_name(&self.staging.spec.load)),
            quote_ident(&name_of(&table.name, "pkey"))
        );
        self.sql("name the key", &sql).await
    }

    async fn grant(&self) -> Result<(), PgError> {
        for (privilege, roles) in &self.publication.grants {
            for role in roles {
                let sql = format!(
                    "GRANT {privilege} ON {} TO {}",
                    self.staging.spec.table.quoted(),
                    quote_ident(role)
                );
                self.sql("grant privileges", &sql).await?;
            }
        }
        Ok(())
    }

    async fn sql(&self, doing: &str, sql: &str) -> Result<(), PgError> {
        self.staging.connection.run(&format!("{doing} of {}", self.staging.spec.table), sql).await
    }
}

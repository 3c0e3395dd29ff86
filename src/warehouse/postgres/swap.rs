//! The swap: the old table is renamed away, the staging table in, all within the publish transaction.
//!
//! First everything slow, while readers go on; then the locks; then renames, which take no time. A try
//! whose locks are not to be had goes back to a savepoint: the frozen rows stay.

use super::{
    PostgresWarehouseError,
    belongings::{self, Belongings, Lost, Phase},
    live::{self, Relation},
    locks::{self, Patience},
    obstacles,
    staging::{PostgresStaging, key_name, name_of},
    views::{self, View},
};
use crate::{
    fail_point,
    pg::PgError,
    sql::{Dialect, TableName, quote_ident},
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

/// What is made before the locks are taken, and must still be right once they are.
struct Built {
    old: Relation,
    belongings: Belongings,
    lost: Lost,
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

    /// Builds and tries, until the locks are had or the time for them is used up. Starts from the
    /// beginning when somebody changed meanwhile what was built.
    async fn exchange(&self) -> Result<Vec<String>, PostgresWarehouseError> {
        let mut patience = Patience::new(self.publication.lock_wait);
        // Our queries of the catalog join in the order in which they are best run. To plan them takes
        // most of their time: once is enough.
        let begin = "SET LOCAL join_collapse_limit = 1; SET LOCAL from_collapse_limit = 1;
            SET LOCAL plan_cache_mode = force_generic_plan; SAVEPOINT barncat_swap";
        self.sql("begin the swap", begin).await?;
        loop {
            let refused = match self.build().await {
                Ok(Some(built)) => match self.try_locked(&built, &mut patience).await? {
                    Some(warnings) => return Ok(warnings),
                    None => false,
                },
                Ok(None) => false,
                Err(error) if locks::is_refused(&error) => true,
                Err(error) => return Err(error),
            };
            self.sql("begin the swap again", "ROLLBACK TO SAVEPOINT barncat_swap").await?;
            self.stay_away(&mut patience, refused).await?;
        }
    }

    /// Everything that takes time. `None` when the table has just gone.
    async fn build(&self) -> Result<Option<Built>, PostgresWarehouseError> {
        let Some(old) = live::find(&self.staging.connection, &self.staging.spec.table).await? else {
            return Ok(None);
        };
        // A foreign key waits for a lock on the table that it refers to.
        self.sql("bound the waits", &locks::set_timeout(self.publication.lock_timeout)).await?;
        self.refuse_obstacles(&old).await?;
        let belongings = belongings::read(self.staging, old.oid, Phase::Build).await?;
        let mut lost = Lost::default();
        // Asked of no table, so that it is planned by the time that the locks are held.
        belongings::read(self.staging, 0, Phase::Settle).await?;
        fail_point!("publish.belongings.before");
        belongings::carry(self.staging, &belongings, &mut lost).await?;
        fail_point!("publish.belongings.after");
        Ok(Some(Built { old, belongings, lost }))
    }

    /// Tries until the locks are had. `None` when what was built is not right any more.
    async fn try_locked(
        &self,
        built: &Built,
        patience: &mut Patience,
    ) -> Result<Option<Vec<String>>, PostgresWarehouseError> {
        patience.begin();
        self.sql("begin the locked part of the swap", "SAVEPOINT barncat_locked").await?;
        loop {
            match self.attempt(built).await {
                Err(error) if locks::is_refused(&error) => {}
                other => return other,
            }
            // The frozen rows, and what was built, stay.
            self.sql("give the locks up", "ROLLBACK TO SAVEPOINT barncat_locked").await?;
            self.stay_away(patience, true).await?;
        }
    }

    /// Waits before the next try, or ends it all when the time is used up.
    async fn stay_away(&self, patience: &mut Patience, refused: bool) -> Result<(), PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        if refused && let Some(old) = live::find(&self.staging.connection, table).await? {
            patience.note_blockers(locks::blockers(&self.staging.connection, table, old.oid).await?);
        }
        if patience.wait().await {
            return Ok(());
        }
        let (table, waited_ms) = (table.clone(), patience.waited_ms());
        Err(match refused {
            true => PostgresWarehouseError::Locked { table, waited_ms, blockers: patience.blockers() },
            false => PostgresWarehouseError::Unsteady { table, waited_ms },
        })
    }

    /// One try: the locks, a last look, the renames.
    async fn attempt(&self, built: &Built) -> Result<Option<Vec<String>>, PostgresWarehouseError> {
        let (connection, table, oid) = (&self.staging.connection, &self.staging.spec.table, built.old.oid);
        let views = views::read(connection, table, oid).await?;
        locks::take(connection, table, &views, self.publication.lock_timeout).await?;
        // Nobody can change any of it from here on.
        let Some(locked) = self.look_again(built, &views).await? else { return Ok(None) };
        let mut lost = built.lost.clone();
        let settle =
            belongings::read(self.staging, oid, Phase::Settle).await?.batch(self.staging, &mut lost)?;
        fail_point!("publish.rename.before");
        let away = TableName::new(&table.schema, name_of(&self.staging.spec.load, "old"));
        let sql = format!("ALTER TABLE {} RENAME TO {}", table.quoted(), quote_ident(&away.name));
        self.sql("move the old table away", &sql).await?;
        self.move_in().await?;
        fail_point!("publish.rename.after");
        fail_point!("publish.views.before");
        let drop_broken = self.publication.drop_broken_views;
        let dropped = views::replace(connection, table, &locked, drop_broken).await?;
        fail_point!("publish.views.after");
        fail_point!("publish.drop.before");
        self.sql("drop the old table", &format!("DROP TABLE {}", away.quoted())).await?;
        fail_point!("publish.drop.after");
        fail_point!("publish.settle.before");
        self.sql("settle what belongs to it", &settle).await?;
        self.name_key().await?;
        fail_point!("publish.settle.after");
        Ok(Some(lost.warnings.into_iter().chain(dropped).collect()))
    }

    /// The views with their definitions; `None` if anything is not as it was when it was built.
    async fn look_again(
        &self,
        built: &Built,
        views: &[View],
    ) -> Result<Option<Vec<View>>, PostgresWarehouseError> {
        let (connection, table, oid) = (&self.staging.connection, &self.staging.spec.table, built.old.oid);
        if live::find(connection, table).await?.is_none_or(|now| now.oid != oid) {
            return Ok(None);
        }
        self.refuse_obstacles(&built.old).await?;
        let locked = views::read_locked(connection, table, oid).await?;
        let is_same = views::are_same(&locked, views)
            && belongings::read(self.staging, oid, Phase::Build).await? == built.belongings;
        Ok(is_same.then_some(locked))
    }

    /// What came to depend on the table after it was decided to swap.
    async fn refuse_obstacles(&self, old: &Relation) -> Result<(), PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        let known = self.publication.live_columns.as_deref();
        let obstacles = obstacles::obstacles(&self.staging.connection, table, old.oid, known).await?;
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

    /// Names the key as Postgres would, unless it has the old key's name by now.
    async fn name_key(&self) -> Result<(), PgError> {
        let (connection, table) = (&self.staging.connection, &self.staging.spec.table);
        let key = key_name(&self.staging.spec.load);
        let row = connection
            .query_opt(
                "SELECT (SELECT array_agg(relname::text) FROM pg_class WHERE relnamespace = c.relnamespace)
                 FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
                 WHERE c.oid = to_regclass($1) AND k.conname = $2",
                &[&table.quoted(), &key],
            )
            .await
            .map_err(|error| connection.error(format!("look at the key of {table}"), &error))?;
        let Some(row) = row else { return Ok(()) };
        let sql = format!(
            "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
            table.quoted(),
            quote_ident(&key),
            quote_ident(&free_key_name(&table.name, &row.get::<_, Vec<String>>(0)))
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

/// `<table>_pkey`, with a number where another relation of the schema has that name.
fn free_key_name(table: &str, taken: &[String]) -> String {
    let candidates = std::iter::once("pkey".to_owned()).chain((1u32..).map(|number| format!("pkey{number}")));
    let mut names = candidates.map(|ending| {
        let mut stem = table.to_owned();
        while stem.len() + 1 + ending.len() > Dialect::Postgres.name_bytes_max() {
            stem.pop();
        }
        format!("{stem}_{ending}")
    });
    names.find(|name| !taken.contains(name)).expect("numbers do not run out before relations do")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_name_is_cut_in_front_and_free() {
        assert_eq!(free_key_name("orders", &[]), "orders_pkey");
        let taken = ["orders_pkey".to_owned(), "orders_pkey1".to_owned()];
        assert_eq!(free_key_name("orders", &taken), "orders_pkey2");
        let long = free_key_name(&"ä".repeat(31), &[]);
        assert!(long.ends_with("ä_pkey") && long.len() <= 63, "{long}");
    }
}

//! The swap: the old table is renamed away, the staging table in, all within the publish transaction.

use super::{
    PostgresWarehouseError, live,
    staging::{PostgresStaging, key_name, name_of},
};
use crate::{
    pg::PgError,
    sql::{TableName, quote_ident},
    warehouse::Publication,
};

/// Puts the staging table in the live one's place.
pub(super) async fn swap(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<(), PostgresWarehouseError> {
    Swap { staging, publication }.run().await
}

/// The old table out, the new one in.
struct Swap<'a> {
    staging: &'a PostgresStaging,
    publication: &'a Publication,
}

impl Swap<'_> {
    async fn run(&self) -> Result<(), PostgresWarehouseError> {
        let table = &self.staging.spec.table;
        let old = live::find(&self.staging.connection, table).await?;
        if old.is_some() && self.publication.previous.is_none() {
            return Err(PostgresWarehouseError::NotOurs { table: table.clone() });
        }
        let away = TableName::new(&table.schema, name_of(&self.staging.spec.load, "old"));
        if old.is_some() {
            let sql = format!("ALTER TABLE {} RENAME TO {}", table.quoted(), quote_ident(&away.name));
            self.sql("move the old table away", &sql).await?;
        }
        self.move_in().await?;
        if old.is_some() {
            self.sql("drop the old table", &format!("DROP TABLE {}", away.quoted())).await?;
        } else {
            self.grant().await?;
        }
        if !self.staging.spec.key.is_empty() {
            let sql = format!(
                "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                table.quoted(),
                quote_ident(&key_name(&self.staging.spec.load)),
                quote_ident(&name_of(&table.name, "pkey"))
            );
            self.sql("name the key", &sql).await?;
        }
        Ok(())
    }

    async fn move_in(&self) -> Result<(), PgError> {
        let (staging, table) = (&self.staging.table, &self.staging.spec.table);
        let schema = quote_ident(&table.schema);
        let here = TableName::new(&table.schema, &staging.name);
        let sql = format!(
            "ALTER TABLE {} SET SCHEMA {schema}; ALTER TABLE {} RENAME TO {}",
            staging.quoted(),
            here.quoted(),
            quote_ident(&table.name)
        );
        self.sql("move the new table in", &sql).await
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

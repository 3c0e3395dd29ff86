//! The publish: ledger row, then locks, then the rows, in one transaction.

use jiff::Timestamp;

use super::{
    PostgresWarehouseError,
    ledger::{self, Entry},
    live,
    staging::{PostgresStaging, key_name, name_of},
};
use crate::{
    fail_point,
    pg::PgError,
    sql::{TableName, quote_ident},
    warehouse::{Publication, Published},
};

/// Makes the staging table's rows the live ones.
pub(super) async fn publish(
    staging: PostgresStaging,
    publication: &Publication,
) -> Result<Published, PostgresWarehouseError> {
    let ledger_schema = &staging.server.options.ledger_schema;
    fail_point!("publish.ledger.before");
    let at = match ledger::write(&staging.connection, ledger_schema, &publication.ledger, publication.kind)
        .await?
    {
        Entry::Written(at) => at,
        Entry::There => return already(&staging).await,
        Entry::Superseded => {
            return Err(PostgresWarehouseError::Superseded { table: staging.spec.table.clone() });
        }
    };
    fail_point!("publish.ledger.after");
    let swap = Swap { staging: &staging, publication };
    swap.run().await?;
    commit(&staging).await?;
    Ok(Published { at, kind: publication.kind, warnings: Vec::new() })
}

/// This very load is published already: by an earlier try whose answer was lost.
async fn already(staging: &PostgresStaging) -> Result<Published, PostgresWarehouseError> {
    staging.connection.run("end a publish", "ROLLBACK").await?;
    let ledger_schema = &staging.server.options.ledger_schema;
    let load = &staging.spec.load;
    match ledger::load(&staging.connection, ledger_schema, load).await? {
        Some(row) => Ok(Published {
            at: row.published_at.unwrap_or(Timestamp::UNIX_EPOCH),
            kind: row.publish,
            warnings: Vec::new(),
        }),
        None => Err(PostgresWarehouseError::Superseded { table: staging.spec.table.clone() }),
    }
}

async fn commit(staging: &PostgresStaging) -> Result<(), PostgresWarehouseError> {
    fail_point!("publish.commit.before");
    staging.connection.run(&format!("publish {}", staging.spec.table), "COMMIT").await?;
    fail_point!("publish.commit.after");
    staging.connection.set_busy(false);
    Ok(())
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

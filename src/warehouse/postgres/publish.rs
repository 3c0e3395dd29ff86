//! The publish: ledger row, then locks, then the rows, in one transaction.

use jiff::Timestamp;

use super::{
    PostgresWarehouseError,
    ledger::{self, Entry},
    staging::PostgresStaging,
    swap,
};
use crate::{
    fail_point,
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
    let warnings = swap::swap(&staging, publication).await?;
    commit(&staging).await?;
    Ok(Published { at, kind: publication.kind, warnings })
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

//! The publish: ledger row, then locks, then the rows, in one transaction.

use jiff::Timestamp;

use super::{
    PostgresWarehouseError, commit, in_place,
    ledger::{self, Entry},
    live, locks, publish_view,
    staging::PostgresStaging,
    swap, wait,
};
use crate::{
    fail_point,
    pg::END_IF_SILENT,
    sql::Dialect,
    warehouse::{LiveTable, Publication, PublishKind, Published, StagingColumn},
};

/// Up to this size, with indexes, a table that readers keep from being swapped has its rows replaced
/// in place: beyond it the dead rows and the write-ahead log would hurt more than waiting.
const REPLACED_AT_MOST_BYTES: u64 = 1 << 30;

/// Makes the staging table's rows the live ones. A staging table that is committed and not published
/// is dropped.
pub(super) async fn publish(
    staging: PostgresStaging,
    publication: &Publication,
) -> Result<Published, PostgresWarehouseError> {
    let published = in_transaction(&staging, publication).await;
    if published.is_err() && staging.is_committed {
        let sql = format!("ROLLBACK; DROP TABLE IF EXISTS {}", staging.table.quoted());
        // What cannot be dropped now is swept by the next run.
        if staging.connection.run("give a load up", &sql).await.is_ok() {
            staging.connection.set_busy(false);
        }
    }
    staging.connection.rest_after(published).await
}

async fn in_transaction(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<Published, PostgresWarehouseError> {
    let (kind, mut warnings) = begin(staging, publication).await?;
    let ledger_schema = &staging.server.options.ledger_schema;
    fail_point!("publish.ledger.before");
    let at = match ledger::write(&staging.connection, ledger_schema, &publication.ledger, kind).await? {
        Entry::Written(at) => at,
        Entry::There => return already(staging).await,
        Entry::Superseded => {
            return Err(PostgresWarehouseError::Superseded { table: staging.spec.table.clone() });
        }
    };
    fail_point!("publish.ledger.after");
    let mut written = None;
    match kind {
        PublishKind::Swap => warnings.extend(swap::swap(staging, publication).await?),
        PublishKind::Replace if publication.increment.is_none() => {
            in_place::replace(staging, publication).await?;
        }
        PublishKind::Replace | PublishKind::Insert | PublishKind::Merge => {
            written = Some(in_place::increment(staging, publication, at).await?);
        }
    }
    publish_view::describe(&staging.connection, &staging.spec.table, "TABLE", &publication.descriptions)
        .await?;
    commit::commit(staging, publication.lock_wait).await?;
    Ok(Published { at, kind, written, warnings })
}

/// Where the fill is committed already: waits for older readers and begins the transaction. Returns
/// how it is published after all, and what people should know.
async fn begin(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<(PublishKind, Vec<String>), PostgresWarehouseError> {
    if !staging.is_committed {
        // Begun when it was filled, which may be silent for as long as the source is.
        staging.connection.run("begin a publish", END_IF_SILENT).await?;
        return Ok((publication.kind, Vec::new()));
    }
    let decided = match publication.kind {
        PublishKind::Swap => after_older_readers(staging, publication).await?,
        in_place => (in_place, Vec::new()),
    };
    // Its rows are many and new: an autovacuum may be at it, in the way of the locks that are to come.
    let vacuum = locks::keep_vacuum_away(&staging.table);
    let sql = format!("BEGIN; {END_IF_SILENT}; {vacuum}; SET LOCAL lock_timeout = 0");
    staging.connection.run("begin a publish", &sql).await?;
    Ok(decided)
}

async fn after_older_readers(
    staging: &PostgresStaging,
    publication: &Publication,
) -> Result<(PublishKind, Vec<String>), PostgresWarehouseError> {
    let table = &staging.spec.table;
    let older = wait::for_older_snapshots(&staging.connection, table, publication.snapshot_wait).await?;
    if older.is_empty() {
        return Ok((PublishKind::Swap, Vec::new()));
    }
    let named = older.join(", ");
    let live = live::live(&staging.connection, table).await?;
    let anyway = match &live {
        Some(live) if can_be_replaced(live, &staging.spec.all_columns(Dialect::Postgres)) => {
            let told = format!("its rows were replaced in place: older snapshots are kept by {named}");
            return Ok((PublishKind::Replace, vec![told]));
        }
        Some(_) if !publication.deadline_near => {
            return Err(PostgresWarehouseError::OlderReaders { table: table.clone(), sessions: older });
        }
        Some(_) => "its deadline is near",
        None => "there was no such table before",
    };
    Ok((PublishKind::Swap, vec![format!("published although it is empty for {named}: {anyway}")]))
}

fn can_be_replaced(live: &LiveTable, columns: &[StagingColumn]) -> bool {
    in_place::have_same_columns(&live.columns, columns) && live.bytes <= REPLACED_AT_MOST_BYTES
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
            written: None,
            warnings: Vec::new(),
        }),
        None => Err(PostgresWarehouseError::Superseded { table: staging.spec.table.clone() }),
    }
}

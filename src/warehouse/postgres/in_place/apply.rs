//! A load of new rows done again upon a staging table that holds an earlier state.
//!
//! Rows that are merged cannot be frozen: the staging table is committed, each load upon it is a
//! transaction of its own, and the publish waits for older readers as after a fill by several connections.

use super::{key::Key, sql::Sql};
use crate::{
    fail_point,
    sql::{TableName, quote_ident},
    stage::SharedStage,
    warehouse::{
        Delta, PublishKind, StagingSpec,
        postgres::{
            PostgresWarehouseError,
            fill::Into,
            live,
            staging::{PostgresStaging, create, name_of},
        },
    },
};

/// Does it, in one transaction.
pub(in crate::warehouse::postgres) async fn apply(
    staging: &mut PostgresStaging,
    delta: &Delta,
    stage: &SharedStage,
) -> Result<(), PostgresWarehouseError> {
    if !staging.is_committed {
        staging.connection.run("keep what is filled", "COMMIT").await?;
        staging.is_committed = true;
    }
    let beside = TableName::new(&staging.table.schema, name_of(&staging.spec.load, "rows"));
    fail_point!("staging.apply.before");
    staging.connection.run("begin to apply new rows", "BEGIN").await?;
    fill(staging, &beside, delta, stage).await?;
    add_columns(staging, delta).await?;
    write(staging, &beside, delta).await?;
    let sql = format!("DROP TABLE {}; COMMIT", beside.quoted());
    staging.connection.run("end to apply new rows", &sql).await?;
    fail_point!("staging.apply.after");
    Ok(())
}

/// The load's rows into a table beside the staging table.
async fn fill(
    staging: &PostgresStaging,
    beside: &TableName,
    delta: &Delta,
    stage: &SharedStage,
) -> Result<(), PostgresWarehouseError> {
    let spec = StagingSpec { columns: delta.columns.clone(), mark: None, ..staging.spec.clone() };
    create(&staging.connection, beside, &spec).await?;
    let form = (delta.manifest.format, delta.manifest.compression);
    let into = Into::new(beside, &spec, form, false);
    for part in &delta.manifest.parts {
        into.part(&staging.connection, part, stage).await?;
    }
    Ok(())
}

/// Columns that came with this load: rows of before have no value in them.
async fn add_columns(staging: &mut PostgresStaging, delta: &Delta) -> Result<(), PostgresWarehouseError> {
    let is_there = |name: &str| staging.spec.columns.iter().any(|column| column.name == name);
    let added: Vec<_> = delta.columns.iter().filter(|column| !is_there(&column.name)).cloned().collect();
    for column in added {
        let sql = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            staging.table.quoted(),
            quote_ident(&column.name),
            column.sql_type
        );
        staging.connection.run(&format!("add columns to {}", staging.spec.table), &sql).await?;
        staging.spec.columns.push(column);
    }
    Ok(())
}

/// The same statements as those of the load's own publish, in the same order.
async fn write(
    staging: &PostgresStaging,
    beside: &TableName,
    delta: &Delta,
) -> Result<(), PostgresWarehouseError> {
    let (connection, table) = (&staging.connection, &staging.spec.table);
    let no_key = || PostgresWarehouseError::NoKey { table: table.clone(), key: delta.manifest.key.clone() };
    let relation = live::find(connection, &staging.table).await?.ok_or_else(no_key)?;
    let key = Key::read(connection, &staging.table, relation.oid, &delta.manifest.key).await?;
    let key = key.ok_or_else(no_key)?;
    let sql = Sql::new(&staging.table, beside, &delta.columns);
    let sql = match delta.marked_at {
        Some(at) => sql.marking(staging.spec.mark.as_deref(), at),
        None => sql,
    };
    if !delta.manifest.gone.is_empty() {
        let columns = super::columns_of(&delta.manifest.gone, key.columns.len());
        let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            columns.iter().map(|column| column as _).collect();
        execute(staging, &sql.delete_listed(&key), &parameters).await?;
    }
    if let Some(sql) = sql.revive(&key) {
        execute(staging, &sql, &[]).await?;
    }
    let write = match delta.kind {
        PublishKind::Merge => sql.upsert(&key),
        _ => sql.insert_absent(&key),
    };
    execute(staging, &write, &[]).await
}

async fn execute(
    staging: &PostgresStaging,
    sql: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<(), PostgresWarehouseError> {
    let (connection, table) = (&staging.connection, &staging.spec.table);
    let done = connection.execute(sql, parameters).await;
    done.map_err(|error| connection.error(format!("write the rows of {table}"), &error))?;
    Ok(())
}

//! Rows from the stage into the staging table.

use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;

use super::{
    PostgresWarehouseError,
    staging::{PostgresStaging, columns},
};
use crate::{
    fail_point,
    pg::Connection,
    sql::TableName,
    stage::{
        PartReader, SharedStage,
        manifest::{Compression, Format, Manifest, Part},
    },
    warehouse::{Fill, StagingSpec},
};

/// Fills part after part, as they come, until the manifest is written.
pub(super) async fn fill(
    staging: &PostgresStaging,
    mut parts: mpsc::Receiver<Fill>,
    stage: &SharedStage,
) -> Result<u64, PostgresWarehouseError> {
    let into = Into::new(&staging.table, &staging.spec, true);
    let mut filled = Vec::new();
    loop {
        match parts.recv().await {
            Some(Fill::Part(part)) => {
                fail_point!("staging.part.before");
                into.part(&staging.connection, &part, stage).await?;
                fail_point!("staging.part.after");
                filled.push(part);
            }
            Some(Fill::Done(manifest)) => return agreed(&staging.spec.table, filled, &manifest),
            None => return Err(PostgresWarehouseError::NoManifest { table: staging.spec.table.clone() }),
        }
    }
}

/// The rows that were filled, if they are those of the manifest, part by part.
pub(super) fn agreed(
    table: &TableName,
    mut filled: Vec<Part>,
    manifest: &Manifest,
) -> Result<u64, PostgresWarehouseError> {
    let mut listed = manifest.parts.clone();
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    filled.sort_by(|a, b| a.key.cmp(&b.key));
    if filled != listed {
        return Err(PostgresWarehouseError::NotTheManifest { table: table.clone() });
    }
    Ok(manifest.rows())
}

/// Where parts go.
pub(super) struct Into {
    copy_sql: String,
    table: TableName,
    compression: Compression,
}

impl Into {
    /// `freeze` only on the connection, and in the transaction, that made the table.
    pub(super) fn new(staging: &TableName, spec: &StagingSpec, freeze: bool) -> Self {
        let names = match spec.columns.as_slice() {
            // `()` is no list of columns.
            [] => String::new(),
            list => format!(" ({})", columns(list.iter().map(|column| &column.name))),
        };
        let format = match spec.format {
            Format::Binary => "FORMAT binary",
            Format::Csv => "FORMAT csv",
        };
        let freeze = if freeze { ", FREEZE" } else { "" };
        let copy_sql = format!("COPY {}{names} FROM STDIN WITH ({format}{freeze})", staging.quoted());
        Self { copy_sql, table: spec.table.clone(), compression: spec.compression }
    }

    /// Takes one part in. The server's answer must be the part's count of rows.
    pub(super) async fn part(
        &self,
        connection: &Connection,
        part: &Part,
        stage: &SharedStage,
    ) -> Result<(), PostgresWarehouseError> {
        let mut reader = PartReader::open(stage, part, self.compression).await?;
        let fail = |error: tokio_postgres::Error| {
            PostgresWarehouseError::of_copy(
                &self.table,
                connection.error(format!("fill {}", self.table), &error),
            )
        };
        let mut copy = pin!(connection.copy_in::<_, Bytes>(&self.copy_sql).await.map_err(fail)?);
        // Dropped before its end, which an unverified part never reaches, the COPY is aborted.
        while let Some(bytes) = reader.next().await? {
            copy.feed(bytes).await.map_err(fail)?;
        }
        let taken = copy.finish().await.map_err(fail)?;
        if taken != part.rows {
            return Err(PostgresWarehouseError::Count {
                object: part.key.clone(),
                expected: part.rows,
                taken,
            });
        }
        Ok(())
    }
}

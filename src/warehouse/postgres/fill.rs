//! Rows from the stage into the staging table.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt, future::try_join_all};
use tokio::sync::{Mutex, mpsc};

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
    warehouse::{Fill, Filling, StagingSpec},
};

/// Fills the staging table until the manifest is written. Returns the rows.
pub(super) async fn fill(
    staging: &PostgresStaging,
    parts: mpsc::Receiver<Fill>,
    stage: &SharedStage,
) -> Result<u64, PostgresWarehouseError> {
    if staging.is_committed {
        side_by_side(staging, parts, stage).await
    } else {
        one_by_one(staging, parts, stage).await
    }
}

/// On one connection, in the transaction that made the table: frozen.
async fn one_by_one(
    staging: &PostgresStaging,
    mut parts: mpsc::Receiver<Fill>,
    stage: &SharedStage,
) -> Result<u64, PostgresWarehouseError> {
    let into = Into::of_staging(staging, true)?;
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

/// On several connections, each part a transaction of its own.
async fn side_by_side(
    staging: &PostgresStaging,
    parts: mpsc::Receiver<Fill>,
    stage: &SharedStage,
) -> Result<u64, PostgresWarehouseError> {
    let into = Into::of_staging(staging, false)?;
    let queue = Queue { parts: Mutex::new(parts), filled: Mutex::default(), manifest: Mutex::default() };
    let mut others = Vec::new();
    for _ in 1..into.jobs {
        others.push(staging.server.connect(&staging.spec.table.to_string()).await?);
    }
    for connection in &others {
        connection.set_busy(true);
    }
    let all = others.iter().chain([&staging.connection]);
    try_join_all(all.map(|connection| queue.drain(&into, connection, stage))).await?;
    for connection in &others {
        connection.set_busy(false);
    }
    match queue.manifest.into_inner() {
        Some(manifest) => agreed(&staging.spec.table, queue.filled.into_inner(), &manifest),
        None => Err(PostgresWarehouseError::NoManifest { table: staging.spec.table.clone() }),
    }
}

/// Parts that whoever is free takes.
struct Queue {
    parts: Mutex<mpsc::Receiver<Fill>>,
    filled: Mutex<Vec<Part>>,
    manifest: Mutex<Option<Box<Manifest>>>,
}

impl Queue {
    async fn drain(
        &self,
        into: &Into,
        connection: &Connection,
        stage: &SharedStage,
    ) -> Result<(), PostgresWarehouseError> {
        loop {
            let mut parts = self.parts.lock().await;
            match parts.recv().await {
                Some(Fill::Part(part)) => {
                    drop(parts);
                    fail_point!("staging.part.before");
                    into.part(connection, &part, stage).await?;
                    fail_point!("staging.part.after");
                    self.filled.lock().await.push(part);
                }
                Some(Fill::Done(manifest)) => {
                    // Nothing follows it: the others need not wait.
                    parts.close();
                    *self.manifest.lock().await = Some(manifest);
                    return Ok(());
                }
                None => return Ok(()),
            }
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
    key: Vec<String>,
    compression: Compression,
    /// How many connections fill at once.
    jobs: u32,
}

impl Into {
    /// The staging table itself. `freeze` only on the connection, and in the transaction, that made it.
    fn of_staging(staging: &PostgresStaging, freeze: bool) -> Result<Self, PostgresWarehouseError> {
        let table = &staging.spec.table;
        match staging.spec.filling {
            Filling::Parts { format, compression, jobs } => {
                let into = Self::new(&staging.table, &staging.spec, (format, compression), freeze);
                Ok(Self { jobs, ..into })
            }
            // No part of it will ever come.
            Filling::Select => Err(PostgresWarehouseError::NoManifest { table: table.clone() }),
        }
    }

    /// A table with the columns of `spec`.
    pub(super) fn new(
        staging: &TableName,
        spec: &StagingSpec,
        (format, compression): (Format, Compression),
        freeze: bool,
    ) -> Self {
        let names = match spec.columns.as_slice() {
            // `()` is no list of columns.
            [] => String::new(),
            list => format!(" ({})", columns(list.iter().map(|column| &column.name))),
        };
        let format = match format {
            Format::Binary => "FORMAT binary",
            Format::Csv => "FORMAT csv",
        };
        let freeze = if freeze { ", FREEZE" } else { "" };
        let copy_sql = format!("COPY {}{names} FROM STDIN WITH ({format}{freeze})", staging.quoted());
        Self { copy_sql, table: spec.table.clone(), key: spec.key.clone(), compression, jobs: 1 }
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
                &self.key,
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

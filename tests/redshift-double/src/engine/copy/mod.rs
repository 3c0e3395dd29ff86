//! `COPY` (§1): objects from S3, the double's own reader and rules, rows into Postgres by its COPY. All or
//! nothing; what was refused is written down on another connection, so that it survives the rollback.

mod columns;
mod csv;
mod decimal;
mod fill;
mod objects;
mod times;
mod unpack;
mod values;

use std::io;

use aws_sdk_s3::primitives::ByteStream;

use self::{
    columns::Column,
    fill::Fill,
    objects::{Object, Store},
    unpack::Unpacker,
};
use super::{error::SqlError, outcome::Outcome, session::Session};
use crate::sql::copy::Copy;

/// What a session remembers of its COPYs (§1.7).
#[derive(Debug, Clone, Copy)]
pub(super) struct LastCopy {
    pub(super) id: i64,
    pub(super) count: u64,
}

impl Default for LastCopy {
    fn default() -> Self {
        Self { id: -1, count: 0 }
    }
}

impl Session {
    /// Loads a table. Outside of a block it is a transaction of its own.
    pub(super) async fn copy(&mut self, copy: &Copy, rows_to_lose: u64) -> Result<Outcome, SqlError> {
        let own = !self.in_transaction();
        if own {
            self.client.batch_execute("BEGIN").await?;
        }
        let copied = self.copy_in_transaction(copy, rows_to_lose).await;
        match (&copied, own) {
            (Ok(_), true) => {
                let committed = self.client.batch_execute("COMMIT").await;
                committed.inspect_err(|_| self.last_copy.count = 0)?;
            }
            (Err(_), true) => self.client.batch_execute("ROLLBACK").await?,
            (Err(_), false) => self.abort_block().await,
            (Ok(_), false) => {}
        }
        copied
    }

    async fn copy_in_transaction(&mut self, copy: &Copy, rows_to_lose: u64) -> Result<Outcome, SqlError> {
        self.check_age(std::slice::from_ref(&copy.table)).await?;
        // The snapshot, then the lock, as for every writer (§2.3).
        let sql = format!("SELECT redshift_double.lock_for_write({})", copy.table.literal());
        self.client.batch_execute(&sql).await?;
        let sql = format!("SELECT {}::regclass::oid, txid_current()", copy.table.literal());
        let row = self.client.query_one(&sql, &[]).await?;
        let (relation, transaction): (u32, i64) = (row.get(0), row.get(1));
        let columns = columns::read(&self.client, relation, copy).await?;
        let engine = std::sync::Arc::clone(&self.engine);
        let store = Store::open(engine.settings(), copy)?;
        let objects = store.list(copy).await?;
        // From here on the load has begun: the count of the COPY before is forgotten.
        self.last_copy = LastCopy { id: self.query_id, count: 0 };
        let mut fill = Fill::new(&columns, &copy.options, relation, transaction);
        fill.rows_to_lose = rows_to_lose;
        let loaded = self.load(copy, &columns, &store, &objects, &mut fill).await;
        let noted = self.note_load(copy, &fill, loaded.is_ok()).await;
        let rows = loaded?;
        noted?;
        self.last_copy.count = rows;
        Ok(Outcome { affected: Some(rows), ..Outcome::default() })
    }

    async fn load(
        &self,
        copy: &Copy,
        columns: &[Column],
        store: &Store<'_>,
        objects: &[Object],
        fill: &mut Fill<'_>,
    ) -> Result<u64, SqlError> {
        let names: Vec<_> = columns.iter().map(|column| crate::sql::quoted(&column.name)).collect();
        let sql = format!("COPY {} ({}) FROM STDIN", copy.table, names.join(","));
        let mut sink = Box::pin(self.client.copy_in::<_, bytes::Bytes>(&sql).await?);
        let mut found = 0;
        for object in objects {
            let Some(body) = store.open_object(object).await? else { continue };
            found += 1;
            fill.begin_object(object.url());
            load_object(copy, body, fill, &mut sink).await.map_err(|error| match error {
                Stopped::Unpacking(error) => {
                    SqlError::new("XX000", format!("file {} cannot be decompressed: {error}", object.url()))
                }
                Stopped::Refused => load_failed(copy, self.is_serverless()),
                Stopped::Sql(error) => error,
            })?;
        }
        if found == 0 {
            return Err(SqlError::new("XX000", "COPY found no files to load"));
        }
        if copy.options.is_rehearsal {
            return Ok(0);
        }
        Ok(sink.as_mut().finish().await?)
    }
}

/// The only thing that the statement tells of refused rows (§1.7).
fn load_failed(copy: &Copy, is_serverless: bool) -> SqlError {
    let table = if is_serverless { "sys_load_error_detail" } else { "stl_load_errors" };
    let text =
        format!("Load into table '{}' failed.  Check '{table}' system table for details.", copy.table.name);
    SqlError::new("XX000", text)
}

/// Why an object was not loaded to its end.
pub(super) enum Stopped {
    Unpacking(io::Error),
    /// More rows were refused than may be.
    Refused,
    Sql(SqlError),
}

async fn load_object(
    copy: &Copy,
    mut body: ByteStream,
    fill: &mut Fill<'_>,
    sink: &mut fill::Sink,
) -> Result<(), Stopped> {
    let mut unpacker = Unpacker::new(copy.options.compression).map_err(Stopped::Unpacking)?;
    let mut reader = csv::Reader::new(copy.options.quote, copy.options.delimiter);
    let mut records = Vec::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| Stopped::Sql(SqlError::new("XX000", format!("S3: {error}"))))?;
        let unpacked = unpacker.feed(&bytes).map_err(Stopped::Unpacking)?;
        reader.feed(&unpacked, &mut records);
        fill.take(&mut records, sink).await?;
    }
    reader.feed(&unpacker.finish().map_err(Stopped::Unpacking)?, &mut records);
    records.extend(reader.finish());
    fill.take(&mut records, sink).await?;
    fill.end_object();
    Ok(())
}

//! One part on its way: a COPY, counted, and checked at its end.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio_postgres::CopyOutStream;

use super::{PostgresSourceError, readers::Reader, snapshot::read_error};
use crate::{
    pg::Connection,
    source::{Chunk, PartOf, PartPlan, PartStream, SourceError, looks::Looks},
    sql::TableName,
    stage::manifest::Format,
};

/// Rows are handed on in chunks of about this size.
const CHUNK_BYTES: usize = 48 * 1024;

/// A COPY under way. Dropped before its end, the server is asked to cancel it.
pub(super) struct CopyStream {
    reader: Option<Reader>,
    copy: Pin<Box<CopyOutStream>>,
    part: PartPlan,
    relation: (TableName, u32),
    messages: u64,
    rows: u64,
    looks: Looks,
    counts: Vec<u64>,
    ended: bool,
}

impl CopyStream {
    pub(super) async fn begin(reader: Reader, part: PartPlan) -> Result<Self, PostgresSourceError> {
        let (Some(connection), PartOf::Copy { sql, relation }) = (&reader.connection, &part.what) else {
            return Err(PostgresSourceError::NoAnswer { table: part.table });
        };
        let relation = relation.clone();
        connection.clear_copy_rows();
        connection.set_busy(true);
        if part.counted > 0 {
            connection.run("prepare a read", NO_JIT).await.map_err(|error| read_error(error, &part.table))?;
        }
        let copy = match connection.copy_out(sql).await {
            Ok(copy) => Box::pin(copy),
            Err(error) => return Err(copy_error(connection, &part, &error)),
        };
        let (looks, counts) = (Looks::new(&part.csv.looks), vec![0; part.counted]);
        Ok(Self {
            reader: Some(reader),
            copy,
            part,
            relation,
            messages: 0,
            rows: 0,
            looks,
            counts,
            ended: false,
        })
    }

    /// Reads messages until a chunk is full or the COPY ends. One message is one row; in binary the
    /// header comes with the first row, and the trailer is a message of its own.
    async fn gather(&mut self) -> Result<BytesMut, PostgresSourceError> {
        let mut bytes = BytesMut::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        while bytes.len() < CHUNK_BYTES {
            match self.copy.next().await {
                Some(Ok(message)) => {
                    self.messages += 1;
                    refuse_long_row(&self.part, &message)?;
                    self.looks.count(&message, &mut self.counts);
                    bytes.extend_from_slice(&message);
                }
                Some(Err(error)) => {
                    return Err(match self.reader.as_ref().and_then(|reader| reader.connection.as_ref()) {
                        Some(connection) => copy_error(connection, &self.part, &error),
                        None => PostgresSourceError::NoAnswer { table: self.part.table.clone() },
                    });
                }
                None => {
                    self.ended = true;
                    break;
                }
            }
        }
        Ok(bytes)
    }

    /// After the last message: the server's own count, and whether the files are still those that
    /// were planned. The table's lock is still held here, so nothing can change in between.
    async fn verify(&mut self) -> Result<(), PostgresSourceError> {
        let table = &self.part.table;
        let no_answer = || PostgresSourceError::NoAnswer { table: table.clone() };
        let reader = self.reader.take().ok_or_else(no_answer)?;
        let connection = reader.connection.as_ref().ok_or_else(no_answer)?;
        let (relation, oid) = &self.relation;
        let intact = is_intact(connection, relation, *oid).await?;
        let said = connection.copy_rows().ok_or_else(no_answer)?;
        if !intact {
            return Err(PostgresSourceError::Moved { table: self.relation.0.clone() });
        }
        if said != self.rows {
            return Err(PostgresSourceError::Count { table: table.clone(), said, counted: self.rows });
        }
        for (counted, here) in counts(connection, &self.part).await?.into_iter().zip(&mut self.counts) {
            *here += counted;
        }
        // Out of the transaction, so that a session between two parts holds no lock.
        connection.run("end a part", "COMMIT").await.map_err(|error| read_error(error, table))?;
        connection.set_busy(false);
        reader.give_back();
        Ok(())
    }
}

/// Whether all that was read is what was planned, with the same files, columns and partitions.
///
/// A snapshot protects rows, not files: a rewrite (VACUUM FULL, CLUSTER, TRUNCATE, some ALTER)
/// replayed meanwhile makes the same snapshot read other files, without an error. A plain SELECT
/// sees the catalog as the snapshot does, while the functions look things up in the newest one, as
/// COPY did: where the two differ, something moved. What COPY read by way of a view or a partitioned
/// table is known by the locks that this session still holds.
pub(super) async fn is_intact(
    connection: &Connection,
    relation: &TableName,
    oid: u32,
) -> Result<bool, PostgresSourceError> {
    let row = connection
        .query_opt(IS_INTACT, &[&oid, &relation.quoted()])
        .await
        .map_err(|error| read_error(connection.error(format!("check {relation}"), &error), relation))?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// A relation that the snapshot does not know is of no harm if it is a new index: the planner locks
/// all of a table's. `inhdetachpending` is there from version 14 on.
const IS_INTACT: &str = "
    WITH touched AS (
        SELECT $1::oid AS oid
        UNION
        SELECT l.relation FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND d.datname = current_database())
    SELECT to_regclass($2)::oid IS NOT DISTINCT FROM c.oid
       AND NOT EXISTS (
           SELECT FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             AND (pg_identify_object_as_address('pg_class'::regclass, c.oid, a.attnum)).object_names[3]
                 IS DISTINCT FROM a.attname::text)
       AND NOT EXISTS (
           SELECT FROM touched t LEFT JOIN pg_class r ON r.oid = t.oid
           WHERE CASE
               WHEN r.oid IS NULL
               THEN (pg_identify_object('pg_class'::regclass, t.oid, 0)).type NOT IN ('index', 'toast table')
               WHEN r.relkind IN ('r', 'm') AND r.relfilenode <> 0
               THEN r.relfilenode IS DISTINCT FROM pg_relation_filenode(r.oid)
               WHEN r.relkind = 'p'
               THEN ARRAY(SELECT inhrelid FROM pg_inherits i
                          WHERE inhparent = r.oid AND to_jsonb(i)->>'inhdetachpending' IS DISTINCT FROM 'true'
                          ORDER BY inhrelid)
                    <> ARRAY(SELECT relid::oid FROM pg_partition_tree(r.oid) WHERE level = 1 ORDER BY relid::oid)
               ELSE false
           END)
    FROM pg_class c WHERE c.oid = $1";

/// Compiling the expressions of a wide table costs each part more than it saves: twice the time of all
/// that they do, as measured. There is nothing to turn off before version 11.
const NO_JIT: &str = "SELECT pg_catalog.set_config('jit', 'off', true)
     WHERE pg_catalog.current_setting('server_version_num')::int >= 110000";

/// In CSV a message is a row. Nothing is sent of one that the warehouse could not read.
fn refuse_long_row(part: &PartPlan, row: &Bytes) -> Result<(), PostgresSourceError> {
    match part.csv.row_bytes_max {
        Some(bytes_max) if row.len() as u64 > bytes_max => {
            Err(PostgresSourceError::LongRow { table: part.table.clone(), bytes_max })
        }
        _ => Ok(()),
    }
}

/// Postgres quotes a value that is equal to what stands for NULL, to tell it from NULL; not everybody who
/// reads CSV takes note of that. Chunks hold whole rows, so looking for the quoted one finds each.
fn refuse_null(part: &PartPlan, bytes: &[u8]) -> Result<(), PostgresSourceError> {
    let null = &part.csv.null;
    if !null.is_empty() && memchr::memmem::find(bytes, format!("\"{null}\"").as_bytes()).is_some() {
        return Err(PostgresSourceError::NullTaken { table: part.table.clone() });
    }
    Ok(())
}

/// What the expressions counted. They do so in settings of the transaction, which is still open.
async fn counts(connection: &Connection, part: &PartPlan) -> Result<Vec<u64>, PostgresSourceError> {
    if part.counted == 0 {
        return Ok(Vec::new());
    }
    let counts: Vec<String> = (0..part.counted).map(crate::schema::unfit_count).collect();
    let row = connection
        .query_one(&format!("SELECT ARRAY[{}]", counts.join(", ")), &[])
        .await
        .map_err(|error| copy_error(connection, part, &error))?;
    let counts: Vec<i64> = row.get(0);
    Ok(counts.into_iter().map(|count| u64::try_from(count).unwrap_or(0)).collect())
}

fn copy_error(
    connection: &Connection,
    part: &PartPlan,
    error: &tokio_postgres::Error,
) -> PostgresSourceError {
    read_error(connection.error(format!("read {}", part.table), error), &part.table)
}

#[async_trait]
impl PartStream for CopyStream {
    async fn next(&mut self) -> Result<Option<Chunk>, SourceError> {
        if self.ended {
            if self.reader.is_some() {
                self.verify().await?;
            }
            return Ok(None);
        }
        let bytes: Bytes = self.gather().await?.freeze();
        refuse_null(&self.part, &bytes)?;
        let rows = match self.part.format {
            // The last message is the trailer; until the end, one that has not been counted yet.
            Format::Binary => self.messages.saturating_sub(1),
            Format::Csv => self.messages,
        };
        let new_rows = rows - self.rows;
        self.rows = rows;
        Ok(Some(Chunk { bytes, rows: new_rows }))
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }
}

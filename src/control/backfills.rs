//! The journal of backfills: where one stands, so that another process can go on with it.

use serde::{Deserialize, Serialize};
use tokio_postgres::{Row, types::Json};

use super::{
    Control, ControlError,
    database::{PATIENCE, persist},
    locks::alive,
    session::SEEN,
};
use crate::{event::ChunkOutcome, fail_point, schema::CursorRange};

/// A backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Its id (ULID).
    pub id: String,
    /// The task's full name.
    pub task: String,
    /// What the loader's settings were, as the ledger's state has it.
    pub definition: String,
    /// The load that had brought the whole table.
    pub base: String,
    /// What was asked for.
    pub wanted: BackfillWanted,
}

/// What a backfill was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillWanted {
    /// Which rows.
    pub range: CursorRange,
    /// Whether that is all that had been loaded.
    pub is_whole: bool,
    /// Whether rows that the source does not have are deleted.
    pub delete: bool,
    /// Columns that have no values in older rows when it begins.
    pub awaiting: Vec<String>,
}

/// A chunk, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BackfillChunk {
    /// Its number, from 1.
    pub number: u32,
    /// Its rows.
    pub range: CursorRange,
    /// How many the source had when the chunks were cut.
    pub expected: u64,
    /// The load that was tried last.
    pub load: Option<String>,
    /// What came of it; `None`: it is not done, as far as is known.
    pub done: Option<ChunkOutcome>,
}

impl Control {
    /// Writes down a backfill with all its chunks.
    pub async fn start_backfill(
        &self,
        run: &str,
        backfill: &Backfill,
        chunks: &[BackfillChunk],
    ) -> Result<(), ControlError> {
        let numbers: Vec<i32> =
            chunks.iter().map(|chunk| i32::try_from(chunk.number).unwrap_or(i32::MAX)).collect();
        let ranges: Vec<Json<&CursorRange>> = chunks.iter().map(|chunk| Json(&chunk.range)).collect();
        let expected: Vec<i64> = chunks.iter().map(|chunk| signed(chunk.expected)).collect();
        fail_point!("control.start_backfill.before");
        let work = self.database().begin("start a backfill", PATIENCE).await?;
        let one = "INSERT INTO control.backfills (backfill, task, run, definition, base, wanted)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let Backfill { id, task, definition, base, wanted } = backfill;
        work.execute(one, &[id, task, &run, definition, base, &Json(wanted)]).await?;
        let all = "INSERT INTO control.backfill_chunks (backfill, chunk, range, expected)
                   SELECT $1, * FROM unnest($2::int[], $3::jsonb[], $4::bigint[])";
        work.execute(all, &[id, &numbers, &ranges, &expected]).await?;
        work.commit().await?;
        fail_point!("control.start_backfill.after");
        Ok(())
    }

    /// The backfill of a task that is not finished, with its chunks in their order.
    pub async fn unfinished_backfill(
        &self,
        task: &str,
    ) -> Result<Option<(Backfill, Vec<BackfillChunk>)>, ControlError> {
        let doing = "look for an unfinished backfill";
        let one = "SELECT backfill, definition, base, wanted FROM control.backfills
                   WHERE task = $1 AND ended_at IS NULL";
        let rows = self.database().query(doing, one, &[&task]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Json(wanted): Json<BackfillWanted> = row.get(3);
        let (id, task): (String, String) = (row.get(0), task.to_owned());
        let all = "SELECT chunk, range, expected, load, status, read, written, deleted, kept, seconds
                   FROM control.backfill_chunks WHERE backfill = $1 ORDER BY chunk";
        let chunks = self.database().query(doing, all, &[&id]).await?.iter().map(chunk).collect();
        Ok(Some((Backfill { id, task, definition: row.get(1), base: row.get(2), wanted }, chunks)))
    }

    /// The load by which a chunk was tried last.
    pub async fn chunk_load(&self, backfill: &str, number: u32) -> Result<Option<String>, ControlError> {
        let sql = "SELECT load FROM control.backfill_chunks WHERE backfill = $1 AND chunk = $2";
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let rows = self.database().query("look for a chunk", sql, &[&backfill, &number]).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Writes down the load that is about to bring a chunk, before it can be published: whether it was
    /// is then known by the ledger.
    pub async fn start_chunk(&self, backfill: &str, number: u32, load: &str) -> Result<(), ControlError> {
        fail_point!("control.start_chunk.before");
        let update = "UPDATE control.backfill_chunks SET load = $3 WHERE backfill = $1 AND chunk = $2";
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        self.database().execute("start a chunk", update, &[&backfill, &number, &load]).await?;
        fail_point!("control.start_chunk.after");
        Ok(())
    }

    /// Writes down that a chunk is done. Tried again for half a minute.
    pub async fn finish_chunk(
        &self,
        backfill: &str,
        number: u32,
        outcome: &ChunkOutcome,
    ) -> Result<(), ControlError> {
        fail_point!("control.finish_chunk.before");
        let update = "UPDATE control.backfill_chunks SET status = 'succeeded', load = $3, read = $4,
                          written = $5, deleted = $6, kept = $7, seconds = $8
                      WHERE backfill = $1 AND chunk = $2";
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let ChunkOutcome { load, rows_read, rows_written, rows_deleted, rows_kept, seconds } = outcome;
        let counts = [*rows_read, *rows_written, *rows_deleted, *rows_kept].map(|count| count.map(signed));
        persist(async || {
            let parameters: super::database::Parameters<'_> =
                &[&backfill, &number, load, &counts[0], &counts[1], &counts[2], &counts[3], seconds];
            self.database().execute("finish a chunk", update, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.finish_chunk.after");
        Ok(())
    }

    /// Ends a backfill: `succeeded`, or `given_up`.
    pub async fn finish_backfill(&self, backfill: &str, status: &str) -> Result<(), ControlError> {
        fail_point!("control.finish_backfill.before");
        let update = "UPDATE control.backfills SET ended_at = clock_timestamp(), status = $2
                      WHERE backfill = $1 AND ended_at IS NULL";
        persist(async || {
            self.database().execute("finish a backfill", update, &[&backfill, &status]).await.map(drop)
        })
        .await?;
        fail_point!("control.finish_backfill.after");
        Ok(())
    }

    /// Whether a living run other than `run` has begun with a task and not ended it: it has the task's
    /// lock, or waits for it.
    pub async fn is_wanted_elsewhere(&self, run: &str, task: &str) -> Result<bool, ControlError> {
        let others = format!(
            "SELECT FROM control.tasks t JOIN control.runs r ON r.run = t.run
             JOIN control.sessions s ON s.session = r.session
             WHERE t.task = $2 AND t.run <> $3 AND t.ended_at IS NULL AND r.ended_at IS NULL AND {} AND {SEEN}
             LIMIT 1",
            alive()
        );
        let grace = self.shared.timing.grace.as_secs_f64();
        let rows =
            self.database().query("ask who waits for a table", &others, &[&grace, &task, &run]).await?;
        Ok(!rows.is_empty())
    }
}

fn chunk(row: &Row) -> BackfillChunk {
    let count = |place: usize| row.get::<_, Option<i64>>(place).and_then(|count| u64::try_from(count).ok());
    let Json(range): Json<CursorRange> = row.get(1);
    let load: Option<String> = row.get(3);
    let is_done = row.get::<_, Option<&str>>(4).is_some();
    BackfillChunk {
        number: u32::try_from(row.get::<_, i32>(0)).unwrap_or(0),
        range,
        expected: u64::try_from(row.get::<_, i64>(2)).unwrap_or(0),
        done: load.clone().filter(|_| is_done).map(|load| ChunkOutcome {
            load,
            rows_read: count(5),
            rows_written: count(6),
            rows_deleted: count(7),
            rows_kept: count(8),
            seconds: row.get(9),
        }),
        load,
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

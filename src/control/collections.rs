//! What services answered: which collections are under way or can be gone on with, which requests failed, which
//! records were left out.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::types::Json;

use super::{Control, ControlError, database::persist, locks::alive};
use crate::{error::Failure, fail_point};

/// A collection of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its id (ULID).
    pub id: String,
    /// The task's full name.
    pub task: String,
    /// The source.
    pub source: String,
    /// A fingerprint of what is asked.
    pub definition: String,
}

/// A request that failed for good.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedRequest {
    /// Its id (ULID).
    pub id: String,
    /// The task's full name.
    pub task: String,
    /// The source.
    pub source: String,
    /// The collection that it is missing in.
    pub collection: String,
    /// Its place there, from 0.
    pub query: u64,
    /// As it was sent, without who asks.
    pub request: Value,
    /// Why it failed.
    pub failed: Failure,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The object in the stage that it stands in.
    pub answer: String,
    /// Its place there, from 1.
    pub record: u64,
    /// The column, and what is wrong with it.
    pub reason: String,
}

impl Control {
    /// Writes down a collection, before anything of it exists.
    pub async fn start_collection(
        &self,
        run: &str,
        collection: &Collection,
        resume_for: Duration,
    ) -> Result<(), ControlError> {
        fail_point!("control.start_collection.before");
        let insert =
            "INSERT INTO control.collections (collection, task, source, definition, run, resume_seconds)
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let Collection { id, task, source, definition } = collection;
        let parameters: super::database::Parameters<'_> =
            &[id, task, source, definition, &run, &resume_for.as_secs_f64()];
        self.database().execute("start a collection", insert, parameters).await?;
        fail_point!("control.start_collection.after");
        Ok(())
    }

    /// Takes over the newest collection of a task that asks the same and is not too old; it is this run's then. The
    /// caller has the task's lock, so that nobody is at it.
    pub async fn take_collection(
        &self,
        run: &str,
        task: &str,
        definition: &str,
    ) -> Result<Option<String>, ControlError> {
        fail_point!("control.take_collection.before");
        let update = "UPDATE control.collections SET run = $1, touched_at = clock_timestamp()
                      WHERE collection = (
                          SELECT collection FROM control.collections
                          WHERE task = $2 AND definition = $3 AND ended_at IS NULL
                            AND touched_at > clock_timestamp() - make_interval(secs => resume_seconds)
                          ORDER BY collection DESC LIMIT 1)
                      RETURNING collection";
        let rows =
            self.database().query("look for a collection", update, &[&run, &task, &definition]).await?;
        fail_point!("control.take_collection.after");
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// A sign of life: from now on it is gone on with for as long as its source says.
    pub async fn touch_collection(&self, id: &str) -> Result<(), ControlError> {
        let update = "UPDATE control.collections SET touched_at = clock_timestamp() WHERE collection = $1";
        self.database().execute("go on with a collection", update, &[&id]).await.map(drop)
    }

    /// Ends a collection: `used`, or `given_up`. It is not gone on with any more.
    pub async fn end_collection(&self, id: &str, status: &str) -> Result<(), ControlError> {
        fail_point!("control.end_collection.before");
        let update = "UPDATE control.collections SET ended_at = clock_timestamp(), status = $2
                      WHERE collection = $1 AND ended_at IS NULL";
        persist(async || {
            self.database().execute("end a collection", update, &[&id, &status]).await.map(drop)
        })
        .await?;
        fail_point!("control.end_collection.after");
        Ok(())
    }

    /// The collections that a living run is at, or that can still be gone on with.
    pub async fn live_collections(&self) -> Result<Vec<String>, ControlError> {
        let live = format!(
            "SELECT c.collection FROM control.collections c
             WHERE c.ended_at IS NULL
               AND (c.touched_at > clock_timestamp() - make_interval(secs => c.resume_seconds)
                    OR EXISTS (SELECT FROM control.runs r JOIN control.sessions s ON s.session = r.session
                               WHERE r.run = c.run AND r.ended_at IS NULL AND {}))",
            alive()
        );
        let grace = self.shared.timing.grace.as_secs_f64();
        let rows = self.database().query("list the living collections", &live, &[&grace]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Which of these this control database knows.
    pub async fn known_collections(&self, ids: &[String]) -> Result<Vec<String>, ControlError> {
        let known = "SELECT collection FROM control.collections WHERE collection = ANY($1)";
        let rows = self.database().query("look for collections", known, &[&ids]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Writes down requests that failed for good; those that are known already stay as they are.
    pub async fn keep_failed(&self, run: &str, failed: &[FailedRequest]) -> Result<(), ControlError> {
        if failed.is_empty() {
            return Ok(());
        }
        fail_point!("control.keep_failed.before");
        let insert = "INSERT INTO control.failed_requests
                          (failure, task, source, run, collection, query, request, failed)
                      SELECT f, t, s, $1, c, q, r, w
                      FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::jsonb[], $8::jsonb[])
                          AS u (f, t, s, c, q, r, w)
                      WHERE NOT EXISTS (SELECT FROM control.failed_requests k WHERE k.task = t
                          AND (k.collection = c AND k.query = q OR k.request = r AND k.ended_at IS NULL))";
        let of = |field: fn(&FailedRequest) -> &String| failed.iter().map(field).collect::<Vec<_>>();
        let queries: Vec<i64> = failed.iter().map(|one| signed(one.query)).collect();
        let requests: Vec<Json<&Value>> = failed.iter().map(|one| Json(&one.request)).collect();
        let failures: Vec<Json<&Failure>> = failed.iter().map(|one| Json(&one.failed)).collect();
        persist(async || {
            let parameters: super::database::Parameters<'_> = &[
                &run,
                &of(|one| &one.id),
                &of(|one| &one.task),
                &of(|one| &one.source),
                &of(|one| &one.collection),
                &queries,
                &requests,
                &failures,
            ];
            self.database().execute("keep failed requests", insert, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.keep_failed.after");
        Ok(())
    }

    /// The requests of a task that failed and were not mended, the oldest first, with the time of the failure.
    pub async fn failed_requests(
        &self,
        task: &str,
        most: u32,
    ) -> Result<Vec<(FailedRequest, Timestamp)>, ControlError> {
        let select = "SELECT failure, source, collection, query, request, failed, failed_at
                      FROM control.failed_requests WHERE task = $1 AND ended_at IS NULL
                      ORDER BY failed_at, failure LIMIT $2";
        let most = i64::from(most);
        let rows = self.database().query("look for failed requests", select, &[&task, &most]).await?;
        let one = |row: &tokio_postgres::Row| {
            let (Json(request), Json(failed)): (Json<Value>, Json<Failure>) = (row.get(4), row.get(5));
            let failed = FailedRequest {
                id: row.get(0),
                task: task.to_owned(),
                source: row.get(1),
                collection: row.get(2),
                query: u64::try_from(row.get::<_, i64>(3)).unwrap_or(0),
                request,
                failed,
            };
            (failed, row.get(6))
        };
        Ok(rows.iter().map(one).collect())
    }

    /// Ends failed requests: a load brought their rows, or they are given up.
    pub async fn end_failed(&self, ids: &[String], load: Option<&str>) -> Result<(), ControlError> {
        let update = "UPDATE control.failed_requests SET ended_at = clock_timestamp(), mended_by = $2
                      WHERE failure = ANY($1) AND ended_at IS NULL";
        fail_point!("control.end_failed.before");
        persist(async || {
            self.database().execute("end failed requests", update, &[&ids, &load]).await.map(drop)
        })
        .await?;
        fail_point!("control.end_failed.after");
        Ok(())
    }

    /// Writes down records that a load leaves out. Those that are known already stay as they are.
    pub async fn keep_rejected(
        &self,
        (run, task): (&str, &str),
        (load, collection): (&str, &str),
        rejected: &[RejectedRecord],
    ) -> Result<(), ControlError> {
        if rejected.is_empty() {
            return Ok(());
        }
        fail_point!("control.keep_rejected.before");
        let insert =
            "INSERT INTO control.rejected_records (task, run, load, collection, answer, record, reason)
                      SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::bigint[], $7::text[])
                      ON CONFLICT DO NOTHING";
        let answers: Vec<&String> = rejected.iter().map(|one| &one.answer).collect();
        let records: Vec<i64> = rejected.iter().map(|one| signed(one.record)).collect();
        let reasons: Vec<&String> = rejected.iter().map(|one| &one.reason).collect();
        persist(async || {
            let parameters: super::database::Parameters<'_> =
                &[&task, &run, &load, &collection, &answers, &records, &reasons];
            self.database().execute("keep rejected records", insert, parameters).await.map(drop)
        })
        .await?;
        fail_point!("control.keep_rejected.after");
        Ok(())
    }

    /// How many records a load left out.
    pub async fn rejected(&self, load: &str) -> Result<u64, ControlError> {
        let count = "SELECT count(*) FROM control.rejected_records WHERE load = $1";
        let rows = self.database().query("count rejected records", count, &[&load]).await?;
        Ok(rows.first().map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

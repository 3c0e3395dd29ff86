//! What checks found, and the staging tables that are kept because of it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Control, ControlError, runs::word};
use crate::{
    event::{CheckOutcome, RowSample},
    fail_point,
    sql::TableName,
};

/// How long a staging table is kept for a look.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a check found in some run.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptCheck {
    /// The run's id.
    pub run: String,
    /// The task.
    pub task: String,
    /// The check.
    pub check: String,
    /// When.
    pub at: Timestamp,
    /// `passed`, `warned`, `failed`.
    pub status: String,
    /// What it found, in words.
    pub message: String,
    /// Some of the rows.
    pub sample: Option<RowSample>,
}

impl Control {
    /// Records what the checks of a task found, and measured. A task that nobody wrote down keeps no results.
    pub async fn record_checks(
        &self,
        run: &str,
        task: &str,
        checks: &[CheckOutcome],
    ) -> Result<(), ControlError> {
        if checks.is_empty() {
            return Ok(());
        }
        let insert = "INSERT INTO control.check_results
                (run, task, check_name, before_publish, status, rows, of_rows, message, sample)
            SELECT $1, $2, c.* FROM unnest($3::text[], $4::boolean[], $5::text[], $6::bigint[], $7::bigint[],
                $8::text[], $9::jsonb[]) AS c
            WHERE EXISTS (SELECT FROM control.tasks t WHERE t.run = $1 AND t.task = $2)
            ON CONFLICT DO NOTHING";
        let names: Vec<&str> = checks.iter().map(|check| check.check.as_str()).collect();
        let before: Vec<bool> = checks.iter().map(|check| check.before_publish).collect();
        let statuses: Vec<String> = checks.iter().map(|check| word(&check.status)).collect();
        let number = |count: Option<u64>| count.map(super::runs::signed);
        let rows: Vec<Option<i64>> = checks.iter().map(|check| number(check.rows)).collect();
        let of: Vec<Option<i64>> = checks.iter().map(|check| number(check.of)).collect();
        let messages: Vec<&str> = checks.iter().map(|check| check.message.as_str()).collect();
        let samples: Vec<Option<serde_json::Value>> =
            checks.iter().map(|check| check.sample.as_ref().map(super::runs::json)).collect();
        fail_point!("control.record_checks.before");
        let parameters: super::database::Parameters<'_> =
            &[&run, &task, &names, &before, &statuses, &rows, &of, &messages, &samples];
        self.database().execute("record what checks found", insert, parameters).await?;
        fail_point!("control.record_checks.after");
        self.record_measures(run, task, checks).await
    }

    /// The last results of a task that are not good, or of a run if one is named; the latest first.
    pub async fn found_by_checks(
        &self,
        task: Option<&str>,
        run: Option<&str>,
        limit: u32,
    ) -> Result<Vec<KeptCheck>, ControlError> {
        let select = "SELECT run, task, check_name, at, status, message, sample FROM control.check_results
            WHERE status <> 'passed' AND ($1::text IS NULL OR task = $1) AND ($2::text IS NULL OR run = $2)
            ORDER BY at DESC, task, check_name LIMIT $3";
        let rows = self
            .database()
            .query("read what checks found", select, &[&task, &run, &i64::from(limit)])
            .await?;
        let kept = rows.iter().map(|row| KeptCheck {
            run: row.get(0),
            task: row.get(1),
            check: row.get(2),
            at: row.get(3),
            status: row.get(4),
            message: row.get(5),
            sample: row
                .get::<_, Option<serde_json::Value>>(6)
                .and_then(|sample| serde_json::from_value(sample).ok()),
        });
        Ok(kept.collect())
    }

    /// The last time that a check was asked: how long ago, whether it did not fail, and how it was written.
    pub async fn last_answer(
        &self,
        task: &str,
    ) -> Result<Option<(Duration, bool, Option<String>)>, ControlError> {
        let select = "SELECT extract(epoch FROM clock_timestamp() - ended_at)::float8, status = 'succeeded',
                outcome->>'definition' FROM control.tasks
            WHERE task = $1 AND kind = 'check' AND ended_at IS NOT NULL AND status IN ('succeeded', 'failed')
            ORDER BY started_at DESC LIMIT 1";
        let rows = self.database().query("read when a check was asked last", select, &[&task]).await?;
        Ok(rows.first().map(|row| {
            let age = Duration::try_from_secs_f64(row.get(0)).unwrap_or_default();
            (age, row.get(1), row.get(2))
        }))
    }

    /// The checks that kept a task from being published when it was tried last.
    pub async fn refused_by(&self, task: &str) -> Result<Vec<String>, ControlError> {
        let select = "SELECT check_name FROM control.check_results
            WHERE task = $1 AND before_publish AND status = 'failed' AND run = (
                SELECT run FROM control.check_results WHERE task = $1 AND before_publish ORDER BY at DESC LIMIT 1)";
        let rows =
            self.database().query("read what kept a table from being published", select, &[&task]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Says that a load's staging table stays though its attempt ends, in the place of the table's one before.
    pub async fn keep_staging(&self, table: &TableName, load: &str) -> Result<(), ControlError> {
        let upsert = "INSERT INTO control.kept_staging (task, load) VALUES ($1, $2)
            ON CONFLICT (task) DO UPDATE SET load = excluded.load, kept_at = clock_timestamp()";
        self.database().execute("keep a staging table", upsert, &[&table.to_string(), &load]).await?;
        Ok(())
    }

    /// The loads whose staging tables are kept: not for ever, and not once the table was published again.
    pub async fn kept_loads(&self) -> Result<Vec<String>, ControlError> {
        let select = "SELECT k.load FROM control.kept_staging k
            WHERE k.kept_at > clock_timestamp() - make_interval(secs => $1) AND NOT EXISTS (
                SELECT FROM control.tasks t WHERE t.task = k.task AND t.started_at > k.kept_at
                    AND t.status IN ('succeeded', 'unchanged'))";
        let seconds = KEPT_FOR.as_secs_f64();
        let rows = self.database().query("list the kept staging tables", select, &[&seconds]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

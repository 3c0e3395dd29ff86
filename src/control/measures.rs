//! What tables were measured to be, and from when on a measure has a new level.

use std::time::Duration;

use jiff::Timestamp;

use super::{Control, ControlError, database::persist, runs::word};
use crate::{
    event::{CheckOutcome, Found, Measure},
    fail_point,
};

/// How long measures are kept, and looked at.
const KEPT_FOR: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// What one measure of a task was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// [`Measure::what`].
    pub what: String,
    /// [`Measure::of`].
    pub of: String,
    /// The latest last; those of before a new level are left out.
    pub points: Vec<Point>,
    /// From when on it has a new level, where that was ever said.
    pub restarted_at: Option<Timestamp>,
}

/// A measure of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The moment that the rows showed.
    pub moment: Timestamp,
    /// [`Measure::value`].
    pub value: f64,
    /// [`Measure::of_rows`].
    pub of_rows: Option<f64>,
    /// Whether it was as expected.
    pub found: Found,
}

impl Control {
    /// All measures of a task since their last new level.
    pub async fn measures(&self, task: &str) -> Result<Vec<Series>, ControlError> {
        let select = "SELECT what, of, moment, value, of_rows, found, restarted_at
            FROM (SELECT * FROM control.measures
                WHERE task = $1 AND moment > clock_timestamp() - make_interval(secs => $2)) m
            FULL JOIN (SELECT what, of, moment AS restarted_at FROM control.measure_restarts WHERE task = $1) r
                USING (what, of)
            ORDER BY what, of, moment";
        let doing = "read what a table was measured to be";
        let rows = self.database().query(doing, select, &[&task, &KEPT_FOR.as_secs_f64()]).await?;
        let mut all: Vec<Series> = Vec::new();
        for row in &rows {
            let (what, of): (String, String) = (row.get(0), row.get(1));
            if all.last().is_none_or(|last| (&last.what, &last.of) != (&what, &of)) {
                all.push(Series { what, of, points: Vec::new(), restarted_at: row.get(6) });
            }
            let (Some(series), Some(moment)) = (all.last_mut(), row.get::<_, Option<Timestamp>>(2)) else {
                continue;
            };
            if series.restarted_at.is_none_or(|restarted| moment >= restarted) {
                let found = match row.get(5) {
                    "low" => Found::Low,
                    "high" => Found::High,
                    _ => Found::Normal,
                };
                series.points.push(Point { moment, value: row.get(3), of_rows: row.get(4), found });
            }
        }
        Ok(all)
    }

    /// Records what was measured of published rows. Asked again of the same rows it is the same measure. What was
    /// abnormal since a level was accepted is usual from now on. Tried again for half a minute.
    pub(super) async fn record_measures(
        &self,
        run: &str,
        task: &str,
        checks: &[CheckOutcome],
    ) -> Result<(), ControlError> {
        let published = checks.iter().filter(|check| !check.before_publish);
        let measures: Vec<&Measure> = published.flat_map(|check| &check.measures).collect();
        if measures.is_empty() {
            return Ok(());
        }
        let upsert = "WITH m AS (SELECT DISTINCT ON (what, of, moment) * FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::float8[], $7::float8[],
                $8::text[], $9::timestamptz[]) AS m (what, of, moment, value, of_rows, found, accepted_since)),
            restarted AS (
                INSERT INTO control.measure_restarts (task, what, of, moment)
                SELECT $2, what, of, accepted_since FROM m WHERE accepted_since IS NOT NULL
                ON CONFLICT (task, what, of) DO UPDATE SET moment = greatest(excluded.moment, measure_restarts.moment)),
            usual AS (
                UPDATE control.measures p SET found = 'normal' FROM m
                WHERE p.task = $2 AND p.what = m.what AND p.of = m.of AND p.moment >= m.accepted_since
                    AND p.moment <> m.moment)
            INSERT INTO control.measures (task, what, of, moment, run, value, of_rows, found)
            SELECT $2, what, of, moment, $1, value, of_rows, found FROM m
            ON CONFLICT (task, what, of, moment) DO UPDATE
                SET run = excluded.run, value = excluded.value, of_rows = excluded.of_rows, found = excluded.found";
        let what: Vec<&str> = measures.iter().map(|measure| measure.what.as_str()).collect();
        let of: Vec<&str> = measures.iter().map(|measure| measure.of.as_str()).collect();
        let moments: Vec<Timestamp> = measures.iter().map(|measure| measure.moment).collect();
        let values: Vec<f64> = measures.iter().map(|measure| measure.value).collect();
        let of_rows: Vec<Option<f64>> = measures.iter().map(|measure| measure.of_rows).collect();
        let found: Vec<String> = measures.iter().map(|measure| word(&measure.found)).collect();
        let accepted: Vec<Option<Timestamp>> =
            measures.iter().map(|measure| measure.accepted_since).collect();
        fail_point!("control.record_measures.before");
        persist(async || {
            let parameters: super::database::Parameters<'_> =
                &[&run, &task, &what, &of, &moments, &values, &of_rows, &found, &accepted];
            self.database()
                .execute("record what a table was measured to be", upsert, parameters)
                .await
                .map(drop)
        })
        .await?;
        fail_point!("control.record_measures.after");
        Ok(())
    }

    /// When an attempt with this load ended well: how long it took, in seconds.
    pub async fn load_seconds(&self, task: &str, load: &str) -> Result<Option<f64>, ControlError> {
        let select = "SELECT extract(epoch FROM ended_at - started_at)::float8 FROM control.attempts
            WHERE task = $1 AND load = $2 AND status = 'succeeded' ORDER BY started_at DESC LIMIT 1";
        let rows = self.database().query("read how long a load took", select, &[&task, &load]).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// When a person last filled a table back, restored or adopted it.
    pub async fn last_by_hand(&self, task: &str) -> Result<Option<Timestamp>, ControlError> {
        let select = "SELECT max(ended_at) FROM control.tasks
            WHERE task = $1 AND kind IN ('backfill', 'restore', 'adopt') AND status = 'succeeded'";
        let rows = self.database().query("read what was done to a table by hand", select, &[&task]).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// Forgets old measures, and of those older than a day all but one in six hours: hours need not be known so well.
    pub(super) async fn prune_measures(&self) -> Result<(), ControlError> {
        let doing = "forget old measures";
        let old = "DELETE FROM control.measures WHERE moment < clock_timestamp() - make_interval(secs => $1)";
        self.database().execute(doing, old, &[&KEPT_FOR.as_secs_f64()]).await?;
        let many = "WITH n AS (
                SELECT task, what, of, moment, row_number() OVER (
                    PARTITION BY task, what, of, floor(extract(epoch FROM moment) / 21600) ORDER BY moment DESC) AS nth
                FROM control.measures
                WHERE moment < to_timestamp(floor(extract(epoch FROM clock_timestamp() - interval '1 day') / 21600) * 21600)
                    AND moment > clock_timestamp() - interval '4 days')
            DELETE FROM control.measures m USING n
            WHERE n.nth > 1 AND (m.task, m.what, m.of, m.moment) = (n.task, n.what, n.of, n.moment)";
        self.database().execute(doing, many, &[]).await.map(drop)
    }
}

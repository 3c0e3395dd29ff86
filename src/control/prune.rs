//! Forgetting what is old, a little at a time: no statement holds many locks or takes long, and each is a whole, so
//! that whoever dies in the middle leaves less history and nothing half done.

use std::time::{Duration, Instant};

use super::{Control, ControlError, history::KINDS_OF_TASKS};
use crate::fail_point;

/// How many rows one statement takes away, not counting what hangs on them.
const BATCH: i64 = 1000;

/// A run that finds more to forget leaves the rest to the next one.
const PATIENCE: Duration = Duration::from_secs(5);

const TAKE: &str = "INSERT INTO control.housekeeping AS h (what, done_at) VALUES ('prune', clock_timestamp())
    ON CONFLICT (what) DO UPDATE SET done_at = excluded.done_at
    WHERE h.done_at < clock_timestamp() - interval '1 hour' OR h.done_at > clock_timestamp()";

const GIVE_BACK: &str = "DELETE FROM control.housekeeping WHERE what = 'prune'";

impl Control {
    /// Forgets what ended longer ago than `keep`: runs with all that belongs to them, backfills, ticks, incidents that
    /// are over. How each task ended last, and its last good end, stay however old they are, and so do the runs of
    /// these: ages, deadlines, `result:`, `state:changed` and what is remembered of tables hang on them. The number of
    /// tasks' ends that are gone. Takes a few seconds at most; the next call goes on. Does nothing where it was done
    /// within the hour: it costs more statements than a small run.
    pub async fn prune(&self, keep: Duration) -> Result<u64, ControlError> {
        if self.database().execute("forget what is old", TAKE, &[]).await? == 0 {
            return Ok(0);
        }
        let begun = Instant::now();
        fail_point!("control.prune.before");
        let mut forgotten = 0;
        for (nth, statement) in statements().iter().enumerate() {
            loop {
                let parameters: super::database::Parameters<'_> = &[&keep.as_secs_f64(), &BATCH];
                let gone = self.database().execute("forget what is old", statement, parameters).await?;
                fail_point!("control.prune.between");
                if nth == 0 {
                    forgotten += gone;
                }
                if begun.elapsed() > PATIENCE {
                    self.database().execute("forget what is old", GIVE_BACK, &[]).await?;
                    return Ok(forgotten);
                }
                if gone < BATCH.unsigned_abs() {
                    break;
                }
            }
        }
        self.prune_small().await?;
        fail_point!("control.prune.after");
        Ok(forgotten)
    }

    /// What has a bound of its own, and is never much.
    async fn prune_small(&self) -> Result<(), ControlError> {
        for statement in [
            "DELETE FROM control.sessions s WHERE s.expires_at < clock_timestamp() - interval '1 day'
                AND NOT EXISTS (SELECT FROM control.runs r WHERE r.session = s.session AND r.ended_at IS NULL)",
            "DELETE FROM control.holds WHERE until < clock_timestamp() - interval '1 day'",
            "DELETE FROM control.mutes WHERE until < clock_timestamp() - interval '1 day'",
            "UPDATE control.check_results SET sample = NULL
                WHERE sample IS NOT NULL AND at < clock_timestamp() - interval '30 days'",
            "DELETE FROM control.allowance_spent
                WHERE last_at + make_interval(secs => length / 1e6) < clock_timestamp() - interval '1 day'",
            "DELETE FROM control.allowance_calendar WHERE ends_at < clock_timestamp() - interval '2 days'",
            "DELETE FROM control.allowance_open WHERE until < clock_timestamp() - interval '2 days'",
            "DELETE FROM control.allowance_waits WHERE expires_at < clock_timestamp() - interval '1 day'",
            "DELETE FROM control.kept_staging WHERE kept_at < clock_timestamp() - interval '30 days'",
        ] {
            self.database().execute("forget what is old", statement, &[]).await?;
        }
        self.prune_measures().await
    }
}

/// What takes away `$2` rows that are older than `$1` seconds, each for one table; tasks first, for runs go when they
/// have none.
fn statements() -> [String; 9] {
    let old = |column: &str| format!("{column} < clock_timestamp() - make_interval(secs => $1)");
    let batch = |table: &str, which: &str| {
        format!(
            "DELETE FROM control.{table} WHERE ctid = ANY (ARRAY(
                SELECT x.ctid FROM control.{table} x WHERE {which} LIMIT $2::bigint))"
        )
    };
    let last_end = format!(
        "EXISTS (SELECT FROM control.tasks n WHERE n.task = x.task AND n.started_at > x.started_at
            AND n.ended_at IS NOT NULL AND n.kind IN {KINDS_OF_TASKS})"
    );
    let good = "IN ('succeeded', 'unchanged')";
    let last_good = format!(
        "(x.status NOT {good} OR EXISTS (SELECT FROM control.tasks n WHERE n.task = x.task
            AND n.started_at > x.started_at AND n.status {good} AND n.kind IN {KINDS_OF_TASKS}))"
    );
    let tasks = format!(
        "{} AND (x.ended_at IS NULL OR x.kind NOT IN {KINDS_OF_TASKS} OR ({last_end} AND {last_good}))
         AND EXISTS (SELECT FROM control.runs r WHERE r.run = x.run AND {})",
        old("x.started_at"),
        old("r.ended_at"),
    );
    let runs = format!(
        "{} AND {} AND NOT EXISTS (SELECT FROM control.tasks t WHERE t.run = x.run)",
        old("x.started_at"),
        old("x.ended_at"),
    );
    let schemas = format!(
        "{} AND EXISTS (SELECT FROM control.schemas n WHERE n.task = x.task AND n.seen_at > x.seen_at)",
        old("x.seen_at")
    );
    [
        batch("tasks", &tasks),
        batch("runs", &runs),
        batch("schemas", &schemas),
        batch("backfills", &old("x.ended_at")),
        // By its last tick a schedule knows which ones are behind it.
        batch(
            "ticks",
            &format!(
                "{} AND EXISTS (SELECT FROM control.ticks n WHERE n.project = x.project
            AND n.schedule = x.schedule AND n.tick > x.tick)",
                old("x.ended_at")
            ),
        ),
        batch("collections", &format!("{} AND {}", old("x.begun_at"), old("x.touched_at"))),
        batch("failed_requests", &old("x.failed_at")),
        batch("rejected_records", &old("x.at")),
        batch("incidents", &format!("x.state = 'recovered' AND {}", old("x.recovered_at"))),
    ]
}

//! What is read and written where an allowance is taken.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Grant, PAUSE_MAX, Waiter,
    limits::{CalendarUnit, Limits, Span, Window},
    windows::{Counted, Open, Spent, State, held, reached, skew_seconds, touched},
};
use crate::{
    control::{ControlError, database::Work},
    event::Tier,
};

/// Who waits for critical tasks has said so for this long beyond the moment when it wants to look again, in seconds.
const WAITS_ON: f64 = 5.0;

/// What no longer counts is taken away when it is so many rows.
const OVER_MAX: usize = 64;

/// A critical task of this process waits no more.
pub(super) const FORGET_WAITER: &str =
    "DELETE FROM control.allowance_waits WHERE source = $1 AND waiter = $2";

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

pub(super) fn in_micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Holds the source's row until the work ends.
pub(super) async fn lock(work: &Work<'_>, source: &str) -> Result<(), ControlError> {
    let lock = "SELECT FROM control.allowances WHERE source = $1 FOR UPDATE";
    if work.query(lock, &[&source]).await?.is_empty() {
        let make = "INSERT INTO control.allowances (source) VALUES ($1) ON CONFLICT DO NOTHING";
        work.execute(make, &[&source]).await?;
        work.query(lock, &[&source]).await?;
    }
    Ok(())
}

pub(super) async fn read(work: &Work<'_>, source: &str, waiter: &str) -> Result<State, ControlError> {
    let all = "SELECT 'now', clock_timestamp(),
                (SELECT paused_until FROM control.allowances WHERE source = $1), 0::bigint, 0::bigint, ''
        UNION ALL SELECT 'open', granted_at, until, 0, 0, id FROM control.allowance_open WHERE source = $1
        UNION ALL SELECT 'spent', last_at, NULL, count, length, ''
            FROM control.allowance_spent WHERE source = $1
        UNION ALL SELECT 'counted', starts_at, ends_at, count, 0, unit
            FROM control.allowance_calendar WHERE source = $1 AND ends_at > clock_timestamp() - interval '1 hour'
        UNION ALL SELECT 'waits', expires_at, NULL, count, 0, ''
            FROM control.allowance_waits
            WHERE source = $1 AND waiter <> $2 AND expires_at > clock_timestamp()";
    let mut state = State::default();
    for row in work.query(all, &[&source, &waiter]).await? {
        let (kind, first, second): (&str, Timestamp, Option<Timestamp>) =
            (row.get(0), row.get(1), row.get(2));
        let (first, second) = (micros(first), second.map(micros));
        let count = u64::try_from(row.get::<_, i64>(3)).unwrap_or(0);
        let last = second.unwrap_or(first);
        match kind {
            "now" => (state.now, state.paused_until) = (first, second),
            "open" => state.open.push(Open { id: row.get(5), granted_at: first, until: last }),
            "spent" => state.spent.push(Spent { length: row.get(4), last_at: first, count }),
            "counted" => {
                let span = Span { starts: first, ends: last };
                state.counted.push(Counted { unit: row.get(5), span, count });
            }
            _ => state.waiting += count,
        }
    }
    Ok(state)
}

/// Puts right what lies there: requests of processes that died, what no longer counts, and what the database's clock has taken
/// back. Whether anything was to be done.
pub(super) async fn settle(
    work: &Work<'_>,
    source: &str,
    limits: &Limits,
    state: &mut State,
) -> Result<bool, ControlError> {
    let now = state.now;
    let mut changed = false;
    // A clock that was put back would let them count until it is where it was.
    const A_SECOND: i64 = 1_000_000;
    let (longest, pause_max) = (in_micros(limits.longest), in_micros(PAUSE_MAX));
    let is_back = state.spent.iter().any(|spent| spent.last_at > now + A_SECOND)
        || state.open.iter().any(|open| open.granted_at > now + A_SECOND)
        || state.paused_until.is_some_and(|until| until > now + pause_max + A_SECOND);
    if is_back {
        work.execute(
            "WITH spent AS (UPDATE control.allowance_spent SET last_at = $2 WHERE source = $1 AND last_at > $2),
                open AS (UPDATE control.allowance_open SET granted_at = $2, until = $3
                    WHERE source = $1 AND granted_at > $2)
             UPDATE control.allowances SET paused_until = $4 WHERE source = $1 AND paused_until > $4",
            &[&source, &timestamp(now), &timestamp(now + longest), &timestamp(now + pause_max)],
        )
        .await?;
        state.spent.iter_mut().for_each(|spent| spent.last_at = spent.last_at.min(now));
        for open in state.open.iter_mut().filter(|open| open.granted_at > now) {
            (open.granted_at, open.until) = (now, now + longest);
        }
        state.paused_until = state.paused_until.map(|until| until.min(now + pause_max));
        changed = true;
    }
    let (dead, open): (Vec<Open>, Vec<Open>) =
        std::mem::take(&mut state.open).into_iter().partition(|open| open.until < now);
    state.open = open;
    for dead in dead {
        let (units, starts, ends) = spans(limits, |unit| reached(unit, limits, dead.granted_at, dead.until));
        let until = Some(timestamp(dead.until));
        work.execute(
            ANSWERED,
            &[&source, &dead.id, &lengths(limits), &units, &starts, &ends, &until, &skew_seconds()],
        )
        .await?;
        state.spent.extend(lengths(limits).into_iter().map(|length| Spent {
            length,
            last_at: dead.until,
            count: 1,
        }));
        for ((unit, starts), ends) in units.into_iter().zip(starts).zip(ends) {
            let span = Span { starts: micros(starts), ends: micros(ends) };
            state.counted.push(Counted { unit: unit.to_owned(), span, count: 1 });
        }
        changed = true;
    }
    let over = state.spent.iter().filter(|spent| spent.last_at + held(spent.length) < now);
    if over.count() > OVER_MAX {
        work.execute(
            "WITH spent AS (DELETE FROM control.allowance_spent WHERE source = $1
                AND last_at < clock_timestamp() - make_interval(secs => length / 0.99e6 + 1))
             DELETE FROM control.allowance_calendar
             WHERE source = $1 AND ends_at < clock_timestamp() - interval '2 days'",
            &[&source],
        )
        .await?;
        changed = true;
    }
    Ok(changed)
}

/// A request goes from what is under way to what counts. `$7`: when it was answered, now where it is NULL.
pub(super) const ANSWERED: &str = "WITH gone AS (DELETE FROM control.allowance_open WHERE source = $1 AND id = $2),
    at AS MATERIALIZED (SELECT coalesce($7::timestamptz, clock_timestamp()) AS now),
    spent AS (
        INSERT INTO control.allowance_spent AS s (source, length, bucket, last_at, count)
        SELECT $1, n.length, floor(extract(epoch FROM at.now) * 1e6 / greatest(n.length / 100, 1))::bigint, at.now, 1
        FROM at, unnest($3::bigint[]) AS n (length)
        ON CONFLICT (source, length, bucket) DO UPDATE
            SET count = s.count + 1, last_at = greatest(s.last_at, excluded.last_at))
    INSERT INTO control.allowance_calendar AS c (source, unit, starts_at, ends_at, count)
    SELECT $1, n.unit, n.starts_at, n.ends_at, 1
    FROM at, unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) AS n (unit, starts_at, ends_at)
    WHERE n.starts_at <= at.now + make_interval(secs => $8)
    ON CONFLICT (source, unit, starts_at, ends_at) DO UPDATE SET count = c.count + 1";

pub(super) async fn grant(
    work: &Work<'_>,
    source: &str,
    limits: &Limits,
    waiter: Waiter<'_>,
    now: i64,
) -> Result<Grant, ControlError> {
    let grant = Grant { source: source.to_owned(), id: crate::clock::new_id(), granted_at: now };
    let (units, starts, ends) = spans(limits, |unit| touched(unit, limits, now));
    let take = "WITH counted AS (
            INSERT INTO control.allowance_calendar AS c (source, unit, starts_at, ends_at, count)
            SELECT $1, n.unit, n.starts_at, n.ends_at, 1
            FROM unnest($5::text[], $6::timestamptz[], $7::timestamptz[]) AS n (unit, starts_at, ends_at)
            ON CONFLICT (source, unit, starts_at, ends_at) DO UPDATE SET count = c.count + 1)
        INSERT INTO control.allowance_open (source, id, granted_at, until) VALUES ($1, $2, $3, $4)";
    let until = timestamp(now + in_micros(limits.longest));
    work.execute(take, &[&source, &grant.id, &timestamp(now), &until, &units, &starts, &ends]).await?;
    if waiter.tier == Tier::Critical && (waiter.critical > 1 || waiter.is_known) {
        say_waiting(work, source, waiter, i64::from(waiter.critical) - 1, now).await?;
    }
    Ok(grant)
}

pub(super) async fn say_waiting(
    work: &Work<'_>,
    source: &str,
    waiter: Waiter<'_>,
    count: i64,
    until: i64,
) -> Result<(), ControlError> {
    if count <= 0 {
        return work.execute(FORGET_WAITER, &[&source, &waiter.name]).await.map(drop);
    }
    let say = "INSERT INTO control.allowance_waits (source, waiter, count, expires_at)
        VALUES ($1, $2, $3, $4::timestamptz + make_interval(secs => $5))
        ON CONFLICT (source, waiter) DO UPDATE SET count = excluded.count, expires_at = excluded.expires_at";
    work.execute(say, &[&source, &waiter.name, &count, &timestamp(until), &WAITS_ON]).await.map(drop)
}

/// The lengths of the windows that slide, in microseconds.
pub(super) fn lengths(limits: &Limits) -> Vec<i64> {
    let of_each = limits.windows.iter().filter_map(|window| match window {
        Window::Sliding { length, .. } => Some(in_micros(*length)),
        Window::Calendar { .. } => None,
    });
    of_each.collect()
}

/// Windows of the calendar, as the statements take them.
pub(super) fn spans(
    limits: &Limits,
    of_unit: impl Fn(CalendarUnit) -> Vec<Span>,
) -> (Vec<&'static str>, Vec<Timestamp>, Vec<Timestamp>) {
    let mut spans = (Vec::new(), Vec::new(), Vec::new());
    for window in &limits.windows {
        let Window::Calendar { unit, .. } = window else { continue };
        for span in of_unit(*unit) {
            spans.0.push(unit.word());
            spans.1.push(timestamp(span.starts));
            spans.2.push(timestamp(span.ends));
        }
    }
    spans
}

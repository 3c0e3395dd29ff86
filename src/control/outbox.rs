//! The outbox: messages that are recorded and not sent yet.
//!
//! Who sends one claims it first. A claim ends with the session that made it, so that what a killed process had
//! in hand is free at once, and after [`CLAIM_MAX`] in any case. Messages about one incident leave for one place
//! in their order, never two at a time; a place takes one message a second, over all processes.

use std::time::Duration;

use tokio_postgres::Row;

use super::{
    Control, ControlError, Delivery, Due,
    database::{PATIENCE, Work, persist},
    locks::alive,
    session::SEEN,
};
use crate::{
    config::ChannelName,
    fail_point,
    incident::{Notice, Telling},
};

/// How long a message may be in somebody's hands: longer than any request takes.
const CLAIM_MAX: Duration = Duration::from_secs(120);

/// How soon somebody looks again whether what is in another's hands is free.
const LOOK: Duration = Duration::from_millis(500);

/// Nobody waits longer at once.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A place takes one message in so long.
const PACE: Duration = Duration::from_millis(1100);

/// How many messages go in one that gathers them.
const GATHERED_MAX: i64 = 100;

/// Where more wait to be told at once, people read one message better than many.
const FLOOD: usize = 5;

/// Messages claimed: one, or those that are told as one.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Their numbers, in their order.
    pub messages: Vec<i64>,
    /// What they say.
    pub notices: Vec<Notice>,
    /// By which channel.
    pub channel: String,
    /// To which of its places.
    pub address: String,
    /// Whether somebody is called by name.
    pub loud: bool,
    /// How often sending the first one was tried before.
    pub tries: u32,
    /// It may have been sent before.
    pub doubtful: bool,
    /// Where the first message about the incident lies in this place.
    pub thread: Option<serde_json::Value>,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Send this.
    Send(Box<Claimed>),
    /// Come back after this time.
    Wait(Duration),
    /// Nothing waits.
    Done,
}

/// Messages that are not sent yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// By which channel.
    pub channel: String,
    /// How many.
    pub messages: u32,
    /// Why the first of them was not sent.
    pub error: Option<String>,
}

/// Records a message, in the transaction of its incident.
pub(super) async fn record(
    work: &Work<'_>,
    notice: &Notice,
    delivery: &Delivery,
) -> Result<(), ControlError> {
    let Delivery { channel, address, loud, due } = delivery;
    let place = "INSERT INTO control.alert_places (project, channel, address) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING";
    work.execute(place, &[&notice.project, channel, address]).await?;
    let (gathered, due_at) = match due {
        Due::Now => (false, None),
        Due::Gathered(at) => (true, Some(*at)),
    };
    if !gathered {
        // What was to wait for the others does not any more: its beginning must not come after this.
        let hurry = "UPDATE control.outbox SET gathered = false, due_at = clock_timestamp()
            WHERE incident = $1 AND channel = $2 AND gathered AND sent_at IS NULL AND given_up_at IS NULL";
        work.execute(hurry, &[&notice.incident, channel]).await?;
    }
    let insert =
        "INSERT INTO control.outbox (project, incident, channel, address, loud, gathered, notice, due_at)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, clock_timestamp()))";
    let json = super::runs::json(notice);
    work.execute(
        insert,
        &[&notice.project, &notice.incident, channel, address, loud, &gathered, &json, &due_at],
    )
    .await?;
    Ok(())
}

/// What becomes of an incident is told where its beginning was, and its end nowhere else.
pub(super) async fn where_to(
    work: &Work<'_>,
    notice: &Notice,
    routed: Vec<Delivery>,
) -> Result<Vec<Delivery>, ControlError> {
    if !matches!(notice.event, Telling::Recovered | Telling::Acknowledged) {
        return Ok(routed);
    }
    let before = "SELECT DISTINCT channel, address FROM control.outbox WHERE incident = $1";
    let rows = work.query(before, &[&notice.incident]).await?;
    let told = |row: &Row| {
        let (channel, address): (&str, String) = (row.get(0), row.get(1));
        let same = |delivery: &&Delivery| delivery.channel == channel && delivery.address == address;
        let as_routed = routed.iter().find(same).cloned();
        let channel = ChannelName::of(channel)?.as_str();
        as_routed.or(Some(Delivery { channel, address, loud: false, due: Due::Now }))
    };
    Ok(rows.iter().filter_map(told).collect())
}

/// A message `o` that waits and may be claimed; `$1` is the grace in seconds. Of what goes to one place about one
/// incident the first one alone.
fn claimable() -> String {
    format!(
        "o.sent_at IS NULL AND o.given_up_at IS NULL
         AND (o.claimed_at IS NULL OR o.claimed_at < clock_timestamp() - interval '{} seconds'
              OR NOT EXISTS (SELECT FROM control.sessions s WHERE s.session = o.claimed_by AND {}))
         AND NOT EXISTS (SELECT FROM control.outbox e WHERE e.incident = o.incident AND e.channel = o.channel
             AND e.address = o.address AND e.message < o.message AND e.sent_at IS NULL AND e.given_up_at IS NULL
             AND NOT (e.gathered AND o.gathered))",
        CLAIM_MAX.as_secs(),
        alive()
    )
}

impl Control {
    /// Claims the next message of a project that is due on one of these channels.
    pub async fn claim_message(&self, project: &str, channels: &[&str]) -> Result<Next, ControlError> {
        let doing = "claim a message";
        let session = self.session().await?;
        let grace = self.shared.timing.grace.as_secs_f64();
        // Only what is due is worth a transaction.
        let waits = format!(
            "SELECT extract(epoch FROM min(greatest(o.due_at, p.not_before)) FILTER (WHERE {}) - clock_timestamp())::float8,
                 coalesce(bool_or(o.claimed_by <> $4), false)
             FROM control.outbox o JOIN control.alert_places p USING (project, channel, address)
             WHERE o.project = $2 AND o.channel = ANY($3) AND o.sent_at IS NULL AND o.given_up_at IS NULL",
            claimable()
        );
        let rows = self.database().query(doing, &waits, &[&grace, &project, &channels, &session.id]).await?;
        let (due_in, in_other_hands): (Option<f64>, bool) = (rows[0].get(0), rows[0].get(1));
        if in_other_hands {
            self.mark_dead_claimants(project).await?;
        }
        match (due_in, in_other_hands) {
            (Some(..=0.0), _) => {}
            (None, false) => return Ok(Next::Done),
            (due_in, in_other_hands) => {
                let most = if in_other_hands { LOOK.as_secs_f64() } else { LONGEST.as_secs_f64() };
                return Ok(Next::Wait(Duration::from_secs_f64(due_in.unwrap_or(most).min(most))));
            }
        }
        let work = self.database().begin(doing, PATIENCE).await?;
        let first = format!(
            "SELECT o.message, o.channel, o.address, o.gathered FROM control.outbox o
             JOIN control.alert_places p USING (project, channel, address)
             WHERE o.project = $2 AND o.channel = ANY($3) AND o.due_at <= clock_timestamp()
               AND p.not_before <= clock_timestamp() AND {}
             ORDER BY o.message LIMIT 1 FOR UPDATE OF o, p SKIP LOCKED",
            claimable()
        );
        let rows = work.query(&first, &[&grace, &project, &channels]).await?;
        let Some(row) = rows.first() else {
            work.rollback().await?;
            return Ok(Next::Wait(Duration::from_millis(200)));
        };
        let (message, channel, address): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        let gathered: bool = row.get(3);
        let together = match gathered || channel == ChannelName::Slack.as_str() {
            true => due_together(&work, grace, (project, &channel, &address), gathered).await?,
            false => Vec::new(),
        };
        let with_others = if gathered || together.len() > FLOOD { together } else { vec![message] };
        let pace =
            "UPDATE control.alert_places SET not_before = clock_timestamp() + make_interval(secs => $4)
                    WHERE project = $1 AND channel = $2 AND address = $3";
        work.execute(pace, &[&project, &channel, &address, &PACE.as_secs_f64()]).await?;
        let claim = "UPDATE control.outbox o SET claimed_by = $2, claimed_at = clock_timestamp(),
                tries = b.tries + 1, doubtful = true
            FROM control.outbox b WHERE b.message = o.message AND o.message = ANY($1)
            RETURNING o.message, o.notice,
                -- Nobody is called by name for what is over by now.
                o.loud AND EXISTS (SELECT FROM control.incidents i
                    WHERE i.incident = o.incident AND i.state <> 'recovered'),
                b.tries, b.doubtful,
                (SELECT f.receipt FROM control.outbox f WHERE f.incident = o.incident AND f.channel = o.channel
                     AND f.address = o.address AND f.receipt IS NOT NULL ORDER BY f.message LIMIT 1)";
        let mut rows = work.query(claim, &[&with_others, &session.id]).await?;
        rows.sort_by_key(|row| row.get::<_, i64>(0));
        fail_point!("control.claim.before");
        work.commit().await?;
        fail_point!("control.claim.after");
        Ok(claimed(&rows, channel, address)
            .map_or(Next::Wait(Duration::from_millis(200)), |claimed| Next::Send(Box::new(claimed))))
    }

    /// Notes which of those who have messages in hand have died, and which of them are back.
    async fn mark_dead_claimants(&self, project: &str) -> Result<(), ControlError> {
        let mark = format!(
            "UPDATE control.sessions s SET gone_at = CASE WHEN {SEEN} THEN NULL ELSE clock_timestamp() END
             WHERE s.session IN (SELECT o.claimed_by FROM control.outbox o WHERE o.project = $1
                     AND o.sent_at IS NULL AND o.given_up_at IS NULL)
               AND {SEEN} = (s.gone_at IS NOT NULL)"
        );
        self.database().execute("look for dead senders", &mark, &[&project]).await.map(drop)
    }

    /// Messages were sent. Tried again for half a minute: who does not know it sends them twice.
    pub async fn message_sent(
        &self,
        messages: &[i64],
        receipt: Option<&serde_json::Value>,
    ) -> Result<(), ControlError> {
        let update =
            "UPDATE control.outbox SET sent_at = clock_timestamp(), claimed_by = NULL, claimed_at = NULL,
            doubtful = false, error = NULL, receipt = $2 WHERE message = ANY($1)";
        persist(async || {
            self.database().execute("mark messages as sent", update, &[&messages, &receipt]).await.map(drop)
        })
        .await
    }

    /// Messages were not sent, and are tried again after `wait`. `doubtful`: they may have been sent.
    pub async fn put_message_off(
        &self,
        messages: &[i64],
        wait: Duration,
        error: &str,
        doubtful: bool,
    ) -> Result<(), ControlError> {
        let update = "UPDATE control.outbox SET due_at = clock_timestamp() + make_interval(secs => $2),
            claimed_by = NULL, claimed_at = NULL, error = $3, doubtful = $4 WHERE message = ANY($1)";
        let seconds = wait.as_secs_f64();
        persist(async || {
            let parameters: super::database::Parameters<'_> = &[&messages, &seconds, &error, &doubtful];
            self.database().execute("put messages off", update, parameters).await.map(drop)
        })
        .await
    }

    /// A place wants no message for so long.
    pub async fn pause_place(
        &self,
        project: &str,
        channel: &str,
        address: &str,
        wait: Duration,
    ) -> Result<(), ControlError> {
        let update = "UPDATE control.alert_places
            SET not_before = greatest(not_before, clock_timestamp() + make_interval(secs => $4))
            WHERE project = $1 AND channel = $2 AND address = $3";
        let parameters: super::database::Parameters<'_> =
            &[&project, &channel, &address, &wait.as_secs_f64()];
        self.database().execute("pause a channel", update, parameters).await.map(drop)
    }

    /// Messages can never be sent: what comes after them may.
    pub async fn give_message_up(&self, messages: &[i64], error: &str) -> Result<(), ControlError> {
        let update =
            "UPDATE control.outbox SET given_up_at = clock_timestamp(), claimed_by = NULL, claimed_at = NULL,
            error = $2 WHERE message = ANY($1)";
        persist(async || {
            self.database().execute("give messages up", update, &[&messages, &error]).await.map(drop)
        })
        .await
    }

    /// Gives up what nobody could be told for so long that it is of no use any more.
    pub async fn give_old_messages_up(&self, project: &str, age: Duration) -> Result<u64, ControlError> {
        let update =
            "UPDATE control.outbox SET given_up_at = clock_timestamp(), claimed_by = NULL, claimed_at = NULL
            WHERE project = $1 AND sent_at IS NULL AND given_up_at IS NULL
              AND recorded_at < clock_timestamp() - make_interval(secs => $2)";
        self.database().execute("give old messages up", update, &[&project, &age.as_secs_f64()]).await
    }

    /// What waits although it is due, by channel.
    pub async fn waiting_messages(&self, project: &str) -> Result<Vec<Waiting>, ControlError> {
        let select = "SELECT channel, count(*), (array_agg(error ORDER BY message) FILTER (WHERE error IS NOT NULL))[1]
            FROM control.outbox WHERE project = $1 AND sent_at IS NULL AND given_up_at IS NULL
              AND NOT (gathered AND due_at > clock_timestamp()) GROUP BY channel ORDER BY channel";
        let rows = self.database().query("list what waits", select, &[&project]).await?;
        let waiting = |row: &Row| Waiting {
            channel: row.get(0),
            messages: u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX),
            error: row.get(2),
        };
        Ok(rows.iter().map(waiting).collect())
    }
}

/// What is due at one place, locked: what is gathered, or what is not.
async fn due_together(
    work: &Work<'_>,
    grace: f64,
    (project, channel, address): (&str, &str, &str),
    gathered: bool,
) -> Result<Vec<i64>, ControlError> {
    let select = format!(
        "SELECT o.message FROM control.outbox o WHERE o.project = $2 AND o.channel = $3 AND o.address = $4
             AND o.gathered = $5 AND o.due_at <= clock_timestamp() AND {}
         ORDER BY o.message LIMIT {GATHERED_MAX} FOR UPDATE SKIP LOCKED",
        claimable()
    );
    let rows = work.query(&select, &[&grace, &project, &channel, &address, &gathered]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// `None`: another release wrote them in a form that this one does not know; it sends them itself.
fn claimed(rows: &[Row], channel: String, address: String) -> Option<Claimed> {
    let first = rows.first()?;
    let mut messages = Vec::new();
    let mut notices = Vec::new();
    for row in rows {
        if let Ok(notice) = serde_json::from_value(row.get(1)) {
            messages.push(row.get(0));
            notices.push(notice);
        }
    }
    (!notices.is_empty()).then(|| Claimed {
        messages,
        notices,
        channel,
        address,
        loud: rows.iter().any(|row| row.get(2)),
        tries: u32::try_from(first.get::<_, i64>(3)).unwrap_or(u32::MAX),
        doubtful: first.get(4),
        thread: first.get(5),
    })
}

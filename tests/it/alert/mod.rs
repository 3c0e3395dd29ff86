//! Incidents and their messages, against a double of Slack and PagerDuty that refuses what they would.

mod by_hand;
mod deadlines;
mod down;
mod told;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use alert_double::{AlertDouble, Kept};
use barncat::{
    alert::Channels,
    config::{self, Environment},
    control::{Control, Observation, Timing},
    event::Tier,
    incident::{Alarm, AlarmKind, Seen},
    pg::{Endpoint, TlsSettings},
    secret::Secret,
};
use serde_json::Value;

use crate::support::variable;

/// A dead process is known to be one after so long.
const QUICK: Timing = Timing {
    ttl: Duration::from_secs(30),
    renew: Duration::from_millis(200),
    grace: Duration::from_millis(300),
};

/// A control database of one's own, the double, and a project that tells it everything.
struct Scene {
    double: AlertDouble,
    schema: String,
    folder: tempfile::TempDir,
}

impl Scene {
    /// `alerts`: what stands in `[alerts]`, with `API` and `WEBHOOK` for the double's addresses.
    async fn new(alerts: &str) -> Self {
        let double = AlertDouble::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let alerts = with_addresses(alerts, &double);
        let project = format!(
            "[project]\nname = \"tests\"\n[sources.shop]\nkind = \"postgres\"\nurl = \"postgres://x/y\"\n\
             [stage]\nurl = \"file:./stage\"\n[warehouse]\nkind = \"postgres\"\nurl = \"postgres://x/y\"\nschema = \"raw\"\n\
             [alerts]\n{alerts}\n"
        );
        std::fs::write(folder.path().join("barncat.toml"), project).unwrap();
        let schema = format!("alerts_{}", ulid::Ulid::generate()).to_lowercase();
        Self { double, schema, folder }
    }

    /// One process' view of the channels.
    fn channels(&self) -> Channels {
        let project = config::read(self.folder.path(), None).expect("the project is right");
        Channels::of(&project, &Environment::of([]))
    }

    /// One process' view of the control database.
    async fn control(&self) -> Control {
        let url = Secret::new(variable("BARNCAT_WAREHOUSE_URL"));
        let endpoint = Endpoint::parse(&url, &TlsSettings::default(), Path::new(".")).unwrap();
        Control::open_with(&endpoint, &self.schema, QUICK).await.expect("the control database opens")
    }

    /// Records that a task is wrong or well.
    async fn see(&self, control: &Control, task: &str, is_wrong: bool) {
        let channels = self.channels();
        let observation = if is_wrong { wrong(task, Tier::Critical) } else { well(task) };
        let route = |notice: &_| channels.router.route(notice);
        control.observe("tests", &observation, route).await.unwrap();
    }

    /// Runs SQL in the control database, with `control.` for its schema.
    async fn sql(&self, sql: &str) {
        let client = crate::support::connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
        client.batch_execute(&sql.replace("control.", &format!("{}.", self.schema))).await.unwrap();
    }

    /// As if so much time had gone by for whatever waits.
    async fn hours_later(&self) {
        self.sql("UPDATE control.outbox SET due_at = due_at - interval '2 hours', claimed_at = claimed_at - interval '2 hours';
                  UPDATE control.alert_places SET not_before = not_before - interval '2 hours'").await;
    }
}

fn with_addresses(alerts: &str, double: &AlertDouble) -> String {
    alerts
        .replace("API", &double.slack_api())
        .replace("TOKEN", double.slack_token())
        .replace("LOW_HOOK", &double.slack_webhook("low"))
        .replace("SLACK_HOOK", &double.slack_webhook("main"))
        .replace("PAGER", &double.pagerduty())
        .replace("WEBHOOK", &double.webhook())
        .replace("HEART", &double.heartbeat())
}

fn wrong(task: &str, tier: Tier) -> Observation {
    let alarm = Alarm {
        why: Some("the server answered 503".to_owned()),
        ..Alarm::of_task(AlarmKind::Failed, tier, task, format!("{task} failed 3 times"))
    };
    Observation { cause: alarm.cause.clone(), seen: Seen::Wrong(Box::new(alarm)), part_of: Vec::new() }
}

fn well(task: &str) -> Observation {
    Observation { cause: format!("task {task}"), seen: Seen::Well, part_of: Vec::new() }
}

/// A bot, in a channel of its own.
const BOT: &str = "slack = { token = \"TOKEN\", channel = \"C1\", api = \"API\", mention = \"@here\" }";

/// The headline of a message.
fn headline(kept: &Kept) -> &str {
    kept.body["blocks"][0]["text"]["text"].as_str().unwrap_or_default()
}

/// What was told in its order, each as its notification has it.
fn told(double: &AlertDouble) -> Vec<String> {
    let text = |kept: &Kept| {
        let first = kept.before.first().unwrap_or(&kept.body);
        first["text"].as_str().unwrap_or_default().to_owned()
    };
    double.knobs().kept_by("slack").iter().map(text).collect()
}

/// Waits for a state, with a limit.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so().await {
        assert!(Instant::now() < end, "it is not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing that was sent should have been refused.
fn nothing_refused(double: &AlertDouble) {
    assert_eq!(double.knobs().refused(), [""; 0]);
}

/// All of a value's texts, for looking for what must not be there.
fn all_text(value: &Value) -> String {
    value.to_string()
}

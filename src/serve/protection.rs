//! ECS' protection of a task: while a run is under way neither a deployment nor scaling in stops this container.
//!
//! By the container agent's endpoint `$ECS_AGENT_URI/task-protection/v1/state`, which takes a PUT with
//! `ProtectionEnabled` and `ExpiresInMinutes` (Amazon's developer guide, "task scale-in protection endpoint"). What it
//! answers changes nothing here: a container that is stopped all the same ends as after any SIGTERM.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::in_a_line;
use crate::{
    http::{Call, Http, Method, Patience},
    secret::Secret,
};

/// For how long one request protects. A service that dies is free to be replaced after that.
const MINUTES: u32 = 10;

/// How often it is asked for again, while a run is under way.
const RENEW: Duration = Duration::from_secs(3 * 60);

/// The same after it was not given.
const AGAIN: Duration = Duration::from_secs(20);

/// How long the end waits for it to be taken away.
const LAST: Duration = Duration::from_secs(3);

const SERVICE: &str = "the ECS agent";

/// The protection, as long as the service lives.
pub(super) struct Guarded {
    ended: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// Starts to follow whether a run is under way; does nothing outside of ECS.
pub(super) fn start(agent: Option<Secret>, busy: watch::Receiver<bool>) -> Guarded {
    let ended = CancellationToken::new();
    let task = agent.map(|agent| {
        let url = Secret::new(format!("{}/task-protection/v1/state", agent.expose().trim_end_matches('/')));
        let patience = Patience { connect: Duration::from_secs(2), answer: Duration::from_secs(5) };
        let agent = Agent { http: Http::new(patience), url };
        tokio::spawn(agent.follow(busy, ended.clone()))
    });
    Guarded { ended, task }
}

impl Guarded {
    /// Takes it away, if it is there.
    pub(super) async fn end(self) {
        self.ended.cancel();
        if let Some(task) = self.task {
            let _ = timeout(LAST, task).await;
        }
    }
}

struct Agent {
    http: Http,
    url: Secret,
}

impl Agent {
    async fn follow(self, mut busy: watch::Receiver<bool>, ended: CancellationToken) {
        let (mut is_protected, mut had_trouble) = (false, false);
        let mut next = Instant::now();
        loop {
            let is_busy = *busy.borrow_and_update() && !ended.is_cancelled();
            if is_busy != is_protected || (is_busy && Instant::now() >= next) {
                let set = self.set(is_busy).await;
                tell(&mut had_trouble, is_busy, set.as_ref().err());
                // What was not taken away ends by itself.
                is_protected = is_busy && (set.is_ok() || is_protected);
                next = Instant::now() + if set.is_ok() { RENEW } else { AGAIN };
            }
            if ended.is_cancelled() {
                return;
            }
            tokio::select! {
                changed = busy.changed() => if changed.is_err() { ended.cancelled().await },
                () = ended.cancelled() => {}
                () = sleep_until(next), if is_busy => {}
            }
        }
    }

    async fn set(&self, is_on: bool) -> Result<(), String> {
        let body = match is_on {
            true => serde_json::json!({ "ProtectionEnabled": true, "ExpiresInMinutes": MINUTES }),
            false => serde_json::json!({ "ProtectionEnabled": false }),
        };
        let call = Call {
            method: Method::PUT,
            service: SERVICE,
            url: &self.url,
            bearer: None,
            headers: &[],
            body: Some(body.to_string()),
        };
        let answer = self.http.call(call).await.map_err(|error| in_a_line(&error))?;
        let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match answer.is_done() && said["protection"]["ProtectionEnabled"] == is_on {
            true => Ok(()),
            false => Err(format!("{SERVICE} answered {}{}", answer.status_in_words(), reason(&said))),
        }
    }
}

/// Its own words: `error` of the request, `failure` of the service.
fn reason(said: &serde_json::Value) -> String {
    let texts = [
        &said["error"]["Code"],
        &said["error"]["Message"],
        &said["failure"]["Reason"],
        &said["failure"]["Detail"],
    ];
    let texts: Vec<&str> = texts.into_iter().filter_map(serde_json::Value::as_str).collect();
    if texts.is_empty() { String::new() } else { format!(": {}", texts.join(", ")) }
}

/// Once when it begins, once when it is over.
fn tell(had_trouble: &mut bool, is_on: bool, trouble: Option<&String>) {
    match trouble {
        Some(error) if !*had_trouble => {
            *had_trouble = true;
            tracing::warn!(
                error,
                "ECS does not protect this task while it runs; the role needs ecs:UpdateTaskProtection"
            );
        }
        Some(_) => {}
        None => {
            *had_trouble = false;
            tracing::debug!(is_on, "protection.set");
        }
    }
}

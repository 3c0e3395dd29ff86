//! A server that gives logins for Redshift, as AWS' two services do by their models of 2012-12-01 and
//! 2021-04-21: in XML for clusters, in JSON for workgroups.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::aws::{Asked, AwsServer};

/// The user that logs in.
pub(crate) const USER: &str = "IAM:etl";

#[derive(Default)]
struct State {
    /// What is answered instead of a login, first to last.
    refusals: Vec<(u16, &'static str)>,
    /// Given one after the other; the last one stays.
    passwords: Vec<String>,
    valid_seconds: i64,
}

/// The server. Ends with its handle.
pub(crate) struct LoginServer {
    state: Arc<Mutex<State>>,
    server: AwsServer,
}

impl LoginServer {
    /// Starts it; each login is said to be good for so long.
    pub(crate) async fn start(passwords: Vec<String>, valid_seconds: i64) -> Self {
        let state = Arc::new(Mutex::new(State { passwords, valid_seconds, ..State::default() }));
        let of = state.clone();
        let server = AwsServer::start(&["redshift", "redshift-serverless"], move |asked| {
            answer(&mut of.lock().expect("no panic under the lock"), asked)
        });
        Self { state, server: server.await }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// The next requests are refused so.
    pub(crate) fn refuse(&self, refusals: &[(u16, &'static str)]) {
        self.state.lock().expect("no panic under the lock").refusals = refusals.to_vec();
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.server.asked()
    }
}

fn answer(state: &mut State, asked: &Asked) -> (u16, String) {
    let is_json = !asked.target.is_empty();
    let action = asked.body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default();
    if !state.refusals.is_empty() {
        let (status, code) = state.refusals.remove(0);
        return (status, if is_json { json_error(code) } else { xml_error(code) });
    }
    let password =
        if state.passwords.len() > 1 { state.passwords.remove(0) } else { state.passwords[0].clone() };
    let expires = Timestamp::now() + SignedDuration::from_secs(state.valid_seconds);
    (200, if is_json { json(&password, expires) } else { xml(action, &password, expires) })
}

fn json(password: &str, expires: Timestamp) -> String {
    let expires = expires.as_millisecond() as f64 / 1000.0;
    serde_json::json!({"dbUser": USER, "dbPassword": password, "expiration": expires, "nextRefreshTime": expires}).to_string()
}

fn xml(action: &str, password: &str, expires: Timestamp) -> String {
    format!(
        "<{action}Response xmlns=\"http://redshift.amazonaws.com/doc/2012-12-01/\"><{action}Result>\
         <DbUser>{USER}</DbUser><DbPassword>{password}</DbPassword><Expiration>{expires}</Expiration>\
         </{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
}

fn json_error(code: &str) -> String {
    serde_json::json!({"__type": format!("com.amazonaws.redshiftserverless#{code}"), "message": "no"})
        .to_string()
}

fn xml_error(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    )
}

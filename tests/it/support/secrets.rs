//! A server that holds secrets, as Secrets Manager does by its model of 2017-10-17.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::aws::{Asked, AwsServer};

#[derive(Default)]
struct State {
    /// By ARN and by name.
    secrets: BTreeMap<String, String>,
    /// What is answered instead, first to last.
    refusals: Vec<(u16, &'static str)>,
}

/// The server. Ends with its handle.
pub(crate) struct SecretServer {
    state: Arc<Mutex<State>>,
    server: AwsServer,
}

impl SecretServer {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let of = state.clone();
        let server = AwsServer::start(&["secretsmanager"], move |asked| {
            answer(&mut of.lock().expect("no panic under the lock"), asked)
        });
        Self { state, server: server.await }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// From now on a secret holds this.
    pub(crate) fn put(&self, id: &str, text: &str) {
        let mut state = self.state.lock().expect("no panic under the lock");
        state.secrets.insert(id.to_owned(), text.to_owned());
    }

    /// What a secret holds.
    pub(crate) fn text(&self, id: &str) -> String {
        self.state.lock().expect("no panic under the lock").secrets[id].clone()
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
    let error = |code: &str, message: &str| json!({"__type": code, "Message": message}).to_string();
    if !state.refusals.is_empty() {
        let (status, code) = state.refusals.remove(0);
        return (status, error(code, "no"));
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    let id = body["SecretId"].as_str().unwrap_or_default();
    if asked.target != "secretsmanager.GetSecretValue" || body.as_object().is_none_or(|body| body.len() != 1)
    {
        return (400, error("ValidationException", "this is no GetSecretValue"));
    }
    match state.secrets.get(id) {
        None => (400, error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")),
        Some(text) => (
            200,
            json!({"ARN": format!("arn:aws:secretsmanager:eu-west-1:1:secret:{id}-AbCdEf"), "Name": id,
                "VersionId": "5048f9ef-0000-4000-8000-000000000000", "SecretString": text,
                "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_772_337_906.5})
            .to_string(),
        ),
    }
}

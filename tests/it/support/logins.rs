//! A server that gives logins for Redshift, as AWS' two services do by their models of 2012-12-01 and
//! 2021-04-21: in XML for clusters, in JSON for workgroups.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, task::JoinHandle};

/// The user that logs in.
pub(crate) const USER: &str = "IAM:etl";

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `Authorization`.
    pub(crate) authorization: String,
    /// `X-Amz-Target`.
    pub(crate) target: String,
    pub(crate) body: String,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// What is answered instead of a login, first to last.
    refusals: Vec<(u16, &'static str)>,
    /// Given one after the other; the last one stays.
    passwords: Vec<String>,
    valid_seconds: i64,
}

/// The server. Ends with its handle.
pub(crate) struct LoginServer {
    state: Arc<Mutex<State>>,
    listener: JoinHandle<()>,
    port: u16,
}

impl LoginServer {
    /// Starts it; each login is said to be good for so long.
    pub(crate) async fn start(passwords: Vec<String>, valid_seconds: i64) -> Self {
        let state = Arc::new(Mutex::new(State { passwords, valid_seconds, ..State::default() }));
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let of = state.clone();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let of = of.clone();
                let service = service_fn(move |request| answer(of.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { state, listener, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next requests are refused so.
    pub(crate) fn refuse(&self, refusals: &[(u16, &'static str)]) {
        self.state.lock().expect("no panic under the lock").refusals = refusals.to_vec();
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().expect("no panic under the lock").asked.clone()
    }
}

impl Drop for LoginServer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (authorization, target) = (header("authorization"), header("x-amz-target"));
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let mut state = state.lock().expect("no panic under the lock");
    let is_json = !target.is_empty();
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned();
    state.asked.push(Asked { authorization, target, body });
    let (status, text) = if state.refusals.is_empty() {
        let password =
            if state.passwords.len() > 1 { state.passwords.remove(0) } else { state.passwords[0].clone() };
        let expires = Timestamp::now() + SignedDuration::from_secs(state.valid_seconds);
        (200, if is_json { json(&password, expires) } else { xml(&action, &password, expires) })
    } else {
        let (status, code) = state.refusals.remove(0);
        (status, if is_json { json_error(code) } else { xml_error(code) })
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
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

//! An HTTP server that stands for one of AWS' services: it answers what was signed for it, and nothing else.

use std::{
    collections::BTreeMap,
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
use tokio::{net::TcpListener, task::JoinHandle};

use super::signed;

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `Authorization`.
    pub(crate) authorization: String,
    /// `X-Amz-Target`.
    pub(crate) target: String,
    pub(crate) body: String,
}

/// What is answered: a status and a text.
type Answer = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// The server. Ends with its handle.
pub(crate) struct AwsServer {
    asked: Arc<Mutex<Vec<Asked>>>,
    listener: JoinHandle<()>,
    port: u16,
}

impl AwsServer {
    /// Starts it for requests whose signatures name one of these services.
    pub(crate) async fn start(
        services: &'static [&'static str],
        answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let (asked, answer): (_, Arc<Answer>) = (Arc::default(), Arc::new(answer));
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = socket.local_addr().expect("an address").port();
        let noted: Arc<Mutex<Vec<Asked>>> = Arc::clone(&asked);
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (noted, answer) = (noted.clone(), answer.clone());
                let service =
                    service_fn(move |request| respond(services, noted.clone(), answer.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { asked, listener, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic under the lock").clone()
    }
}

impl Drop for AwsServer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn respond(
    services: &[&str],
    noted: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answer>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let asked = Asked {
        authorization: header("authorization"),
        target: header("x-amz-target"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    noted.lock().expect("no panic under the lock").push(asked.clone());
    let checks = services.iter().map(|service| signed::check_request(&headers, &body, service));
    let (status, text) = match checks.reduce(Result::or) {
        Some(Ok(())) => answer(&asked),
        wrong => (403, format!("{{\"__type\": \"SignatureDoesNotMatch\", \"message\": \"{wrong:?}\"}}")),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

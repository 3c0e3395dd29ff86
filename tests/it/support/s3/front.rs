//! The HTTP server in front of the S3 server: it notes each request, and goes wrong as planned.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    Request, Response,
    body::{Body as _, Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{Body, service::S3Service};

use super::faults::{Fault, Faults, Operation, Seen};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Serves on a free loopback port.
pub(super) async fn serve(store: S3Service, folder: PathBuf, faults: Arc<Faults>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let front = Arc::new(Front { store, folder, faults });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let front = Arc::clone(&front);
            let service = service_fn(move |request| {
                let front = Arc::clone(&front);
                async move { front.answer(request).await }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new());
            // A connection that a fault cuts ends in an error: that is its purpose.
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

struct Front {
    store: S3Service,
    folder: PathBuf,
    faults: Arc<Faults>,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let (head, mut incoming) = request.into_parts();
        let operation = Operation::of(&head);
        let fault = self.faults.next(operation);
        if matches!(fault, Some(Fault::CutRequest)) {
            // The first bytes of what is sent, if anything is; an error then closes the connection.
            let _ = incoming.frame().await;
            return Err("the connection is cut".into());
        }
        let mut body = match fault {
            Some(Fault::StallInRequest) => std::future::pending().await,
            Some(Fault::Slow) => collect_slowly(incoming).await?,
            _ => incoming.collect().await?.to_bytes(),
        };
        self.faults.note(Seen {
            operation,
            path_and_query: head.uri.to_string(),
            headers: head.headers.clone(),
            body_bytes: body.len(),
        });
        match &fault {
            Some(Fault::Refuse(status, code, message)) => return Ok(refusal(*status, code, message)),
            Some(Fault::Stall) => std::future::pending().await,
            Some(Fault::Hold(until)) => until.notified().await,
            Some(Fault::RefuseInHtml(status)) => {
                let page = Body::from("<html><body>Bad gateway</body></html>".to_owned());
                return Ok(Response::builder().status(*status).body(page).expect("a valid answer"));
            }
            Some(Fault::FlipRequest) => {
                let mut altered = body.to_vec();
                let middle = altered.len() / 2;
                altered[middle] ^= 1;
                body = altered.into();
            }
            Some(Fault::Answer(text)) => return Ok(Response::new(Body::from(text.clone()))),
            _ => {}
        }
        if self.knows_no_upload(head.uri.query().unwrap_or_default()) {
            return Ok(refusal(404, "NoSuchUpload", "The specified upload does not exist."));
        }
        let answer = self.store.call(Request::from_parts(head, Body::from(body))).await?;
        go_wrong(answer, fault).await
    }

    /// As S3 answers it; the server behind calls it a refused access.
    fn knows_no_upload(&self, query: &str) -> bool {
        let id = query.split('&').find_map(|pair| pair.strip_prefix("uploadId="));
        id.is_some_and(|id| !self.folder.join(format!(".upload-{id}.json")).exists())
    }
}

async fn collect_slowly(mut incoming: Incoming) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        body.extend_from_slice(&bytes);
        let pause = Duration::from_millis(25) * u32::try_from(bytes.len())? / (64 * 1024);
        tokio::time::sleep(pause).await;
    }
    Ok(body.into())
}

/// An error as S3 writes it.
fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let answer = Response::builder().status(status).header("content-type", "application/xml");
    answer.body(Body::from(xml)).expect("a valid answer")
}

async fn go_wrong(answer: Response<Body>, fault: Option<Fault>) -> Result<Response<Body>, Failure> {
    let Some(fault) = fault else { return Ok(answer) };
    let (mut head, body) = answer.into_parts();
    let body = BodyExt::collect(body).await?.to_bytes();
    let half = body.slice(..body.len() / 2);
    let whole_bytes = body.len();
    let body = match fault {
        Fault::DoAndRefuse(status, code) => return Ok(refusal(status, code, "It was done all the same.")),
        Fault::Shorten => {
            head.headers.insert("content-length", half.len().into());
            Body::http_body(Full::new(half))
        }
        Fault::CutAnswer if body.is_empty() => return Err("the answer is lost".into()),
        Fault::CutAnswer => unfinished(half, stream::iter([Err("the connection is cut".into())])),
        Fault::StallInAnswer => unfinished(half, stream::pending()),
        _ => Body::from(body),
    };
    if !head.headers.contains_key("content-length") && body.size_hint().exact().is_none() {
        head.headers.insert("content-length", whole_bytes.into());
    }
    Ok(Response::from_parts(head, body))
}

fn unfinished(
    first: Bytes,
    then: impl futures_util::Stream<Item = Result<Frame<Bytes>, Failure>> + Send + 'static,
) -> Body {
    Body::http_body_unsync(StreamBody::new(stream::iter([Ok(Frame::data(first))]).chain(then)))
}

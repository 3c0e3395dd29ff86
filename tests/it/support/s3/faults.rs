//! What the server in front does wrong, and what it has seen.

use std::sync::{Arc, Mutex};

use hyper::{HeaderMap, Method, http::request::Parts};
use tokio::sync::Notify;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Put,
    CreateUpload,
    Piece,
    Complete,
    Abort,
    Get,
    Head,
    List,
    ListUploads,
    Delete,
}

impl Operation {
    pub(super) fn of(request: &Parts) -> Self {
        let query = request.uri.query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match request.method {
            Method::PUT if has("partNumber") => Self::Piece,
            Method::PUT => Self::Put,
            Method::POST if has("uploads") => Self::CreateUpload,
            Method::POST if has("uploadId") => Self::Complete,
            Method::POST => Self::Delete,
            Method::DELETE if has("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::HEAD => Self::Head,
            _ if has("list-type") => Self::List,
            _ if has("uploads") => Self::ListUploads,
            _ => Self::Get,
        }
    }
}

/// One way to go wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Refuses with this status, code and message; nothing is done.
    Refuse(u16, &'static str, &'static str),
    /// Refuses with this status and a page for people.
    RefuseInHtml(u16),
    /// Does what was asked, and answers that it failed.
    DoAndRefuse(u16, &'static str),
    /// Closes the connection before the request is read to its end.
    CutRequest,
    /// Does what was asked, and closes the connection in the midst of the answer.
    CutAnswer,
    /// Waits until the test lets it go on.
    Hold(Arc<Notify>),
    /// Reads the request as over a slow line: 64 KiB in 25 ms.
    Slow,
    /// Stops reading the request.
    StallInRequest,
    /// Never answers.
    Stall,
    /// Sends half of the answer's body and never the rest.
    StallInAnswer,
    /// Sends half of the answer's body as if it were the whole.
    Shorten,
    /// Alters one bit of the request's body.
    FlipRequest,
    /// Answers with this body; nothing is done.
    Answer(String),
}

impl Fault {
    /// Whether the stage has to wait.
    pub(crate) fn takes_time(&self) -> bool {
        matches!(self, Self::Slow | Self::Stall | Self::StallInRequest | Self::StallInAnswer)
    }
}

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) operation: Operation,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body_bytes: usize,
}

/// The plan of faults, and the requests so far.
#[derive(Default)]
pub(crate) struct Faults {
    planned: Mutex<Vec<(Operation, Fault, u32)>>,
    seen: Mutex<Vec<Seen>>,
}

impl Faults {
    /// The next `times` requests of this kind go wrong so.
    pub(crate) fn plan(&self, operation: Operation, fault: Fault, times: u32) {
        self.planned.lock().unwrap().push((operation, fault, times));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn clear(&self) {
        self.planned.lock().unwrap().clear();
    }

    /// How many planned faults have not happened.
    pub(crate) fn left(&self) -> u32 {
        self.planned.lock().unwrap().iter().map(|(_, _, times)| times).sum()
    }

    /// The requests of this kind so far.
    pub(crate) fn seen(&self, operation: Operation) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.operation == operation).cloned().collect()
    }

    pub(super) fn note(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }

    pub(super) fn next(&self, operation: Operation) -> Option<Fault> {
        let mut planned = self.planned.lock().unwrap();
        let (_, fault, times) = planned.iter_mut().find(|(at, _, times)| *at == operation && *times > 0)?;
        *times -= 1;
        Some(fault.clone())
    }
}

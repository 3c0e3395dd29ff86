//! Services over HTTP: asked where they behave as badly as they can (`support/hostile.rs`), and loaded by the built
//! binary into a real Postgres.

mod ask;
mod ask_hosts;
mod ask_limits;
mod double;
mod hostile_loads;
mod killed;
mod limits;
mod loads;
mod processes;
mod replay;
mod scene;
mod surroundings;
mod work;

use std::{sync::Arc, time::Duration};

use barncat::{
    error::{Class, Failure},
    event::Tier,
    secret::Secret,
    source::{
        LocalSlots, SourceError,
        http::{Allowance, Answer, Ask, Asker, Media, Options, Request, Target, Unlimited},
    },
};

use crate::support::hostile::Hostile;

/// No test here may take longer: whatever a service does, there is an end.
const LONGEST: Duration = Duration::from_secs(60);

/// The settings for a service that runs here. Nothing of it depends on a quiet machine.
fn options(service: &Hostile) -> Options {
    Options {
        allow_http: true,
        allow_private: true,
        connect_timeout: Duration::from_secs(20),
        read_timeout: Duration::from_secs(20),
        answer_timeout: Duration::from_secs(40),
        pause: Duration::from_millis(10),
        attempts: 1,
        response_bytes: 1_000_000,
        ..Options::new("fx", Secret::new(service.url()))
    }
}

fn asker(options: Options) -> Asker {
    asker_within(options, Arc::new(Unlimited::default()))
}

fn asker_within(options: Options, allowance: Arc<dyn Allowance>) -> Asker {
    Asker::new(options, allowance, Arc::new(LocalSlots::new(8))).unwrap()
}

/// A GET of JSON, with a parameter that no message may show.
fn get(path: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        target: Target::Path(path.to_owned()),
        query: vec![("customer".to_owned(), "hunter2".to_owned())],
        headers: vec![],
        body: None,
        media: Media::Json,
    }
}

async fn ask(asker: &Asker, request: &Request) -> Result<Answer, SourceError> {
    let asked = asker.ask(request, Tier::Optional);
    tokio::time::timeout(LONGEST, asked).await.expect("no request hangs")
}

/// An error in words, which show nothing that they must not.
fn said(error: &SourceError) -> (Class, String) {
    let failure = Failure::of(&**error);
    let text = format!("{} {}", failure.message, failure.hint.unwrap_or_default());
    for secret in ["hunter2", "4711", "open-sesame"] {
        assert!(!format!("{text} {error:?}").contains(secret), "{text}");
    }
    (failure.class, text)
}

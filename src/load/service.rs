//! A load from a service: its answers are collected first, then rows are made of them as of any snapshot.
//!
//! What is new is decided before anything is asked, with a connection to the warehouse that is given back at once:
//! while a service is asked, which can take hours, nothing of the warehouse is held.

use std::{convert::Infallible, sync::Arc, time::Duration};

use super::{
    Attempt, LoadError, Loaded, Workshop,
    attempt::in_snapshot,
    connections::{hold_connections, names},
    decide::decide,
    progress::Progress,
    work,
};
use crate::{
    clock::{self, Clock, System},
    control::{Collection, Control},
    error::{Class, Fault},
    event::Step,
    fingerprint,
    source::{
        LeftOut, Snapshot, Source,
        http::{
            Service, ServiceError, Span,
            collect::{Query, Question, Watch},
        },
    },
    stage::{CollectionPrefix, LoadPrefix},
};
use async_trait::async_trait;

/// How often a sign of life is given.
const SIGN_EVERY: Duration = Duration::from_secs(20);

/// Makes one attempt at one table of a service.
pub(super) async fn load(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
) -> Result<Loaded, LoadError> {
    attempt.beginning.now();
    if let Some(select) = &attempt.work {
        return Box::pin(work::load(workshop, attempt, service, select)).await;
    }
    let span = span(workshop, attempt, service).await?;
    let collected = Box::pin(collect(workshop, attempt, service, span)).await?;
    let connections = hold_connections(workshop, std::slice::from_ref(attempt)).await?;
    let attempt = attempt.filled_by(workshop, &connections);
    let loaded = Box::pin(in_snapshot(workshop, &attempt, collected.snapshot.clone())).await;
    drop(connections);
    collected.end(workshop, loaded.as_ref().err()).await;
    let mut loaded = loaded?;
    loaded.warnings.extend(in_words(&collected.snapshot.left_out()));
    Ok(loaded)
}

/// What people should know of what is left out.
pub(super) fn in_words(left: &LeftOut) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(first) = left.records.first() {
        let (count, reason) = (left.count, &first.reason);
        words.push(match count {
            1 => format!("1 record was left out: {reason}"),
            count => format!("{count} records were left out; the first: {reason}"),
        });
    }
    if let Some(first) = left.requests.first() {
        let (count, why) = (left.requests.len(), &first.failure.message);
        let requests =
            if count == 1 { "1 request failed".to_owned() } else { format!("{count} requests failed") };
        words.push(format!("{requests} for good and can be sent again by `barncat replay`: {why}"));
    }
    words.extend(left.unled.iter().map(|path| {
        format!("`{path}` of `paging` is in no answer, so that the first page was taken for all there is")
    }));
    words
}

/// Which rows are to be asked for.
async fn span(workshop: &Workshop, attempt: &Attempt, service: &Service) -> Result<Span, LoadError> {
    let now = System.now();
    if let Some(chunk) = &attempt.chunk {
        // Where the last value itself belongs to it, all that follows is asked for too.
        let until = (!chunk.range.to_included).then(|| chunk.range.to.clone());
        return Ok(Span { since: chunk.range.from.clone(), until, now });
    }
    let tasks = names(std::slice::from_ref(attempt));
    let connection = workshop.connections(&tasks, 1, attempt.tier).await?;
    let snapshot = service.unasked();
    let decision =
        decide(&workshop.project, &attempt.spec, attempt.full, &*snapshot, &*workshop.warehouse).await?;
    drop(connection);
    Ok(Span { since: decision.new_rows.map(|new_rows| new_rows.low), until: None, now })
}

/// A whole collection, and its table as it is in it.
pub(super) struct Collected {
    id: String,
    pub(super) snapshot: Arc<dyn Snapshot>,
}

impl Collected {
    /// Ends the collection, or leaves it to be gone on with: where the failure is none of its own and goes away by
    /// itself, the next attempt need not ask again.
    pub(super) async fn end(&self, workshop: &Workshop, failure: Option<&LoadError>) {
        let ended = match failure {
            None => workshop.control.end_collection(&self.id, "used").await,
            Some(error) if is_of_answers(error) || error.class() != Class::Passing => {
                workshop.control.end_collection(&self.id, "given_up").await
            }
            Some(_) => workshop.control.touch_collection(&self.id).await,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, collection = self.id, "what became of a collection was not written down");
        }
    }
}

fn is_of_answers(error: &LoadError) -> bool {
    match error {
        LoadError::Source(error) => ServiceError::of(error).is_some_and(ServiceError::is_of_answers),
        _ => false,
    }
}

pub(super) fn boxed(error: ServiceError) -> LoadError {
    LoadError::Source(Box::new(error))
}

/// Asks for a span, or goes on with what an earlier attempt asked for.
pub(super) async fn collect(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    span: Span,
) -> Result<Collected, LoadError> {
    let table = service.table(&attempt.spec.source_table).map_err(boxed)?;
    let queries = table.asked.queries(&span).map_err(|error| boxed(error.into()))?;
    collect_queries(workshop, attempt, service, (table.asked.fingerprint(&span), span, queries)).await
}

/// The same for queries that are known by a fingerprint.
pub(super) async fn collect_queries(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    (asked, span, queries): (String, Span, Vec<Query>),
) -> Result<Collected, LoadError> {
    let spec = &attempt.spec;
    let table = service.table(&spec.source_table).map_err(boxed)?;
    let sample = spec.sample.as_ref().map(|sample| u64::from(sample.rows));
    let definition = fingerprint::of([asked, format!("{sample:?}"), service.definition(table)]);
    let task = spec.target.to_string();
    let id = begin(workshop, attempt, service, &definition).await?;
    tracing::info!(collection = id, queries = queries.len(), "collect.begins");
    let question = Question {
        since: span.since,
        until: span.until,
        begun_at: span.now,
        ..Question::now(id.clone(), definition, queries)
    };
    let prefix = CollectionPrefix::new(&workshop.project, &workshop.mode, &spec.target, &id);
    let progress = Progress::new(task, workshop.events.clone());
    progress.tell(Step::Extracting);
    let signs = Signs { control: &workshop.control, id: &id, progress };
    let collecting =
        Box::pin(service.collect(table, (&workshop.stage, &prefix), attempt.tier, sample, &signs, question));
    let collected = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => Err(LoadError::Cancelled),
        collected = collecting => collected.map_err(boxed),
        // A limit may be waited for through hours.
        never = signs.give() => match never {},
    };
    match collected {
        Ok(manifest) => {
            let snapshot = service.collected(table, &workshop.stage, vec![(prefix, manifest)]);
            Ok(Collected { id, snapshot })
        }
        Err(error) => {
            let ended = match is_of_answers(&error) {
                true => workshop.control.end_collection(&id, "given_up").await,
                false => workshop.control.touch_collection(&id).await,
            };
            if let Err(error) = ended {
                tracing::warn!(%error, collection = id, "what became of a collection was not written down");
            }
            Err(error)
        }
    }
}

/// The collection that is gone on with, or a new one.
async fn begin(
    workshop: &Workshop,
    attempt: &Attempt,
    service: &Service,
    definition: &str,
) -> Result<String, LoadError> {
    let task = attempt.spec.target.to_string();
    while let Some(id) = workshop.control.take_collection(&workshop.run, &task, definition).await? {
        if !is_published(workshop, attempt, &id).await? {
            tracing::info!(collection = id, "collect.goes_on");
            return Ok(id);
        }
        // Its process died before it could say so.
        workshop.control.end_collection(&id, "used").await?;
    }
    let id = clock::new_id();
    let (source, definition) = (service.name().to_owned(), definition.to_owned());
    let collection = Collection { id: id.clone(), task, source, definition };
    workshop.control.start_collection(&workshop.run, &collection, service.resume_for()).await?;
    Ok(id)
}

/// Whether a published load was made of a collection.
async fn is_published(workshop: &Workshop, attempt: &Attempt, id: &str) -> Result<bool, LoadError> {
    let prefix = LoadPrefix::new(&workshop.project, &workshop.mode, &attempt.spec.target, "");
    let objects = workshop.stage.list(&prefix.table_prefix()).await?;
    let of_it = objects.iter().filter(|object| LoadPrefix::collection_of(&object.key).as_deref() == Some(id));
    let loads: Vec<String> = of_it.filter_map(|object| LoadPrefix::load_of(&object.key)).collect();
    if loads.is_empty() {
        return Ok(false);
    }
    let published = workshop.warehouse.published_among(&loads).await.map_err(LoadError::Warehouse)?;
    Ok(!published.is_empty())
}

/// Tells how far a collection has got, and that somebody is at it.
struct Signs<'a> {
    control: &'a Control,
    id: &'a str,
    progress: Progress,
}

impl Signs<'_> {
    async fn give(&self) -> Infallible {
        loop {
            tokio::time::sleep(SIGN_EVERY).await;
            if let Err(error) = self.control.touch_collection(self.id).await {
                // It is the stage that counts; what is lost is for how long it is gone on with.
                tracing::debug!(%error, "a sign of life was not written down");
            }
        }
    }
}

#[async_trait]
impl Watch for Signs<'_> {
    async fn came(&self, records: u64, bytes: u64) {
        self.progress.add(records, bytes);
    }
}

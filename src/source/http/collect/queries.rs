//! The queries of a collection, each walked through page by page.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    super::{
        Answer, AskError, Given, Headers, MISSING, Request, Scope,
        paging::{Step, Walk},
        says_nothing,
    },
    AnswerPart, Collect, CollectError, CollectionManifest, Envelope, Failed, Query, Question,
    answers::{read_answer, write_answer},
    question::{get, put},
};
use crate::{
    clock::{Clock, System},
    error::{Class, Failure, Fault},
    fail_point,
    source::SourceError,
    stage::{CollectionPrefix, StageError},
};

/// What lies in the stage of a query.
#[derive(Debug, Default)]
struct Staged {
    /// The keys of its answers, by page, without a gap.
    answers: Vec<String>,
    /// Answers behind a gap, and what else is of no use.
    useless: Vec<String>,
    /// That it failed for good.
    failed: Option<String>,
}

/// What became of a query.
#[derive(Default)]
struct Answered {
    answers: Vec<AnswerPart>,
    failed: Option<Failed>,
    total: Option<u64>,
    /// Whether no page had what leads to the next one.
    is_unled: bool,
    last_at: Option<Timestamp>,
}

impl Collect<'_> {
    /// Asks until all is in the stage, and writes the manifest. Goes on with what lies there of a question that has
    /// the same definition; its queries are those that were written down when it began.
    pub async fn run(&self, question: Question) -> Result<CollectionManifest, CollectError> {
        let stage = &**self.stage;
        let before = Question::read(stage, self.prefix).await?;
        let before = before.filter(|before| before.definition == question.definition);
        let (question, staged) = match before {
            Some(before) => (before, self.staged().await?),
            None => {
                question.write(stage, self.prefix).await?;
                (question, BTreeMap::new())
            }
        };
        let answered = self.queries(&question, staged).await?;
        let is_cut = answered.len() < question.queries.len() || answered.iter().any(|(_, _, is_cut)| *is_cut);
        let mut manifest = CollectionManifest {
            version: 1,
            collection: question.collection,
            definition: question.definition,
            begun_at: question.begun_at,
            ended_at: question.begun_at,
            since: question.since,
            until: question.until,
            is_cut,
            queries: question.queries.len() as u64,
            answers: Vec::new(),
            failed: Vec::new(),
            totals: BTreeMap::new(),
            unled: None,
            sha256: String::new(),
        };
        // Where one query is led on, the name is right.
        let with_records =
            || answered.iter().filter(|(_, one, _)| one.answers.iter().any(|part| part.part.rows > 0));
        if with_records().next().is_some() && with_records().all(|(_, one, _)| one.is_unled) {
            manifest.unled = self.paging.kind.path().map(|path| path.text().to_owned());
        }
        for (query, answered, _) in answered {
            manifest.ended_at = answered.last_at.map_or(manifest.ended_at, |at| at.max(manifest.ended_at));
            manifest.answers.extend(answered.answers);
            manifest.failed.extend(answered.failed);
            manifest.totals.extend(answered.total.map(|total| (query, total)));
        }
        manifest.write(stage, self.prefix).await?;
        Ok(manifest)
    }

    /// Each query's number, what became of it, and whether more would have followed.
    async fn queries(
        &self,
        question: &Question,
        mut staged: BTreeMap<u64, Staged>,
    ) -> Result<Vec<(u64, Answered, bool)>, CollectError> {
        let queries = (0..)
            .zip(&question.queries)
            .map(|(number, query): (u64, _)| (number, query, staged.remove(&number).unwrap_or_default()));
        let queries: Vec<_> = queries.collect();
        let stops = AtomicBool::new(false);
        let Some(enough) = self.records_enough else {
            let stops = &stops;
            let all = queries.into_iter().map(|(number, query, staged)| async move {
                if stops.load(Ordering::Relaxed) {
                    return Ok((number, Answered::default(), true));
                }
                let answered = self.query(number, query, staged, None, stops).await;
                // The others end the page that is in flight: one that is given up could still come into the stage when
                // somebody else has asked for it again.
                stops.fetch_or(answered.is_err(), Ordering::Relaxed);
                let (answered, is_cut) = answered?;
                Ok::<_, CollectError>((number, answered, is_cut))
            });
            let all: Vec<_> = all.map(Box::pin).collect();
            let all: Vec<_> = stream::iter(all).buffer_unordered(self.at_once.max(1)).collect().await;
            let mut all: Vec<_> = all.into_iter().collect::<Result<_, _>>()?;
            all.sort_by_key(|(number, ..)| *number);
            return Ok(all);
        };
        // One after the other: how many are enough is known only then.
        let (mut all, mut records) = (Vec::new(), 0);
        for (number, query, staged) in queries {
            let (answered, is_cut) =
                self.query(number, query, staged, Some(enough - records), &stops).await?;
            records += answered.answers.iter().map(|answer| answer.part.rows).sum::<u64>();
            all.push((number, answered, is_cut));
            if records >= enough {
                break;
            }
        }
        Ok(all)
    }

    /// What lies in the stage, by query.
    async fn staged(&self) -> Result<BTreeMap<u64, Staged>, StageError> {
        let mut places = BTreeMap::new();
        let mut staged: BTreeMap<u64, Staged> = BTreeMap::new();
        for object in self.stage.list(&self.prefix.prefix()).await? {
            if let Some(place) = CollectionPrefix::place_of(&object.key) {
                places.insert(place, object.key);
            } else if let Some(query) = failed_of(&object.key) {
                staged.entry(query).or_default().failed = Some(object.key);
            }
        }
        for ((query, page), key) in places {
            let of_query = staged.entry(query).or_default();
            match of_query.answers.len() as u64 == page {
                true => of_query.answers.push(key),
                false => of_query.useless.push(key),
            }
        }
        Ok(staged)
    }

    /// One query. Where its pages do not fit together it is asked once more from its start: records may have moved
    /// while they were read.
    async fn query(
        &self,
        number: u64,
        query: &Query,
        staged: Staged,
        enough: Option<u64>,
        stops: &AtomicBool,
    ) -> Result<(Answered, bool), CollectError> {
        if let Some(key) = &staged.failed
            && let Ok(failed) = serde_json::from_slice(&get(&**self.stage, key).await?)
        {
            let answered = Answered { failed: Some(failed), ..Answered::default() };
            return Ok((answered, false));
        }
        match self.walk(number, query, &staged, enough, stops).await {
            Err(error) if error.is_drift() || is_altered(&error) => {
                tracing::info!(query = number, error = %Failure::of(&error), "collect.again");
                self.forget(number).await?;
                self.walk(number, query, &Staged::default(), enough, stops).await
            }
            walked => walked,
        }
    }

    async fn walk(
        &self,
        number: u64,
        query: &Query,
        staged: &Staged,
        enough: Option<u64>,
        stops: &AtomicBool,
    ) -> Result<(Answered, bool), CollectError> {
        self.stage.delete(&staged.useless).await?;
        let mut walk = Walk::begin(self.paging, query.request.clone())?;
        let mut answered = Answered::default();
        loop {
            let page = walk.pages();
            let key = usize::try_from(page).ok().and_then(|page| staged.answers.get(page));
            let taken = match key {
                Some(key) => self.again(key, &mut walk).await,
                None => self.ask((number, page), &query.given, &mut walk).await,
            };
            let (part, step, at) = match taken {
                Ok(taken) => taken,
                Err(error) if self.keeps_failed && is_of_request(&error) => {
                    answered.failed = Some(self.note_failed(number, query, &error).await?);
                    return Ok((answered, false));
                }
                Err(error) => return Err(error),
            };
            self.watch.came(part.part.rows, part.part.raw_bytes).await;
            answered.answers.push(part);
            answered.last_at = Some(at);
            answered.total = walk.total();
            answered.is_unled = walk.is_unled();
            match step {
                Step::End => return Ok((answered, false)),
                Step::Ask(_) if enough.is_some_and(|enough| walk.records() >= enough) => {
                    return Ok((answered, true));
                }
                Step::Ask(_) if stops.load(Ordering::Relaxed) => return Ok((answered, true)),
                Step::Ask(_) => {}
            }
        }
    }

    /// Asks for a page, and stages what came before anything else is made of it.
    async fn ask(
        &self,
        place: (u64, u64),
        given: &Given,
        walk: &mut Walk<'_>,
    ) -> Result<(AnswerPart, Step, Timestamp), CollectError> {
        // Headers may be secrets: they are in no object.
        let sent = Request { headers: self.headers.to_vec(), ..walk.awaited().clone() };
        fail_point!("collect.ask.before");
        let answer = match self.ask.ask(&sent, self.tier).await {
            Ok(answer) => answer,
            // Of pages by number one of them is beyond the last one; another way leads only to what is there.
            Err(error) if place.1 > 0 && !self.paging.kind.shifts() => {
                return Err(CollectError::Asked(error));
            }
            Err(error) => self.nothing(error)?,
        };
        fail_point!("collect.ask.after");
        let records = match (answer.status, self.records_of_missing) {
            (MISSING, Some(records)) if place.1 == 0 => records,
            (MISSING, Some(_)) => 0,
            (status, _) if says_nothing(status, &answer.body) => 0,
            _ => (self.count)(&answer.body, sent.media).map_err(CollectError::Counted)?,
        };
        let envelope =
            Envelope::of(place, (walk.awaited(), given), &answer, (records, &self.paging.secret_parameters));
        let part = write_answer(self.stage, self.prefix, &envelope, &answer.body).await?;
        Ok((part, take(walk, &answer, records)?, answer.answered_at))
    }

    /// The answer that there is nothing, where that is one.
    fn nothing(&self, error: SourceError) -> Result<Answer, CollectError> {
        let status = AskError::of(&error).and_then(AskError::status);
        if self.records_of_missing.is_none() || status != Some(MISSING) {
            return Err(CollectError::Asked(error));
        }
        let now = System.now();
        Ok(Answer {
            status: MISSING,
            headers: Headers::default(),
            url: String::new(),
            body: Bytes::new(),
            asked_at: now,
            answered_at: now,
            tries: 1,
        })
    }

    /// Takes an answer that lies in the stage: it must be that to the request that would be sent.
    async fn again(
        &self,
        key: &str,
        walk: &mut Walk<'_>,
    ) -> Result<(AnswerPart, Step, Timestamp), CollectError> {
        let (envelope, body, part) = read_answer(self.stage, key, None, self.body_bytes_max).await?;
        if envelope.request != *walk.awaited() {
            let what = "it is the answer to another request".to_owned();
            return Err(StageError::Altered { key: key.to_owned(), what }.into());
        }
        let step = take(walk, &envelope.answer(body), envelope.records)?;
        Ok((part, step, envelope.answered_at))
    }

    /// Writes down that a query failed for good: whoever goes on does not ask it again.
    async fn note_failed(
        &self,
        number: u64,
        query: &Query,
        error: &CollectError,
    ) -> Result<Failed, CollectError> {
        let failed = Failed { number, query: query.clone(), failure: Failure::of(error) };
        let json = serde_json::to_vec(&failed)
            .map_err(|source| CollectError::Json { what: "a failed request", source })?;
        fail_point!("collect.failed.before");
        put(&**self.stage, &self.prefix.failed(number), json).await?;
        fail_point!("collect.failed.after");
        Ok(failed)
    }

    /// Takes a query's answers out of the stage.
    async fn forget(&self, number: u64) -> Result<(), CollectError> {
        let objects = self.stage.list(&self.prefix.prefix()).await?;
        let is_its = |key: &String| CollectionPrefix::place_of(key).is_some_and(|(query, _)| query == number);
        let mut keys: Vec<String> = objects.into_iter().map(|object| object.key).filter(is_its).collect();
        // The last page first: who dies in between leaves no gap.
        keys.reverse();
        fail_point!("collect.forget.before");
        self.stage.delete(&keys).await?;
        fail_point!("collect.forget.after");
        Ok(())
    }
}

/// Whether other requests may do better.
fn is_of_request(error: &CollectError) -> bool {
    match error {
        CollectError::Asked(asked) => match AskError::of(asked) {
            Some(asked) => asked.scope() == Scope::Request,
            None => error.class() == Class::Lasting,
        },
        CollectError::Counted(_) | CollectError::Paging(_) => true,
        CollectError::Stage(_) | CollectError::Json { .. } => false,
    }
}

/// Of what is not there nothing follows.
fn take(walk: &mut Walk<'_>, answer: &Answer, records: u64) -> Result<Step, CollectError> {
    match answer.status {
        MISSING => Ok(walk.nothing()?),
        status if says_nothing(status, &answer.body) => Ok(walk.nothing()?),
        _ => Ok(walk.take(answer, records)?),
    }
}

/// The query of a note that one failed.
fn failed_of(key: &str) -> Option<u64> {
    let (_, object) = key.rsplit_once('/')?;
    object.strip_prefix("failed-")?.strip_suffix(".json")?.parse().ok()
}

fn is_altered(error: &CollectError) -> bool {
    matches!(error, CollectError::Stage(StageError::Altered { .. }))
}

impl Question {
    /// One that begins now.
    pub fn now(collection: String, definition: String, queries: Vec<Query>) -> Self {
        let begun_at = System.now();
        Self { version: 1, collection, definition, begun_at, since: None, until: None, queries }
    }
}

#[cfg(test)]
mod tests;

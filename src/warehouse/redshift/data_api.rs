//! Redshift by its Data API: a batch is sent, polled for, and its results fetched.
//!
//! Sources: the service's model (`redshift-data`, 2019-12-20) and "Using the Amazon Redshift Data API" in
//! the Management Guide. A batch is one transaction; a client token makes sending it again harmless.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_redshiftdata::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::describe_statement::DescribeStatementOutput,
    types::{Field, StatementStatusString, StatusString},
};
use tokio::time::{Instant, sleep};

use super::{
    RedshiftError,
    error::without_values,
    transport::{Answer, Batch, Transport},
};
use crate::error::Class;

/// The first pause between two looks at a batch, and the longest.
const LOOK_FIRST: Duration = Duration::from_millis(10);
const LOOK_LAST: Duration = Duration::from_secs(2);

/// For how long a batch that was sent is looked for before it is said that its answer was lost.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// How long the locks of one batch may take, at least: it needs that to begin.
const LOCKS_AT_LEAST: Duration = Duration::from_secs(5);

/// Statements of one batch, and the bytes of one, at most.
pub(super) const STATEMENTS_MAX: usize = 40;
pub(super) const STATEMENT_BYTES_MAX: usize = 100_000;

/// Which database, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataApiTarget {
    /// A provisioned cluster; else `workgroup`.
    pub cluster: Option<String>,
    /// A serverless workgroup.
    pub workgroup: Option<String>,
    /// The database.
    pub database: String,
    /// The database's user, of a cluster; else whom IAM maps to.
    pub db_user: Option<String>,
    /// A secret with user and password.
    pub secret: Option<String>,
}

/// Redshift by its Data API.
pub(super) struct DataApi {
    pub(super) client: Client,
    pub(super) target: DataApiTarget,
}

#[async_trait]
impl Transport for DataApi {
    fn place(&self) -> String {
        let name = self.target.workgroup.as_ref().or(self.target.cluster.as_ref());
        format!("{}/{}", name.map_or("redshift", String::as_str), self.target.database)
    }

    async fn run(&self, batch: Batch) -> Result<Vec<Answer>, RedshiftError> {
        if let Some(long) = batch.statements.iter().find(|sql| sql.len() > STATEMENT_BYTES_MAX) {
            return Err(RedshiftError::TooLong {
                doing: batch.doing,
                bytes: long.len(),
                bytes_max: STATEMENT_BYTES_MAX,
            });
        }
        let id = self.send(&batch).await?;
        let mut guard = Cancelling { client: self.client.clone(), id: Some(id.clone()) };
        let done = self.wait(&batch, &id).await;
        // Whatever came of it, there is nothing left to cancel, unless nobody knows.
        if !matches!(done, Err(RedshiftError::Unknown { .. })) {
            guard.id = None;
        }
        self.answers(&batch, &done?).await
    }

    fn locks_within(&self, asked: Duration) -> Duration {
        asked.max(LOCKS_AT_LEAST)
    }

    async fn settle(&self, name: &str) -> Result<(), RedshiftError> {
        self.until_over(name, false).await
    }

    async fn give_up(&self, name: &str) -> Result<(), RedshiftError> {
        self.until_over(name, true).await
    }
}

impl DataApi {
    /// Waits until all has ended whose name starts so; told to cancel, it sees to that itself.
    async fn until_over(&self, name: &str, cancel: bool) -> Result<(), RedshiftError> {
        let begun = Instant::now();
        let mut pause = LOOK_FIRST;
        loop {
            let doing = "look for what is under way".to_owned();
            match self.find(name).await {
                Ok(found) if found.iter().all(|(_, ended)| *ended) => return Ok(()),
                Ok(found) if cancel => {
                    for (id, _) in found.iter().filter(|(_, ended)| !ended) {
                        self.cancel(id).await;
                    }
                }
                Ok(_) => {}
                Err(error) if begun.elapsed() > LOST_AFTER => return Err(self.service(doing, &error)),
                Err(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK_LAST);
        }
    }

    /// Sends a batch and gives its id. Sent twice under one token it is done once.
    async fn send(&self, batch: &Batch) -> Result<String, RedshiftError> {
        let token = ulid::Ulid::generate().to_string();
        let (target, name) = (&self.target, format!("{} {token}", batch.name));
        // The two calls are asked for alike, and their builders have no type in common.
        macro_rules! sent {
            ($call:expr) => {
                $call
                    .set_cluster_identifier(target.cluster.clone())
                    .set_workgroup_name(target.workgroup.clone())
                    .set_db_user(target.db_user.clone())
                    .set_secret_arn(target.secret.clone())
                    .database(&target.database)
                    .statement_name(&name)
                    .client_token(&token)
                    .send()
                    .await
                    .map(|sent| sent.id)
                    .map_err(|error| self.refusal(&batch.doing, &error))
            };
        }
        let sent = match batch.statements.as_slice() {
            [alone] => sent!(self.client.execute_statement().sql(alone)),
            all => sent!(self.client.batch_execute_statement().set_sqls(Some(all.to_vec()))),
        };
        match sent {
            Ok(Some(id)) => Ok(id),
            Err(Some(refused)) => Err(refused),
            // Perhaps it arrived all the same: then it is there under its name.
            Ok(None) | Err(None) => self.sent(batch, &name).await,
        }
    }

    /// The id of a batch whose answer was lost.
    async fn sent(&self, batch: &Batch, name: &str) -> Result<String, RedshiftError> {
        let begun = Instant::now();
        let mut pause = LOOK_FIRST;
        while begun.elapsed() < LOST_AFTER {
            if let Ok(found) = self.find(name).await
                && let Some((id, _)) = found.into_iter().next()
            {
                return Ok(id);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_LAST);
        }
        Err(self.unknown(&batch.doing))
    }

    /// The statements whose name starts with this, and whether each has ended.
    async fn find(
        &self,
        name: &str,
    ) -> Result<
        Vec<(String, bool)>,
        SdkError<aws_sdk_redshiftdata::operation::list_statements::ListStatementsError>,
    > {
        let mut pages = self
            .client
            .list_statements()
            .statement_name(name)
            .status(StatusString::All)
            .set_cluster_identifier(self.target.cluster.clone())
            .set_workgroup_name(self.target.workgroup.clone())
            .database(&self.target.database)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for statement in page?.statements {
                let ended = statement.status.as_ref().is_some_and(has_ended);
                found.push((statement.id, ended));
            }
        }
        Ok(found)
    }

    /// Looks at a batch until it has ended.
    async fn wait(&self, batch: &Batch, id: &str) -> Result<DescribeStatementOutput, RedshiftError> {
        let begun = Instant::now();
        let (mut pause, mut seen) = (LOOK_FIRST, Instant::now());
        loop {
            match self.client.describe_statement().id(id).send().await {
                Ok(described) => {
                    seen = Instant::now();
                    match described.status() {
                        Some(StatusString::Finished) => return Ok(described),
                        Some(StatusString::Failed | StatusString::Aborted) => {
                            return Err(failed(batch, &described));
                        }
                        _ if waits_too_long(batch, &described, begun) => self.cancel(id).await,
                        _ => {}
                    }
                }
                Err(error) => match self.refusal(&batch.doing, &error) {
                    Some(refused) if is_lasting(&refused) => return Err(refused),
                    _ if seen.elapsed() > LOST_AFTER => return Err(self.unknown(&batch.doing)),
                    _ => {}
                },
            }
            sleep(pause).await;
            pause = (pause * 5 / 4).min(LOOK_LAST);
        }
    }

    async fn cancel(&self, id: &str) {
        // It may just have ended: the next look says so.
        let _ = self.client.cancel_statement().id(id).send().await;
    }

    async fn answers(
        &self,
        batch: &Batch,
        done: &DescribeStatementOutput,
    ) -> Result<Vec<Answer>, RedshiftError> {
        if batch.statements.len() == 1 {
            return Ok(vec![self.answer(batch, done.id(), done.has_result_set() == Some(true)).await?]);
        }
        let (parts, expected) = (done.sub_statements(), batch.statements.len());
        if parts.len() != expected {
            let what = format!("{} statements, and {expected} were sent", parts.len());
            return Err(RedshiftError::Answer { doing: batch.doing.clone(), what });
        }
        let mut answers = Vec::with_capacity(expected);
        for part in parts {
            answers.push(self.answer(batch, part.id(), part.has_result_set() == Some(true)).await?);
        }
        Ok(answers)
    }

    /// The rows of one statement, page by page. They are kept for a day: asking again is harmless.
    async fn answer(&self, batch: &Batch, id: &str, has_rows: bool) -> Result<Answer, RedshiftError> {
        let mut answer = Answer::default();
        if !has_rows {
            return Ok(answer);
        }
        let mut pages = self.client.get_statement_result().id(id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                // What was done is done; that its answer cannot be read makes it unknown.
                self.refusal(&batch.doing, &error)
                    .filter(is_lasting)
                    .unwrap_or_else(|| self.unknown(&batch.doing))
            })?;
            for record in page.records() {
                answer.rows.push(record.iter().map(text).collect());
            }
        }
        Ok(answer)
    }

    /// An error of a call that surely did nothing; `None` where it may have.
    fn refusal<E: ProvideErrorMetadata>(&self, doing: &str, error: &SdkError<E>) -> Option<RedshiftError> {
        let (code, message) = (error.code()?, error.message().unwrap_or("no reason was given"));
        let class = match code {
            "ThrottlingException"
            | "ActiveStatementsExceededException"
            | "ActiveSessionsExceededException"
            | "ActiveWaitingRequestsExceededException" => Class::Passing,
            "ValidationException" | "ResourceNotFoundException" => Class::Lasting,
            code if code.contains("AccessDenied") || code.contains("Token") || code.contains("Signature") => {
                Class::Lasting
            }
            _ => return None,
        };
        let message = format!("{} ({code})", without_values(message));
        Some(RedshiftError::Service { doing: doing.to_owned(), message, class })
    }

    fn service<E: ProvideErrorMetadata>(&self, doing: String, error: &SdkError<E>) -> RedshiftError {
        self.refusal(&doing, error).unwrap_or_else(|| self.unknown(&doing))
    }

    fn unknown(&self, doing: &str) -> RedshiftError {
        RedshiftError::Unknown { doing: doing.to_owned(), place: self.place() }
    }
}

/// Cancels a batch that nobody waits for any more.
struct Cancelling {
    client: Client,
    id: Option<String>,
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let client = self.client.clone();
        runtime.spawn(async move {
            let _ = client.cancel_statement().id(id).send().await;
        });
    }
}

fn is_lasting(error: &RedshiftError) -> bool {
    matches!(error, RedshiftError::Service { class: Class::Lasting, .. })
}

fn has_ended(status: &StatusString) -> bool {
    matches!(status, StatusString::Finished | StatusString::Failed | StatusString::Aborted)
}

/// Whether a batch still waits for its locks, longer than it may.
fn waits_too_long(batch: &Batch, described: &DescribeStatementOutput, begun: Instant) -> bool {
    let Some((locks, limit)) = batch.locks else { return false };
    if batch.statements.len() == 1 {
        // It takes the lock, and what it does then is done at once.
        let has_begun = matches!(described.status(), Some(StatusString::Picked | StatusString::Started));
        return has_begun && begun.elapsed() > limit;
    }
    let has_begun = described.sub_statements().iter().any(|part| {
        matches!(part.status(), Some(StatementStatusString::Picked | StatementStatusString::Started))
    });
    let taken = described
        .sub_statements()
        .iter()
        .take(locks)
        .all(|part| matches!(part.status(), Some(StatementStatusString::Finished)));
    has_begun && !taken && begun.elapsed() > limit
}

fn failed(batch: &Batch, described: &DescribeStatementOutput) -> RedshiftError {
    let aborted = described.status() == Some(&StatusString::Aborted);
    let message = match described.error() {
        Some(message) => without_values(message),
        None if aborted => "canceled on user's request".to_owned(),
        None => "no reason was given".to_owned(),
    };
    RedshiftError::Statement { doing: batch.doing.clone(), message, code: None }
}

/// A value as text. What is selected is cast to text where a type could come in two forms.
fn text(field: &Field) -> Option<String> {
    match field {
        Field::StringValue(text) => Some(text.clone()),
        Field::LongValue(number) => Some(number.to_string()),
        Field::DoubleValue(number) => Some(number.to_string()),
        Field::BooleanValue(value) => Some(if *value { "t" } else { "f" }.to_owned()),
        _ => None,
    }
}

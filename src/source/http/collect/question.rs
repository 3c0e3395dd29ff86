//! What is asked: written before the first answer, so that whoever goes on asks the same.

use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    super::{Given, Request},
    CollectError,
};
use crate::{
    fail_point,
    stage::{CollectionPrefix, Stage, StageError},
};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The version of this form; 1.
    pub version: u32,
    /// The collection's id.
    pub collection: String,
    /// A fingerprint of the settings that it follows from.
    pub definition: String,
    /// When it began: what came into the service later need not be among the answers.
    pub begun_at: Timestamp,
    /// The cursor's value from which on records are asked for; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The value before which they end; `None`: as far as there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The queries, in their order.
    pub queries: Vec<Query>,
}

/// One query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Its first request, as it is before pages are told apart; without headers, which may be secrets.
    pub request: Request,
    /// What was put into it.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub given: Given,
}

impl Question {
    /// Writes it.
    pub(super) async fn write(
        &self,
        stage: &dyn Stage,
        prefix: &CollectionPrefix,
    ) -> Result<(), CollectError> {
        let json =
            serde_json::to_vec(self).map_err(|source| CollectError::Json { what: "the question", source })?;
        fail_point!("collect.question.before");
        put(stage, &prefix.question(), json).await?;
        fail_point!("collect.question.after");
        Ok(())
    }

    /// Reads that of a collection; `None` where there is none, or none that this binary understands.
    pub async fn read(stage: &dyn Stage, prefix: &CollectionPrefix) -> Result<Option<Self>, StageError> {
        let json = match get(stage, &prefix.question()).await {
            Err(StageError::Missing { .. }) => return Ok(None),
            json => json?,
        };
        let question: Option<Self> = serde_json::from_slice(&json).ok();
        Ok(question.filter(|question| question.version == 1))
    }
}

/// A small object.
pub(super) async fn put(stage: &dyn Stage, key: &str, json: Vec<u8>) -> Result<(), StageError> {
    let mut upload = stage.put(key).await?;
    upload.write(Bytes::from(json)).await?;
    upload.finish().await.map(drop)
}

/// The same, back.
pub(super) async fn get(stage: &dyn Stage, key: &str) -> Result<Vec<u8>, StageError> {
    let mut json = Vec::new();
    let mut object = stage.get(key).await?;
    while let Some(bytes) = object.next().await {
        json.extend_from_slice(&bytes?);
    }
    Ok(json)
}

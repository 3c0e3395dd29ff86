//! The object written last: a collection's answers with their SHA-256.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    CollectError, Query,
    envelope::hex,
    question::{get, put},
};
use crate::{
    error::Failure,
    fail_point,
    stage::{
        CollectionPrefix, Stage, StageError,
        manifest::{CollectionRef, Part, in_words},
    },
};

/// A whole collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionManifest {
    /// The version of this form; 1.
    pub version: u32,
    /// The collection's id.
    pub collection: String,
    /// A fingerprint of the settings that it follows from.
    pub definition: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// When its last answer came.
    pub ended_at: Timestamp,
    /// The cursor's value from which on records were asked for; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The value before which they end; `None`: as far as there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether no more was asked because there were records enough.
    #[serde(default)]
    pub is_cut: bool,
    /// How many queries there were.
    pub queries: u64,
    /// The answers, by query and page.
    pub answers: Vec<AnswerPart>,
    /// Queries that failed for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<Failed>,
    /// How many records the service said that there are, by query, where it said so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub totals: BTreeMap<u64, u64>,
    /// The path of `paging` that no answer had, so that each query's first page was taken for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unled: Option<String>,
    /// SHA-256 of the object that it lies in, in hex; empty until it was written or read.
    #[serde(skip)]
    pub sha256: String,
}

/// One answer in the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerPart {
    /// Which query, from 0.
    pub query: u64,
    /// Which page, from 0.
    pub page: u64,
    /// The object; its rows are the answer's records.
    #[serde(flatten)]
    pub part: Part,
}

/// A query that failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which query, from 0.
    pub number: u64,
    /// What was asked.
    pub query: Query,
    /// Why it failed.
    pub failure: Failure,
}

impl CollectionManifest {
    /// The records of all answers.
    pub fn records(&self) -> u64 {
        self.answers.iter().fold(0, |records, answer| records.saturating_add(answer.part.rows))
    }

    /// How a load's manifest names it.
    pub fn named(&self) -> CollectionRef {
        CollectionRef { id: self.collection.clone(), sha256: self.sha256.clone() }
    }

    /// Writes it: from here on the collection is whole.
    pub(super) async fn write(
        &mut self,
        stage: &dyn Stage,
        prefix: &CollectionPrefix,
    ) -> Result<(), CollectError> {
        let json =
            serde_json::to_vec(self).map_err(|source| CollectError::Json { what: "the manifest", source })?;
        self.sha256 = hex(&Sha256::digest(&json));
        fail_point!("collect.manifest.before");
        put(stage, &prefix.manifest(), json).await?;
        fail_point!("collect.manifest.after");
        Ok(())
    }

    /// Reads one that had this SHA-256 when it was written.
    pub async fn read(
        stage: &dyn Stage,
        prefix: &CollectionPrefix,
        sha256: &str,
    ) -> Result<Self, StageError> {
        let key = prefix.manifest();
        let json = get(stage, &key).await?;
        let found = hex(&Sha256::digest(&json));
        if found != sha256 {
            return Err(StageError::Altered { key, what: "its SHA-256 differs".to_owned() });
        }
        let error = |what: String| StageError::Manifest { key: key.clone(), what };
        let manifest: Self = serde_json::from_slice(&json).map_err(|what| error(in_words(&what)))?;
        match manifest.version {
            1 => Ok(Self { sha256: found, ..manifest }),
            version => Err(error(format!("it has version {version}, a newer barncat wrote it"))),
        }
    }
}

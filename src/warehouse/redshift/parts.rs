//! A load's parts, before somebody else than us reads them: what the stage knows of them is held against
//! the manifest, and the manifest is written in Redshift's form.

use bytes::Bytes;
use futures_util::future::try_join_all;
use serde_json::json;

use super::RedshiftError;
use crate::stage::{
    PartReader, SharedStage,
    manifest::{Manifest, Part},
};

/// How many parts are asked for at once.
const AT_ONCE: usize = 16;

/// Where a load's objects lie, by the key of its first part.
pub(super) fn prefix_of(manifest: &Manifest) -> String {
    let key = manifest.parts.first().map(|part| part.key.as_str()).unwrap_or_default();
    key.rsplit_once('/').map_or_else(String::new, |(prefix, _)| format!("{prefix}/"))
}

/// An object's address for COPY.
pub(super) fn url(stage: &SharedStage, key: &str) -> String {
    format!("{}/{key}", stage.url().trim_end_matches('/'))
}

/// Asks the stage for each part's size and checksum. COPY checks neither, so this is done just before it.
pub(super) async fn check(manifest: &Manifest, stage: &SharedStage) -> Result<(), RedshiftError> {
    for some in manifest.parts.chunks(AT_ONCE) {
        try_join_all(some.iter().map(|part| check_one(part, manifest, stage))).await?;
    }
    Ok(())
}

async fn check_one(part: &Part, manifest: &Manifest, stage: &SharedStage) -> Result<(), RedshiftError> {
    let wrong = |what: String| Err(RedshiftError::Part { key: part.key.clone(), what });
    let Some(seen) = stage.look(&part.key).await? else {
        return wrong("is not there".to_owned());
    };
    if seen.bytes != part.bytes {
        return wrong(format!("has {} bytes, and its manifest says {}", seen.bytes, part.bytes));
    }
    match (&part.checksum, seen.checksum) {
        (Some(expected), Some(found)) if *expected == found => Ok(()),
        (Some(_), Some(_)) => wrong("has another SHA-256 than its manifest says".to_owned()),
        // A store that keeps none, or an object that somebody put there without: it is read.
        _ => Ok(PartReader::verify_all(stage, part, manifest.compression).await?),
    }
}

/// Writes the manifest in Redshift's form ("Using a manifest to specify data files"): a part that is missing
/// is an error, which it would not be by default.
pub(super) async fn write_manifest(
    key: &str,
    manifest: &Manifest,
    stage: &SharedStage,
) -> Result<(), RedshiftError> {
    let entry = |part: &Part| json!({"url": url(stage, &part.key), "mandatory": true, "meta": {"content_length": part.bytes}});
    // A part without rows is no CSV of one empty line, and nothing is missed without it.
    let entries: Vec<_> = manifest.parts.iter().filter(|part| part.rows > 0).map(entry).collect();
    let mut upload = stage.put(key).await?;
    upload.write(Bytes::from(json!({"entries": entries}).to_string())).await?;
    upload.finish().await?;
    Ok(())
}

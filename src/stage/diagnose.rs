//! Whether a run could use the stage: an object is written, listed, read and deleted.

use futures_util::TryStreamExt;

use super::{Stage, StageError};
use crate::{clock, diagnosis::Finding};

/// Tests it below `prefix`, which ends in `/`. Leaves nothing behind, as far as it is let.
pub async fn diagnose(stage: &dyn Stage, prefix: &str) -> Vec<Finding> {
    // Never the key of a load: ids do not repeat.
    let key = format!("{prefix}doctor/{}/probe", clock::new_id());
    let mut findings = Vec::new();
    match exchange(stage, prefix, &key).await {
        Ok(()) => findings.push(Finding::ok("objects", "can be written, listed and read")),
        Err(Trouble::Refused(error)) => findings.push(Finding::error("objects", &error)),
        Err(Trouble::Differs(what)) => findings.push(Finding::fail("objects", what)),
    }
    findings.push(match stage.delete(&[key]).await {
        Ok(()) => Finding::ok("delete", "objects can be deleted"),
        // Loads work without it, but what they leave piles up.
        Err(error) => {
            let found = Finding::error("delete", &error);
            Finding { status: crate::diagnosis::Verdict::Warn, ..found }
        }
    });
    findings
}

/// Why the exchange did not work.
enum Trouble {
    Refused(StageError),
    Differs(&'static str),
}

impl From<StageError> for Trouble {
    fn from(error: StageError) -> Self {
        Self::Refused(error)
    }
}

async fn exchange(stage: &dyn Stage, prefix: &str, key: &str) -> Result<(), Trouble> {
    const CONTENT: &[u8] = b"written by barncat doctor; may be deleted";
    let mut upload = stage.put(key).await?;
    upload.write(bytes::Bytes::from_static(CONTENT)).await?;
    upload.finish().await?;
    let listed = stage.list(&format!("{prefix}doctor/")).await?;
    if !listed.iter().any(|object| object.key == key && object.bytes == CONTENT.len() as u64) {
        return Err(Trouble::Differs(
            "an object that was written is not in the listing, or has another size",
        ));
    }
    let chunks: Vec<bytes::Bytes> = stage.get(key).await?.try_collect().await?;
    if chunks.concat() != CONTENT {
        return Err(Trouble::Differs("an object that was read is not what was written"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnosis::Verdict, stage};

    #[tokio::test]
    async fn a_folder_is_well_and_left_empty() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stage = stage::local(folder.path().to_owned());
        let found = diagnose(stage.as_ref(), "shop/production/").await;
        assert!(found.iter().all(|finding| finding.status == Verdict::Ok), "{found:?}");
        assert_eq!(stage.list("shop/").await.expect("a listing"), []);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_fails() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let stage = stage::local(file.path().join("below"));
        let found = diagnose(stage.as_ref(), "shop/production/").await;
        assert_eq!(found[0].status, Verdict::Fail, "{found:?}");
    }
}

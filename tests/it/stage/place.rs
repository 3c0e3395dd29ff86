//! A stage under test, and the files behind it.

use std::path::{Path, PathBuf};

use barncat::{
    sql::TableName,
    stage::{self, LoadPrefix, SharedStage, StageError},
};
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::support::s3::S3Server;

/// Makes a test of each function for each kind of stage.
macro_rules! for_each_stage {
    ($($name:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test] async fn $name() { super::$name(crate::stage::place::Place::folder().await).await })*
        }
        mod s3 {
            $(#[tokio::test] async fn $name() { super::$name(crate::stage::place::Place::s3().await).await })*
        }
    };
}
pub(super) use for_each_stage;

/// A stage that a test has for itself.
pub(super) struct Place {
    pub(super) stage: SharedStage,
    behind: Behind,
}

enum Behind {
    Folder(tempfile::TempDir),
    S3(S3Server),
}

impl Place {
    /// A folder.
    pub(super) async fn folder() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        Self { stage: stage::local(folder.path().to_owned()), behind: Behind::Folder(folder) }
    }

    /// A bucket.
    pub(super) async fn s3() -> Self {
        let server = S3Server::start().await;
        Self { stage: server.stage().await, behind: Behind::S3(server) }
    }

    /// The file that an object is behind the stage.
    pub(super) fn file(&self, key: &str) -> PathBuf {
        match &self.behind {
            Behind::Folder(folder) => folder.path().join(key),
            Behind::S3(server) => server.file(key),
        }
    }

    /// Starts an object and leaves it as a crash does: nothing is tidied up.
    pub(super) async fn crash_while_writing(&self, key: &str) {
        let pieces = match &self.behind {
            Behind::Folder(_) => 0,
            Behind::S3(server) => server.unfinished_uploads().1,
        };
        let mut upload = self.stage.put(key).await.expect("it begins");
        upload.write(noise(6 << 20).into()).await.expect("it is written");
        std::mem::forget(upload);
        if let Behind::S3(server) = &self.behind {
            server.holds_pieces(pieces + 1).await;
        }
    }

    /// Everything that lies behind the stage and is not an object: what a sweep has to remove.
    pub(super) fn unfinished(&self) -> usize {
        match &self.behind {
            Behind::Folder(folder) => count_files(folder.path()),
            Behind::S3(server) => {
                let (ids, pieces) = server.unfinished_uploads();
                ids.len() + pieces
            }
        }
    }
}

fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder is there").map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => count_files(&path),
            false => usize::from(path.to_string_lossy().ends_with(".unfinished")),
        })
        .sum()
}

pub(super) const LOAD: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// The keys of a load of the table `name`.
pub(super) fn load_of(name: &str) -> LoadPrefix {
    LoadPrefix::new("deliveries", "production", &TableName::new("raw_shop", name), LOAD)
}

/// Writes an object in blocks, as a part does.
pub(super) async fn put(stage: &SharedStage, key: &str, content: &[u8]) -> Result<(), StageError> {
    let mut upload = stage.put(key).await?;
    for block in content.chunks(256 * 1024) {
        upload.write(Bytes::copy_from_slice(block)).await?;
    }
    upload.finish().await.map(drop)
}

/// Reads an object.
pub(super) async fn get(stage: &SharedStage, key: &str) -> Result<Vec<u8>, StageError> {
    let blocks: Vec<Bytes> = stage.get(key).await?.try_collect().await?;
    Ok(blocks.concat())
}

/// The keys below `prefix`.
pub(super) async fn keys(stage: &SharedStage, prefix: &str) -> Vec<String> {
    stage.list(prefix).await.expect("a listing").into_iter().map(|object| object.key).collect()
}

/// Bytes that do not compress, the same at each call.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut content = vec![0; bytes];
    for word in content.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    content
}

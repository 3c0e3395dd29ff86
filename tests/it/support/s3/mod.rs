//! An S3 server of one test's own, in the test's process, and what can go wrong in front of it.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it stands on")]

mod faults;
mod front;

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use barncat::{
    aws::{Access, Patience, S3Access},
    stage::{self, Encryption, SharedStage},
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};

pub(crate) use self::faults::{Fault, Faults, Operation};
use super::variable;

/// The only bucket.
pub(crate) const BUCKET: &str = "stage-of-a-test";

/// The server; it ends with the test.
pub(crate) struct S3Server {
    folder: tempfile::TempDir,
    address: SocketAddr,
    /// How long the stage waits for it: longer than a busy machine takes.
    pub(crate) patience: Patience,
    pub(crate) faults: Arc<Faults>,
}

/// For servers that let the stage wait.
pub(crate) const IMPATIENT: Patience = Patience {
    connect: Duration::from_secs(2),
    answer: Duration::from_millis(1_500),
    attempt: Duration::from_secs(3),
    stall: Duration::from_secs(1),
    attempts: 3,
    backoff: Duration::from_millis(20),
};

impl S3Server {
    /// Starts it with an empty bucket. It takes requests signed with the credentials that the tests
    /// have in their environment, and no others.
    pub(crate) async fn start() -> Self {
        Self::start_with_secret(&variable("AWS_SECRET_ACCESS_KEY")).await
    }

    /// Starts it with another secret than the tests' own.
    pub(crate) async fn start_with_secret(secret: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        fs::create_dir(folder.path().join(BUCKET)).expect("the bucket is made");
        let store = s3s_fs::FileSystem::new(folder.path()).expect("the folder is there");
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(variable("AWS_ACCESS_KEY_ID"), secret));
        let faults = Arc::new(Faults::default());
        let address = front::serve(builder.build(), folder.path().to_owned(), Arc::clone(&faults)).await;
        let long = Duration::from_secs(20);
        let patience = Patience { answer: long, attempt: long, stall: long, ..IMPATIENT };
        Self { folder, address, patience, faults }
    }

    /// Its address, as `[stage] endpoint` has it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How the stage reaches it.
    pub(crate) fn access(&self) -> S3Access {
        let access = Access {
            endpoint: Some(self.endpoint()),
            region: Some("eu-west-2".to_owned()),
            patience: self.patience.clone(),
        };
        S3Access { access, path_style: true }
    }

    /// A stage in its bucket.
    pub(crate) async fn stage(&self) -> SharedStage {
        self.stage_with(Encryption::Bucket).await
    }

    /// A stage whose objects are encrypted so.
    pub(crate) async fn stage_with(&self, encryption: Encryption) -> SharedStage {
        stage::s3(&self.access(), BUCKET, "below/here", encryption).await
    }

    /// A stage below a prefix of its own in the bucket.
    pub(crate) async fn stage_at(&self, prefix: &str) -> SharedStage {
        stage::s3(&self.access(), BUCKET, prefix, Encryption::Bucket).await
    }

    /// The file that holds an object of that stage.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("below/here").join(key)
    }

    /// What lies in its bucket.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        super::project::files_below(&self.folder.path().join(BUCKET))
    }

    /// The ids of uploads that are neither completed nor aborted, and how many of their pieces lie
    /// there.
    pub(crate) fn unfinished_uploads(&self) -> (Vec<String>, usize) {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is there");
        let names: Vec<String> =
            entries.map(|entry| entry.expect("it is read").file_name().into_string().unwrap()).collect();
        let ids = names.iter().filter_map(|name| name.strip_prefix(".upload-")?.strip_suffix(".json"));
        let pieces = names.iter().filter(|name| name.starts_with(".upload_id-")).count();
        (ids.map(str::to_owned).collect(), pieces)
    }

    /// Waits until so many pieces of unfinished uploads lie there.
    pub(crate) async fn holds_pieces(&self, pieces: usize) {
        let arrived = async {
            while self.unfinished_uploads().1 < pieces {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived).await.expect("the pieces arrive");
    }
}

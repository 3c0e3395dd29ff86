//! A real S3 server in the test's process.

use std::{fs, path::PathBuf};

use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};

pub(crate) const BUCKET: &str = "stage";
pub(crate) const KEY: &str = "key-of-the-test";
pub(crate) const SECRET: &str = "secret-of-the-test";

/// The server; it ends with the test.
pub(crate) struct S3 {
    folder: tempfile::TempDir,
    pub(crate) endpoint: String,
}

impl S3 {
    /// Starts it with an empty bucket.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        fs::create_dir(folder.path().join(BUCKET)).expect("the bucket is made");
        let store = s3s_fs::FileSystem::new(folder.path()).expect("the folder is there");
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        Self { folder, endpoint }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Puts an object.
    pub(crate) fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is made");
        fs::write(path, bytes).expect("it is written");
    }

    /// Puts an object, and a manifest of it alone, `m`.
    pub(crate) fn put_with_manifest(&self, key: &str, bytes: impl AsRef<[u8]>) {
        self.put(key, bytes);
        self.put("m", format!(r#"{{"entries":[{{"url":"s3://{BUCKET}/{key}","mandatory":true}}]}}"#));
    }
}

//! A real S3 server that serves a folder, in this process.

use std::{fs, path::Path};

use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::net::TcpListener;

use crate::Failure;

/// The only bucket, and the region it is in.
pub(crate) const BUCKET: &str = "stage";
pub(crate) const REGION: &str = "us-east-1";

/// The only key's id.
pub(crate) const KEY: &str = "double";

/// The server; it ends with the process.
pub(crate) struct Store {
    /// Its address.
    pub(crate) endpoint: String,
    /// The key's secret, another one at each start.
    pub(crate) secret: String,
}

impl Store {
    /// Serves this folder, made if it is not there, on a free port of the loopback.
    pub(crate) async fn start(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder.join(BUCKET))?;
        let files = s3s_fs::FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, secret.as_str()));
        let service = builder.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new());
                // How a connection ends is the client's affair.
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        Ok(Self { endpoint, secret })
    }
}

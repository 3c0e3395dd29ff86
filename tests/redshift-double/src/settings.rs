//! What a double is told at its start.

use std::{path::PathBuf, time::Duration};

/// How the database isolates transactions (§2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// `SNAPSHOT`: the default of clusters and workgroups made today.
    #[default]
    Snapshot,
    /// `SERIALIZABLE`: conflicts end in error 1023.
    Serializable,
}

/// A bucket that `COPY` can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its region: `COPY` from another region than the double's needs `REGION` (§1.1).
    pub region: String,
}

/// What a double is told at its start. [`Settings::new`] gives defaults for all but the database.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A superuser's address of the Postgres database behind the double; it should be the double's own.
    pub postgres_url: String,
    /// Where objects are fetched from by path-style requests (`http://127.0.0.1:9000`).
    pub s3_endpoint: Option<String>,
    /// The key's id and the secret with which it asks there.
    pub s3_credentials: (String, String),
    /// Whether a manifest's `content_length` is compared with the object: unconfirmed for CSV (§1.2).
    pub checks_content_length: bool,
    /// The buckets that exist, each in its region.
    pub buckets: Vec<Bucket>,
    /// The roles (ARN) that are associated with the cluster; `COPY` by another one is refused. The first is
    /// the default role.
    pub roles: Vec<String>,
    /// The region in which the double stands.
    pub region: String,
    /// The isolation of its database.
    pub isolation: Isolation,
    /// The name by which a cluster asks for it.
    pub cluster: String,
    /// The name by which a serverless workgroup asks for it.
    pub workgroup: String,
    /// The only database there is.
    pub database: String,
    /// How many statements may be active at once; §7 gives 200.
    pub active_statements: usize,
    /// How long each statement rests as `SUBMITTED`, and again as `PICKED`.
    pub pace: Duration,
    /// A folder for a file of JSON lines with every statement and every call with its answer.
    pub record_into: Option<PathBuf>,
    /// Whether each statement is printed to stderr as it was sent.
    pub prints_statements: bool,
}

impl Settings {
    /// The defaults in front of this database: cluster and workgroup `double`, database `dev`, region
    /// `us-east-1`, no bucket, no role, `SNAPSHOT`.
    pub fn new(postgres_url: impl Into<String>) -> Self {
        Self {
            postgres_url: postgres_url.into(),
            s3_endpoint: None,
            s3_credentials: ("double".to_owned(), "double".to_owned()),
            checks_content_length: true,
            buckets: Vec::new(),
            roles: Vec::new(),
            region: "us-east-1".to_owned(),
            isolation: Isolation::default(),
            cluster: "double".to_owned(),
            workgroup: "double".to_owned(),
            database: "dev".to_owned(),
            active_statements: 200,
            pace: Duration::ZERO,
            record_into: None,
            prints_statements: false,
        }
    }

    /// The S3 server that `COPY` reads from, and the credentials for it.
    #[must_use]
    pub fn s3(mut self, endpoint: &str, key: &str, secret: &str) -> Self {
        self.s3_endpoint = Some(endpoint.to_owned());
        self.s3_credentials = (key.to_owned(), secret.to_owned());
        self
    }

    /// Adds a bucket.
    #[must_use]
    pub fn bucket(mut self, name: &str, region: &str) -> Self {
        self.buckets.push(Bucket { name: name.to_owned(), region: region.to_owned() });
        self
    }

    /// Adds a role that `COPY` may take on.
    #[must_use]
    pub fn role(mut self, arn: &str) -> Self {
        self.roles.push(arn.to_owned());
        self
    }
}

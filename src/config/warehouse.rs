//! `[stage]`, `[warehouse]`, `[control]`: where rows go.

use std::{collections::BTreeMap, time::Duration};

use super::{Keys, LoginConfig, RedshiftConfig, Template, login, redshift, source};
use crate::{pg::TlsSettings, stage::manifest::Compression};

/// `[stage]`.
#[derive(Debug, Clone)]
pub struct StageConfig {
    /// `s3://bucket/prefix`, or `file:` and a folder, relative to the project.
    pub url: Template,
    /// How much of each table's past stays.
    pub keep: Keep,
    /// Another S3 than Amazon's.
    pub endpoint: Option<Template>,
    /// The bucket's region.
    pub region: Option<String>,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub path_style: bool,
    /// How objects are encrypted where they lie.
    pub sse: Option<Sse>,
    /// How parts are compressed.
    pub compression: Compression,
}

/// How much of each table's past stays in the stage: whichever is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many published loads.
    pub loads: u32,
    /// Those of so many days.
    pub days: u32,
}

/// Encryption in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sse {
    /// By S3's own keys.
    S3,
    /// By a key of KMS.
    Kms {
        /// Its id or ARN.
        key: String,
    },
}

/// The kinds of warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarehouseKind {
    /// PostgreSQL.
    Postgres,
    /// Amazon Redshift.
    Redshift,
}

impl WarehouseKind {
    /// Whose SQL it speaks.
    pub fn dialect(self) -> crate::sql::Dialect {
        match self {
            Self::Postgres => crate::sql::Dialect::Postgres,
            Self::Redshift => crate::sql::Dialect::Redshift,
        }
    }
}

/// Which warehouse.
#[derive(Debug, Clone)]
pub enum WarehousePlace {
    /// PostgreSQL.
    Postgres {
        /// Where it is.
        url: Template,
        /// TLS, beside what the url says.
        tls: TlsSettings,
        /// Who logs in, where the url does not say.
        login: Box<LoginConfig>,
    },
    /// Amazon Redshift.
    Redshift(Box<RedshiftConfig>),
}

impl WarehousePlace {
    /// Its kind.
    pub fn kind(&self) -> WarehouseKind {
        match self {
            Self::Postgres { .. } => WarehouseKind::Postgres,
            Self::Redshift(_) => WarehouseKind::Redshift,
        }
    }

    /// What is shown where it cannot be reached: the setting that says most of where it is.
    pub fn template(&self) -> &Template {
        match self {
            Self::Postgres { url, .. } => url,
            Self::Redshift(config) => config.template(),
        }
    }
}

/// `[warehouse]`.
#[derive(Debug, Clone)]
pub struct WarehouseConfig {
    /// Where it is.
    pub place: WarehousePlace,
    /// Where tasks go unless they say otherwise.
    pub schema: String,
    /// The schema of test mode for a schema of the project: `{schema}` stands for its name.
    pub test_schema: Template,
    /// Privilege → roles, given to tables that barncat creates.
    pub grants: BTreeMap<String, Vec<String>>,
    /// How many connections at most, over all processes.
    pub connections: u32,
    /// How many connections fill one table.
    pub fill_jobs: u32,
    /// How long one wait for a lock may take; below the server's `deadlock_timeout`.
    pub lock_timeout: Duration,
    /// How long locks are waited for in all.
    pub lock_wait: Duration,
    /// How long readers with older snapshots are waited for.
    pub snapshot_wait: Duration,
}

/// `[control]`.
#[derive(Debug, Clone, Default)]
pub struct ControlConfig {
    /// Where it is; `None`, or what resolves to nothing: in the warehouse.
    pub url: Option<Template>,
    /// TLS, beside what the url says.
    pub tls: TlsSettings,
    /// Who logs in, where the url does not say.
    pub login: LoginConfig,
}

/// How many connections, where nobody says.
const CONNECTIONS: u32 = 16;

/// The privileges that a table can have.
const PRIVILEGES: &[&str] = &["select", "insert", "update", "delete", "references", "trigger", "truncate"];

pub(super) fn read_stage(file: &Keys<'_>) -> Option<StageConfig> {
    let Some(keys) = file.table("stage") else {
        file.missing("stage", "[stage] url = \"file:./stage\"");
        return None;
    };
    let url = keys.template("url");
    match &url {
        None if !keys.has("url") => keys.missing("url", "url = \"s3://bucket/prefix\", or \"file:./stage\""),
        Some(url) if !url.may_start_with("s3://") && !url.may_start_with("file:") => {
            keys.wrong("url", "starts with neither `s3://` nor `file:`");
        }
        _ => {}
    }
    let keep = keys.table("keep").map(|keys| {
        let keep = Keep {
            loads: keys.number("loads", 1..=1_000_000).unwrap_or(3),
            days: keys.number("days", 1..=1_000_000).unwrap_or(7),
        };
        keys.finish();
        keep
    });
    let kms_key = keys.string("kms_key");
    let sse = match keys.choice("sse", &[("s3", false), ("kms", true)]) {
        Some(true) if kms_key.is_none() => {
            keys.missing("kms_key", "sse = \"kms\" encrypts with a key of yours: its id or ARN");
            None
        }
        Some(true) => kms_key.map(|key| Sse::Kms { key }),
        Some(false) => Some(Sse::S3),
        None => None,
    };
    let stage = StageConfig {
        url: url?,
        keep: keep.unwrap_or(Keep { loads: 3, days: 7 }),
        endpoint: keys.template("endpoint"),
        region: keys.string("region"),
        path_style: keys.boolean("path_style").unwrap_or(false),
        sse,
        compression: compression(&keys).unwrap_or(Compression::Zstd),
    };
    keys.finish();
    Some(stage)
}

/// `compression`, which a loader's row has too.
pub(super) fn compression(keys: &Keys<'_>) -> Option<Compression> {
    keys.choice("compression", &[("zstd", Compression::Zstd), ("gzip", Compression::Gzip)])
}

pub(super) fn read_warehouse(file: &Keys<'_>) -> Option<WarehouseConfig> {
    let Some(keys) = file.table("warehouse") else {
        file.missing("warehouse", "[warehouse] kind = \"postgres\"");
        return None;
    };
    let kind =
        keys.choice("kind", &[("postgres", WarehouseKind::Postgres), ("redshift", WarehouseKind::Redshift)]);
    if !keys.has("kind") {
        keys.missing("kind", "kind = \"postgres\", or \"redshift\"");
    }
    let place = match kind {
        Some(WarehouseKind::Redshift) => {
            redshift::read(&keys).map(|config| WarehousePlace::Redshift(Box::new(config)))
        }
        _ => {
            let url = keys.template("url");
            if !keys.has("url") {
                keys.missing("url", "url = \"${WAREHOUSE_URL}\"");
            }
            let tls = source::tls(&keys);
            let login = login::read(&keys, url.as_ref(), &tls);
            url.map(|url| WarehousePlace::Postgres { url, tls, login: Box::new(login) })
        }
    };
    let test_schema = keys
        .template("test_schema")
        .or_else(|| Template::parse("{schema}_test_${USER:-ci}", keys.place()).ok());
    let grants = keys.lists_by_name("grants");
    for privilege in grants.keys().filter(|name| !PRIVILEGES.contains(&name.to_lowercase().as_str())) {
        keys.wrong("grants", format_args!("has `{privilege}`, which is no privilege on a table"));
    }
    let connections = keys.number("connections", 1..=10_000).unwrap_or(CONNECTIONS);
    let fill_jobs = keys.number("fill_jobs", 1..=64).unwrap_or(1);
    if fill_jobs > connections {
        keys.wrong("fill_jobs", format_args!("is {fill_jobs}, and `connections` is {connections}"));
    }
    let seconds = Duration::from_secs;
    let config = WarehouseConfig {
        schema: keys.string("schema").unwrap_or_else(|| "public".to_owned()),
        grants,
        connections,
        fill_jobs,
        lock_timeout: keys.duration("lock_timeout").unwrap_or(Duration::from_millis(300)),
        lock_wait: keys.duration("lock_wait").unwrap_or(seconds(300)),
        snapshot_wait: keys.duration("snapshot_wait").unwrap_or(seconds(60)),
        place: match place {
            Some(place) => place,
            None => {
                keys.finish();
                return None;
            }
        },
        test_schema: test_schema?,
    };
    keys.finish();
    kind.map(|_| config)
}

pub(super) fn read_control(file: &Keys<'_>) -> ControlConfig {
    let Some(keys) = file.table("control") else { return ControlConfig::default() };
    let (url, tls) = (keys.template("url"), source::tls(&keys));
    let login = login::read(&keys, url.as_ref(), &tls);
    keys.finish();
    ControlConfig { url, tls, login }
}

/// What Redshift needs and Postgres does not.
pub(super) fn check_redshift(
    file: &Keys<'_>,
    stage: &StageConfig,
    warehouse: &WarehouseConfig,
    control: &ControlConfig,
) {
    if matches!(warehouse.place, WarehousePlace::Postgres { .. }) {
        return;
    }
    if control.url.is_none() {
        file.missing(
            "control",
            "Redshift cannot hold the control database: [control] url = \"${CONTROL_URL}\"",
        );
    }
    if !stage.url.may_start_with("s3://") {
        file.wrong("stage", "is no S3 bucket, and Redshift loads from nothing else");
    }
}

//! `[sources.NAME]`: where rows come from.

use std::{collections::BTreeMap, time::Duration};

use toml_edit::Item;

use super::{HttpSource, Keys, LoginConfig, Template, http, login, mistake::Place};
use crate::pg::{TlsMode, TlsSettings};

/// A source of the project.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Its name.
    pub name: String,
    /// What it is, and where.
    pub at: SourcePlace,
    /// How many connections at most, over all processes; of a replica at least 2.
    pub connections: u32,
    /// Where it is written.
    pub place: Place,
}

/// Which source.
#[derive(Debug, Clone)]
pub enum SourcePlace {
    /// A Postgres read replica.
    Postgres(Box<ReplicaConfig>),
    /// A service that answers over HTTP.
    Http(Box<HttpSource>),
}

/// A Postgres read replica.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// Where it is.
    pub url: Template,
    /// For how long after its opening a snapshot is handed out to tables that start.
    pub snapshot_for: Duration,
    /// Whether a server that is no standby may be read.
    pub allow_primary: bool,
    /// How far a standby may be behind.
    pub max_lag: Option<Duration>,
    /// TLS, beside what the url says.
    pub tls: TlsSettings,
    /// Who logs in, where the url does not say.
    pub login: LoginConfig,
}

impl SourceConfig {
    /// The replica, of a Postgres source.
    pub fn replica(&self) -> Option<&ReplicaConfig> {
        match &self.at {
            SourcePlace::Postgres(replica) => Some(replica),
            SourcePlace::Http(_) => None,
        }
    }

    /// The service, of an HTTP source.
    pub fn service(&self) -> Option<&HttpSource> {
        match &self.at {
            SourcePlace::Postgres(_) => None,
            SourcePlace::Http(service) => Some(service),
        }
    }
}

/// The kinds, as they are written.
#[derive(Clone, Copy)]
enum Kind {
    Postgres,
    Http,
}

/// The sources that are written, right or wrong, and whether each is a service.
pub(super) fn kinds(file: &Keys<'_>) -> BTreeMap<String, bool> {
    let is_service = |item: &Item| item.get("kind").and_then(Item::as_str) == Some("http");
    file.named("sources").into_iter().map(|(name, _, item)| (name, is_service(item))).collect()
}

/// Reads one source.
pub(super) fn read(name: &str, place: Place, item: &Item, parent: &Keys<'_>) -> Option<SourceConfig> {
    let owner = format!("[sources.{name}]");
    let keys = Keys::new(parent.text, item, owner, place.clone(), parent.mistakes)?;
    let kind = keys.choice("kind", &[("postgres", Kind::Postgres), ("http", Kind::Http)]);
    if !keys.has("kind") {
        keys.missing("kind", "kind = \"postgres\"");
    }
    let (at, connections) = match kind {
        Some(Kind::Http) => {
            let service = http::source(&keys);
            (service.map(|service| SourcePlace::Http(Box::new(service))), http::connections(&keys))
        }
        // Of a kind that is none, the keys are taken for the oldest one's.
        Some(Kind::Postgres) | None => {
            let replica = replica(&keys);
            let replica = replica.map(|replica| SourcePlace::Postgres(Box::new(replica)));
            let connections = keys.number("connections", 1..=10_000).unwrap_or(6);
            if connections < 2 {
                keys.wrong("connections", "is too few: one connection holds the snapshot, another reads");
            }
            (replica, connections)
        }
    };
    keys.finish();
    kind?;
    Some(SourceConfig { name: name.to_owned(), at: at?, connections, place })
}

fn replica(keys: &Keys<'_>) -> Option<ReplicaConfig> {
    let url = keys.template("url");
    if !keys.has("url") {
        keys.missing("url", "url = \"${SHOP_REPLICA_URL}\"");
    }
    let snapshot_for = keys.duration("snapshot_for").unwrap_or(Duration::from_secs(600));
    let allow_primary = keys.boolean("allow_primary").unwrap_or(false);
    let max_lag = keys.duration("max_lag");
    let tls = tls(keys);
    let login = login::read(keys, url.as_ref(), &tls);
    Some(ReplicaConfig { url: url?, snapshot_for, allow_primary, max_lag, tls, login })
}

/// `tls = { mode, ca, cert, key }`; paths are relative to the project.
pub(super) fn tls(keys: &Keys<'_>) -> TlsSettings {
    let Some(keys) = keys.table("tls") else { return TlsSettings::default() };
    let modes =
        [("disable", TlsMode::Disable), ("require", TlsMode::Require), ("verify-full", TlsMode::VerifyFull)];
    let settings = TlsSettings {
        mode: keys.choice("mode", &modes),
        ca: keys.string("ca").map(Into::into),
        cert: keys.string("cert").map(Into::into),
        key: keys.string("key").map(Into::into),
    };
    if settings.cert.is_some() != settings.key.is_some() {
        keys.wrong("cert", "needs its `key`, and a `key` its `cert`");
    }
    keys.finish();
    settings
}

//! `[sources.NAME]`: where rows come from.

use std::time::Duration;

use toml_edit::Item;

use super::{Keys, LoginConfig, Template, login, mistake::Place};
use crate::pg::{TlsMode, TlsSettings};

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A Postgres read replica.
    Postgres,
}

/// A source of the project.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// Where it is.
    pub url: Template,
    /// How many connections at most, over all processes; at least 2.
    pub connections: u32,
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
    /// Where it is written.
    pub place: Place,
}

/// Reads one source.
pub(super) fn read(name: &str, place: Place, item: &Item, parent: &Keys<'_>) -> Option<SourceConfig> {
    let owner = format!("[sources.{name}]");
    let keys = Keys::new(parent.text, item, owner, place.clone(), parent.mistakes)?;
    let kind = keys.choice("kind", &[("postgres", SourceKind::Postgres)]);
    if !keys.has("kind") {
        keys.missing("kind", "kind = \"postgres\"");
    }
    let url = keys.template("url");
    if !keys.has("url") {
        keys.missing("url", "url = \"${SHOP_REPLICA_URL}\"");
    }
    let connections = keys.number("connections", 1..=10_000).unwrap_or(6);
    if connections < 2 {
        keys.wrong("connections", "is too few: one connection holds the snapshot, another reads");
    }
    let snapshot_for = keys.duration("snapshot_for").unwrap_or(Duration::from_secs(600));
    let allow_primary = keys.boolean("allow_primary").unwrap_or(false);
    let max_lag = keys.duration("max_lag");
    let tls = tls(&keys);
    let login = login::read(&keys, url.as_ref(), &tls);
    keys.finish();
    Some(SourceConfig {
        name: name.to_owned(),
        kind: kind?,
        url: url?,
        connections,
        snapshot_for,
        allow_primary,
        max_lag,
        tls,
        login,
        place,
    })
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

//! Where a server is and how to log in.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

use super::{Logins, PgError, Pool, Session, pool::Opener, tls};
use crate::secret::Secret;

/// How much of TLS is asked for; the names are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// In the clear. The default on loopback and on a Unix socket.
    Disable,
    /// Encrypted, but whoever answers is believed.
    Require,
    /// Encrypted, the certificate and the host's name are checked. The default everywhere else.
    VerifyFull,
}

/// TLS as the project's files set it; what a url's `sslmode`, `sslrootcert`, `sslcert` and `sslkey`
/// say is used where a field is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// How much.
    pub mode: Option<TlsMode>,
    /// Root certificates in PEM; default: the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate in PEM.
    pub cert: Option<PathBuf>,
    /// Its key in PEM.
    pub key: Option<PathBuf>,
}

/// What a `postgres://user:password@host:port/database?sslmode=…` url says. No file that it names is looked at.
pub struct Url {
    config: tokio_postgres::Config,
    host: String,
    port: u16,
    database: String,
    tls: TlsSettings,
}

impl Url {
    /// Reads one, for a server that has this port by default. Errors never repeat it.
    pub fn read(url: &Secret, settings: &TlsSettings, default_port: u16) -> Result<Self, PgError> {
        let (plain, query) = url.expose().split_once('?').unwrap_or((url.expose(), ""));
        if !plain.starts_with("postgres://") && !plain.starts_with("postgresql://") {
            return Err(PgError::Url { what: "it does not start with postgres://".into() });
        }
        // Where the password ends would be a guess, and what is taken for the host is printed.
        let is_raw = |text: &str| text.contains('@');
        if plain.matches('@').count() > 1 || plain.split('/').skip(3).any(is_raw) || is_raw(query) {
            let what = "its user or password holds a raw `@`, `/` or `?`: write `%40`, `%2F` and `%3F`";
            return Err(PgError::Url { what: what.into() });
        }
        let mut tls = settings.clone();
        let mut text = plain.to_owned();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if !take_tls(pair, &mut tls)? {
                text.push(if text.contains('?') { '&' } else { '?' });
                text.push_str(pair);
            }
        }
        let config: tokio_postgres::Config = text
            .parse()
            .map_err(|_: tokio_postgres::Error| PgError::Url { what: "it cannot be read".into() })?;
        let (host, port) = single_host(&config, default_port)?;
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default().to_owned();
        Ok(Self { config, host, port, database, tls })
    }

    /// Where it leads.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Who logs in.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// Whether what is sent is encrypted.
    pub fn is_encrypted(&self) -> bool {
        tls_mode(&self.tls, &self.host) != TlsMode::Disable
    }
}

/// A server, a database in it, and how to log in. Printing it shows no secret.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) config: tokio_postgres::Config,
    pub(super) host: String,
    pub(super) port: u16,
    /// One address among those that the host's name has: see [`Endpoint::pinned`].
    pub(super) address: Option<IpAddr>,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// Who says as whom, where the url does not.
    pub(super) logins: Option<Arc<dyn Logins>>,
    database: String,
}

impl Endpoint {
    /// Reads a [`Url`] of Postgres. Paths of certificates are relative to `dir`.
    pub fn parse(url: &Secret, settings: &TlsSettings, dir: &Path) -> Result<Self, PgError> {
        Self::of(Url::read(url, settings, 5432)?, dir)
    }

    /// Where a url leads.
    pub fn of(url: Url, dir: &Path) -> Result<Self, PgError> {
        Self::secured(url.config, url.host, url.port, url.database, &url.tls, dir)
    }

    /// A server by its name, and nobody yet who logs in: see [`Endpoint::with_logins`].
    pub fn at(
        host: &str,
        port: u16,
        database: &str,
        settings: &TlsSettings,
        dir: &Path,
    ) -> Result<Self, PgError> {
        let mut config = tokio_postgres::Config::new();
        config.host(host).port(port).dbname(database);
        Self::secured(config, host.to_owned(), port, database.to_owned(), settings, dir)
    }

    fn secured(
        mut config: tokio_postgres::Config,
        host: String,
        port: u16,
        database: String,
        settings: &TlsSettings,
        dir: &Path,
    ) -> Result<Self, PgError> {
        let tls = match tls_mode(settings, &host) {
            TlsMode::Disable => None,
            mode => Some(
                tls::client_config(mode, settings, dir)
                    .map_err(|source| PgError::Tls { place: host_and_port(&host, port), source })?,
            ),
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, host, port, address: None, tls, logins: None, database })
    }

    /// `host:port/database`, for people.
    pub fn place(&self) -> String {
        format!("{}/{}", host_and_port(&self.host, self.port), self.database)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The server's name, and its port.
    pub fn host(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The role that logs in, where the url says it.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The same endpoint; as whom it is logged in to is asked at each login.
    #[must_use]
    pub fn with_logins(self, logins: Arc<dyn Logins>) -> Self {
        Self { logins: Some(logins), ..self }
    }

    /// The same endpoint, always at this address: a name that resolves to several servers would
    /// otherwise send the parts of one snapshot to different ones.
    #[must_use]
    pub fn pinned(&self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self.clone() }
    }

    /// A pool of at most `size` connections with the settings of `session`, for short statements.
    pub fn pool(&self, session: &Session, size: usize) -> Result<Pool, PgError> {
        Opener::pool(self, session, size)
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({})", self.place())
    }
}

fn tls_mode(settings: &TlsSettings, host: &str) -> TlsMode {
    settings.mode.unwrap_or(if is_local(host) { TlsMode::Disable } else { TlsMode::VerifyFull })
}

/// Takes what a url says of TLS; `false` for any other pair.
fn take_tls(pair: &str, settings: &mut TlsSettings) -> Result<bool, PgError> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
    match key {
        "sslmode" => settings.mode = settings.mode.or(mode(&value)?),
        "sslrootcert" if value == "system" => {}
        "sslrootcert" => settings.ca = settings.ca.take().or(Some(value.into())),
        "sslcert" => settings.cert = settings.cert.take().or(Some(value.into())),
        "sslkey" => settings.key = settings.key.take().or(Some(value.into())),
        _ => return Ok(false),
    }
    Ok(true)
}

fn mode(text: &str) -> Result<Option<TlsMode>, PgError> {
    let what = match text {
        "disable" => return Ok(Some(TlsMode::Disable)),
        "allow" | "prefer" => return Ok(None),
        "require" => return Ok(Some(TlsMode::Require)),
        "verify-full" => return Ok(Some(TlsMode::VerifyFull)),
        "verify-ca" => "sslmode verify-ca is not offered; use verify-full",
        _ => "its sslmode is unknown",
    };
    Err(PgError::Url { what: what.into() })
}

fn single_host(config: &tokio_postgres::Config, default_port: u16) -> Result<(String, u16), PgError> {
    if config.get_hosts().len() > 1 {
        // Parts of one snapshot must all reach one server.
        return Err(PgError::Url { what: "it names several hosts".into() });
    }
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.to_string_lossy().into_owned(),
        None => "localhost".to_owned(),
    };
    Ok((host, config.get_ports().first().copied().unwrap_or(default_port)))
}

/// As a url has them: an IPv6 address in brackets, or its end would be taken for the port.
fn host_and_port(host: &str, port: u16) -> String {
    match host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Endpoint, PgError> {
        Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new("."))
    }

    #[test]
    fn tls_is_verified_off_loopback_and_off_on_it() {
        assert!(parse("postgres://u@127.0.0.1/db").unwrap().tls.is_none());
        assert!(parse("postgres://u@localhost/db?sslmode=prefer").unwrap().tls.is_none());
        assert!(parse("postgres://u@db.internal/db").unwrap().tls.is_some());
        assert!(parse("postgres://u@db.internal/db?sslmode=disable").unwrap().tls.is_none());
    }

    #[test]
    fn a_wrong_url_is_an_error_that_does_not_repeat_it() {
        for url in [
            "mysql://u:hunter2@h/db",
            "postgres://u:hunter2@h:port/db",
            "postgres://u:hunter2@a,b/db",
            "postgres://u:hunter2@h/db?sslmode=verify-ca",
            "postgres://u:hunter2@h/db?sslmode=maybe",
            "postgres://u:hunter2@h/db?nonsense=1",
            "postgres://u:a@hunter2@h/db",
            "postgres://u:a@hunter2/b@h/db",
            "postgres://u:12/hunter2@h/db",
            "postgres://u:12?hunter2@h/db",
        ] {
            let error = parse(url).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_place_names_host_port_and_database() {
        let endpoint = parse("postgresql://me:secret@db.internal:6543/shop?application_name=x").unwrap();
        assert_eq!(endpoint.place(), "db.internal:6543/shop");
        assert_eq!(format!("{endpoint:?}"), "Endpoint(db.internal:6543/shop)");
        assert_eq!(parse("postgres://me@h").unwrap().database(), "me");
        assert_eq!(parse("postgres://me@[::1]:5433/db").unwrap().place(), "[::1]:5433/db");
    }
}

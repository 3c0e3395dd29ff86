//! Opening and closing connections.

use std::{
    collections::HashMap,
    error::Error as _,
    future::Future,
    io,
    net::IpAddr,
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_postgres::{
    CancelToken, Client, Config, NoTls, Row, Statement,
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
    types::ToSql,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Endpoint, Login, Logins, PgError, ServerError, Session,
    error::TlsError,
    settle,
    tag::{CopyTag, Noting},
};

/// How long one try at a TCP connection and a login may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection with its session settings. Dropped while [`Connection::set_busy`] is on, it asks the
/// server to cancel the statement, and closes.
pub struct Connection {
    client: Client,
    tag: Arc<CopyTag>,
    last_words: LastWords,
    driver: Option<JoinHandle<()>>,
    endpoint: Endpoint,
    user: Option<String>,
    address: Option<IpAddr>,
    busy: AtomicBool,
    statements: tokio::sync::Mutex<HashMap<String, Statement>>,
}

/// What the server said when it ended the session by itself.
type LastWords = Arc<Mutex<Option<ServerError>>>;

/// Asks a server to cancel what a connection is doing.
#[derive(Clone)]
pub struct Cancel {
    token: CancelToken,
    endpoint: Endpoint,
}

/// Opens a connection and sets its session. Passing errors are not tried again here.
pub async fn connect(endpoint: &Endpoint, session: &Session) -> Result<Connection, PgError> {
    let opened = connect_bare(endpoint).await?;
    opened.run("set the session's settings", &session.statements()).await?;
    Ok(opened)
}

/// Opens a connection and leaves its session as the server made it: for servers that speak the protocol
/// and do not have Postgres' settings. A login that was fetched and is refused is fetched anew: its password
/// may have been changed since.
pub async fn connect_bare(endpoint: &Endpoint) -> Result<Connection, PgError> {
    // In a box: connections are opened in the depth of many futures, and this one would be a part of each.
    Box::pin(open_as_told(endpoint)).await
}

async fn open_as_told(endpoint: &Endpoint) -> Result<Connection, PgError> {
    let Some(logins) = &endpoint.logins else { return open_in_time(endpoint, &endpoint.config).await };
    let refusal = logins.refusal();
    let (mut login, config) = fetch(endpoint, logins.as_ref()).await?;
    let mut opened = open_in_time(endpoint, &config).await;
    for wait in refusal.waits {
        if !opened.as_ref().is_err_and(PgError::is_refused_login) {
            break;
        }
        tokio::time::sleep(*wait).await;
        logins.forget(&login).await;
        let (another, config) = fetch(endpoint, logins.as_ref()).await?;
        if another.is_as(&login) {
            continue;
        }
        login = another;
        opened = open_in_time(endpoint, &config).await;
    }
    opened.map_err(|error| error.of_fetched_login(refusal))
}

/// A login, and the driver's settings with it.
async fn fetch(endpoint: &Endpoint, logins: &dyn Logins) -> Result<(Login, Config), PgError> {
    let login = logins.login().await.map_err(|fault| PgError::NoLogin { place: endpoint.place(), fault })?;
    let mut config = endpoint.config.clone();
    let Some(user) = login.user.as_deref().or(endpoint.user()) else {
        return Err(PgError::Url {
            what: "it names no user, and nor does what the password comes from".into(),
        });
    };
    config.user(user).password(login.password.expose());
    Ok((login, config))
}

async fn open_in_time(endpoint: &Endpoint, config: &Config) -> Result<Connection, PgError> {
    let timed_out = || PgError::Reach { place: endpoint.place(), source: io::ErrorKind::TimedOut.into() };
    tokio::time::timeout(CONNECT_TIMEOUT, open(endpoint, config)).await.map_err(|_| timed_out()).flatten()
}

async fn open(endpoint: &Endpoint, config: &Config) -> Result<Connection, PgError> {
    let tag = CopyTag::new();
    let last_words = LastWords::default();
    let login = |error: tokio_postgres::Error| login_error(endpoint, &error);
    let (socket, address) = dial(endpoint).await?;
    let (client, driver) = match (socket, &endpoint.tls) {
        (Socket::Tcp(stream), None) => {
            let stream = Noting::new(stream, tag.clone());
            let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(login)?;
            (client, drive(connection, last_words.clone()))
        }
        (Socket::Tcp(stream), Some(tls)) => {
            let tls = NotingTls { inner: rustls_connect(tls, &endpoint.host)?, tag: tag.clone() };
            let (client, connection) = config.connect_raw(stream, tls).await.map_err(login)?;
            (client, drive(connection, last_words.clone()))
        }
        (Socket::Unix(stream), _) => {
            let stream = Noting::new(stream, tag.clone());
            let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(login)?;
            (client, drive(connection, last_words.clone()))
        }
    };
    let (endpoint, busy) = (endpoint.clone(), AtomicBool::new(false));
    let (user, statements) = (config.get_user().map(str::to_owned), tokio::sync::Mutex::default());
    Ok(Connection {
        client,
        tag,
        last_words,
        driver: Some(driver),
        endpoint,
        user,
        address,
        busy,
        statements,
    })
}

/// Runs the protocol; keeps what the server says when it ends the session by itself.
fn drive<S, T>(connection: tokio_postgres::Connection<S, T>, last_words: LastWords) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsStream + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await
            && let Some(error) = error.as_db_error()
        {
            *last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(ServerError::of(error));
        }
    })
}

impl Connection {
    /// Turns the driver's error into ours. `doing` is an infinitive with its object.
    pub fn error(&self, doing: impl Into<String>, error: &tokio_postgres::Error) -> PgError {
        match PgError::of(doing, &self.endpoint.place(), error) {
            // A FATAL error arrives while nothing is asked: the next statement only sees the end.
            PgError::Broken { doing, place } => {
                let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match words {
                    Some(source) => PgError::Statement { doing, source: Box::new(source) },
                    None => PgError::Broken { doing, place },
                }
            }
            error => error,
        }
    }

    /// Runs statements that answer nothing. `doing` is an infinitive with its object.
    pub async fn run(&self, doing: &str, sql: &str) -> Result<(), PgError> {
        self.client.batch_execute(sql).await.map_err(|error| self.error(doing, &error))
    }

    /// Runs a query that is asked again on this connection: it is prepared only once.
    pub async fn query_again(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query(&self.prepared(sql).await?, parameters).await
    }

    /// A statement that is prepared at most once on this connection.
    pub async fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let mut statements = self.statements.lock().await;
        if let Some(statement) = statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Forgets the last COPY's answer: before each one whose answer is wanted.
    pub fn clear_copy_rows(&self) {
        self.tag.clear();
    }

    /// The rows that the server says the last COPY had. Certain once a later statement on this
    /// connection was answered; `None` if no COPY has ended since [`Connection::clear_copy_rows`].
    pub fn copy_rows(&self) -> Option<u64> {
        self.tag.rows()
    }

    /// The server's address, where it was reached by TCP: see [`Endpoint::pinned`].
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The endpoint that it was opened with.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The role that logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Says whether a statement is under way that must be cancelled if this is dropped.
    pub fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }

    /// What cancels this connection's statement.
    pub fn cancel_handle(&self) -> Cancel {
        Cancel { token: self.client.cancel_token(), endpoint: self.endpoint.clone() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.busy.load(Ordering::Acquire) && !self.client.is_closed() {
            let (cancel, driver) = (self.cancel_handle(), self.driver.take());
            settle::later(async move {
                let _ = tokio::time::timeout(Duration::from_secs(3), cancel.fire()).await;
                if let Some(driver) = driver {
                    driver.abort();
                }
            });
        }
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Cancel {
    /// Sends the request. The server says nothing about its success; an error only means that it
    /// could not be reached.
    pub async fn fire(&self) -> Result<(), PgError> {
        let sent = match (dial(&self.endpoint).await?.0, &self.endpoint.tls) {
            (Socket::Tcp(stream), Some(tls)) => {
                let tls = rustls_connect(tls, &self.endpoint.host)?;
                self.token.cancel_query_raw(stream, tls).await
            }
            (Socket::Tcp(stream), None) => self.token.cancel_query_raw(stream, NoTls).await,
            (Socket::Unix(stream), _) => self.token.cancel_query_raw(stream, NoTls).await,
        };
        sent.map_err(|error| PgError::of("cancel a statement", &self.endpoint.place(), &error))
    }
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A socket to the endpoint's server: each address of its name is tried in turn, or the pinned one.
async fn dial(endpoint: &Endpoint) -> Result<(Socket, Option<IpAddr>), PgError> {
    let reach = |source: io::Error| PgError::Reach { place: endpoint.place(), source };
    if endpoint.host.starts_with('/') {
        let path = format!("{}/.s.PGSQL.{}", endpoint.host, endpoint.port);
        return Ok((Socket::Unix(UnixStream::connect(path).await.map_err(reach)?), None));
    }
    let addresses: Vec<std::net::SocketAddr> = match endpoint.address {
        Some(address) => vec![(address, endpoint.port).into()],
        None => {
            let name = (endpoint.host.as_str(), endpoint.port);
            tokio::net::lookup_host(name).await.map_err(reach)?.collect()
        }
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host's name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let alive = socket2::TcpKeepalive::new()
                    .with_time(Duration::from_secs(30))
                    .with_interval(Duration::from_secs(10));
                stream.set_nodelay(true).map_err(reach)?;
                socket2::SockRef::from(&stream).set_tcp_keepalive(&alive).map_err(reach)?;
                return Ok((Socket::Tcp(stream), Some(address.ip())));
            }
            Err(error) => last = error,
        }
    }
    Err(reach(last))
}

fn login_error(endpoint: &Endpoint, error: &tokio_postgres::Error) -> PgError {
    let place = endpoint.place();
    if let Some(error) = error.as_db_error() {
        return PgError::Login { place, source: Box::new(ServerError::of(error)), fetched: None };
    }
    let cause = error.source();
    // The driver keeps the kind to itself; its Display is the only place that tells.
    if error.to_string().contains("TLS") {
        let what = cause.map_or_else(|| error.to_string(), ToString::to_string);
        return PgError::Tls { place, source: TlsError::Handshake(what) };
    }
    match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => PgError::Reach { place, source: io::Error::new(cause.kind(), cause.to_string()) },
        None => PgError::of("log in", &place, error),
    }
}

fn rustls_connect(
    config: &Arc<rustls::ClientConfig>,
    host: &str,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect, PgError> {
    let mut make = MakeRustlsConnect::new(config.as_ref().clone());
    MakeTlsConnect::<TcpStream>::make_tls_connect(&mut make, host).map_err(|_| PgError::Tls {
        place: host.to_owned(),
        source: TlsError::Handshake("the host's name is no name for TLS".into()),
    })
}

/// TLS whose clear side is noted: see [`Noting`].
struct NotingTls<T> {
    inner: T,
    tag: Arc<CopyTag>,
}

impl<T, S> TlsConnect<S> for NotingTls<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = Noting<T::Stream>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (connecting, tag) = (self.inner.connect(stream), self.tag);
        Box::pin(async move { Ok(Noting::new(connecting.await?, tag)) })
    }
}

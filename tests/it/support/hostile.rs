//! A service over HTTP that behaves as badly as it is told to: raw TCP, so that lengths can lie, answers can drip and
//! connections can break. It counts for itself how often it was asked, whatever it answers.

mod does;
mod records;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use barncat::clock::{Clock, System};
use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

pub(crate) use self::{
    does::{Does, Step},
    records::{Paging, Records, Twist},
};

/// The service. Ends with its handle.
pub(crate) struct Hostile {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// When its head was whole, by a clock that only goes forward.
    pub(crate) at: Instant,
    /// The same by the machine's clock.
    pub(crate) time: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

type Answering = Arc<dyn Fn(&Seen) -> Does + Send + Sync>;

#[derive(Default)]
struct Shared {
    routes: Mutex<BTreeMap<String, Answering>>,
    seen: Mutex<Vec<Seen>>,
    limits: Mutex<Vec<(Duration, usize)>>,
    /// How long each answer takes.
    latency: Mutex<Duration>,
}

impl Hostile {
    /// Starts one on loopback.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let serving = shared.clone();
        let listener = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                tokio::spawn(serve(socket, serving.clone()));
            }
        });
        Self { address, shared, listener }
    }

    /// The same over TLS, with a certificate of its own for `localhost`, in PEM.
    pub(crate) async fn start_with_tls() -> (Self, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![own.cert.der().clone()], key)
                .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let serving = shared.clone();
        let listener = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, serving) = (acceptor.clone(), serving.clone());
                tokio::spawn(async move {
                    if let Ok(socket) = acceptor.accept(socket).await {
                        serve(socket, serving).await;
                    }
                });
            }
        });
        (Self { address, shared, listener }, own.cert.pem())
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What a path does, request by request; the last one again and again. A path that nothing is said of does not exist.
    pub(crate) fn on(&self, path: &str, script: impl IntoIterator<Item = Does>) {
        let script: Vec<Does> = script.into_iter().collect();
        let at = Mutex::new(0);
        self.on_each(path, move |_| {
            let mut at = at.lock().unwrap();
            let does = script[usize::min(*at, script.len() - 1)].clone();
            *at += 1;
            does
        });
    }

    /// What a path does with each request.
    pub(crate) fn on_each(&self, path: &str, does: impl Fn(&Seen) -> Does + Send + Sync + 'static) {
        self.shared.routes.lock().unwrap().insert(path.to_owned(), Arc::new(does));
    }

    /// Answers 429 where more than `count` requests came within `length`, as real ones do.
    pub(crate) fn limit(&self, length: Duration, count: usize) {
        self.shared.limits.lock().unwrap().push((length, count));
    }

    /// How long it takes before each answer.
    pub(crate) fn set_latency(&self, latency: Duration) {
        *self.shared.latency.lock().unwrap() = latency;
    }

    /// All requests, in their order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The greatest number of requests in any stretch of this length, wherever it begins.
    pub(crate) fn most_within(&self, length: Duration) -> usize {
        most_within(&self.seen(), length)
    }

    /// The greatest number of requests on one day of a zone.
    pub(crate) fn most_in_a_day(&self, zone: &TimeZone) -> usize {
        let mut days = BTreeMap::<jiff::civil::Date, usize>::new();
        for seen in self.seen() {
            *days.entry(seen.time.to_zoned(zone.clone()).date()).or_default() += 1;
        }
        days.into_values().max().unwrap_or(0)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Among requests in their order.
fn most_within(seen: &[Seen], length: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, request) in seen.iter().enumerate() {
        while request.at.duration_since(seen[first].at) >= length {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

impl Seen {
    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A header, its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Shared {
    fn answer(&self, seen: &Seen) -> Does {
        let is_over = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            let within =
                |length| all.iter().rev().take_while(|one| seen.at.duration_since(one.at) < length).count();
            self.limits.lock().unwrap().iter().any(|(length, count)| within(*length) > *count)
        };
        let route = self.routes.lock().unwrap().get(&seen.path).cloned();
        match route {
            _ if is_over => Does::Status(429),
            Some(route) => route(seen),
            None => Does::Status(404),
        }
    }
}

async fn serve(mut socket: impl AsyncRead + AsyncWrite + Reset + Unpin, shared: Arc<Shared>) {
    let mut read = Vec::new();
    while let Some(seen) = request(&mut socket, &mut read).await {
        let does = shared.answer(&seen);
        let latency = *shared.latency.lock().unwrap();
        if !latency.is_zero() {
            sleep(latency).await;
        }
        for step in does.steps(&seen) {
            match step {
                Step::Send(bytes) => {
                    if socket.write_all(&bytes).await.is_err() || socket.flush().await.is_err() {
                        return;
                    }
                }
                Step::Wait(time) => sleep(time).await,
                // Until the other side goes.
                Step::Hang => {
                    let mut rest = [0; 64];
                    while socket.read(&mut rest).await.is_ok_and(|count| count > 0) {}
                    return;
                }
                Step::Endless(bytes) => while socket.write_all(&bytes).await.is_ok() {},
                Step::Drip(bytes, every) => {
                    for byte in bytes {
                        if socket.write_all(&[byte]).await.is_err() {
                            return;
                        }
                        sleep(every).await;
                    }
                }
                Step::Reset => return socket.reset(),
                Step::Close => {
                    let _ = socket.shutdown().await;
                    return;
                }
            }
        }
    }
}

/// Breaks a connection as a machine does that has forgotten it.
trait Reset {
    fn reset(self);
}

impl Reset for TcpStream {
    fn reset(self) {
        let _ = socket2::SockRef::from(&self).set_linger(Some(Duration::ZERO));
    }
}

impl Reset for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(self) {
        self.into_inner().0.reset();
    }
}

/// Reads one request; `None` where there is no other.
async fn request(socket: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> Option<Seen> {
    let head = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    let (at, time) = (Instant::now(), System.now());
    let text = String::from_utf8_lossy(&read[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    while read.len() < head + 4 + length {
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&read[head + 4..head + 4 + length]).into_owned();
    read.drain(..head + 4 + length);
    let url = reqwest::Url::parse("http://hostile").and_then(|base| base.join(target)).ok()?;
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Some(Seen { at, time, method, path: url.path().to_owned(), query, headers, body })
}

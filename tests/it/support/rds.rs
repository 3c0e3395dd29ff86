//! What stands for RDS with IAM authentication: it speaks TLS alone, asks for a password in the clear as RDS does,
//! believes tokens alone, and then is the server behind it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use jiff::SignedDuration;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::signed;

const TLS_REQUEST: i32 = 80_877_103;
const CANCEL_REQUEST: i32 = 80_877_102;

/// The front. Ends with its handle.
pub(crate) struct Rds {
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
    port: u16,
    authority: String,
}

struct Shared {
    /// `host:port` of the server behind.
    server: String,
    user: String,
    password: String,
    /// For how long a token is good.
    good_for: SignedDuration,
    /// What each login showed, and why it was refused.
    logins: Mutex<Vec<(String, Result<(), String>)>>,
}

impl Rds {
    /// Before the server of an address (`postgres://user:password@host:port/…`), for its user.
    pub(crate) async fn before(url: &str, good_for: SignedDuration) -> Self {
        let (login, place) = url
            .strip_prefix("postgres://")
            .and_then(|rest| rest.split_once('@'))
            .expect("an address with a user");
        let (user, password) = login.split_once(':').expect("an address with a password");
        let (server, _) = place.split_once('/').expect("an address with a database");
        let (acceptor, authority) = acceptor();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            good_for,
            logins: Mutex::default(),
        });
        let (of, place) = (shared.clone(), format!("localhost:{port}"));
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (of, place, acceptor) = (of.clone(), place.clone(), acceptor.clone());
                // How a connection ends is the client's affair.
                tokio::spawn(async move { of.serve(stream, &acceptor, &place).await.unwrap_or_default() });
            }
        });
        Self { shared, listener, port, authority }
    }

    /// The address for a database, without a password.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://{}@localhost:{}/{database}", self.shared.user, self.port)
    }

    /// Its authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// What each login showed, and why it was refused.
    pub(crate) fn logins(&self) -> Vec<(String, Result<(), String>)> {
        self.shared.logins.lock().expect("no panic under the lock").clone()
    }
}

impl Drop for Rds {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream, acceptor: &TlsAcceptor, place: &str) -> io::Result<()> {
        let (_, code) = read_startup(&mut stream).await?;
        if code != TLS_REQUEST {
            return stream
                .write_all(&refusal("no pg_hba.conf entry for host \"127.0.0.1\", no encryption"))
                .await;
        }
        stream.write_all(b"S").await?;
        let mut stream = acceptor.accept(stream).await?;
        let (startup, code) = read_startup(&mut stream).await?;
        let mut server = TcpStream::connect(&self.server).await?;
        if code == CANCEL_REQUEST {
            return server.write_all(&startup).await;
        }
        // AuthenticationCleartextPassword
        stream.write_all(&message(b'R', &3_i32.to_be_bytes())).await?;
        let (kind, shown) = read_message(&mut stream).await?;
        if kind != b'p' {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let token = String::from_utf8_lossy(&shown).trim_end_matches('\0').to_owned();
        let checked = signed::check_token(&token, place, &self.user, self.good_for);
        self.logins.lock().expect("no panic under the lock").push((token, checked.clone()));
        if checked.is_err() {
            let why = format!("PAM authentication failed for user \"{}\"", self.user);
            return stream.write_all(&refusal(&why)).await;
        }
        server.write_all(&startup).await?;
        log_in(&mut server, &self.password).await?;
        stream.write_all(&message(b'R', &0_i32.to_be_bytes())).await?;
        copy_bidirectional(&mut stream, &mut server).await.map(drop)
    }
}

/// By SCRAM, as the tests' servers ask; reads up to AuthenticationOk.
async fn log_in(server: &mut TcpStream, password: &str) -> io::Result<()> {
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    loop {
        let (kind, body) = read_message(server).await?;
        let (code, rest) = match kind {
            b'R' => (i32::from_be_bytes(body[..4].try_into().expect("four bytes")), &body[4..]),
            _ => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
        };
        let answer = match code {
            0 => return Ok(()),
            10 => {
                let first = scram.message();
                let length = i32::try_from(first.len()).expect("a short message").to_be_bytes();
                [SCRAM_SHA_256.as_bytes(), b"\0", &length, first].concat()
            }
            11 => {
                scram.update(rest)?;
                scram.message().to_vec()
            }
            12 => {
                scram.finish(rest)?;
                continue;
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        server.write_all(&message(b'p', &answer)).await?;
    }
}

/// The whole message, and its code.
async fn read_startup(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Vec<u8>, i32)> {
    let length = stream.read_i32().await?;
    let mut body = vec![0; usize::try_from(length - 4).unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    let code = i32::from_be_bytes(body[..4].try_into().expect("four bytes"));
    Ok(([&length.to_be_bytes()[..], &body].concat(), code))
}

async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = stream.read_i32().await?;
    let mut body = vec![0; usize::try_from(length - 4).unwrap_or_default()];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn refusal(text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C28000\0M{text}\0\0").as_bytes())
}

fn acceptor() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority of what stands for RDS");
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|params| params.signed_by(&key, &authority))
        .expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate with its key");
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

//! The front that speaks Redshift's wire protocol: Postgres' third, with TLS and the simple query alone (§6.1).
//!
//! Harsher than Redshift: connections without TLS, the extended protocol and several statements in one query
//! are refused.

mod messages;
mod session;
mod tls;

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{engine::Engine, logins::Logins};
use messages::{Out, Startup};

/// Sessions by their process id: the secret that cancels, and whom it wakes.
type Cancels = Arc<Mutex<HashMap<i32, (i32, Arc<Notify>)>>>;

/// The service.
#[derive(Clone)]
pub(crate) struct Wire {
    engine: Arc<Engine>,
    logins: Arc<Logins>,
    acceptor: TlsAcceptor,
    cancels: Cancels,
}

impl Wire {
    /// The service, and the certificate of its authority in PEM.
    pub(crate) fn new(engine: Arc<Engine>, logins: Arc<Logins>) -> io::Result<(Self, String)> {
        let (acceptor, authority) = tls::acceptor()?;
        Ok((Self { engine, logins, acceptor, cancels: Cancels::default() }, authority))
    }

    /// Accepts connections; they end with the task.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let wire = self.clone();
                        connections.spawn(wire.serve_connection(stream));
                    }
                    Err(_) => return,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// In a box, because what is in it is deep. How a connection ends is the client's affair.
    fn serve_connection(self, stream: TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { self.connection(stream).await.unwrap_or_default() })
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            match messages::read_startup(&mut stream).await? {
                Startup::Gss => stream.write_all(b"N").await?,
                Startup::Tls => break,
                Startup::Cancel { pid, secret } => return self.cancel(pid, secret),
                Startup::Session(_) => return refuse_plain(stream).await,
            }
        }
        stream.write_all(b"S").await?;
        let mut stream = self.acceptor.accept(stream).await?;
        match messages::read_startup(&mut stream).await? {
            Startup::Session(parameters) => session::serve(self, stream, &parameters).await,
            Startup::Cancel { pid, secret } => self.cancel(pid, secret),
            Startup::Tls | Startup::Gss => Ok(()),
        }
    }

    /// Wakes the session that this is the key of. Nothing is answered, be there one or not.
    fn cancel(&self, pid: i32, secret: i32) -> io::Result<()> {
        let cancels = self.cancels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, woken)) = cancels.get(&pid).filter(|(of, _)| *of == secret) {
            woken.notify_one();
        }
        Ok(())
    }
}

async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    let mut out = Out::default();
    let text = "no pg_hba.conf entry for host \"127.0.0.1\", SSL off";
    out.error("FATAL", &crate::SqlError::new("28000", text));
    stream.write_all(&out.0).await?;
    // Until the client has read it.
    let _ = stream.read(&mut [0]).await;
    Ok(())
}

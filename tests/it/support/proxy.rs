//! A network that misbehaves: a TCP proxy in front of a Postgres server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// For how long a test waits for a trick.
const PATIENCE: Duration = Duration::from_secs(20);

/// The protocol's message for a query `COMMIT`: kind, length, text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The answer to it.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// What the network does to one connection, the first that gives occasion; the others pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Nothing.
    Pass,
    /// Closes both sides once the client has sent as many bytes.
    CutAfter(u64),
    /// Carries nothing more once the client has sent as many bytes, and closes nothing until
    /// [`Proxy::cut`].
    StallAfter(u64),
    /// Closes both sides when the client sends COMMIT, which the server never sees.
    LoseCommit,
    /// Closes the client's side when the server has answered COMMIT.
    LoseAnswer,
    /// Closes the client's side as soon as the server has got COMMIT.
    CutAtCommit,
}

/// A proxy. Ends with its handle.
pub(crate) struct Proxy {
    state: Arc<State>,
    listener: JoinHandle<()>,
}

struct State {
    server: String,
    trick: Mutex<Trick>,
    /// Whether it has played its trick.
    played: watch::Sender<bool>,
    /// Whether what stands still is to be closed.
    is_cut: watch::Sender<bool>,
    refuses: Mutex<bool>,
    /// How many connections it has refused.
    refused: watch::Sender<u32>,
}

impl Proxy {
    /// A proxy before the server of an address (`postgres://…@host:port/…`), and the address by which
    /// the server is reached through it.
    pub(crate) async fn before(url: &str, trick: Trick) -> (Self, String) {
        let (_, place) = url.rsplit_once('@').expect("the address holds a user");
        let (server, _) = place.split_once('/').expect("the address holds a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(State {
            server: server.to_owned(),
            trick: Mutex::new(trick),
            played: watch::Sender::new(false),
            is_cut: watch::Sender::new(false),
            refuses: Mutex::new(false),
            refused: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, state.clone()));
        let through = url.replace(server, &address.to_string());
        (Self { state, listener: task }, through)
    }

    /// From now on new connections are closed at once (or, with `false`, no more).
    pub(crate) fn refuse(&self, refuses: bool) {
        *self.state.refuses.lock().expect("no test panics while it holds this") = refuses;
    }

    /// Closes both sides of a connection that stands still.
    pub(crate) fn cut(&self) {
        self.state.is_cut.send_replace(true);
    }

    /// Waits until it has refused a connection.
    pub(crate) async fn refused(&self) {
        let mut refused = self.state.refused.subscribe();
        let waited = tokio::time::timeout(PATIENCE, refused.wait_for(|refused| *refused > 0)).await;
        waited.expect("a connection is refused").expect("the proxy is there");
    }

    /// Waits until the trick has been played.
    pub(crate) async fn played(&self) {
        let mut played = self.state.played.subscribe();
        let waited = tokio::time::timeout(PATIENCE, played.wait_for(|played| *played)).await;
        waited.expect("the trick is played").expect("the proxy is there");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if *state.refuses.lock().expect("no test panics while it holds this") {
            state.refused.send_modify(|refused| *refused += 1);
        } else {
            tokio::spawn(carry(client, state.clone()));
        }
    }
}

/// One connection. When this ends, both sides are closed.
async fn carry(mut client: TcpStream, state: Arc<State>) {
    let mut server = TcpStream::connect(&state.server).await.expect("the test's server answers");
    let (mut up, mut down, mut sent) = (vec![0; 65536], vec![0; 65536], 0);
    loop {
        let (bytes, to) = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n @ 1..) => {
                    sent += n as u64;
                    (&up[..n], &mut server)
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(n @ 1..) => {
                    if client.write_all(&down[..n]).await.is_err() {
                        return;
                    }
                    continue;
                }
                _ => return,
            },
        };
        match state.trick_for(bytes, sent) {
            Trick::Pass => {
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Trick::CutAfter(_) | Trick::LoseCommit => return state.has_played(),
            Trick::StallAfter(_) => {
                state.has_played();
                let mut is_cut = state.is_cut.subscribe();
                let _ = is_cut.wait_for(|is_cut| *is_cut).await;
                return;
            }
            trick @ (Trick::LoseAnswer | Trick::CutAtCommit) => {
                to.write_all(bytes).await.expect("the test's server takes it");
                if trick == Trick::CutAtCommit {
                    drop(client);
                    state.has_played();
                }
                // The server can send its answer, which goes nowhere.
                let mut answer = Vec::new();
                while !answer.windows(COMMITTED.len()).any(|bytes| bytes == COMMITTED) {
                    match server.read(&mut down).await {
                        Ok(n @ 1..) => answer.extend_from_slice(&down[..n]),
                        _ => break,
                    }
                }
                return state.has_played();
            }
        }
    }
}

impl State {
    fn trick_for(&self, bytes: &[u8], sent: u64) -> Trick {
        let mut trick = self.trick.lock().expect("no test panics while it holds this");
        let is_due = match *trick {
            Trick::Pass => false,
            Trick::CutAfter(limit) | Trick::StallAfter(limit) => sent > limit,
            // In front of it there may be what lets a prepared statement go.
            Trick::LoseCommit | Trick::LoseAnswer | Trick::CutAtCommit => bytes.ends_with(COMMIT),
        };
        if !is_due {
            return Trick::Pass;
        }
        std::mem::replace(&mut *trick, Trick::Pass)
    }

    fn has_played(&self) {
        self.played.send_replace(true);
    }
}

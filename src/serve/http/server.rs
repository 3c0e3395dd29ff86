//! Connections: accepted, bounded, and let go.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{State, routes};
use crate::serve::ServeError;

pub(in crate::serve) type Listener = TcpListener;

/// How many connections are open at most; more wait.
const CONNECTIONS_MAX: usize = 256;

/// How long a request's head may take, from its first byte or from the end of the request before.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// How large it may be.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How long the end waits for answers under way.
const LAST: Duration = Duration::from_secs(1);

/// Takes the address.
pub(in crate::serve) async fn listen(address: SocketAddr) -> Result<Listener, ServeError> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|source| ServeError::Listen { address, source })?;
    let at = listener.local_addr().unwrap_or(address);
    tracing::info!(listen = %at, "serves");
    Ok(listener)
}

/// Answers until the service ends.
pub(in crate::serve) async fn answer(listener: Listener, state: State, ended: CancellationToken) {
    let (routes, places) = (routes(state), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let open = GracefulShutdown::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = ended.cancelled() => break,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // No file may be left just now.
            Err(error) => {
                tracing::debug!(%error, "http.accept");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = open.watch(connection(stream, routes.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "http.connection");
            }
            drop(place);
        });
    }
    let _ = timeout(LAST, open.shutdown()).await;
}

fn connection(
    stream: TcpStream,
    routes: axum::Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<axum::Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes))
}

//! What can be tested of a service. Nothing is asked of it but a path that the project names for that.

use std::{io, net::SocketAddr, sync::Arc};

use reqwest::Url;
use rustls::{ClientConnection, pki_types::ServerName};
use tokio::net::TcpStream;

use super::{Asker, address::is_public, client, place::shown_host};
use crate::{
    clock::{Clock, System},
    diagnosis::{Finding, Verdict},
    event::Tier,
    source::http::{Ask, Media, Request},
};

impl Asker {
    /// Looks its name up, connects, and lets it prove who it is; with `probe`, a path, asks that one: one request,
    /// which counts as each does.
    pub async fn diagnose(&self, probe: Option<&str>) -> Vec<Finding> {
        let url = self.place.base().clone();
        let (finding, addresses) = self.look_up(&url).await;
        let mut findings = vec![finding];
        if !addresses.is_empty() {
            findings.push(self.connect(&url, &addresses).await);
        }
        let goes_on = findings.iter().all(|finding| finding.status != Verdict::Fail);
        match probe {
            Some(path) if goes_on => findings.push(self.probe(path).await),
            Some(_) => {}
            None => findings.push(
                Finding::ok("probe", "nothing was asked: that would cost of its allowance")
                    .hint("`probe = \"/…\"` of the source names a path that `doctor` may ask"),
            ),
        }
        findings
    }

    async fn look_up(&self, url: &Url) -> (Finding, Vec<SocketAddr>) {
        let test = "address";
        let host =
            url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let looked_up = tokio::net::lookup_host((host.as_str(), port));
        let found: Vec<SocketAddr> = match tokio::time::timeout(self.options.connect_timeout, looked_up).await
        {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => {
                return (Finding::fail(test, format!("{host} is not known: {error}")), Vec::new());
            }
            Err(_) => {
                return (Finding::fail(test, format!("{host}: no answer to its name in time")), Vec::new());
            }
        };
        let allow_private = self.options.allow_private;
        let (allowed, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|address| allow_private || is_public(address.ip()));
        let shown = shown_host(url);
        let finding = match (allowed.is_empty(), others.is_empty()) {
            (true, false) => {
                Finding::fail(test, format!("{shown} is an address of this machine or of a private network"))
                    .hint("`allow_private = true`, if the service is yours and stands there")
            }
            (true, true) => Finding::fail(test, format!("{shown} has no address")),
            (false, false) => Finding::warn(
                test,
                format!("{shown} has addresses of a private network too, which are not asked"),
            ),
            (false, true) => Finding::ok(test, format!("{shown} is known")),
        };
        (finding, allowed)
    }

    async fn connect(&self, url: &Url, addresses: &[SocketAddr]) -> Finding {
        let begun = System.now();
        let connecting = async {
            let stream = TcpStream::connect(addresses).await?;
            if url.scheme() == "https" { self.handshake(url, stream).await.map(Some) } else { Ok(None) }
        };
        let test = if url.scheme() == "https" { "tls" } else { "connection" };
        let shown = shown_host(url);
        match tokio::time::timeout(self.options.connect_timeout, connecting).await {
            Ok(Ok(version)) => {
                let taken = System.now().duration_since(begun).as_millis();
                match version {
                    Some(version) => {
                        Finding::ok(test, format!("{shown} proved who it is, by {version}, in {taken} ms"))
                    }
                    None => Finding::warn(
                        test,
                        format!(
                            "connected in {taken} ms, without TLS: who asks, and what, can be read on the way"
                        ),
                    ),
                }
            }
            Ok(Err(error)) => Finding::fail(test, format!("no connection to {shown}: {error}")),
            Err(_) => Finding::fail(
                test,
                format!("no connection to {shown} in {} s", self.options.connect_timeout.as_secs_f64()),
            ),
        }
    }

    /// TLS alone, by the client's own rules: no request is sent.
    async fn handshake(&self, url: &Url, stream: TcpStream) -> io::Result<String> {
        let config = client::tls(&self.options).map_err(io::Error::other)?;
        let host =
            url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(self.options.connect_timeout))?;
        let shaken = tokio::task::spawn_blocking(move || {
            let mut stream = stream;
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
            while session.is_handshaking() {
                session.complete_io(&mut stream)?;
            }
            let version = session.protocol_version();
            session.send_close_notify();
            let _ = session.write_tls(&mut stream);
            Ok(match version {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
                _ => "TLS".to_owned(),
            })
        });
        shaken.await.map_err(io::Error::other)?
    }

    async fn probe(&self, path: &str) -> Finding {
        let request = Request::get(path.to_owned(), Media::Json);
        match self.ask(&request, Tier::Critical).await {
            Ok(answer) => {
                let taken = answer.answered_at.duration_since(answer.asked_at).as_millis();
                Finding::ok(
                    "probe",
                    format!(
                        "answered {} in {taken} ms, {} bytes; it counts as a request",
                        answer.status,
                        answer.body.len()
                    ),
                )
            }
            Err(error) => Finding::error("probe", error.as_ref()),
        }
    }
}

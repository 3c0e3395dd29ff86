//! The client: our TLS, our look at addresses, and what its errors mean.

use std::{error::Error, path::Path, sync::Arc};

use reqwest::{
    Client,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
    redirect, retry,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    address::{Private, Resolver, Unknown},
    error::Reason,
    options::{Auth, Options, OptionsError},
};
use crate::secret::Secret;

/// Whom it believes.
pub(super) fn tls(options: &Options) -> Result<ClientConfig, OptionsError> {
    Ok(ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots(options)?)
        .with_no_client_auth())
}

/// Makes it; it connects when it is first used.
pub(super) fn client(options: &Options) -> Result<Client, OptionsError> {
    let tls = tls(options)?;
    let resolver = Resolver { allow_private: options.allow_private, patience: options.connect_timeout };
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(resolver))
        // A proxy would look names up by itself, and connect to whatever they show it.
        .no_proxy()
        // Both are done by hand: each request counts, and not every host is told who asks.
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .user_agent(&options.user_agent)
        .build()
        .map_err(|error| OptionsError::Client { source_name: options.name.clone(), what: causes(&error) })
}

fn roots(options: &Options) -> Result<RootCertStore, OptionsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &options.ca else {
        // One unreadable file among the system's is no reason to trust none of the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let wrong =
        |what: String| OptionsError::Ca { source_name: options.name.clone(), path: path.clone(), what };
    for certificate in certificates(path).map_err(wrong)? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(roots) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())
}

/// What each request to the source's own host says, and no other.
pub(super) fn own_headers(options: &Options) -> Result<HeaderMap, OptionsError> {
    let mut headers = HeaderMap::new();
    let wrong =
        |header: &str| OptionsError::Header { source_name: options.name.clone(), header: header.to_owned() };
    let mut add = |name: &str, value: &Secret| -> Result<(), OptionsError> {
        let own = HeaderName::try_from(name).map_err(|_| wrong(name))?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong(name))?;
        value.set_sensitive(true);
        headers.insert(own, value);
        Ok(())
    };
    for (name, value) in &options.headers {
        add(name, value)?;
    }
    match &options.auth {
        Auth::None | Auth::Query { .. } => {}
        Auth::Bearer(token) => {
            add(AUTHORIZATION.as_str(), &Secret::new(format!("Bearer {}", token.expose())))?;
        }
        Auth::Basic { user, password } => {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let login = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            add(AUTHORIZATION.as_str(), &Secret::new(format!("Basic {login}")))?;
        }
        Auth::Header { name, value } => add(name, value)?,
    }
    Ok(headers)
}

/// What the client says of a request that brought nothing.
pub(super) fn reason(error: &reqwest::Error, host: &str) -> Reason {
    let host = host.to_owned();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<Private>() {
            return Reason::Private { host };
        }
        if let Some(unknown) = error.downcast_ref::<Unknown>() {
            return Reason::Unreached { host, what: unknown.to_string() };
        }
        if let Some(rustls::Error::InvalidCertificate(what)) = error.downcast_ref() {
            return Reason::Tls { host, what: what.to_string() };
        }
        // The source of such an error is that of what is in it, which is left out.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Reason::Unreached { host, what: "it took too long".to_owned() },
        (true, false) => Reason::Unreached { host, what: causes(error) },
        _ if error.is_builder() => {
            Reason::Unsendable { what: "a header or its url has characters that none may have" }
        }
        _ => Reason::Broken { what: causes(error) },
    }
}

/// The causes alone: what stands above them names the url.
fn causes(error: &reqwest::Error) -> String {
    let mut all: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some repeat what is below them.
        if all.last().is_none_or(|last| !last.contains(&text)) {
            all.push(text);
        }
        cause = error.source();
    }
    if all.is_empty() { "the request could not be made".to_owned() } else { all.join(": ") }
}

//! TLS by rustls: root certificates of the system or given, the client's own certificate.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
};

use super::{
    endpoint::{TlsMode, TlsSettings},
    error::TlsError,
};

/// Builds the client's side of TLS.
pub(super) fn client_config(
    mode: TlsMode,
    settings: &TlsSettings,
    dir: &Path,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?;
    let builder = match mode {
        TlsMode::Require => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(BelieveAnybody(provider)))
        }
        TlsMode::Disable | TlsMode::VerifyFull => builder.with_root_certificates(roots(settings, dir)?),
    };
    let config = match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => {
            let path = dir.join(key);
            let key = PrivateKeyDer::from_pem_file(&path).map_err(|error| unreadable(&path, &error))?;
            builder.with_client_auth_cert(certificates(&dir.join(cert))?, key).map_err(TlsError::Config)?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err(TlsError::HalfAPair),
    };
    Ok(Arc::new(config))
}

fn roots(settings: &TlsSettings, dir: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match &settings.ca {
        Some(path) => {
            for certificate in certificates(&dir.join(path))? {
                roots.add(certificate).map_err(TlsError::Config)?;
            }
        }
        None => {
            // One unreadable file among the system's is no reason to trust none of the others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), what: error.to_string() }
}

/// `sslmode=require`: encrypted, but no certificate is checked, as libpq has it.
#[derive(Debug)]
struct BelieveAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for BelieveAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

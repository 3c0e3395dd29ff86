//! TLS with an authority of the double's own, as a client that verifies needs one to trust.

use std::{io, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// The host that the certificate is for, beside its address.
pub(super) const HOST: &str = "localhost";

/// The server's side, and the authority's certificate in PEM.
pub(super) fn acceptor() -> io::Result<(TlsAcceptor, String)> {
    let made = || -> Result<(TlsAcceptor, String), Box<dyn std::error::Error + Send + Sync>> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // One that is called as the certificate is would be taken for a certificate that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority of the double of Redshift");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok((TlsAcceptor::from(Arc::new(config)), authority.pem()))
    };
    made().map_err(io::Error::other)
}

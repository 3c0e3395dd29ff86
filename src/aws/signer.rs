//! Who asks AWS, and the signature that says so.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{SignableRequest, SigningInstructions, SigningSettings, sign},
    sign::v4,
};
use tokio::sync::Mutex;

use super::AwsError;
use crate::clock::{Clock, System};

/// Credentials that end so soon are asked for anew.
const LEFT_AT_LEAST: Duration = Duration::from_secs(300);

/// Signs for one service of one region.
pub(super) struct Signer {
    service: &'static str,
    credentials: Option<SharedCredentialsProvider>,
    region: Option<String>,
    /// Those that end at a known time: of a role, for which another service would be asked at each signature.
    held: Mutex<Option<Credentials>>,
}

impl Signer {
    /// For a service by the name that its signatures have.
    pub(super) fn new(service: &'static str, config: &SdkConfig) -> Self {
        let region = config.region().map(ToString::to_string);
        Self { service, credentials: config.credentials_provider(), region, held: Mutex::default() }
    }

    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    pub(super) fn region(&self) -> Result<&str, AwsError> {
        self.region.as_deref().ok_or_else(|| self.missing("no region is set up"))
    }

    pub(super) async fn sign(
        &self,
        request: SignableRequest<'_>,
        settings: SigningSettings,
    ) -> Result<SigningInstructions, AwsError> {
        let (region, credentials) = (self.region()?, self.credentials().await?);
        let now = SystemTime::from(System.now());
        signed(request, settings, credentials, (self.service, region), now)
            .map_err(|what| self.missing(&what))
    }

    async fn credentials(&self) -> Result<Credentials, AwsError> {
        // Held while they are asked for: others that need them wait for these.
        let mut held = self.held.lock().await;
        let last_for = SystemTime::from(System.now()) + LEFT_AT_LEAST;
        let lasts = |one: &&Credentials| one.expiry().is_some_and(|expiry| expiry > last_for);
        if let Some(credentials) = held.as_ref().filter(lasts) {
            return Ok(credentials.clone());
        }
        let provider = self.credentials.as_ref().ok_or_else(|| self.missing("none are set up"))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| self.missing(&chain(&error)))?;
        Ok(held.insert(credentials).clone())
    }

    /// Says that what was signed was refused: credentials are asked for anew.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }

    pub(super) fn missing(&self, what: &str) -> AwsError {
        AwsError::NoCredentials { service: self.service, what: what.to_owned() }
    }
}

/// A request's signature, for a service of a region, at a time.
pub(super) fn signed(
    request: SignableRequest<'_>,
    settings: SigningSettings,
    credentials: Credentials,
    (service, region): (&str, &str),
    now: SystemTime,
) -> Result<SigningInstructions, String> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let signed = sign(request, &params).map_err(|error| chain(&error))?;
    Ok(signed.into_parts().0)
}

/// An error with its causes: those of the client say little at their top.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

//! One client a service: credentials and region as the AWS tools find them, our TLS, time limits, retries.
//! Of the services that give logins (Redshift's, Secrets Manager) one call each, without a client.

mod call;
mod logins;
mod secrets;
mod signer;
mod tokens;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

pub use self::{
    call::AwsError,
    logins::{LoginTarget, RedshiftLogins, TemporaryLogin},
    secrets::{SecretLogin, SecretPassword},
    tokens::{RdsTokens, region_of as rds_region_of},
};

/// How a service is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Another server than Amazon's, as a url.
    pub endpoint: Option<String>,
    /// Default: as the AWS tools find it.
    pub region: Option<String>,
    /// How long it is waited for.
    pub patience: Patience,
}

/// How S3 is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Access {
    /// As every service is.
    pub access: Access,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub path_style: bool,
}

/// How long a service is waited for, and how often it is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the head of an answer, the time to send the request included. Not for objects going up.
    pub answer: Duration,
    /// For one try as a whole: a piece of an object has to be up by then.
    pub attempt: Duration,
    /// How long no byte may come or go in the midst of an object.
    pub stall: Duration,
    /// Tries of one request, the first one included.
    pub attempts: u32,
    /// The pause before the second try, at most; it doubles from try to try.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            attempt: Duration::from_secs(60),
            stall: Duration::from_secs(20),
            attempts: 5,
            backoff: Duration::from_secs(1),
        }
    }
}

/// A client of S3.
pub(crate) async fn s3_client(access: &S3Access) -> aws_sdk_s3::Client {
    let shared = shared(&access.access).await;
    let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(access.path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// A client of Redshift's Data API.
pub(crate) async fn redshift_data_client(access: &Access) -> aws_sdk_redshiftdata::Client {
    aws_sdk_redshiftdata::Client::new(&shared(access).await)
}

/// What the clients have in common. Credentials are looked up at the first request and again when they
/// expire. Throttling, 5xx and cut connections are tried again a few times by the client itself.
async fn shared(access: &Access) -> SdkConfig {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let patience = &access.patience;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience.connect)
        .read_timeout(patience.answer)
        .operation_attempt_timeout(patience.attempt)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(patience.attempts).with_initial_backoff(patience.backoff);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled().grace_period(patience.stall).build(),
        )
        .retry_config(retries);
    if let Some(region) = region(access).await {
        loader = loader.region(region);
    }
    if let Some(endpoint) = &access.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// The region, where the SDK's own search is not what is wanted.
async fn region(access: &Access) -> Option<Region> {
    if let Some(region) = &access.region {
        return Some(Region::new(region.clone()));
    }
    access.endpoint.as_ref()?;
    // Other servers than Amazon's take any region, but the signature needs one. The SDK would ask
    // the metadata service of Amazon's machines, which is not there: that takes seconds.
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::from_static("us-east-1"))
        .region()
        .await
}

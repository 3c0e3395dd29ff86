//! One client for S3: credentials and region as the AWS tools find them, our TLS, time limits, retries.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// How S3 is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Access {
    /// Another server than Amazon's, as a url.
    pub endpoint: Option<String>,
    /// Default: as the AWS tools find it.
    pub region: Option<String>,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub path_style: bool,
    /// How long it is waited for.
    pub patience: Patience,
}

/// How long S3 is waited for, and how often it is asked again.
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

/// A client. Credentials are looked up at the first request and again when they expire. Throttling,
/// 5xx and cut connections are tried again a few times by the client itself.
pub(crate) async fn s3_client(access: &S3Access) -> aws_sdk_s3::Client {
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
    let config =
        aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(access.path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The region, where the SDK's own search is not what is wanted.
async fn region(access: &S3Access) -> Option<Region> {
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

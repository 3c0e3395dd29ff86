//! One client for S3: credentials and region as the AWS tools find them, our TLS, time limits, retries.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
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
}

/// A client. Credentials are looked up at the first request and again when they expire. Throttling,
/// 5xx and cut connections are tried again a few times by the client itself.
pub(crate) async fn s3_client(access: &S3Access) -> aws_sdk_s3::Client {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .operation_attempt_timeout(Duration::from_secs(120))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(5));
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    } else if access.endpoint.is_some() {
        // Other servers take any region; the signature needs one.
        loader = loader.region(
            aws_config::meta::region::RegionProviderChain::default_provider()
                .or_else(Region::from_static("us-east-1")),
        );
    }
    if let Some(endpoint) = &access.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let config =
        aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(access.path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

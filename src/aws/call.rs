//! One signed request to a service of AWS, and what it said.

use std::{collections::BTreeMap, time::Duration};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorSettings},
        orchestrator::HttpRequest,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use aws_smithy_xml::decode::{Document, try_data};
use tokio::time::{sleep, timeout};

use super::{
    Access, Patience, shared,
    signer::{Signer, chain},
};
use crate::error::{Class, Fault};

/// What can go wrong with a service of AWS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// Nobody says who asks.
    #[error("no AWS credentials for {service}: {what}")]
    NoCredentials {
        /// The service.
        service: &'static str,
        /// Why.
        what: String,
    },
    /// No answer.
    #[error("cannot reach {service}: {what}")]
    Reach {
        /// The service.
        service: &'static str,
        /// Why.
        what: String,
    },
    /// The service refused.
    #[error("{service} refused: {message} ({code})")]
    Refused {
        /// The service.
        service: &'static str,
        /// Its name for it.
        code: String,
        /// Its words.
        message: String,
        /// Whether it would be refused again.
        class: Class,
    },
    /// An answer that cannot be read.
    #[error("the answer of {service} {what}")]
    Answer {
        /// The service.
        service: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl Fault for AwsError {
    fn class(&self) -> Class {
        match self {
            Self::Reach { .. } => Class::Passing,
            Self::Refused { class, .. } => *class,
            Self::NoCredentials { .. } | Self::Answer { .. } => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoCredentials { .. } => Some(
                "they are found as the AWS tools find them: environment, profile, role of the machine"
                    .to_owned(),
            ),
            Self::Refused { code, .. } if code.contains("AccessDenied") => {
                Some("`barncat doctor --roles` prints the policy that is needed".to_owned())
            }
            _ => None,
        }
    }
}

/// A request's own part.
pub(super) struct Form {
    pub(super) content_type: &'static str,
    /// The operation, where it does not stand in the body.
    pub(super) target: Option<&'static str>,
    pub(super) body: String,
}

/// What was answered: names and texts of the level that counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said(BTreeMap<String, String>);

impl Said {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    #[cfg(test)]
    pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
        Self(owned.collect())
    }
}

/// Asks one service.
pub(super) struct Caller {
    signer: Signer,
    connector: Connector,
    endpoint: Option<String>,
    patience: Patience,
}

impl Caller {
    pub(super) async fn new(service: &'static str, access: &Access) -> Self {
        let (config, patience) = (shared(access).await, access.patience.clone());
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(patience.connect)
            .read_timeout(patience.answer)
            .build();
        let connector = Connector::builder()
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Self { signer: Signer::new(service, &config), connector, endpoint: access.endpoint.clone(), patience }
    }

    /// Asks; what passes is tried again a few times, as the services' own clients do.
    pub(super) async fn call(&self, form: &Form) -> Result<Said, AwsError> {
        let mut pause = self.patience.backoff / 4;
        let mut left = self.patience.attempts;
        loop {
            left = left.saturating_sub(1);
            match self.once(form).await {
                Err(error) if error.class() == Class::Passing && left > 0 => {}
                answered => return answered,
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    pub(super) fn wrong(&self, what: &str) -> AwsError {
        AwsError::Answer { service: self.signer.service(), what: what.to_owned() }
    }

    async fn once(&self, form: &Form) -> Result<Said, AwsError> {
        let service = self.signer.service();
        let request = self.request(form).await?;
        let reach = |what: String| AwsError::Reach { service, what };
        let answered = async {
            let answer = self.connector.call(request).await.map_err(|error| reach(chain(&error)))?;
            let status = answer.status();
            let body = ByteStream::new(answer.into_body()).collect().await;
            Ok((status, body.map_err(|error| reach(chain(&error)))?.into_bytes()))
        };
        let limit: Duration = self.patience.attempt;
        let (status, body) = timeout(limit, answered)
            .await
            .map_err(|_| reach(format!("no answer within {} s", limit.as_secs())))
            .flatten()?;
        let text = String::from_utf8_lossy(&body);
        match status.is_success() {
            true => read(&text).ok_or_else(|| self.wrong("cannot be read")),
            false => Err(self.refused(status, &text)),
        }
    }

    async fn request(&self, form: &Form) -> Result<HttpRequest, AwsError> {
        let (service, region) = (self.signer.service(), self.signer.region()?);
        let url = match &self.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{service}.{region}.{}/", domain(region)),
        };
        let mut headers = vec![("content-type", form.content_type)];
        headers.extend(form.target.map(|target| ("x-amz-target", target)));
        let body = SignableBody::Bytes(form.body.as_bytes());
        let reach = |what: String| AwsError::Reach { service, what };
        let signable = SignableRequest::new("POST", &url, headers.iter().copied(), body)
            .map_err(|error| reach(chain(&error)))?;
        let signed = self.signer.sign(signable, SigningSettings::default()).await?;
        let mut request = HttpRequest::new(SdkBody::from(form.body.as_str()));
        request
            .set_method("POST")
            .and_then(|()| request.set_uri(url.as_str()))
            .map_err(|error| reach(error.to_string()))?;
        for (name, value) in headers.into_iter().chain(signed.headers()) {
            request.headers_mut().insert(name.to_owned(), value.to_owned());
        }
        Ok(request)
    }

    fn refused(&self, status: StatusCode, text: &str) -> AwsError {
        let said = read(text).unwrap_or_default();
        let first = |names: &[&str]| names.iter().find_map(|name| said.text(name));
        let code = first(&["Code", "__type", "code"]).unwrap_or_else(|| status.as_u16().to_string());
        // `com.amazonaws.redshiftserverless#ResourceNotFoundException`
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let message = first(&["Message", "message"]).unwrap_or_else(|| "no reason was given".to_owned());
        let passes = status.is_server_error() || status.as_u16() == 429 || code.contains("Throttl");
        let class = if passes { Class::Passing } else { Class::Lasting };
        AwsError::Refused { service: self.signer.service(), code, message, class }
    }
}

/// Of regions in China the services have another domain.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// The texts of an answer: of a JSON object, or of the part of an XML document that has the result.
fn read(text: &str) -> Option<Said> {
    if text.trim_start().starts_with('<') { read_xml(text) } else { read_json(text) }
}

fn read_json(text: &str) -> Option<Said> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let texts = object.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        serde_json::Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    });
    Some(Said(texts.collect()))
}

/// `<XResponse><XResult><Name>text</Name>…`, `<ErrorResponse><Error><Code>…`.
fn read_xml(text: &str) -> Option<Said> {
    let mut said = BTreeMap::new();
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    while let Some(mut part) = root.next_tag() {
        let name = part.start_el().local().to_owned();
        if name != "Error" && !name.ends_with("Result") {
            continue;
        }
        while let Some(mut field) = part.next_tag() {
            let name = field.start_el().local().to_owned();
            if let Ok(text) = try_data(&mut field) {
                said.insert(name, text.into_owned());
            }
        }
    }
    Some(Said(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Option<Said> {
        Some(Said::of(pairs.iter().copied()))
    }

    #[test]
    fn answers_in_xml_are_read() {
        let text = "<GetClusterCredentialsResponse xmlns=\"http://redshift.amazonaws.com/doc/2012-12-01/\">
            <GetClusterCredentialsResult><DbUser>IAM:etl</DbUser><DbPassword>a&amp;b</DbPassword>
            </GetClusterCredentialsResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
            </GetClusterCredentialsResponse>";
        assert_eq!(read(text), said(&[("DbUser", "IAM:etl"), ("DbPassword", "a&b")]));
        let text =
            "<ErrorResponse><Error><Type>Sender</Type><Code>ClusterNotFound</Code></Error></ErrorResponse>";
        assert_eq!(read(text), said(&[("Type", "Sender"), ("Code", "ClusterNotFound")]));
    }

    #[test]
    fn answers_in_json_are_read_and_nonsense_is_not() {
        let text = "{\"dbUser\": \"IAM:etl\", \"expiration\": 1717243200.5, \"nested\": {}}";
        assert_eq!(read(text), said(&[("dbUser", "IAM:etl"), ("expiration", "1717243200.5")]));
        assert_eq!((read("nonsense"), read("")), (None, None));
    }
}

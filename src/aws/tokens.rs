//! Tokens by which a role of a database of RDS or Aurora logs in instead of a password
//! (`auth = "iam"`): a signed address that the database believes for 15 minutes. To make one asks nobody.
//!
//! Their form: "Connecting to your DB instance using IAM authentication" in the user's guide of RDS.

use std::time::Duration;

use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::OnceCell;

use super::{Access, AwsError, shared, signer::Signer};
use crate::secret::Secret;

/// For how long a token is good: no other time is allowed. A session outlives it.
const VALID: Duration = Duration::from_secs(900);

/// What stays as it is in an address that is signed (RFC 3986, "unreserved").
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes tokens for one role of one server.
pub struct RdsTokens {
    access: Access,
    signer: OnceCell<Signer>,
    host: String,
    port: u16,
    user: String,
}

impl RdsTokens {
    /// Asks nobody yet. Without a region in `access` it is that of the server's name, or else as the AWS tools
    /// find it.
    pub fn new((host, port): (&str, u16), user: &str, mut access: Access) -> Self {
        access.region = access.region.or_else(|| region_of(host).map(str::to_owned));
        Self { access, signer: OnceCell::new(), host: host.to_owned(), port, user: user.to_owned() }
    }

    /// A new token.
    pub async fn make(&self) -> Result<Secret, AwsError> {
        let signer = self.signer().await;
        let address = address(&self.host, self.port, &self.user);
        let request =
            request(&address).ok_or_else(|| signer.missing("the server's name is no name in an address"))?;
        Ok(Secret::new(token(&address, &signer.sign(request, settings()).await?)))
    }

    /// Says that one was refused: what the next is signed with is asked for anew.
    pub async fn forget(&self) {
        self.signer().await.forget().await;
    }

    async fn signer(&self) -> &Signer {
        self.signer.get_or_init(async || Signer::new("rds-db", &shared(&self.access).await)).await
    }
}

/// What is signed: as if it were asked for by HTTP, which nobody does.
fn address(host: &str, port: u16, user: &str) -> String {
    format!("https://{host}:{port}/?Action=connect&DBUser={}", utf8_percent_encode(user, ENCODED))
}

fn request(address: &str) -> Option<SignableRequest<'_>> {
    SignableRequest::new("GET", address, std::iter::empty(), SignableBody::empty()).ok()
}

fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(VALID);
    settings
}

/// The signed address without `https://`.
fn token(address: &str, signed: &SigningInstructions) -> String {
    let mut token = address.trim_start_matches("https://").to_owned();
    for (name, value) in signed.params() {
        token.push_str(&format!("&{name}={}", utf8_percent_encode(value, ENCODED)));
    }
    token
}

/// The region of a server of RDS by its name: `shop.c9akciq32.eu-west-1.rds.amazonaws.com`; proxies' and clusters'
/// names end so too.
pub fn region_of(host: &str) -> Option<&str> {
    let host = host.trim_end_matches('.');
    let before =
        [".rds.amazonaws.com", ".rds.amazonaws.com.cn"].iter().find_map(|end| host.strip_suffix(end))?;
    before.rsplit('.').next().filter(|region| region.contains('-'))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::SystemTime};

    use aws_credential_types::Credentials;

    use super::*;

    const HOST: &str = "shop.c9akciq32.eu-west-1.rds.amazonaws.com";

    /// What botocore 1.35.99 makes of the same (`generate_db_auth_token`), at the same moment.
    #[test]
    fn tokens_are_those_of_the_aws_tools() {
        let rest = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260301%2Feu-west-1%2Frds-db%2F\
                    aws4_request&X-Amz-Date=20260301T040506Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host";
        for (user, session, expected) in [
            (
                "barncat_source",
                None,
                format!(
                    "DBUser=barncat_source&{rest}&X-Amz-Signature=\
                     5b23184c796e636f7341b1aa9ec77e106309561fe8aaa3c58e3a6fdd1fd91065"
                ),
            ),
            (
                "o'b c/d",
                Some("Ses+sion/Token=="),
                format!(
                    "DBUser=o%27b%20c%2Fd&{rest}&X-Amz-Security-Token=Ses%2Bsion%2FToken%3D%3D&X-Amz-Signature=\
                     8bc16a8a49888fbf3914094cd24708ea51a6a20b6c5c9459a73fd4c7a43f2936"
                ),
            ),
        ] {
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            let credentials =
                Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "a test");
            let now: jiff::Timestamp = "2026-03-01T04:05:06Z".parse().unwrap();
            let address = address(HOST, 5432, user);
            let scope = ("rds-db", region_of(HOST).unwrap());
            let request = request(&address).unwrap();
            let signed =
                crate::aws::signer::signed(request, settings(), credentials, scope, SystemTime::from(now));
            let token = token(&address, &signed.unwrap());
            // The order of what is asked is nobody's concern: it is sorted before it is signed.
            let (place, asked) = token.split_once("/?").unwrap();
            assert_eq!(place, format!("{HOST}:5432"));
            let parts = |text: &str| text.split('&').map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(parts(asked), parts(&format!("Action=connect&{expected}")));
        }
    }

    #[test]
    fn a_servers_name_has_its_region() {
        for (host, region) in [
            ("shop.c9akciq32.eu-west-1.rds.amazonaws.com", Some("eu-west-1")),
            ("shop.cluster-ro-c9.us-gov-west-1.rds.amazonaws.com.", Some("us-gov-west-1")),
            ("p.proxy-c9.cn-north-1.rds.amazonaws.com.cn", Some("cn-north-1")),
            ("replica.internal", None),
            ("rds.amazonaws.com", None),
            ("x.rds.amazonaws.com", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }
}

//! `auth` and `password_secret`: as whom a Postgres server is logged in to, where its url does not say.

use super::{Keys, Template, mistake::Place};
use crate::pg::{TlsMode, TlsSettings, Url};

/// Who logs in to a Postgres server.
#[derive(Debug, Clone, Default)]
pub struct LoginConfig {
    /// How it is known who.
    pub way: LoginWay,
    /// The region of what is asked, where neither its ARN nor the server's name says it.
    pub region: Option<String>,
    /// Another server than Amazon's Secrets Manager.
    pub endpoint: Option<Template>,
}

/// How it is known who logs in.
#[derive(Debug, Clone, Default)]
pub enum LoginWay {
    /// By the url.
    #[default]
    Url,
    /// By a secret of Secrets Manager, an ARN or a name, read at each login. One that resolves to nothing is none.
    Secret(Template),
    /// By tokens of IAM for the url's user; where it is written.
    Iam(Place),
}

/// What of a url cannot stand beside where its login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// A password, and a secret with another one.
    TwoPasswords,
    /// A password, and tokens that stand for one.
    PasswordBesideIam,
    /// Tokens for nobody.
    NoUser,
    /// Tokens in the clear.
    NoTls,
}

impl Contradiction {
    /// What is wrong with the url.
    pub fn what(self) -> &'static str {
        match self {
            Self::TwoPasswords => "holds a password, and `password_secret` says where it is",
            Self::PasswordBesideIam => "holds a password, and with `auth = \"iam\"` there is none",
            Self::NoUser => "names no user, and with `auth = \"iam\"` nothing else does",
            Self::NoTls => "leads there without TLS, and `auth = \"iam\"` sends no token in the clear",
        }
    }

    /// What a person can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TwoPasswords | Self::PasswordBesideIam | Self::NoUser => {
                "it is written postgres://user@host:5432/database"
            }
            Self::NoTls => {
                "`tls = { mode = \"verify-full\", ca = \"global-bundle.pem\" }` with the certificates of RDS"
            }
        }
    }
}

impl LoginWay {
    /// What a url has that cannot stand beside this.
    pub fn contradiction(&self, url: &Url) -> Option<Contradiction> {
        match self {
            Self::Url => None,
            Self::Secret(_) => url.has_password().then_some(Contradiction::TwoPasswords),
            Self::Iam(_) if url.has_password() => Some(Contradiction::PasswordBesideIam),
            Self::Iam(_) if url.user().is_none() => Some(Contradiction::NoUser),
            Self::Iam(_) => (!url.is_encrypted()).then_some(Contradiction::NoTls),
        }
    }
}

/// Reads the keys of a Postgres server.
pub(super) fn read(keys: &Keys<'_>, url: Option<&Template>, tls: &TlsSettings) -> LoginConfig {
    match keys.choice("auth", &[("password", false), ("iam", true)]) {
        Some(true) => {
            let way = iam(keys, tls);
            refuse_in_url(keys, &way, url, tls);
            LoginConfig { way, region: keys.string("region"), endpoint: None }
        }
        // What is beside it cannot be judged before this is known.
        None if keys.has("auth") => {
            ["password_secret", "region", "endpoint"].iter().for_each(|key| keys.know(key));
            LoginConfig::default()
        }
        _ => secret(keys, url, tls),
    }
}

fn iam(keys: &Keys<'_>, tls: &TlsSettings) -> LoginWay {
    for key in ["password_secret", "endpoint"] {
        keys.know(key);
        if keys.has(key) {
            keys.wrong(key, "is beside `auth = \"iam\"`, for which there is no password");
        }
    }
    if tls.mode == Some(TlsMode::Disable) {
        keys.wrong("auth", "is `iam`, which sends no token in the clear, and `tls` says `disable`");
    }
    LoginWay::Iam(keys.place_of("auth"))
}

/// Reads the keys of a server that knows passwords alone.
pub(super) fn secret(keys: &Keys<'_>, url: Option<&Template>, tls: &TlsSettings) -> LoginConfig {
    let secret = keys.template("password_secret");
    let (region, endpoint) = (keys.string("region"), keys.template("endpoint"));
    if !keys.has("password_secret") {
        for key in ["region", "endpoint"].into_iter().filter(|key| keys.has(key)) {
            keys.wrong(key, "is for what AWS is asked for: `password_secret` or `auth = \"iam\"`");
        }
    }
    let way = secret.map(LoginWay::Secret).unwrap_or_default();
    refuse_in_url(keys, &way, url, tls);
    LoginConfig { way, region, endpoint }
}

/// What can be seen of a url before its variables are known.
fn refuse_in_url(keys: &Keys<'_>, way: &LoginWay, url: Option<&Template>, tls: &TlsSettings) {
    let Some(url) = url.and_then(Template::as_far_as_known) else { return };
    // A secret that may resolve to nothing leaves the password in the url.
    if matches!(way, LoginWay::Secret(secret) if secret.may_be_empty()) {
        return;
    }
    // What else is wrong with it is told when it is used.
    let Ok(url) = Url::read(&url, tls, 5432) else { return };
    match way.contradiction(&url) {
        // That has been said of `auth`.
        Some(Contradiction::NoTls) if tls.mode == Some(TlsMode::Disable) => {}
        Some(found) => keys.wrong_with_hint("url", found.what(), found.hint().to_owned()),
        None => {}
    }
}

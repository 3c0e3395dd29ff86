//! `[warehouse]` of the kind `redshift`: which cluster or workgroup, by which way, and as whom.

use super::{Keys, LoginConfig, Template, login, source};
use crate::pg::TlsSettings;

/// How a Redshift warehouse is reached.
#[derive(Debug, Clone)]
pub struct RedshiftConfig {
    /// By its Data API or by wire.
    pub way: RedshiftWay,
    /// The role by which COPY reads the stage: an ARN, or `default`.
    pub copy_role: Template,
}

/// `transport`.
#[derive(Debug, Clone)]
pub enum RedshiftWay {
    /// By its Data API.
    DataApi {
        /// Which of them.
        place: RedshiftPlace,
        /// A secret with user and password, by its ARN.
        secret: Option<Template>,
    },
    /// By its wire protocol, with a user's password.
    Url {
        /// With user and password.
        url: Template,
        /// TLS, beside what the url says.
        tls: TlsSettings,
        /// Where the password is, if not in the url.
        login: LoginConfig,
    },
    /// By its wire protocol, with credentials that IAM gives for a while.
    Host {
        /// The endpoint's name.
        host: Template,
        /// Its port.
        port: u16,
        /// Whose credentials.
        place: RedshiftPlace,
        /// TLS.
        tls: TlsSettings,
    },
}

/// Which database, as AWS knows it.
#[derive(Debug, Clone)]
pub struct RedshiftPlace {
    /// A provisioned cluster, or a serverless workgroup.
    pub target: RedshiftTarget,
    /// The database.
    pub database: Template,
    /// Its region, where it is not the one that the AWS tools find.
    pub region: Option<String>,
    /// Another server than Amazon's for the service that is asked.
    pub endpoint: Option<Template>,
}

/// Which Redshift.
#[derive(Debug, Clone)]
pub enum RedshiftTarget {
    /// A provisioned cluster.
    Cluster {
        /// Its identifier.
        name: Template,
        /// The database's user; else whom IAM maps to.
        user: Option<Template>,
    },
    /// A serverless workgroup.
    Workgroup {
        /// Its name.
        name: Template,
    },
}

impl RedshiftConfig {
    /// The setting that says most of where it is.
    pub(super) fn template(&self) -> &Template {
        match &self.way {
            RedshiftWay::DataApi { place, .. } => &place.database,
            RedshiftWay::Url { url, .. } => url,
            RedshiftWay::Host { host, .. } => host,
        }
    }
}

/// The port of Redshift, where none is given.
const PORT: u16 = 5439;

/// What only the wire has; all of it is read by it.
const OF_WIRE: &[&str] = &["url", "host", "port", "tls"];

/// What a url says, or makes needless.
const SAID_BY_URL: &[&str] = &["host", "port", "cluster", "workgroup", "database", "db_user"];

/// What only an url has need of.
const BESIDE_URL: &[&str] = &["auth", "password_secret"];

/// Reads the keys of a Redshift warehouse.
pub(super) fn read(keys: &Keys<'_>) -> Option<RedshiftConfig> {
    let by_wire = keys.choice("transport", &[("data-api", false), ("wire", true)]);
    let way = match by_wire {
        Some(true) => wire(keys),
        // What is beside it cannot be judged before this is known.
        None if keys.has("transport") => {
            let others = ["region", "endpoint", "secret"];
            OF_WIRE.iter().chain(SAID_BY_URL).chain(BESIDE_URL).chain(&others).for_each(|key| keys.know(key));
            None
        }
        _ => data_api(keys),
    };
    let copy_role =
        needed(keys, "copy_role", "copy_role = \"default\", or the ARN of a role that may read the stage");
    Some(RedshiftConfig { way: way?, copy_role: copy_role? })
}

fn data_api(keys: &Keys<'_>) -> Option<RedshiftWay> {
    refuse(keys, OF_WIRE, "is for `transport = \"wire\"`; the Data API has no host and no password");
    refuse(keys, BESIDE_URL, "is for `transport = \"wire\"`; the Data API logs in by IAM, or by `secret`");
    let (place, secret) = (place(keys), keys.template("secret"));
    Some(RedshiftWay::DataApi { place: place?, secret })
}

fn wire(keys: &Keys<'_>) -> Option<RedshiftWay> {
    refuse(keys, &["secret"], "is for the Data API; by wire it is `password_secret` beside `url`");
    let tls = source::tls(keys);
    if keys.has("url") {
        refuse(keys, SAID_BY_URL, "is beside `url`, which says where it is and who logs in");
        let url = keys.template("url")?;
        if !url.may_start_with("postgres://") && !url.may_start_with("postgresql://") {
            keys.wrong("url", "does not start with `postgres://`");
        }
        refuse(keys, &["auth"], "is for Postgres; by IAM Redshift is reached with `host` instead of `url`");
        let login = login::secret(keys, Some(&url), &tls);
        return Some(RedshiftWay::Url { url, tls, login });
    }
    if !keys.has("host") {
        SAID_BY_URL.iter().chain(BESIDE_URL).chain(&["region", "endpoint"]).for_each(|key| keys.know(key));
        keys.missing(
            "url",
            "url = \"${REDSHIFT_URL}\" with user and password, or host = \"etl.….redshift-serverless.amazonaws.com\" \
             and workgroup = \"etl\" with credentials by IAM",
        );
        return None;
    }
    refuse(keys, BESIDE_URL, "is for `url`; with `host` IAM gives the logins");
    let port = keys.number("port", 1..=65535).and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT);
    let (host, place) = (keys.template("host"), place(keys));
    Some(RedshiftWay::Host { host: host?, port, place: place?, tls })
}

/// One mistake for each key that has no place here.
fn refuse(keys: &Keys<'_>, names: &[&'static str], why: &str) {
    for name in names {
        keys.know(name);
        if keys.has(name) {
            keys.wrong(name, why);
        }
    }
}

fn place(keys: &Keys<'_>) -> Option<RedshiftPlace> {
    let (target, database) = (target(keys), needed(keys, "database", "database = \"analytics\""));
    let (region, endpoint) = (keys.string("region"), keys.template("endpoint"));
    Some(RedshiftPlace { target: target?, database: database?, region, endpoint })
}

fn target(keys: &Keys<'_>) -> Option<RedshiftTarget> {
    let (cluster, workgroup) = (keys.template("cluster"), keys.template("workgroup"));
    let user = keys.template("db_user");
    match (cluster, workgroup) {
        (Some(name), None) => Some(RedshiftTarget::Cluster { name, user }),
        (None, Some(name)) => {
            if user.is_some() {
                keys.wrong("db_user", "is for a cluster: who logs in to a workgroup is said by IAM");
            }
            Some(RedshiftTarget::Workgroup { name })
        }
        (Some(_), Some(_)) => {
            keys.wrong(
                "cluster",
                "and `workgroup` are both there: a cluster is provisioned, a workgroup serverless",
            );
            None
        }
        (None, None) => {
            if !keys.has("cluster") && !keys.has("workgroup") {
                keys.missing(
                    "workgroup",
                    "workgroup = \"etl\", or cluster = \"etl\" where it is provisioned",
                );
            }
            None
        }
    }
}

fn needed(keys: &Keys<'_>, name: &'static str, hint: &str) -> Option<Template> {
    let found = keys.template(name);
    if !keys.has(name) {
        keys.missing(name, hint);
    }
    found
}

//! `auth = { … }` of a service: who asks.

use crate::config::{Keys, Template};

/// Who asks a service.
#[derive(Debug, Clone)]
pub enum HttpAuth {
    /// `Authorization: Bearer …`.
    Bearer(Template),
    /// `Authorization: Basic …`.
    Basic {
        /// The user.
        user: Template,
        /// The password.
        password: Template,
    },
    /// A header of its own.
    Header {
        /// Its name.
        name: String,
        /// What it holds.
        value: Template,
    },
    /// A parameter of each request.
    Query {
        /// Its name.
        name: String,
        /// What it holds.
        value: Template,
    },
}

const WAYS: &str = "auth = { bearer = \"${TOKEN}\" }, { basic = { user = \"…\", password = \"${…}\" } }, \
                    { header = { name = \"X-Key\", value = \"${…}\" } } or { query = { name = \"key\", value = \"${…}\" } }";

/// Reads `auth`; `None` where it is not there or wrong.
pub(super) fn read(keys: &Keys<'_>) -> Option<HttpAuth> {
    if keys.has("auth") && !keys.is_table("auth") {
        keys.know("auth");
        keys.wrong_with_hint("auth", "is no way to say who asks", WAYS.to_owned());
        return None;
    }
    let auth = keys.table("auth")?;
    let bearer = auth.template("bearer").map(HttpAuth::Bearer);
    let basic = auth.table("basic").and_then(basic);
    let header = auth.table("header").and_then(named).map(|(name, value)| HttpAuth::Header { name, value });
    let query = auth.table("query").and_then(named).map(|(name, value)| HttpAuth::Query { name, value });
    let ways = ["bearer", "basic", "header", "query"].into_iter().filter(|way| auth.has(way)).count();
    if ways != 1 {
        keys.wrong_with_hint("auth", "says not in one way who asks", WAYS.to_owned());
    }
    if let Some(HttpAuth::Header { name, .. }) = &header {
        super::source::refuse_header(&auth, "header", name);
    }
    auth.finish();
    bearer.or(basic).or(header).or(query)
}

fn basic(keys: Keys<'_>) -> Option<HttpAuth> {
    let (user, password) = (keys.template("user"), keys.template("password"));
    for key in ["user", "password"] {
        if !keys.has(key) {
            keys.missing(key, "");
        }
    }
    keys.finish();
    Some(HttpAuth::Basic { user: user?, password: password? })
}

fn named(keys: Keys<'_>) -> Option<(String, Template)> {
    let (name, value) = (keys.string("name"), keys.template("value"));
    for key in ["name", "value"] {
        if !keys.has(key) {
            keys.missing(key, "");
        }
    }
    keys.finish();
    Some((name?, value?))
}

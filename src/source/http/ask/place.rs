//! Where a request goes: urls put together, and which hosts may be asked.

use std::net::IpAddr;

use reqwest::Url;

use super::{
    address::is_public,
    error::Reason,
    options::{Auth, Options, OptionsError},
};
use crate::source::http::{Request, Target};

/// A source's url, and what else may be asked.
pub(super) struct Place {
    base: Url,
    redirects: Vec<String>,
    allow_private: bool,
    allow_http: bool,
    key: Option<(String, crate::secret::Secret)>,
}

impl Place {
    pub(super) fn of(options: &Options) -> Result<Self, OptionsError> {
        let wrong = |what| OptionsError::Url { source_name: options.name.clone(), what };
        let base = Url::parse(options.url.expose()).map_err(|_| wrong("it cannot be read"))?;
        match base.scheme() {
            "https" => {}
            "http" if options.allow_http => {}
            "http" => return Err(wrong("it is without TLS")),
            _ => return Err(wrong("it does not begin with https://")),
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("a login stands in it, which belongs into `auth`"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it has a ? or a #"));
        }
        let key = match &options.auth {
            Auth::Query { name, value } => Some((name.clone(), value.clone())),
            _ => None,
        };
        Ok(Self {
            base,
            redirects: options.redirects.iter().map(|host| host.to_ascii_lowercase()).collect(),
            allow_private: options.allow_private,
            allow_http: options.allow_http,
            key,
        })
    }

    /// What paths are below of.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The url of a request, without who asks.
    pub(super) fn url(&self, request: &Request) -> Result<Url, Reason> {
        let mut url = match &request.target {
            Target::Path(path) => {
                let mut url = self.base.clone();
                let (path, query) =
                    path.split_once('?').map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
                let below =
                    format!("{}/{}", self.base.path().trim_end_matches('/'), path.trim_start_matches('/'));
                url.set_path(if path.is_empty() { self.base.path() } else { &below });
                url.set_query(query);
                url
            }
            // A service may give it relative to its own.
            Target::Url(url) => self.base.join(url).map_err(|_| Reason::NoUrl)?,
        };
        if !request.query.is_empty() {
            let mut pairs = url.query_pairs_mut();
            pairs.extend_pairs(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            drop(pairs);
        }
        self.check(&self.base, &url)?;
        Ok(self.bare(&url))
    }

    /// Where a redirect leads.
    pub(super) fn redirected(&self, from: &Url, location: &str) -> Result<Url, Reason> {
        let url = from.join(location).map_err(|_| Reason::NoUrl)?;
        self.check(from, &url)?;
        Ok(self.bare(&url))
    }

    /// Whether it may be asked, by one who comes from another url.
    fn check(&self, from: &Url, url: &Url) -> Result<(), Reason> {
        match (from.scheme(), url.scheme()) {
            (_, "https") => {}
            ("https", "http") => return Err(Reason::Downgraded),
            (_, "http") if self.allow_http => {}
            _ => return Err(Reason::NoUrl),
        }
        if !self.is_own(url) && !self.is_listed(url) {
            return Err(Reason::Elsewhere { host: shown_host(url) });
        }
        self.check_address(url)
    }

    /// Names are looked up by the resolver; an address that stands in a url is looked at here.
    fn check_address(&self, url: &Url) -> Result<(), Reason> {
        let host = url.host_str().ok_or(Reason::NoUrl)?;
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            Ok(address) if !self.allow_private && !is_public(address) => {
                Err(Reason::Private { host: shown_host(url) })
            }
            _ => Ok(()),
        }
    }

    /// Whether it is the source's own host: only that one is told who asks.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.host_str() == self.base.host_str()
            && url.port_or_known_default() == self.base.port_or_known_default()
            && url.scheme() == self.base.scheme()
    }

    fn is_listed(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        // The source's own host over TLS, where it was asked without: the same host, as listed.
        let upgraded = Some(host) == self.base.host_str() && url.scheme() == "https" && url.port().is_none();
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        upgraded
            || self
                .redirects
                .iter()
                .any(|listed| Some(listed) == with_port.as_ref() || (listed == host && url.port().is_none()))
    }

    /// Without who asks: neither a login nor the key that a service may have put into its next url.
    fn bare(&self, url: &Url) -> Url {
        let mut url = url.clone();
        // Only a url without a host refuses this.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        if let Some((key, _)) = &self.key
            && url.query_pairs().any(|(name, _)| name == key.as_str())
        {
            let rest: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(name, _)| name != key.as_str())
                .map(|(a, b)| (a.into(), b.into()))
                .collect();
            url.set_query(None);
            if !rest.is_empty() {
                url.query_pairs_mut().extend_pairs(rest);
            }
        }
        url
    }

    /// As it is sent: with the key, where that stands in the query.
    pub(super) fn with_key(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some((name, value)) = self.key.as_ref().filter(|_| self.is_own(&url)) {
            url.query_pairs_mut().append_pair(name, value.expose());
        }
        url
    }
}

/// A url's host, for people.
pub(super) fn shown_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{secret::Secret, source::http::Media};

    fn place(url: &str, change: impl FnOnce(&mut Options)) -> Result<Place, OptionsError> {
        let mut options = Options::new("fx", Secret::new(url));
        change(&mut options);
        Place::of(&options)
    }

    fn request(target: Target, query: &[(&str, &str)]) -> Request {
        let query = query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Request { method: "GET".to_owned(), target, query, headers: vec![], body: None, media: Media::Json }
    }

    fn url(place: &Place, target: Target, query: &[(&str, &str)]) -> Result<String, Reason> {
        place.url(&request(target, query)).map(|url| url.to_string())
    }

    #[test]
    fn paths_lie_below_the_sources_url() {
        let own = place("https://api.fx.example/v1/", |_| {}).unwrap();
        let path = |path: &str, query| url(&own, Target::Path(path.to_owned()), query).unwrap();
        assert_eq!(path("/rates/2024-01-01", &[]), "https://api.fx.example/v1/rates/2024-01-01");
        assert_eq!(path("rates?a=1", &[("b", "x&y")]), "https://api.fx.example/v1/rates?a=1&b=x%26y");
        assert_eq!(path("", &[]), "https://api.fx.example/v1/");
        assert_eq!(path("a%2Fb", &[]), "https://api.fx.example/v1/a%2Fb");
        assert_eq!(path("//evil.example/x", &[]), "https://api.fx.example/v1/evil.example/x");
        let next = |next: &str| url(&own, Target::Url(next.to_owned()), &[]);
        assert_eq!(next("/v2/x?page=2#there").unwrap(), "https://api.fx.example/v2/x?page=2");
        assert_eq!(next("https://me:pw@api.fx.example/x").unwrap(), "https://api.fx.example/x");
    }

    #[test]
    fn only_the_sources_own_and_listed_hosts_are_asked() {
        let own = place("https://api.fx.example/v1", |options| {
            options.redirects = vec!["CDN.fx.example".to_owned(), "files.fx.example:8443".to_owned()];
        })
        .unwrap();
        let next = |next: &str| url(&own, Target::Url(next.to_owned()), &[]);
        assert!(next("https://cdn.fx.example/x").is_ok());
        assert!(next("https://files.fx.example:8443/x").is_ok());
        for elsewhere in [
            "https://evil.example/x",
            "//evil.example/x",
            "https://api.fx.example.evil.example/",
            "https://api.fx.example:8443/",
            "https://cdn.fx.example:8443/x",
            "https://files.fx.example/x",
            "https://api.fx.example@evil.example/",
        ] {
            assert!(matches!(next(elsewhere), Err(Reason::Elsewhere { .. })), "{elsewhere}");
        }
        assert!(matches!(next("http://api.fx.example/x"), Err(Reason::Downgraded)));
        assert!(matches!(next("ftp://api.fx.example/x"), Err(Reason::NoUrl)));
        assert!(matches!(next("file:///etc/passwd"), Err(Reason::NoUrl)));
    }

    #[test]
    fn addresses_in_urls_are_looked_at_however_they_are_written() {
        for text in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "[::1]",
            "[::ffff:10.0.0.1]",
            "169.254.169.254",
        ] {
            let own = place(&format!("https://{text}/"), |_| {}).unwrap();
            assert!(
                matches!(url(&own, Target::Path("x".into()), &[]), Err(Reason::Private { .. })),
                "{text}"
            );
            let own = place(&format!("https://{text}/"), |options| options.allow_private = true).unwrap();
            assert!(url(&own, Target::Path("x".into()), &[]).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_key_in_the_query_is_sent_to_its_own_host_alone_and_shown_nowhere() {
        let own = place("https://api.fx.example", |options| {
            options.auth = Auth::Query { name: "key".to_owned(), value: Secret::new("hunter2") };
            options.redirects = vec!["cdn.fx.example".to_owned()];
        })
        .unwrap();
        let next = own.url(&request(Target::Url("/x?key=hunter2&page=2".to_owned()), &[])).unwrap();
        assert_eq!(next.as_str(), "https://api.fx.example/x?page=2");
        assert_eq!(own.with_key(&next).as_str(), "https://api.fx.example/x?page=2&key=hunter2");
        let other = own.redirected(&next, "https://cdn.fx.example/y?key=hunter2").unwrap();
        assert_eq!(own.with_key(&other).as_str(), "https://cdn.fx.example/y");
    }

    #[test]
    fn a_url_that_cannot_be_asked_is_refused_from_the_beginning() {
        for wrong in [
            "nothing",
            "http://api.fx.example",
            "ftp://x",
            "https://me:pw@x",
            "https://x/?a=1",
            "https://x/#a",
        ] {
            let error = place(wrong, |_| {}).err().unwrap();
            assert!(!error.to_string().contains("pw@"), "{error}");
        }
        assert!(place("http://api.fx.example", |options| options.allow_http = true).is_ok());
    }
}

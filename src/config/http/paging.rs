//! `paging = { … }`: what leads from one page of answers to the next.

use crate::config::Keys;

/// How answers are cut into pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPaging {
    /// What leads from one to the next.
    pub way: HttpPages,
    /// A JSONPath: how many records there are in all.
    pub total: Option<String>,
    /// A JSONPath: whether more follows.
    pub more: Option<String>,
    /// More pages of one query are an error.
    pub pages: u32,
    /// A page with fewer records than were asked for is the last one.
    pub short_is_last: bool,
    /// Whether what leads on is put into the request's body, not into its query.
    pub in_body: bool,
}

/// What leads from one page to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpPages {
    /// There is one page.
    One,
    /// The header `Link`.
    Link,
    /// A JSONPath: the next page's url.
    Next(String),
    /// A value of the answer that is given back.
    Cursor {
        /// A JSONPath: where it stands.
        at: String,
        /// As which parameter it is given back.
        parameter: String,
    },
    /// The page's number.
    Page {
        /// As which parameter.
        parameter: String,
        /// Of the first one.
        first: u32,
        /// How many records a page has.
        size: Option<HttpPageSize>,
    },
    /// How many records are left out.
    Offset {
        /// As which parameter.
        parameter: String,
        /// How many records a page has.
        size: Option<HttpPageSize>,
    },
}

/// How many records a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPageSize {
    /// As which parameter it is asked for; `None`: the service knows.
    pub parameter: Option<String>,
    /// How many.
    pub records: u32,
}

/// More pages of one query, where nothing is said.
const PAGES: u32 = 100_000;

impl Default for HttpPaging {
    fn default() -> Self {
        let way = HttpPages::One;
        Self { way, total: None, more: None, pages: PAGES, short_is_last: false, in_body: false }
    }
}

const WAYS: &str = "paging = { link = true }, { next = \"$.next_url\" }, { cursor = \"$.next\", parameter = \"after\" }, \
                    { page = \"page\", size = { parameter = \"per_page\", records = 100 } } or \
                    { offset = \"offset\", size = { parameter = \"limit\", records = 100 } }";

/// Reads `paging`; `None` where it is not there.
pub(super) fn read(keys: &Keys<'_>) -> Option<HttpPaging> {
    if keys.has("paging") && !keys.is_table("paging") {
        keys.know("paging");
        keys.wrong_with_hint("paging", "is no way from page to page", WAYS.to_owned());
        return None;
    }
    let paging = keys.table("paging")?;
    let link = paging.boolean("link").filter(|link| *link).map(|_| HttpPages::Link);
    let next = super::json_path(&paging, "next").map(HttpPages::Next);
    let at = super::json_path(&paging, "cursor");
    let parameter = paging.string("parameter");
    let (page, offset) = (paging.string("page"), paging.string("offset"));
    let first = paging.number("first", 0..=1_000_000);
    let size = size(&paging);
    for (key, of, is_of) in [
        ("parameter", "`cursor`", paging.has("cursor")),
        ("first", "`page`", paging.has("page")),
        ("size", "`page` and `offset`", paging.has("page") || paging.has("offset")),
        ("short_is_last", "`page` and `offset`", paging.has("page") || paging.has("offset")),
    ] {
        if paging.has(key) && !is_of {
            paging.wrong(key, format_args!("is for {of}"));
        }
    }
    if paging.has("cursor") && !paging.has("parameter") {
        paging.missing("parameter", "as which parameter the value is given back: parameter = \"after\"");
    }
    let ways = ["link", "next", "cursor", "page", "offset"].into_iter().filter(|way| paging.has(way)).count();
    if ways != 1 {
        keys.wrong_with_hint("paging", "says not in one way what leads to the next page", WAYS.to_owned());
    }
    let cursor = at.zip(parameter).map(|(at, parameter)| HttpPages::Cursor { at, parameter });
    let page =
        page.map(|parameter| HttpPages::Page { parameter, first: first.unwrap_or(1), size: size.clone() });
    let offset = offset.map(|parameter| HttpPages::Offset { parameter, size });
    let read = HttpPaging {
        way: link.or(next).or(cursor).or(page).or(offset).unwrap_or(HttpPages::One),
        total: super::json_path(&paging, "total"),
        more: super::json_path(&paging, "more"),
        pages: paging.number("pages", 1..=10_000_000).unwrap_or(PAGES),
        short_is_last: paging.boolean("short_is_last").unwrap_or(false),
        in_body: paging.choice("in", &[("query", false), ("body", true)]).unwrap_or(false),
    };
    paging.finish();
    Some(read)
}

/// `size = { parameter = "per_page", records = 100 }`.
fn size(paging: &Keys<'_>) -> Option<HttpPageSize> {
    let size = paging.table("size")?;
    let parameter = size.string("parameter");
    let records = size.number("records", 1..=1_000_000);
    if !size.has("records") {
        size.missing("records", "how many records a page has: records = 100");
    }
    size.finish();
    Some(HttpPageSize { parameter, records: records? })
}

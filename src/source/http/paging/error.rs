//! Answers that contradict each other.

use crate::error::{Class, Fault};

/// Why a walk through pages cannot go on. `page` counts from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PagingError {
    /// A body in which nothing can be looked for.
    #[error("the answer of page {page} is no JSON, and `paging` looks into it")]
    NoJson {
        /// Which page.
        page: u64,
    },
    /// Something else than one text or number.
    #[error("`{path}` of `paging` is {found} on page {page}: one text or number is expected")]
    NotOne {
        /// Which page.
        page: u64,
        /// The JSON path.
        path: String,
        /// What is there.
        found: &'static str,
    },
    /// A total that is none.
    #[error("`{path}` says on page {page} how many records there are, but in no whole number")]
    NoNumber {
        /// Which page.
        page: u64,
        /// The JSON path.
        path: String,
    },
    /// A field that each page with records should have.
    #[error("`{path}` of `paging` is not on page {page}")]
    NotThere {
        /// Which page.
        page: u64,
        /// The JSON path.
        path: String,
    },
    /// A header that is none.
    #[error("page {page} has a header `Link` that is broken: where it leads is not known")]
    NoLink {
        /// Which page.
        page: u64,
    },
    /// A next url that cannot be one.
    #[error("page {page} names a next url that is none")]
    NoUrl {
        /// Which page.
        page: u64,
    },
    /// A next url of somebody else.
    #[error("page {page} names a next url at {elsewhere}, which is not where it came from")]
    Elsewhere {
        /// Which page.
        page: u64,
        /// Scheme, host and port.
        elsewhere: String,
    },
    /// The next request was sent before.
    #[error(
        "after page {page} the service leads back to a page that it gave already: the pages go round in circles"
    )]
    Loop {
        /// Which page.
        page: u64,
    },
    /// Another request, the same answer.
    #[error("page {page} is the same as a page before it, byte by byte")]
    SameBody {
        /// Which page.
        page: u64,
    },
    /// More was said to follow, and nothing does.
    #[error("page {page} says that more follows, and nothing leads on from it")]
    Promised {
        /// Which page.
        page: u64,
    },
    /// Too many pages.
    #[error("there are more than {pages_max} pages")]
    TooMany {
        /// How many there may be.
        pages_max: u64,
    },
    /// Records came or went while they were read.
    #[error(
        "the service said that there are {before} records, and on page {page} that there are {now}: they shift between the pages"
    )]
    TotalChanged {
        /// Which page.
        page: u64,
        /// What was said before.
        before: u64,
        /// What was said then.
        now: u64,
    },
    /// Not as many records as there should be.
    #[error("the service said that there are {said} records, and {came} came")]
    Total {
        /// What was said.
        said: u64,
        /// What came.
        came: u64,
    },
    /// The body of the request has no place for a value.
    #[error("`paging` puts `{field}` into the request's body, which is no JSON object and no form")]
    NoBody {
        /// The field.
        field: String,
    },
}

impl PagingError {
    /// Whether records may have moved: all pages asked anew may fit together.
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::TotalChanged { .. } | Self::Total { .. })
    }
}

impl Fault for PagingError {
    fn class(&self) -> Class {
        match self {
            Self::TotalChanged { .. } | Self::Total { .. } => Class::Passing,
            Self::NoBody { .. } => Class::Usage,
            _ => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Loop { .. } | Self::SameBody { .. } => {
                "does the service look at the parameter that `paging` names? One that gives its last page again ends by \
                 `total`, by `more`, or by `size` with `short_is_last = true`"
                    .to_owned()
            }
            Self::Promised { .. } => {
                "does `more` look where the service says it, and `paging` where it says how to go on?".to_owned()
            }
            Self::TooMany { .. } => "`pages` in `paging` allows more; `windows` asks for less at once".to_owned(),
            Self::TotalChanged { .. } | Self::Total { .. } => {
                "the service's records change while they are read: paging by a cursor, or `windows`, stays clear of it"
                    .to_owned()
            }
            Self::Elsewhere { .. } => "`redirects` of the source names hosts that may answer for it".to_owned(),
            Self::NotThere { .. } | Self::NotOne { .. } | Self::NoNumber { .. } | Self::NoJson { .. } => {
                "`barncat discover SOURCE --path …` shows an answer as it is".to_owned()
            }
            Self::NoLink { .. } => {
                "ask the service itself by curl what it sends; `next` leads on by a url in the answer".to_owned()
            }
            Self::NoUrl { .. } | Self::NoBody { .. } => return None,
        })
    }
}

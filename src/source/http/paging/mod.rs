//! Which request follows an answer.
//!
//! A [`Walk`] goes from page to page of one query: it is given each answer and says what is asked next, that this
//! was the last page, or that the service contradicts itself. It is pure, so that a walk that was cut off goes on
//! by giving it the answers that are staged already. Never asks anything itself.

mod error;
mod glance;
mod link;
mod next;
mod walk;
mod windows;

pub use self::{
    error::PagingError,
    glance::Path,
    walk::{Step, Walk},
    windows::{Window, Windows, WindowsError},
};

/// How a service cuts its answers into pages.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// What leads from one page to the next.
    pub kind: Kind,
    /// Where an answer says how many records there are in all.
    pub total: Option<Path>,
    /// Where an answer says whether more follows.
    pub more: Option<Path>,
    /// More pages than these of one query are an error.
    pub pages_max: u64,
    /// A page with fewer records than were asked for is the last one, also where it is the first.
    pub short_is_last: bool,
    /// Parameters of a next url that tell who asks: they are added when it is sent.
    pub secret_parameters: Vec<String>,
}

/// What leads from one page to the next.
#[derive(Debug, Clone, Default)]
pub enum Kind {
    /// There is one page.
    #[default]
    None,
    /// The header `Link` with `rel="next"` (RFC 8288).
    Link,
    /// A url in the body.
    Next(Path),
    /// A value in the body that is given back.
    Cursor {
        /// Where it is.
        at: Path,
        /// As what it is given back.
        parameter: Parameter,
    },
    /// The number of the page.
    Page {
        /// What carries it.
        parameter: Parameter,
        /// That of the first page.
        first: u64,
        /// How many records a page may have.
        size: Option<Size>,
    },
    /// How many records are left out.
    Offset {
        /// What carries it.
        parameter: Parameter,
        /// How many records a page may have.
        size: Option<Size>,
    },
}

/// What carries a value to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// A parameter of the query.
    Query(String),
    /// A field of the body: of a JSON object, or of a form.
    Body(String),
}

/// How many records a page may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// What carries it; `None`: the service knows.
    pub parameter: Option<Parameter>,
    /// How many.
    pub records: u64,
}

impl Kind {
    /// The field of the body that leads to the next page.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Next(path) | Self::Cursor { at: path, .. } => Some(path),
            Self::None | Self::Link | Self::Page { .. } | Self::Offset { .. } => None,
        }
    }

    /// Whether records move from page to page when others come or go.
    pub(crate) fn shifts(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Offset { .. })
    }
}

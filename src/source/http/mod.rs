//! Services that answer over HTTP, as a source.
//!
//! `request` is what is asked and what was answered; `ask` asks, within what the service allows (`allowance`). Answers go to the stage as they came, and rows are made
//! of what lies there: a load can be published again without asking the service. Nothing here believes
//! what a service says: every size, length, type and count is held against a limit or against each other.

mod allowance;
mod ask;
mod body;
pub mod collect;
mod error;
mod given;
mod mock;
pub mod paging;
pub mod records;
mod request;
mod rows;
mod service;
mod snapshot;
mod table;
mod values;

pub use allowance::{Allowance, Permit, Spent, Unlimited};
pub use ask::{AskError, Asker, Auth, Options, OptionsError, Reason, Scope};
pub use body::{BodyPattern, JsonPattern};
pub use error::ServiceError;
pub use given::{Given, Missing, Pattern, Piece, Time};
pub use mock::{Mock, MockError, MockFile, MockPiece, MockSettings};
pub use request::{Answer, Ask, Body, Headers, Media, Request, Target};
pub use rows::{OnBadRecord, RowColumn, RowSettings};
pub use service::{Service, ServiceSettings, ServiceTable};
pub use table::{Asked, AskedError, CursorForm, Span};

/// The status of an answer that there is nothing.
const MISSING: u16 = 404;

/// Whether an answer says that there is nothing, and has nothing.
fn says_nothing(status: u16, body: &[u8]) -> bool {
    matches!(status, 204 | 205) && body.trim_ascii().is_empty()
}

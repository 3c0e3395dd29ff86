//! Services that answer over HTTP, as a source.
//!
//! `request` is what is asked and what was answered. Answers go to the stage as they came, and rows are made
//! of what lies there: a load can be published again without asking the service. Nothing here believes
//! what a service says: every size, length, type and count is held against a limit or against each other.

pub mod collect;
mod given;
pub mod paging;
pub mod records;
mod request;
mod table;

pub use given::{Given, Missing, Pattern, Piece, Time};
pub use request::{Answer, Ask, Body, Headers, Media, Request, Target};
pub use table::{Asked, AskedError, BodyPattern, CursorForm, JsonPattern, Span};

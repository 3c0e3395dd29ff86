//! What can go wrong, in classes.
//!
//! Each module has one `thiserror` enum and answers two questions for each of its variants: its
//! [`Class`] and, where there is one, a hint that says what to do. `Display` names operation and
//! object, never repeats its source, and never holds a row's value or a secret. [`Failure`] is
//! the same as plain data: what the summary, the control database and `--output json` show.

use serde::{Deserialize, Serialize};

/// What to do about an error. One place maps it to a retry (`run::retry`), one to an exit status
/// (`cli::exit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Class {
    /// Goes away by itself: a connection, a recovery conflict, throttling, a 5xx. Tried again.
    Passing,
    /// Stays until somebody changes something: syntax, permission, type. Not tried again.
    Lasting,
    /// The command line or the project is wrong; nothing was started.
    Usage,
    /// Somebody else holds the task's lock, or a person put it on hold.
    Held,
    /// barncat itself is wrong.
    Bug,
}

/// An error that knows its class and what to do about it.
pub trait Fault: std::error::Error {
    /// What to do about it.
    fn class(&self) -> Class;

    /// What a person can do about it: a sentence, lowercase, without a full stop.
    fn hint(&self) -> Option<String> {
        None
    }

    /// SQL that mends it, ready to run by somebody with the right to; `doctor` prints it.
    fn mend(&self) -> Option<String> {
        None
    }
}

/// An error as plain data: `{"class", "message", "hint"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What to do about it.
    pub class: Class,
    /// The error and its causes, outermost first, joined by `: `.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// Takes an error apart: its message is the whole chain of causes. An error that holds a boxed
    /// fault shows it by this too: a box of a trait cannot be an error's `source`.
    pub fn of(error: &dyn Fault) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        Self { class: error.class(), message, hint: error.hint() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

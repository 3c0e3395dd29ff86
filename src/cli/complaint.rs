//! Why a command came to an early end.

use std::io;

use serde::Serialize;

use super::{exit::Exit, output::Output, quantity};
use crate::{
    config::{Mistake, Mistakes},
    error::{Class, Failure, Fault},
    run::RunError,
};

/// Why a command came to an early end: printed on stderr, and the exit status.
#[derive(Debug)]
pub(super) enum Complaint {
    /// The project's text is wrong.
    Mistakes(Mistakes),
    /// Any other error.
    Failure(Failure),
}

/// What `--output json` prints in the place of what the command would have.
#[derive(Debug, Serialize)]
struct Json<'a> {
    error: &'a Failure,
    /// Of the project's text.
    mistakes: Vec<JsonMistake<'a>>,
}

/// A mistake in the project's text.
#[derive(Debug, Serialize)]
pub(super) struct JsonMistake<'a> {
    message: &'a str,
    file: &'a str,
    /// Absent where the mistake is the file itself.
    line: Option<usize>,
    column: Option<usize>,
    hint: Option<&'a str>,
}

impl<'a> From<&'a Mistake> for JsonMistake<'a> {
    fn from(mistake: &'a Mistake) -> Self {
        let place = &mistake.place;
        Self {
            message: &mistake.message,
            file: &place.file,
            line: (place.line > 0).then_some(place.line),
            column: (place.line > 0).then_some(place.column),
            hint: mistake.hint.as_deref(),
        }
    }
}

impl Complaint {
    /// The command line asks for something that cannot be.
    pub(super) fn usage(message: impl Into<String>, hint: Option<String>) -> Self {
        Self::Failure(Failure { class: Class::Usage, message: message.into(), hint })
    }

    /// An error of the machine itself.
    pub(super) fn of_io(doing: &str, error: &io::Error) -> Self {
        Self::Failure(Failure { class: Class::Lasting, message: format!("{doing}: {error}"), hint: None })
    }

    /// The exit status.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Mistakes(mistakes) => Exit::of_class(mistakes.class()),
            Self::Failure(failure) => Exit::of_class(failure.class),
        }
    }

    /// Tells people, and with `--output json` programs too.
    pub(super) fn print(&self, output: &Output) {
        match self {
            Self::Mistakes(Mistakes(mistakes)) => {
                for mistake in mistakes {
                    let place = mistake.place.to_string();
                    output.error(&mistake.message, Some(&place), mistake.hint.as_deref());
                    output.say("");
                }
                output.say(&format!("{}; nothing was started", quantity::count(mistakes.len(), "mistake")));
            }
            Self::Failure(failure) => output.error(&failure.message, None, failure.hint.as_deref()),
        }
        if output.is_json() || output.is_json_lines() {
            self.print_json(output);
        }
    }

    /// stdout that cannot be written is told already, or nobody reads it.
    pub(super) fn print_json(&self, output: &Output) {
        let print = |json: &Json<'_>| match output.is_json_lines() {
            true => output.json_line(json),
            false => output.json(json),
        };
        let _ = match self {
            Self::Failure(failure) => print(&Json { error: failure, mistakes: Vec::new() }),
            Self::Mistakes(Mistakes(mistakes)) => {
                let message = format!("{} in the project", quantity::count(mistakes.len(), "mistake"));
                let error = Failure { class: Class::Usage, message, hint: None };
                print(&Json { error: &error, mistakes: mistakes.iter().map(Into::into).collect() })
            }
        };
    }
}

impl From<Failure> for Complaint {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<RunError> for Complaint {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Project(mistakes) => Self::Mistakes(mistakes),
            error => Self::Failure(Failure::of(&error)),
        }
    }
}

impl From<Box<dyn Fault + Send + Sync>> for Complaint {
    fn from(error: Box<dyn Fault + Send + Sync>) -> Self {
        Self::Failure(Failure::of(error.as_ref()))
    }
}

/// Errors of one kind each: a blanket implementation would hide those that are told apart above.
macro_rules! from_faults {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Complaint {
            fn from(error: $error) -> Self {
                Self::Failure(Failure::of(&error))
            }
        })+
    };
}

from_faults!(
    crate::cli::output::OutputError,
    crate::config::ConfigError,
    crate::config::listing::ListingError,
    crate::control::ControlError,
    crate::pg::PgError,
    crate::serve::ServeError,
);

impl From<Mistakes> for Complaint {
    fn from(mistakes: Mistakes) -> Self {
        Self::Mistakes(mistakes)
    }
}

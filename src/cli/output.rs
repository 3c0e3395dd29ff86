//! Data to stdout, all else to stderr.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use super::{args::OutputFormat, screen::Screen, style};
use crate::error::{Class, Fault};

/// Where a command writes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output {
    format: OutputFormat,
    quiet: bool,
    screen: Screen,
    /// A person looks at stdout, on a terminal that does what it is told.
    is_terminal: bool,
    stdout: Arc<Mutex<Box<dyn Write + Send>>>,
}

/// stdout could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write to stdout")]
pub(super) struct OutputError(#[source] io::Error);

impl Fault for OutputError {
    fn class(&self) -> Class {
        Class::Lasting
    }
}

impl Output {
    /// The process's own.
    pub(super) fn new(format: OutputFormat, quiet: bool, screen: Screen) -> Self {
        let output = Self::to(Box::new(anstream::stdout()), format, quiet, screen);
        Self { is_terminal: io::stdout().is_terminal(), ..output }
    }

    fn to(stdout: Box<dyn Write + Send>, format: OutputFormat, quiet: bool, screen: Screen) -> Self {
        Self { format, quiet, screen, is_terminal: false, stdout: Arc::new(Mutex::new(stdout)) }
    }

    /// How stdout is written.
    pub(super) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Whether stdout is read by a program.
    pub(super) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Whether stdout is a stream of JSON lines, of what happens as it happens.
    pub(super) fn is_json_lines(&self) -> bool {
        self.format == OutputFormat::Jsonl
    }

    /// stderr.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Writes data, which ends in a newline. A reader that went away (`| head`) is no error: what a
    /// command does must not depend on who looks at it.
    pub(super) fn data(&self, text: &str) -> Result<(), OutputError> {
        let text = if self.is_terminal { style::tame(text) } else { text.into() };
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error)),
            _ => Ok(()),
        }
    }

    /// Writes one JSON value as data.
    pub(super) fn json(&self, value: &impl Serialize) -> Result<(), OutputError> {
        let mut text =
            serde_json::to_string_pretty(value).map_err(|error| OutputError(io::Error::other(error)))?;
        text.push('\n');
        self.data(&text)
    }

    /// Writes one JSON value as a line of data.
    pub(super) fn json_line(&self, value: &impl Serialize) -> Result<(), OutputError> {
        let mut text = serde_json::to_string(value).map_err(|error| OutputError(io::Error::other(error)))?;
        text.push('\n');
        self.data(&text)
    }

    /// Tells people something that they need not know.
    pub(super) fn say(&self, text: &str) {
        if !self.quiet {
            self.screen.write(&format!("{text}\n"));
        }
    }

    /// Tells people what is wrong: the message, where, what to do.
    pub(super) fn error(&self, message: &str, place: Option<&str>, hint: Option<&str>) {
        self.screen.write(&complaint(message, place, hint));
    }
}

/// `error: …`, the place below it, `hint: …` at the end.
fn complaint(message: &str, place: Option<&str>, hint: Option<&str>) -> String {
    let (error, cyan) = (style::ERROR, style::HINT);
    let mut text = format!("{error}error:{error:#} {message}\n");
    if let Some(place) = place {
        text.push_str(&format!("  {cyan}{place}{cyan:#}\n"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("{cyan}hint:{cyan:#} {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output(kind: io::ErrorKind) -> Output {
        Output::to(Box::new(Fails(kind)), OutputFormat::Json, true, Screen::stderr())
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        assert!(output(io::ErrorKind::BrokenPipe).json(&1).is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let error = output(io::ErrorKind::StorageFull).json(&1).expect_err("nothing was written");
        assert_eq!(error.to_string(), "could not write to stdout");
    }

    #[test]
    fn a_complaint_names_message_place_and_hint() {
        let text =
            complaint("unknown key `cursr`", Some("loaders/shop.toml:14:38"), Some("did you mean `cursor`?"));
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "error: unknown key `cursr`\n  loaders/shop.toml:14:38\nhint: did you mean `cursor`?\n"
        );
    }
}

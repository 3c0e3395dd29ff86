//! stderr, shared by messages, log lines and the live lines of a run, so that none tears another.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use tracing_subscriber::fmt::MakeWriter;

use super::style::tame;

/// stderr. Cheap to clone. What cannot be written is dropped: there is nobody left to tell.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    live: MultiProgress,
    terminal: bool,
    coloured: bool,
}

impl Screen {
    /// The process's stderr. Colours follow `NO_COLOR` and whether it is a terminal.
    pub(super) fn stderr() -> Self {
        let terminal = io::stderr().is_terminal();
        let target =
            if terminal { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        Self {
            live: MultiProgress::with_draw_target(target),
            terminal,
            coloured: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        }
    }

    /// Whether a person looks at it.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How many columns it has; a guess where it is no terminal.
    pub(super) fn width(&self) -> usize {
        terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0.into())
    }

    /// Writes lines above the live ones. Colours in `text` are taken out where nobody wants them.
    pub(super) fn write(&self, text: &str) {
        let plain;
        let text = if self.coloured {
            text
        } else {
            plain = anstream::adapter::strip_str(text).to_string();
            &plain
        };
        let text = if self.terminal { tame(text) } else { text.into() };
        self.write_bytes(text.as_bytes());
    }

    /// Adds a live line at the bottom.
    pub(super) fn add_line(&self) -> LiveLine {
        let bar = ProgressBar::no_length().with_style(
            indicatif::ProgressStyle::with_template("{wide_msg}").expect("a template with one known key"),
        );
        LiveLine { bar: self.live.add(bar), screen: self.clone() }
    }

    fn write_bytes(&self, bytes: &[u8]) {
        self.live.suspend(|| {
            let _ = io::stderr().lock().write_all(bytes);
        });
    }
}

/// A line at the bottom of a terminal that can be written again; it goes when it is dropped.
#[derive(Debug)]
pub(super) struct LiveLine {
    bar: ProgressBar,
    screen: Screen,
}

impl LiveLine {
    /// Writes it anew. What does not fit in the terminal's width is cut.
    pub(super) fn set(&self, text: &str) {
        if self.screen.coloured {
            self.bar.set_message(tame(text).into_owned());
        } else {
            self.bar.set_message(anstream::adapter::strip_str(text).to_string());
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.screen.live.remove(&self.bar);
    }
}

/// A log line goes to the screen whole, when it is complete.
#[derive(Debug)]
pub(super) struct LogLine {
    screen: Screen,
    bytes: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.screen.write_bytes(&self.bytes);
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { screen: self.clone(), bytes: Vec::new() }
    }
}

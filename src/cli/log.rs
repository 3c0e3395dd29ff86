//! Log lines on stderr: text, or one JSON object a line.
//!
//! Only barncat's own lines are written: a driver's debug lines hold statements with their
//! parameters, which are rows.

mod json;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{
        self,
        format::{JsonFields, Writer},
        time::FormatTime,
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::json::JsonLines;
use super::{args::OutputFormat, screen::Screen};
use crate::clock::{Clock, System};

/// How much is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verbosity {
    /// `-v`, counted.
    pub(super) verbose: u8,
    /// `-q`.
    pub(super) quiet: bool,
    /// Whether live lines tell what log lines would.
    pub(super) live: bool,
}

impl Verbosity {
    fn level(self) -> LevelFilter {
        match self.verbose {
            _ if self.quiet => LevelFilter::WARN,
            0 if self.live => LevelFilter::WARN,
            0 => LevelFilter::INFO,
            1 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }
}

/// Starts logging, once in a process.
pub(super) fn start(format: OutputFormat, verbosity: Verbosity, screen: &Screen) {
    let writer = screen.clone();
    let layer = match format {
        OutputFormat::Json => fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .with_ansi(false)
            .with_writer(writer)
            .boxed(),
        _ => fmt::layer().with_timer(Utc).with_target(false).with_ansi(false).with_writer(writer).boxed(),
    };
    let own_lines = Targets::new().with_target("barncat", verbosity.level());
    // A second start, as in a test that calls the library twice, keeps the first one.
    let _ = tracing_subscriber::registry().with(layer.with_filter(own_lines)).try_init();
}

/// RFC 3339, UTC, milliseconds.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{:.3}", System.now())
    }
}

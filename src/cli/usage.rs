//! A command line that cannot be read, as JSON: what clap tells people beside it.

use super::{args::OutputFormat, complaint::Complaint, output::Output, screen::Screen};

/// Prints it to stdout.
pub(super) fn print(error: &clap::Error) {
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error:").unwrap_or(message).split_whitespace();
    let hint = paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip:"));
    let hint = hint.map(|hint| hint.trim().to_owned());
    let complaint = Complaint::usage(message.collect::<Vec<_>>().join(" "), hint);
    complaint.print_json(&Output::new(OutputFormat::Json, true, Screen::stderr()));
}

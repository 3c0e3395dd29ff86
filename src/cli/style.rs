//! Colours: one meaning each. Taken out again where nobody wants them (`NO_COLOR`, pipes).

use clap::builder::styling::{AnsiColor, Style};

/// What went wrong.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What people should know.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What to do, and places.
pub(super) const HINT: Style = AnsiColor::Cyan.on_default();
/// What went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What is done, in a bar.
pub(super) const SHARE: Style = AnsiColor::Cyan.on_default();
/// What stands back.
pub(super) const DIM: Style = Style::new().dimmed();
/// What stands out.
pub(super) const STRONG: Style = Style::new().bold();

/// `text` in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// The colours of `--help`.
pub(super) const HELP: clap::builder::Styles = clap::builder::Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

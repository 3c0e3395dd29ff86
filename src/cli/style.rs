//! Colours: one meaning each. Taken out again where nobody wants them (`NO_COLOR`, pipes).

use std::borrow::Cow;

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

/// A text for a terminal, which obeys nothing in it but colours: a table's name could set the window's title, move
/// the cursor over other lines or write to the clipboard.
pub(super) fn tame(text: &str) -> Cow<'_, str> {
    let is_obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let (mut tamed, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(is_obeyed) {
        tamed.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = colour(rest).unwrap_or_default();
        tamed.push_str(&rest[..length]);
        rest = &rest[length..];
        if length == 0 {
            let mut letters = rest.chars();
            tamed.extend(letters.next().map(|_| '\u{fffd}'));
            rest = letters.as_str();
        }
    }
    (tamed + rest).into()
}

/// How long the colour is that a text begins with: `ESC [ 1 ; 31 m`.
fn colour(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let length = inside.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    inside[length..].starts_with('m').then_some(length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_colours_alone() {
        let red = paint(ERROR, "error");
        assert_eq!(tame(&red), red);
        assert_eq!(tame("a\tb\n🐈"), "a\tb\n🐈");
        for (hostile, shown) in [
            ("\u{1b}]0;title\u{7}x", "\u{fffd}]0;title\u{fffd}x"),
            ("\u{1b}]52;c;cm0gLXJm\u{1b}\\", "\u{fffd}]52;c;cm0gLXJm\u{fffd}\\"),
            ("a\u{1b}[2J\u{1b}[1A\rb", "a\u{fffd}[2J\u{fffd}[1A\u{fffd}b"),
            ("\u{9b}31m\u{7f}\u{8}", "\u{fffd}31m\u{fffd}\u{fffd}"),
            ("\u{1b}[31", "\u{fffd}[31"),
            ("\u{1b}[31m\u{1b}[?1049h", "\u{1b}[31m\u{fffd}[?1049h"),
        ] {
            assert_eq!(tame(hostile), shown);
        }
    }
}

//! Texts as Slack wants them: escaped, and no longer than it takes.
//!
//! `&`, `<` and `>` are its control characters and nothing else has to be escaped (docs.slack.dev, "Formatting
//! message text"): so no name can call `@channel` or make a link.

/// At most so many characters, by whoever counts them: escaped, in UTF-16. Control characters, line breaks and what
/// turns the direction of writing become spaces.
pub(super) fn line(text: &str, most: usize) -> String {
    cut(text.chars().map(|char| if is_harmful(char) || char == '\n' { ' ' } else { char }), most)
}

/// The same, with its line breaks.
pub(super) fn lines(text: &str, most: usize) -> String {
    cut(text.chars().map(|char| if is_harmful(char) { ' ' } else { char }), most)
}

/// In the type of code; a backtick would end it.
pub(super) fn code(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|char| if char == '`' { '\'' } else { char }).collect();
    format!("`{}`", line(&text, most.saturating_sub(2)))
}

fn is_harmful(char: char) -> bool {
    (char.is_control() && char != '\n')
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(chars: impl Iterator<Item = char>, most: usize) -> String {
    let (mut text, mut units, mut fits) = (String::new(), 0, 0);
    let mut plain = [0; 4];
    for char in chars {
        let written = match char {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            char => &*char.encode_utf8(&mut plain),
        };
        units += written.encode_utf16().count();
        if units > most {
            text.truncate(fits);
            text.push('…');
            return text;
        }
        text.push_str(written);
        // Up to here there is room for the sign that something is missing.
        if units < most {
            fits = text.len();
        }
    }
    // Slack refuses an empty text.
    if text.trim().is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_left_that_slack_would_obey() {
        assert_eq!(line("<!channel> & <https://x|y>", 100), "&lt;!channel&gt; &amp; &lt;https://x|y&gt;");
        assert_eq!(line("a\nb\u{202e}c\u{7}", 100), "a b c ");
        assert_eq!(code("barncat why `x`", 100), "`barncat why 'x'`");
        assert_eq!((line("", 10), lines("a\nb", 10)), ("-".to_owned(), "a\nb".to_owned()));
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcde…");
        assert_eq!(line("ab&&", 8), "ab&amp;…");
        assert_eq!(line("a🐈🐈", 4), "a🐈…");
    }

    proptest! {
        #[test]
        fn a_text_is_as_long_as_it_may_be(text in ".{0,200}", most in 3usize..50) {
            let cut = lines(&text, most);
            prop_assert!(cut.encode_utf16().count() <= most);
            prop_assert!(!cut.contains(['<', '>']));
        }
    }
}

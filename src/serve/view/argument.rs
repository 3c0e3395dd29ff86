//! Command lines that people copy: a name in them is one argument, whatever it holds.

use crate::dag::selection;

/// Whether a letter is not seen, or turns other text about.
pub(in crate::serve) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text as one argument of a shell; as it is, where a shell takes it so.
pub(in crate::serve) fn argument(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_.-+:/@%=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_hidden) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    // What is not seen is pasted as what it is all the same.
    let mut quoted = String::from("$'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => quoted.extend(['\\', letter]),
            letter if is_hidden(letter) => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('\'');
    quoted
}

/// A command with what a selection, written as one text, selects and leaves out.
pub(in crate::serve) fn selecting(command: &str, selection: &str) -> String {
    let (select, exclude) = selection::read(selection);
    let mut line = command.to_owned();
    for word in &select {
        line.push_str(&format!(" {}", argument(word)));
    }
    for word in &exclude {
        line.push_str(&format!(" --exclude {}", argument(word)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_a_shell_takes_it_as_one_argument() {
        for (name, written) in [
            ("raw_shop.orders", "raw_shop.orders"),
            ("raw.naïve", "raw.naïve"),
            ("", "''"),
            ("a; rm -rf ~", "'a; rm -rf ~'"),
            ("$(id)`id`", "'$(id)`id`'"),
            ("it's", r"'it'\''s'"),
            ("a\nb\u{202e}'\\", r"$'a\u000ab\u202e\'\\'"),
        ] {
            assert_eq!(argument(name), written);
        }
    }

    #[test]
    fn a_selection_is_written_word_by_word() {
        assert_eq!(selecting("barncat run", "*"), "barncat run");
        let written = selecting("barncat graph", "tag:hot+ \"a b\" raw.* --exclude x;y");
        assert_eq!(written, "barncat graph tag:hot+ 'a b' 'raw.*' --exclude 'x;y'");
    }
}

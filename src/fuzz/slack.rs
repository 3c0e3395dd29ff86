//! Texts in Slack. Whatever a name, an error or a hint holds, no mention, link or date comes of it, it is no longer
//! than Slack takes, and what was not cut is read back as it was. A message of such texts is one that Slack takes.

use super::{fuzz, outcome, pieces};
use crate::alert::fuzzed;

const TOKENS: &[&str] = &[
    "<!channel>",
    "<!here>",
    "<@U0>",
    "<#C0>",
    "<!subteam^S0>",
    "<https://x|y>",
    "<!date^1^{time}|x>",
    "&lt;",
    "&amp;",
    "&",
    "<",
    ">",
    "|",
    "*",
    "_",
    "~",
    "`",
    "```",
    ">>>",
    "@channel",
    "\u{2066}",
    "\u{200f}",
    "👩‍👩‍👧‍👦",
];

#[test]
fn slack() {
    fuzz("slack", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    let texts: [String; 8] = pieces(input);
    let most = 3 + texts[0].len() % 60;
    for text in &texts {
        for (written, keeps_lines) in fuzzed::written(text, most) {
            assert!(written.encode_utf16().count() <= most, "{written:?}");
            assert!(!written.contains(['<', '>']), "{written:?}");
            let read = read(&written);
            assert!(keeps_lines || !written.contains('\n'), "{written:?}");
            assert!(!read.chars().any(|letter| letter.is_control() && letter != '\n'), "{written:?}");
            if !written.ends_with('…') && read != "-" {
                let same = |letter: &char| !letter.is_whitespace() && !letter.is_control();
                let kept: String = read.chars().filter(same).collect();
                let plain: String =
                    text.chars().filter(|letter| same(letter) && !is_turning(*letter)).collect();
                assert_eq!(kept, plain);
            }
        }
        let code = fuzzed::code(text, most);
        assert!(code.matches('`').count() == 2 && code.starts_with('`') && code.ends_with('`'), "{code:?}");
        assert!(code.encode_utf16().count() <= most, "{code:?}");
    }
    let message = fuzzed::message(&texts);
    assert_eq!(alert_double::slack_refuses(&message), None, "{message}");
    let text = message.to_string();
    // One in the text that notifications show, one in the first block: those that the project's file asks for.
    assert_eq!((text.matches("<!here>").count(), text.matches("<!channel>").count()), (2, 0), "{text}");
    assert!(!text.contains("<@") && !text.contains("<#") && !text.contains("<!subteam"), "{text}");
    assert_eq!(
        text.matches("<http").count(),
        text.matches("<https://barncat.internal|dashboard>").count(),
        "{text}"
    );
    outcome(&format!(
        "{} {:?}",
        message["blocks"].as_array().map_or(0, Vec::len),
        texts.map(|text| text.len() > most)
    ))
}

/// As Slack reads it; each `&` is one of its three.
fn read(written: &str) -> String {
    let mut pieces = written.split('&');
    let mut read = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (letter, rest) = [("amp;", '&'), ("lt;", '<'), ("gt;", '>')]
            .into_iter()
            .find_map(|(entity, letter)| Some((letter, piece.strip_prefix(entity)?)))
            .unwrap_or_else(|| panic!("a raw `&` in {written:?}"));
        read.push(letter);
        read.push_str(rest);
    }
    read
}

fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

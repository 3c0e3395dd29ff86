//! What a run was asked for, as the control database keeps it and people read it: `orders riders+ --exclude tag:slow`.

/// Everything.
const ALL: &str = "*";
const EXCLUDE: &str = "--exclude";

/// A selection as text. What has blanks in it stands in quotes, for it may be one task's name.
pub fn written(select: &[String], exclude: &[String]) -> String {
    let all = if select.is_empty() { vec![ALL.to_owned()] } else { quoted(select) };
    let without = if exclude.is_empty() { Vec::new() } else { vec![EXCLUDE.to_owned()] };
    [all, without, quoted(exclude)].concat().join(" ")
}

/// What was selected, none for everything, and what was left out.
pub fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let mut words = words(text);
    let exclude = words.iter().position(|word| word == EXCLUDE).map(|at| words.split_off(at));
    let exclude = exclude.into_iter().flatten().skip(1).collect();
    (if words == [ALL] { Vec::new() } else { words }, exclude)
}

fn quoted(arguments: &[String]) -> Vec<String> {
    let one = |argument: &String| match argument.contains(|one: char| one.is_whitespace() || one == '"') {
        true => format!("\"{}\"", argument.replace('"', "\"\"")),
        false => argument.clone(),
    };
    arguments.iter().map(one).collect()
}

/// A quote within quotes is doubled.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                word.get_or_insert_default().push('"');
            }
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !is_quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_read_as_it_was_written() {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (select, exclude, text) in [
            (&[][..], &[][..], "*"),
            (&["orders", "+riders"], &[], "orders +riders"),
            (&[], &["tag:slow"], "* --exclude tag:slow"),
            (
                &["raw.Odd, 2+ Name", "a \"b\""],
                &["c d"],
                "\"raw.Odd, 2+ Name\" \"a \"\"b\"\"\" --exclude \"c d\"",
            ),
        ] {
            assert_eq!(written(&own(select), &own(exclude)), text);
            assert_eq!(read(text), (own(select), own(exclude)), "{text}");
        }
    }
}

//! The commands that the guides name: each is one that this barncat takes.

use std::{collections::BTreeSet, fs, path::Path};

use clap::{Parser, error::ErrorKind};

use super::CommandLine;

/// A command in a page: where, and whether it stands in a block of code, where it is whole.
struct Written {
    place: String,
    text: String,
    is_whole: bool,
}

/// What runs a barncat command: itself, or the script that does it on ECS.
const PROGRAMS: [&str; 2] = ["barncat", "deploy/ecs/run.sh"];

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec!["README.md".to_owned(), "deploy/ecs/run.sh".to_owned()];
    let docs = fs::read_dir(root.join("docs")).expect("the guides are there");
    let names =
        docs.map(|entry| entry.expect("they can be listed").file_name().to_string_lossy().into_owned());
    // The reference is made of what is parsed here.
    let written = names.filter(|name| name.ends_with(".md") && name != "REFERENCE.md");
    pages.extend(written.map(|name| format!("docs/{name}")));
    pages.sort();
    let read = |page: String| {
        let text = fs::read_to_string(root.join(&page)).expect("it can be read");
        (page, text)
    };
    pages.into_iter().map(read).collect()
}

/// The commands of a page, in blocks of code and within lines.
fn written(page: &str, text: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let mut add = |number: usize, text: &str, is_whole: bool| {
        let place = format!("{page}:{}", number + 1);
        found.push(Written { place, text: text.to_owned(), is_whole });
    };
    let begins = |text: &str| {
        PROGRAMS.iter().any(|program| text == *program || text.starts_with(&format!("{program} ")))
    };
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if is_code || page.ends_with(".sh") {
            let line = line.trim_start_matches(['#', ' ']).trim_start_matches("$ ");
            // `a && b`, `a | b`
            for command in line.split("&&").flat_map(|part| part.split(" | ")).map(str::trim) {
                if begins(command) && !page.ends_with(".sh") || command.starts_with("deploy/ecs/run.sh ") {
                    add(number, command, true);
                }
            }
        } else {
            for code in line.split('`').skip(1).step_by(2).filter(|code| begins(code)) {
                add(number, code, false);
            }
        }
    }
    found
}

/// As a shell would: words, quotes taken off, nothing after a comment or a redirection.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match (quote, character) {
            (Some(open), character) if character == open => quote = None,
            (Some(_), character) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '#' | '>' | '<') if word.is_none() => return words,
            (None, character) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The arguments of barncat; `None`: the page does not name them (`barncat …`, `barncat COMMAND`).
fn arguments(text: &str) -> Option<Vec<String>> {
    // What may be left out is left out; what stands further to the right explains.
    let mut needed = String::new();
    for part in text.split("  ").next().unwrap_or_default().split('[') {
        needed.push_str(part.rsplit(']').next().unwrap_or_default());
    }
    let mut words = words(&needed).into_iter();
    let program = words.next()?;
    let mut rest: Vec<String> = words.collect();
    if program == "deploy/ecs/run.sh" {
        while rest.first().is_some_and(|word| ["--stack", "--cpu", "--memory"].contains(&word.as_str())) {
            rest.drain(..2);
        }
    }
    rest.retain(|word| word != "…");
    let is_named = |word: &String| word.starts_with(|first: char| first.is_lowercase() || first == '-');
    rest.first().is_some_and(is_named).then_some(rest)
}

#[test]
fn every_command_in_the_guides_is_one() {
    let mut wrong = Vec::new();
    let (mut whole, mut named) = (0, BTreeSet::new());
    for (page, text) in pages() {
        for Written { place, text, is_whole } in written(&page, &text) {
            let Some(arguments) = arguments(&text) else { continue };
            named.extend(arguments.iter().find(|word| !word.starts_with('-')).cloned());
            whole += usize::from(is_whole);
            let all = std::iter::once("barncat".to_owned()).chain(arguments);
            let Err(error) = CommandLine::try_parse_from(all) else { continue };
            let is_shown = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Within a sentence a command is named, not written out.
            let is_short = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !is_shown && (is_whole || !is_short) {
                wrong.push(format!(
                    "{place}: `{text}`: {}",
                    error.to_string().lines().next().unwrap_or_default()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // That they were found at all.
    assert!(whole > 60 && named.len() > 20, "{whole} commands, of {named:?}");
}

#[test]
fn a_line_is_read_as_a_shell_reads_it() {
    assert_eq!(words("barncat run 'raw.*' --x \"a b\"   # all"), ["barncat", "run", "raw.*", "--x", "a b"]);
    assert_eq!(words("barncat doctor --roles > roles.sql"), ["barncat", "doctor", "--roles"]);
    assert_eq!(arguments("deploy/ecs/run.sh --stack etl why x").expect("it is one"), ["why", "x"]);
    assert_eq!(arguments("barncat …"), None);
}

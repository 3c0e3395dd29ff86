//! Every command, flag, variable and exit status, for docs/REFERENCE.md: as the command line has them.

use std::{collections::BTreeMap, fmt::Write};

use clap::{Arg, ArgAction, Command as Clap, CommandFactory};

use super::{args::CommandLine, exit::STATUSES};

fn whole() -> Clap {
    let mut whole = CommandLine::command();
    whole.build();
    whole
}

/// All commands, with those that stand below them.
fn commands() -> Vec<Clap> {
    fn add(command: &Clap, all: &mut Vec<Clap>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            all.push(below.clone());
            add(below, all);
        }
    }
    let mut all = Vec::new();
    add(&whole(), &mut all);
    all
}

fn is_told(argument: &&Arg) -> bool {
    !matches!(argument.get_id().as_str(), "help" | "version")
}

/// As it is written: `-n`, `--limit N`.
fn written(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    let takes = !matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::Count);
    let is_optional = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
    let value = match (takes, is_optional) {
        (false, _) => String::new(),
        (true, true) => format!(" [{value}]"),
        (true, false) => format!(" {value}"),
    };
    match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("`-{short}`, `--{long}{value}`"),
        (None, Some(long)) => format!("`--{long}{value}`"),
        (Some(short), None) => format!("`-{short}{value}`"),
        (None, None) if matches!(argument.get_action(), ArgAction::Append) => format!("`{}…`", value.trim()),
        (None, None) => format!("`{}`", value.trim()),
    }
}

fn table(arguments: &[&Arg]) -> String {
    let mut table = "| | default | variable | is |\n| --- | --- | --- | --- |\n".to_owned();
    for argument in arguments {
        let takes_value = !matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::Count);
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let defaults = if takes_value { defaults.join(" ") } else { String::new() };
        let variable =
            argument.get_env().map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()));
        let mut about = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let words: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|word| takes_value && !word.is_hide_set())
            .map(|word| format!("`{}`", word.get_name()))
            .collect();
        let told = |word: &String| about.contains(word.trim_matches('`'));
        if !words.iter().all(told) {
            let _ = write!(about, ": {}", words.join(", "));
        }
        let _ = writeln!(
            table,
            "| {} | {defaults} | {variable} | {} |",
            written(argument),
            about.replace('|', "\\|")
        );
    }
    table
}

/// All commands, as Markdown.
pub(crate) fn commands_markdown() -> String {
    let whole = whole();
    let global: Vec<&Arg> = whole.get_arguments().filter(is_told).collect();
    let link = |command: &Clap| {
        let name = command.get_bin_name().unwrap_or_default();
        format!("[{}](#{})", name.trim_start_matches("barncat "), name.replace(' ', "-"))
    };
    let links = commands().iter().map(link).collect::<Vec<_>>().join(", ");
    let mut text = format!("{links}.\n\nEvery command takes:\n\n{}\n", table(&global));
    for command in commands() {
        let mut named = command.clone();
        let usage = named.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let name = command.get_bin_name().unwrap_or_default();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(text, "### {name}\n\n{about}.\n\n```\n{usage}\n```\n\n");
        let own: Vec<&Arg> =
            command.get_arguments().filter(is_told).filter(|arg| !arg.is_global_set()).collect();
        if !own.is_empty() {
            let _ = writeln!(text, "{}", table(&own));
        }
    }
    text
}

/// Variables that stand for a flag, each with the flag and the commands that take it.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, (String, Vec<String>)>::new();
    let mut note = |argument: &Arg, command: &str| {
        if let (Some(variable), Some(long)) = (argument.get_env(), argument.get_long()) {
            let one = all.entry(variable.to_string_lossy().into_owned()).or_default();
            one.0 = format!("`--{long}`");
            one.1.push(command.to_owned());
        }
    };
    for argument in whole().get_arguments() {
        note(argument, "every command");
    }
    for command in commands() {
        for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            note(argument, &format!("`{}`", command.get_name()));
        }
    }
    all.into_iter().map(|(variable, (flag, of))| (variable, format!("{flag} of {}", of.join(", ")))).collect()
}

/// All exit statuses, as Markdown.
pub(crate) fn statuses_markdown() -> String {
    let mut table = "| status | is |\n| --- | --- |\n".to_owned();
    for (exit, words) in STATUSES {
        let _ = writeln!(table, "| {} | {words} |", exit.code());
    }
    table
}

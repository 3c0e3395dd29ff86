//! `[tasks.NAME]`: another program as a task.

use toml_edit::Item;

use super::{Keys, NodeSpec, mistake::Place, model::node};

/// One command.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The task's name.
    pub name: String,
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Globs of the tables that it makes: who names one of them waits for it.
    pub makes: Vec<String>,
    /// Whether it is run in test mode too.
    pub test: bool,
    /// What graph and schedule must know of it.
    pub node: NodeSpec,
}

/// Reads all commands.
pub(super) fn read_all(file: &Keys<'_>) -> Vec<CommandSpec> {
    let named = file.named("tasks");
    named.into_iter().filter_map(|(name, place, item)| read(file, name, place, item)).collect()
}

fn read(file: &Keys<'_>, name: String, place: Place, item: &Item) -> Option<CommandSpec> {
    let keys = Keys::new(file.text, item, format!("task `{name}`"), place.clone(), file.mistakes)?;
    let command = program(&keys);
    let makes = keys.strings("makes");
    if let Some(wrong) = makes.iter().find(|glob| globset::Glob::new(glob).is_err()) {
        keys.wrong("makes", format_args!("has no pattern in `{wrong}`"));
    }
    if name.contains('.') {
        keys.mistakes.add(place.clone(), format!("task `{name}` has a dot in its name"), None);
    }
    let test = keys.boolean("test").unwrap_or(false);
    let node = node(&keys, place);
    keys.finish();
    Some(CommandSpec { name, command, makes, test, node })
}

/// A program and its arguments.
pub(super) fn program(keys: &Keys<'_>) -> Vec<String> {
    let command = keys.strings("command");
    if !keys.has("command") {
        keys.missing("command", "the program and its arguments: command = [\"dbt\", \"build\"]");
    } else if command.first().is_none_or(String::is_empty) {
        keys.wrong("command", "names no program");
    }
    command
}

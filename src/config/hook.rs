//! `[hooks.NAME]`: another program that is told of what happens.

use std::time::Duration;

use toml_edit::Item;

use super::{
    Keys,
    command::program,
    mistake::{Place, did_you_mean},
};
use crate::event::{RunStatus, TaskStatus};

/// How long one may take, unless it says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// One hook.
#[derive(Debug, Clone)]
pub struct HookSpec {
    /// Its name.
    pub name: String,
    /// When it is started; never none.
    pub on: Vec<Occasion>,
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Of which tasks it is told: a selection, and where it stands; `None`: of all.
    pub select: Option<(String, Place)>,
    /// How long one start of it may take.
    pub time_limit: Duration,
    /// Whether it is started in test mode too.
    pub test: bool,
}

/// What a hook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A task ended, however it did.
    TaskFinished,
    /// A task ended so.
    TaskEnded(TaskStatus),
    /// A task ended and has published its table.
    TaskPublished,
    /// An attempt at a task failed, and there will be another.
    TaskRetry,
    /// The run ended, however it did.
    RunFinished,
    /// The run ended so.
    RunEnded(RunStatus),
}

/// All of them, by the names that `on` takes.
const OCCASIONS: [(&str, Occasion); 15] = [
    ("task.finished", Occasion::TaskFinished),
    ("task.succeeded", Occasion::TaskEnded(TaskStatus::Succeeded)),
    ("task.unchanged", Occasion::TaskEnded(TaskStatus::Unchanged)),
    ("task.failed", Occasion::TaskEnded(TaskStatus::Failed)),
    ("task.blocked", Occasion::TaskEnded(TaskStatus::Blocked)),
    ("task.held", Occasion::TaskEnded(TaskStatus::Held)),
    ("task.skipped", Occasion::TaskEnded(TaskStatus::Skipped)),
    ("task.cancelled", Occasion::TaskEnded(TaskStatus::Cancelled)),
    ("task.published", Occasion::TaskPublished),
    ("task.retry", Occasion::TaskRetry),
    ("run.finished", Occasion::RunFinished),
    ("run.succeeded", Occasion::RunEnded(RunStatus::Succeeded)),
    ("run.degraded", Occasion::RunEnded(RunStatus::Degraded)),
    ("run.failed", Occasion::RunEnded(RunStatus::Failed)),
    ("run.cancelled", Occasion::RunEnded(RunStatus::Cancelled)),
];

impl Occasion {
    /// Its name, as `on` takes it.
    pub fn name(self) -> &'static str {
        OCCASIONS.iter().find(|(_, occasion)| *occasion == self).map_or("", |(name, _)| name)
    }

    /// All names.
    #[cfg(test)]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        OCCASIONS.iter().map(|(name, _)| *name)
    }

    /// Whether it is about the whole run.
    pub fn is_of_run(self) -> bool {
        matches!(self, Self::RunFinished | Self::RunEnded(_))
    }
}

/// Reads all hooks.
pub(super) fn read_all(file: &Keys<'_>) -> Vec<HookSpec> {
    let named = file.named("hooks");
    named.into_iter().filter_map(|(name, place, item)| read(file, name, place, item)).collect()
}

fn read(file: &Keys<'_>, name: String, place: Place, item: &Item) -> Option<HookSpec> {
    let keys = Keys::new(file.text, item, format!("hook `{name}`"), place, file.mistakes)?;
    let on = occasions(&keys);
    let command = program(&keys);
    let select = keys.string("select").map(|select| (select, keys.place_of("select")));
    if select.is_some() && !on.is_empty() && on.iter().all(|occasion| occasion.is_of_run()) {
        let hint = "a hook on `run.…` is told of the whole run; take `select` out".to_owned();
        keys.wrong_with_hint("select", "selects tasks, and it is told of none", hint);
    }
    let time_limit = keys.duration("time_limit").unwrap_or(TIME_LIMIT);
    let test = keys.boolean("test").unwrap_or(false);
    keys.finish();
    Some(HookSpec { name, on, command, select, time_limit, test })
}

fn occasions(keys: &Keys<'_>) -> Vec<Occasion> {
    let words = keys.strings("on");
    if !keys.has("on") {
        keys.missing("on", "when it is started: on = [\"task.failed\", \"run.finished\"]");
    } else if words.is_empty() {
        keys.wrong("on", "names nothing that it is told of");
    }
    let mut on = Vec::new();
    for word in &words {
        match OCCASIONS.iter().find(|(name, _)| name == word) {
            Some((_, occasion)) => on.push(*occasion),
            None => {
                let names = || OCCASIONS.iter().map(|(name, _)| *name);
                let all = || format!("there is {}", names().collect::<Vec<_>>().join(", "));
                let hint = did_you_mean(word, names()).unwrap_or_else(all);
                keys.wrong_with_hint("on", format_args!("knows no `{word}`"), hint);
            }
        }
    }
    on
}

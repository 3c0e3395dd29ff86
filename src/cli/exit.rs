//! From how a command ended to the process's exit status. The only such map.

use crate::{
    error::Class,
    event::{RunOutcome, RunStatus, TaskStatus},
};

/// How a command ended. Each variant has one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every critical task is done, or where there is none every task; or nothing was wrong.
    Done,
    /// A task that counts failed, or a check of the command's own did.
    Failed,
    /// The command line or the project is wrong; nothing was started.
    Usage,
    /// All selected tasks were held; nothing was done.
    Held,
    /// `plan --exit-code`: a schema change or a rebuild is ahead.
    ChangesAhead,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
}

/// Each in words, in the order of their numbers.
#[cfg(test)]
pub(super) const STATUSES: [(Exit, &str); 7] = [
    (Exit::Done, "every critical task is done (where there is none: every task)"),
    (Exit::Failed, "a critical task failed, or something that was tested is not as it should be"),
    (Exit::Usage, "the command line or the project is wrong; nothing was started"),
    (Exit::Held, "all selected tasks were held; nothing was done"),
    (Exit::ChangesAhead, "`plan --exit-code`: a schema change or a rebuild is ahead"),
    (Exit::Interrupted, "stopped by SIGINT"),
    (Exit::Terminated, "stopped by SIGTERM; of `serve` that is 0"),
];

/// What of them is said at the end of `--help`.
pub(super) const EXPLANATION: &str = "\
Exit status:
    0  every critical task is done (where there is none: every task)
    1  a critical task failed, or something that was tested is not as it should be
    2  the command line or the project is wrong; nothing was started
    3  all selected tasks were held; nothing was done
  130  stopped by SIGINT
  143  stopped by SIGTERM";

impl Exit {
    /// The process's exit status.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::ChangesAhead => 10,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// For an error that ended a command.
    pub(super) fn of_class(class: Class) -> Self {
        match class {
            Class::Usage => Self::Usage,
            Class::Held => Self::Held,
            Class::Passing | Class::Lasting | Class::Bug => Self::Failed,
        }
    }

    /// For a run that came to its end. `strict`: a degraded one is a failed one.
    ///
    /// A run that was cancelled ends with its signal's status, which the caller knows; without a
    /// signal it has failed.
    pub(super) fn of_run(outcome: &RunOutcome, strict: bool) -> Self {
        let all_held =
            !outcome.tasks.is_empty() && outcome.tasks.iter().all(|task| task.status == TaskStatus::Held);
        match outcome.status {
            _ if all_held => Self::Held,
            RunStatus::Succeeded => Self::Done,
            RunStatus::Degraded if !strict => Self::Done,
            RunStatus::Degraded | RunStatus::Failed | RunStatus::Cancelled => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample;

    #[test]
    fn every_end_has_its_own_number_and_help_says_the_same() {
        let codes = STATUSES.map(|(exit, _)| exit.code());
        assert_eq!(codes, [0, 1, 2, 3, 10, 130, 143]);
        for (exit, words) in STATUSES.iter().filter(|(exit, _)| *exit != Exit::ChangesAhead) {
            let (words, _) = words.split_once("; of `serve`").unwrap_or((words, ""));
            assert!(EXPLANATION.contains(&format!("{:>5}  {words}", exit.code())), "{words}");
        }
    }

    #[test]
    fn a_degraded_run_fails_only_when_strict() {
        let outcome = sample::degraded();
        assert_eq!(Exit::of_run(&outcome, false), Exit::Done);
        assert_eq!(Exit::of_run(&outcome, true), Exit::Failed);
    }

    #[test]
    fn only_a_run_whose_tasks_are_all_held_is_held() {
        let mut outcome = sample::degraded();
        for task in &mut outcome.tasks {
            task.status = TaskStatus::Held;
        }
        assert_eq!(Exit::of_run(&outcome, false), Exit::Held);
        outcome.tasks[0].status = TaskStatus::Failed;
        outcome.status = RunStatus::Failed;
        assert_eq!(Exit::of_run(&outcome, false), Exit::Failed);
        outcome.tasks.clear();
        outcome.status = RunStatus::Succeeded;
        assert_eq!(Exit::of_run(&outcome, false), Exit::Done);
    }

    #[test]
    fn classes_map_to_statuses() {
        let codes = [Class::Passing, Class::Lasting, Class::Usage, Class::Held, Class::Bug]
            .map(|class| Exit::of_class(class).code());
        assert_eq!(codes, [1, 1, 2, 3, 1]);
    }
}

//! From what became of the tasks to what became of the run.

use crate::event::{RunStatus, TaskOutcome, TaskStatus, Tier};

/// A run is failed if a critical task is not done; where it has no critical task: if any is not. A
/// held task does not fail a run: its published data stays as somebody wants it. `all_count`: a task that
/// is not critical fails the run too.
pub(super) fn status(tasks: &[TaskOutcome], all_count: bool, cancelled: bool) -> RunStatus {
    if cancelled {
        return RunStatus::Cancelled;
    }
    let is_bad = |task: &&TaskOutcome| matches!(task.status, TaskStatus::Failed | TaskStatus::Blocked);
    let has_critical = !all_count && tasks.iter().any(|task| task.tier == Tier::Critical);
    let fails = |task: &&TaskOutcome| is_bad(task) && (!has_critical || task.tier == Tier::Critical);
    if tasks.iter().any(|task| fails(&task)) {
        RunStatus::Failed
    } else if tasks.iter().any(|task| is_bad(&task)) {
        RunStatus::Degraded
    } else {
        RunStatus::Succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(tier: Tier, status: TaskStatus) -> TaskOutcome {
        TaskOutcome { tier, status, ..TaskOutcome::new("s.t", tier) }
    }

    #[test]
    fn an_optional_failure_degrades_only_where_something_critical_is_done() {
        use TaskStatus::{Failed, Held, Succeeded, Unchanged};
        use Tier::{Critical, Optional};
        let cases = [
            (vec![(Critical, Succeeded), (Optional, Failed)], RunStatus::Degraded),
            (vec![(Critical, Failed), (Optional, Succeeded)], RunStatus::Failed),
            (vec![(Optional, Failed), (Optional, Succeeded)], RunStatus::Failed),
            (vec![(Optional, Held), (Optional, Unchanged)], RunStatus::Succeeded),
            (vec![], RunStatus::Succeeded),
        ];
        for (tasks, expected) in cases {
            let tasks: Vec<_> = tasks.into_iter().map(|(tier, status)| task(tier, status)).collect();
            assert_eq!(status(&tasks, false, false), expected, "{tasks:?}");
            assert_eq!(status(&tasks, false, true), RunStatus::Cancelled);
        }
    }

    #[test]
    fn where_all_count_an_optional_failure_is_one() {
        let tasks = [task(Tier::Critical, TaskStatus::Succeeded), task(Tier::Optional, TaskStatus::Failed)];
        assert_eq!(status(&tasks, true, false), RunStatus::Failed);
    }
}

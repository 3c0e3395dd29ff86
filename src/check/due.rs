//! Which checks are asked again by their `every`. Pure.

use std::time::Duration;

use super::words;
use crate::config::CheckSpec;

/// When a check was last asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How long ago.
    pub age: Duration,
    /// Whether it did not fail.
    pub is_good: bool,
    /// How the check was written then.
    pub definition: Option<String>,
}

/// Why a check need not be asked now; `None`: it is due. One that failed, or is not written as it was, always is;
/// and a twentieth of the time too early is not too early: runs begin now and then some seconds before.
pub fn not_due(every: Duration, last: Option<&Answer>, definition: Option<&str>) -> Option<String> {
    let last = last.filter(|last| last.is_good && last.definition.as_deref() == definition)?;
    let is_recent = last.age.as_secs_f64() < every.as_secs_f64() * 0.95;
    is_recent.then(|| {
        let age = words::Unit::Seconds.told(last.age.as_secs_f64());
        format!("it was answered {age} ago, and `every` is {}", words::duration(every))
    })
}

/// The checks that have a time of their own and are due. `last` tells a check's last answer, and how it is written
/// now.
pub fn due(
    checks: &[CheckSpec],
    last: impl Fn(&CheckSpec) -> (Option<Answer>, Option<String>),
) -> Vec<&CheckSpec> {
    let is_due = |check: &&CheckSpec| {
        check.every.is_some_and(|every| {
            let (answer, definition) = last(check);
            not_due(every, answer.as_ref(), definition.as_deref()).is_none()
        })
    };
    checks.iter().filter(is_due).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hours: u64, is_good: bool, definition: &str) -> Answer {
        Answer { age: Duration::from_secs(hours * 3600), is_good, definition: Some(definition.to_owned()) }
    }

    #[test]
    fn a_check_is_due_after_its_time_and_when_it_failed_or_changed() {
        let every = Duration::from_secs(6 * 3600);
        let why = |last: Option<Answer>| not_due(every, last.as_ref(), Some("v1"));
        assert_eq!(why(None), None, "it was never asked");
        let told = why(Some(answer(2, true, "v1")));
        assert_eq!(told.as_deref(), Some("it was answered 2.0 h ago, and `every` is 6 h"));
        assert_eq!(why(Some(answer(6, true, "v1"))), None);
        assert_eq!(why(Some(answer(2, false, "v1"))), None, "it failed");
        assert_eq!(why(Some(answer(2, true, "v0"))), None, "it was another check");
        let nearly = Answer { age: Duration::from_secs(6 * 3600 - 600), ..answer(0, true, "v1") };
        assert_eq!(why(Some(nearly)), None, "runs do not begin on the second");
    }
}

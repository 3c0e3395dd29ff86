//! What a test of the surroundings found, as plain data: what `doctor` prints.
//!
//! Each seam tests what it needs by itself, with the statements and privileges that its own work
//! uses; nothing here connects.

use serde::Serialize;

use crate::{
    clock::{Clock, System},
    error::{Failure, Fault},
};

/// One thing that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was tested, in a word or two: `login`, `snapshot`, `clock`.
    pub test: &'static str,
    /// How it stands.
    pub status: Verdict,
    /// What was found: a sentence, lowercase, without a full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// SQL that mends it, ready to run; whoever runs it needs more rights than barncat has.
    pub sql: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but people should know.
    Warn,
    /// A run would fail.
    Fail,
}

impl Finding {
    /// All is well.
    pub fn ok(test: &'static str, message: impl Into<String>) -> Self {
        Self { test, status: Verdict::Ok, message: message.into(), hint: None, sql: None }
    }

    /// People should know.
    pub fn warn(test: &'static str, message: impl Into<String>) -> Self {
        Self { status: Verdict::Warn, ..Self::ok(test, message) }
    }

    /// A run would fail.
    pub fn fail(test: &'static str, message: impl Into<String>) -> Self {
        Self { status: Verdict::Fail, ..Self::ok(test, message) }
    }

    /// A run would fail with this error.
    pub fn error(test: &'static str, error: &dyn Fault) -> Self {
        let Failure { message, hint, .. } = Failure::of(error);
        let sql = error.mend();
        // A hint that is nothing but the SQL would be read twice.
        let hint = hint.filter(|hint| sql.as_ref().is_none_or(|sql| sql.trim_end_matches(';') != hint));
        Self { hint, sql, ..Self::fail(test, message) }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Gives the SQL that mends it.
    #[must_use]
    pub fn sql(mut self, sql: impl Into<String>) -> Self {
        self.sql = Some(sql.into());
        self
    }
}

/// This machine's clock, in seconds: what [`clock`] takes.
pub fn now_seconds() -> f64 {
    System.now().as_duration().as_secs_f64()
}

/// Whether each connection has a session of its own.
pub fn sessions(are_shared: bool) -> Finding {
    let test = "pooler";
    if are_shared {
        return Finding::fail(test, "sessions are shared with others: a pooler by transaction or statement stands in between")
            .hint("give the address of the server itself, or of a pooler by session: settings and locks last as long as a session");
    }
    Finding::ok(test, "each connection has a session of its own")
}

/// Clocks further apart than this are told of: ages, deadlines and S3's signatures go wrong.
const SKEW_SECONDS_MAX: f64 = 5.0;

/// Compares a server's clock, read between two readings of our own (all in seconds).
pub fn clock(before: f64, server: f64, after: f64) -> Finding {
    let skew = if server < before { server - before } else { (server - after).max(0.0) };
    if skew.abs() > SKEW_SECONDS_MAX {
        let direction = if skew > 0.0 { "ahead of" } else { "behind" };
        Finding::warn("clock", format!("its clock is {:.0} s {direction} this machine's", skew.abs()))
            .hint("let both follow a time server (NTP)")
    } else {
        Finding::ok("clock", "its clock agrees with this machine's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(clock(100.0, 109.0, 110.0).status, Verdict::Ok);
        assert_eq!(clock(100.0, 104.0, 100.1).status, Verdict::Ok);
    }

    #[test]
    fn a_clock_far_away_is_told_of() {
        assert_eq!(clock(100.0, 90.0, 100.1).message, "its clock is 10 s behind this machine's");
        assert_eq!(clock(100.0, 160.1, 100.1).message, "its clock is 60 s ahead of this machine's");
    }
}

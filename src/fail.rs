//! Fail points: places before and after each step with a side effect.
//!
//! Compiled in only with the feature `failpoints`, for the tests. `BARNCAT_FAILPOINTS` turns them
//! on by the grammar of the crate `fail` (`publish.commit.before=panic`), with three additions:
//! `kill` ends the process by SIGKILL, as a crash would, `stop` stops it by SIGSTOP, the first time, as
//! a machine that hangs, and `list` (alone, as the variable's whole value) prints each point's name on
//! stderr as it is passed, so that the crash tests find them all without a list kept by hand.

/// A point that a test can make the process die or fail at. `name` is dotted, like
/// `stage.manifest.before`.
#[macro_export]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::fail::pass($name)
    };
}

/// Passes the point `name`: does nothing unless the feature `failpoints` is on and the point set.
#[inline]
pub fn pass(name: &'static str) {
    #[cfg(feature = "failpoints")]
    on::pass(name);
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}

#[cfg(feature = "failpoints")]
mod on {
    use std::{
        sync::{Once, OnceLock},
        time::Duration,
    };

    enum Mode {
        Off,
        List,
        KillAt(String),
        StopAt(String, Once),
        Crate,
    }

    /// Read once: the binary under test gets its points from its environment.
    #[expect(clippy::disallowed_methods, reason = "not a setting: the tests' build alone reads it")]
    fn mode() -> &'static Mode {
        static MODE: OnceLock<Mode> = OnceLock::new();
        MODE.get_or_init(|| match std::env::var("BARNCAT_FAILPOINTS") {
            Err(_) => Mode::Off,
            Ok(text) if text == "list" => Mode::List,
            Ok(text) => match text.rsplit_once('=') {
                Some((name, "kill")) => Mode::KillAt(name.to_owned()),
                Some((name, "stop")) => Mode::StopAt(name.to_owned(), Once::new()),
                _ => {
                    for point in text.split(';') {
                        if let Some((name, actions)) = point.split_once('=') {
                            fail::cfg(name.trim(), actions.trim())
                                .expect("BARNCAT_FAILPOINTS follows the grammar of the crate `fail`");
                        }
                    }
                    Mode::Crate
                }
            },
        })
    }

    #[expect(clippy::print_stderr, reason = "only in the tests' build: they read the names")]
    pub(super) fn pass(name: &'static str) {
        match mode() {
            Mode::Off => {}
            Mode::List => {
                // Written at once: no other line gets between.
                let line = format!("fail point: {name}\n");
                eprint!("{line}");
            }
            Mode::KillAt(wanted) if wanted == name => {
                // No destructor runs, no buffer is flushed.
                signal("KILL");
                std::process::abort();
            }
            Mode::StopAt(wanted, once) if wanted == name => once.call_once(|| {
                signal("STOP");
                // Each thread stops when it learns of it: a moment after the signal was sent.
                std::thread::sleep(Duration::from_millis(100));
            }),
            Mode::KillAt(_) | Mode::StopAt(..) => {}
            Mode::Crate => fail::eval(name, |_| ()).unwrap_or(()),
        }
    }

    /// A signal to ourselves. Every shell has a `kill` of its own, a small system no other.
    fn signal(name: &str) {
        let kill = format!("kill -s {name} {}", std::process::id());
        let _ = std::process::Command::new("sh").args(["-c", &kill]).status();
    }
}

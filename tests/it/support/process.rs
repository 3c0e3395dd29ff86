//! A run of the built binary under way: stopped, woken up, waited for.

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::project::Project;

/// A run that has been started.
pub(crate) struct Process {
    pid: u32,
    /// Reads along, so that a run that says much never waits for a reader.
    output: JoinHandle<Output>,
}

impl Process {
    /// Starts a run with arguments and variables of its own.
    pub(crate) fn run(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let all: Vec<&str> = ["run", "--output", "json"].iter().chain(arguments).copied().collect();
        let mut command = project.command(&all);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the built binary starts");
        let pid = child.id();
        let read = move || child.wait_with_output().expect("its output can be read");
        Self { pid, output: tokio::task::spawn_blocking(read) }
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    pub(crate) fn send(&self, signal: &str) {
        send(signal, self.pid);
    }

    /// Waits until a signal has stopped it.
    pub(crate) async fn until_stopped(&self) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.is_stopped() {
            assert!(!self.output.is_finished(), "it ended before it was stopped");
            assert!(Instant::now() < limit, "it was not stopped within a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// As the kernel says: after the name, which may hold anything but ends in a bracket, stands the state.
    fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Waits for its end: exit status and outcome. What it says on stderr is shown where a test fails.
    pub(crate) async fn end(mut self) -> (Option<i32>, Value) {
        let output = (&mut self.output).await.expect("it does not panic");
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

/// A test that fails leaves nothing behind, least of all a process that stands still for ever.
impl Drop for Process {
    fn drop(&mut self) {
        if !self.output.is_finished() {
            send("KILL", self.pid);
        }
    }
}

/// By the shell's own `kill`: a small system has no other.
pub(crate) fn send(signal: &str, pid: u32) {
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status();
    assert!(sent.expect("a shell").success());
}

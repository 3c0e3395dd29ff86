//! The command line as its users meet it: stdout, stderr and exit status of the built binary.

use std::{
    path::Path,
    process::{Command, Stdio},
};

mod arguments;
mod clean;
mod discover;
mod doctor;
mod hold;
mod lines;
mod past;
mod plan;
mod scene;
mod text;

/// What is replaced before a snapshot is compared: what differs from run to run.
const FILTERS: &[(&str, &str)] = &[
    // Columns are as wide as what is replaced below.
    (r"(\S) {2,}", "$1  "),
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "[ULID]"),
    (r"\b\d+(\.\d)? s\b", "[SPAN]"),
    // Whoever runs the tests.
    (r"\bby [^@\s]+@[^\s,:;]+", "by [SOMEBODY]"),
    (r"\S+@\S+  \[ULID\]", "[SOMEBODY]  [ULID]"),
    // A busy machine.
    (r"is \[SPAN\] behind", "is not behind"),
    (r"PostgreSQL \d+\.\d+( \([^)]*\))?", "PostgreSQL [VERSION]"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?", "[TIME]"),
];

/// The binary in a folder, with no variables but those given and no terminal.
fn barncat(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barncat"));
    command.args(arguments).current_dir(dir).env_clear().stdin(Stdio::null());
    command.envs(variables.iter().copied());
    command
}

/// Runs the binary and writes down what came of it, as one text.
fn told(dir: &Path, arguments: &[&str]) -> String {
    told_with(dir, arguments, &[])
}

/// The same, with variables.
fn told_with(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    written(barncat(dir, arguments, variables).output().expect("the built binary starts"))
}

/// What must never be told: the passwords of the servers' roles, and the one that tests write.
fn secrets() -> Vec<String> {
    let of = |role: &str| crate::support::variable(&format!("BARNCAT_{role}_PASSWORD"));
    ["SOURCE", "WAREHOUSE", "CONTROL", "ADMIN"]
        .map(of)
        .into_iter()
        .chain(["hunter2".to_owned(), crate::support::variable("AWS_SECRET_ACCESS_KEY")])
        .collect()
}

/// Exit status, stdout and stderr as one text.
fn written(output: std::process::Output) -> String {
    let status = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
    format!(
        "exit status: {status}\n--- stdout\n{}--- stderr\n{}",
        String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    )
}

/// Compares with the snapshot of the calling test's name.
macro_rules! assert_told {
    ($text:expr) => {
        let text = $text;
        insta::with_settings!({ filters => $crate::cli::FILTERS.to_vec() }, {
            insta::assert_snapshot!(text);
        });
    };
}
use assert_told;

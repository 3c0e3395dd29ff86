//! Arguments, help, completions, pipes.

use std::{io::Read, path::Path, process::Stdio};

use super::{assert_told, barncat, told, told_with};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn help_of_backfill_shows_what_it_takes_and_examples() {
    assert_told!(told(Path::new(HERE), &["backfill", "--help"]));
}

#[test]
fn help_shows_the_commands_and_exit_statuses() {
    assert_told!(told(Path::new(HERE), &["--help"]));
}

#[test]
fn help_of_run_shows_examples_and_exit_statuses() {
    assert_told!(told(Path::new(HERE), &["run", "--help"]));
}

#[test]
fn help_of_the_service_says_what_it_does_and_how_it_ends() {
    for command in ["serve", "schedules", "healthcheck"] {
        assert_told!(told(Path::new(HERE), &[command, "--help"]));
    }
}

#[test]
fn help_of_check_says_what_it_asks_and_shows() {
    assert_told!(told(Path::new(HERE), &["check", "--help"]));
}

#[test]
fn help_of_verify_says_what_it_compares_and_shows() {
    assert_told!(told(Path::new(HERE), &["verify", "--help"]));
}

#[test]
fn help_of_adopt_shows_what_it_compares_and_refuses() {
    assert_told!(told(Path::new(HERE), &["adopt", "--help"]));
}

#[test]
fn help_of_incidents_and_alert_shows_examples() {
    assert_told!(told(Path::new(HERE), &["incidents", "--help"]));
    assert_told!(told(Path::new(HERE), &["alert", "--help"]));
}

#[test]
fn help_of_restore_shows_what_it_takes_and_examples() {
    assert_told!(told(Path::new(HERE), &["restore", "--help"]));
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    assert_told!(told(Path::new(HERE), &["rnu"]));
}

#[test]
fn an_unknown_mode_is_a_usage_error_and_lists_the_modes() {
    assert_told!(told_with(Path::new(HERE), &["run"], &[("BARNCAT_MODE", "prod")]));
}

#[test]
fn no_command_is_a_usage_error() {
    let text = told(Path::new(HERE), &[]);
    assert!(text.starts_with("exit status: 2\n--- stdout\n--- stderr\n"), "{text}");
}

#[test]
fn completions_exist_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = told(Path::new(HERE), &["completions", shell]);
        assert!(text.starts_with("exit status: 0\n"), "{shell}: {text}");
        assert!(text.contains("discover"), "{shell}");
        assert!(text.ends_with("--- stderr\n"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = barncat(Path::new(HERE), &["completions", "zsh"], &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built binary starts");
    // Closed before anything is read: the first write that does not fit in the pipe fails.
    drop(child.stdout.take());
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("stderr is piped");
    pipe.read_to_string(&mut stderr).expect("stderr is UTF-8");
    assert_eq!(child.wait().expect("the binary ends").code(), Some(0));
    assert_eq!(stderr, "");
}

#[test]
fn a_full_disk_is_an_error_with_a_status() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has /dev/full");
    let output = barncat(Path::new(HERE), &["completions", "bash"], &[])
        .stdout(full)
        .output()
        .expect("the built binary starts");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(stderr, "error: could not write to stdout: No space left on device (os error 28)\n");
}

#[test]
fn errors_are_told_to_programs_too() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let json = |arguments: &[&str]| {
        let output = super::barncat(folder.path(), arguments, &[]).output().expect("the built binary starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stderr.starts_with(b"error: "), "people are told as well");
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(object["error"]["class"], "usage", "{object:#}");
        object
    };
    let unknown = json(&["run", "--output", "json", "--ful"]);
    assert_eq!(unknown["error"]["message"], "unexpected argument '--ful' found");
    assert_eq!(unknown["error"]["hint"], "a similar argument exists: '--full'");
    let command = json(&["--output=json", "rnu"]);
    assert_eq!(command["error"]["message"], "unrecognized subcommand 'rnu'");
    let nothing = json(&["plan", "--output", "json"]);
    assert_eq!(nothing["mistakes"][0]["file"], "barncat.toml", "{nothing:#}");
    let output = super::barncat(folder.path(), &["init", "a", "--output", "json"], &[]).output();
    let written: serde_json::Value =
        serde_json::from_slice(&output.expect("it starts").stdout).expect("one JSON object");
    assert_eq!(written["written"][0], "a/barncat.toml");
    let again = json(&["init", "a", "--output", "json"]);
    assert_eq!(again["error"]["message"], "a/barncat.toml is there already");
}

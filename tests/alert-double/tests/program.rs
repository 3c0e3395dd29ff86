//! The program as the demo starts it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let child =
            Command::new(env!("CARGO_BIN_EXE_alert-double")).arg("--folder").arg(folder.path()).spawn();
        Self { child: child.expect("the program starts"), folder }
    }

    /// A file of its folder, once it is there and has this in it.
    fn file_with(&self, name: &str, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            if found.contains(text) {
                return found;
            }
            assert!(Instant::now() < deadline, "{name} has no {text}: {found}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request by hand; the answer's body.
fn post(api: &str, method: &str, token: &str, body: &str) -> String {
    let (address, path) = api.trim_start_matches("http://").split_once('/').expect("an address and a path");
    let mut stream = TcpStream::connect(address).expect("the double listens");
    write!(
        stream,
        "POST /{path}/{method} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

fn variable<'a>(shell: &'a str, name: &str) -> &'a str {
    let line = shell.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
    line.and_then(|value| value.strip_suffix('\'')).unwrap_or_else(|| panic!("no {name} in {shell}"))
}

#[test]
fn what_was_sent_can_be_read_by_programs_and_by_people() {
    let program = Program::start();
    let shell = program.file_with("shell", "HEARTBEAT_URL");
    let (api, token) = (variable(&shell, "SLACK_API"), variable(&shell, "SLACK_TOKEN"));
    let message = |more: &str, text: &str| {
        format!(
            r#"{{"channel": "C1", {more} "text": "{text}", "blocks": [{{"type": "section", "text": {{"type": "mrkdwn", "text": "{text}"}}}}]}}"#
        )
    };
    let answer = post(api, "chat.postMessage", token, &message("", "<!here> wrong &amp; more"));
    let ts =
        answer.split("\"ts\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a ts").to_owned();
    post(api, "chat.update", token, &message(&format!("\"ts\": \"{ts}\","), "it was wrong"));
    std::thread::sleep(Duration::from_secs(1));
    post(api, "chat.postMessage", token, &message(&format!("\"thread_ts\": \"{ts}\","), "well"));

    let sent = program.file_with("sent", "well");
    let lines: Vec<&str> = sent.lines().collect();
    assert_eq!(lines.len(), 3, "{sent}");
    assert!(lines[0].contains("wrong &amp; more") && lines[1].contains("it was wrong"), "{sent}");
    assert!(lines[2].contains(&format!("\"thread_ts\":\"{ts}\"")), "{sent}");
    let read = program.file_with("slack", "well");
    assert_eq!(read, "channel C1\n\n  it was wrong\n  (edited)\n    │\n    │ well\n");

    let process = program.child.id().to_string();
    assert_eq!(variable(&shell, "ALERT_DOUBLE_PID"), process);
    assert!(Command::new("kill").arg(&process).status().expect("kill runs").success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while Path::new(&program.folder.path().join("shell")).exists() {
        assert!(Instant::now() < deadline, "its addresses stay although it is gone");
        std::thread::sleep(Duration::from_millis(20));
    }
}

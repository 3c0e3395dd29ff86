//! A service of the built binary: what it says, and what it answers.

use std::{
    io::{BufRead, BufReader},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::support::{process::send, project::Project};

/// How long a state is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that has been started.
pub(super) struct Service {
    pid: u32,
    said: Arc<Mutex<Vec<Value>>>,
    reader: JoinHandle<ExitStatus>,
}

/// What a service answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Service {
    /// Starts one on a free port of the loopback.
    pub(super) fn start(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let base = ["serve", "--listen", "127.0.0.1:0", "--log-format", "json"];
        let all: Vec<&str> = base.iter().chain(arguments).copied().collect();
        let mut command = project.command(&all);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built binary starts");
        let (pid, said) = (child.id(), Arc::new(Mutex::new(Vec::new())));
        let stderr = child.stderr.take().expect("it is piped");
        let lines = said.clone();
        let reader = tokio::task::spawn_blocking(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                lines.lock().expect("no test panics while it holds this").push(line);
            }
            child.wait().expect("it can be waited for")
        });
        Self { pid, said, reader }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it a signal.
    pub(super) fn send(&self, signal: &str) {
        send(signal, self.pid);
    }

    /// All lines that it wrote by now.
    pub(super) fn said(&self) -> Vec<Value> {
        self.said.lock().expect("no test panics while it holds this").clone()
    }

    /// The first line whose message begins so, waited for.
    pub(super) async fn says(&self, message: &str) -> Value {
        self.says_after(0, message).await
    }

    /// The same, after so many lines.
    pub(super) async fn says_after(&self, lines: usize, message: &str) -> Value {
        let is_it = |line: &Value| line["message"].as_str().is_some_and(|text| text.starts_with(message));
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.said().iter().skip(lines).find(|line| is_it(line)) {
                return line.clone();
            }
            assert!(Instant::now() < limit, "it did not say `{message}`: {:#?}", self.said());
            assert!(!self.reader.is_finished(), "it ended and did not say `{message}`: {:#?}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it listens.
    pub(super) async fn address(&self) -> String {
        let line = self.says("serves").await;
        line["listen"].as_str().expect("an address").to_owned()
    }

    /// Asks it.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    /// Sends it a whole request, as it stands.
    pub(super) async fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address().await).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it takes a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it answers");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let (head, body) = (head.to_lowercase(), body.to_owned());
        Answer { status, head, body: serde_json::from_str(&body).unwrap_or_default(), text: body }
    }

    /// Waits until `/readyz` is as it should be.
    pub(super) async fn until_ready(&self, what: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let limit = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/readyz").await;
            if is_it(&answer) {
                return answer;
            }
            assert!(Instant::now() < limit, "not {what}: {:#}, {:#?}", answer.body, self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it leads.
    pub(super) async fn until_it_leads(&self) {
        self.until_ready("the leader", |answer| answer.body["role"] == "leader").await;
    }

    /// Ends it by SIGTERM. The exit status; what it said is shown where a test fails.
    pub(super) async fn stop(self) -> Option<i32> {
        self.send("TERM");
        self.end().await
    }

    /// Ends it by SIGKILL.
    pub(super) async fn kill(self) {
        self.send("KILL");
        self.end().await;
    }

    /// Waits for its end: the exit status, none if a signal killed it.
    pub(super) async fn end(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, &mut self.reader).await;
        self.show();
        let status = ended.expect("it ends").expect("it does not panic");
        eprintln!("{status}\n");
        status.code()
    }

    /// For whoever reads why a test failed.
    fn show(&self) {
        eprintln!("{}", self.said().iter().map(|line| format!("{line}\n")).collect::<String>());
    }
}

/// A test that fails leaves no service behind.
impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        if !self.reader.is_finished() {
            send("KILL", self.pid);
        }
    }
}

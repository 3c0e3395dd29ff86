//! ECS' protection, against a small agent.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{project, service::Service, ticks, until};

/// An agent: what it was asked, and how it answers.
struct Agent {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Agent {
    async fn start(gives: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/task-7", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, gives, all.clone()));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

/// As the agent's guide has it: a protection, or an error or a failure.
async fn answer(mut stream: TcpStream, gives: bool, asked: Arc<Mutex<Vec<(String, Value)>>>) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let Ok(body) = serde_json::from_str::<Value>(body) else { continue };
        let first = head.lines().next().unwrap_or_default().to_owned();
        let (status, said) = match gives {
            true => (
                "200 OK",
                json!({ "protection": {
                "ProtectionEnabled": body["ProtectionEnabled"], "TaskArn": "arn:aws:ecs:eu-west-1:1:task/c/7",
                "ExpirationDate": "2026-11-28T12:00:00Z" } }),
            ),
            false => (
                "400 Bad Request",
                json!({ "requestID": "1", "error": {
                "Arn": "arn:aws:ecs:eu-west-1:1:task/c/7", "Code": "AccessDeniedException", "Message": "not allowed" } }),
            ),
        };
        asked.lock().unwrap().push((first, body));
        let said = said.to_string();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        text.clear();
    }
}

const SLOW: &str = "
[tasks.slow]
command = [\"sh\", \"-c\", \"while [ ! -e go ]; do sleep 0.05; done\"]
[schedules]
hot = { every = \"2s\", select = \"slow\" }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_task_is_protected_while_a_run_is_under_way() {
    let (project, agent) = (project(SLOW).await, Agent::start(true).await);
    let service = Service::start(&project, &["--stop-timeout", "3s"], &[("ECS_AGENT_URI", &agent.url)]);
    until("it is asked for", async || !agent.asked().is_empty()).await;
    let (first, body) = agent.asked()[0].clone();
    assert_eq!(first, "PUT /api/task-7/task-protection/v1/state HTTP/1.1");
    assert_eq!(body["ProtectionEnabled"], true);
    assert!((1..=2880).contains(&body["ExpiresInMinutes"].as_i64().unwrap()), "{body}");
    assert_eq!(agent.asked().len(), 1, "it is kept as long as the run goes on");
    project.write("go", "");
    let is_off = |asked: &(String, Value)| asked.1 == json!({ "ProtectionEnabled": false });
    until("it is given back", async || agent.asked().iter().any(is_off)).await;
    std::fs::remove_file(project.dir().join("go")).unwrap();
    until("it is asked for again", async || agent.asked().last().is_some_and(|asked| !is_off(asked))).await;
    assert_eq!(service.stop().await, Some(0));
    assert!(agent.asked().last().is_some_and(is_off), "who stops needs none: {:?}", agent.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_protection_a_run_goes_on_all_the_same() {
    let (project, agent) = (project(SLOW).await, Agent::start(false).await);
    project.write("go", "");
    let service = Service::start(&project, &[], &[("ECS_AGENT_URI", &agent.url)]);
    let said = service.says("ECS does not protect this task").await;
    let error = said["error"].as_str().unwrap();
    assert!(error.contains("400") && error.contains("AccessDeniedException, not allowed"), "{said}");
    until("it runs", async || ticks(&project, "hot", "succeeded").await > 0).await;
    assert_eq!(service.stop().await, Some(0));
}

//! A service that answers over HTTP as a test says, and takes note of what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Answers a path with its query: a status and a body of JSON.
pub(super) type Answers = Box<dyn FnMut(&str) -> (u16, String) + Send>;

/// A service on a port of its own.
#[derive(Clone)]
pub(super) struct Double {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    answers: Answers,
    asked: Vec<String>,
}

impl Double {
    pub(super) async fn start(answers: impl FnMut(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Mutex::new(Shared { answers: Box::new(answers), asked: Vec::new() }));
        let double = Self { port, shared };
        let serving = double.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        double
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers otherwise from now on.
    pub(super) fn answer(&self, answers: impl FnMut(&str) -> (u16, String) + Send + 'static) {
        self.lock().answers = Box::new(answers);
    }

    /// What was asked since the last time, in its order.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests have no body: one after the other on a connection that stays open.
    async fn serve(self, mut connection: TcpStream) {
        let mut read = Vec::new();
        let mut block = [0; 4096];
        loop {
            while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                match connection.read(&mut block).await {
                    Ok(0) | Err(_) => return,
                    Ok(bytes) => read.extend_from_slice(&block[..bytes]),
                }
            }
            let head = String::from_utf8_lossy(&read).into_owned();
            read.clear();
            let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
            let (status, body) = {
                let mut shared = self.lock();
                shared.asked.push(target.clone());
                (shared.answers)(&target)
            };
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            if connection.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

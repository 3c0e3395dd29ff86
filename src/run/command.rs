//! Another program as a task: its output is kept, its exit status decides.

use std::{
    collections::{HashSet, VecDeque},
    path::Path,
    process::Stdio,
    sync::{Mutex as StdMutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{ChildStdin, Command},
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Class, Fault},
    secret,
};

/// Of its output the last lines are kept, and of each line so many characters.
const LINES_KEPT: usize = 40;
const CHARACTERS_KEPT: usize = 400;

/// How long output is waited for once the program has ended.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// The programs that somebody here waits for.
static WAITED_FOR: StdMutex<Option<HashSet<u32>>> = StdMutex::new(None);

/// Whether a child of this process is waited for by whoever started it: nobody else may take its exit status.
pub fn is_waited_for(pid: i32) -> bool {
    let waited_for = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
    waited_for.as_ref().zip(u32::try_from(pid).ok()).is_some_and(|(pids, pid)| pids.contains(&pid))
}

/// A program is waited for as long as this lives.
struct WaitedFor(Option<u32>);

impl WaitedFor {
    fn new(pid: Option<u32>) -> Self {
        let mut waited_for = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        waited_for.get_or_insert_default().extend(pid);
        Self(pid)
    }
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        let mut waited_for = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(pids), Some(pid)) = (waited_for.as_mut(), self.0) {
            pids.remove(&pid);
        }
    }
}

/// What can go wrong with a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum CommandError {
    /// It cannot be started.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended, and not well.
    #[error("{program} ended with {status}{}", last_words(output))]
    Ended {
        /// The program.
        program: String,
        /// Its exit status, in words.
        status: String,
        /// Its last lines.
        output: Vec<String>,
    },
    /// The run should stop.
    #[error("stopped")]
    Cancelled,
}

fn last_words(output: &[String]) -> String {
    output.last().map_or_else(String::new, |line| format!(": {line}"))
}

impl Fault for CommandError {
    fn class(&self) -> Class {
        match self {
            Self::Start { .. } => Class::Lasting,
            // Whatever it reached may be there the next time.
            Self::Ended { .. } | Self::Cancelled => Class::Passing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Start { .. } => {
                Some("`command` is the program and its arguments; no shell reads them".to_owned())
            }
            Self::Ended { output, .. } if output.len() > 1 => {
                Some(format!("its last lines: {}", output.join(" | ")))
            }
            Self::Ended { .. } | Self::Cancelled => None,
        }
    }
}

/// A program to be run.
pub(super) struct Program<'a> {
    /// It and its arguments; no shell reads them.
    pub(super) command: &'a [String],
    /// Where it runs: the project's folder.
    pub(super) folder: &'a Path,
    /// What it has in its environment beside barncat's own.
    pub(super) variables: &'a [(&'static str, String)],
    /// What it can read; nothing else does it get on stdin.
    pub(super) input: &'a [u8],
}

/// Runs it to its end. Dropped or cancelled it is killed, with all that it started.
pub(super) async fn run(of: &Program<'_>, cancel: &CancellationToken) -> Result<(), CommandError> {
    let (program, arguments) = of.command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(of.folder).kill_on_drop(true).process_group(0);
    let stdin = if of.input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What a barncat around this one was told of is no business of the program's.
    for name in ["BARNCAT_EVENT", "BARNCAT_STATUS", "BARNCAT_TASK", "BARNCAT_TOKEN"] {
        command.env_remove(name);
    }
    command.envs(of.variables.iter().map(|(name, value)| (*name, value.as_str())));
    let started = command.spawn();
    let mut child = started.map_err(|source| CommandError::Start { program: program.to_owned(), source })?;
    let _waited_for = WaitedFor::new(child.id());
    let mut group = Group(child.id());
    let kept = Mutex::new(VecDeque::new());
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let talking = async { tokio::join!(give(stdin, of.input), keep(out, &kept), keep(err, &kept)) };
    let ended = async {
        tokio::pin!(talking);
        let mut is_silent = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                _ = &mut talking, if !is_silent => is_silent = true,
            }
        };
        group.0 = None;
        if !is_silent {
            // What it left running may keep its output open for ever.
            let _ = tokio::time::timeout(LAST_WORDS_WAIT, talking).await;
        }
        status
    };
    let status = tokio::select! {
        biased;
        status = ended => status,
        () = cancel.cancelled() => return Err(CommandError::Cancelled),
    };
    let output: Vec<String> = kept.into_inner().into();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(CommandError::Ended { program: program.to_owned(), status: status.to_string(), output })
        }
        Err(source) => Err(CommandError::Start { program: program.to_owned(), source }),
    }
}

/// The processes of a program that has not ended: dropped, they are killed.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            tracing::debug!(%error, "command.kill");
        }
    }
}

/// Gives a program what it can read; one that does not want it is left alone.
async fn give(stdin: Option<ChildStdin>, input: &[u8]) {
    let Some(mut stdin) = stdin else { return };
    if let Err(error) = stdin.write_all(input).await {
        tracing::debug!(%error, "command.input");
    }
}

/// A line without what steers a terminal, which no database would keep, and without passwords.
fn readable(line: &[u8]) -> String {
    let line = anstream::adapter::strip_bytes(line).into_vec();
    let line = secret::conceal(&String::from_utf8_lossy(&line));
    let characters = line.trim_end().chars();
    characters.map(|one| if one.is_control() { ' ' } else { one }).take(CHARACTERS_KEPT).collect()
}

/// Keeps the last lines of a stream.
async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &Mutex<VecDeque<String>>) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = readable(&line);
        tracing::debug!(line, "command.output");
        let mut kept = kept.lock().await;
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

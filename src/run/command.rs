//! Another program as a task: its output is kept, its exit status decides.

use std::{collections::VecDeque, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::CommandSpec,
    error::{Class, Fault},
};

/// Of its output the last lines are kept, and of each line so many characters.
const LINES_KEPT: usize = 40;
const CHARACTERS_KEPT: usize = 400;

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

/// Runs it in the project's folder. Dropped or cancelled it is killed.
pub(super) async fn run(
    spec: &CommandSpec,
    folder: &std::path::Path,
    variables: &[(&str, String)],
    cancel: &CancellationToken,
) -> Result<(), CommandError> {
    let (program, arguments) = spec.command.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    let started = command.spawn();
    let mut child = started.map_err(|source| CommandError::Start { program: program.to_owned(), source })?;
    let kept = Mutex::new(VecDeque::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::join!(keep(out, &kept), keep(err, &kept)) };
    let ended = async {
        let (status, _) = tokio::join!(child.wait(), reading);
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

/// Keeps the last lines of a stream.
async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &Mutex<VecDeque<String>>) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line: String = String::from_utf8_lossy(&line).trim_end().chars().take(CHARACTERS_KEPT).collect();
        tracing::debug!(line, "command.output");
        let mut kept = kept.lock().await;
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

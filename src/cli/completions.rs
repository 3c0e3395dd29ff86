//! `completions SHELL`.

use clap::CommandFactory;

use super::{args::CommandLine, complaint::Complaint, exit::Exit, output::Output};

/// Prints the completions of one shell.
pub(super) fn completions(output: &Output, shell: clap_complete::Shell) -> Result<Exit, Complaint> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "barncat", &mut script);
    output.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

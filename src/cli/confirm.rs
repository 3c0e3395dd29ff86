//! A yes from a person, before something that cannot be taken back as easily as it is done.

use std::io::{self, IsTerminal};

use super::{Context, complaint::Complaint};

/// Asks whether to go on. `yes` answers beforehand; where nobody can be asked it must be there.
pub(super) async fn confirmed(context: &Context, yes: bool, question: &str) -> Result<bool, Complaint> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !context.output.screen().is_terminal() {
        let hint = "`--yes` answers it, `--dry-run` shows what would be done".to_owned();
        return Err(Complaint::usage(format!("there is nobody to ask: {question}"), Some(hint)));
    }
    context.output.screen().write(&format!("{question} [y/N] "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        biased;
        // The status is the signal's.
        () = context.stop.token.cancelled() => Ok(false),
        answer = answer => match answer {
            Ok(Ok(line)) => Ok(is_yes(&line)),
            Ok(Err(error)) => Err(Complaint::of_io("could not read the answer", &error)),
            Err(_) => Ok(false),
        },
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        assert!(["y\n", "Yes\r\n", " YES "].into_iter().all(is_yes));
        assert!(!["", "\n", "no\n", "yess\n", "j\n"].into_iter().any(is_yes));
    }
}

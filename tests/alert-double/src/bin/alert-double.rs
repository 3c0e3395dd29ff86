//! The double by hand, for the demo: `alert-double --folder DIR`.
//!
//! DIR gets `shell`, with the addresses as variables, which is there as long as the double is; `sent`, with one JSON
//! object a line for each message that was taken, and for each change of one; `slack`, its channels as people read them;
//! and on stderr stands what was refused, and why.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program by hand prints")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use alert_double::{AlertDouble, Kept};
use clap::Parser;

#[derive(Parser)]
#[command(about = "Slack and PagerDuty, as strict as they are, on a loopback port, until Ctrl-C")]
struct Arguments {
    /// Where `shell`, `sent` and `slack` are written
    #[arg(long)]
    folder: PathBuf,
    /// The port; a free one unless it is said
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.folder)?;
    let double = AlertDouble::start_on(arguments.port).await?;
    let mut sent = fs::File::create(arguments.folder.join("sent"))?;
    let shell = arguments.folder.join("shell");
    fs::write(
        &shell,
        format!(
            "export ALERT_DOUBLE_PID='{}'\nexport SLACK_API='{}'\nexport SLACK_TOKEN='{}'\nexport SLACK_WEBHOOK='{}'\n\
             export PAGERDUTY_URL='{}'\nexport ALERT_WEBHOOK='{}'\nexport HEARTBEAT_URL='{}'\n",
            std::process::id(),
            double.slack_api(),
            double.slack_token(),
            double.slack_webhook("main"),
            double.pagerduty(),
            double.webhook(),
            double.heartbeat(),
        ),
    )?;
    println!("its addresses are in {}", shell.display());
    let mut told = Vec::new();
    let mut refusals = 0;
    let stopped = async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            ended = tokio::signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    };
    tokio::pin!(stopped);
    loop {
        let ended = tokio::select! {
            ended = &mut stopped => Some(ended),
            () = tokio::time::sleep(Duration::from_millis(100)) => None,
        };
        let kept = double.knobs().kept();
        if write_sent(&mut sent, &mut told, &kept)? {
            replace(&arguments.folder.join("slack"), &alert_double::shown(&kept))?;
        }
        for why in double.knobs().refused().iter().skip(refusals) {
            refusals += 1;
            eprintln!("refused: {why}");
        }
        if let Some(ended) = ended {
            fs::remove_file(&shell)?;
            return ended;
        }
    }
}

/// Writes what is new: `told` has how many forms of each message are written. Whether there was anything.
fn write_sent(sent: &mut fs::File, told: &mut Vec<usize>, kept: &[Kept]) -> std::io::Result<bool> {
    told.resize(kept.len(), 0);
    let mut is_new = false;
    for (kept, told) in kept.iter().zip(told) {
        for body in kept.before.iter().chain([&kept.body]).skip(*told) {
            writeln!(sent, "{}", alert_double::line(kept, body))?;
            (*told, is_new) = (*told + 1, true);
        }
    }
    Ok(is_new)
}

/// A reader finds the whole of it, or the one before.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

//! The double by hand, for the demo: `alert-double --folder DIR`.
//!
//! DIR gets `shell`, with the addresses as variables, which is there as long as the double is; and `sent`, with one
//! JSON object a line for each message that was taken.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program by hand prints")]

use std::{fs, io::Write, path::PathBuf, time::Duration};

use alert_double::AlertDouble;
use clap::Parser;
use serde_json::json;

#[derive(Parser)]
#[command(about = "Slack and PagerDuty, as strict as they are, on a loopback port, until Ctrl-C")]
struct Arguments {
    /// Where `shell` and `sent` are written
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
    let mut told = 0;
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
        for kept in double.knobs().kept().iter().skip(told) {
            told += 1;
            let line = json!({"service": kept.service, "place": kept.place, "ts": kept.ts, "thread_ts": kept.thread_ts,
                              "body": kept.body});
            writeln!(sent, "{line}")?;
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

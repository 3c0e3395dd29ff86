//! `alert`: trying the channels, and sending what waits.

use serde::Serialize;

use super::{
    Context, args::AlertCommand, complaint::Complaint, exit::Exit, incidents::Unsent, quantity, style,
};
use crate::{alert::Off, error::Failure, run};

#[derive(Debug, Serialize)]
struct Tests {
    channels: Vec<Test>,
}

#[derive(Debug, Serialize)]
struct Test {
    channel: &'static str,
    /// `sent`, `failed`, `off`.
    status: &'static str,
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Sent<'a> {
    sent: u32,
    /// Messages that should have been sent by now, by channel.
    waiting: Vec<Unsent<'a>>,
}

/// Tries the channels, or sends what waits.
pub(super) async fn alert(context: &Context, command: AlertCommand) -> Result<Exit, Complaint> {
    match command {
        AlertCommand::Test { channel } => test(context, channel.as_deref()).await,
        AlertCommand::Send => send(context).await,
    }
}

async fn test(context: &Context, only: Option<&str>) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let (tried, off) = run::test_channels(&project, &environment, only).await;
    let mut tests: Vec<Test> = Vec::new();
    for tried in tried {
        let error = tried.result.err().map(|error| Failure::of(&error));
        let status = if error.is_some() { "failed" } else { "sent" };
        tests.push(Test { channel: tried.channel, status, error });
    }
    let is_meant = |off: &&Off| off.name != "dashboard" && only.is_none_or(|only| only == off.name);
    tests.extend(off.iter().filter(is_meant).map(|off| Test {
        channel: off.name,
        status: "off",
        error: None,
    }));
    if tests.is_empty() {
        let message = match only {
            Some(only) => format!("the project has no {only}"),
            None => "the project has no alert channel".to_owned(),
        };
        return Err(Complaint::usage(
            message,
            Some("[alerts] slack.webhook = \"${SLACK_WEBHOOK:-}\"".to_owned()),
        ));
    }
    let has_failed = tests.iter().any(|test| test.status == "failed");
    if context.output.is_json() {
        context.output.json(&Tests { channels: tests })?;
    } else {
        context.output.data(&tests.iter().map(line).collect::<String>())?;
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

fn line(test: &Test) -> String {
    match &test.error {
        None if test.status == "off" => {
            format!("{} {}   off: its variable is empty\n", style::paint(style::WARNING, "○"), test.channel)
        }
        None => format!("{} {}   sent\n", style::paint(style::GOOD, "✓"), test.channel),
        Some(Failure { message, hint, .. }) => {
            let hint =
                hint.as_ref().map(|hint| format!("    {} {hint}\n", style::paint(style::HINT, "hint:")));
            let sign = style::paint(style::ERROR, "✗");
            format!("{sign} {}   {message}\n{}", test.channel, hint.unwrap_or_default())
        }
    }
}

async fn send(context: &Context) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let (delivered, waiting) = run::send_alerts(&project, &environment).await?;
    let unsent: Vec<Unsent<'_>> = waiting.iter().map(Unsent::from).collect();
    let has_failed = !unsent.is_empty();
    if context.output.is_json() {
        context.output.json(&Sent { sent: delivered.sent, waiting: unsent })?;
    } else {
        let sent = usize::try_from(delivered.sent).unwrap_or(usize::MAX);
        context.output.say(&format!("{} sent", quantity::count(sent, "message")));
        context.output.data(&unsent.iter().map(Unsent::line).collect::<String>())?;
    }
    Ok(if has_failed { Exit::Failed } else { Exit::Done })
}

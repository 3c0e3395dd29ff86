//! What the fuzz tests ask of this module.

use serde_json::Value;

use super::{
    blocks::{self, Looks},
    examples, text,
};
use crate::{
    alert::Message,
    config::Mention,
    event::Tier,
    incident::{Affected, Alarm, Notice, Telling},
};

/// A text in one line, and in its lines: what is written, and whether it keeps its line breaks.
pub(crate) fn written(of: &str, most: usize) -> [(String, bool); 2] {
    [(text::line(of, most), false), (text::lines(of, most), true)]
}

/// A text in the type of code.
pub(crate) fn code(of: &str, most: usize) -> String {
    text::code(of, most)
}

/// A message about an alarm of these texts that calls `@here`.
pub(crate) fn message([project, task, what, why, hint, command, owner, critical]: &[String; 8]) -> Value {
    let mut notice = examples::notice(Telling::Opened);
    let affected = Affected { task: critical.clone(), deadline: Some(owner.clone()) };
    notice.alarm = Alarm {
        tier: Tier::Critical,
        task: Some(task.clone()),
        what: what.clone(),
        why: Some(why.clone()),
        hint: Some(hint.clone()),
        command: command.clone(),
        owner: Some(owner.clone()),
        effect: crate::incident::Effect { critical: vec![affected; why.len() % 14], others: 1 },
        ..notice.alarm
    };
    let notices = [Notice { project: project.clone(), incident: task.clone(), ..notice }];
    let message = Message {
        notices: &notices,
        address: "main",
        loud: true,
        thread: None,
        doubtful: false,
        mark: "p/1",
    };
    let looks = Looks {
        mention: Some(&Mention::Here),
        dashboard: Some("https://barncat.internal"),
        is_threaded: false,
    };
    blocks::message(&message, &looks)
}

//! What people should know of a plan's tasks: as JSON, and as lines that say each thing once.

use serde::Serialize;

use crate::{
    cli::{names::ShortNames, style},
    load::{Advice, Forecast, LateRows},
    run::Plan,
    source::SetBy,
};

/// What is known of a task's cursor.
#[derive(Debug, Serialize)]
pub(super) struct JsonCursor<'a> {
    column: &'a str,
    indexed: bool,
    unique: bool,
    nullable: bool,
    set_by: Option<&'a SetBy>,
}

/// How a task catches rows that the watermark has passed.
#[derive(Debug, Serialize)]
pub(super) struct JsonLateRows {
    overlap_seconds: f64,
    /// 0: at each load; null: never.
    compare_every_seconds: Option<f64>,
    guarantee: String,
}

impl<'a> From<&'a Advice> for JsonCursor<'a> {
    fn from(advice: &'a Advice) -> Self {
        Self {
            column: &advice.cursor,
            indexed: advice.indexed,
            unique: advice.unique,
            nullable: advice.nullable,
            set_by: advice.set_by.as_ref(),
        }
    }
}

impl From<LateRows> for JsonLateRows {
    fn from(late_rows: LateRows) -> Self {
        Self {
            overlap_seconds: late_rows.overlap.as_secs_f64(),
            compare_every_seconds: late_rows.compare_every.map(|every| every.as_secs_f64()),
            guarantee: late_rows.to_string(),
        }
    }
}

/// What is said of one table or of many.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// To be mended, or borne in mind.
    Note(String),
    /// How it works.
    Fact(String),
}

/// Notes and facts of all tasks.
pub(super) fn text(plan: &Plan, names: &ShortNames) -> String {
    let full: Vec<String> = plan.tasks.iter().map(|task| task.spec.target.to_string()).collect();
    let mut all = Vec::new();
    for (task, full) in plan.tasks.iter().zip(&full) {
        let Ok(Forecast { decision, .. }) = &task.forecast else { continue };
        let name = names.short(full);
        all.extend(decision.notes.iter().map(|note| (Said::Note(note.clone()), name)));
        let late_rows = decision.advice.as_ref().map(|advice| format!("late rows: {}", advice.late_rows));
        all.extend(late_rows.map(|fact| (Said::Fact(fact), name)));
    }
    once(all).iter().map(|(said, names)| line(said, names)).collect()
}

/// Each thing once, with the tables that it is true of.
fn once(all: Vec<(Said, &str)>) -> Vec<(Said, Vec<&str>)> {
    let mut once: Vec<(Said, Vec<&str>)> = Vec::new();
    for (said, name) in all {
        match once.iter_mut().find(|(other, _)| *other == said) {
            Some((_, names)) => names.push(name),
            None => once.push((said, vec![name])),
        }
    }
    // How things work comes below what is to be done.
    once.sort_by_key(|(said, _)| matches!(said, Said::Fact(_)));
    once
}

fn line(said: &Said, names: &[&str]) -> String {
    let (mark, text) = match said {
        Said::Note(text) => (style::paint(style::WARNING, "!"), text),
        Said::Fact(text) => (style::paint(style::HINT, "·"), text),
    };
    format!("  {mark} {}   {text}\n", some_of(names))
}

fn some_of(names: &[&str]) -> String {
    const SHOWN_MAX: usize = 4;
    match names.len().saturating_sub(SHOWN_MAX) {
        // One more name is no longer than saying so.
        0 | 1 => names.join(", "),
        more => format!("{} and {more} more", names.get(..SHOWN_MAX).unwrap_or_default().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_true_of_many_tables_is_said_once() {
        let note = |text: &str| Said::Note(text.to_owned());
        let all = vec![
            (note("no index"), "a"),
            (Said::Fact("no index".to_owned()), "a"),
            (note("no index"), "b"),
            (note("nullable"), "b"),
        ];
        let text: String = once(all).iter().map(|(said, names)| line(said, names)).collect();
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text, "  ! a, b   no index\n  ! b   nullable\n  · a   no index\n");
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "a, b, c, d, e");
        assert_eq!(some_of(&["a", "b", "c", "d", "e", "f"]), "a, b, c, d and 2 more");
    }
}

//! `history TABLE --rows`: what the table's checks found in the last runs, with some of the rows.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::{check, complaint::Complaint, moment},
    control::{Control, KeptCheck},
    event::RowSample,
};

/// One of them, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Check<'a> {
    run: &'a str,
    task: &'a str,
    check: &'a str,
    at: Timestamp,
    status: &'a str,
    message: &'a str,
    sample: Option<&'a RowSample>,
}

/// What was found before a table's publishes and by its built-in checks, the latest first.
pub(super) async fn found(controls: &[Control], task: &str, limit: u32) -> Result<Vec<KeptCheck>, Complaint> {
    let mut found = Vec::new();
    for control in controls {
        for task in [task.to_owned(), format!("{task}.checks")] {
            found.extend(control.found_by_checks(Some(&task), None, limit).await?);
        }
    }
    found.sort_by_key(|check| Reverse(check.at));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

pub(super) fn json(found: &[KeptCheck]) -> Vec<Check<'_>> {
    found.iter().map(Check::of).collect()
}

impl<'a> Check<'a> {
    fn of(kept: &'a KeptCheck) -> Self {
        Self {
            run: &kept.run,
            task: &kept.task,
            check: &kept.check,
            at: kept.at,
            status: &kept.status,
            message: &kept.message,
            sample: kept.sample.as_ref(),
        }
    }
}

pub(super) fn text(found: &[KeptCheck]) -> String {
    let mut text = String::new();
    for kept in found {
        text.push_str(&format!("\n{}  {}  {}\n", moment(kept.at), kept.status, kept.message));
        if let Some(sample) = &kept.sample {
            text.push_str(&check::rows(sample));
        }
    }
    text
}

//! What `doctor` found, as text and as JSON. Pure.

use serde::Serialize;

use crate::{
    cli::{quantity, style},
    diagnosis::{Finding, Verdict},
};

/// Everything that was tested.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The worst of all.
    status: Verdict,
    /// One after the other.
    tests: Vec<Tested>,
}

/// A part of the surroundings, and what was found about it.
#[derive(Debug)]
pub(super) struct Part {
    /// `source shop`, `stage`, `warehouse`, `control database`.
    pub(super) name: String,
    /// Host and database, or the stage's url; where it is not even known, its line in the project.
    pub(super) place: String,
    /// In the order of the tests.
    pub(super) findings: Vec<Finding>,
}

/// One test, with the part of the surroundings that it is about.
#[derive(Debug, Serialize)]
struct Tested {
    part: String,
    place: String,
    #[serde(flatten)]
    finding: Finding,
}

impl Default for Report {
    fn default() -> Self {
        Self { status: Verdict::Ok, tests: Vec::new() }
    }
}

impl Report {
    /// Adds what was found about one part.
    pub(super) fn add(&mut self, part: Part) {
        for finding in part.findings {
            self.status = self.status.max(finding.status);
            self.tests.push(Tested { part: part.name.clone(), place: part.place.clone(), finding });
        }
    }

    /// Whether a run would fail.
    pub(super) fn has_failed(&self) -> bool {
        self.status == Verdict::Fail
    }

    /// For people, with a newline at its end.
    pub(super) fn text(&self) -> String {
        let width = self.tests.iter().map(|tested| tested.finding.test.len()).max().unwrap_or(0);
        let mut text = String::new();
        let mut part = None;
        for tested in &self.tests {
            if part != Some((&tested.part, &tested.place)) {
                let gap = if part.is_none() { "" } else { "\n" };
                let name = style::paint(style::STRONG, &tested.part);
                text.push_str(&format!("{gap}{name}   {}\n", tested.place));
                part = Some((&tested.part, &tested.place));
            }
            text.push_str(&lines(&tested.finding, width));
        }
        text.push_str(&format!("\n{}\n", self.counts()));
        text
    }

    fn counts(&self) -> String {
        let count = |verdict| self.tests.iter().filter(|tested| tested.finding.status == verdict).count();
        format!(
            "{} ok, {}, {}",
            count(Verdict::Ok),
            quantity::count(count(Verdict::Warn), "warning"),
            quantity::count(count(Verdict::Fail), "failure")
        )
    }
}

fn lines(finding: &Finding, width: usize) -> String {
    let verdict = match finding.status {
        Verdict::Ok => style::paint(style::GOOD, "ok  "),
        Verdict::Warn => style::paint(style::WARNING, "warn"),
        Verdict::Fail => style::paint(style::ERROR, "fail"),
    };
    let mut text = format!("  {verdict}  {:width$}  {}\n", finding.test, finding.message);
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("        {} {hint}\n", style::paint(style::HINT, "hint:")));
    }
    for line in finding.sql.iter().flat_map(|sql| sql.lines()) {
        text.push_str(&format!("        {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, place: &str, findings: Vec<Finding>) -> Part {
        Part { name: name.into(), place: place.into(), findings }
    }

    fn report() -> Report {
        let mut report = Report::default();
        report.add(part(
            "source shop",
            "replica.internal:5432/shop",
            vec![
                Finding::ok("login", "logs in as barncat_source, PostgreSQL 15.18"),
                Finding::warn("hot_standby_feedback", "is off")
                    .hint("set it")
                    .sql("ALTER SYSTEM …;\nSELECT 1;"),
                Finding::fail("tables", "the role may not read any column of public.orders")
                    .sql("GRANT SELECT ON \"public\".\"orders\" TO \"barncat_source\";"),
            ],
        ));
        let stage = vec![Finding::ok("objects", "can be written, read and deleted")];
        report.add(part("stage", "file:/srv/stage", stage));
        report
    }

    #[test]
    fn a_part_is_named_once_and_each_failure_comes_with_what_mends_it() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&report().text()).to_string());
    }

    #[test]
    fn the_worst_finding_decides() {
        assert!(report().has_failed());
        let mut report = Report::default();
        report.add(part("stage", "file:/srv/stage", vec![Finding::warn("clock", "is off")]));
        assert!(!report.has_failed());
    }

    #[test]
    fn json_names_the_part_at_each_test() {
        insta::assert_json_snapshot!(report());
    }
}

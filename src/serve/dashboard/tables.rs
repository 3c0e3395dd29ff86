//! *Tables*: all of them, by name, by how they stand.

use maud::{Markup, html};

use super::{
    Frame,
    words::{self, Here},
};
use crate::{quantity, serve::view::Task};

/// So many are on a page.
const SHOWN: usize = 100;

/// Which tables are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::serve) struct Wanted {
    /// A part of the name.
    pub(in crate::serve) text: String,
    /// How it stands; empty: however.
    pub(in crate::serve) status: String,
    /// `load`, `model`, `all`; empty: what has a table.
    pub(in crate::serve) kind: String,
    /// From 1.
    pub(in crate::serve) page: usize,
}

const STATUSES: [(&str, &str); 9] = [
    ("", "however they stand"),
    ("bad", "to look at"),
    ("failed", "failed"),
    ("blocked", "blocked"),
    ("held", "held"),
    ("running", "running"),
    ("succeeded", "succeeded"),
    ("unchanged", "unchanged"),
    ("never run", "never run"),
];

const KINDS: [(&str, &str); 4] =
    [("", "tables"), ("load", "loads"), ("model", "models"), ("all", "all tasks")];

impl Wanted {
    fn wants(&self, task: &Task) -> bool {
        let of_kind = match self.kind.as_str() {
            "" => matches!(task.kind, "load" | "model"),
            "all" => true,
            kind => task.kind == kind,
        };
        let of_status = match self.status.as_str() {
            "" => true,
            "bad" => task.is_bad(),
            status => task.state() == status,
        };
        of_kind && of_status && task.task.to_lowercase().contains(&self.text.to_lowercase())
    }

    fn address(&self, page: usize) -> String {
        let of = words::encoded;
        format!(
            "/tables?q={}&status={}&kind={}&page={page}",
            of(&self.text),
            of(&self.status),
            of(&self.kind)
        )
    }
}

/// `tasks`: all that there are.
pub(in crate::serve) fn tables(frame: &Frame, tasks: &[Task], wanted: &Wanted) -> Markup {
    let mut found: Vec<&Task> = tasks.iter().filter(|task| wanted.wants(task)).collect();
    // What somebody should look at is not on the last page.
    found.sort_by_key(|task| match task.state() {
        "failed" | "crashed" => 0,
        _ if task.is_bad() => 1,
        _ => 2,
    });
    let pages = found.len().div_ceil(SHOWN).max(1);
    let page = wanted.page.clamp(1, pages);
    let shown = found.iter().skip((page - 1) * SHOWN).take(SHOWN);
    let main = html! {
        h1 { "Tables" }
        form class="choose" method="get" action="/tables" role="search" {
            label for="q" { "Name" }
            input type="search" id="q" name="q" value=(wanted.text) placeholder="orders" spellcheck="false" autocomplete="off";
            label class="hidden" for="kind" { "Kind" }
            select id="kind" name="kind" { @for (value, name) in KINDS { option value=(value) selected[value == wanted.kind] { (name) } } }
            label class="hidden" for="status" { "Status" }
            select id="status" name="status" { @for (value, name) in STATUSES { option value=(value) selected[value == wanted.status] { (name) } } }
            button type="submit" { "Show" }
        }
        section aria-label="Tables" data-part="tables" {
            @if tasks.is_empty() {
                p class="empty" { "No table is known yet. What wildcards stand for is known once something ran: " (words::command("barncat run")) }
            } @else if found.is_empty() {
                p class="empty" { "None of " (quantity::count(tasks.len(), "task")) " is meant by that. " a href="/tables" { "All tables" } }
            } @else {
                p class="small quiet total" { (quantity::count(found.len(), if wanted.kind == "all" { "task" } else { "table" })) @if pages > 1 { ", page " (page) " of " (pages) } }
                table class="rows" {
                    caption class="hidden" { "Tables, those to look at first" }
                    thead { tr {
                        th scope="col" { "Table" }
                        th scope="col" { "Status" }
                        th scope="col" class="number" { "As of" }
                        th scope="col" class="wide" { "How" }
                        th scope="col" class="number wide" { "Rows" }
                        th scope="col" class="number wide" { "Staged" }
                        th scope="col" class="number wide" { "Took" }
                    } }
                    tbody { @for task in shown { (row(&frame.here, task)) } }
                }
                @if pages > 1 {
                    nav class="pager" aria-label="Pages of the list" {
                        @if page > 1 { a href=(wanted.address(page - 1)) rel="prev" { "Before" } }
                        @if page < pages { a href=(wanted.address(page + 1)) rel="next" { "Next" } }
                    }
                }
            }
        }
    };
    frame.page("/tables", "Tables", &main)
}

fn row(here: &Here, task: &Task) -> Markup {
    html! {
        tr {
            th scope="row" {
                (words::task(&task.task)) " " (words::tier(task.tier == "critical", task.critical_by.as_deref()))
                @if task.hold.is_some() { " " span class="tag" { "on hold" } }
                @if task.is_bad() {
                    @if let Some(error) = &task.error { p class=(if task.status.as_deref() == Some("failed") { "small why" } else { "small quiet" }) { (words::short(error, 160)) } }
                }
            }
            td { (words::status(task.state())) }
            td class="number" { @match task.as_of { Some(as_of) => { (here.ago(as_of)) }, None => { span class="quiet" { "–" } } } }
            td class="wide" { (task.kind) @if let Some(strategy) = task.strategy.as_deref().filter(|strategy| *strategy != task.kind) { span class="quiet" { ", " (words::visible(strategy)) } } }
            td class="number wide" { (words::rows(task.rows)) }
            td class="number wide" { (words::bytes(task.bytes)) }
            td class="number wide" { (words::duration(task.seconds.filter(|_| words::has_begun(task.state())))) }
        }
    }
}

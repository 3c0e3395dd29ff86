//! *Table*: what it shows, its loads over time, how its schema changed, what its checks found.

use maud::{Markup, html};

use super::{
    Frame, chart, checks,
    words::{self, Here, Tone, heading},
};
use crate::{
    dag::selection::written,
    quantity,
    serve::view::{Load, TablePage, Task, argument},
};

pub(in crate::serve) fn table(frame: &Frame, page: &TablePage) -> Markup {
    let (here, task) = (&frame.here, &page.task);
    let has_table = matches!(task.kind, "load" | "model");
    let main = html! {
        div class="title" data-part="title" {
            p class="above" { a href="/tables" { "Tables" } }
            h1 class="long" { (words::name(&task.task)) }
            (words::status(task.state())) " " (words::tier(task.tier == "critical", None))
            p class="quiet" {
                (task.kind)
                @if let Some(strategy) = task.strategy.as_deref().filter(|strategy| *strategy != task.kind) { ", " (words::visible(strategy)) }
                @if let Some(source) = &task.source { " from " (words::name(source)) }
                @if let Some(owner) = &task.owner { ", of " (words::name(owner)) }
                @for tag in &task.tags { " " span class="tag" { (words::visible(tag)) } }
            }
        }
        (troubles(task))
        section aria-label="Figures" data-part="figures" { (figures(here, task, has_table)) }
        @if !page.loads.is_empty() { section aria-labelledby="over-time" data-part="charts" { (charts(page, has_table)) } }
        section aria-labelledby="loads" data-part="loads" { (loads(here, page, has_table)) }
        @if !page.checks.is_empty() {
            section aria-labelledby="checks" data-part="checks" {
                (heading("checks", "Checks", Some(page.checks.len())))
                table class="rows" {
                    caption class="hidden" { "What its checks found the last time" }
                    thead { tr { th scope="col" { "Check" } th scope="col" { "Found" } th scope="col" class="wide" { "Message" } th scope="col" class="number" { "Asked" } } }
                    tbody { @for check in &page.checks { (checks::row(here, check, Some(&task.task))) } }
                }
            }
        }
        @if !page.schemas.is_empty() { section aria-labelledby="schema" data-part="schema" { (schema(here, page)) } }
        section aria-labelledby="around" data-part="around" { (around(page)) }
        p class="acts" { (words::command(&format!("barncat why {}", argument(&task.task)))) " walks back to the first cause. " (acts(task)) }
    };
    frame.page("/tables", &task.task, &main)
}

fn acts(task: &Task) -> Markup {
    html! {
        @match (task.kind, &task.hold) {
            (_, Some(_)) => { (words::command(&format!("barncat release {}", argument(&task.task)))) " lets it go." },
            ("load" | "model", None) => { (words::command(&format!("barncat run {}", argument(&task.task)))) " brings it up to date; " (words::command(&format!("barncat hold {} --for 12h", argument(&task.task)))) " keeps it as it is." },
            ("check", None) => { (words::command(&format!("barncat check {} --rows", argument(&task.task)))) " asks it now." },
            _ => { (words::command(&format!("barncat run {}", argument(&task.task)))) " starts it." },
        }
    }
}

fn troubles(task: &Task) -> Markup {
    html! {
        @if let Some(hold) = &task.hold { p class="note warn" data-part="hold" { (words::visible(hold)) } }
        @if task.is_bad() && let Some(error) = &task.error {
            div class="note bad" data-part="error" {
                p { (words::visible(error)) }
                @if let Some(hint) = &task.hint { p class="small" { (words::visible(hint)) } }
            }
        }
        @if task.is_bad() && let Some(by) = &task.blocked_by {
            p class="note warn" data-part="blocked" { "Blocked by " (words::task(by)) "." }
        }
    }
}

fn figures(here: &Here, task: &Task, has_table: bool) -> Markup {
    html! {
        dl class="figures" {
            @if has_table {
                div { dt { "Shows the source of" }
                    @match task.as_of {
                        Some(as_of) => { dd { (here.ago(as_of)) } dd class="small quiet" { (here.clock(as_of)) @if let Some(lag) = task.lag_seconds.filter(|lag| *lag >= 1.0) { ", which was " (quantity::duration(lag)) " behind" } } },
                        None => { dd class="text quiet" { "nothing yet" } },
                    } }
                div { dt { "Rows of the load" } dd { (words::rows(task.rows)) } }
                div { dt { "Staged" } dd { (words::bytes(task.bytes)) } }
            }
            div { dt { "Took" } dd { (words::duration(task.seconds)) }
                @if let Some(expected) = task.expected_seconds { dd class="small quiet" { (quantity::duration(expected)) " usually" } } }
            div { dt { "Last tried" }
                @match (task.started_at, &task.run) {
                    (Some(at), Some(run)) => { dd { (here.ago(at)) } dd class="small" { "run " (words::run(run)) } },
                    _ => { dd class="text quiet" { "never" } },
                }
                @if let Some((run, since)) = task.running_in.as_ref().zip(task.running_since) { dd class="small" { "runs for " (here.lasting(since)) ", run " (words::run(run)) } } }
            @if let Some(deadline) = &task.deadline { div { dt { "Due" } dd class="text" { (words::visible(deadline)) } } }
            @if let Some(why) = &task.critical_by { div { dt { "Critical" } dd class="text" { (words::visible(why)) } } }
        }
    }
}

/// Rows, bytes and times of the loads, the oldest first.
fn charts(page: &TablePage, has_table: bool) -> Markup {
    let loads: Vec<&Load> = page
        .loads
        .iter()
        .rev()
        .filter(|load| matches!(load.kind.as_str(), "load" | "model" | "check" | "command"))
        .collect();
    let has_late = loads.iter().any(|load| load.late_rows.is_some_and(|rows| rows > 0));
    html! {
        (heading("over-time", "Over time", None))
        div class="charts" {
            (series("Duration", &loads, &|load| load.seconds, &quantity::duration))
            @if has_table {
                (series("Rows", &loads, &|load| load.rows.map(|rows| rows as f64), &|rows| quantity::short(rows as u64)))
                (series("Staged", &loads, &|load| load.bytes.map(|bytes| bytes as f64), &|bytes| quantity::bytes(bytes as u64)))
            }
            @if has_late {
                (series("Late rows", &loads, &|load| load.late_rows.map(|rows| rows as f64), &|rows| quantity::short(rows as u64)))
            }
        }
    }
}

fn series(
    title: &str,
    loads: &[&Load],
    of: &dyn Fn(&Load) -> Option<f64>,
    write: &dyn Fn(f64) -> String,
) -> Markup {
    let is_done = |load: &Load| matches!(load.status.as_str(), "succeeded" | "unchanged");
    let values: Vec<f64> = loads.iter().filter(|load| is_done(load)).filter_map(|load| of(load)).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let bars: Vec<chart::Bar> = loads
        .iter()
        .map(|load| {
            let value = of(load).filter(|_| is_done(load));
            chart::Bar {
                value,
                tone: if is_done(load) { Tone::Calm } else { Tone::of(&load.status) },
                words: format!(
                    "{}: {} {}",
                    load.started_at.strftime("%F %H:%M UTC"),
                    value.map_or(String::new(), write),
                    load.status
                ),
            }
        })
        .collect();
    let summary = match values.last() {
        Some(last) => {
            format!("{title}: {} the last time, from {} to {}", write(*last), write(least), write(most))
        }
        None => format!("{title}: not known"),
    };
    html! {
        figure {
            figcaption { (title) @if let Some(last) = values.last() { " " b { (write(*last)) } ", at most " (write(most)) } }
            @if values.is_empty() { p class="quiet small" { "not known" } } @else { (chart::bars(&bars, &summary)) }
        }
    }
}

fn loads(here: &Here, page: &TablePage, has_table: bool) -> Markup {
    let has_late = page.loads.iter().any(|load| load.late_rows.is_some());
    html! {
        (heading("loads", if has_table { "Loads" } else { "History" }, None))
        @if page.loads.is_empty() {
            p class="empty" { "It has not run yet. " (words::command(&format!("barncat run {}", argument(&page.task.task)))) }
        } @else {
            table class="rows loads" {
                caption class="hidden" { "What was tried, the latest first" }
                thead { tr {
                    th scope="col" { "Started" }
                    th scope="col" { "Status" }
                    th scope="col" class="number" { "Took" }
                    @if has_table {
                        th scope="col" class="number" { "Rows" }
                        @if has_late { th scope="col" class="number wide" { "Late" } }
                        th scope="col" class="number wide" { "Staged" }
                    }
                    th scope="col" { "Why, and how" }
                } }
                tbody { @for load in &page.loads { (load_row(here, load, has_table, has_late)) } }
            }
            @if page.task.kind == "load" {
                p class="small quiet" { "A load can be restored as long as the stage keeps it; " (words::command(&format!("barncat history {}", argument(&page.task.task)))) " asks the stage which those are." }
            }
        }
    }
}

fn load_row(here: &Here, load: &Load, has_table: bool, has_late: bool) -> Markup {
    let kind =
        (!matches!(load.kind.as_str(), "load" | "model" | "check" | "command")).then_some(load.kind.as_str());
    html! {
        tr {
            th scope="row" { a href=(words::run_address(&load.run)) { (here.clock(load.started_at)) } }
            td { (words::status(&load.status)) @if let Some(kind) = kind { " " span class="tag" { (words::visible(kind)) } } }
            td class="number" { (words::duration(load.seconds)) @if load.attempts.is_some_and(|attempts| attempts > 1) { span class="quiet" { " ×" (load.attempts.unwrap_or_default()) } } }
            @if has_table {
                td class="number" { (words::rows(load.rows)) span class="quiet narrow" { " rows" } }
                @if has_late { td class="number wide" { (words::rows(load.late_rows)) } }
                td class="number wide" { (words::bytes(load.bytes)) }
            }
            td class="what" {
                @if let Some(error) = &load.error { p class="why" { (words::short(error, 300)) } }
                @if let Some(reason) = &load.reason { (words::visible(reason)) }
                @if let Some(publish) = &load.publish { span class="quiet" { ", by " (words::visible(publish)) } }
                @if let Some(watermark) = &load.watermark { p class="small quiet" { "up to " (words::visible(watermark)) } }
                @if let Some(restore) = &load.restore { (words::command(restore)) }
            }
        }
    }
}

fn schema(here: &Here, page: &TablePage) -> Markup {
    html! {
        (heading("schema", "Schema", None))
        ol class="schemas" {
            @for state in &page.schemas {
                li {
                    p class="head" { (here.clock(state.seen_at)) " " span class="id quiet" title=(words::visible(&state.hash)) { (words::short(state.hash.split_once(':').map_or(state.hash.as_str(), |(_, hash)| hash), 9)) } }
                    @match &state.changes {
                        Some(changes) if changes.is_empty() => { p class="quiet" { "no difference that can be told" } },
                        Some(changes) => { ul class="plain" { @for change in changes { li { (words::visible(change)) } } } },
                        None => { p class="quiet" { "as it was first seen" } },
                    }
                }
            }
        }
        @if !page.columns.is_empty() {
            details {
                summary { (quantity::count(page.columns.len(), "column")) }
                table {
                    caption class="hidden" { "Its columns in the source" }
                    thead { tr { th scope="col" { "Column" } th scope="col" { "Type" } th scope="col" { "NULL" } } }
                    tbody {
                        @for column in &page.columns {
                            tr { th scope="row" { (words::name(&column.name)) @if column.key { " " span class="tag" { "key" } } } td { (words::visible(&column.sql_type)) } td { @if column.nullable { "allowed" } @else { span class="quiet" { "–" } } } }
                        }
                    }
                }
            }
        }
    }
}

fn around(page: &TablePage) -> Markup {
    html! {
        (heading("around", "Around it", None))
        dl class="around" {
            div { dt { "Needs" } @if page.needs.is_empty() { dd class="quiet" { "nothing" } } @for need in &page.needs { dd { (words::task(&need.task)) " " span class="quiet" { (need.kind) @if need.soft { ", can go on without" } } } } }
            div { dt { "Needed by" } @if page.needed_by.is_empty() { dd class="quiet" { "nothing" } } @for need in &page.needed_by { dd { (words::task(&need.task)) " " span class="quiet" { (need.kind) @if need.soft { ", can go on without" } } } } }
        }
        p { a href=(format!("/graph?select={}", words::encoded(&written(&[format!("+{}+", page.task.task)], &[])))) { "Its part of the graph" } }
    }
}

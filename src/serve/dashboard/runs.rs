//! *Runs*: all of them, a page at a time.

use maud::{Markup, html};

use super::{
    Frame,
    today::selection,
    words::{self, Here},
};
use crate::{quantity, serve::view::Run};

/// `next`: the run that the next page comes before.
pub(in crate::serve) fn runs(frame: &Frame, runs: &[Run], is_first: bool, next: Option<&str>) -> Markup {
    let main = html! {
        h1 { "Runs" }
        section aria-label="Runs" data-part="runs" {
            @if runs.is_empty() {
                p class="empty" { "Nothing has run yet. " (words::command("barncat run")) " starts the first run." }
            } @else {
                table class="rows runs" {
                    caption class="hidden" { "Runs, the latest first" }
                    (head())
                    tbody { @for run in runs { (row(&frame.here, run)) } }
                }
                nav class="pager" aria-label="More runs" {
                    @if !is_first { a href="/runs" { "The latest" } }
                    @if let Some(next) = next { a href=(format!("/runs?before={}", words::encoded(next))) rel="next" { "Earlier runs" } }
                }
            }
        }
        p class="acts" { (words::command("barncat run --failed")) " does again what did not end well." }
    };
    frame.page("/runs", "Runs", &main)
}

pub(super) fn head() -> Markup {
    html! {
        thead { tr {
            th scope="col" { "Started" }
            th scope="col" { "Status" }
            th scope="col" class="wide" { "What" }
            th scope="col" class="number" { "Tasks" }
            th scope="col" class="number wide" { "Rows" }
            th scope="col" class="number wide" { "Staged" }
            th scope="col" class="number" { "Took" }
            th scope="col" class="wide" { "Run" }
        } }
    }
}

pub(super) fn row(here: &Here, run: &Run) -> Markup {
    let bad = run.bad();
    html! {
        tr {
            th scope="row" {
                a href=(words::run_address(&run.run)) { (here.clock(run.started_at)) }
                span class="narrow" { " " (selection(&run.selection)) }
            }
            td { (words::status(&run.status)) }
            td class="what wide" { (selection(&run.selection)) @if run.mode != "production" { " " span class="tag" { (words::visible(&run.mode)) } } }
            td class="number" {
                (quantity::exact(run.well()))
                @if let Some(all) = run.tasks { span class="quiet" { " of " (quantity::exact(all)) } }
                span class="quiet narrow" { " tasks" }
                @if bad > 0 { " " span class="status bad" { (quantity::exact(bad)) " ✗" } }
            }
            td class="number wide" { (quantity::exact(run.rows)) }
            td class="number wide" { (quantity::bytes(run.bytes)) }
            td class="number" { @if run.ended_at.is_none() && run.status == "running" { (here.lasting(run.started_at)) } @else { (quantity::duration(run.seconds)) } }
            td class="wide" { (words::run(&run.run)) }
        }
    }
}

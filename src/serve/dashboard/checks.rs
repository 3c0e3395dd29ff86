//! *Checks*: what each of them found the last time, what is wrong first.

use maud::{Markup, html};

use super::{
    Frame, chart,
    words::{self, Here, Tone},
};
use crate::{quantity, serve::view::Check};

/// So many are on a page.
const SHOWN: usize = 100;

pub(in crate::serve) fn checks(frame: &Frame, checks: &[Check], page: usize) -> Markup {
    let count = |status: &str| checks.iter().filter(|check| check.status == status).count();
    let parts = ["failed", "warned", "passed"].map(|status| (count(status) as u64, Tone::of(status), status));
    let pages = checks.len().div_ceil(SHOWN).max(1);
    let page = page.clamp(1, pages);
    let shown = checks.iter().skip((page - 1) * SHOWN).take(SHOWN);
    let main = html! {
        h1 { "Checks" }
        section aria-label="Checks" data-part="checks" {
            @if checks.is_empty() {
                p class="empty" { "No check has been asked yet. A table's " code { "checks" } " and the files of " code { "sql/checks/" } " are asked in each run, and by " (words::command("barncat check")) }
            } @else {
                (chart::parts(&parts, &parts.map(|(count, _, status)| format!("{count} {status}")).join(", ")))
                ul class="legend" { @for (count, _, status) in parts.iter().filter(|(count, _, _)| *count > 0) { li { (words::status(status)) " " b { (quantity::exact(*count)) } } } }
                table class="rows" {
                    caption class="hidden" { "Checks, those that failed first" }
                    thead { tr {
                        th scope="col" { "Check" }
                        th scope="col" class="wide" { "Of" }
                        th scope="col" { "Found" }
                        th scope="col" class="wide" { "Message" }
                        th scope="col" class="number" { "Asked" }
                    } }
                    tbody { @for check in shown { (row(&frame.here, check, None)) } }
                }
                @if pages > 1 {
                    nav class="pager" aria-label="Pages of the list" {
                        @if page > 1 { a href=(format!("/checks?page={}", page - 1)) rel="prev" { "Before" } }
                        @if page < pages { a href=(format!("/checks?page={}", page + 1)) rel="next" { "Next" } }
                    }
                }
            }
        }
    };
    frame.page("/checks", "Checks", &main)
}

/// `of`: the table whose page it stands on.
pub(super) fn row(here: &Here, check: &Check, of: Option<&str>) -> Markup {
    let is_bad = check.status != "passed";
    let is_a_file = check.check == check.task;
    // A file's check names its file, which its name says already.
    let message = check.message.strip_prefix(&format!("{}: ", check.check)).unwrap_or(&check.message);
    let message = match message.split_once(&format!("/{}.sql ", check.check)) {
        Some((_, found)) if is_a_file => found,
        _ => message,
    };
    html! {
        tr {
            th scope="row" {
                @if is_a_file && of.is_none() { (words::task(&check.task)) } @else { span class="check" { (words::name(&check.check)) } }
                @if check.before_publish { " " span class="tag" { "before the publish" } }
                @if of.is_none() && !is_a_file { p class="small quiet narrow" { "of " (words::task(check.table())) } }
                @if is_bad { p class="small why narrow" { (words::visible(message)) } p { (words::command(&check.command())) } }
            }
            @if of.is_none() { td class="wide of" { @if is_a_file { span class="quiet" { "–" } } @else { (words::task(check.table())) } } }
            td { (words::status(&check.status)) }
            td class="wide what" { (words::visible(message)) }
            td class="number" { a href=(words::run_address(&check.run)) { (here.ago(check.at)) } }
        }
    }
}

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
                table {
                    caption class="hidden" { "Checks, those that failed first" }
                    thead { tr {
                        th scope="col" { "Check" }
                        th scope="col" { "Found" }
                        th scope="col" class="wide" { "Message" }
                        th scope="col" class="number wide" { "Rows" }
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
    let is_elsewhere = check.check != check.table() && of != Some(check.table());
    let message = check.message.strip_prefix(&format!("{}: ", check.check)).unwrap_or(&check.message);
    html! {
        tr {
            th scope="row" {
                span class="check" { (words::visible(&check.check)) }
                @if is_elsewhere { p class="small quiet" { "of " (words::task(check.table())) @if check.before_publish { ", before its publish" } } }
                @else if check.before_publish { p class="small quiet" { "before the publish" } }
                @if is_bad { p class="small why narrow" { (words::visible(message)) } (words::command(&check.command())) }
            }
            td { (words::status(&check.status)) }
            td class="wide what" { (words::visible(message)) }
            td class="number wide" { (words::rows(check.rows)) @if let Some(of) = check.of { span class="quiet" { " of " (quantity::exact(of)) } } }
            td class="number" { a href=(words::run_address(&check.run)) { (here.ago(check.at)) } }
        }
    }
}

//! A page where there is nothing else to show.

use maud::{Markup, html};

use super::{Frame, words};
use crate::error::Failure;

/// Says what is wrong, and what to do about it.
pub(in crate::serve) fn problem(frame: &Frame, title: &str, failure: &Failure) -> Markup {
    let main = html! {
        div class="problem" data-part="problem" {
            h1 { (title) }
            p { (words::visible(&failure.message)) }
            @if let Some(hint) = &failure.hint { p class="quiet" { (words::visible(hint)) } }
            p { a href="/" { "Today" } " shows what is known; " (words::command("barncat doctor")) " tests everything." }
        }
    };
    frame.page("", title, &main)
}

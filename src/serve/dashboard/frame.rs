//! What every page has: head, navigation, and when it was read.

use maud::{DOCTYPE, Markup, html};

use super::{assets::link, words, words::Here};
use crate::{error::Failure, serve::view::Look};

/// The pages that are always one step away.
const PAGES: [(&str, &str); 5] =
    [("/", "Today"), ("/graph", "Graph"), ("/tables", "Tables"), ("/runs", "Runs"), ("/checks", "Checks")];

/// A page's surroundings.
pub(in crate::serve) struct Frame {
    pub(super) here: Here,
    project: String,
    /// When what it shows was read.
    read_at: Option<jiff::Timestamp>,
    /// Why that is not now.
    trouble: Option<Failure>,
    zone: String,
    pulse: String,
}

impl Frame {
    pub(in crate::serve) fn of(look: &Look) -> Self {
        Self {
            here: Here { now: look.now, zone: look.zone.clone() },
            project: look.project.name.clone(),
            read_at: Some(look.overview.read_at),
            trouble: look.trouble.clone(),
            zone: look.project.timezone.clone(),
            pulse: look.pulse.clone(),
        }
    }

    /// Of a page that has nothing to show.
    pub(in crate::serve) fn bare(project: &crate::config::Project, now: jiff::Timestamp) -> Self {
        Self {
            here: Here { now, zone: project.zone() },
            project: project.name.clone(),
            read_at: None,
            trouble: None,
            zone: project.timezone.clone(),
            pulse: String::new(),
        }
    }

    /// The whole page. `page`: which of the pages it belongs to.
    pub(super) fn page(&self, page: &str, title: &str, main: &Markup) -> Markup {
        let title = words::visible(title);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · " (words::visible(&self.project)) " · barncat" }
                    link rel="icon" href=(link("icon.svg")) type="image/svg+xml";
                    link rel="stylesheet" href=(link("dashboard.css"));
                    script src=(link("dashboard.js")) defer {}
                }
                body data-pulse=(self.pulse) {
                    a class="skip" href="#main" { "Skip to the content" }
                    header class="top" {
                        a class="mark" href="/" { (cat()) span { "barncat" } }
                        span class="project" { (words::name(&self.project)) }
                        nav aria-label="Pages" {
                            ul {
                                @for (address, name) in PAGES {
                                    li { a href=(address) aria-current=[(address == page).then_some("page")] { (name) } }
                                }
                            }
                        }
                        p class="live" data-live role="status" { }
                    }
                    main id="main" tabindex="-1" {
                        @if let Some(trouble) = &self.trouble { (self.stale(trouble)) }
                        (main)
                    }
                    footer {
                        p data-part="read" {
                            @if let Some(read_at) = self.read_at { "As of " (self.here.clock(read_at)) ". " }
                            "Times are of " (words::visible(&self.zone)) ". Reading only: acting stays on the command line. "
                            a href="/api/v1/openapi.json" { "API" } " · " a href="/metrics" { "metrics" } " · "
                            "barncat " (env!("CARGO_PKG_VERSION"))
                        }
                    }
                }
            }
        }
    }

    fn stale(&self, trouble: &Failure) -> Markup {
        html! {
            div class="note bad" role="alert" data-part="stale" {
                p { strong { "The control database does not answer." } " This is how it was"
                    @if let Some(read_at) = self.read_at { " at " (self.here.clock(read_at)) } ". Loads in progress publish all the same; nothing new starts." }
                p class="small" { (words::visible(&trouble.message)) }
            }
        }
    }
}

/// The barn cat, ears up.
fn cat() -> Markup {
    html! {
        svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" {
            path class="fur" d="M4 21V8.5L3.2 2.6 8.4 6h7.2l5.2-3.4L20 8.5V21c-2.6 1-13.4 1-16 0Z" {}
            circle class="eye" cx="9" cy="12" r="1.35" {}
            circle class="eye" cx="15" cy="12" r="1.35" {}
            path class="eye" d="M10.9 15.2h2.2L12 16.5Z" {}
        }
    }
}

//! The small pieces that pages are made of: names, times, numbers, statuses, commands.

use jiff::{Timestamp, tz::TimeZone};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{quantity, serve::view::is_hidden};

/// Where and when a page is read.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

/// Longer names are cut off where they stand beside others, and told whole to who points at them.
const LONG: usize = 72;

/// What stands for itself in a path's segment.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// A name as text of its own direction. What would not be seen, or would turn other text about, is written out.
pub(super) fn name(name: &str) -> Markup {
    html! { bdi { (breaking(&visible(name))) } }
}

/// A text whose lines break behind the dots and underscores of names, rather than amid a word.
fn breaking(text: &str) -> Markup {
    html! { @for (nth, part) in text.split_inclusive(['.', '_']).enumerate() { @if nth > 0 { wbr; } (part) } }
}

/// A text in which nothing is hidden.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_hidden(letter) {
            true => shown.extend(letter.escape_unicode()),
            false => shown.push(letter),
        }
    }
    shown
}

/// As much of a text as has room.
pub(super) fn short(text: &str, letters: usize) -> String {
    let text = visible(text);
    match text.chars().count() {
        count if count <= letters => text,
        _ => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The address of a task's page.
pub(super) fn task_address(task: &str) -> String {
    format!("/tables/{}", encoded(task))
}

/// The address of a run's page.
pub(super) fn run_address(run: &str) -> String {
    format!("/runs/{}", encoded(run))
}

/// A part of an address.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A link to a task's page.
pub(super) fn task(task: &str) -> Markup {
    html! { a class="name" href=(task_address(task)) title=[title(task)] { bdi { (breaking(&short(task, LONG))) } } }
}

/// Links to several; no line begins with a comma.
pub(super) fn tasks<'a>(tasks: impl IntoIterator<Item = &'a str>) -> Markup {
    let mut tasks = tasks.into_iter().peekable();
    let mut list = Vec::new();
    while let Some(one) = tasks.next() {
        list.push(html! { span class="item" { (task(one)) @if tasks.peek().is_some() { "," } } });
    }
    html! { @for (nth, item) in list.iter().enumerate() { @if nth > 0 { " " } (item) } }
}

/// A name that may be cut off is told whole.
fn title(name: &str) -> Option<String> {
    (name.chars().count() > LONG).then(|| visible(name))
}

/// A link to a run's page, by as much of its id as tells it apart.
pub(super) fn run(run: &str) -> Markup {
    let end = run.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
    html! { a class="id" href=(run_address(run)) title=(visible(run)) { "…" (visible(&run[end..])) } }
}

impl Here {
    /// `06:12`, with its day where that is not today.
    pub(super) fn clock(&self, at: Timestamp) -> Markup {
        let zoned = at.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date();
        let days = (zoned.date() - today).get_days().abs();
        let text = match days {
            0 => zoned.strftime("%H:%M"),
            1..=6 => zoned.strftime("%a %H:%M"),
            _ if zoned.year() == today.year() => zoned.strftime("%-d %b %H:%M"),
            _ => zoned.strftime("%-d %b %Y"),
        };
        time(at, &text.to_string())
    }

    /// `2 h ago`; the script keeps it true.
    pub(super) fn ago(&self, at: Timestamp) -> Markup {
        let text = format!("{} ago", self.since(at));
        html! { time datetime=(at) title=(in_utc(at)) data-ago="ago" { (text) } }
    }

    /// `2 h`, of what goes on.
    pub(super) fn lasting(&self, since: Timestamp) -> Markup {
        html! { time datetime=(since) title=(in_utc(since)) data-ago="for" { (self.since(since)) } }
    }

    pub(super) fn since(&self, at: Timestamp) -> String {
        rough(self.now.duration_since(at).as_secs_f64())
    }

    /// `Saturday 28 November`.
    pub(super) fn day(&self) -> String {
        self.now.to_zoned(self.zone.clone()).strftime("%A %-d %B").to_string()
    }
}

fn time(at: Timestamp, text: &str) -> Markup {
    html! { time datetime=(at) title=(in_utc(at)) { (text) } }
}

fn in_utc(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}

/// `40 s`, `12 min`, `3 h`, `5 d`: as exact as an age has to be. The script does the same.
pub(super) fn rough(seconds: f64) -> String {
    match seconds.max(0.0).round() as u64 {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6_000 => format!("{} min", seconds / 60),
        seconds @ 6_000..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

pub(super) fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(none, quantity::duration)
}

pub(super) fn rows(rows: Option<u64>) -> String {
    rows.map_or_else(none, quantity::exact)
}

pub(super) fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(none, quantity::bytes)
}

fn none() -> String {
    "–".to_owned()
}

/// `4 min early`, `12 s late`.
pub(super) fn slack(seconds: f64) -> String {
    let word = if seconds < 0.0 { "late" } else { "early" };
    format!("{} {word}", rough(seconds.abs()))
}

/// What a status means to whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
    Busy,
    Calm,
}

impl Tone {
    pub(super) fn of(status: &str) -> Self {
        match status {
            "succeeded" | "met" | "passed" => Self::Good,
            "failed" | "crashed" | "missed" => Self::Bad,
            "blocked" | "held" | "degraded" | "warned" | "in_danger" | "settling" | "cancelled" => Self::Warn,
            "running" => Self::Busy,
            _ => Self::Calm,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Calm => "calm",
        }
    }
}

/// A sign beside the colour, for who sees none.
pub(super) fn sign(status: &str) -> &'static str {
    match status {
        "succeeded" | "met" | "passed" => "✓",
        "unchanged" => "=",
        "failed" | "missed" => "✗",
        "crashed" => "†",
        "blocked" => "⊘",
        "held" => "‖",
        "degraded" | "warned" | "in_danger" => "!",
        "running" => "▸",
        "cancelled" => "■",
        _ => "·",
    }
}

/// Whether a task that ended so did anything at all.
pub(super) fn has_begun(status: &str) -> bool {
    !matches!(status, "blocked" | "held" | "skipped")
}

/// A status with its sign.
pub(super) fn status(status: &str) -> Markup {
    let class = format!("status {}", Tone::of(status).class());
    html! { span class=(class) { span class="sign" aria-hidden="true" { (sign(status)) } (visible(&status.replace('_', " "))) } }
}

/// A command line, to be copied.
pub(super) fn command(command: &str) -> Markup {
    html! {
        span class="command" {
            code { @for (nth, word) in visible(command).split(' ').enumerate() { @if nth > 0 { " " } span { (breaking(word)) } } }
            button type="button" data-copy=(command) hidden { "Copy" }
        }
    }
}

/// `critical`, where it is; with the reason for who asks.
pub(super) fn tier(is_critical: bool, why: Option<&str>) -> Markup {
    html! { @if is_critical { span class="tier" title=[why.map(visible)] { "critical" } } }
}

/// A heading with a number behind it.
pub(super) fn heading(id: &str, title: &str, count: Option<usize>) -> Markup {
    html! {
        h2 id=(id) { (title) @if let Some(count) = count { " " span class="count" { (quantity::exact(count as u64)) } } }
    }
}

/// What stands where there is nothing.
pub(super) fn empty(what: &str) -> Markup {
    html! { p class="empty" { (what) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_as_exact_as_they_have_to_be() {
        let written = [-3.0, 0.4, 99.0, 100.0, 5_999.0, 6_000.0, 172_799.0, 172_800.0].map(rough);
        assert_eq!(written, ["0 s", "0 s", "99 s", "1 min", "99 min", "1 h", "47 h", "2 d"]);
    }

    #[test]
    fn what_is_not_seen_is_written_out_and_emoji_are_not() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{200b}"), "a\\u{202e}b\\u{0}c\\u{200b}");
        assert_eq!(visible("שלום 🐈"), "שלום 🐈");
        assert_eq!(short("🐈🐈🐈🐈", 3), "🐈🐈…");
    }

    #[test]
    fn a_name_is_one_part_of_an_address() {
        assert_eq!(task_address("a.b/c?<>'\" #%é"), "/tables/a.b%2Fc%3F%3C%3E%27%22%20%23%25%C3%A9");
    }
}

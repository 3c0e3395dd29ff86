//! Small charts, drawn by the server. Each says in words what it shows; the numbers stand in a table beside it.

use maud::{Markup, html};

use super::words::Tone;

/// How wide and high a chart of bars is; a wide one is as high.
const SIZE: (f64, f64) = (480.0, 72.0);
const WIDE: f64 = 1180.0;

/// One bar.
pub(super) struct Bar {
    /// How high; `None`: only a mark at the bottom.
    pub(super) value: Option<f64>,
    pub(super) tone: Tone,
    /// What is told of it.
    pub(super) words: String,
}

/// Bars in a row, the oldest first. `summary` says what they tell.
pub(super) fn bars(bars: &[Bar], summary: &str) -> Markup {
    drawn(bars, summary, SIZE.0)
}

/// The same over the whole page.
pub(super) fn strip(bars: &[Bar], summary: &str) -> Markup {
    drawn(bars, summary, WIDE)
}

fn drawn(bars: &[Bar], summary: &str, width: f64) -> Markup {
    let top = bars.iter().filter_map(|bar| bar.value).fold(0.0, f64::max);
    let height = SIZE.1;
    // Few bars are not made fat.
    let step = width / (bars.len() as f64).max(width / 20.0);
    let first = width - step * bars.len() as f64;
    let scale = |value: f64| if top > 0.0 { (height - 4.0) * value / top } else { 0.0 };
    html! {
        svg class="bars" viewBox=(format!("0 0 {width} {height}")) preserveAspectRatio="none" role="img" aria-label=(summary) {
            line class="base" x1="0" x2=(width) y1=(height - 1.0) y2=(height - 1.0) {}
            @for (nth, bar) in bars.iter().enumerate() {
                @let high = bar.value.map_or(4.0, |value| scale(value).max(1.5));
                rect class=(bar.tone.class()) x=(round(first + step * nth as f64 + 1.0)) y=(round(height - 1.0 - high))
                    width=(round((step - 2.0).max(1.0))) height=(round(high)) rx="1" { title { (bar.words) } }
            }
        }
    }
}

/// A share of something done, between nothing and all.
pub(super) fn progress(share: f64, words: &str) -> Markup {
    let percent = (share.clamp(0.0, 1.0) * 100.0).round();
    html! {
        svg class="progress" width="100%" height="6" role="img" aria-label=(words) {
            rect class="all" width="100%" height="6" rx="3" {}
            rect class="done" width=(format!("{percent}%")) height="6" rx="3" {}
        }
    }
}

/// Parts of a whole, side by side.
pub(super) fn parts(parts: &[(u64, Tone, &str)], summary: &str) -> Markup {
    let all: u64 = parts.iter().map(|(count, _, _)| count).sum();
    let share = |count: u64| 100.0 * count as f64 / all.max(1) as f64;
    let mut before = 0;
    html! {
        svg class="parts" width="100%" height="10" role="img" aria-label=(summary) {
            rect class="all" width="100%" height="10" {}
            @for (count, tone, word) in parts.iter().filter(|(count, _, _)| *count > 0) {
                rect class=(tone.class()) x=(percent(share(before))) width=(percent(share(*count))) height="10" {
                    title { (count) " " (word) }
                }
                ({ before += count; "" })
            }
        }
    }
}

/// A span of time on a line between two moments, in percent of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Line {
    pub(super) fn at(&self, moment: f64) -> f64 {
        let length = (self.to - self.from).max(0.001);
        (100.0 * (moment - self.from) / length).clamp(0.0, 100.0)
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share)
}

pub(super) fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

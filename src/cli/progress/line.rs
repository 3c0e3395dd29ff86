//! The text of one task's line. Pure: state in, text out.

use std::time::Duration;

use crate::{
    cli::{quantity, style},
    error::Failure,
    event::{Step, TaskOutcome, TaskStatus, Tier},
};

/// How wide things are, in columns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Widths {
    /// The longest name.
    pub(super) name: usize,
    /// The terminal.
    pub(super) screen: usize,
}

impl Widths {
    /// What is left for a bar beside the head and the figures: on a narrow terminal none.
    fn bar(self) -> usize {
        const FIGURES: usize = "  999 k of 999 M rows   999 k/s   59 min 59 s left".len();
        let left = self.screen.saturating_sub(HEAD + self.name + FIGURES);
        if left < BAR_CELLS_MIN { 0 } else { left.min(BAR_CELLS_MAX) }
    }
}

/// What a line tells of a task that is under way.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) tier: Tier,
    pub(super) strategy: String,
    /// The chunk of a backfill that it is at, and how many there are.
    pub(super) chunk: Option<(u32, u32)>,
    pub(super) now: Now,
}

/// Where the task stands.
#[derive(Debug, Clone)]
pub(super) enum Now {
    /// An attempt is under way, for `elapsed` now.
    Working { step: Step, rows: u64, bytes: u64, rows_expected: Option<u64>, elapsed: Duration },
    /// The next attempt begins in `wait`.
    Retrying { attempt: u32, attempts_max: u32, wait: Duration, failure: Failure },
}

impl Line {
    /// The whole line, without a newline.
    pub(super) fn text(&self, widths: Widths) -> String {
        let mut head = head(&self.name, self.tier, &self.strategy, widths);
        if let Some((chunk, chunks)) = self.chunk {
            head.push_str(&format!("chunk {chunk} of {chunks}   "));
        }
        match &self.now {
            Now::Working { step: Step::Extracting, rows, bytes, rows_expected, elapsed } => {
                format!("{head}{}", extracting(*rows, *bytes, *rows_expected, *elapsed, widths.bar()))
            }
            Now::Working { step, rows, elapsed, .. } => {
                let elapsed = quantity::duration(elapsed.as_secs_f64());
                match step {
                    Step::Waiting => format!("{head}{}", style::paint(style::DIM, "waits")),
                    Step::AwaitingConnection => {
                        format!("{head}{}", style::paint(style::DIM, "waits for a connection"))
                    }
                    Step::Working => format!("{head}works   {elapsed}"),
                    Step::Filling => format!("{head}fills {} rows   {elapsed}", quantity::exact(*rows)),
                    Step::Comparing => format!("{head}compares source and warehouse   {elapsed}"),
                    _ => format!("{head}publishes {} rows   {elapsed}", quantity::exact(*rows)),
                }
            }
            Now::Retrying { attempt, attempts_max, wait, failure } => format!(
                "{head}{} attempt {} of {attempts_max} in {:.0} s: {}",
                style::paint(style::ERROR, "✗"),
                attempt + 1,
                wait.as_secs_f64().ceil(),
                one_line(&failure.message),
            ),
        }
    }
}

/// What is said of an attempt that has taken as long as its soft limit.
pub(super) fn slow(warn_after_seconds: f64) -> String {
    format!("has taken {} (`warn_after`), and goes on", quantity::duration(warn_after_seconds))
}

/// The line of a task that has ended; it stays above the live ones.
pub(super) fn ended(name: &str, outcome: &TaskOutcome, widths: Widths) -> String {
    let head = head(name, outcome.tier, outcome.strategy.as_deref().unwrap_or(""), widths);
    let seconds = quantity::duration(outcome.seconds);
    let rows = || format!("{:>12} rows   {seconds}", quantity::exact(outcome.rows.unwrap_or(0)));
    let why = || outcome.error.as_ref().map_or(String::new(), |error| one_line(&error.message));
    let tail = match outcome.status {
        TaskStatus::Succeeded => format!("{} {}", style::paint(style::GOOD, "✓"), rows()),
        TaskStatus::Unchanged => format!("{} {}   unchanged", style::paint(style::GOOD, "="), rows()),
        TaskStatus::Failed => format!("{} {}", style::paint(style::ERROR, "✗"), why()),
        TaskStatus::Blocked => {
            format!("{} blocked by {}", style::paint(style::WARNING, "○"), outcome.blocked_by.join(", "))
        }
        TaskStatus::Held => format!("{} held   {}", style::paint(style::WARNING, "○"), why()),
        TaskStatus::Skipped => format!("{} skipped", style::paint(style::DIM, "-")),
        TaskStatus::Cancelled => format!("{} cancelled", style::paint(style::WARNING, "○")),
    };
    format!("{head}{}", tail.trim_end())
}

fn head(name: &str, tier: Tier, strategy: &str, widths: Widths) -> String {
    let name = format!("{name:<width$}", width = widths.name);
    let tier = match tier {
        Tier::Critical => style::paint(style::STRONG, "critical"),
        Tier::Optional => " ".repeat("critical".len()),
    };
    format!("  {name}  {tier}  {strategy:<6}  ")
}

/// The columns of a head beside the name.
const HEAD: usize = "    critical  append  ".len();
const BAR_CELLS_MIN: usize = 5;
const BAR_CELLS_MAX: usize = 20;

fn extracting(
    rows: u64,
    bytes: u64,
    rows_expected: Option<u64>,
    elapsed: Duration,
    bar_cells: usize,
) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = if seconds < 0.5 { 0.0 } else { rows as f64 / seconds };
    let mut text = match rows_expected {
        // An estimate that turned out too small says nothing about what is left.
        Some(expected) if expected >= rows && expected > 0 => {
            let share = rows as f64 / expected as f64;
            format!(
                "{}{} of {} rows",
                bar(share, bar_cells),
                quantity::short(rows),
                quantity::short(expected)
            )
        }
        _ => format!("{}{} rows   {}", bar(0.0, bar_cells), quantity::short(rows), quantity::bytes(bytes)),
    };
    if rate >= 1.0 {
        text.push_str(&format!("   {}/s", quantity::short(rate as u64)));
        if let Some(left) = rows_expected.and_then(|expected| expected.checked_sub(rows)) {
            text.push_str(&format!("   {} left", quantity::duration((left as f64 / rate).ceil())));
        }
    }
    text
}

/// A bar by half cells, with a gap behind it.
fn bar(share: f64, cells: usize) -> String {
    if cells == 0 {
        return String::new();
    }
    let halves = ((share.clamp(0.0, 1.0) * (cells * 2) as f64) as usize).min(cells * 2);
    let mut full = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        full.push('╸');
    }
    let rest = " ".repeat(cells - halves.div_ceil(2));
    format!("{}{rest}  ", style::paint(style::SHARE, &full))
}

/// A message's first line: a line on the screen is one line.
fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::sample, error::Class};

    const WIDTHS: Widths = Widths { name: 9, screen: 120 };

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn line(now: Now) -> Line {
        Line { name: "orders".into(), tier: Tier::Critical, strategy: "merge".into(), chunk: None, now }
    }

    fn working(step: Step, rows: u64, rows_expected: Option<u64>) -> Now {
        Now::Working { step, rows, bytes: rows * 100, rows_expected, elapsed: Duration::from_secs(10) }
    }

    #[test]
    fn a_line_tells_share_rate_and_time_left() {
        let text = line(working(Step::Extracting, 3_100_000, Some(4_000_000))).text(WIDTHS);
        assert_eq!(
            plain(&text),
            "  orders     critical  merge   ━━━━━━━━━━━━━━━╸      3.1 M of 4.0 M rows   310 k/s   3.0 s left"
        );
    }

    #[test]
    fn an_estimate_that_was_too_small_is_left_out() {
        let text = plain(&line(working(Step::Extracting, 5_000, Some(4_000))).text(WIDTHS));
        assert!(text.ends_with("5.0 k rows   500 kB   500/s"), "{text}");
    }

    #[test]
    fn a_narrow_terminal_has_figures_and_no_bar() {
        let narrow = Widths { name: 9, screen: 80 };
        let text = plain(&line(working(Step::Extracting, 3_100_000, Some(4_000_000))).text(narrow));
        assert_eq!(text, "  orders     critical  merge   3.1 M of 4.0 M rows   310 k/s   3.0 s left");
    }

    #[test]
    fn a_retry_tells_which_attempt_comes_when_and_why() {
        let failure = Failure {
            class: Class::Passing,
            message: "the server answered 503\nand more".into(),
            hint: None,
        };
        let now = Now::Retrying { attempt: 1, attempts_max: 3, wait: Duration::from_millis(7_200), failure };
        assert_eq!(
            plain(&line(now).text(WIDTHS)),
            "  orders     critical  merge   ✗ attempt 2 of 3 in 8 s: the server answered 503"
        );
    }

    #[test]
    fn every_other_step_has_its_word() {
        let texts = [Step::Waiting, Step::AwaitingConnection, Step::Working, Step::Filling, Step::Publishing]
            .map(|step| plain(&line(working(step, 12_402, None)).text(WIDTHS)).split_off(31));
        assert_eq!(
            texts,
            [
                "waits",
                "waits for a connection",
                "works   10 s",
                "fills 12,402 rows   10 s",
                "publishes 12,402 rows   10 s"
            ]
        );
    }

    #[test]
    fn an_ended_task_tells_how_it_ended() {
        let widths = Widths { name: 18, screen: 120 };
        let lines: Vec<_> =
            sample::every_status().iter().map(|task| plain(&ended(&task.task, task, widths))).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}

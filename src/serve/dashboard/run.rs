//! *Run*: what each task did when, what it waited for, and how that compares with the run before.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    Frame, chart,
    chart::Line,
    today::selection,
    words::{self, Here, Tone, heading},
};
use crate::{
    quantity,
    serve::view::{Attempt, Compared, Run, RunPage, RunTask, TASKS_SHOWN, argument, selecting},
};

/// Kinds of what is no run of tasks, but was asked for by a command of its own.
const BY_HAND: [&str; 4] = ["backfill", "verify", "restore", "adopt"];

/// Of so many tasks that failed everything is seen at once.
const OPEN: usize = 5;

pub(in crate::serve) fn run(frame: &Frame, page: &RunPage, after: u32) -> Markup {
    let (here, run) = (&frame.here, &page.run);
    let line = Line {
        from: seconds(run.started_at),
        to: seconds(run.ended_at.unwrap_or(here.now)).max(seconds(run.started_at) + 0.1),
    };
    let main = html! {
        div class="title" data-part="title" {
            p class="above" { a href="/runs" { "Runs" } }
            h1 { "Run of " (selection(&run.selection)) ", " (here.clock(run.started_at)) }
            (words::status(&run.status))
            p class="quiet id" { (words::visible(&run.run)) }
        }
        section aria-label="Figures" data-part="figures" { (figures(here, page)) }
        @for warning in &page.warnings { p class="note warn" { (words::visible(warning)) } }
        @if !page.bad.is_empty() {
            section aria-labelledby="bad" data-part="bad" {
                (heading("bad", "Did not end well", Some(usize::try_from(run.bad()).unwrap_or_default())))
                (bad(here, page))
            }
        }
        section aria-labelledby="timeline" data-part="timeline" {
            (heading("timeline", "Timeline", None))
            @if page.task_list.is_empty() {
                (words::empty(if after == 0 { "No task has begun yet." } else { "There are no more tasks." }))
            } @else {
                ul class="legend small" {
                    li { span class="swatch wait" {} " waits for its lock and connections" }
                    li { span class="swatch good" {} " works" }
                    li { span class="swatch bad" {} " an attempt that failed" }
                    li { span class="swatch usual" {} " as long as the run before took" }
                }
                (table(here, &page.task_list, line, "Tasks of the run, as they began"))
                nav class="pager" aria-label="More tasks" {
                    @if after > 0 { a href=(format!("{}?after={}", words::run_address(&run.run), after.saturating_sub(TASKS_SHOWN))) { "Earlier tasks" } }
                    @if let Some(next) = page.next { a href=(format!("{}?after={next}", words::run_address(&run.run))) rel="next" { "Later tasks" } }
                }
            }
        }
        @if !page.deadlines.is_empty() {
            section aria-labelledby="deadlines" {
                (heading("deadlines", "Deadlines", None))
                ul class="plain" { @for words in &page.deadlines { li { (words::visible(words)) } } }
            }
        }
        p class="acts" data-part="acts" { (acts(page)) }
    };
    frame.page("/runs", &format!("Run {}", run.run), &main)
}

fn acts(page: &RunPage) -> Markup {
    let run = &page.run;
    let by_hand = page.task_list.first().filter(|task| BY_HAND.contains(&task.kind.as_str()));
    html! {
        @match (run.status.as_str(), by_hand) {
            ("running", _) => { (words::command("barncat status")) " shows the same on a terminal." },
            (status, Some(task)) if task.kind == "backfill" && status != "succeeded" => { (words::command(&in_mode(run, &format!("barncat backfill {} --resume", argument(&task.task))))) " goes on where it ended." },
            (_, Some(task)) if task.kind == "verify" => { (words::command(&in_mode(run, &selecting("barncat verify", &run.selection)))) " compares again." },
            (_, Some(task)) => { (words::command(&format!("barncat history {}", argument(&task.task)))) " shows the table's loads." },
            ("cancelled" | "crashed", None) => { (words::command(&format!("barncat run --resume {}", run.run))) " goes on where it ended." },
            ("failed" | "degraded", None) => { (words::command("barncat run --failed")) " does again what did not end well." },
            _ => { (words::command(&run.command())) " does the same again." },
        }
    }
}

fn in_mode(run: &Run, command: &str) -> String {
    if run.mode == "test" { format!("{command} --mode test") } else { command.to_owned() }
}

/// What failed, each with what is known of it; then what only waited for that.
fn bad(here: &Here, page: &RunPage) -> Markup {
    let (failed, waited): (Vec<&RunTask>, Vec<&RunTask>) =
        page.bad.iter().partition(|task| matches!(task.status.as_str(), "failed" | "crashed"));
    let of = |status: &str| page.run.by_status.get(status).copied().unwrap_or_default();
    html! {
        ul class="failed" {
            @for (nth, task) in failed.iter().enumerate() {
                li {
                    details open[nth < OPEN] {
                        summary { (words::status(&task.status)) " " (words::name(&task.task)) (words::tier(task.tier == "critical", None)) }
                        (below(here, task))
                    }
                }
            }
        }
        @for status in ["cancelled", "blocked", "held"] {
            @let tasks: Vec<&RunTask> = waited.iter().copied().filter(|task| task.status == status).collect();
            @if !tasks.is_empty() {
                p class="group" {
                    (words::status(status)) " " b { (quantity::exact(of(status))) } " "
                    (words::tasks(tasks.iter().map(|task| task.task.as_str())))
                    @if of(status) > tasks.len() as u64 { " and " (quantity::exact(of(status) - tasks.len() as u64)) " more" }
                }
            }
        }
    }
}

fn figures(here: &Here, page: &RunPage) -> Markup {
    let run = &page.run;
    let before = page.before.as_ref();
    html! {
        dl class="figures" {
            div { dt { "Took" } dd { @if run.status == "running" { (here.lasting(run.started_at)) } @else { (quantity::duration(run.seconds)) } }
                @if let Some(before) = before { dd class="small" { (than(run, before.seconds)) } } }
            div { dt { "Tasks" } dd { (quantity::exact(run.well())) @if let Some(all) = run.tasks { span class="quiet" { " of " (quantity::exact(all)) } } }
                dd class="small" { @for (status, count) in &run.by_status { span class="pair" { (words::status(status)) " " (quantity::exact(*count)) } } } }
            div { dt { "Rows published" } dd { (quantity::exact(run.rows)) }
                @if let Some(before) = before { dd class="small quiet" { (quantity::exact(before.rows)) " before" } } }
            div { dt { "Staged" } dd { (quantity::bytes(run.bytes)) }
                @if let Some(before) = before { dd class="small quiet" { (quantity::bytes(before.bytes)) " before" } } }
            div { dt { "Where" } dd class="text" { (words::name(&run.host)) } dd class="small quiet" { "process " (run.pid) ", " (words::visible(&run.mode)) ", barncat " (words::visible(&run.version)) } }
            div { dt { "Compared with" }
                @match before {
                    Some(before) => { dd class="text" { a href=(words::run_address(&before.run)) { (here.clock(before.started_at)) } } dd class="small" { (words::status(&before.status)) } },
                    None => { dd class="text quiet" { "no run before" } },
                }
                @if let Some(resumes) = &run.resumes { dd class="small" { "goes on with " (words::run(resumes)) } } }
        }
        @if run.status == "running" && let Some(all) = run.tasks {
            (chart::progress(run.ended() as f64 / all.max(1) as f64, &format!("{} of {all} tasks have ended", run.ended())))
        }
    }
}

/// `20 s longer than before`.
fn than(run: &Run, before: f64) -> Markup {
    let difference = run.seconds - before;
    // Who fails early is not fast.
    let is_done = matches!(run.status.as_str(), "succeeded" | "degraded");
    let is_much = is_done && difference.abs() > 1.0 && difference.abs() > before * 0.2;
    let (class, text) = match () {
        () if run.status == "running" => ("quiet", format!("{} before", quantity::duration(before))),
        () if difference.abs() < 0.5 => ("quiet", "as before".to_owned()),
        () if difference > 0.0 => (
            if is_much { "slower" } else { "quiet" },
            format!("{} longer than before", quantity::duration(difference)),
        ),
        () => (
            if is_much { "faster" } else { "quiet" },
            format!("{} less than before", quantity::duration(-difference)),
        ),
    };
    html! { span class=(class) { (text) } }
}

fn table(here: &Here, tasks: &[RunTask], line: Line, caption: &str) -> Markup {
    html! {
        table class="timeline" {
            caption class="hidden" { (caption) }
            thead { tr {
                th scope="col" { "Task" }
                th scope="col" { "Status" }
                th scope="col" class="axis" { (axis(line)) }
                th scope="col" class="number" { "Took" }
                th scope="col" class="number wide" { "Before" }
                th scope="col" class="number wide" { "Rows" }
            } }
            tbody { @for task in tasks { (row(here, task, line)) } }
        }
    }
}

fn axis(line: Line) -> Markup {
    let length = line.to - line.from;
    html! {
        span class="hidden" { "When" }
        span class="scale" aria-hidden="true" { span { "0" } span { (quantity::duration(length / 2.0)) } span { (quantity::duration(length)) } }
    }
}

fn row(here: &Here, task: &RunTask, line: Line) -> Markup {
    html! {
        tr {
            th scope="row" {
                details {
                    summary { (words::name(&task.task)) (words::tier(task.tier == "critical", None)) }
                    (below(here, task))
                }
            }
            td { (words::status(&task.status)) }
            td class="axis" { (bar(here, task, line)) }
            td class="number" { @if task.status == "running" { (here.lasting(task.started_at)) } @else { (words::duration(task.seconds.filter(|_| words::has_begun(&task.status)))) } }
            td class="number wide" { (before(task)) }
            td class="number wide" { (words::rows(task.rows)) }
        }
    }
}

fn before(task: &RunTask) -> Markup {
    html! {
        @match &task.before {
            None => { span class="quiet" { "–" } },
            Some(Compared { status: Some(status), .. }) if !matches!(status.as_str(), "succeeded" | "unchanged") => { (words::status(status)) },
            Some(then) => {
                @let change = task.seconds.zip(then.seconds).map(|(now, then)| (now - then, then));
                @match change {
                    Some((more, then)) if more > 1.0 && more > then * 0.5 => { span class="slower" title="Longer than before" { (quantity::duration(then)) " ↗" } },
                    Some((more, then)) if more < -1.0 && -more > then * 0.3 => { span class="faster" title="Less than before" { (quantity::duration(then)) " ↘" } },
                    _ => { span class="quiet" { (words::duration(then.seconds)) } },
                }
            },
        }
    }
}

/// What a line of figures has no room for.
fn below(here: &Here, task: &RunTask) -> Markup {
    html! {
        div class="below" {
            @if let Some(error) = &task.error { p class="bad" { (words::visible(error)) } }
            @if let Some(hint) = &task.hint { p class="quiet" { (words::visible(hint)) } }
            @if !task.blocked_by.is_empty() { p { "blocked by " (words::tasks(task.blocked_by.iter().map(String::as_str))) } }
            p {
                @if let Some(after) = &task.after { "after " (words::task(after)) ". " }
                @if let Some(waited) = task.waited_seconds.filter(|waited| *waited >= 0.5) { "waited " (quantity::duration(waited)) " for its lock and connections. " }
                @if let Some(reason) = &task.reason { (words::visible(reason)) ". " }
                @if let Some(strategy) = &task.strategy { "strategy " (words::visible(strategy)) @if let Some(publish) = &task.publish { ", published by " (words::visible(publish)) } ". " }
                @if let Some(bytes) = task.bytes { (quantity::bytes(bytes)) " staged. " }
            }
            @for warning in &task.warnings { p class="warn" { (words::visible(warning)) } }
            @if task.attempts.len() > 1 || task.error.is_none() && task.attempts.iter().any(|attempt| attempt.error.is_some()) {
                ol class="attempts" { @for attempt in &task.attempts { (attempt_line(here, attempt)) } }
            }
            @if let Some(load) = &task.load { p class="small quiet" { "load " span class="id" { (words::visible(load)) } } }
            p { (words::task(&task.task)) " " (words::command(&format!("barncat why {}", argument(&task.task)))) }
        }
    }
}

fn attempt_line(here: &Here, attempt: &Attempt) -> Markup {
    let end = attempt.ended_at.unwrap_or(here.now);
    html! {
        li value=(attempt.attempt) {
            (words::status(&attempt.status)) " after " (quantity::duration(seconds(end) - seconds(attempt.started_at)))
            @if let Some(error) = &attempt.error { ": " (words::visible(error)) }
            @if let Some(class) = &attempt.class { " (" (words::visible(class)) ")" }
        }
    }
}

/// When the task waited, and each of its attempts.
fn bar(here: &Here, task: &RunTask, line: Line) -> Markup {
    let (start, end) = (seconds(task.started_at), seconds(task.ended_at.unwrap_or(here.now)));
    let began = words::has_begun(&task.status);
    let usual = task.before.as_ref().and_then(|then| then.seconds).filter(|_| !task.attempts.is_empty());
    let told = format!(
        "from {} to {} after the run's start{}",
        quantity::duration(start - line.from),
        quantity::duration(end - line.from),
        if task.attempts.len() > 1 { format!(", {} attempts", task.attempts.len()) } else { String::new() }
    );
    html! {
        svg class="span" width="100%" height="16" role="img" aria-label=(told) {
            @if began {
                (piece("wait", line, start, end))
                @if task.attempts.is_empty() { (piece(Tone::of(&task.status).class(), line, start, end)) }
                @for attempt in &task.attempts {
                    @let until = attempt.ended_at.map_or(end, seconds);
                    (piece(tone(attempt), line, seconds(attempt.started_at), until))
                }
                @if let Some(usual) = usual {
                    @let from = task.attempts.first().map_or(start, |first| seconds(first.started_at));
                    rect class="usual" x=(chart::percent(line.at(from))) y="14" height="2" width=(chart::percent(line.at(from + usual) - line.at(from))) {}
                }
            } @else {
                circle class=(Tone::of(&task.status).class()) cx=(chart::percent(line.at(start).clamp(1.0, 99.0))) cy="8" r="3" {}
            }
        }
    }
}

fn tone(attempt: &Attempt) -> &'static str {
    match attempt.status.as_str() {
        "unchanged" => "same",
        status => Tone::of(status).class(),
    }
}

fn piece(class: &str, line: Line, from: f64, to: f64) -> Markup {
    let (from, to) = (line.at(from), line.at(to));
    html! { rect class=(class) x=(chart::percent(from)) y="3" height="9" rx="2" width=(chart::percent((to - from).max(0.35))) {} }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

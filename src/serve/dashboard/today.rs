//! *Today*: what is due, what runs, what is wrong, what ran.

use maud::{Markup, html};

use super::{
    Frame, chart,
    chart::Line,
    runs::row as run_row,
    words::{self, Here, Tone, heading},
};
use crate::{
    control::RunningTask,
    quantity,
    run::{Going, Overview},
    serve::view::{Deadline, Incident, Look, Run, Task, incidents},
};

/// So many runs are listed.
const RUNS: usize = 8;

/// So many tasks of a run under way.
const UNDER_WAY: usize = 12;

/// So many letters of what a run was asked for.
const SELECTION: usize = 64;

/// So many incidents; the command line lists all.
const INCIDENTS: usize = 20;

/// The first page.
pub(in crate::serve) fn today(
    frame: &Frame,
    look: &Look,
    next: &[(String, Option<jiff::Timestamp>)],
) -> Markup {
    let (here, overview) = (&frame.here, &*look.overview);
    let deadlines: Vec<Deadline> =
        overview.deadlines.iter().map(|shown| Deadline::of(shown, look.now)).collect();
    let incidents = incidents(overview);
    let runs: Vec<Run> = overview.runs.iter().map(|run| Run::of(run, look)).collect();
    let main = html! {
        div class="title" data-part="title" {
            h1 { "Today" }
            p class="quiet" { (here.day()) }
            (verdict(overview, &deadlines, &incidents))
        }
        div class="columns" {
            div {
                section aria-labelledby="deadlines" data-part="deadlines" { (deadlines_part(here, &deadlines)) }
                section aria-labelledby="running" data-part="running" { (running(here, look, next)) }
            }
            section aria-labelledby="incidents" data-part="incidents" { (incidents_part(here, &incidents)) }
        }
        section aria-labelledby="tasks" data-part="tasks" { (tasks(overview)) }
        section aria-labelledby="runs" data-part="runs" { (last_runs(here, &runs)) }
    };
    frame.page("/", "Today", &main)
}

/// The whole page in a line.
fn verdict(overview: &Overview, deadlines: &[Deadline], incidents: &[Incident]) -> Markup {
    let count = |state: &str| deadlines.iter().filter(|deadline| deadline.state == state).count();
    let urgent = incidents.iter().filter(|incident| !incident.can_wait).count();
    let (tone, text) = match (count("missed"), count("in_danger"), urgent, incidents.len()) {
        (missed @ 1.., _, _, _) => (Tone::Bad, format!("{} missed", quantity::count(missed, "deadline"))),
        (_, danger @ 1.., _, _) => (Tone::Bad, format!("{} in danger", quantity::count(danger, "deadline"))),
        (_, _, urgent @ 1.., _) => (Tone::Bad, format!("{} to look at", quantity::count(urgent, "incident"))),
        (.., waiting @ 1..) => {
            (Tone::Warn, format!("{} that can wait", quantity::count(waiting, "incident")))
        }
        _ if overview.runs.is_empty() && overview.running.is_empty() => {
            (Tone::Calm, "nothing has run yet".to_owned())
        }
        _ => (Tone::Good, "all is well".to_owned()),
    };
    html! { p class=(format!("verdict {}", tone.class())) { (text) } }
}

fn deadlines_part(here: &Here, deadlines: &[Deadline]) -> Markup {
    html! {
        (heading("deadlines", "Deadlines", Some(deadlines.len()).filter(|count| *count > 0)))
        @if deadlines.is_empty() {
            p class="empty" { "No task has a deadline. " code { "deadline = \"06:00\"" } " in a task's settings gives it one, and makes all that it needs critical." }
        } @else {
            ul class="deadlines" {
                @for deadline in deadlines {
                    li class=(Tone::of(deadline.state).class()) {
                        div class="head" {
                            span class="due" { (here.clock(deadline.due_at)) }
                            span class="grow" { (words::task(&deadline.task)) }
                            (words::status(deadline.state))
                        }
                        (day_line(here, deadline))
                        div class="foot" { span class="grow" { (said(here, deadline)) } (words::command(&deadline.command())) }
                    }
                }
            }
        }
    }
}

/// When it is, or was, ready; and what holds it up.
fn said(here: &Here, deadline: &Deadline) -> Markup {
    let slack = deadline.slack_seconds.map(words::slack);
    html! {
        @match (deadline.ready_at, deadline.expected_at, deadline.takes_seconds) {
            (Some(at), _, _) => { "ready at " (here.clock(at)) @if let Some(slack) = slack { ", " (slack) } },
            (_, Some(at), _) => { "expected at " strong { (here.clock(at)) } @if let Some(slack) = slack { ", " (slack) } },
            (_, _, Some(takes)) => { "no run does it yet; it takes " (quantity::duration(takes)) },
            _ => { "cannot be done as things stand" },
        }
        @if let Some(task) = &deadline.held_up_by {
            "; held up by " (words::task(task))
            @if let Some(seconds) = deadline.held_up_seconds { " (" (words::rough(seconds)) ")" }
        }
    }
}

/// The last hours before a deadline and the first after it: when it is due, when it is ready, and now.
fn day_line(here: &Here, deadline: &Deadline) -> Markup {
    let second = |at: jiff::Timestamp| at.as_second() as f64;
    let due = second(deadline.due_at);
    let line = Line { from: due - 6.0 * 3600.0, to: due + 2.0 * 3600.0 };
    let ready = deadline.ready_at.or(deadline.expected_at).map(second);
    let now = second(here.now);
    html! {
        svg class="day" width="100%" height="14" aria-hidden="true" {
            rect class="all" y="6" width="100%" height="2" {}
            @if let Some(ready) = ready {
                @let (from, to) = (line.at(ready.min(due)), line.at(ready.max(due)));
                rect class=(if ready > due { "over" } else { "slack" }) x=(chart::percent(from)) y="5" width=(chart::percent(to - from)) height="4" {}
                circle class="ready" cx=(chart::percent(line.at(ready))) cy="7" r="4.5" {}
            }
            line class="due" x1=(chart::percent(line.at(due))) x2=(chart::percent(line.at(due))) y1="0" y2="14" {}
            @if now > line.from && now < line.to {
                line class="now" x1=(chart::percent(line.at(now))) x2=(chart::percent(line.at(now))) y1="0" y2="14" {}
            }
        }
    }
}

fn running(here: &Here, look: &Look, next: &[(String, Option<jiff::Timestamp>)]) -> Markup {
    let running = &look.overview.running;
    html! {
        (heading("running", "Running", Some(running.len()).filter(|count| *count > 0)))
        @for going in running { (going_run(here, look, going)) }
        @if running.is_empty() {
            p class="empty" {
                "Nothing runs just now. "
                @if next.is_empty() { (words::command("barncat run")) " starts a run." }
            }
        }
        @if !next.is_empty() {
            ul class="next" {
                @for (schedule, at) in next {
                    li {
                        span class="grow" { (words::name(schedule)) }
                        @match at { Some(at) => { "next at " (here.clock(*at)) }, None => { (words::status("paused")) } }
                    }
                }
            }
        }
    }
}

fn going_run(here: &Here, look: &Look, going: &Going) -> Markup {
    let run = &going.run;
    let task = |task: &RunningTask| {
        let seen = look.overview.find(&task.task).map(|found| look.overview.task(found));
        let expected = seen.and_then(|seen| seen.expected).map(|expected| expected.seconds);
        let so_far = here.now.duration_since(task.started_at).as_secs_f64().max(0.0);
        (expected, so_far)
    };
    html! {
        article class="going" {
            div class="head" {
                (words::status(if run.is_crashed { "crashed" } else { "running" }))
                span class="grow" { a href=(words::run_address(&run.run)) { (selection(&run.selection)) } }
                span class="quiet" { "for " (here.lasting(run.started_at)) }
            }
            @if run.is_crashed {
                p class="quiet" { "Its process is gone; the next run takes over and leaves nothing of it." }
            }
            @if let Some(selected) = going.selected {
                @let share = going.ended as f64 / selected.max(1) as f64;
                (chart::progress(share, &format!("{} of {} tasks have ended", going.ended, selected)))
                p class="small quiet" { (quantity::exact(going.ended as u64)) " of " (quantity::count(selected, "task")) ", on " (words::name(&run.host)) }
            }
            ul class="tasks" {
                @for running in run.tasks.iter().take(UNDER_WAY) {
                    @let (expected, so_far) = task(running);
                    li {
                        span class="grow" { (words::task(&running.task)) }
                        @if running.attempt > 1 { span class="quiet" { "attempt " (running.attempt) } }
                        @if running.attempt == 0 { span class="quiet" { "waits" } }
                        span class="number" { (here.lasting(running.started_at)) }
                        span class="meter" {
                            @if let Some(expected) = expected {
                                (chart::progress(so_far / expected.max(0.1), &format!("usually takes {}", quantity::duration(expected))))
                            }
                        }
                    }
                }
                @if run.tasks.len() > UNDER_WAY { li class="quiet" { "and " (run.tasks.len() - UNDER_WAY) " more" } }
            }
        }
    }
}

/// What a run was asked for; many names are cut off, and told whole to who points at them.
pub(super) fn selection(selection: &str) -> Markup {
    html! {
        @if selection == "*" { "everything" } @else {
            bdi title=[(selection.chars().count() > SELECTION).then(|| words::visible(selection))] { (words::short(selection, SELECTION)) }
        }
    }
}

fn incidents_part(here: &Here, incidents: &[Incident]) -> Markup {
    html! {
        (heading("incidents", "Incidents", Some(incidents.len()).filter(|count| *count > 0)))
        @if incidents.is_empty() { (words::empty("Nothing is wrong.")) }
        ul class="incidents" {
            @for incident in incidents.iter().take(INCIDENTS) {
                li class=(if incident.can_wait { "warn" } else { "bad" }) {
                    p class="what" { (words::visible(&incident.what)) }
                    @if let Some(why) = &incident.why { p class="why" { (words::visible(why)) } }
                    p class="small quiet" {
                        (here.ago(incident.opened_at))
                        @if incident.times > 1 { ", seen " (incident.times) " times" }
                        @if let Some(owner) = &incident.owner { ", of " (words::name(owner)) }
                        @if let Some(by) = &incident.acknowledged_by { ", " (words::name(by)) " is at it" }
                        @if let Some(until) = incident.muted_until { ", muted until " (here.clock(until)) }
                        @if incident.state == "settling" { ", comes and goes" }
                    }
                    @if !incident.critical.is_empty() {
                        p class="small" {
                            "waiting for it: "
                            (words::tasks(incident.critical.iter().take(4).map(String::as_str)))
                            @if incident.critical.len() > 4 { " and " (incident.critical.len() - 4) " more" }
                        }
                    }
                    (words::command(&incident.command))
                }
            }
        }
        @if incidents.len() > INCIDENTS { p { (words::command("barncat incidents")) " lists all of them." } }
    }
}

/// How all tasks stand, as one bar.
fn tasks(overview: &Overview) -> Markup {
    let mut counts: Vec<(&str, u64)> = [
        "failed",
        "crashed",
        "blocked",
        "held",
        "cancelled",
        "running",
        "succeeded",
        "unchanged",
        "skipped",
        "never run",
    ]
    .map(|status| (status, 0))
    .to_vec();
    let tasks: Vec<Task> = overview.tasks.iter().map(Task::of).collect();
    for task in &tasks {
        let state = task.state();
        match counts.iter_mut().find(|(status, _)| *status == state) {
            Some((_, count)) => *count += 1,
            None => counts[9].1 += 1,
        }
    }
    counts.retain(|(_, count)| *count > 0);
    let parts: Vec<(u64, Tone, &str)> =
        counts.iter().map(|(status, count)| (*count, Tone::of(status), *status)).collect();
    let told: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    html! {
        (heading("tasks", "Tasks", Some(tasks.len()).filter(|count| *count > 0)))
        @if tasks.is_empty() {
            p class="empty" { "No task is known yet. What wildcards stand for is known once something ran: " (words::command("barncat run")) }
        } @else {
            (chart::parts(&parts, &told.join(", ")))
            ul class="legend" {
                @for (status, count) in &counts {
                    li { a href=(format!("/tables?kind=all&status={}", words::encoded(status))) { (words::status(status)) " " b { (quantity::exact(*count)) } } }
                }
            }
        }
    }
}

fn last_runs(here: &Here, runs: &[Run]) -> Markup {
    html! {
        (heading("runs", "Last runs", None))
        @if runs.is_empty() { (words::empty("Nothing has run yet.")) } @else {
            (strip(runs))
            table class="rows runs" {
                caption class="hidden" { "The last runs, the latest first" }
                (super::runs::head())
                tbody { @for run in runs.iter().take(RUNS) { (run_row(here, run)) } }
            }
            p class="more" { a href="/runs" { "All runs" } }
        }
    }
}

/// A mark a run, the oldest first.
fn strip(runs: &[Run]) -> Markup {
    let well = runs.iter().filter(|run| run.status == "succeeded").count();
    let longest = runs.iter().map(|run| run.seconds).fold(0.0, f64::max);
    let summary = format!(
        "The last {}: {well} succeeded; the longest took {}",
        quantity::count(runs.len(), "run"),
        quantity::duration(longest)
    );
    let bar = |run: &Run| chart::Bar {
        value: Some(run.seconds),
        tone: Tone::of(&run.status),
        words: format!("{}, {}", run.status, quantity::duration(run.seconds)),
    };
    let bars: Vec<chart::Bar> = runs.iter().rev().map(bar).collect();
    html! { div class="strip" { p class="small quiet" { "the longest took " (quantity::duration(longest)) } (chart::strip(&bars, &summary)) } }
}

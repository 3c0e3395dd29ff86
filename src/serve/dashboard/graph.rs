//! *Graph*: what needs what, as a drawing that the server lays out.

use std::collections::HashMap;

use maud::{Markup, html};

use super::{
    Frame, layered,
    words::{self, Tone, heading},
};
use crate::{
    dag::{Kind, NodeId, Way},
    quantity,
    serve::view::{Choice, Look, Picture, Task, selecting},
};

/// A node's size, and how far apart columns and rows are.
const NODE: (f64, f64) = (224.0, 44.0);
const STEP: (f64, f64) = (284.0, 58.0);
const MARGIN: f64 = 12.0;

/// So many letters of a name have room in a node.
const LETTERS: usize = 24;

/// How large it is drawn, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct Zoom(u32);

const ZOOMS: [u32; 5] = [35, 50, 75, 100, 150];

impl Zoom {
    /// The nearest one that there is.
    pub(in crate::serve) fn of(percent: Option<u32>) -> Self {
        let wanted = percent.unwrap_or(100);
        Self(ZOOMS.into_iter().min_by_key(|zoom| zoom.abs_diff(wanted)).unwrap_or(100))
    }
}

/// `select`: as it was asked for.
pub(in crate::serve) fn graph(
    frame: &Frame,
    look: &Look,
    picture: &Picture,
    select: &str,
    zoom: Zoom,
) -> Markup {
    let main = html! {
        h1 { "Graph" }
        form class="choose" method="get" action="/graph" role="search" {
            label for="select" { "Select" }
            input type="search" id="select" name="select" value=(select) placeholder="+rider_payments  tier:critical  tag:hot+" spellcheck="false" autocomplete="off";
            button type="submit" { "Show" }
            @if !select.is_empty() { a href="/graph" { "All" } }
        }
        section aria-label="The graph" data-part="graph" {
            (told(picture, select))
            @if !picture.tasks.is_empty() {
                (zooms(select, zoom))
                (legend())
                div class="drawing" role="region" aria-label="The drawing, which scrolls" tabindex="0" { (drawing(look, picture, zoom)) }
            }
        }
        @if let Some(path) = &picture.path {
            section aria-labelledby="path" data-part="path" {
                (heading("path", "Critical path", None))
                p class="quiet" { "These decide how long all of it takes: " strong class="number" { (quantity::duration(path.seconds)) } ", however much is done at once." }
                ol class="path" {
                    @for step in &path.steps { li { (words::task(&look.overview.task(step.task).name)) " " span class="quiet number" { (quantity::duration(step.seconds)) } } }
                }
            }
        }
        p class="acts" { (words::command(&selecting("barncat graph", select))) " prints it, also for Mermaid and Graphviz." }
        @if !picture.tasks.is_empty() {
            details class="list" data-part="list" {
                summary { "The same as a list" }
                (list(look, picture))
            }
        }
    };
    frame.page("/graph", "Graph", &main)
}

fn told(picture: &Picture, select: &str) -> Markup {
    let narrow = "choose some of them above: +NAME draws what a task needs, NAME+ what needs it";
    html! {
        @match picture.choice {
            Choice::All if picture.tasks.is_empty() && select.is_empty() => {
                p class="empty" { "No task is known yet. What wildcards stand for is known once something ran: " (words::command("barncat run")) }
            },
            Choice::All if picture.tasks.is_empty() => { (words::empty("Nothing is meant by that.")) },
            Choice::All => {},
            Choice::Connected(alone) => {
                p class="note" { "Left out: " a href="/tables" { (quantity::count(alone, "task")) } " that " @if alone == 1 { "needs" } @else { "need" } " nothing and that nothing needs." }
            },
            Choice::Critical => {
                p class="note" { "These are the critical ones of " (quantity::count(picture.meant, "task")) ", which would be too many to take in; " (narrow) "." }
            },
            Choice::TooMany => {
                p class="note" { (quantity::count(picture.meant, "task")) " are too many to take in; " (narrow) ". " a href="/tables" { "Tables" } " lists them." }
            },
        }
    }
}

fn zooms(select: &str, zoom: Zoom) -> Markup {
    let address = |percent: u32| format!("/graph?select={}&zoom={percent}", words::encoded(select));
    html! {
        nav class="zoom" aria-label="Zoom" {
            @for percent in ZOOMS {
                a href=(address(percent)) aria-current=[(percent == zoom.0).then_some("true")] { (percent) " %" }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        ul class="legend" aria-label="Legend" {
            @for status in ["succeeded", "unchanged", "running", "blocked", "failed"] { li { (words::status(status)) } }
            li { svg width="26" height="10" aria-hidden="true" { path class="edge" d="M1 5h24" {} } " needs" }
            li { svg width="26" height="10" aria-hidden="true" { path class="edge soft" d="M1 5h24" {} } " can go on without" }
            li { svg width="26" height="10" aria-hidden="true" { path class="edge path" d="M1 5h24" {} } " critical path" }
            li { svg width="18" height="12" aria-hidden="true" { rect class="critical" x="1" y="1" width="16" height="10" rx="3" {} } " critical" }
        }
    }
}

fn drawing(look: &Look, picture: &Picture, zoom: Zoom) -> Markup {
    let graph = &look.overview.graph;
    let number: HashMap<NodeId, usize> =
        picture.tasks.iter().enumerate().map(|(nth, task)| (*task, nth)).collect();
    let mut arrows = Vec::new();
    let mut ways = Vec::new();
    for (nth, task) in picture.tasks.iter().enumerate() {
        for edge in graph.needs(*task) {
            if let Some(from) = number.get(&edge.task) {
                arrows.push((*from, nth));
                ways.push(edge.way);
            }
        }
    }
    let places = layered::place(picture.tasks.len(), &arrows);
    let mut on_path = vec![false; picture.tasks.len()];
    for step in picture.path.iter().flat_map(|path| &path.steps) {
        if let Some(nth) = number.get(&step.task) {
            on_path[*nth] = true;
        }
    }
    let width = MARGIN * 2.0 + STEP.0 * places.columns.saturating_sub(1) as f64 + NODE.0;
    let height = MARGIN * 2.0 + STEP.1 * (places.rows - 1.0).max(0.0) + NODE.1;
    let scaled = |length: f64| (length * f64::from(zoom.0) / 100.0).round();
    html! {
        svg class="graph" width=(scaled(width)) height=(scaled(height)) viewBox=(format!("0 0 {width:.0} {height:.0}")) {
            title { "What needs what: " (quantity::count(picture.tasks.len(), "task")) }
            g {
                @for ((arrow, way), through) in arrows.iter().zip(&ways).zip(&places.ways) {
                    @let class = edge_class(*way, on_path[arrow.0] && on_path[arrow.1]);
                    path class=(class) d=(curve(through)) {}
                }
            }
            @for (nth, task) in picture.tasks.iter().enumerate() {
                (node(&Task::of(look.overview.task(*task)), graph.node(*task).kind, places.nodes[nth], on_path[nth]))
            }
        }
    }
}

fn edge_class(way: Way, is_on_path: bool) -> &'static str {
    match (way.is_hard(), is_on_path) {
        (true, false) => "edge",
        (true, true) => "edge path",
        (false, false) => "edge soft",
        (false, true) => "edge soft path",
    }
}

/// The upper left corner of a place.
fn corner((column, row): (usize, f64)) -> (f64, f64) {
    (MARGIN + STEP.0 * column as f64, MARGIN + STEP.1 * row)
}

/// From the right side of the first place to the left side of the last one, level with each place between.
fn curve(through: &[(usize, f64)]) -> String {
    use std::fmt::Write;
    let mut path = String::new();
    let mut at = (0.0, 0.0);
    for (nth, place) in through.iter().enumerate() {
        let (x, y) = corner(*place);
        let y = y + NODE.1 / 2.0;
        if nth == 0 {
            at = (x + NODE.0, y);
            let _ = write!(path, "M{:.1} {:.1}", at.0, at.1);
            continue;
        }
        let bend = (x - at.0) / 2.0;
        let _ = write!(path, "C{:.1} {:.1} {:.1} {y:.1} {x:.1} {y:.1}", at.0 + bend, at.1, x - bend);
        at = (x, y);
        if nth + 1 < through.len() {
            at.0 = x + NODE.0;
            let _ = write!(path, "H{:.1}", at.0);
        }
    }
    path
}

fn node(task: &Task, kind: Kind, place: (usize, f64), is_on_path: bool) -> Markup {
    let (x, y) = corner(place);
    let state = task.state();
    let name = words::short(short_name(&task.task), LETTERS);
    let told = format!(
        "{}: {}, {}{}{}",
        words::visible(&task.task),
        task.kind,
        state,
        if task.tier == "critical" { ", critical" } else { "" },
        if is_on_path { ", on the critical path" } else { "" }
    );
    let class =
        format!("node {}{}", Tone::of(state).class(), if task.tier == "critical" { " critical" } else { "" });
    // A colour alone tells nobody who sees none.
    let beside = match task.expected_seconds {
        _ if !matches!(state, "succeeded" | "unchanged") => format!("{} · {state}", task.kind),
        Some(seconds) => format!("{} · {}", task.kind, quantity::duration(seconds)),
        None => task.kind.to_owned(),
    };
    // A table is square, what is made of it round, what only looks pointed.
    let round = match kind {
        Kind::Load => 4,
        Kind::Model => 12,
        Kind::Check | Kind::Command => 22,
    };
    html! {
        a class=(class) href=(words::task_address(&task.task)) {
            rect x=(format!("{x:.1}")) y=(format!("{y:.1}")) width=(NODE.0) height=(NODE.1) rx=(round) { title { (told) } }
            text class="sign" aria-hidden="true" x=(format!("{:.1}", x + 14.0)) y=(format!("{:.1}", y + 27.0)) { (words::sign(state)) }
            text class="label" x=(format!("{:.1}", x + 32.0)) y=(format!("{:.1}", y + 19.0)) { (name) }
            text class="small" x=(format!("{:.1}", x + 32.0)) y=(format!("{:.1}", y + 34.0)) { (beside) }
        }
    }
}

/// Without the schema, where that still says what it is.
fn short_name(name: &str) -> &str {
    if name.chars().count() <= LETTERS { name } else { name.split_once('.').map_or(name, |(_, rest)| rest) }
}

fn list(look: &Look, picture: &Picture) -> Markup {
    let graph = &look.overview.graph;
    html! {
        table class="rows" {
            caption class="hidden" { "Tasks, how they ended, and what they need" }
            thead { tr { th scope="col" { "Task" } th scope="col" { "Status" } th scope="col" class="wide" { "Kind" } th scope="col" class="number wide" { "Usually" } th scope="col" { "Needs" } } }
            tbody {
                @for id in &picture.tasks {
                    @let task = Task::of(look.overview.task(*id));
                    tr {
                        th scope="row" { (words::task(&task.task)) " " (words::tier(task.tier == "critical", task.critical_by.as_deref())) }
                        td { (words::status(task.state())) }
                        td class="wide" { (task.kind) }
                        td class="number wide" { (words::duration(task.expected_seconds)) }
                        td class="what" {
                            @for (nth, edge) in graph.needs(*id).iter().enumerate() {
                                @if nth > 0 { ", " }
                                (words::task(&look.overview.task(edge.task).name))
                                @if !edge.way.is_hard() { span class="quiet" { " (can go on without)" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

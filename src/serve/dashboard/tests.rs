//! Rendering, with names as hostile as they come.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::Timestamp;

use super::*;
use crate::{
    config::Place,
    control::{Control, Expected, LastCheck, LastEnd, Latest, SeenRun, Shows, Tally},
    dag::{Graph, Kind, Need, Node, Origin, TaskName},
    error::{Class, Failure},
    event::Tier,
    run::{Overview, TaskSeen},
    serve::view::{self, Attempt, Check, Load, Look, Run, RunPage, RunTask, Task},
};

const SCRIPT: &str = "<script>alert(1)</script>";

fn names() -> Vec<String> {
    vec![
        SCRIPT.to_owned(),
        "n".repeat(300),
        "\u{202e}gnp.txt טבלה".to_owned(),
        "🐈‍⬛ cat'\"&/?#%".to_owned(),
        "line\nfeed\u{0}".to_owned(),
    ]
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A project whose five tables all bear hostile names, and a model that needs them.
pub(in crate::serve) async fn look() -> Look {
    let place = || Place { file: "x".to_owned(), line: 1, column: 1 };
    let mut nodes: Vec<Node> =
        names().iter().map(|name| Node::new(TaskName::table("raw", name), Kind::Load, place())).collect();
    let mut model = Node::new(TaskName::table("m", "owed"), Kind::Model, place());
    let need = |name: String| Need {
        schema: Some("raw".to_owned()),
        name,
        place: place(),
        origin: Origin::Settings,
        max_age: None,
    };
    model.needs = names().into_iter().map(need).collect();
    model.tier = Some(Tier::Critical);
    nodes.push(model);
    let graph = Graph::build(nodes, &|_, _| false).expect("a graph");
    let tasks = graph.tasks().map(|task| seen(&graph, task)).collect();
    let check = LastCheck {
        task: format!("raw.{SCRIPT}.checks"),
        check: format!("not_null ({SCRIPT})"),
        before_publish: false,
        run: "01JD3RUN".to_owned(),
        at: time("2026-11-22T05:00:31Z"),
        status: "failed".to_owned(),
        rows: Some(3),
        of: Some(200),
        message: format!("3 of 200 rows have no {SCRIPT}"),
    };
    let run = SeenRun {
        run: "01JD3RUNRUNRUNRUNRUNRUN".to_owned(),
        mode: "production".to_owned(),
        selection: SCRIPT.to_owned(),
        version: "0.1.0".to_owned(),
        host: SCRIPT.to_owned(),
        pid: 4711,
        started_at: time("2026-11-22T05:00:00Z"),
        ended_at: Some(time("2026-11-22T05:01:30Z")),
        status: Some("degraded".to_owned()),
        resumes: None,
        tally: Tally {
            by_status: vec![("failed".to_owned(), 1), ("succeeded".to_owned(), 5)],
            rows: 1_000,
            bytes: 9_000,
        },
    };
    let now = time("2026-11-22T05:10:00Z");
    let overview = Overview::of(graph, tasks, vec![check], vec![run], now);
    Look {
        project: Arc::new(project()),
        control: Control::nowhere(),
        turns: view::Turns::default(),
        overview: Arc::new(overview),
        schedules: Arc::from([]),
        pulse: "pulse".to_owned(),
        trouble: None,
        now,
        zone: jiff::tz::TimeZone::UTC,
    }
}

fn project() -> crate::config::Project {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "[project]\nname = \"<b>shop</b>\"\n[sources.shop]\nkind = \"postgres\"\nurl = \"${U}\"\n\
                [stage]\nurl = \"file:./stage\"\n[warehouse]\nkind = \"postgres\"\nurl = \"${W}\"\nschema = \"m\"\n";
    std::fs::write(folder.path().join("barncat.toml"), text).expect("a file");
    read(folder.path())
}

fn read(folder: &Path) -> crate::config::Project {
    crate::dag::read(folder, None).unwrap_or_else(|mistakes| panic!("{:#?}", mistakes.0))
}

fn seen(graph: &Graph, task: crate::dag::NodeId) -> TaskSeen {
    let ended = LastEnd {
        run: "01JD3RUNRUNRUNRUNRUNRUN".to_owned(),
        status: if task.index() == 1 { "failed" } else { "succeeded" }.to_owned(),
        started_at: time("2026-11-22T05:00:00Z"),
        ended_at: time("2026-11-22T05:00:30Z"),
        seconds: Some(30.0),
        error: (task.index() == 1).then(|| format!("no table {SCRIPT}")),
        hint: (task.index() == 1).then(|| format!("see {SCRIPT}")),
        blocked_by: None,
    };
    let shows = Shows {
        load: Some("01JD3LOAD".to_owned()),
        as_of: Some(time("2026-11-22T04:59:00Z")),
        ended_at: time("2026-11-22T05:00:30Z"),
        rows: Some(1_234),
        bytes: Some(9_000),
        seconds: Some(30.0),
        lag_seconds: Some(2.0),
    };
    TaskSeen {
        name: graph.name(task).to_string(),
        kind: graph.node(task).kind,
        tier: graph.tier(task),
        critical: Some(format!("needed by {SCRIPT}")),
        source: Some(SCRIPT.to_owned()),
        tags: vec![SCRIPT.to_owned()],
        owner: Some(SCRIPT.to_owned()),
        strategy: Some("full".to_owned()),
        deadline: None,
        expected: Some(Expected { seconds: 28.0, rows: Some(1_000), bytes: Some(9_000) }),
        latest: Latest { ended: Some(ended), shows: Some(shows) },
        hold: None,
        running: None,
    }
}

fn load(name: &str) -> Load {
    Load {
        run: "01JD3RUNRUNRUNRUNRUNRUN".to_owned(),
        kind: "load".to_owned(),
        status: "succeeded".to_owned(),
        started_at: time("2026-11-22T05:00:00Z"),
        seconds: Some(30.0),
        rows: Some(1_234),
        late_rows: Some(7),
        bytes: Some(9_000),
        attempts: Some(2),
        load: Some("01JD3LOAD".to_owned()),
        as_of: Some(time("2026-11-22T04:59:00Z")),
        strategy: Some("append".to_owned()),
        publish: Some("insert".to_owned()),
        reason: Some(format!("because of {SCRIPT}")),
        watermark: Some(SCRIPT.to_owned()),
        error: Some(SCRIPT.to_owned()),
        restore: Some(format!("barncat restore {name} --load 01JD3LOAD")),
    }
}

fn table_page(look: &Look, name: &str) -> view::TablePage {
    let task = look.overview.find(name).expect("the task is there");
    view::TablePage {
        task: Task::of(look.overview.task(task)),
        needs: Vec::new(),
        needed_by: Vec::new(),
        loads: vec![load(name)],
        columns: Vec::new(),
        schemas: Vec::new(),
        checks: look.overview.checks.iter().map(Check::of).collect(),
    }
}

fn run_page(look: &Look) -> RunPage {
    let task = |name: String| RunTask {
        task: format!("raw.{name}"),
        kind: "load".to_owned(),
        tier: "critical".to_owned(),
        status: "failed".to_owned(),
        started_at: time("2026-11-22T05:00:10Z"),
        ended_at: Some(time("2026-11-22T05:00:40Z")),
        seconds: Some(30.0),
        after: Some(name.clone()),
        waited_seconds: Some(3.0),
        strategy: Some(name.clone()),
        publish: Some("swap".to_owned()),
        reason: Some(name.clone()),
        rows: Some(1_000),
        bytes: Some(9_000),
        load: Some("01JD3LOAD".to_owned()),
        blocked_by: vec![name.clone()],
        warnings: vec![name.clone()],
        error: Some(name.clone()),
        hint: Some(name.clone()),
        attempts: vec![Attempt {
            attempt: 1,
            load: None,
            started_at: time("2026-11-22T05:00:13Z"),
            ended_at: None,
            status: "running".to_owned(),
            error: Some(name),
            class: Some("passing".to_owned()),
        }],
        before: None,
    };
    RunPage {
        run: Run::of(&look.overview.runs[0], look),
        before: None,
        deadlines: vec![SCRIPT.to_owned()],
        warnings: vec![SCRIPT.to_owned()],
        bad: names().into_iter().map(task).collect(),
        task_list: names().into_iter().map(task).collect(),
        next: Some(200),
    }
}

/// Each page, by its name.
async fn pages() -> BTreeMap<&'static str, String> {
    let look = look().await;
    let frame = Frame::of(&look);
    let tasks: Vec<Task> = look.overview.tasks.iter().map(Task::of).collect();
    let picture = view::choose(&look, "").expect("all of it");
    let failure =
        Failure { class: Class::Passing, message: SCRIPT.to_owned(), hint: Some(SCRIPT.to_owned()) };
    let wanted = Wanted { text: "<\"'".to_owned(), ..Wanted::default() };
    let pages = [
        ("today", today(&frame, &look, &[(SCRIPT.to_owned(), None)])),
        ("graph", graph(&frame, &look, &picture, "+<\"'", Zoom::of(None))),
        ("tables", tables(&frame, &tasks, &Wanted::default())),
        ("no tables", tables(&frame, &tasks, &wanted)),
        ("table", table(&frame, &table_page(&look, &format!("raw.{SCRIPT}")))),
        ("runs", runs(&frame, &[Run::of(&look.overview.runs[0], &look)], true, Some("01JD3RUN"))),
        ("no runs", runs(&frame, &[], true, None)),
        ("run", run(&frame, &run_page(&look), 0)),
        ("checks", checks(&frame, &view::checks(&look.overview), 1)),
        ("no checks", checks(&frame, &[], 1)),
        ("problem", problem(&frame, "It is wrong", &failure)),
        ("late", today(&Frame::of(&Look { trouble: Some(failure.clone()), ..look.clone() }), &look, &[])),
    ];
    pages.into_iter().map(|(name, page)| (name, page.0)).collect()
}

#[tokio::test]
async fn a_name_is_text_and_never_markup() {
    for (page, html) in pages().await {
        // The one script is the dashboard's own.
        assert_eq!(html.matches("<script").count(), 1, "{page}: {html}");
        assert!(!html.contains("<b>shop"), "{page}");
        for hidden in ['\u{202e}', '\u{0}'] {
            assert!(!html.contains(hidden), "{page}: {hidden:?}");
        }
        // Nothing of a style or a script stands in the page: the policy would forbid it.
        for forbidden in [" style=", "<style", "onclick", "javascript:"] {
            assert!(!html.contains(forbidden), "{page}: {forbidden}");
        }
        if !page.starts_with("no ") {
            assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}: {html}");
        }
    }
}

#[tokio::test]
async fn a_long_name_is_there_whole() {
    let pages = pages().await;
    for page in ["tables", "run", "graph"] {
        assert!(pages[page].contains(&"n".repeat(300)), "{page}");
    }
}

#[tokio::test]
async fn every_page_can_be_read_by_ear_and_by_keyboard() {
    for (page, html) in pages().await {
        let count = |what: &str| html.matches(what).count();
        for once in
            ["<h1", "<main id=\"main\"", "<nav aria-label=\"Pages\"", "class=\"skip\"", "<html lang=\"en\""]
        {
            assert_eq!(count(once), 1, "{page}: {once}");
        }
        assert_eq!(count("<table"), count("<caption"), "{page}: each table says what it holds");
        assert_eq!(count("<th>"), 0, "{page}: each head says of what");
        assert_eq!(count("<label"), count("<select") + count("<input"), "{page}: each field has a label");
        let ids: Vec<&str> =
            html.match_indices(" id=\"").map(|(at, _)| html[at + 5..].split('"').next().unwrap()).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(ids.len(), unique.len(), "{page}: {ids:?}");
    }
}

#[tokio::test]
async fn what_is_shown_of_a_run_and_of_a_graph() {
    let pages = pages().await;
    let main = |page: &str| {
        let html = &pages[page];
        let (_, main) = html.split_once("<main").expect("a page has a main part");
        main.split_once("</main>").expect("which ends").0.replace('>', ">\n")
    };
    insta::assert_snapshot!("run", main("run"));
    insta::assert_snapshot!("graph", main("graph"));
    insta::assert_snapshot!("today", main("today"));
    insta::assert_snapshot!("table", main("table"));
}

#[tokio::test]
async fn a_run_that_was_no_run_of_tasks_is_gone_on_with_by_its_own_command() {
    let look = look().await;
    for (kind, status, command) in [
        ("backfill", "cancelled", "barncat backfill raw.orders --resume"),
        ("backfill", "failed", "barncat backfill raw.orders --resume"),
        ("backfill", "succeeded", "barncat history raw.orders"),
        ("verify", "failed", "barncat verify raw.orders"),
        ("restore", "failed", "barncat history raw.orders"),
        ("load", "cancelled", "barncat run --resume 01JD3RUNRUNRUNRUNRUNRUN"),
        ("load", "succeeded", "barncat run raw.orders"),
    ] {
        let mut page = run_page(&look);
        page.run.status = status.to_owned();
        page.run.selection = "raw.orders".to_owned();
        page.task_list.truncate(1);
        page.task_list[0].kind = kind.to_owned();
        page.task_list[0].task = "raw.orders".to_owned();
        let html = run(&Frame::of(&look), &page, 0).0;
        let (_, acts) = html.split_once("data-part=\"acts\"").expect("it says what can be done");
        assert!(acts.contains(&format!("data-copy=\"{command}\"")), "{kind}, {status}: {acts}");
    }
}

#[test]
fn a_zoom_is_one_of_those_that_there_are() {
    assert_eq!(
        [None, Some(0), Some(60), Some(9_999)].map(Zoom::of),
        [100, 35, 50, 150].map(|one| Zoom::of(Some(one)))
    );
}

//! Whole loads by the built binary from a service that behaves as badly as it can: the right rows, or a clear error and the
//! last good table; never a wait without an end, and never more than 64 MB of memory.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use barncat::source::http::Media;
use serde_json::Value;

use super::{
    ask::{Comes, cases},
    scene::{project_at, write_tables},
};
use crate::support::{
    hostile::{Does, Hostile, Paging, Records, Twist},
    project::{INTO, Project, task},
};

/// None takes longer, whatever is done to it.
const LONGEST: Duration = Duration::from_secs(60);

const MEMORY_MAX: u64 = 64 << 20;

/// The behaviours are met by so many tests.
const LANES: usize = 4;

/// What a load must end in.
enum Ends {
    /// These rows.
    Rows(String),
    /// An error with these words; none: any error.
    Error(&'static str),
}

struct Met {
    name: String,
    path: String,
    /// What stands in the table's row.
    row: &'static str,
    ends: Ends,
}

const LAST_GOOD: &str = "0 good";

/// What `records` of this number are in the table.
fn rows(total: usize) -> String {
    let rows: Vec<String> = (0..total).map(|id| format!("{id} record {id}")).collect();
    rows.join(", ")
}

/// All behaviours of one answer, and all ways in which pages go wrong.
fn behaviours(service: &Hostile) -> Vec<Met> {
    let mut all = Vec::new();
    for (nth, case) in cases().into_iter().enumerate().filter(|(_, case)| case.media == Media::Json) {
        let path = format!("/one/{nth}");
        service.on(&path, case.script);
        let ends = match case.comes {
            Comes::Right(_) => Ends::Rows("1 a, 2 b".to_owned()),
            // Which words they are of a single answer is tested of the answer.
            Comes::Wrong(..) => Ends::Error("GET /one/"),
        };
        all.push(Met { name: case.name.to_owned(), path, row: "", ends });
    }
    let bodies = [
        ("a type that changed", r#"{"data": [{"id": true, "name": 1}]}"#, "column `id`"),
        ("a key that is missing", r#"{"data": [{"id": 1, "name": "a"}, {"name": "b"}]}"#, "`id` is missing"),
        ("two records of one key", r#"{"data": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}"#, "key"),
        ("no records where they were", r#"{"items": []}"#, "nothing at `records`"),
        (
            "a number beyond the type",
            r#"{"data": [{"id": 92233720368547758080, "name": "a"}]}"#,
            "column `id`",
        ),
        ("NUL in a text", "{\"data\": [{\"id\": 1, \"name\": \"a\\u0000\"}]}", "column `name`"),
        ("half of a surrogate", "{\"data\": [{\"id\": 1, \"name\": \"\\ud800\"}]}", ""),
    ];
    for (nth, (name, body, words)) in bodies.into_iter().enumerate() {
        let path = format!("/body/{nth}");
        service.on(&path, [Does::Json(body.to_owned())]);
        all.push(Met { name: name.to_owned(), path, row: "", ends: Ends::Error(words) });
    }
    let twice = r#"{"data": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "a"}]}"#;
    service.on("/twice", [Does::Json(twice.to_owned())]);
    let rows_of_twice = Ends::Rows("1 a, 2 b".to_owned());
    all.push(Met {
        name: "a record twice".to_owned(),
        path: "/twice".to_owned(),
        row: "",
        ends: rows_of_twice,
    });
    let deep = format!(
        r#"{{"data": [{{"id": 1, "name": "a", "more": {}1{}}}]}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    service.on("/deep", [Does::Json(deep)]);
    all.push(Met {
        name: "nested without an end".to_owned(),
        path: "/deep".to_owned(),
        row: "",
        // No column takes what is so deep.
        ends: Ends::Rows("1 a".to_owned()),
    });
    let ways = [
        (
            Paging::Cursor,
            ", paging = { cursor = \"$.next\", parameter = \"after\", total = \"$.total\", pages = 40 }",
        ),
        (Paging::Next, ", paging = { next = \"$.next_url\", total = \"$.total\", pages = 40 }"),
        (Paging::Link, ", paging = { link = true, total = \"$.total\", pages = 40 }"),
        (
            Paging::Page,
            ", paging = { page = \"page\", size = { parameter = \"size\", records = 3 }, total = \"$.total\", pages = 40 }",
        ),
        (
            Paging::Offset,
            ", paging = { offset = \"offset\", size = { parameter = \"size\", records = 3 }, total = \"$.total\", pages = 40 }",
        ),
    ];
    for (nth, (paging, row)) in ways.into_iter().enumerate() {
        let is_by_number = matches!(paging, Paging::Page | Paging::Offset);
        let twists = [
            (Twist::None, true),
            (Twist::LoopsAt(1), is_by_number),
            (Twist::Endless, is_by_number),
            (Twist::RepeatsAt(1), false),
            (Twist::Shifts, false),
            (Twist::LeavesOutAt(1), false),
            (Twist::SaysMore, false),
        ];
        for (twist, is_right) in twists {
            let path = format!("/pages/{nth}/{}", all.len());
            service.on_records(&path, Records { total: 10, size: 3, paging, twist });
            let ends = if is_right { Ends::Rows(rows(10)) } else { Ends::Error("") };
            all.push(Met { name: format!("{paging:?} {twist:?}"), path, row, ends });
        }
    }
    all
}

/// The greatest memory of a process, until it ends or is late.
async fn peak(child: &mut Child, limit: Instant) -> u64 {
    let mut peak = 0;
    while child.try_wait().expect("it was started here").is_none() {
        assert!(Instant::now() < limit, "it does not end");
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = own.and_then(|own| own.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) * 1024);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    peak
}

async fn in_table(project: &Project) -> String {
    if project.database.text(&format!("SELECT (to_regclass('{INTO}.items') IS NULL)::text")).await == "true" {
        return String::new();
    }
    let sql =
        format!("SELECT coalesce(string_agg(id || ' ' || name, ', ' ORDER BY id), '') FROM {INTO}.items");
    project.database.text(&sql).await
}

/// One load; what is wrong with it, and its peak memory.
async fn meet(project: &Project, met: &Met) -> (Option<String>, u64) {
    let of = |path: &str, row: &str| {
        format!(
            "items = {{ strategy = \"full\", attempts = 1, shrink_limit = \"100 %\", path = \"{path}\", records = \"$.data[*]\", \
             columns = {{ id = \"bigint\", name = \"text\" }}, key = [\"id\"]{row} }}"
        )
    };
    if in_table(project).await != LAST_GOOD {
        write_tables(project, &of("/good", ""));
        project.run(&[]).await;
        assert_eq!(in_table(project).await, LAST_GOOD);
    }
    // What another behaviour asked for is kept for half an hour.
    let go_on = "UPDATE barncat_control.allowances SET paused_until = NULL";
    project.database.run(go_on).await;
    // Only what is right in the end is asked again and again.
    let (before, after) = if matches!(met.ends, Ends::Rows(_)) { (1, 4) } else { (4, 1) };
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write(
        "barncat.toml",
        &config.replace(&format!("\nattempts = {before}\n"), &format!("\nattempts = {after}\n")),
    );
    write_tables(project, &of(&met.path, met.row));
    let began = Instant::now();
    let mut command = project.command(&["run", "--output", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let peak = peak(&mut child, began + LONGEST).await;
    let output = child.wait_with_output().expect("it has ended");
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    let error = &task(&outcome, "raw.items")["error"]["message"];
    let (message, found) = (error.as_str().unwrap_or_default().to_owned(), in_table(project).await);
    let wrong = match (&met.ends, output.status.code()) {
        (Ends::Rows(rows), Some(0)) if found == *rows => None,
        (Ends::Error(words), Some(1))
            if found == LAST_GOOD && !message.is_empty() && message.contains(words) =>
        {
            None
        }
        (_, code) => Some(format!("{}: exit {code:?}, `{message}`, in the table: {found}", met.name)),
    };
    let is_large = peak > MEMORY_MAX;
    (wrong.or_else(|| is_large.then(|| format!("{}: {peak} bytes of memory", met.name))), peak)
}

async fn lane(lane: usize) {
    let service = Hostile::start().await;
    service.on("/good", [Does::Json(r#"{"data": [{"id": 0, "name": "good"}]}"#.to_owned())]);
    let all = behaviours(&service);
    assert!(all.len() > 80, "{}", all.len());
    let project = project_at(&service.url(), "items = \"skip\"").await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let hasty = "attempts = 1\nread_timeout = \"2s\"\nconnect_timeout = \"2s\"\nanswer_timeout = \"5s\"\n\
                 response_limit = \"1 MB\"\nerror_when = \"$.error\"\n";
    project.write("barncat.toml", &config.replace("attempts = 1\n", hasty));
    let (mut wrong, mut most, mut met) = (Vec::new(), 0, 0);
    for behaviour in all.iter().skip(lane).step_by(LANES) {
        let (what, peak) = meet(&project, behaviour).await;
        wrong.extend(what);
        (most, met) = (most.max(peak), met + 1);
    }
    eprintln!("{met} behaviours, at most {most} bytes of memory");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A test a lane, each of which can be as long as one may be.
macro_rules! lanes {
    ($($name:ident $lane:literal),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                lane($lane).await;
            }
        )*
    };
}

mod whatever_it_does_there_are_the_right_rows_or_an_error_and_the_last_good_table {
    use super::lane;

    lanes!(first 0, second 1, third 2, fourth 3);
}

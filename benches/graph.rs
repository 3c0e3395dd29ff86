//! What planning and scheduling cost: a random graph of so many tasks is built, selected from, its critical
//! path found, and a run of it walked through to the end by an executor that does nothing.
//!
//! `graph` prints one JSON object; `graph TASKS` one line of figures for that many. Each size is measured in a
//! process of its own, so that its peak of memory is its own. `scripts/bench.sh --graph` calls this.

#![expect(clippy::print_stdout, reason = "its figures are read by a script")]

use std::{collections::VecDeque, env, error::Error, fs, process::Command, time::Instant};

use barncat::{
    config::Place,
    dag::{Facts, Graph, Kind, Need, Node, NodeId, Origin, TaskName},
    event::Tier,
    run::ready::{Before, End, Limits, Scheduler},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// As the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
const JOBS: usize = 16;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds `--bench`.
    let sizes: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [size] = &sizes[..] {
        println!("{}", measure(size.parse()?)?);
        return Ok(());
    }
    let mut figures = Vec::new();
    for size in SIZES {
        let output = Command::new(env::current_exe()?).arg(size.to_string()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        figures.push(serde_json::from_slice::<Value>(&output.stdout)?);
    }
    println!("{}", serde_json::to_string_pretty(&json!({"jobs": JOBS, "rounds": ROUNDS, "sizes": figures}))?);
    Ok(())
}

/// The fastest of some rounds.
fn measure(tasks: usize) -> Result<Value, Box<dyn Error>> {
    let (mut build_ms, mut schedule_ms) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let nodes = nodes(tasks);
        let begun = Instant::now();
        let graph = Graph::build(nodes, &|_, _| false).map_err(|errors| errors[0].to_string())?;
        build_ms = build_ms.min(ms(begun));
        let begun = Instant::now();
        schedule(&graph)?;
        schedule_ms = schedule_ms.min(ms(begun));
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc")?;
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    let us_per_task = (build_ms + schedule_ms) * 1e3 / f64::from(u32::try_from(tasks)?);
    Ok(json!({
        "tasks": tasks,
        "build_ms": rounded(build_ms),
        "schedule_ms": rounded(schedule_ms),
        "us_per_task": rounded(us_per_task),
        "peak_memory_bytes": peak_kb * 1024,
    }))
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// Selects all, finds the critical path, and does everything; a hundredth fails.
fn schedule(graph: &Graph) -> Result<(), Box<dyn Error>> {
    let begun: Timestamp = "2026-01-01T05:00:00Z".parse()?;
    let now =
        |done: usize| begun + jiff::SignedDuration::from_millis(i64::try_from(done).unwrap_or(i64::MAX));
    let selected = graph.select(&Facts::default(), &["kind:load+".into()], &["tag:never+".into()])?;
    let seconds: Vec<f64> = graph.tasks().map(|task| seconds(task.index())).collect();
    let path = graph.critical_path(&seconds, &graph.mark(&selected));
    if path.steps.is_empty() {
        return Err("nothing hangs on anything".into());
    }
    let published = vec![Some(begun); graph.len()];
    let before = Before { expected_seconds: &seconds, published: &published, ended: &[] };
    let limits = Limits { jobs: JOBS, sources: [("shop".to_owned(), 6)].into() };
    let mut scheduler = Scheduler::new(graph, &selected, before, &limits);
    let mut running: VecDeque<NodeId> = VecDeque::new();
    let (mut done, mut blocked) = (0, 0);
    loop {
        let next = scheduler.next(now(done));
        blocked += next.blocked.len();
        running.extend(next.starts.iter().map(|start| start.task));
        let Some(task) = running.pop_front() else { break };
        let fails = task.index() % 100 == 99;
        scheduler.ended(task, if fails { End::Failed } else { End::Succeeded(Some(now(done))) });
        done += 1;
    }
    if !scheduler.is_over() || done + blocked != selected.len() {
        return Err("not every task has ended".into());
    }
    Ok(())
}

fn seconds(task: usize) -> f64 {
    f64::from(u32::try_from(task % 97).unwrap_or(0)) / 10.0
}

/// Two loads to three models; a model reads three tables that are not far away, a sixth of them softly;
/// each tenth task has a check.
fn nodes(tasks: usize) -> Vec<Node> {
    let mut random = 7_u64;
    let mut draw = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap_or(0) % below.max(1)
    };
    let mut tables: Vec<String> = Vec::new();
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..tasks {
        let place = Place { file: format!("sql/models/t{number}.sql"), line: 1, column: 1 };
        let need = |name: &str, is_soft: bool| Need {
            schema: None,
            name: name.to_owned(),
            place: place.clone(),
            origin: Origin::Sql,
            max_age: is_soft.then(|| std::time::Duration::from_secs(86_400)),
        };
        if number % 10 == 9 {
            let mut check = Node::new(TaskName::bare(format!("check{number}")), Kind::Check, place.clone());
            check.needs.push(need(&tables[draw(tables.len())], false));
            nodes.push(check);
            continue;
        }
        let name = format!("t{number}");
        let is_load = number < 10 || number % 5 < 2;
        let (schema, kind) = if is_load { ("raw", Kind::Load) } else { ("marts", Kind::Model) };
        let mut node = Node::new(TaskName::table(schema, name.clone()), kind, place.clone());
        if is_load {
            node.source = Some(if number % 2 == 0 { "shop" } else { "bank" }.to_owned());
        } else {
            for which in 0..3 {
                let needed = &tables[tables.len() - 1 - draw(tables.len().min(200))];
                let is_soft = which == 0 && draw(2) == 0;
                let needs = if is_soft { &mut node.soft } else { &mut node.needs };
                if needs.iter().all(|need| need.name != *needed) {
                    needs.push(need(needed, is_soft));
                }
            }
            node.tier = (draw(50) == 0).then_some(Tier::Critical);
        }
        if number % 500 == 57 {
            node.tags.push("never".to_owned());
        }
        tables.push(name);
        nodes.push(node);
    }
    nodes
}

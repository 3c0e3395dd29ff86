use super::*;
use crate::{
    dag::{
        Way,
        drawn::{self, build, graph},
    },
    error::Fault,
};

/// Everything that is wrong: `line:column message`.
fn wrong(lines: &[&str]) -> Vec<String> {
    let errors = build(lines).expect_err("something is wrong with it");
    let line = |error: &GraphError| format!("{}:{} {error}", error.place().line, error.place().column);
    errors.iter().map(line).collect()
}

fn needs(graph: &Graph, name: (&str, &str)) -> Vec<String> {
    let task = graph.find(&TaskName::table(name.0, name.1)).unwrap();
    let one = |edge: &Edge| match edge.way {
        Way::Hard => graph.name(edge.task).to_string(),
        Way::Soft { max_age: None } => format!("~{}", graph.name(edge.task)),
        Way::Soft { max_age: Some(age) } => format!("~{} {}s", graph.name(edge.task), age.as_secs()),
    };
    graph.needs(task).iter().map(one).collect()
}

#[test]
fn names_mean_what_they_say() {
    let tasks = [
        "load raw.orders",
        "load raw.fx",
        "load other.fx",
        "check fine: orders",
        "command dbt makes=marts.*",
    ];
    let cases: [(&str, &[&str]); 12] = [
        ("orders", &["raw.orders"]),
        ("raw.orders", &["raw.orders"]),
        ("raw.fx, other.fx, orders", &["other.fx", "raw.fx", "raw.orders"]),
        // A table that barncat does not make.
        ("elsewhere.orders, raw.unknown", &[]),
        ("marts.daily, marts.weekly", &["dbt"]),
        ("!dbt, !fine", &["dbt", "fine"]),
        // The head says how what the SQL reads is needed.
        ("orders, ~raw.orders 2h", &["~raw.orders 7200s"]),
        ("raw.orders, ~orders", &["~raw.orders"]),
        // It may also only wait for it.
        ("orders, ~raw.fx", &["~raw.fx", "raw.orders"]),
        ("marts.a, ~marts.b 2h", &["dbt"]),
        ("~marts.a 3h, ~marts.b 2h", &["~dbt 7200s"]),
        ("orders, raw.orders, !orders", &["raw.orders"]),
    ];
    for (written, expected) in cases {
        let model = format!("model m.m: {written}");
        let graph = graph(&[&tasks[..], &[&model]].concat());
        assert_eq!(needs(&graph, ("m", "m")), expected, "{written}");
    }
}

#[test]
fn what_a_name_cannot_mean_is_said() {
    let tasks = [
        "load raw.orders",
        "load raw.fx",
        "load other.fx",
        "check fine: orders",
        "command dbt makes=marts.*",
    ];
    let cases: [(&str, &str, Option<&str>); 9] = [
        (
            "fx",
            "6:2 `fx`, which model `m.m` needs, could be any of other.fx, raw.fx",
            Some("write it with its schema"),
        ),
        (
            "ordrs",
            "6:2 model `m.m` reads `ordrs`, which no loader or model makes",
            Some("there is a task `orders`; a table that barncat does not make is written with its schema"),
        ),
        // SQL reads no check.
        (
            "fine",
            "6:2 model `m.m` reads `fine`, which no loader or model makes",
            Some("a table that barncat does not make is written with its schema"),
        ),
        ("!fin", "6:2 model `m.m` needs `fin`, and there is no such task", Some("did you mean `fine`?")),
        (
            "~raw.order",
            "6:2 model `m.m` needs `raw.order`, and there is no such task",
            Some("did you mean `raw.orders`?"),
        ),
        (
            "!x.qqqqqqqqqq",
            "6:2 model `m.m` needs `x.qqqqqqqqqq`, and there is no such task",
            Some("`barncat graph` lists the tasks"),
        ),
        (
            "!orders, ~raw.orders 2h",
            "6:3 model `m.m` has `raw.orders` among both `needs` and `soft`",
            Some("leave it in one of them"),
        ),
        (
            "m",
            "6:2 model `m.m` needs itself",
            Some("only a model of `kind = \"incremental\"` may read its own table"),
        ),
        (
            "!m.m",
            "6:2 model `m.m` needs itself",
            Some("only a model of `kind = \"incremental\"` may read its own table"),
        ),
    ];
    for (written, expected, hint) in cases {
        let model = format!("model m.m: {written}");
        let lines = [&tasks[..], &[&model]].concat();
        assert_eq!(wrong(&lines), [expected], "{written}");
        assert_eq!(build(&lines).unwrap_err()[0].hint().as_deref(), hint, "{written}");
    }
}

#[test]
fn an_incremental_model_may_read_itself_and_not_wait_for_itself() {
    assert_eq!(needs(&graph(&["model m.m incremental: m, m.m"]), ("m", "m")), [""; 0]);
    assert_eq!(wrong(&["model m.m incremental: ~m.m"]), ["1:2 model `m.m` needs itself"]);
}

#[test]
fn a_command_that_may_be_meant_makes_a_name_ambiguous() {
    let lines = ["load raw.orders", "command dbt makes=marts.orders makes=x.*", "model m.m: orders"];
    let expected =
        "3:2 `orders`, which model `m.m` needs, could be any of raw.orders, dbt (makes marts.orders, x.*)";
    assert_eq!(wrong(&lines), [expected]);
    assert_eq!(
        wrong(&["command dbt makes=a.[b"]),
        ["1:1 `a.[b` among what command `dbt` makes is no pattern"]
    );
}

#[test]
fn what_a_wildcard_may_bring_is_not_unknown_yet() {
    let nodes = drawn::nodes(&["load raw.orders", "model m.m: tmp_x, raw.tmp_y, ~tmp_z 1h, orders"]);
    let graph = Graph::build(nodes, &|_, name| name.starts_with("tmp_")).unwrap();
    assert_eq!(needs(&graph, ("m", "m")), ["raw.orders"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let lines = [
        "load raw.a",
        "load raw.a",
        "model m.b: c, nowhere",
        "model m.c: ~b",
        "model m.x critical: y",
        "model m.y: z",
        "model m.z optional",
        "model m.late optional deadline",
    ];
    assert_eq!(
        wrong(&lines),
        [
            "2:1 two tasks have the name `raw.a`: here and in project:1:1",
            "3:1 `m.b` needs itself: m.b → m.c ⇢ m.b",
            "3:3 model `m.b` reads `nowhere`, which no loader or model makes",
            "7:1 `m.z` is marked optional, but `m.x` is critical and cannot go without it: m.x → m.y → m.z",
            "8:1 `m.late` is marked optional, but has a deadline, which makes it critical",
        ]
    );
    let hint = "let `m.y` go on without it by `soft = { \"m.z\" = \"24h\" }`, or take its tier away";
    assert_eq!(build(&lines).unwrap_err()[3].hint().as_deref(), Some(hint));
}

#[test]
fn each_knot_is_told_once_by_a_shortest_way() {
    // One knot of two circles, one of its own, and what needs them, which is of no circle.
    let lines = [
        "model m.a: b, d",
        "model m.b: c",
        "model m.c: a",
        "model m.d: a",
        "model m.p: q",
        "model m.q: p",
        "model m.needs: a, p",
        "load raw.x",
    ];
    let expected = ["1:1 `m.a` needs itself: m.a → m.d → m.a", "5:1 `m.p` needs itself: m.p → m.q → m.p"];
    assert_eq!(wrong(&lines), expected);
}

#[test]
fn each_task_comes_after_all_that_it_needs() {
    let graph = graph(&["model m.c: b, ~d", "model m.b: a", "model m.d: a", "load raw.a", "check ok: c"]);
    let place = |task: NodeId| graph.in_order().iter().position(|other| *other == task).unwrap();
    for task in graph.tasks() {
        assert!(graph.needs(task).iter().all(|edge| place(edge.task) < place(task)));
        for edge in graph.needs(task) {
            assert!(graph.needed_by(edge.task).contains(&Edge { task, way: edge.way }));
        }
    }
    assert_eq!(graph.in_order().len(), graph.len());
}

#[test]
fn what_a_critical_task_needs_is_critical_by_the_nearest() {
    let graph = graph(&[
        "load raw.a",
        "load raw.soft",
        "model m.b: a",
        "model m.near deadline: b, ~soft",
        "model m.between: b",
        "model m.far critical: between",
        "check m_ok: near",
    ]);
    let why = |name: TaskName| {
        let names = |way: Vec<NodeId>| way.iter().map(|id| graph.name(*id).to_string()).collect::<Vec<_>>();
        match graph.critical(graph.find(&name).unwrap()) {
            None => "optional".to_owned(),
            Some(Critical::ByHand) => "by hand".to_owned(),
            Some(Critical::ByDeadline) => "by deadline".to_owned(),
            Some(Critical::AsTable(table)) => format!("as {}", graph.name(table)),
            Some(Critical::NeededBy(way)) => names(way).join(" "),
        }
    };
    assert_eq!(why(TaskName::table("raw", "a")), "m.b m.near");
    assert_eq!(why(TaskName::table("raw", "soft")), "optional");
    assert_eq!(why(TaskName::table("m", "between")), "m.far");
    assert_eq!(why(TaskName::table("m", "near")), "by deadline");
    assert_eq!(why(TaskName::table("m", "far")), "by hand");
    assert_eq!(why(TaskName::bare("m_ok")), "optional");
}

#[test]
fn a_chain_of_a_hundred_thousand_tasks_overflows_nothing() {
    let last = 100_000;
    let lines: Vec<String> =
        (1..=last).map(|n| format!("model m.t{n} optional: t{}", n % last + 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let errors = build(&lines).unwrap_err();
    assert!(matches!(errors.as_slice(), [GraphError::Cycle { .. }]));
    let graph =
        graph(&lines[..last - 1].iter().map(|line| line.trim_end_matches(": t100000")).collect::<Vec<_>>());
    assert_eq!(graph.in_order().len(), last - 1);
}

use std::collections::HashMap;

use insta::assert_snapshot;

use super::*;
use crate::{
    config::Place,
    dag::{Kind, Node, TaskName, drawn},
};

fn graph() -> Graph {
    drawn::graph(&[
        "load raw.orders source=shop tag=hot",
        "load raw.fx",
        "load raw.web",
        "model m.owed deadline: orders, ~fx 24h",
        "model m.visits: web, ~owed",
        "check owed_ok: owed",
        "command dbt makes=marts.*: !owed",
    ])
}

fn shown<T>(graph: &Graph, wanted: &[&str], show: fn(&View<'_>) -> T) -> T {
    let wanted: Vec<String> = wanted.iter().map(|word| (*word).to_owned()).collect();
    let tasks = graph.select(&super::super::Facts::default(), &wanted, &[]).unwrap();
    // dbt, owed_ok, owed, visits, fx, orders, web
    let seconds = [Some(200.0), None, Some(3.0), Some(1.25), Some(0.4), Some(41.0), Some(2.0)];
    let id = |name: &str| graph.tasks().find(|task| graph.name(*task).name == name);
    let results: HashMap<NodeId, TaskStatus> =
        [("fx", TaskStatus::Failed), ("web", TaskStatus::Blocked), ("orders", TaskStatus::Succeeded)]
            .into_iter()
            .filter_map(|(name, status)| Some((id(name)?, status)))
            .collect();
    show(&View::new(graph, &tasks, &seconds[..graph.len()], &results))
}

#[test]
fn as_text() {
    assert_snapshot!(shown(&graph(), &[], text), @r##"
    1  raw.fx      load                            0.4 s       failed
    1  raw.orders  load     critical (for m.owed)  41 s        succeeded
    1  raw.web     load                            2.0 s       blocked
    2  m.owed      model    critical (deadline)    3.0 s                  ⇢ raw.fx (24h)  → raw.orders
    3  dbt         command                         3 min 20 s             → m.owed
    3  owed_ok     check                                                  → m.owed
    3  m.visits    model                           1.2 s                  ⇢ m.owed  → raw.web

    critical path  4 min 4 s: raw.orders 41 s, then m.owed 3.0 s, then dbt 3 min 20 s
    "##);
    assert_snapshot!(shown(&graph(), &["m.*"], text), @r##"
    1  m.owed    model  critical (deadline)  3.0 s    ⇢ raw.fx (24h)  → raw.orders
    2  m.visits  model                       1.2 s    ⇢ m.owed  → raw.web

    critical path  4.2 s: m.owed 3.0 s, then m.visits 1.2 s
    "##);
}

#[test]
fn as_mermaid() {
    assert_snapshot!(shown(&graph(), &[], mermaid), @r##"
    flowchart LR
      t0{{"dbt<br>3 min 20 s"}}
      t1{"owed_ok"}
      t2["m.owed<br>3.0 s"]
      t3["m.visits<br>1.2 s"]
      t4[("raw.fx<br>0.4 s")]
      t5[("raw.orders<br>41 s")]
      t6[("raw.web<br>2.0 s")]
      t2 --> t0
      t2 --> t1
      t4 -. 24h .-> t2
      t5 --> t2
      t2 -.-> t3
      t6 --> t3
      classDef critical stroke-width:3px
      classDef failed stroke:#c00
      classDef blocked stroke:#e80
      class t2 critical
      class t4 failed
      class t5 critical
      class t6 blocked
      linkStyle 0,3 stroke-width:3px
    "##);
}

#[test]
fn as_dot() {
    assert_snapshot!(shown(&graph(), &["+visits"], dot), @r##"
    digraph barncat {
      rankdir = LR;
      node [fontname = "sans-serif"];
      "m.owed" [label = "m.owed\n3.0 s", shape = box, style = bold];
      "m.visits" [label = "m.visits\n1.2 s", shape = box];
      "raw.fx" [label = "raw.fx\n0.4 s\nfailed", shape = cylinder, color = red];
      "raw.orders" [label = "raw.orders\n41 s\nsucceeded", shape = cylinder, style = bold];
      "raw.web" [label = "raw.web\n2.0 s\nblocked", shape = cylinder, color = orange];
      "raw.fx" -> "m.owed" [style = dashed, label = "24h"];
      "raw.orders" -> "m.owed" [penwidth = 2];
      "m.owed" -> "m.visits" [style = dashed, penwidth = 2];
      "raw.web" -> "m.visits";
    }
    "##);
}

#[test]
fn as_json() {
    assert_snapshot!(serde_json::to_string_pretty(&shown(&graph(), &["1+owed"], json)).unwrap(), @r##"
    {
      "tasks": [
        {
          "task": "m.owed",
          "kind": "model",
          "tier": "critical",
          "critical_by": {
            "by": "deadline",
            "tasks": []
          },
          "source": null,
          "tags": [],
          "needs": [
            {
              "task": "raw.fx",
              "soft": true,
              "max_age_seconds": 86400
            },
            {
              "task": "raw.orders",
              "soft": false,
              "max_age_seconds": null
            }
          ],
          "last_status": null,
          "unreachable": null,
          "expected_seconds": 3.0,
          "hanging_seconds": 3.0,
          "on_critical_path": true
        },
        {
          "task": "raw.fx",
          "kind": "load",
          "tier": "optional",
          "critical_by": null,
          "source": null,
          "tags": [],
          "needs": [],
          "last_status": "failed",
          "unreachable": null,
          "expected_seconds": 0.4,
          "hanging_seconds": 3.4,
          "on_critical_path": false
        },
        {
          "task": "raw.orders",
          "kind": "load",
          "tier": "critical",
          "critical_by": {
            "by": "need",
            "tasks": [
              "m.owed"
            ]
          },
          "source": "shop",
          "tags": [
            "hot"
          ],
          "needs": [],
          "last_status": "succeeded",
          "unreachable": null,
          "expected_seconds": 41.0,
          "hanging_seconds": 44.0,
          "on_critical_path": true
        }
      ],
      "critical_path": {
        "seconds": 44.0,
        "tasks": [
          {
            "task": "raw.orders",
            "starts_after_seconds": 0.0,
            "seconds": 41.0
          },
          {
            "task": "m.owed",
            "starts_after_seconds": 41.0,
            "seconds": 3.0
          }
        ]
      }
    }
    "##);
}

#[test]
fn without_times_there_is_no_critical_path() {
    let graph = graph();
    let (none, results) = (vec![None; graph.len()], HashMap::new());
    let tasks: Vec<NodeId> = graph.tasks().collect();
    let view = View::new(&graph, &tasks, &none, &results);
    assert!(!text(&view).contains("critical path"));
    assert!(!mermaid(&view).contains("linkStyle"));
    assert_eq!(json(&view)["critical_path"], serde_json::Value::Null);
}

#[test]
fn a_name_is_text_and_never_markup() {
    let place = Place { file: "x".to_owned(), line: 1, column: 1 };
    let name = TaskName::table("a\"];\\n", "x\u{1b}[31m\n<b>#1;|{}]");
    let graph = Graph::build(vec![Node::new(name, Kind::Load, place)], &|_, _| false).unwrap();
    assert_snapshot!(shown(&graph, &[], text).escape_debug().to_string(), @r##"1  a\"];\\n.x\\u{1b}[31m\\n<b>#1;|{}]  load    3 min 20 s\n\ncritical path  3 min 20 s: a\"];\\n.x\\u{1b}[31m\\n<b>#1;|{}] 3 min 20 s\n"##);
    assert_snapshot!(shown(&graph, &[], mermaid).lines().nth(1).unwrap(), @r##"  t0[("a#34;#93;#59;#92;n.x#27;#91;31m#10;#60;b#62;#35;1#59;#124;#123;#125;#93;<br>3 min 20 s")]"##);
    assert_snapshot!(shown(&graph, &[], dot).lines().nth(3).unwrap(), @r##"  "a\"];\\n.x�[31m�<b>#1;|{}]" [label = "a\"];\\n.x�[31m�<b>#1;|{}]\n3 min 20 s", shape = cylinder];"##);
}

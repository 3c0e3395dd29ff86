use super::*;
use crate::{dag::drawn, event::Tier};

fn tasks() -> Vec<Candidate> {
    let task = |schema: &str, name: &str, tier, tags: &[&str]| Candidate {
        name: TableName::new(schema, name),
        kind: "load".to_owned(),
        tier,
        source: Some("shop".to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    vec![
        task("a", "orders", Tier::Critical, &["hot"]),
        task("a", "riders", Tier::Optional, &[]),
        task("b", "riders", Tier::Optional, &["hot"]),
    ]
}

fn names(wanted: &[&str], exclude: &[&str]) -> Result<Vec<String>, SelectError> {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    select(&tasks(), &own(wanted), &own(exclude)).map(|names| names.iter().map(ToString::to_string).collect())
}

#[test]
fn tasks_are_selected_by_what_they_are() {
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        (&[], &[], &["a.orders", "a.riders", "b.riders"]),
        (&["orders"], &[], &["a.orders"]),
        (&["+orders+"], &[], &["a.orders"]),
        (&["b.*"], &[], &["b.riders"]),
        (&["rid*"], &["a.riders"], &["b.riders"]),
        (&["tag:hot"], &[], &["a.orders", "b.riders"]),
        (&["tier:optional", "kind:load"], &["source:shop"], &[]),
        (&["a.riders", "tier:critical"], &[], &["a.orders", "a.riders"]),
    ];
    for (wanted, exclude, expected) in cases {
        assert_eq!(names(wanted, exclude).unwrap(), expected, "{wanted:?} {exclude:?}");
    }
}

#[test]
fn what_means_nothing_or_too_much_is_refused() {
    let unknown = SelectError::Unknown { name: "ordrs".into(), nearest: Some("orders".into()) };
    assert_eq!(names(&["ordrs"], &[]), Err(unknown));
    let choices = vec!["a.riders".into(), "b.riders".into()];
    assert_eq!(names(&["riders"], &[]), Err(SelectError::Ambiguous { name: "riders".into(), choices }));
    assert_eq!(names(&["tag:cold"], &[]), Err(SelectError::Nothing { word: "tag:cold".into() }));
    assert_eq!(names(&["color:red"], &[]), Err(SelectError::Method { word: "color:red".into() }));
}

/// `a` and `b` feed `mid`, which feeds `top` and softly `late`; a check hangs on `mid`.
fn graph() -> Graph {
    drawn::graph(&[
        "load raw.a source=shop tag=hot",
        "load raw.b source=bank",
        "model m.mid: a, b",
        "model m.top critical: mid",
        "model m.late tag=hot: ~mid 2h",
        "check mid_ok: mid",
        "command notify: !top",
    ])
}

fn in_graph(graph: &Graph, facts: &Facts, wanted: &[&str], exclude: &[&str]) -> Result<String, SelectError> {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let tasks = graph.select(facts, &own(wanted), &own(exclude))?;
    Ok(tasks.iter().map(|task| graph.name(*task).name.clone()).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_graph_is_selected_from_along_its_edges() {
    // In the order of the names: what has no schema comes first.
    let cases: [(&[&str], &[&str], &str); 22] = [
        (&[], &[], "mid_ok notify late mid top a b"),
        (&["mid"], &[], "mid"),
        (&["+mid"], &[], "mid a b"),
        (&["mid+"], &[], "mid_ok notify late mid top"),
        (&["mid+1"], &[], "mid_ok late mid top"),
        (&["+mid+"], &[], "mid_ok notify late mid top a b"),
        (&["1+top"], &[], "mid top"),
        (&["2+top+1"], &[], "notify mid top a b"),
        (&["+late"], &[], "late mid a b"),
        (&["mid_ok", "notify"], &[], "mid_ok notify"),
        (&["mid_ok notify"], &[], "mid_ok notify"),
        (&["kind:check"], &[], "mid_ok"),
        (&["kind:command", "kind:model"], &["tier:critical"], "notify late"),
        (&["tier:critical"], &[], "mid top a b"),
        (&["source:shop+"], &["m.t*+"], "mid_ok late mid a"),
        (&["tag:hot"], &[], "late a"),
        (&["tag:hot+,kind:model"], &["late"], "mid top"),
        (&["tier:critical,kind:load,+source:bank"], &[], "b"),
        (&["raw.{a,b}"], &[], "a b"),
        (&["{a,b},tag:hot"], &[], "a"),
        (&["1+m.l?te"], &[], "late mid"),
        (&["mid"], &["mid"], ""),
    ];
    let graph = graph();
    for (wanted, exclude, expected) in cases {
        let selected = in_graph(&graph, &Facts::default(), wanted, exclude);
        assert_eq!(selected.as_deref(), Ok(expected), "{wanted:?} {exclude:?}");
    }
}

#[test]
fn a_graph_is_selected_from_by_what_became_of_it() {
    let graph = graph();
    let id = |schema: &str, name: &str| graph.find(&crate::dag::TaskName::table(schema, name)).unwrap();
    let facts = Facts {
        changed: Some(HashSet::from([id("raw", "a")])),
        results: Some(HashMap::from([
            (id("m", "mid"), TaskStatus::Failed),
            (id("m", "top"), TaskStatus::Blocked),
            (id("raw", "a"), TaskStatus::Succeeded),
        ])),
    };
    let cases: [(&[&str], &str); 6] = [
        (&["state:changed"], "a"),
        (&["state:changed+2,kind:model"], "late mid top"),
        (&["result:failed", "result:blocked"], "mid top"),
        (&["result:failed+1,tier:critical"], "mid top"),
        (&["result:cancelled"], ""),
        (&["result:held,tier:critical"], ""),
    ];
    for (wanted, expected) in cases {
        assert_eq!(in_graph(&graph, &facts, wanted, &[]).as_deref(), Ok(expected), "{wanted:?}");
    }
    let word = |word: &str| word.to_owned();
    for text in ["state:changed", "result:failed"] {
        let unknown = SelectError::NotKnown { word: word(text) };
        assert_eq!(in_graph(&graph, &Facts::default(), &[text], &[]), Err(unknown));
    }
    let choices = "state:changed";
    let fact = SelectError::Fact { word: word("state:new"), choices };
    assert_eq!(in_graph(&graph, &facts, &["state:new"], &[]), Err(fact));
    assert!(matches!(in_graph(&graph, &facts, &["result:bad"], &[]), Err(SelectError::Fact { .. })));
}

#[test]
fn what_means_nothing_in_a_graph_is_refused() {
    let graph = graph();
    let refused = |wanted: &str| in_graph(&graph, &Facts::default(), &[wanted], &[]).unwrap_err();
    let nothing = |word: &str| SelectError::Nothing { word: word.to_owned() };
    assert_eq!(refused("tag:hot,kind:check"), nothing("tag:hot,kind:check"));
    assert_eq!(refused("x*"), nothing("x*"));
    assert_eq!(refused("[a"), nothing("[a"));
    let unknown = |name: &str| SelectError::Unknown { name: name.into(), nearest: Some("mid_ok".into()) };
    assert_eq!(refused("2+mid_okk+"), unknown("mid_okk"));
    assert!(matches!(refused("x+mid"), SelectError::Unknown { .. }));
    assert!(matches!(refused("+"), SelectError::Unknown { .. }));
    assert!(matches!(refused("a,"), SelectError::Unknown { .. }));
}

#[test]
fn a_name_may_have_blanks_and_commas_and_nothing_is_not_everything() {
    assert_eq!(names(&["  "], &[]), Err(SelectError::Empty));
    assert_eq!(names(&["orders"], &[""]), Err(SelectError::Empty));
    let odd = Candidate { name: TableName::new("a", "Odd, 2+ Name"), ..tasks()[0].clone() };
    let tasks = [tasks(), vec![odd]].concat();
    for name in ["Odd, 2+ Name", "a.Odd, 2+ Name"] {
        let selected = select(&tasks, &[name.to_owned()], &[]).unwrap();
        assert_eq!(selected, [TableName::new("a", "Odd, 2+ Name")], "{name}");
    }
}

//! Held against the schema that CloudWatch's user's guide gives ("Embedded metric format example and JSON schema"), and
//! what it says beside it.

use std::collections::BTreeSet;

use super::*;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../tests/emf.schema.json")).expect("it is JSON")
}

/// By the schema; and the members that are named are there, of the right kind.
fn assert_is_emf(line: &Value) {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    let wrong: Vec<String> = validator.iter_errors(line).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?} in {line:#}");
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().expect("a list");
    for directive in directives {
        let names = |value: &Value| value.as_str().expect("a text").to_owned();
        let dimensions = directive["Dimensions"].as_array().expect("a list").iter();
        for dimension in dimensions.flat_map(|set| set.as_array().expect("a list")).map(names) {
            let value = line[&dimension].as_str().unwrap_or_else(|| panic!("no {dimension} in {line:#}"));
            assert!(value.is_ascii() && !value.trim().is_empty() && value.len() <= 1024, "{value}");
        }
        let metrics: Vec<String> = directive["Metrics"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|metric| names(&metric["Name"]))
            .collect();
        assert_eq!(metrics.iter().collect::<BTreeSet<_>>().len(), metrics.len(), "each once: {metrics:?}");
        for metric in &metrics {
            assert!(line[metric].is_number(), "no number {metric} in {line:#}");
        }
    }
    assert!(line.to_string().len() < 256 * 1024);
}

#[test]
fn a_line_is_of_the_published_form() {
    let at: Timestamp = "2026-03-01T04:05:06.789Z".parse().unwrap();
    let figures = vec![("Leads", "Count", 1.0), ("OldestCriticalTable", "Seconds", 61.5)];
    let line = document("deliveries", at, figures);
    assert_is_emf(&line);
    assert_eq!(
        line,
        json!({
            "_aws": {"Timestamp": 1_772_337_906_789_i64, "CloudWatchMetrics": [{
                "Namespace": "barncat", "Dimensions": [["Project"]],
                "Metrics": [{"Name": "Leads", "Unit": "Count"}, {"Name": "OldestCriticalTable", "Unit": "Seconds"}]}]},
            "Project": "deliveries", "Version": env!("CARGO_PKG_VERSION"), "Leads": 1.0, "OldestCriticalTable": 61.5
        })
    );
}

#[test]
fn a_strange_project_is_a_dimension_too() {
    for (project, expected) in
        [("a b", "a b"), ("Küche\n", "K?che?"), (":x", "?x"), (&"é".repeat(300), &"?".repeat(255))]
    {
        let line = document(project, Timestamp::UNIX_EPOCH, vec![("Leads", "Count", 1.0)]);
        assert_eq!(line["Project"], *expected, "{project}");
        assert_is_emf(&line);
    }
}

#[test]
fn what_came_within_the_minute_is_told_once() {
    let before = Sums { failed_runs: 1, failed_tasks: 5, rows: 100, bytes: 1000 };
    let now = Sums { failed_runs: 1, failed_tasks: 7, rows: 150, bytes: 900 };
    let found: Vec<f64> = of_the_minute(now, before).iter().map(|(_, _, value)| *value).collect();
    assert_eq!(found, [0.0, 2.0, 50.0, 0.0]);
}

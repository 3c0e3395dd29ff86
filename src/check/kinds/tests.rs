//! The SQL of each kind, and what its answers mean.

use std::time::Duration;

use super::*;
use crate::config::{CheckOptions, Place};
use crate::event::CheckStatus;

fn resolved(kind: CheckKind) -> Resolved {
    let place = Place { file: "loaders/shop.toml".into(), line: 3, column: 1 };
    let other = matches!(kind, CheckKind::Relationship { .. }).then(|| TableName::new("raw", "riders"));
    Resolved { check: BuiltIn { kind, options: CheckOptions::default(), place }, other }
}

fn text(text: &str) -> Literal {
    Literal::Text(text.into())
}

fn all() -> Vec<Resolved> {
    let column = || "State".to_owned();
    let kinds = [
        CheckKind::NotNull("it's \"it\"".into()),
        CheckKind::AcceptedValues { column: column(), values: vec![text("new"), text("it's")] },
        CheckKind::AcceptedValues {
            column: column(),
            values: vec![text("new"), Literal::Number("1".into())],
        },
        CheckKind::Range {
            column: "fee".into(),
            min: Some(Literal::Number("0".into())),
            max: Some(text("9")),
        },
        CheckKind::RowCount { min: Some(1), max: None, change: Some(0.5) },
        CheckKind::Freshness { column: Some("at".into()), max: Duration::from_secs(3600) },
        CheckKind::Freshness { column: None, max: Duration::from_secs(3600) },
        CheckKind::MatchSource { by_hash: true },
        CheckKind::Unique(vec!["a".into(), "b".into()]),
        CheckKind::Relationship {
            column: "rider_id".into(),
            schema: None,
            table: "riders".into(),
            to: "id".into(),
        },
    ];
    let mut checks: Vec<Resolved> = kinds.into_iter().map(resolved).collect();
    checks[0].check.options.condition = Some("id > 5 -- not the first".into());
    checks
}

fn now() -> Timestamp {
    "2026-11-28T10:00:00Z".parse().expect("a time")
}

fn looked<'a>(dialect: Dialect, table: &'a TableName) -> Looked<'a> {
    Looked { dialect, table, mark: None, beside: None, now: now() }
}

#[test]
fn checks_of_one_table_are_one_scan_and_a_statement_for_each_that_groups() {
    let table = TableName::new("raw", "Orders");
    let questions = looked(Dialect::Postgres, &table).questions(&all());
    assert_eq!(questions.statements.len(), 3);
    insta::assert_snapshot!(questions.statements.join(";\n\n"));
    let marked = Looked { mark: Some("gone"), ..looked(Dialect::Redshift, &table) };
    insta::assert_snapshot!(marked.questions(&all()).statements.join(";\n\n"));
}

#[test]
fn rows_that_come_are_held_against_those_that_stay() {
    let (staging, live) = (TableName::new("s", "01_orders"), TableName::new("raw", "orders"));
    let key = ["id".to_owned()];
    let beside = Looked { beside: Some((&live, &key)), ..looked(Dialect::Postgres, &staging) };
    let unique =
        |columns: &[&str]| resolved(CheckKind::Unique(columns.iter().map(ToString::to_string).collect()));
    insta::assert_snapshot!(beside.questions(&[unique(&["email"])]).statements[1]);
    // The merge itself sees to it.
    let by_key = beside.questions(&[unique(&["id", "email"])]);
    assert!(!by_key.statements[1].contains("raw"), "{by_key:?}");
}

#[test]
fn failing_rows_are_found_by_the_same_conditions() {
    let table = TableName::new("raw", "orders");
    let looked = looked(Dialect::Postgres, &table);
    let found: Vec<String> = all().iter().filter_map(|check| looked.failing_rows(check)).collect();
    insta::assert_snapshot!(found.join(";\n\n"));
}

fn judged(check: Resolved, answers: &[&[&str]], known: &Known) -> (CheckStatus, String) {
    let table = TableName::new("raw", "orders");
    let checks = [check];
    let questions = looked(Dialect::Postgres, &table).questions(&checks);
    let row = |values: &&[&str]| vec![values.iter().map(|value| Some((*value).to_owned())).collect()];
    let answers: Vec<TextRows> = answers.iter().map(row).collect();
    let judged = questions.judge(&checks, &answers, known, now()).pop().expect("one");
    (judged.status, judged.message)
}

#[test]
fn answers_are_judged_without_any_value() {
    use CheckStatus::{Failed, Passed};
    let of = |kind, answers: &[&[&str]]| judged(resolved(kind), answers, &Known::default());
    let not_null = || CheckKind::NotNull("rider".into());
    assert_eq!(of(not_null(), &[&["200", "3"]]), (Failed, "3 of 200 rows have no `rider`".into()));
    assert_eq!(of(not_null(), &[&["200", "0"]]).0, Passed);
    let unique = of(CheckKind::Unique(vec!["a".into()]), &[&["200"], &["4"]]);
    assert_eq!(unique, (Failed, "4 of 200 rows share `a` with another row".into()));
    let fresh = || CheckKind::Freshness { column: Some("at".into()), max: Duration::from_secs(26 * 3600) };
    assert_eq!(of(fresh(), &[&["200", "0"]]), (Failed, "no row has a `at` of the last 26 h".into()));
    assert_eq!(of(fresh(), &[&["200", "1"]]).0, Passed);
}

#[test]
fn row_counts_are_held_against_bounds_and_against_the_loads_before() {
    use CheckStatus::{Failed, Passed};
    let count = |min, max, change| resolved(CheckKind::RowCount { min, max, change });
    let known = |before: &[u64]| Known { before: before.to_vec(), ..Known::default() };
    let of = |check, rows: &str, before: &[u64]| judged(check, &[&[rows]], &known(before)).0;
    assert_eq!(of(count(Some(10), None, None), "9", &[]), Failed);
    assert_eq!(of(count(Some(10), Some(20), None), "10", &[]), Passed);
    assert_eq!(of(count(None, Some(20), None), "21", &[]), Failed);
    let half = || count(None, None, Some(0.5));
    assert_eq!(of(half(), "1", &[100, 100]), Passed, "two loads are no history");
    assert_eq!(of(half(), "49", &[100, 1, 900]), Failed);
    assert_eq!(of(half(), "150", &[100, 1, 900]), Passed);
    assert_eq!(of(half(), "151", &[100, 1, 900]), Failed);
}

#[test]
fn the_ledger_says_how_old_a_table_is() {
    use CheckStatus::{Failed, Passed};
    let hour = || resolved(CheckKind::Freshness { column: None, max: Duration::from_secs(3600) });
    let known = |as_of: &str| Known { as_of: Some(as_of.parse().expect("a time")), ..Known::default() };
    assert_eq!(judged(hour(), &[], &known("2026-11-28T09:30:00Z")).0, Passed);
    assert_eq!(judged(hour(), &[], &known("2026-11-28T10:30:00Z")).0, Passed);
    let (status, message) = judged(hour(), &[], &known("2026-11-28T08:59:59Z"));
    assert_eq!(status, Failed);
    assert_eq!(message, "its rows are of 2026-11-28T08:59:59Z, which is more than 1 h ago");
    assert_eq!(judged(hour(), &[], &Known::default()).0, Failed);
}

//! The grammar of `checks`, its mistakes, and what thresholds mean.

use super::*;
use crate::config::Text;

fn read_text(toml: &str) -> Result<Vec<BuiltIn>, Vec<String>> {
    let mistakes = Collector::default();
    let text = Text::parse("l.toml", toml.to_owned(), &mistakes).expect("it is TOML");
    let keys = Keys::of_file(&text, &mistakes).expect("it is a table");
    let found = read(&keys);
    let told = |mistake: &super::super::Mistake| {
        let hint = mistake.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{} {}{hint}", mistake.place.line, mistake.place.column, mistake.message)
    };
    mistakes.into_result(Some(found)).map_err(|mistakes| mistakes.0.iter().map(told).collect())
}

#[test]
fn every_kind_is_read_in_its_short_form_and_with_settings() {
    let short = r#"checks = { unique = ["id", ["a", "b"]], not_null = ["c", "d"],
        accepted_values = { state = ["new", 1] }, relationship = { rider_id = "raw.riders.id" },
        row_count = { min = 1, change = "50%" }, freshness = { max = "26h" }, range = { fee = { min = 0 } },
        match_source = "hash" }"#;
    let found = read_text(&short.replace('\n', " ")).expect("all is right");
    let labels: Vec<String> = found.iter().map(BuiltIn::label).collect();
    assert_eq!(
        labels,
        [
            "unique (id)",
            "unique (a, b)",
            "not_null (c)",
            "not_null (d)",
            "accepted_values (state)",
            "relationship (rider_id)",
            "range (fee)",
            "row_count",
            "freshness",
            "match_source"
        ]
    );
    assert!(found.iter().all(|check| check.options == CheckOptions::default()));
    let long = r#"checks = { severity = "warn", where = "id > 5", not_null = ["c"],
        unique = { columns = ["id"], severity = "error", error_if = "> 1%", before_publish = true },
        accepted_values = { state = { values = ["new"], warn_if = ">10", sample = 0 } } }"#;
    let found = read_text(&long.replace('\n', " ")).expect("all is right");
    let of =
        |label: &str| found.iter().find(|check| check.label() == label).expect("it is read").options.clone();
    let unique = of("unique (id)");
    assert_eq!((unique.severity, unique.before_publish), (Severity::Error, true));
    assert_eq!(
        (unique.error_if, unique.condition.as_deref()),
        (Some(Threshold::Share(0.01)), Some("id > 5"))
    );
    let state = of("accepted_values (state)");
    assert_eq!((state.severity, state.warn_if, state.sample), (Severity::Warn, Some(Threshold::Rows(10)), 0));
    assert_eq!(of("not_null (c)").severity, Severity::Warn);
}

#[test]
fn mistakes_have_their_place_and_a_suggestion() {
    let told = |toml: &str| read_text(toml).expect_err("it is wrong");
    assert_eq!(
        told("checks = { not_nul = [\"id\"] }"),
        ["1:12 unknown key `not_nul` for `checks` of the file (did you mean `not_null`?)"]
            .map(|line| line.replace("`checks` of the file", "[checks]"))
    );
    assert_eq!(
        told("checks = { unique = { columns = [\"id\"], severty = \"warn\" } }"),
        ["1:41 unknown key `severty` for `unique` of [checks] (did you mean `severity`?)"]
    );
    assert!(
        told("checks = { unique = { columns = [\"id\"], error_if = \"10\" } }")[0]
            .contains("is not a number of rows like `>10`")
    );
    assert!(told("checks = { relationship = { a = \"riders\" } }")[0].contains("names no table and column"));
    assert!(
        told("checks = { row_count = { min = 1, warn_if = \">1\" } }")[0]
            .contains("it counts no failing rows")
    );
    assert!(
        told("checks = { match_source = { by = \"hash\", before_publish = true } }")[0]
            .contains("is of no use")
    );
    assert!(told("checks = { range = { fee = {} } }")[0].contains("neither a `min` nor a `max`"));
    assert!(told("checks = { not_null = [[\"a\", \"b\"]] }")[0].contains("one by one"));
    let contradiction =
        told("checks = { unique = { columns = [\"a\"], severity = \"warn\", error_if = \">1\" } }");
    assert!(contradiction[0].contains("never fails"), "{contradiction:?}");
}

#[test]
fn thresholds_say_what_failing_rows_mean() {
    use CheckStatus::{Failed, Passed, Warned};
    let options = |severity, warn_if: Option<&str>, error_if: Option<&str>| CheckOptions {
        severity,
        warn_if: warn_if.and_then(threshold),
        error_if: error_if.and_then(threshold),
        ..CheckOptions::default()
    };
    let error = Severity::Error;
    let cases = [
        (options(error, None, None), [Passed, Failed, Failed]),
        (options(Severity::Warn, None, None), [Passed, Warned, Warned]),
        (options(error, None, Some("> 10")), [Passed, Warned, Failed]),
        (options(error, Some(">10"), None), [Passed, Passed, Warned]),
        (options(error, Some(">1"), Some("> 50%")), [Passed, Passed, Warned]),
        (options(error, Some(">0"), Some(">10%")), [Passed, Warned, Failed]),
    ];
    for (options, expected) in cases {
        assert_eq!([0, 1, 11].map(|rows| options.verdict(rows, 100)), expected, "{options:?}");
    }
    assert_eq!(options(error, None, Some(">10%")).verdict(0, 0), Passed);
}

#[test]
fn anomalies_warn_unless_somebody_says_otherwise() {
    let found = read_text(r#"checks = { before_publish = true, anomalies = ["rows", "nulls", "bytes"] }"#)
        .expect("all is right");
    let labels: Vec<String> = found.iter().map(BuiltIn::label).collect();
    assert_eq!(labels, ["anomalies (rows)", "anomalies (nulls)", "anomalies (bytes)"]);
    assert!(found.iter().all(|check| check.options.severity == Severity::Warn));
    let before: Vec<bool> = found.iter().map(|check| check.options.before_publish).collect();
    assert_eq!(before, [true, true, false], "of a staging table nobody knows its bytes");
    let long = r#"checks = { error_if = ">3", severity = "error", anomalies = { of = ["nulls", "freshness"], columns = ["a"],
        column = "at", sensitivity = 6, history = 14 } }"#;
    let found = read_text(&long.replace('\n', " ")).expect("all is right");
    let [nulls, freshness] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((nulls.options.severity, nulls.options.error_if), (Severity::Error, None));
    let like = Anomaly {
        of: Measured::Nulls,
        columns: vec!["a".into()],
        column: Some("at".into()),
        sensitivity: 6.0,
        history: 14,
    };
    assert_eq!(nulls.kind, CheckKind::Anomaly(like.clone()));
    assert_eq!(freshness.kind, CheckKind::Anomaly(Anomaly { of: Measured::Freshness, ..like }));
}

#[test]
fn anomalies_that_cannot_be_meant_are_mistakes() {
    let told = |toml: &str| read_text(toml).expect_err("it is wrong").join("\n");
    let all = "takes `rows`, `bytes`, `duration`, `freshness`, `nulls`";
    assert!(told(r#"checks = { anomalies = ["row"] }"#).contains(all));
    assert!(told(r#"checks = { anomalies = ["rows", "rows"] }"#).contains("says one of them twice"));
    assert!(told("checks = { anomalies = [] }").contains("says nothing"));
    assert!(told("checks = { anomalies = { sensitivity = 3 } }").contains("of = [\"rows\", \"nulls\"]"));
    assert!(
        told(r#"checks = { anomalies = { of = ["rows"], columns = ["a"] } }"#)
            .contains("`of` has no `nulls`")
    );
    assert!(
        told(r#"checks = { anomalies = { of = ["rows"], error_if = ">1" } }"#)
            .contains("it counts no failing rows")
    );
    assert!(
        told(r#"checks = { anomalies = { of = ["bytes"], before_publish = true } }"#)
            .contains("of a staging table `rows` and `nulls` can be asked")
    );
}

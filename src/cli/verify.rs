//! `verify`: compare source and warehouse, and say or mend what differs.

use serde_json::{Map, Value};

use super::{
    Context, args::VerifyArgs, columns, complaint::Complaint, exit::Exit, names::ShortNames, quantity,
    run::watched, style, summary,
};
use crate::{
    event::{DifferingKeys, KeyValues, RunOutcome, TaskOutcome, Verification},
    load::Verify,
    run,
};

/// How many keys of each kind of difference are shown.
const KEYS_SHOWN: usize = 20;

/// Verifies and tells what was found.
pub(super) async fn verify(context: &Context, args: VerifyArgs) -> Result<Exit, Complaint> {
    let keys = if args.keys { KEYS_SHOWN } else { 0 };
    let request = run::Request {
        select: args.selection.select,
        exclude: args.selection.exclude,
        work: run::Work::Verify(Verify { as_is: args.as_is, repair: args.repair, keys }),
        jobs: args.jobs as usize,
        ..run::Request::of(args.mode.into())
    };
    let outcome = watched(context, &request).await?;
    if context.output.is_json() {
        context.output.json(&json(&outcome, args.keys))?;
    } else {
        context.output.data(&text(&outcome))?;
    }
    Ok(Exit::of_run(&outcome, true))
}

/// The outcome as `run` has it, and the keys where they were asked for: no outcome holds them otherwise.
fn json(outcome: &RunOutcome, with_keys: bool) -> Value {
    let mut value = serde_json::to_value(outcome).unwrap_or_default();
    let tasks = value.get_mut("tasks").and_then(Value::as_array_mut);
    if let (true, Some(tasks)) = (with_keys, tasks) {
        for (task, of) in tasks.iter_mut().zip(&outcome.tasks) {
            let found = task.get_mut("verification").and_then(Value::as_object_mut);
            if let (Some(found), Some(verification)) = (found, &of.verification) {
                add_keys(found, &verification.keys);
            }
        }
    }
    value
}

fn add_keys(found: &mut Map<String, Value>, keys: &DifferingKeys) {
    found.insert("keys".to_owned(), serde_json::to_value(keys).unwrap_or_default());
}

fn text(outcome: &RunOutcome) -> String {
    let names = ShortNames::of(outcome.tasks.iter().map(|task| task.task.as_str()));
    let mut sections = vec![table(outcome, &names), details(outcome, &names)];
    sections.push(summary::snapshots(outcome, &names));
    sections.push(summary::ending(outcome, &names));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// One line a table that was compared.
fn table(outcome: &RunOutcome, names: &ShortNames) -> String {
    let rows: Vec<Vec<String>> = compared(outcome).map(|(task, found)| row(task, found, names)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let titles = ["table", ">source", ">warehouse", ">missing", ">extra", ">different", "result"];
    columns::lay(&titles, rows)
}

fn compared(outcome: &RunOutcome) -> impl Iterator<Item = (&TaskOutcome, &Verification)> {
    outcome.tasks.iter().filter_map(|task| Some((task, task.verification.as_ref()?)))
}

fn row(task: &TaskOutcome, found: &Verification, names: &ShortNames) -> Vec<String> {
    let kept = || format!("kept {}", quantity::exact(found.kept));
    let result = match (found.equal, &found.before_repair, found.kept) {
        (true, None, 0) => "equal".to_owned(),
        (true, None, _) => kept(),
        (true, Some(_), 0) => "repaired".to_owned(),
        (true, Some(_), _) => format!("repaired, {}", kept()),
        (false, ..) => "differs".to_owned(),
    };
    let mut row = vec![names.short(&task.task).to_owned()];
    let counts = [found.source_rows, found.warehouse_rows, found.missing, found.extra, found.different];
    row.extend(counts.map(quantity::exact));
    row.push(result);
    row
}

/// What a line has no room for: columns, rows that are newer, keys.
fn details(outcome: &RunOutcome, names: &ShortNames) -> String {
    let mut text = String::new();
    for (task, found) in compared(outcome) {
        let name = names.short(&task.task);
        let mut tell = |what: String| text.push_str(&format!("{name}: {what}\n"));
        if let Some(before) = &found.before_repair {
            tell(format!("before the repair {before}"));
        }
        for (column, rows) in &found.columns {
            tell(format!("column `{column}` differs in {}", number_of_rows(*rows)));
        }
        for what in &found.not_comparable {
            tell(what.clone());
        }
        if found.newer > 0 {
            tell(format!("{} newer than the last load", number_of_rows(found.newer)));
        }
        let keys = &found.keys;
        for (kind, keys) in
            [("missing", &keys.missing), ("extra", &keys.extra), ("different", &keys.different)]
        {
            for key in keys {
                tell(format!("{kind} {}", one_line(key)));
            }
        }
    }
    text
}

fn number_of_rows(rows: u64) -> String {
    quantity::count(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}

/// A key for people: values between commas, quoted so that none can be mistaken.
fn one_line(key: &KeyValues) -> String {
    let value = |value: &Option<String>| match value {
        Some(value) => format!("{value:?}"),
        None => style::paint(style::DIM, "NULL"),
    };
    format!("({})", key.iter().map(value).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::sample,
        error::{Class, Failure},
        event::{RunStatus, TaskStatus},
    };

    fn equal() -> Verification {
        Verification {
            equal: true,
            compared_with: "2026-11-22T05:00:00Z".parse().expect("a time"),
            as_is: false,
            source_rows: 200_000,
            warehouse_rows: 200_000,
            missing: 0,
            extra: 0,
            kept: 0,
            different: 0,
            doubled: 0,
            repeated: 0,
            newer: 0,
            columns: std::collections::BTreeMap::new(),
            not_compared: Vec::new(),
            not_comparable: Vec::new(),
            before_repair: None,
            keys: DifferingKeys::default(),
        }
    }

    fn outcome() -> RunOutcome {
        let mut orders = sample::task("raw_shop.orders", TaskStatus::Succeeded);
        orders.verification = Some(equal());
        let mut riders = sample::task("raw_shop.riders", TaskStatus::Failed);
        riders.error = Some(Failure {
            class: Class::Lasting,
            message: "1 row is missing from the warehouse; 2 rows differ in fee, note".to_owned(),
            hint: Some("`barncat verify raw_shop.riders --repair` mends it".to_owned()),
        });
        let key = |values: &[Option<&str>]| values.iter().map(|value| value.map(str::to_owned)).collect();
        riders.verification = Some(Verification {
            equal: false,
            warehouse_rows: 199_999,
            missing: 1,
            different: 2,
            newer: 12,
            columns: [("fee".to_owned(), 2), ("note".to_owned(), 1)].into(),
            keys: DifferingKeys {
                missing: vec![key(&[Some("7"), None])],
                different: vec![key(&[Some("a \"b\""), Some("")])],
                ..DifferingKeys::default()
            },
            ..equal()
        });
        let mut cities = sample::task("raw_shop.cities", TaskStatus::Succeeded);
        cities.verification =
            Some(Verification { before_repair: Some("3 rows differ in name".to_owned()), ..equal() });
        let mut events = sample::task("raw_shop.events", TaskStatus::Succeeded);
        events.verification = Some(Verification { source_rows: 199_800, extra: 200, kept: 200, ..equal() });
        sample::outcome(RunStatus::Failed, vec![orders, riders, cities, events])
    }

    #[test]
    fn tables_that_are_equal_differ_or_were_repaired() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&outcome())).to_string());
    }

    #[test]
    fn keys_are_in_the_json_only_where_they_were_asked_for() {
        let keys = |value: &Value| value["tasks"][1]["verification"].get("keys").cloned();
        assert_eq!(keys(&json(&outcome(), false)), None);
        assert_eq!(
            keys(&json(&outcome(), true)),
            Some(serde_json::json!({"missing": [["7", null]], "extra": [], "different": [["a \"b\"", ""]]}))
        );
    }
}

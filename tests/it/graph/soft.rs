//! What is blocked by what, and what goes on.

use serde_json::Value;

use super::{LOADERS, SOURCE, model, status};
use crate::support::project::{INTO, Project, on_primary, task};

/// A chain of three models upon three loads: `owed` needs orders and, softly, rates; `named` needs owed and riders.
fn write(project: &Project, max_age: &str) {
    model(
        project,
        "owed",
        &format!(
            "/* barncat\ntier = \"critical\"\nsoft = {{ rates = \"{max_age}\" }}\n*/\n\
             select o.rider_id, sum(o.fee * f.rate) as owed from orders o cross join rates f group by o.rider_id"
        ),
    );
    model(project, "named", "select r.name, p.owed from owed p join riders r on r.id = p.rider_id");
    model(project, "margins", "select currency, rate * 2 as margin from rates");
}

/// A table that cannot be read any more.
async fn break_table(project: &Project, table: &str) {
    on_primary(project, &format!("ALTER TABLE {table} RENAME TO {table}_away")).await;
}

fn blocked_by<'a>(outcome: &'a Value, name: &str) -> &'a str {
    task(outcome, &format!("{INTO}.{name}"))["blocked_by"][0].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn just_what_cannot_go_without_a_failed_load_is_blocked() {
    for (broken, blocked, code) in
        [("orders", vec!["owed", "named"], 1), ("riders", vec!["named"], 0), ("rates", vec!["margins"], 0)]
    {
        let project =
            Project::new(SOURCE, &LOADERS.replace("\"full\"", "{ strategy = \"full\", attempts = 1 }")).await;
        write(&project, "24h");
        project.run(&[]).await;
        on_primary(&project, "UPDATE orders SET fee = fee + 1; UPDATE riders SET name = upper(name)").await;
        break_table(&project, broken).await;
        let (status_code, outcome) = project.try_run(&[]).await;
        assert_eq!(status_code, Some(code), "{broken}: {outcome:#}");
        assert_eq!(outcome["status"], if code == 1 { "failed" } else { "degraded" }, "{broken}: {outcome:#}");
        for name in ["owed", "named", "margins"] {
            let is_blocked = status(&outcome, name) == "blocked";
            assert_eq!(is_blocked, blocked.contains(&name), "{broken}, {name}: {outcome:#}");
            if is_blocked {
                assert_eq!(
                    blocked_by(&outcome, name),
                    format!("{INTO}.{broken}"),
                    "the first cause is named"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_need_that_failed_is_taken_as_last_published_if_it_is_young_enough() {
    let project =
        Project::new(SOURCE, &LOADERS.replace("\"full\"", "{ strategy = \"full\", attempts = 1 }")).await;
    write(&project, "24h");
    project.run(&[]).await;
    on_primary(&project, "UPDATE orders SET fee = fee + 1").await;
    break_table(&project, "rates").await;
    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!(code, Some(0), "{outcome:#}");
    let owed = task(&outcome, &format!("{INTO}.owed"));
    assert_eq!(
        (owed["status"].as_str(), owed["inputs"][0]["because"].as_str()),
        (Some("succeeded"), Some("failed")),
        "{outcome:#}"
    );
    let comment = format!("SELECT obj_description('{INTO}.owed'::regclass)");
    let comment = project.database.text(&comment).await;
    assert!(comment.starts_with(&format!("Made of older data: {INTO}.rates as of 20")), "{comment}");
    let why = project.barncat(&["why", "margins"], &[]).await;
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains(&format!("because {INTO}.rates failed")), "{why}");

    // Too old: it waits for better data. Nothing tells when a second has passed but the clock, which no test can
    // set in another process.
    write(&project, "1s");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!((code, status(&outcome, "owed")), (Some(1), "blocked"), "{outcome:#}");

    on_primary(&project, "ALTER TABLE rates_away RENAME TO rates").await;
    let outcome = project.run(&[]).await;
    assert_eq!(status(&outcome, "owed"), "succeeded", "{outcome:#}");
    let comment = format!("SELECT coalesce(obj_description('{INTO}.owed'::regclass), '')");
    assert_eq!(project.database.text(&comment).await, "", "what an earlier load said is gone");
}

/// What was found unchanged was right at that time, whenever it last changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_age_of_a_soft_need_counts_from_when_it_was_last_found_current() {
    let project =
        Project::new(SOURCE, &LOADERS.replace("\"full\"", "{ strategy = \"full\", attempts = 1 }")).await;
    write(&project, "1h");
    project.run(&[]).await;
    // It was loaded two hours ago, and found unchanged just now.
    let earlier = "UPDATE barncat.loads SET as_of = as_of - INTERVAL '2 hours' WHERE table_name = 'rates'";
    project.database.run(earlier).await;
    let outcome = project.run(&["rates"]).await;
    assert_eq!(status(&outcome, "rates"), "unchanged");
    break_table(&project, "rates").await;
    on_primary(&project, "UPDATE orders SET fee = fee + 1").await;
    let outcome = project.run(&[]).await;
    assert_eq!(status(&outcome, "owed"), "succeeded", "{outcome:#}");
    // Two hours later it is too old, and that is what is said.
    let earlier = "UPDATE barncat_control.tasks SET outcome = outcome || jsonb_build_object('as_of',
            to_char(now() AT TIME ZONE 'UTC' - INTERVAL '2 hours', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))
        WHERE task LIKE '%.rates'";
    project.database.run(earlier).await;
    on_primary(&project, "UPDATE orders SET fee = fee + 1").await;
    let (_, outcome) = project.try_run(&[]).await;
    assert_eq!(status(&outcome, "owed"), "blocked", "{outcome:#}");
    let owed = task(&outcome, &format!("{INTO}.owed"));
    let told = owed["error"]["message"].as_str().unwrap_or_default();
    assert!(told.contains("rates failed; the published data of"), "{told}");
    assert!(told.contains("is 2 h old, and 1 h is the most"), "{told}");
}

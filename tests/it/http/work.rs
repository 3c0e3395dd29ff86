//! Loops that ask about what a query of the warehouse gives.

use super::{
    double::Double,
    scene::{ITEMS, Items, project},
};
use crate::support::project::{INTO, Project, task};

/// `/items`, and a place for each item but those whose ids are `unknown`.
async fn serving(count: i64, unknown: &'static [i64]) -> Double {
    let items = Items::new(count);
    Double::start(move |target| match target.strip_prefix("/places/") {
        None => items.answer(target),
        Some(id) if unknown.contains(&id.parse().unwrap()) => (404, "{}".to_owned()),
        Some(id) => (200, format!(r#"{{"name": "place {id}"}}"#)),
    })
    .await
}

fn tables(work: &str, more: &str) -> String {
    format!(
        "items = {{ strategy = \"full\", {ITEMS} }}\n\
         places = {{ work = \"{work}\", repeat = \"until empty\", path = \"/places/{{work.id}}\", records = \"$\", \
         columns = {{ id = \"bigint {{work.id}}\", name = \"text\" }}, key = [\"id\"]{more} }}\n"
    )
}

const WITHOUT_PLACE: &str =
    "select i.id from raw.items i where not exists (select from raw.places p where p.id = i.id)";

async fn places(project: &Project) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(id || ' ' || coalesce(name, '-'), ', ' ORDER BY id), '') FROM {INTO}.places"
    );
    project.database.text(&sql).await
}

fn of_places(double: &Double) -> usize {
    double.asked().iter().filter(|asked| asked.starts_with("/places/")).count()
}

#[tokio::test]
async fn work_is_done_batch_by_batch_until_there_is_none() {
    let double = serving(5, &[]).await;
    let work = format!("{WITHOUT_PLACE} order by i.id limit 2");
    let project = project(&double, &tables(&work, "")).await;
    let outcome = project.run(&[]).await;
    assert_eq!(places(&project).await, "1 place 1, 2 place 2, 3 place 3, 4 place 4, 5 place 5");
    let task = task(&outcome, "raw.places");
    assert_eq!(
        (task["rows"].as_u64(), task["reason"].as_str()),
        (Some(5), Some("asked about 5 rows of work in 3 rounds"))
    );
    assert_eq!(of_places(&double), 5);
    let outcome = project.run(&[]).await;
    assert_eq!(self::task(&outcome, "raw.places")["status"], "unchanged", "{outcome:#}");
    assert_eq!(of_places(&double), 0, "there is no work");
}

#[tokio::test]
async fn a_row_that_fails_for_good_holds_no_other_one_up_and_can_be_asked_again() {
    let double = serving(4, &[2]).await;
    let project = project(&double, &tables(WITHOUT_PLACE, "")).await;
    let outcome = project.run(&[]).await;
    assert_eq!(places(&project).await, "1 place 1, 3 place 3, 4 place 4");
    assert_eq!(of_places(&double), 4, "what failed is not asked again in the same run");
    let warnings = task(&outcome, "raw.places")["warnings"].to_string();
    assert!(warnings.contains("1 request failed for good"), "{outcome:#}");
    let kept = "SELECT count(*)::text FROM barncat_control.failed_requests WHERE ended_at IS NULL";
    assert_eq!(project.database.text(kept).await, "1");
    project.run(&[]).await;
    assert_eq!(of_places(&double), 1);
    assert_eq!(project.database.text(kept).await, "1", "it is the same failure");
}

#[tokio::test]
async fn a_row_of_which_no_request_can_be_made_holds_no_other_one_up() {
    let double = serving(3, &[]).await;
    let work = "select v.id from (values ('1'), (null), ('..'), ('3')) v (id)";
    let project = project(
        &double,
        &tables(
            &format!(
                "{work} where v.id is null or not exists (select from raw.places p where p.id::text = v.id)"
            ),
            "",
        ),
    )
    .await;
    let outcome = project.run(&[]).await;
    assert_eq!(places(&project).await, "1 place 1, 3 place 3");
    assert_eq!(of_places(&double), 2);
    let warnings = task(&outcome, "raw.places")["warnings"].to_string();
    assert!(warnings.contains("2 rows of work cannot be asked about"), "{outcome:#}");
    // Nothing but them is left.
    let outcome = project.run(&[]).await;
    assert_eq!(of_places(&double), 0);
    let task = task(&outcome, "raw.places");
    assert!(task["warnings"].to_string().contains("2 rows of work"), "{outcome:#}");
    assert_eq!(task["status"], "unchanged", "{outcome:#}");
}

#[tokio::test]
async fn what_is_not_found_can_be_a_row_and_work_that_stays_is_an_error() {
    let double = serving(3, &[2]).await;
    let project = project(&double, &tables(WITHOUT_PLACE, ", on_not_found = \"row\"")).await;
    project.run(&[]).await;
    assert_eq!(places(&project).await, "1 place 1, 2 -, 3 place 3");
    double.asked();
    super::scene::write_tables(&project, &tables("select id from raw.items", ""));
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1), "{outcome:#}");
    let message = task(&outcome, "raw.places")["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("would never end"), "{outcome:#}");
    assert_eq!(of_places(&double), 3, "each is asked about once");
}

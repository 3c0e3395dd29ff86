//! Rows made again of what is staged, requests sent again, and tables counted against their service.

use super::{
    double::Double,
    scene::{ITEMS, Items, expected, items, project, write_tables},
};
use crate::support::project::{INTO, Project};

async fn serving(items: &Items) -> Double {
    let items = items.clone();
    Double::start(move |target| items.answer(target)).await
}

async fn by_hand(project: &Project, arguments: &[&str]) -> serde_json::Value {
    let output = project.barncat(&[arguments, &["--output", "json"]].concat(), &[]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn rows_are_made_again_with_other_columns_and_nobody_is_asked() {
    let all = Items::new(5);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    project.run(&[]).await;
    double.asked();
    let other = ITEMS.replace("note = \"text\"", "note = \"text\", minute = \"text $.at\"");
    write_tables(&project, &format!("items = {{ strategy = \"full\", {other} }}"));
    for _ in 0..2 {
        by_hand(&project, &["replay", "items"]).await;
        let minutes = format!("SELECT string_agg(minute, ' ' ORDER BY id) FROM {INTO}.items WHERE id < 3");
        assert_eq!(project.database.text(&minutes).await, "2026-01-01T00:01:00Z 2026-01-01T00:02:00Z");
        assert_eq!(items(&project).await, expected(&all));
    }
    assert_eq!(double.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn answers_of_another_request_are_not_taken_for_those_of_the_row() {
    let all = Items::new(2);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    project.run(&[]).await;
    let other = ITEMS.replace("path = \"/items\"", "path = \"/v2/items\"");
    assert_ne!(other, ITEMS);
    write_tables(&project, &format!("items = {{ strategy = \"full\", {other} }}"));
    let output = project.barncat(&["replay", "items"], &[]).await;
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("came of another request, `GET /items`; its row asks `GET /v2/items`"), "{told}");
    assert_eq!(items(&project).await, expected(&all));
}

#[tokio::test]
async fn a_table_of_new_rows_is_made_again_of_all_that_came_for_it() {
    let mut all = Items::new(5);
    let double = serving(&all).await;
    let since = "parameters = { since = \"{since}\" }, cursor = \"at\", overlap = \"1m\"";
    let project = project(&double, &format!("items = {{ strategy = \"merge\", {since}, {ITEMS} }}")).await;
    project.run(&[]).await;
    all.0[0] = (1, "changed".to_owned(), "2026-01-01T00:09:00Z".to_owned());
    all.0.push((6, "new".to_owned(), "2026-01-01T00:10:00Z".to_owned()));
    let serving = all.clone();
    double.answer(move |target| serving.answer(target));
    project.run(&[]).await;
    project.database.run(&format!("DELETE FROM {INTO}.items WHERE id = 3")).await;
    double.asked();
    let outcome = by_hand(&project, &["replay", "items"]).await;
    assert_eq!(outcome["tasks"][0]["watermark"], "2026-01-01 00:10:00+00", "{outcome:#}");
    assert_eq!(items(&project).await, expected(&all));
    assert_eq!(double.asked(), Vec::<String>::new());
    // The next load goes on from there.
    project.run(&[]).await;
    assert_eq!(double.asked()[0], "/items?since=2026-01-01T00%3A09%3A00Z");
}

#[tokio::test]
async fn after_a_replay_of_an_earlier_load_what_came_since_then_comes_again() {
    let mut all = Items::new(3);
    let double = serving(&all).await;
    let since = "parameters = { since = \"{since}\" }, cursor = \"at\", overlap = \"1m\"";
    let project = project(&double, &format!("items = {{ strategy = \"merge\", {since}, {ITEMS} }}")).await;
    let first = project.run(&[]).await["tasks"][0]["load"].as_str().expect("a load").to_owned();
    all.0.push((4, "new".to_owned(), "2026-01-01T00:30:00Z".to_owned()));
    let serving = all.clone();
    double.answer(move |target| serving.answer(target));
    project.run(&[]).await;
    let outcome = by_hand(&project, &["replay", "items", "--load", &first, "--accept-shrink"]).await;
    assert_eq!(outcome["tasks"][0]["watermark"], "2026-01-01 00:03:00+00", "{outcome:#}");
    double.asked();
    project.run(&[]).await;
    assert_eq!(double.asked()[0], "/items?since=2026-01-01T00%3A02%3A00Z");
    assert_eq!(items(&project).await, expected(&all));
}

#[tokio::test]
async fn a_service_that_counts_anew_is_followed_once_all_of_it_was_asked_for() {
    let at = |id: i64| (id, "x".to_owned(), "2026-01-01T00:00:00Z".to_owned());
    let double = serving(&Items(vec![at(1_000_000)])).await;
    let since = "parameters = { above = \"{since}\" }, cursor = \"id\"";
    let project = project(&double, &format!("items = {{ strategy = \"merge\", {since}, {ITEMS} }}")).await;
    project.run(&[]).await;
    let anew = Items(vec![at(1), at(2)]);
    double.answer(move |target| anew.answer(target));
    let outcome = project.run(&["--full", "--accept-shrink"]).await;
    assert_eq!(outcome["tasks"][0]["watermark"], "2", "{outcome:#}");
    double.asked();
    project.run(&[]).await;
    assert_eq!(double.asked()[0], "/items?above=2");
}

#[tokio::test]
async fn with_another_path_to_records_there_may_be_more_of_them_than_were_counted() {
    let page = |orders: &str, next: &str| (200, format!(r#"{{"orders": [{orders}], "next": {next}}}"#));
    let double = Double::start(move |target| match target {
        "/orders" => page(r#"{"id": 1, "lines": [{"n": 11}, {"n": 12}, {"n": 13}]}"#, "2"),
        _ => page(
            r#"{"id": 2, "lines": [{"n": 13}, {"n": 14}, {"n": 15}]}, {"id": 3, "lines": [{"n": 16}]}"#,
            "null",
        ),
    })
    .await;
    let row = |records: &str, columns: &str, key: &str| {
        format!(
            "lines = {{ strategy = \"full\", path = \"/orders\", records = \"{records}\", columns = {{ {columns} }}, \
             key = [\"{key}\"], paging = {{ cursor = \"$.next\", parameter = \"after\" }} }}"
        )
    };
    let project = project(&double, &row("$.orders[*]", "id = \"bigint\"", "id")).await;
    project.run(&[]).await;
    write_tables(&project, &row("$.orders[*].lines[*]", "n = \"bigint\"", "n"));
    by_hand(&project, &["replay", "lines"]).await;
    let lines = format!("SELECT string_agg(n::text, ' ' ORDER BY n) FROM {INTO}.lines");
    assert_eq!(project.database.text(&lines).await, "11 12 13 14 15 16");
}

#[tokio::test]
async fn requests_that_failed_are_sent_again_and_their_rows_merged() {
    let answers = |unknown: &'static str| {
        move |target: &str| match target.strip_prefix("/places/") {
            None => Items::new(3).answer(target),
            Some(id) if id == unknown => (404, "{}".to_owned()),
            Some(id) => (200, format!(r#"{{"name": "place {id}"}}"#)),
        }
    };
    let double = Double::start(answers("2")).await;
    let tables = format!(
        "items = {{ strategy = \"full\", {ITEMS} }}\nplaces = {{ work = \"select id from raw.items i where not exists \
         (select from raw.places p where p.id = i.id)\", path = \"/places/{{work.id}}\", records = \"$\", columns = {{ \
         id = \"bigint {{work.id}}\", name = \"text\" }}, key = [\"id\"] }}\n"
    );
    let project = project(&double, &tables).await;
    project.run(&[]).await;
    // What fails again is still to be sent.
    by_hand(&project, &["replay", "places", "--ask"]).await;
    double.answer(answers("none"));
    double.asked();
    by_hand(&project, &["replay", "places", "--ask"]).await;
    assert_eq!(double.asked(), ["/places/2"]);
    let names = format!("SELECT string_agg(name, ', ' ORDER BY id) FROM {INTO}.places");
    assert_eq!(project.database.text(&names).await, "place 1, place 2, place 3");
    let outcome = by_hand(&project, &["replay", "places", "--ask"]).await;
    assert_eq!(outcome["tasks"][0]["status"], "unchanged", "{outcome:#}");
    // All that came in the rounds of a loop makes its table again.
    project.database.run(&format!("UPDATE {INTO}.places SET name = 'spoilt'")).await;
    by_hand(&project, &["replay", "places"]).await;
    assert_eq!(project.database.text(&names).await, "place 1, place 2, place 3");
    assert_eq!(double.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn records_that_are_left_out_are_kept_with_their_place_and_why() {
    let body =
        r#"{"data": [{"id": 1, "note": "a"}, {"id": "s3cret"}, {"note": "b"}], "next": null, "total": 3}"#;
    let double = Double::start(move |_| (200, body.to_owned())).await;
    let project =
        project(&double, &format!("items = {{ strategy = \"full\", on_bad_record = \"reject\", {ITEMS} }}"))
            .await;
    let outcome = project.run(&[]).await;
    assert!(outcome.to_string().contains("2 records were left out"), "{outcome:#}");
    let kept = "SELECT string_agg(record || ' ' || reason, '; ' ORDER BY record) FROM barncat_control.rejected_records";
    let kept = project.database.text(kept).await;
    assert_eq!(kept, "2 column `id` is no bigint; 3 column `id` is missing or null");
}

#[tokio::test]
async fn a_table_is_counted_against_its_service() {
    let all = Items::new(5);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    project.run(&[]).await;
    let output = project.barncat(&["verify", "items", "--as-is"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    project.database.run(&format!("DELETE FROM {INTO}.items WHERE id = 3")).await;
    double.asked();
    let output = project.barncat(&["verify", "items", "--as-is"], &[]).await;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("1 row is missing from the warehouse"), "{text}");
    assert_eq!(double.asked().len(), 3);
}

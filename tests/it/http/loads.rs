//! The strategies, and what a service does to them.

use serde_json::Value;

use super::{
    double::Double,
    scene::{ITEMS, Items, expected, items, project, write_tables},
};
use crate::support::project::{INTO, Project, task};

async fn serving(items: &Items) -> Double {
    let items = items.clone();
    Double::start(move |target| items.answer(target)).await
}

fn serve(double: &Double, items: &Items) {
    let items = items.clone();
    double.answer(move |target| items.answer(target));
}

fn collections(project: &Project) -> usize {
    project.staged().iter().filter(|path| path.ends_with("question.json")).count()
}

#[tokio::test]
async fn a_whole_table_is_asked_page_by_page_each_time_and_published_if_it_changed() {
    let mut all = Items::new(5);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["rows"], 5);
    assert_eq!(items(&project).await, expected(&all));
    assert_eq!(double.asked(), ["/items", "/items?after=2", "/items?after=4"]);
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["status"], "unchanged");
    assert_eq!(double.asked().len(), 3, "a new run asks anew");
    all.0[1].1 = "another".to_owned();
    all.0.remove(3);
    serve(&double, &all);
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["status"], "succeeded");
    assert_eq!(items(&project).await, expected(&all));
}

#[tokio::test]
async fn status_shows_how_much_of_its_limits_a_service_has_given() {
    let all = Items::new(5);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let limits = "attempts = 1\nlimits = { minute = 600, day = 1000 }\n";
    project.write("barncat.toml", &config.replace("attempts = 1\n", limits));
    project.run(&[]).await;
    let output = project.barncat(&["status", "--output", "json"], &[]).await;
    let status: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let of = |at: usize| {
        (&status["limits"][at]["per"], &status["limits"][at]["used"], &status["limits"][at]["most"])
    };
    assert_eq!(of(0), (&"minute".into(), &3.into(), &600.into()), "{status:#}");
    assert_eq!(of(1), (&"day".into(), &3.into(), &1000.into()), "{status:#}");
    assert!(status["paused"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(double.asked().len(), 3, "to look at it asks the service nothing");
}

#[tokio::test]
async fn only_what_is_new_is_asked_for_and_merged_by_its_key() {
    let mut all = Items::new(5);
    let double = serving(&all).await;
    let since = "parameters = { since = \"{since}\" }, cursor = \"at\", overlap = \"1m\"";
    let project = project(&double, &format!("items = {{ strategy = \"merge\", {since}, {ITEMS} }}")).await;
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["rows"], 5);
    double.asked();
    all.0[2].1 = "changed".to_owned();
    all.0[2].2 = "2026-01-01T00:09:00Z".to_owned();
    all.0.push((6, "new".to_owned(), "2026-01-01T00:10:00Z".to_owned()));
    serve(&double, &all);
    let outcome = project.run(&[]).await;
    let asked = double.asked();
    assert_eq!(asked.first().map(String::as_str), Some("/items?since=2026-01-01T00%3A04%3A00Z"), "{asked:?}");
    assert_eq!(task(&outcome, "raw.items")["watermark"], "2026-01-01 00:10:00+00");
    assert_eq!(items(&project).await, expected(&all));
    // What came again is the same, and nothing is written.
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["rows"], 0, "{outcome:#}");
    // Nothing came: the table and its watermark stay.
    serve(&double, &Items(Vec::new()));
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["status"], "unchanged", "{outcome:#}");
    assert_eq!(items(&project).await, expected(&all));
    double.asked();
    project.run(&[]).await;
    assert_eq!(double.asked(), ["/items?since=2026-01-01T00%3A09%3A00Z"]);
    // All of it again.
    serve(&double, &all);
    project.run(&["--full", "items"]).await;
    assert_eq!(double.asked()[0], "/items");
    assert_eq!(items(&project).await, expected(&all));
}

#[tokio::test]
async fn a_table_that_suddenly_is_empty_keeps_its_rows() {
    let all = Items::new(5);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    project.run(&[]).await;
    serve(&double, &Items(Vec::new()));
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(1));
    let message = task(&outcome, "raw.items")["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("more vanished than `shrink_limit` allows"), "{message}");
    assert_eq!(items(&project).await, expected(&all));
    double.asked();
    project.run(&["--full", "--accept-shrink", "items"]).await;
    assert_eq!(double.asked(), ["/items"], "what was not believed is asked again");
    assert_eq!(items(&project).await, "");
}

#[tokio::test]
async fn records_that_shift_or_differ_or_do_not_fit_publish_nothing() {
    let all = Items::new(5);
    let double = serving(&all).await;
    let project =
        project(&double, &format!("items = {{ strategy = \"full\", attempts = 1, {ITEMS} }}")).await;
    project.run(&[]).await;
    let bad = [
        (r#"{"data": [{"id": 1}], "next": null, "total": 2}"#, "there are 2 records, and 1 came"),
        (r#"{"data": [{"id": 1}, {"id": 1, "note": "x"}], "next": null, "total": 2}"#, "is not the same"),
        (r#"{"data": [{"id": "s3cret"}], "next": null, "total": 1}"#, "column `id` is no bigint"),
        (r#"{"rows": [], "total": 0}"#, "nothing at `records`"),
        (r#"{"data": [{"id": 1}], "next": null}"#, "`$.total` of `paging` is not on page 1"),
        (r#"{"data": [{"id": 1}], "next": {"x": 1}, "total": 2}"#, "`$.next` of `paging` is an object"),
        ("<html>login</html>", "HTML"),
    ];
    for (body, says) in bad {
        double.answer(move |_| (200, body.to_owned()));
        let (status, outcome) = project.try_run(&[]).await;
        assert_eq!(status, Some(1), "{body}");
        let message = task(&outcome, "raw.items")["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says) && !message.contains("s3cret"), "{body}: {message}");
        assert_eq!(items(&project).await, expected(&all), "{body}");
    }
    serve(&double, &all);
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.items")["status"], "unchanged");
}

#[tokio::test]
async fn a_failure_in_the_middle_is_gone_on_with_by_the_next_run() {
    let all = Items::new(8);
    let double = serving(&all).await;
    let project =
        project(&double, &format!("items = {{ strategy = \"full\", attempts = 1, {ITEMS} }}")).await;
    let failing = all.clone();
    double.answer(move |target| match target {
        "/items?after=4" => (503, "{}".to_owned()),
        target => failing.answer(target),
    });
    let (status, _) = project.try_run(&[]).await;
    assert_eq!(status, Some(1));
    assert_eq!(double.asked(), ["/items", "/items?after=2", "/items?after=4"]);
    serve(&double, &all);
    project.run(&[]).await;
    assert_eq!(double.asked(), ["/items?after=4", "/items?after=6"], "what is staged is not asked again");
    assert_eq!(items(&project).await, expected(&all));
    // Another question is asked from its start.
    write_tables(
        &project,
        &format!("items = {{ strategy = \"full\", parameters = {{ since = \"2020\" }}, {ITEMS} }}"),
    );
    project.run(&[]).await;
    assert_eq!(double.asked()[0], "/items?since=2020");
}

#[tokio::test]
async fn fields_that_come_and_go_are_told_once() {
    let serve = |double: &Double, fields: [&str; 2]| {
        let [one, two] = fields.map(|fields| format!(r#""at": "2026-01-01T00:00:00Z", {fields}"#));
        let body =
            format!(r#"{{"data": [{{"id": 1, {one}}}, {{"id": 2, {two}}}], "next": null, "total": 2}}"#);
        double.answer(move |_| (200, body.clone()));
    };
    let double = Double::start(|_| (500, String::new())).await;
    serve(&double, [r#""note": "x", "known": 1"#; 2]);
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    let warnings = |outcome: &serde_json::Value| task(outcome, "raw.items")["warnings"].to_string();
    assert_eq!(warnings(&project.run(&[]).await), "null", "what was there at the first load is no news");
    serve(&double, [r#""known": 1, "colour": "red""#, r#""known": 2"#]);
    let told = warnings(&project.run(&[]).await);
    assert!(told.contains("new fields, which no column takes: `colour`"), "{told}");
    assert!(
        told.contains("no record has these fields any more, and their columns are NULL: `note`"),
        "{told}"
    );
    assert!(!told.contains("known"), "{told}");
    serve(&double, [r#""colour": "blue""#; 2]);
    assert_eq!(warnings(&project.run(&["--full"]).await), "null");
}

#[tokio::test]
async fn each_day_is_a_query_and_the_next_run_goes_on_where_the_last_one_ended() {
    let double = Double::start(|target| {
        let day = target.trim_start_matches("/rates/");
        (200, format!(r#"{{"day": "{day}", "rates": [{{"code": "USD", "rate": 1.0800}}, {{"code": "GBP", "rate": 0.86}}]}}"#))
    })
    .await;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = today.saturating_sub(jiff::Span::new().days(2));
    let rates = format!(
        "rates = {{ strategy = \"merge\", path = \"/rates/{{date}}\", records = \"$.rates[*]\", \
         columns = {{ day = \"date {{date}}\", code = \"text\", rate = \"numeric\" }}, key = [\"day\", \"code\"], \
         cursor = \"day\", windows = \"1d\", from = \"{from}\", overlap = \"0s\" }}"
    );
    let project = project(&double, &rates).await;
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "raw.rates")["rows"], 6, "{outcome:#}");
    assert_eq!(task(&outcome, "raw.rates")["watermark"], today.to_string());
    // They are asked at the same time, and arrive in any order.
    let mut days = double.asked();
    days.sort();
    let (first, last) = (format!("/rates/{from}"), format!("/rates/{today}"));
    assert!(days.len() == 3 && days[0] == first && days[2] == last, "{days:?}");
    let rate = project
        .database
        .text(&format!("SELECT rate::text FROM {INTO}.rates WHERE code = 'USD' LIMIT 1"))
        .await;
    assert_eq!(rate, "1.0800");
    project.run(&[]).await;
    let later = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let asked = double.asked();
    assert_eq!(asked.first(), Some(&format!("/rates/{today}")), "from the watermark on");
    assert!(asked.len() == 1 || later != today, "{asked:?}");
}

#[tokio::test]
async fn collections_stay_as_long_as_loads_that_name_them_and_plan_asks_nobody() {
    let mut all = Items::new(3);
    let double = serving(&all).await;
    let project = project(&double, &format!("items = {{ strategy = \"full\", {ITEMS} }}")).await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &config.replace("[stage]\n", "[stage]\nkeep = { loads = 2, days = 9 }\n"));
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &config.replace("attempts = 1\n", "attempts = 1\nresume_for = \"0s\"\n"));
    for round in 0..5 {
        all.0[0].1 = format!("round {round}");
        serve(&double, &all);
        project.run(&[]).await;
    }
    project.run(&[]).await;
    // Two loads, and the answers of the last run, which brought nothing new.
    let left = collections(&project);
    assert!((2..=4).contains(&left), "{left}");
    project.barncat(&["clean"], &[]).await;
    assert_eq!(collections(&project), 2);
    double.asked();
    let output = project.barncat(&["plan"], &[]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("would ask GET /items, all of it, page by page by the cursor at `$.next`"),
        "{text}"
    );
    assert_eq!(double.asked(), Vec::<String>::new());
}

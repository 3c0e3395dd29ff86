//! What looks at a service, and what stands in its place in test mode.

use std::process::Output;

use super::{
    double::Double,
    scene::{ITEMS, Items, expected, items, project, write_tables},
};
use crate::support::project::{INTO, Project, task};

fn text(output: &Output) -> String {
    let of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    of(&output.stdout) + &of(&output.stderr)
}

async fn serving(count: i64) -> Double {
    let items = Items::new(count);
    Double::start(move |target| items.answer(target)).await
}

/// Puts lines into the source's section.
fn say(project: &Project, lines: &str) {
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project
        .write("barncat.toml", &config.replace("kind = \"http\"\n", &format!("kind = \"http\"\n{lines}\n")));
}

#[tokio::test]
async fn doctor_asks_only_the_path_that_it_may() {
    let double = serving(3).await;
    let project = project(&double, &format!("items = {{ {ITEMS} }}")).await;
    say(&project, "limits = { minute = 60, day = 1000 }");
    let told = text(&project.barncat(&["doctor"], &[]).await);
    assert!(double.asked().is_empty(), "{told}");
    for words in ["source api", "without TLS", "nothing was asked", "60 a minute, 1000 a day (UTC)"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    say(&project, "probe = \"/items?after=0\"");
    let told = text(&project.barncat(&["doctor"], &[]).await);
    assert_eq!(double.asked(), ["/items?after=0"]);
    assert!(told.contains("answered 200"), "{told}");
    double.answer(|_| (401, "{}".to_owned()));
    let failed = project.barncat(&["doctor"], &[]).await;
    assert!(!failed.status.success() && text(&failed).contains("401"), "{}", text(&failed));
}

#[tokio::test]
async fn doctor_refuses_an_address_that_is_not_public() {
    let double = serving(3).await;
    let project = project(&double, &format!("items = {{ {ITEMS} }}")).await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &config.replace("allow_private = true\n", "probe = \"/items\"\n"));
    let told = text(&project.barncat(&["doctor"], &[]).await);
    assert!(
        told.contains("of this machine or of a private network") && told.contains("allow_private"),
        "{told}"
    );
    assert!(double.asked().is_empty(), "{told}");
}

#[tokio::test]
async fn a_row_that_discover_wrote_can_be_loaded() {
    let double = serving(5).await;
    let project = project(&double, "other = \"skip\"").await;
    let none = text(&project.barncat(&["discover", "api"], &[]).await);
    assert!(none.contains("has no list of its tables"), "{none}");
    assert!(double.asked().is_empty());
    let path = ["discover", "api", "--path", "/items?since=2026"];
    let printed = project.barncat(&path, &[]).await;
    assert_eq!(double.asked(), ["/items?since=2026"], "{}", text(&printed));
    let row = String::from_utf8(printed.stdout).unwrap();
    let begins = "# loaders/api.toml, below [tables]\nitems = { path = \"/items\", parameters = { \"since\" = \"2026\" }, \
                  records = \"$.data[*]\", columns = { id = \"bigint\", note = \"text\", at = \"timestamptz\" }, key = [\"id\"]";
    assert!(row.starts_with(begins), "{row}");
    let written = project.barncat(&[&path[..], &["--write"]].concat(), &[]).await;
    assert!(written.status.success(), "{}", text(&written));
    let again = project.barncat(&[&path[..], &["--write"]].concat(), &[]).await;
    assert!(
        !again.status.success() && text(&again).contains("has a row for `items` already"),
        "{}",
        text(&again)
    );
    // How it goes on is not to be seen in one answer.
    let loader = std::fs::read_to_string(project.dir().join("loaders/api.toml")).unwrap();
    let whole = loader
        .replace("key = [\"id\"]", "key = [\"id\"], paging = { cursor = \"$.next\", parameter = \"after\" }");
    project.write("loaders/api.toml", &whole);
    project.run(&[]).await;
    assert_eq!(items(&project).await, expected(&Items::new(5)));
    let listed = text(&project.barncat(&["discover", "api"], &[]).await);
    assert!(listed.contains("GET /items"), "{listed}");
}

#[tokio::test]
async fn test_mode_takes_its_answers_from_files() {
    let double = serving(5).await;
    let project = project(&double, &format!("items = {{ {ITEMS} }}")).await;
    say(&project, "mock = { \"/items\" = \"mock/one.json\", \"/items?after=2\" = \"mock/two.json\" }");
    let item = |id: i64| format!(r#"{{"id": {id}, "note": "mock {id}", "at": "2026-01-01T00:00:00Z"}}"#);
    let one = format!(r#"{{"data": [{}, {}], "next": 2, "total": 3}}"#, item(1), item(2));
    project.write("mock/one.json", &one);
    project.write("mock/two.json", &format!(r#"{{"data": [{}], "next": null, "total": 3}}"#, item(3)));
    let outcome = project.run(&["--mode", "test"]).await;
    assert_eq!(task(&outcome, "raw_test_ci.items")["rows"], 3, "{outcome:#}");
    let sql = format!("SELECT string_agg(note, ', ' ORDER BY id) FROM {INTO}_test_ci.items");
    assert_eq!(project.database.text(&sql).await, "mock 1, mock 2, mock 3");
    assert!(double.asked().is_empty());
    write_tables(&project, &format!("items = {{ {} }}", ITEMS.replace("/items", "/others")));
    let (_, outcome) = project.try_run(&["--mode", "test"]).await;
    let error = &task(&outcome, "raw_test_ci.items")["error"];
    assert!(
        error["message"].as_str().unwrap_or_default().contains("`mock` has no file for GET /others"),
        "{outcome:#}"
    );
    assert!(error["hint"].as_str().unwrap_or_default().contains("[sources.api.mock]"), "{outcome:#}");
    write_tables(&project, &format!("items = {{ {ITEMS} }}"));
    project.run(&[]).await;
    assert_eq!(items(&project).await, expected(&Items::new(5)), "production never reads a mock");
}

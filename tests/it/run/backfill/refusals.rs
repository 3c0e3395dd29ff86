//! What cannot be backfilled is refused with one clear error, and nothing is changed.

use super::{backfill, on_primary, project, try_backfill};
use crate::support::project::Project;

async fn refused(project: &Project, arguments: &[&str], status: i32, message: &str, hint: &str) {
    let output = try_backfill(project, arguments).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
    assert!(told.contains(&format!("error: {message}")), "{arguments:?}: {told}");
    assert!(told.contains(hint), "{arguments:?}: {told}");
}

#[tokio::test]
async fn what_makes_no_sense_is_a_usage_error() {
    let project = project().await;
    let whole = "raw.prices is loaded whole each time: it has no range to backfill";
    refused(&project, &["prices"], 2, whole, "hint: `barncat run --full raw.prices`").await;
    let no_number = "`1O0` is no value of the cursor `id` of ";
    refused(&project, &["events", "--from", "1O0"], 2, no_number, "which is bigint").await;
    let no_time = "`2026-13-01` is no value of the cursor `updated_at`";
    refused(&project, &["orders", "--to", "2026-13-01"], 2, no_time, "which is timestamptz").await;
    let empty = "nothing of raw.events can lie in this range";
    refused(&project, &["events", "--from", "7", "--to", "7"], 2, empty, "`--from` is below `--to`").await;
    refused(&project, &["events", "--from", "1001", "--dry-run"], 2, empty, "the next load").await;
    let rows = "the cursor `id` of raw.events is no time: `--chunk` must be a number of rows";
    refused(&project, &["events", "--chunk", "1d"], 2, rows, "--chunk 100000").await;
    refused(&project, &["events", "--chunk", "many"], 2, "`many` is neither", "--chunk 1d").await;
    let many = "the range of raw.orders would be cut into more than 100000 chunks";
    refused(&project, &["events", "--resume"], 2, "raw.events has no unfinished backfill", "a new one").await;
    refused(&project, &["no_such"], 2, "", "no_such").await;
    on_primary(
        &project,
        "INSERT INTO orders SELECT 2000 + n, 'x', '2025-06-01'::timestamptz + n * interval '1 s'
                          FROM generate_series(1, 100001) n",
    )
    .await;
    refused(&project, &["orders", "--chunk", "1s"], 2, many, "a greater `--chunk`").await;
    let loads = "SELECT count(*)::text FROM barncat.loads WHERE strategy = 'backfill'";
    assert_eq!(project.database.text(loads).await, "0");
}

#[tokio::test]
async fn what_was_never_loaded_is_refused() {
    let project = Project::new(super::SOURCE, super::LOADERS).await;
    let message = "raw.events has not been loaded yet";
    refused(&project, &["events", "--dry-run"], 2, message, "`barncat run raw.events`").await;
    refused(&project, &["events"], 2, message, "`barncat run raw.events`").await;
}

#[tokio::test]
async fn a_backfill_that_is_not_finished_is_resumed_or_given_up_and_only_while_its_table_is_the_same() {
    let project = project().await;
    let stop = async || {
        let variables = [("BARNCAT_FAILPOINTS", "publish.commit.before=kill")];
        project.barncat(&["backfill", "events", "--chunk", "300"], &variables).await;
    };
    stop().await;
    let message = "a backfill of raw.events is not finished: 0 of its 4 chunks are done";
    refused(&project, &["events"], 2, message, "`--resume` goes on with it; `--restart` gives it up").await;
    project.run(&["--full", "events"]).await;
    let message = "the backfill of raw.events cannot go on: all of the table was loaded or restored";
    refused(&project, &["events", "--resume"], 1, message, "`--restart`").await;
    let outcome = backfill(&project, &["events", "--restart", "--chunk", "600"]).await;
    assert_eq!(outcome["chunks"].as_array().map(Vec::len), Some(2));
    stop().await;
    project.write_loaders(&super::LOADERS.replace("cursor = \"id\"", "cursor = \"id\", where = \"id > 0\""));
    let message =
        "the backfill of raw.events cannot go on: the loader's strategy, `cursor`, `key` or `where`";
    refused(&project, &["events", "--resume"], 1, message, "`--restart`").await;
}

#[tokio::test]
async fn no_more_is_deleted_than_the_loader_allows_over_all_chunks() {
    let project = project().await;
    on_primary(&project, "DELETE FROM events WHERE id % 10 = 0").await;
    let message = "raw.events had 1000 rows and the source has ";
    refused(&project, &["events", "--delete", "--chunk", "100"], 1, message, "the last good rows stay").await;
    let rows = "SELECT table_rows::text FROM barncat.tables WHERE table_name = 'events'";
    assert_eq!(project.database.text(rows).await, "956");
}

#[tokio::test]
async fn a_table_on_hold_keeps_its_data() {
    let project = project().await;
    let before = project.in_warehouse("events").await;
    assert_eq!(project.barncat(&["hold", "events"], &[]).await.status.code(), Some(0));
    on_primary(&project, "UPDATE events SET note = 'changed'").await;
    refused(&project, &["events"], 3, "raw.events is on hold since ", "`barncat release raw.events`").await;
    assert_eq!(project.in_warehouse("events").await, before);
}

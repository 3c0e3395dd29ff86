//! Parts that somebody else changes between their upload and the COPY, which would not notice.

use std::sync::Arc;

use barncat::stage::SharedStage;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::sync::Notify;

use crate::support::{
    project::INTO,
    redshift::OnRedshift,
    s3::{Fault, Operation},
};

const SOURCE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'n' || n FROM generate_series(1, 500) n;";

/// One try each, so that the error is seen.
const LOADERS: &str = "[tables]\norders = { strategy = \"full\", attempts = 1 }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_not_the_one_that_was_sent_is_named_and_not_loaded() {
    let on = OnRedshift::new(SOURCE, LOADERS).await;
    on.project.run(&[]).await;
    let stage = on.s3.stage_at("stage").await;
    let cases = [
        (Change::Swap, "has another SHA-256 than its manifest says"),
        (Change::Shorten, "bytes, and its manifest says"),
        (Change::Delete, "is not there"),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let schema = on.project.source.name();
        let sql = format!("UPDATE {schema}.orders SET note = 'new {number}' WHERE id = 1");
        on.project.source.run_on_primary(&sql).await;
        let go_on = Arc::new(Notify::new());
        on.s3.faults.plan(Operation::Head, Fault::Hold(go_on.clone()), 1);
        let change_it = async {
            while on.s3.faults.left() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let key = newest_part(&stage).await;
            alter(&stage, &key, &change).await;
            go_on.notify_one();
            key
        };
        let ((status, outcome), key) = tokio::join!(on.project.try_run(&[]), change_it);
        assert_eq!(status, Some(1), "{change:?}: {outcome:#}");
        let told = outcome["tasks"][0]["error"].to_string();
        assert!(told.contains(&key) && told.contains(expected), "{change:?}: {told}");
        assert!(!told.contains("n17"), "{change:?}: a value is told");
        let old =
            format!("SELECT count(*) FILTER (WHERE note ~ '^n[0-9]') || ' ' || count(*) FROM {INTO}.orders");
        // Of the first row the last good load is seen still.
        let good = if number == 0 { "500 500" } else { "499 500" };
        assert_eq!(on.text(&old).await, good, "{change:?}");
        on.project.run(&[]).await;
        on.assert_same("orders", "SELECT id || ' ' || note FROM {t} ORDER BY id").await;
    }
}

#[derive(Debug)]
enum Change {
    Swap,
    Shorten,
    Delete,
}

async fn newest_part(stage: &SharedStage) -> String {
    let objects = stage.list("").await.expect("the stage is listed");
    let parts = objects.into_iter().map(|object| object.key).filter(|key| key.contains("/part-"));
    parts.max().expect("a part is staged")
}

async fn alter(stage: &SharedStage, key: &str, change: &Change) {
    let blocks: Vec<Bytes> =
        stage.get(key).await.expect("it is there").try_collect().await.expect("it is read");
    let mut content = blocks.concat();
    match change {
        Change::Delete => return stage.delete(&[key.to_owned()]).await.expect("it is deleted"),
        Change::Swap => content[10] ^= 1,
        Change::Shorten => content.truncate(content.len() - 1),
    }
    let mut upload = stage.put(key).await.expect("it is begun");
    upload.write(content.into()).await.expect("it is written");
    upload.finish().await.expect("it is there");
}

use std::time::Duration;

use super::{fresh_schema, open, superuser};

fn tasks(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_hold_stands_until_its_time_is_over() {
    let control = open(&fresh_schema()).await;
    let second = Some(Duration::from_secs(1));
    let placed = control.hold(&tasks(&["raw.orders"]), second, "ana@here", None).await.unwrap();
    assert_eq!((placed.len(), &placed[0].before), (1, &None));
    assert_eq!(control.holds().await.unwrap(), [placed[0].hold.clone()]);
    super::until("the hold is over", async || control.holds().await.unwrap().is_empty()).await;
    assert_eq!(control.release(&tasks(&["raw.orders"])).await.unwrap(), [], "it stood no longer");

    control.hold(&tasks(&["raw.orders"]), second, "ana@here", Some("why")).await.unwrap();
    super::until("the hold is over", async || control.holds().await.unwrap().is_empty()).await;
    let anew = control.hold(&tasks(&["raw.orders"]), None, "ben@here", None).await.unwrap();
    assert_eq!(anew[0].before, None, "what is over is not extended");
    assert_eq!(anew[0].hold.reason, None, "nor its reason kept");
    assert!(anew[0].hold.since > placed[0].hold.until.unwrap());
}

#[tokio::test]
async fn a_hold_upon_a_hold_moves_its_end_and_keeps_its_beginning_and_reason() {
    let control = open(&fresh_schema()).await;
    let both = tasks(&["raw.orders", "raw.riders"]);
    let first = control.hold(&both[..1], None, "ana@here", Some("why")).await.unwrap();
    let hour = Some(Duration::from_secs(3600));
    let second = control.hold(&both, hour, "ben@here", None).await.unwrap();
    let [orders, riders] = second.as_slice() else { panic!("{second:?}") };
    assert_eq!(orders.before.as_ref(), Some(&first[0].hold));
    assert_eq!((orders.hold.since, orders.hold.by.as_str()), (first[0].hold.since, "ben@here"));
    assert_eq!(orders.hold.reason.as_deref(), Some("why"));
    assert!(orders.hold.until > Some(orders.hold.since));
    assert_eq!((&riders.before, &riders.hold.reason), (&None, &None));
    let third = control.hold(&both[..1], None, "ana@here", Some("other")).await.unwrap();
    assert_eq!((third[0].hold.until, third[0].hold.reason.as_deref()), (None, Some("other")));

    let released = control.release(&tasks(&["raw.orders", "raw.fees"])).await.unwrap();
    assert_eq!(released, [third[0].hold.clone()]);
    assert_eq!(control.holds().await.unwrap().as_slice(), std::slice::from_ref(&riders.hold));
}

#[tokio::test]
async fn holds_that_are_over_are_forgotten_in_the_end() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let hour = Some(Duration::from_secs(3600));
    control.hold(&tasks(&["raw.old", "raw.new"]), hour, "ana@here", None).await.unwrap();
    let admin = superuser().await;
    let age = format!("UPDATE {schema}.holds SET until = now() - interval '25 hours' WHERE task = 'raw.old'");
    admin.batch_execute(&age).await.unwrap();
    control.prune(Duration::from_secs(1_000_000)).await.unwrap();
    let left = format!("SELECT task FROM {schema}.holds");
    let left: Vec<String> = admin.query(&left, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["raw.new"]);
}

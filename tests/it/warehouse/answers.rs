//! The answer to COMMIT is lost: what the ledger says is what the publish says.

use barncat::warehouse::PublishKind;

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::Load,
};

on_each_ground![
    an_answer_that_is_lost_after_the_commit_is_found_in_the_ledger,
    a_commit_that_never_arrived_publishes_nothing_or_is_sent_again,
];

async fn an_answer_that_is_lost_after_the_commit_is_found_in_the_ledger(ground: Ground) {
    for kind in [PublishKind::Swap, PublishKind::Replace] {
        let mut place = Place::on(ground).await;
        let first = place.published(place.load(&["1,1,old\n"])).await;
        // What a publish makes once is there.
        let first = place.published(Load { kind, ..Place::after(&first, &["1,1,old\n"]) }).await;
        let second = Place::after(&first, &["1,1,new\n2,2,new\n"]);
        if ground == Ground::Postgres {
            place.lose_commit(true).await;
        }
        let staging = place.fill(&second).await.unwrap();
        if ground != Ground::Postgres {
            place.lose_commit(true).await;
        }
        let published = staging.publish(second.publication()).await.unwrap();
        place.lost().await;
        assert_eq!(place.rows().await, ["1:1.00:new", "2:2.00:new"]);
        let row = place.warehouse.last_load(&second.table).await.unwrap().expect("it is published");
        assert_eq!((row.load, row.published_at), (second.id.clone(), Some(published.at)));
        assert!(place.warehouse.is_published(&second.id).await.unwrap());
        assert_eq!(place.behind.text("SELECT count(*)::text FROM barncat.loads").await, "3");
        // The next load needs no hand.
        place.published(Place::after(&second, &["3,3,x\n"])).await;
        assert_eq!(place.rows().await, ["3:3.00:x"]);
        place.warehouse.sweep(&|_| true).await.unwrap();
        assert_eq!(place.left().await, [""; 0]);
    }
}

async fn a_commit_that_never_arrived_publishes_nothing_or_is_sent_again(ground: Ground) {
    let mut place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    let second = Place::after(&first, &["1,1,new\n"]);
    if ground == Ground::Postgres {
        place.lose_commit(false).await;
    }
    let staging = place.fill(&second).await.unwrap();
    if ground != Ground::Postgres {
        place.lose_commit(false).await;
    }
    let published = staging.publish(second.publication()).await;
    place.lost().await;
    // On Redshift the staging table is committed: the publish is tried again, and goes well.
    assert_eq!(published.is_ok(), ground.is_redshift(), "{published:?}");
    let is_published = place.warehouse.is_published(&second.id).await.unwrap();
    assert_eq!(is_published, published.is_ok());
    let rows = if is_published { "1:1.00:new" } else { "1:1.00:old" };
    assert_eq!(place.rows().await, [rows]);
    assert_eq!(
        place.behind.text("SELECT count(*)::text FROM barncat.loads").await,
        if is_published { "2" } else { "1" }
    );
    assert_eq!(place.left().await, [""; 0]);
}

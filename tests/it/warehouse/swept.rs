//! What a load that is not published leaves, and what takes it away.

use std::time::Duration;

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::Load,
};

on_each_ground![
    a_load_that_is_given_up_is_never_seen,
    dead_loads_are_swept_and_the_living_are_not,
    a_sweep_that_meets_a_publish_loses_no_table,
];

async fn a_load_that_is_given_up_is_never_seen(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.load(&["1,1,a\n"]);
    place.fill(&load).await.unwrap().discard().await;
    assert_eq!(place.left().await, [""; 0]);
    drop(place.fill(&place.load(&["1,1,a\n"])).await.unwrap());
    barncat::pg::settle(Duration::from_secs(5)).await;
    assert!(place.warehouse.live(&load.table).await.unwrap().is_none());
    // Whatever is left of it belongs to its load, and goes with it.
    place.warehouse.sweep(&|_| true).await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
    assert_eq!(place.behind.texts("SELECT load FROM barncat.loads").await, [""; 0]);
    // What was given up may be loaded again.
    place.published(load).await;
    assert_eq!(place.rows().await, ["1:1.00:a"]);
}

async fn dead_loads_are_swept_and_the_living_are_not(ground: Ground) {
    let place = Place::on(ground).await;
    let [dead, living, busy] = ["1,1,a\n", "1,1,b\n", "1,1,c\n"].map(|rows| Load {
        // Filled by several connections, so that others see it.
        fill_jobs: 2,
        ..place.load(&[rows])
    });
    for load in [&dead, &living, &busy] {
        drop(place.fill(load).await.unwrap());
    }
    barncat::pg::settle(Duration::from_secs(5)).await;
    let mut listed: Vec<String> =
        place.warehouse.staging_tables().await.unwrap().into_iter().map(|table| table.load).collect();
    listed.sort();
    let mut expected = vec![dead.id.clone(), living.id.clone(), busy.id.clone()];
    expected.sort();
    assert_eq!(listed, expected);
    // Tables of others lie beside them; on Postgres one that may not be dropped, whatever its name says.
    let theirs = match ground {
        Ground::Postgres => format!("barncat_staging.\"{}_o\"", dead.id),
        Ground::DataApi | Ground::Wire => "raw.orders__barncat_backup".to_owned(),
    };
    place.behind.run(&format!("CREATE TABLE {theirs} (id int)")).await;
    // Somebody still reads it: whoever is told that its load is dead cannot drop it yet.
    let found = place.warehouse.staging_tables().await.unwrap();
    let name = &found.iter().find(|table| table.load == busy.id).expect("it is listed").name;
    let name = if ground.is_redshift() { name.clone() } else { format!("barncat_staging.\"{name}\"") };
    let reader = place.behind.connect().await;
    reader.batch_execute(&format!("BEGIN; SELECT count(*) FROM {name}")).await.unwrap();
    let mut swept = Vec::new();
    if ground.is_redshift() {
        // Its DROP would wait for the reader: Redshift has no limit for that.
        swept.extend(place.warehouse.sweep(&|load| load == dead.id).await.unwrap());
    } else {
        swept.extend(place.warehouse.sweep(&|load| load == dead.id || load == busy.id).await.unwrap());
    }
    assert_eq!(swept.len(), 1, "{swept:?}");
    reader.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(place.warehouse.sweep(&|load| load == dead.id || load == busy.id).await.unwrap().len(), 1);
    let left = place.warehouse.staging_tables().await.unwrap();
    let left: Vec<String> = left.into_iter().map(|table| table.load).collect();
    assert!(left.contains(&living.id) && !left.contains(&busy.id), "{left:?}");
    assert_eq!(place.behind.text(&format!("SELECT count(*)::text FROM {theirs}")).await, "0");
}

/// Whoever sweeps takes a load for dead whose publish is under way: it goes well, or nothing of it is seen.
async fn a_sweep_that_meets_a_publish_loses_no_table(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,old\n"])).await;
    let second = Load { fill_jobs: 2, ..Place::after(&first, &["1,1,new\n"]) };
    let staging = place.fill(&second).await.unwrap();
    place.slow_down_the_ledger(Duration::from_millis(800));
    let publish = tokio::spawn(staging.publish(second.publication()));
    place.ledger_is_slow().await;
    let swept = place.another().await.sweep(&|load| load == second.id).await;
    assert!(swept.is_ok(), "{swept:?}");
    let published = publish.await.expect("it ends");
    let is_published = place.warehouse.is_published(&second.id).await.unwrap();
    assert_eq!(published.is_ok(), is_published, "{published:?}");
    assert_eq!(place.rows().await, [if is_published { "1:1.00:new" } else { "1:1.00:old" }]);
    let last = if is_published { second } else { first };
    place.published(Place::after(&last, &["3,3,next\n"])).await;
    assert_eq!(place.rows().await, ["3:3.00:next"]);
    place.warehouse.sweep(&|_| true).await.unwrap();
    assert_eq!(place.left().await, [""; 0]);
}

//! The ledger: what is written, who comes second, what is read of it.

use barncat::{
    error::{Class, Failure},
    sql::TableName,
    warehouse::{PublishKind, State},
};

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::Load,
};

on_each_ground![
    preparing_twice_and_at_once_does_no_harm,
    a_publish_writes_the_row_that_the_next_load_reads,
    loads_are_told_with_what_they_stand_on,
    who_decided_on_the_same_load_and_comes_second_publishes_nothing,
    every_way_of_a_second_publisher_leaves_the_table_as_it_was,
    tables_are_published_side_by_side,
    the_same_load_published_twice_is_published_once,
    a_table_of_somebody_elses_is_left_alone,
];

async fn preparing_twice_and_at_once_does_no_harm(ground: Ground) {
    let place = Place::empty(ground).await;
    let table = TableName::new("raw", "orders");
    // Looking makes nothing.
    assert_eq!(place.warehouse.last_loads().await.unwrap().len(), 0);
    assert_eq!(place.warehouse.last_load(&table).await.unwrap(), None);
    assert_eq!(place.warehouse.loads(&table).await.unwrap(), []);
    assert!(place.warehouse.live(&table).await.unwrap().is_none());
    assert_eq!(place.warehouse.published_among(&["01A".into()]).await.unwrap().len(), 0);
    assert!(!place.warehouse.is_published("01A").await.unwrap());
    assert_eq!(place.warehouse.staging_tables().await.unwrap(), []);
    let made = "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'barncat%'";
    assert_eq!(place.behind.text(made).await, "0");
    let (one, two) = (place.another().await, place.another().await);
    let (one, two) = tokio::join!(one.prepare(), two.prepare());
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    place.warehouse.prepare().await.unwrap();
    assert_ne!(place.behind.text(made).await, "0");
    assert_eq!(place.warehouse.last_loads().await.unwrap().len(), 0);
}

async fn a_publish_writes_the_row_that_the_next_load_reads(ground: Ground) {
    let place = Place::on(ground).await;
    let change = |it: &mut barncat::warehouse::Publication| {
        it.ledger.watermark = Some(r"o'clock \N".to_owned());
        it.ledger.state = State {
            strategy: "append".to_owned(),
            definition: "d".repeat(64),
            awaiting: vec!["tip".to_owned(), "b\"q\"".to_owned()],
            null: Some(r"\N".to_owned()),
            ..State::default()
        };
    };
    let load = Load { change, ..place.load(&["1,2.50,a\n"]) };
    let published = place.publish(&load).await.unwrap();
    let mut expected = load.publication().ledger;
    expected.published_at = Some(published.at);
    assert_eq!(place.warehouse.last_load(&load.table).await.unwrap().as_ref(), Some(&expected));
    let second = place.published(Place::after(&load, &["1,2.50,a\n"])).await;
    let all = place.warehouse.last_loads().await.unwrap();
    assert_eq!(
        all.into_iter().map(|(table, row)| (table, row.load)).collect::<Vec<_>>(),
        [(second.table.clone(), second.id.clone())]
    );
    let among = place.warehouse.published_among(&[load.id.clone(), "01Z".into()]).await.unwrap();
    assert_eq!(among.into_iter().collect::<Vec<_>>(), std::slice::from_ref(&load.id));
    assert!(place.warehouse.is_published(&load.id).await.unwrap());
    assert!(!place.warehouse.is_published("01Z").await.unwrap());
    let seen = "SELECT load || ' ' || lsn::text FROM barncat.tables";
    assert_eq!(place.behind.text(seen).await, format!("{} 0/3000060", second.id));
}

/// A load that followed a base at a moment, with its watermark.
fn following(load: Load, base: &str, hour: u32, watermark: &str) -> (Load, barncat::warehouse::Publication) {
    let mut publication = load.publication();
    publication.ledger.state.base = base.to_owned();
    publication.ledger.as_of = format!("2026-11-22T{hour:02}:00:00Z").parse().expect("a time");
    publication.ledger.watermark = Some(watermark.to_owned());
    (load, publication)
}

async fn loads_are_told_with_what_they_stand_on(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.load(&["1,1,a\n"]);
    let (first, publication) = following(first.clone(), &first.id, 1, "one");
    let base = first.id.clone();
    place.fill(&first).await.unwrap().publish(publication).await.unwrap();
    let (second, publication) = following(Place::after(&first, &["1,1,b\n"]), &base, 2, "two");
    place.fill(&second).await.unwrap().publish(publication).await.unwrap();
    let third = Place::after(&second, &["1,1,c\n"]);
    let (third, mut publication) = following(third.clone(), &third.id, 3, "three");
    publication.ledger.state.restored = Some(second.id.clone());
    place.fill(&third).await.unwrap().publish(publication).await.unwrap();

    let loads = place.warehouse.loads(&first.table).await.unwrap();
    let ids: Vec<&str> = loads.iter().map(|row| row.load.as_str()).collect();
    assert_eq!(ids, [&third.id, &second.id, &first.id]);
    let previous: Vec<Option<&str>> = loads.iter().map(|row| row.previous.as_deref()).collect();
    assert_eq!(previous, [Some(second.id.as_str()), Some(&first.id), None]);

    let lineage = place.warehouse.lineage(&first.table, std::slice::from_ref(&second.id)).await.unwrap();
    let told: Vec<(&str, &str, Option<&str>)> =
        lineage.iter().map(|it| (it.load.as_str(), it.base.as_str(), it.restored.as_deref())).collect();
    assert_eq!(
        told,
        [(third.id.as_str(), third.id.as_str(), Some(second.id.as_str())), (&second.id, &base, None)]
    );

    for (hour, base, watermark) in
        [(2, &base, "two"), (1, &base, "one"), (0, &base, "one"), (9, &base, "two"), (9, &third.id, "three")]
    {
        let as_of = format!("2026-11-22T{hour:02}:30:00Z").parse().expect("a time");
        let found = place.warehouse.watermark_before(&first.table, base, as_of).await.unwrap();
        assert_eq!(found.as_deref(), Some(watermark), "{hour} o'clock, after {base}");
    }
    let before_it = "2026-11-22T02:30:00Z".parse().expect("a time");
    let found = place.warehouse.watermark_before(&first.table, &third.id, before_it).await.unwrap();
    assert_eq!(found.as_deref(), Some("two"), "a restored state goes on from what it restored");
    let other = TableName::new("raw", "riders");
    assert_eq!(place.warehouse.watermark_before(&other, &base, before_it).await.unwrap(), None);
}

async fn who_decided_on_the_same_load_and_comes_second_publishes_nothing(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,first\n"])).await;
    let (left, right) = (Place::after(&first, &["1,1,left\n"]), Place::after(&first, &["1,1,right\n"]));
    let (left, right) = tokio::join!(place.publish(&left), place.publish(&right));
    let (winner, loser) = match (left, right) {
        (Ok(_), Err(error)) => ("left", error),
        (Err(error), Ok(_)) => ("right", error),
        other => panic!("one of two must win: {other:?}"),
    };
    assert_eq!(loser.class(), Class::Passing, "{loser}");
    assert!(Failure::of(loser.as_ref()).message.contains("superseded"), "{loser}");
    assert_eq!(place.behind.text("SELECT note FROM raw.orders").await, winner);
    // A decision upon a load that is not there is no better, and one upon none neither.
    for previous in [Some("01X".to_owned()), None] {
        let stray = Load { previous: previous.clone(), ..Place::after(&first, &["1,1,stray\n"]) };
        let error = place.publish(&stray).await.unwrap_err();
        let is_told = error.to_string().contains("superseded") || previous.is_none();
        assert!(is_told, "{previous:?}: {error}");
        assert_eq!(place.behind.text("SELECT note FROM raw.orders").await, winner);
    }
    assert_eq!(place.left().await, [""; 0]);
}

async fn every_way_of_a_second_publisher_leaves_the_table_as_it_was(ground: Ground) {
    // Redshift fills by one COPY, whatever it is told.
    let fill_jobs: &[u32] = if ground.is_redshift() { &[1] } else { &[1, 2] };
    let ways = [PublishKind::Swap, PublishKind::Replace];
    for (kind, fill_jobs) in ways.into_iter().flat_map(|kind| fill_jobs.iter().map(move |jobs| (kind, *jobs)))
    {
        let place = Place::on(ground).await;
        let first = place.published(place.load(&["1,1,first\n"])).await;
        let late = Load { kind, fill_jobs, ..Place::after(&first, &["1,1,late\n"]) };
        let late_staging = place.fill(&late).await.unwrap();
        place.published(Place::after(&first, &["1,1,second\n"])).await;
        let oid = place.behind.text("SELECT 'raw.orders'::regclass::oid::text").await;
        let error = late_staging.publish(late.publication()).await.unwrap_err();
        assert_eq!(error.class(), Class::Passing, "{error}");
        assert!(error.to_string().contains("superseded"), "{error}");
        assert_eq!(place.behind.text("SELECT note FROM raw.orders").await, "second");
        assert_eq!(place.behind.text("SELECT 'raw.orders'::regclass::oid::text").await, oid);
        assert_eq!(place.left().await, [""; 0]);
    }
}

async fn tables_are_published_side_by_side(ground: Ground) {
    let place = Place::on(ground).await;
    let orders = place.load(&["1,1,a\n"]);
    let riders = Load { table: TableName::new("raw", "riders"), ..place.load(&["1,1,b\n"]) };
    for (orders, riders) in [
        (orders.clone(), riders.clone()),
        (Place::after(&orders, &["1,1,c\n"]), Place::after(&riders, &["1,1,d\n"])),
    ] {
        let (one, other) = tokio::join!(place.publish(&orders), place.publish(&riders));
        assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    }
    assert_eq!(place.behind.text("SELECT o.note || r.note FROM raw.orders o, raw.riders r").await, "cd");
    assert_eq!(place.warehouse.last_loads().await.unwrap().len(), 2);
}

async fn the_same_load_published_twice_is_published_once(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.load(&["1,1,a\n"]);
    let first = place.publish(&load).await.unwrap();
    let second = place.publish(&load).await.unwrap();
    assert_eq!(first.at, second.at);
    assert_eq!(place.behind.text("SELECT count(*)::text FROM barncat.loads").await, "1");
    assert_eq!(place.rows().await, ["1:1.00:a"]);
}

async fn a_table_of_somebody_elses_is_left_alone(ground: Ground) {
    let place = Place::on(ground).await;
    place
        .behind
        .run("CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO barncat_warehouse; CREATE TABLE raw.orders (theirs int)")
        .await;
    let load = place.load(&["1,1,a\n"]);
    let error = place.publish(&load).await.unwrap_err();
    assert_eq!(error.to_string(), "raw.orders is there already, neither created nor adopted by barncat");
    assert_eq!(error.class(), Class::Lasting);
    assert_eq!(place.behind.texts("SELECT theirs::text FROM raw.orders").await, [""; 0]);
    assert_eq!(place.warehouse.last_load(&load.table).await.unwrap(), None);
}

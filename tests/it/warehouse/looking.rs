//! What is read of tables: what they are, what they hold, whether they equal others; and their end.

use barncat::{
    compare::{Hash, Look},
    schema::{Cursor, RelationKind},
    sql::TableName,
};

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::{Load, column},
};

on_each_ground![
    a_table_is_told_as_it_is,
    a_view_is_told_and_binds_its_table,
    rows_are_counted_up_to_a_cursor,
    equal_rows_have_equal_totals,
    a_table_is_taken_over_as_it_was_looked_at,
    a_table_goes_for_good,
];

async fn a_table_is_told_as_it_is(ground: Ground) {
    let place = Place::on(ground).await;
    let table = TableName::new("raw", "orders");
    assert!(place.warehouse.live(&table).await.unwrap().is_none());
    assert!(place.warehouse.survey(&table, &["id".into()]).await.unwrap().is_none());
    assert_eq!(place.warehouse.name_taken(&table).await.unwrap(), None);
    let load = place.published(place.load(&["1,1,a\n"])).await;
    let live = place.warehouse.live(&table).await.unwrap().expect("it is there");
    assert_eq!((live.kind, &live.columns), (RelationKind::Table, &load.columns));
    assert!(live.is_held_to(&["id".into()]));
    assert_eq!((live.obstacles, live.views, live.needs.len()), (vec![], vec![], 0));
    let survey = place.warehouse.survey(&table, &["id".into()]).await.unwrap().expect("it is there");
    assert_eq!((survey.needed, survey.grants, survey.has_key), (vec![], vec![], true));
    assert!(!place.warehouse.place().contains("secret"), "{}", place.warehouse.place());
}

async fn a_view_is_told_and_binds_its_table(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.published(place.load(&["1,1,a\n"])).await;
    place.run_as_owner("CREATE VIEW raw.top AS SELECT id FROM raw.orders").await;
    let live = place.warehouse.live(&TableName::new("raw", "top")).await.unwrap().expect("it is there");
    assert_eq!(live.kind, RelationKind::View);
    let live = place.warehouse.live(&load.table).await.unwrap().expect("it is there");
    assert_eq!(live.views, ["raw.top"]);
    // Redshift's must be made anew by a swap.
    let rebound: &[&str] = if ground.is_redshift() { &["raw.top"] } else { &[] };
    assert_eq!((live.obstacles, live.rebound), (vec![], rebound.iter().map(ToString::to_string).collect()));
    // What depends on a table keeps it.
    let error = place.warehouse.remove(&load.table, RelationKind::Table).await.unwrap_err();
    assert!(error.to_string().contains("raw.orders"), "{error}");
    assert_eq!(place.rows().await, ["1:1.00:a"]);
}

async fn rows_are_counted_up_to_a_cursor(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.published(place.load(&["1,1,a\n2,2,b\n7,7,c\n"])).await;
    let schema = load.ledger_row().schema;
    let mut schema = schema;
    schema.columns[0].column_type.kind = barncat::schema::TypeKind::Builtin { name: "int8".into() };
    let cursor = Cursor::of(&load.table, &schema, "id").unwrap();
    let reach =
        async |most: &str| place.warehouse.reach(&load.table, None, Some((&cursor, most))).await.unwrap();
    assert_eq!(place.warehouse.reach(&load.table, None, None).await.unwrap(), (3, None));
    assert_eq!(reach("100").await, (3, Some("7".to_owned())));
    assert_eq!(reach("6").await, (3, Some("2".to_owned())));
    assert_eq!(reach("0").await, (3, None));
}

async fn equal_rows_have_equal_totals(ground: Ground) {
    let place = Place::on(ground).await;
    let rows = "1,1,a\n2,,\n3,3.10,\"x \"\n";
    let orders = place.published(place.load(&[rows])).await;
    let riders =
        Load { table: TableName::new("raw", "riders"), ..place.load(&["3,3.1,\"x \"\n", "2,,\n1,1,a\n"]) };
    let riders = place.published(riders).await;
    let look = |table: &TableName, row: &[&str]| Look {
        table: table.clone(),
        key: vec!["id".into()],
        row: row.iter().map(ToString::to_string).collect(),
        condition: None,
        newer: None,
    };
    let total = async |look: Look| {
        let mut side = place.warehouse.look(look).await.unwrap();
        let total = side.total(Hash::Md5).await.unwrap();
        side.close().await.unwrap();
        total
    };
    let all = total(look(&orders.table, &["fee", "note"])).await;
    assert_eq!(all.rows, 3);
    assert_eq!(all, total(look(&riders.table, &["fee", "note"])).await);
    assert_ne!(all, total(look(&orders.table, &["fee"])).await);
    let some = Look { condition: Some("id < 3".into()), ..look(&orders.table, &["fee", "note"]) };
    assert_eq!(total(some).await.rows, 2);
    // A blank at the end, and NULL for an empty text, are differences.
    let other = place.published(Place::after(&riders, &["3,3.1,x\n2,,\"\"\n1,1,a\n"])).await;
    let mut one = place.warehouse.look(look(&orders.table, &["note"])).await.unwrap();
    let mut two = place.warehouse.look(look(&other.table, &["note"])).await.unwrap();
    let (one_buckets, two_buckets) =
        (one.buckets(Hash::Md5, 16).await.unwrap(), two.buckets(Hash::Md5, 16).await.unwrap());
    let chosen = barncat::compare::differing(16, &one_buckets, &two_buckets);
    assert!(!chosen.numbers.is_empty() && chosen.numbers.len() <= 2, "{chosen:?}");
    one.close().await.unwrap();
    two.close().await.unwrap();
}

async fn a_table_is_taken_over_as_it_was_looked_at(ground: Ground) {
    let place = Place::on(ground).await;
    let columns = place.load(&[]).columns;
    let of: Vec<String> = columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { "NOT NULL" };
            format!("{} {} {null}", column.name, column.sql_type)
        })
        .collect();
    let owner = if ground.is_redshift() { "" } else { "SET ROLE barncat_warehouse;" };
    place
        .behind
        .run(&format!(
            "CREATE SCHEMA raw; GRANT ALL ON SCHEMA raw TO barncat_warehouse; {owner}
             CREATE TABLE raw.orders ({}); INSERT INTO raw.orders VALUES (1, 1, 'theirs')",
            of.join(", ")
        ))
        .await;
    let load = place.load(&["1,1,a\n"]);
    let row = load.ledger_row();
    let live = place.warehouse.live(&load.table).await.unwrap().expect("it is there");
    assert_eq!(live.columns, columns);
    // With other columns than were looked at it is not taken over.
    let other = [&columns[..2], &[column("more", "integer", true)]].concat();
    assert!(place.warehouse.adopt(&row, &other).await.is_err());
    assert!(place.warehouse.adopt(&row, &columns[..2]).await.is_err());
    assert_eq!(place.warehouse.last_load(&load.table).await.unwrap(), None);
    let second = place.load(&["1,1,a\n"]).ledger_row();
    let other = place.another().await;
    let (one, two) = tokio::join!(place.warehouse.adopt(&row, &columns), other.adopt(&second, &columns));
    assert!(one.is_ok() != two.is_ok(), "one of two takes it over: {one:?} {two:?}");
    let winner = if one.is_ok() { row } else { second };
    let last = place.warehouse.last_load(&load.table).await.unwrap().expect("it is taken over");
    assert_eq!(last.load, winner.load);
    assert_eq!(place.rows().await, ["1:1.00:theirs"]);
    // From now on it is one like any other.
    let next = Load { previous: Some(winner.load), ..place.load(&["2,2,ours\n"]) };
    place.published(next).await;
    assert_eq!(place.rows().await, ["2:2.00:ours"]);
}

async fn a_table_goes_for_good(ground: Ground) {
    let place = Place::on(ground).await;
    let load = place.published(place.load(&["1,1,a\n"])).await;
    place.warehouse.remove(&load.table, RelationKind::Table).await.unwrap();
    assert!(place.warehouse.live(&load.table).await.unwrap().is_none());
    // Whoever was killed after that asks again.
    place.warehouse.remove(&load.table, RelationKind::Table).await.unwrap();
    // Its past is known, and its next load follows it.
    let row = place.warehouse.last_load(&load.table).await.unwrap().expect("a load");
    assert_eq!(row.load, load.id);
    place.published(Place::after(&load, &["2,2,b\n"])).await;
    assert_eq!(place.rows().await, ["2:2.00:b"]);
}

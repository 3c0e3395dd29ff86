//! Each way to publish: what the live table is then, what is told of it, and what is carried over.

use barncat::warehouse::{Increment, Publication, PublishKind, Published, StagingSpec, Written};

use super::place::Place;
use crate::support::{
    ground::{Ground, on_each_ground},
    warehouse::{Load, column, replay},
};

on_each_ground![
    a_table_is_created_then_swapped,
    columns_change_with_the_source,
    grants_and_comments_stay,
    rows_are_replaced_and_the_table_stays,
    rows_are_inserted_if_their_key_is_new,
    rows_are_merged_and_those_that_are_gone_go,
    rows_that_are_gone_are_marked,
    all_that_is_not_staged_is_gone,
    a_column_that_was_added_meanwhile_is_not_lost,
];

async fn a_table_is_created_then_swapped(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.load(&["1,2.50,one\n", "2,,two\n"]);
    let published = place.publish(&first).await.unwrap();
    assert_eq!((published.kind, published.written, published.warnings), (PublishKind::Swap, None, vec![]));
    let mut last = first;
    for number in ["7", "8", "9"] {
        let next = Place::after(&last, &[&format!("{number},1,x\n")]);
        assert_eq!(place.publish(&next).await.unwrap().kind, PublishKind::Swap);
        assert_eq!(place.rows().await, [format!("{number}:1.00:x")]);
        assert_eq!(place.left().await, [""; 0]);
        last = next;
    }
    if ground == Ground::Postgres {
        let key = "SELECT conname::text FROM pg_constraint WHERE conrelid = 'raw.orders'::regclass";
        assert_eq!(place.behind.texts(key).await, ["orders_pkey"]);
    }
}

async fn columns_change_with_the_source(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,2.50,one\n"])).await;
    let columns = vec![column("id", "bigint", false), column("tip", "smallint", true)];
    let second = place.published(Load { columns, ..Place::after(&first, &["1,7\n"]) }).await;
    let live = place.warehouse.live(&first.table).await.unwrap().expect("it is there");
    assert_eq!(live.columns, second.columns);
    assert_eq!(live.obstacles, Vec::<String>::new());
}

async fn a_column_that_was_added_meanwhile_is_not_lost(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,2.50,one\n"])).await;
    let mut second = Place::after(&first, &["2,2.50,two\n"]);
    second.change = |it| it.live_columns = Some(["id", "fee", "note"].map(str::to_owned).to_vec());
    place.behind.run("ALTER TABLE raw.orders ADD COLUMN remark text").await;
    let error = place.publish(&second).await.unwrap_err();
    assert_eq!(error.to_string(), "a swap of raw.orders would by now lose column remark");
    assert_eq!(place.rows().await, ["1:2.50:one"]);
    // Where it was decided with it in view, it goes as it was said.
    let mut third = Place::after(&first, &["3,2.50,three\n"]);
    third.change = |it| it.live_columns = Some(["id", "fee", "note", "remark"].map(str::to_owned).to_vec());
    place.publish(&third).await.unwrap();
    assert_eq!(place.rows().await, ["3:2.50:three"]);
}

async fn grants_and_comments_stay(ground: Ground) {
    let place = Place::on(ground).await;
    let role = crate::support::new_name();
    place.behind.run(&format!("CREATE ROLE {role}; CREATE ROLE {role}_b")).await;
    let grants = format!(
        "SELECT has_table_privilege('{role}', 'raw.orders', 'SELECT') || ' ' || has_table_privilege('{role}_b', 'raw.orders', 'SELECT')"
    );
    let mut publication = place.load(&["1,1,a\n"]).publication();
    publication.grants.insert("select".to_owned(), vec![role.clone()]);
    let first = Load { id: publication.ledger.load.clone(), ..place.load(&["1,1,a\n"]) };
    place.fill(&first).await.unwrap().publish(publication).await.unwrap();
    assert_eq!(place.behind.text(&grants).await, "true false");
    place
        .run_as_owner(&format!(
            "GRANT SELECT ON raw.orders TO {role}_b; REVOKE SELECT ON raw.orders FROM {role};
             COMMENT ON TABLE raw.orders IS 'what was ''ordered'''; COMMENT ON COLUMN raw.orders.fee IS 'in EUR'"
        ))
        .await;
    for kind in [PublishKind::Swap, PublishKind::Replace] {
        let last = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
        let next = Load { kind, previous: Some(last.load), ..place.load(&["2,2,b\n"]) };
        place.published(next).await;
        assert_eq!(place.behind.text(&grants).await, "false true", "{kind}");
        let comments = "SELECT obj_description('raw.orders'::regclass) || ', ' || col_description('raw.orders'::regclass, 2)";
        assert_eq!(place.behind.text(comments).await, "what was 'ordered', in EUR", "{kind}");
    }
    place.behind.run(&format!("DROP OWNED BY {role}, {role}_b; DROP ROLE {role}, {role}_b")).await;
}

async fn rows_are_replaced_and_the_table_stays(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,a\n2,2,b\n3,3,c\n"])).await;
    let oid = "SELECT 'raw.orders'::regclass::oid::text";
    let before = place.behind.text(oid).await;
    let second =
        Load { kind: PublishKind::Replace, ..Place::after(&first, &["2,2,b\n", "3,3.10,c\n4,,d\n"]) };
    let published = place.publish(&second).await.unwrap();
    assert_eq!((published.kind, published.written, published.warnings), (PublishKind::Replace, None, vec![]));
    assert_eq!(place.rows().await, ["2:2.00:b", "3:3.10:c", "4:-:d"]);
    assert_eq!(place.behind.text(oid).await, before);
    let row = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
    assert_eq!((row.publish, row.table_rows), (PublishKind::Replace, 3));
    assert_eq!(place.left().await, [""; 0]);
}

/// A load of some rows of the table.
fn some(load: Load, kind: PublishKind, change: fn(&mut Publication)) -> Load {
    Load { kind, change, ..load }
}

fn increment(late: Option<&str>, gone: &[&str]) -> Increment {
    Increment {
        added: Vec::new(),
        late: late.map(str::to_owned),
        gone: gone.iter().map(|key| vec![(*key).to_owned()]).collect(),
        is_whole: false,
        table_rows: None,
    }
}

async fn rows_are_inserted_if_their_key_is_new(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,a\n2,2,b\n9,9,z\n"])).await;
    let next = some(Place::after(&first, &["2,5,other\n3,3,late\n10,1,new\n"]), PublishKind::Insert, |it| {
        it.increment = Some(increment(Some("id <= 9"), &[]));
    });
    let published = place.publish(&next).await.unwrap();
    let written = Written { inserted: 2, updated: 0, deleted: 0, late: 1 };
    assert_eq!((published.kind, published.written), (PublishKind::Insert, Some(written)));
    assert_eq!(place.rows().await, ["1:1.00:a", "2:2.00:b", "3:3.00:late", "9:9.00:z", "10:1.00:new"]);
    let row = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
    assert_eq!((row.table_rows, row.late_rows, row.deleted_rows), (5, Some(1), Some(0)));
    assert_eq!(place.left().await, [""; 0]);
}

async fn rows_are_merged_and_those_that_are_gone_go(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.published(place.load(&["1,1,a\n2,2,b\n3,,\n4,4,d\n9,9,z\n"])).await;
    // 1 is as it was, 2 and 3 differ, 5 is new and late, 10 is new; 4 goes, and 77 was never there.
    let rows = "1,1,a\n2,2.00,\"b \"\n3,,x\n5,5,late\n10,1,new\n";
    let next = some(Place::after(&first, &[rows]), PublishKind::Merge, |it| {
        it.increment = Some(increment(Some("id <= 9"), &["4", "77"]));
    });
    let published = place.publish(&next).await.unwrap();
    let written = Written { inserted: 2, updated: 2, deleted: 1, late: 3 };
    assert_eq!((published.kind, published.written), (PublishKind::Merge, Some(written)));
    assert_eq!(
        place.rows().await,
        ["1:1.00:a", "2:2.00:b ", "3:-:x", "5:5.00:late", "9:9.00:z", "10:1.00:new"]
    );
    let row = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
    assert_eq!((row.table_rows, row.late_rows), (6, Some(3)));
    assert_eq!(place.left().await, [""; 0]);
    // A column that is new comes first, in place.
    let columns = [&next.columns[..], &[column("tip", "smallint", true)]].concat();
    let added = some(Load { columns, ..Place::after(&next, &["2,2,b,7\n"]) }, PublishKind::Merge, |it| {
        let added = vec![column("tip", "smallint", true)];
        it.increment = Some(Increment { added, ..increment(None, &[]) });
    });
    let published = place.publish(&added).await.unwrap();
    assert_eq!(published.written, Some(Written { inserted: 0, updated: 1, deleted: 0, late: 0 }));
    let tips = "SELECT string_agg(id || ':' || coalesce(tip::text, '-'), ' ' ORDER BY id) FROM raw.orders";
    assert_eq!(place.behind.text(tips).await, "1:- 2:7 3:- 5:- 9:- 10:-");
}

/// Fills and publishes a load whose table has a column for marks.
async fn publish_marking(place: &Place, load: &Load) -> Published {
    let spec = StagingSpec { mark: Some("gone_at".to_owned()), ..load.spec() };
    let mut staging = place.warehouse.open_staging(spec).await.unwrap();
    let manifest = load.write(&place.stage).await;
    staging.fill(replay(&manifest), place.stage.clone()).await.unwrap();
    assert_eq!(staging.count().await.unwrap(), load.rows());
    let publication = Publication { mark: Some("gone_at".to_owned()), ..load.publication() };
    staging.publish(publication).await.unwrap_or_else(|error| panic!("{error}"))
}

const MARKED: &str = "SELECT string_agg(id || CASE WHEN gone_at IS NULL THEN '' ELSE '!' END, ' ' ORDER BY id) FROM raw.orders";

async fn rows_that_are_gone_are_marked(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.load(&["1,1,a\n2,2,b\n3,3,c\n"]);
    publish_marking(&place, &first).await;
    assert_eq!(place.behind.text(MARKED).await, "1 2 3");
    let second = some(Place::after(&first, &["3,3,c\n"]), PublishKind::Merge, |it| {
        it.increment = Some(increment(None, &["1", "2"]));
    });
    let published = publish_marking(&place, &second).await;
    assert_eq!(published.written, Some(Written { deleted: 2, ..Written::default() }));
    assert_eq!(place.behind.text(MARKED).await, "1! 2! 3");
    let row = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
    assert_eq!(row.table_rows, 1);
    assert_eq!(place.warehouse.reach(&first.table, Some("gone_at"), None).await.unwrap(), (1, None));
    // One of them comes again, just as it was: it is new. A key that is marked already is not marked anew.
    let mark = "SELECT gone_at::text FROM raw.orders WHERE id = 1";
    let since = place.behind.text(mark).await;
    let third = some(Place::after(&second, &["2,2,b\n"]), PublishKind::Merge, |it| {
        it.increment = Some(increment(None, &["1"]));
    });
    let published = publish_marking(&place, &third).await;
    assert_eq!(published.written, Some(Written { inserted: 1, ..Written::default() }));
    assert_eq!(place.behind.text(MARKED).await, "1! 2 3");
    assert_eq!(place.behind.text(mark).await, since);
    assert_eq!(place.left().await, [""; 0]);
}

async fn all_that_is_not_staged_is_gone(ground: Ground) {
    let place = Place::on(ground).await;
    let first = place.load(&["1,1,a\n2,2,b\n3,3,c\n"]);
    publish_marking(&place, &first).await;
    let second = some(Place::after(&first, &["2,2,x\n4,4,d\n"]), PublishKind::Replace, |it| {
        it.increment = Some(Increment { is_whole: true, ..increment(None, &[]) });
    });
    let published = publish_marking(&place, &second).await;
    let written = Written { inserted: 1, updated: 1, deleted: 2, late: 0 };
    assert_eq!((published.kind, published.written), (PublishKind::Replace, Some(written)));
    assert_eq!(place.behind.text(MARKED).await, "1! 2 3! 4");
    let row = place.warehouse.last_load(&first.table).await.unwrap().expect("a load");
    assert_eq!((row.table_rows, row.state.kept), (2, 2));
    assert_eq!(place.left().await, [""; 0]);
}

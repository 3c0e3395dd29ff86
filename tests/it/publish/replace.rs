//! Rows replaced in place: the table stays, and what hangs on it is not touched without need.

use barncat::{
    error::{Class, Failure},
    warehouse::{PublishKind, StagingColumn},
};

use crate::support::warehouse::{Database, Load, column, texts};

const ROWS: &str =
    "SELECT id || ':' || coalesce(fee::text, '-') || ':' || coalesce(note, '-') FROM raw.orders ORDER BY id";

fn replacing(load: &Load, id: &str, parts: &[&str]) -> Load {
    Load { kind: PublishKind::Replace, ..Load::after(load, id, parts) }
}

/// A database whose `raw.orders` has these rows, and `sql` run upon it.
async fn with(load: &Load, sql: &str) -> Database {
    let database = Database::new().await;
    database.publish(load).await.unwrap();
    database.run(sql).await;
    database
}

fn three() -> Load {
    Load::new("01A", &["1,1.00,a\n2,2.00,b\n3,3.00,c\n"])
}

/// Notes each row event on `raw.orders` in `public.events`.
const EVENTS: &str = "
    CREATE TABLE public.events (what text);
    CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO public.events VALUES (TG_OP || '' '' || coalesce(NEW.id, OLD.id)); RETURN NULL; END';
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON raw.orders
        FOR EACH ROW EXECUTE FUNCTION public.note()";

#[tokio::test]
async fn only_rows_that_differ_are_written_and_the_table_stays() {
    let first = three();
    let database = with(&first, EVENTS).await;
    let oid = "SELECT 'raw.orders'::regclass::oid::text";
    let before = database.text(oid).await;
    let second = replacing(&first, "01B", &["2,2.00,b\n", "3,3.10,c\n4,,d\n"]);
    let published = database.publish(&second).await.unwrap();
    assert_eq!((published.kind, published.warnings), (PublishKind::Replace, Vec::new()));
    assert_eq!(database.texts(ROWS).await, ["2:2.00:b", "3:3.10:c", "4:-:d"]);
    assert_eq!(database.text(oid).await, before);
    assert_eq!(
        database.texts("SELECT what FROM public.events ORDER BY 1").await,
        ["DELETE 1", "INSERT 4", "UPDATE 3"]
    );
    assert_eq!(database.text("SELECT publish FROM barncat.loads WHERE load = '01B'").await, "replace");
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'barncat_staging'::regnamespace";
    assert_eq!(database.texts(left).await, Vec::<String>::new());
}

#[tokio::test]
async fn older_snapshots_keep_the_rows_of_before() {
    let first = three();
    let database = with(&first, "").await;
    let reader = database.connect().await;
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    database.publish(&replacing(&first, "01B", &["7,7.00,x\n"])).await.unwrap();
    assert_eq!(texts(&reader, ROWS).await, ["1:1.00:a", "2:2.00:b", "3:3.00:c"]);
    reader.batch_execute("COMMIT").await.unwrap();
    assert_eq!(texts(&reader, ROWS).await, ["7:7.00:x"]);
}

#[tokio::test]
async fn rows_that_refer_to_the_table_are_not_touched() {
    let first = three();
    let database = with(
        &first,
        "CREATE TABLE public.items (id int, orders bigint REFERENCES raw.orders ON DELETE CASCADE);
         INSERT INTO public.items VALUES (10, 1), (20, 2), (30, 3)",
    )
    .await;
    // Row 2 changes, row 1 is gone.
    database.publish(&replacing(&first, "01B", &["2,2.50,b\n3,3.00,c\n"])).await.unwrap();
    assert_eq!(database.texts("SELECT id::text FROM public.items ORDER BY 1").await, ["20", "30"]);
}

#[tokio::test]
async fn a_gone_row_that_is_referred_to_keeps_the_old_rows() {
    let first = three();
    let database = with(
        &first,
        "CREATE TABLE public.items (orders bigint CONSTRAINT of_order REFERENCES raw.orders);
         INSERT INTO public.items VALUES (1)",
    )
    .await;
    let error = database.publish(&replacing(&first, "01B", &["2,2.50,b\n"])).await.unwrap_err();
    assert_eq!(error.class(), Class::Lasting);
    let message = Failure::of(error.as_ref()).message;
    assert!(
        message.starts_with("the new rows of raw.orders break a constraint that it has in the warehouse")
    );
    assert!(message.contains("of_order"), "{message}");
    assert_eq!(database.texts(ROWS).await.len(), 3);
}

#[tokio::test]
async fn unique_values_may_wander_between_rows() {
    let first = three();
    for referred in ["", "CREATE TABLE public.items (orders bigint REFERENCES raw.orders)"] {
        let database = with(&first, &format!("CREATE UNIQUE INDEX ON raw.orders (note); {referred}")).await;
        // `c` wanders from the gone row 3 to row 2.
        database.publish(&replacing(&first, "01B", &["1,1.00,a\n2,2.00,c\n"])).await.unwrap();
        assert_eq!(database.texts(ROWS).await, ["1:1.00:a", "2:2.00:c"]);
        let swapped =
            Load { previous: Some("01B".into()), ..replacing(&first, "01C", &["1,1.00,c\n2,2.00,a\n"]) };
        let published = database.publish(&swapped).await;
        match referred {
            "" => assert_eq!(published.map(|it| it.kind).unwrap(), PublishKind::Replace),
            // To delete a row that is referred to would change other tables.
            _ => assert!(published.unwrap_err().to_string().contains("break a constraint")),
        }
    }
}

#[tokio::test]
async fn rows_may_refer_to_rows_of_the_same_table() {
    let first = Load { key: vec!["id".into()], ..Load::new("01A", &["1,,boss\n2,1,a\n3,1,b\n"]) };
    let columns =
        vec![column("id", "bigint", false), column("fee", "bigint", true), column("note", "text", true)];
    let first = Load { columns, ..first };
    let database = with(
        &first,
        "ALTER TABLE raw.orders ADD FOREIGN KEY (fee) REFERENCES raw.orders (id) ON DELETE CASCADE",
    )
    .await;
    // The boss goes; whoever referred to him refers to somebody else by now.
    database.publish(&replacing(&first, "01B", &["2,,a\n3,2,b\n"])).await.unwrap();
    assert_eq!(database.texts(ROWS).await, ["2:-:a", "3:2:b"]);
}

#[tokio::test]
async fn the_equality_of_a_key_is_that_of_its_index() {
    let database = Database::new().await;
    // Outside of the search_path, as everything is: there `=` would compare as text.
    database.run("CREATE EXTENSION citext").await;
    let columns = vec![column("id", "public.citext", false), column("fee", "integer", true)];
    let first = Load { columns, ..Load::new("01A", &["Abc,1\nd,1\n"]) };
    database.publish(&first).await.unwrap();
    database.run(EVENTS).await;
    let second = replacing(&first, "01B", &["aBC,2\nD,1\n"]);
    database.publish(&second).await.unwrap();
    assert_eq!(database.texts("SELECT id || ':' || fee FROM raw.orders ORDER BY 1").await, ["D:1", "aBC:2"]);
    assert_eq!(database.texts("SELECT what FROM public.events ORDER BY 1").await, ["UPDATE D", "UPDATE aBC"]);
}

#[tokio::test]
async fn what_is_equal_but_not_the_same_is_written() {
    let columns: Vec<StagingColumn> = [
        ("id", "numeric"),
        ("fee", "numeric"),
        ("doc", "json"),
        ("page", "xml"),
        ("spot", "point"),
        ("area", "box"),
        ("zero", "double precision"),
        ("long", "interval"),
    ]
    .map(|(name, sql_type)| column(name, sql_type, name != "id"))
    .to_vec();
    let row = |fee: &str, doc: &str, spot: &str, area: &str, zero: &str, long: &str| {
        format!("1.0,{fee},{doc},<a/>,\"{spot}\",\"{area}\",{zero},{long}\n")
    };
    let old = row("1.0", "{}", "(1,2)", "(1,1),(0,0)", "0", "1 day");
    let new = row("1.00", "{ }", "(2,1)", "(2,2),(1,1)", "-0", "24:00:00").replacen("1.0,", "1.00,", 1);
    let first = Load { columns, ..Load::new("01A", &[&old]) };
    let database = with(&first, EVENTS).await;
    database.publish(&replacing(&first, "01B", &[&old])).await.unwrap();
    assert_eq!(database.texts("SELECT what FROM public.events").await, Vec::<String>::new());
    let third = Load { previous: Some("01B".into()), ..replacing(&first, "01C", &[&new]) };
    database.publish(&third).await.unwrap();
    assert_eq!(
        database.text("SELECT o::text FROM raw.orders o").await,
        "(1.00,1.00,\"{ }\",<a/>,\"(2,1)\",\"(2,2),(1,1)\",-0,24:00:00)"
    );
}

#[tokio::test]
async fn a_table_without_a_key_or_without_columns_is_replaced_as_a_whole() {
    let first = Load { key: Vec::new(), ..three() };
    let database = with(&first, "").await;
    database.publish(&replacing(&first, "01B", &["1,1.00,a\n1,1.00,a\n"])).await.unwrap();
    assert_eq!(database.texts(ROWS).await, ["1:1.00:a", "1:1.00:a"]);
    let first = Load { columns: Vec::new(), key: Vec::new(), ..Load::new("01A", &["\n"]) };
    let database = with(&first, "").await;
    database.publish(&replacing(&first, "01B", &["\n\n"])).await.unwrap();
    assert_eq!(database.text("SELECT count(*)::text FROM raw.orders").await, "2");
}

#[tokio::test]
async fn a_trigger_that_keeps_rows_away_is_found_out() {
    let first = three();
    let database = with(
        &first,
        "CREATE FUNCTION public.eat() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             'BEGIN DELETE FROM raw.orders WHERE id = NEW.id; RETURN NULL; END';
         CREATE TRIGGER eat AFTER INSERT ON raw.orders FOR EACH ROW WHEN (NEW.id = 5)
             EXECUTE FUNCTION public.eat()",
    )
    .await;
    let error = database.publish(&replacing(&first, "01B", &["4,4.00,d\n5,5.00,e\n"])).await.unwrap_err();
    assert_eq!(error.to_string(), "raw.orders had 1 rows after a replace with 2");
    assert_eq!(database.texts(ROWS).await.len(), 3);
}

#[tokio::test]
async fn a_trigger_that_may_change_rows_on_their_way_is_named() {
    let first = three();
    let database = with(
        &first,
        "CREATE FUNCTION public.hack() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.note := ''hacked''; RETURN NEW; END';
         CREATE TRIGGER hack BEFORE INSERT OR UPDATE ON raw.orders FOR EACH ROW
             EXECUTE FUNCTION public.hack()",
    )
    .await;
    let error = database.publish(&replacing(&first, "01B", &["4,4.00,d\n"])).await.unwrap_err();
    assert!(error.to_string().ends_with("before they are written: hack"), "{error}");
    assert_eq!(database.texts(ROWS).await.len(), 3);
    database.run("ALTER TABLE raw.orders DISABLE TRIGGER hack").await;
    database.publish(&replacing(&first, "01C", &["4,4.00,d\n"])).await.unwrap();
    assert_eq!(database.texts(ROWS).await, ["4:4.00:d"]);
}

#[tokio::test]
async fn a_table_that_was_changed_meanwhile_is_left_alone() {
    let first = three();
    for change in ["ALTER TABLE raw.orders ADD COLUMN more int", "ALTER TABLE raw.orders RENAME TO other"] {
        let database = with(&first, change).await;
        let error = database.publish(&replacing(&first, "01B", &["4,4.00,d\n"])).await.unwrap_err();
        assert_eq!(error.class(), Class::Passing);
        assert_eq!(
            error.to_string(),
            "raw.orders was changed since it was decided to replace its rows in place"
        );
    }
}

#[tokio::test]
async fn writers_are_waited_for_and_named_and_readers_are_not_held_up() {
    let first = three();
    let database = with(&first, "").await;
    let writer = database.connect().await;
    writer
        .batch_execute("SET application_name = 'a script'; BEGIN; DELETE FROM raw.orders WHERE id = 1")
        .await
        .unwrap();
    let second = Load {
        change: |it| {
            it.lock_timeout = std::time::Duration::from_millis(50);
            it.lock_wait = std::time::Duration::from_millis(300);
        },
        ..replacing(&first, "01B", &["4,4.00,d\n"])
    };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(error.class(), Class::Passing);
    assert!(error.to_string().contains("(a script)"), "{error}");
    writer.batch_execute("ROLLBACK").await.unwrap();
    // A reader that holds its lock for the whole time is in nobody's way.
    let reader = database.connect().await;
    reader.batch_execute("BEGIN; SELECT * FROM raw.orders").await.unwrap();
    database.publish(&second).await.unwrap();
    assert_eq!(database.texts(ROWS).await, ["4:4.00:d"]);
}

#[tokio::test]
async fn of_two_that_replace_at_once_just_one_does() {
    let first = three();
    let database = with(&first, EVENTS).await;
    let left = replacing(&first, "01B", &["1,1.00,left\n2,2.00,left\n"]);
    let right = replacing(&first, "01C", &["1,1.00,right\n3,3.00,right\n4,4.00,right\n"]);
    let (one, other) = (database.fill(&left).await.unwrap(), database.fill(&right).await.unwrap());
    let (one, other) = tokio::join!(
        tokio::spawn(one.publish(left.publication())),
        tokio::spawn(other.publish(right.publication()))
    );
    let (rows, loser) = match (one.unwrap(), other.unwrap()) {
        (Ok(_), Err(error)) => (vec!["1:1.00:left", "2:2.00:left"], error),
        (Err(error), Ok(_)) => (vec!["1:1.00:right", "3:3.00:right", "4:4.00:right"], error),
        other => panic!("one of two must win: {other:?}"),
    };
    assert_eq!(loser.class(), Class::Passing);
    assert!(loser.to_string().contains("superseded"), "{loser}");
    assert_eq!(database.texts(ROWS).await, rows);
    // The loser's triggers have not fired either.
    let written = database.text("SELECT count(*)::text FROM public.events").await;
    assert_eq!(written, if rows.len() == 2 { "3" } else { "4" });
}

//! What cannot be carried over is named; what is carried over, and this, is all that there is.

use barncat::{error::Class, warehouse::Warehouse};

use crate::support::warehouse::{Database, Load};

async fn obstacles(database: &Database, load: &Load) -> Vec<String> {
    database.warehouse.live(&load.table).await.expect("the catalog is read").expect("it is there").obstacles
}

/// Objects that bind a table, each with the words for it.
const BINDING: &[(&str, &[&str])] = &[
    (
        "CREATE TABLE raw.lines (order_id bigint CONSTRAINT of_order REFERENCES raw.orders)",
        &["constraint of_order on table raw.lines"],
    ),
    ("CREATE MATERIALIZED VIEW raw.totals AS SELECT sum(fee) FROM raw.orders", &["materialized view raw.totals"]),
    (
        "CREATE FUNCTION raw.all_orders() RETURNS SETOF raw.orders LANGUAGE sql AS 'SELECT * FROM raw.orders'",
        &["function raw.all_orders()"],
    ),
    (
        "CREATE FUNCTION raw.total() RETURNS numeric LANGUAGE sql BEGIN ATOMIC SELECT sum(fee) FROM raw.orders; END",
        &["function raw.total()"],
    ),
    ("CREATE TABLE raw.archive (was raw.orders, all_of raw.orders[])", &["column all_of of table raw.archive", "column was of table raw.archive"]),
    ("CREATE VIEW raw.whole AS SELECT o AS row FROM raw.orders o", &["column row of view raw.whole"]),
    ("CREATE TABLE raw.child () INHERITS (raw.orders)", &["table raw.child"]),
    ("CREATE RULE quiet AS ON DELETE TO raw.orders DO INSTEAD NOTHING", &["rule quiet on table raw.orders"]),
    (
        "CREATE TABLE raw.inbox (id bigint);
         CREATE RULE pass AS ON INSERT TO raw.inbox DO ALSO INSERT INTO raw.orders (id) VALUES (new.id)",
        &["rule pass on table raw.inbox"],
    ),
    (
        "CREATE SEQUENCE raw.numbers OWNED BY raw.orders.id; ALTER TABLE raw.orders ALTER id SET DEFAULT nextval('raw.numbers')",
        &["sequence raw.numbers"],
    ),
    (
        "ALTER TABLE raw.orders ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        &["sequence raw.orders_id_seq"],
    ),
    (
        "CREATE TABLE raw.other (id bigint); ALTER TABLE raw.other ENABLE ROW LEVEL SECURITY;
         CREATE POLICY listed ON raw.other USING (id IN (SELECT id FROM raw.orders))",
        &["policy listed on table raw.other"],
    ),
    ("RESET ROLE; CREATE PUBLICATION changes FOR TABLE raw.orders", &["publication of table raw.orders in publication changes"]),
    ("CREATE TABLE raw.parent (id bigint NOT NULL); ALTER TABLE raw.orders INHERIT raw.parent", &["its parent table raw.parent"]),
    ("ALTER TABLE raw.orders SET UNLOGGED", &["that it is unlogged"]),
    (
        "ALTER TABLE raw.orders ADD parent bigint; ALTER TABLE raw.orders ADD CONSTRAINT upward FOREIGN KEY (parent) REFERENCES raw.orders",
        &["constraint upward on table raw.orders"],
    ),
    ("ALTER TABLE raw.orders ADD twice numeric GENERATED ALWAYS AS (fee * 2) STORED", &["generated column twice"]),
    ("ALTER TABLE raw.orders ALTER note TYPE text COLLATE \"C\"", &["the collation of column note"]),
    (
        "ALTER TABLE raw.orders ADD CONSTRAINT filled CHECK (orders.* IS NOT NULL) NOT VALID",
        &["constraint filled on table raw.orders, which reads whole rows"],
    ),
    (
        "RESET ROLE; CREATE VIEW raw.theirs AS SELECT id FROM raw.orders",
        &["view raw.theirs, owned by postgres, of which barncat_warehouse is no member"],
    ),
    (
        "CREATE VIEW raw.ours AS SELECT id FROM raw.orders; RESET ROLE; CREATE SCHEMA closed; ALTER VIEW raw.ours SET SCHEMA closed",
        &["view closed.ours, in whose schema barncat_warehouse may not create"],
    ),
    (
        "RESET ROLE; CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER touched BEFORE INSERT ON raw.orders FOR EACH ROW EXECUTE FUNCTION public.mine();
         REVOKE ALL ON FUNCTION public.mine FROM PUBLIC",
        &["trigger touched on table raw.orders, whose function barncat_warehouse may not execute"],
    ),
    (
        "RESET ROLE; CREATE TABLE public.cities (id bigint PRIMARY KEY); INSERT INTO public.cities VALUES (1);
         ALTER TABLE raw.orders ADD CONSTRAINT of_city FOREIGN KEY (id) REFERENCES public.cities",
        &["constraint of_city on table raw.orders, for which barncat_warehouse has no REFERENCES"],
    ),
    ("RESET ROLE; ALTER EXTENSION plpgsql ADD TABLE raw.orders", &["its part in extension plpgsql"]),
];

#[tokio::test]
async fn whatever_binds_a_table_is_named() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n"]);
    database.publish(&first).await.unwrap();
    assert_eq!(obstacles(&database, &first).await, Vec::<String>::new());
    let (admin, mut wrong) = (database.connect().await, Vec::new());
    for (sql, words) in BINDING {
        // Other sessions must see it, so it is undone by hand: the whole table is made anew.
        admin.batch_execute(&format!("SET ROLE barncat_warehouse; {sql}; RESET ROLE")).await.expect(sql);
        let found = obstacles(&database, &first).await;
        if found != *words {
            wrong.push(format!("{sql}\n  {found:?}"));
        }
        let again = "DROP SCHEMA raw CASCADE; DROP SCHEMA IF EXISTS closed CASCADE; DROP SCHEMA public CASCADE;
            CREATE SCHEMA public; DROP PUBLICATION IF EXISTS changes; SET ROLE barncat_warehouse; CREATE SCHEMA raw;
            CREATE TABLE raw.orders (id bigint CONSTRAINT orders_pkey PRIMARY KEY, fee numeric(12,2), note text);
            RESET ROLE";
        let unbind = "DO $$ BEGIN ALTER EXTENSION plpgsql DROP TABLE raw.orders;
                      EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END $$";
        admin.batch_execute(unbind).await.unwrap();
        admin.batch_execute(again).await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Catalogs whose objects can depend on a table, by `pg_depend` of a table that has one of each.
const CATALOGS: [&str; 10] = [
    "pg_attrdef",
    "pg_class",
    "pg_constraint",
    "pg_policy",
    "pg_proc",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_trigger",
    "pg_type",
];

#[tokio::test]
async fn nothing_that_depends_on_a_table_is_lost_in_silence() {
    let (database, first) = super::belongings::decorated().await;
    // Views are replaced; their own columns depend on nothing of the table.
    database
        .run("SET ROLE barncat_warehouse; CREATE VIEW raw.fees AS SELECT fee, note FROM raw.orders")
        .await;
    let dependents = "
        SELECT DISTINCT concat_ws(' ', pg_describe_object(classid, objid, objsubid), deptype, refobjsubid)
        FROM pg_depend WHERE refclassid = 'pg_class'::regclass AND refobjid = 'raw.orders'::regclass
          AND NOT (classid = 'pg_class'::regclass AND objid = (SELECT reltoastrelid FROM pg_class WHERE oid = refobjid))
          AND NOT (classid = 'pg_trigger'::regclass AND (SELECT tgisinternal FROM pg_trigger g WHERE g.oid = objid))
        ORDER BY 1";
    let before = database.texts(dependents).await;
    let second = Load::after(&first, "01B", &["3,4,three\n"]);
    database.publish(&second).await.unwrap();
    assert_eq!(database.texts(dependents).await, before);
    // With what binds it on top, there is one of each catalog, and each is named.
    let binding = "SET ROLE barncat_warehouse; CREATE TABLE raw.lines (order_id bigint REFERENCES raw.orders);
        CREATE FUNCTION raw.total() RETURNS numeric LANGUAGE sql BEGIN ATOMIC SELECT sum(fee) FROM raw.orders; END;
        RESET ROLE; CREATE PUBLICATION changes FOR TABLE raw.orders";
    database.run(binding).await;
    let catalogs = "
        SELECT DISTINCT classid::regclass::text FROM pg_depend
        WHERE refclassid = 'pg_class'::regclass AND refobjid = 'raw.orders'::regclass ORDER BY 1";
    assert_eq!(database.texts(catalogs).await, CATALOGS);
    assert_eq!(obstacles(&database, &first).await.len(), 3);
    // Whoever decided before that is told so, and decides anew.
    let error = database.publish(&Load::after(&second, "01C", &["3,4,three\n"])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a swap of raw.orders would by now lose constraint lines_order_id_fkey on table raw.lines, \
         function raw.total(), publication of table raw.orders in publication changes"
    );
    assert_eq!(error.class(), Class::Passing);
    database.run("DROP PUBLICATION changes").await;
}

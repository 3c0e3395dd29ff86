//! Views that read a table go on to read it after a swap.

use barncat::{
    error::{Class, Failure},
    warehouse::Warehouse,
};

use crate::support::warehouse::{Database, Load, column};

/// `raw.orders` with views upon it, in a schema that barncat did not make; owned by it all the same.
async fn database_with_views() -> (Database, Load) {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n"]);
    database.publish(&first).await.expect("it is published");
    database
        .run(
            "CREATE SCHEMA bi; GRANT ALL ON SCHEMA bi TO barncat_warehouse;
             DO $$ BEGIN CREATE ROLE bi_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             SET ROLE barncat_warehouse;
             CREATE VIEW bi.fees AS SELECT id, fee FROM raw.orders;
             CREATE VIEW bi.\"A \"\"view\"\"\" WITH (security_barrier, check_option = local) AS
                 SELECT id AS number, note, fee FROM raw.orders WHERE note <> 'secret';
             CREATE VIEW bi.upon WITH (security_barrier = true) AS
                 SELECT f.id, v.note FROM bi.fees f JOIN bi.\"A \"\"view\"\"\" v ON v.number = f.id;
             CREATE VIEW bi.top AS SELECT u.*, o.fee FROM bi.upon u JOIN raw.orders o USING (id);
             GRANT SELECT ON bi.fees TO bi_reader WITH GRANT OPTION;
             GRANT UPDATE (note) ON bi.\"A \"\"view\"\"\" TO bi_reader;
             COMMENT ON VIEW bi.fees IS 'what we owe'; COMMENT ON COLUMN bi.fees.fee IS 'in pounds';
             ALTER VIEW bi.fees ALTER COLUMN fee SET DEFAULT 7",
        )
        .await;
    (database, first)
}

const VIEWS: &str = "
    SELECT concat_ws(' ', v.oid, v.relname, v.relowner::regrole, v.reloptions, v.relacl, pg_get_viewdef(v.oid),
                     obj_description(v.oid), a.attname, format_type(a.atttypid, a.atttypmod), a.attacl,
                     col_description(v.oid, a.attnum), a.atthasdef)
    FROM pg_class v JOIN pg_attribute a ON a.attrelid = v.oid
    WHERE v.relnamespace = 'bi'::regnamespace AND v.relkind = 'v' ORDER BY 1";

#[tokio::test]
async fn views_upon_views_stay_what_they_were_and_read_the_new_rows() {
    let (database, first) = database_with_views().await;
    let before = database.texts(VIEWS).await;
    let live = database.warehouse.live(&first.table).await.unwrap().unwrap();
    assert_eq!(live.obstacles, Vec::<String>::new());
    assert_eq!(live.views, ["bi.top", "bi.upon", "bi.A \"view\"", "bi.fees"]);
    // A column more, and in another order, is no trouble for a view.
    let columns = vec![
        column("tip", "text", true),
        column("note", "text", true),
        column("fee", "numeric(12,2)", true),
        column("id", "bigint", false),
    ];
    let second = Load { columns, ..Load::after(&first, "01B", &["much,two,5,7\n,secret,1,8\n"]) };
    let published = database.publish(&second).await.unwrap();
    assert_eq!(published.warnings, Vec::<String>::new());
    assert_eq!(database.texts(VIEWS).await, before);
    assert_eq!(database.texts("SELECT concat_ws(' ', id, note, fee) FROM bi.top").await, ["7 two 5.00"]);
    assert_eq!(database.texts("SELECT id::text FROM bi.fees ORDER BY 1").await, ["7", "8"]);
    database
        .publish(&Load { columns: first.columns.clone(), ..Load::after(&second, "01C", &["9,1,x\n"]) })
        .await
        .unwrap();
    assert_eq!(database.texts(VIEWS).await, before);
}

#[tokio::test]
async fn views_whose_column_is_gone_are_all_named_and_nothing_is_published() {
    let (database, first) = database_with_views().await;
    let before = database.texts(VIEWS).await;
    let columns = vec![column("id", "bigint", false), column("fee", "numeric(12,2)", true)];
    let second = Load { columns, ..Load::after(&first, "01B", &["7,1\n"]) };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(error.to_string(), "the new columns of raw.orders break bi.top, bi.upon, bi.A \"view\"");
    assert_eq!(error.class(), Class::Lasting);
    assert!(error.hint().unwrap().contains("on_broken_view = \"drop\""));
    assert_eq!(database.texts(VIEWS).await, before);
    assert_eq!(database.text("SELECT note FROM bi.top").await, "one");
    assert_eq!(database.text("SELECT load FROM barncat.tables").await, "01A");
}

#[tokio::test]
async fn views_that_cannot_be_kept_are_dropped_when_that_is_wished() {
    let (database, first) = database_with_views().await;
    let columns = vec![column("id", "bigint", false), column("fee", "numeric(12,2)", true)];
    let change = |publication: &mut barncat::warehouse::Publication| publication.drop_broken_views = true;
    let second = Load { columns, change, ..Load::after(&first, "01B", &["7,1\n"]) };
    let published = database.publish(&second).await.unwrap();
    let dropped = |view| format!("dropped view bi.{view}: the new columns of raw.orders break it");
    assert_eq!(published.warnings, [dropped("top"), dropped("upon"), dropped("A \"view\"")]);
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'bi'::regnamespace";
    assert_eq!(database.texts(left).await, ["fees"]);
    assert_eq!(database.text("SELECT id::text FROM bi.fees").await, "7");
}

#[tokio::test]
async fn what_depends_on_a_broken_view_is_not_dropped_with_it() {
    let (database, first) = database_with_views().await;
    database
        .run("SET ROLE barncat_warehouse; CREATE MATERIALIZED VIEW bi.kept AS SELECT * FROM bi.top")
        .await;
    // Upon a view, it is no obstacle: the view stays.
    let second = Load::after(&first, "01B", &["7,1,x\n"]);
    database.publish(&second).await.unwrap();
    let columns = vec![column("id", "bigint", false), column("fee", "numeric(12,2)", true)];
    let change = |publication: &mut barncat::warehouse::Publication| publication.drop_broken_views = true;
    let third = Load { columns, change, ..Load::after(&second, "01C", &["8,1\n"]) };
    let error = database.publish(&third).await.unwrap_err();
    let message = Failure::of(error.as_ref()).message;
    assert!(message.starts_with("cannot drop the view bi.top: "), "{message}");
    assert_eq!(error.class(), Class::Lasting);
    assert_eq!(database.text("SELECT note FROM bi.top").await, "x");
}

/// The same without oids and types, which may change. No grants at all are the owner's own.
const KEPT: &str = "
    SELECT concat_ws(' ', v.relname, v.relowner::regrole, v.reloptions, pg_get_viewdef(v.oid), obj_description(v.oid),
                     ARRAY(SELECT x::text FROM unnest(coalesce(v.relacl, acldefault('r', v.relowner))) x ORDER BY 1), a.attname, a.attacl,
                     col_description(v.oid, a.attnum), a.atthasdef)
    FROM pg_class v JOIN pg_attribute a ON a.attrelid = v.oid
    WHERE v.relnamespace = 'bi'::regnamespace AND v.relkind = 'v' ORDER BY 1";

#[tokio::test]
async fn views_whose_columns_change_their_types_are_made_anew_with_all_that_belongs_to_them() {
    let (database, first) = database_with_views().await;
    let owner = format!("view_owner_{}", std::process::id());
    database
        .run(&format!(
            "CREATE ROLE {owner}; GRANT {owner} TO barncat_warehouse; GRANT ALL ON SCHEMA bi TO {owner};
             ALTER VIEW bi.top OWNER TO {owner}; GRANT SELECT ON bi.top TO bi_reader;
             SET ROLE barncat_warehouse; ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO bi_reader"
        ))
        .await;
    let (before, all) = (database.texts(KEPT).await, database.texts(VIEWS).await);
    let mut columns = first.columns.clone();
    columns[0].sql_type = "integer".into();
    let second = Load { columns, ..Load::after(&first, "01B", &["7,1,seven\n"]) };
    let published = database.publish(&second).await.unwrap();
    let anew = |view| format!("made view bi.{view} anew: columns of raw.orders have other types");
    assert_eq!(published.warnings, [anew("top"), anew("upon"), anew("A \"view\""), anew("fees")]);
    assert_eq!(database.texts(KEPT).await, before);
    assert_ne!(database.texts(VIEWS).await, all);
    assert_eq!(database.text("SELECT pg_typeof(id) || ' ' || note FROM bi.upon").await, "integer seven");
    // A rule or trigger of a view's own cannot be brought back.
    database
        .run("SET ROLE barncat_warehouse; CREATE RULE quiet AS ON INSERT TO bi.fees DO INSTEAD NOTHING")
        .await;
    let third = Load { columns: first.columns.clone(), ..Load::after(&second, "01C", &["8,1,eight\n"]) };
    let error = database.publish(&third).await.unwrap_err();
    assert_eq!(error.to_string(), "the new columns of raw.orders break bi.top, bi.upon, bi.fees");
    assert_eq!(database.texts(KEPT).await, before);
    database.run(&format!("DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")).await;
}

#[tokio::test]
async fn a_view_of_another_type_under_a_materialized_view_is_refused_by_name() {
    let (database, first) = database_with_views().await;
    database
        .run("SET ROLE barncat_warehouse; CREATE MATERIALIZED VIEW bi.kept AS SELECT * FROM bi.fees")
        .await;
    let mut columns = first.columns.clone();
    columns[0].sql_type = "integer".into();
    let second = Load { columns, ..Load::after(&first, "01B", &["7,1,seven\n"]) };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the new columns of raw.orders break bi.top, bi.upon, bi.A \"view\", bi.fees"
    );
    assert_eq!(database.text("SELECT id::text FROM bi.kept").await, "1");
}

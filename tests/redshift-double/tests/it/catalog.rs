//! The catalog as a loader reads it.

use crate::support::{Fixture, connect};

#[tokio::test]
async fn columns_have_redshifts_types() {
    let double = Fixture::new().await;
    double.run("CREATE SCHEMA s").await;
    double
        .run("CREATE TABLE s.t (a bigint NOT NULL, b varchar(5) ENCODE zstd, c decimal(10,2) DEFAULT 1, d super, e varbyte(7), f timestamptz, g text, PRIMARY KEY (a)) DISTKEY (a) SORTKEY (b)")
        .await;
    let sql = "SELECT a.attname::varchar || ' ' || format_type(a.atttypid, a.atttypmod)::varchar || ' ' || a.attnotnull::int::varchar
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 's' AND c.relname = 't' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let expected = [
        "a bigint 1",
        "b character varying(5) 0",
        "c numeric(10,2) 0",
        "d super 0",
        "e binary varying(7) 0",
        "f timestamp with time zone 0",
        "g character varying(256) 0",
    ];
    assert_eq!(double.rows(sql).await, expected);
    let sql = "SELECT column_name, data_type, character_maximum_length FROM svv_columns WHERE table_name = 't' ORDER BY ordinal_position";
    let expected = [
        "a|bigint|∅",
        "b|character varying|5",
        "c|numeric|∅",
        "d|super|∅",
        "e|binary varying|∅",
        "f|timestamp with time zone|∅",
        "g|character varying|256",
    ];
    assert_eq!(double.rows(sql).await, expected);
    let sql = "SELECT column_name FROM information_schema.columns WHERE data_type = 'super'";
    assert_eq!(double.rows(sql).await, ["d"]);
    let definition = "SELECT \"column\", type, encoding, distkey, sortkey, \"notnull\" FROM pg_table_def WHERE tablename = 't'";
    assert!(double.rows(definition).await.is_empty(), "it shows the search path's schemas alone");
    let id = double.run_batch(&["SET search_path TO s", definition]).await;
    let rows = double.result(&format!("{id}:2")).await;
    assert_eq!(rows[0], ["a", "bigint", "az64", "true", "0", "true"]);
    assert_eq!(rows[1], ["b", "character varying(5)", "zstd", "false", "1", "false"]);
    let keys = "SELECT contype, conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid WHERE t.relname = 't'";
    assert_eq!(double.rows(keys).await, ["p|t_pkey"]);
}

#[tokio::test]
async fn table_info_omits_empty_tables() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int) DISTSTYLE ALL").await;
    let sql = "SELECT \"table\", diststyle, tbl_rows FROM svv_table_info";
    assert!(double.rows(sql).await.is_empty());
    double.run("INSERT INTO t VALUES (1)").await;
    assert_eq!(double.rows(sql).await, ["t|ALL|1"]);
}

#[tokio::test]
async fn rights_tell_users_groups_roles_and_the_public() {
    let double = Fixture::new().await;
    let some = uuid::Uuid::new_v4().simple().to_string();
    double.run(&format!("CREATE USER u_{some} PASSWORD DISABLE")).await;
    double.run(&format!("CREATE GROUP g_{some}")).await;
    double.run(&format!("CREATE ROLE r_{some}")).await;
    double.run("CREATE TABLE t (a int)").await;
    double.run(&format!("GRANT SELECT, INSERT ON TABLE t TO u_{some} WITH GRANT OPTION")).await;
    double.run(&format!("GRANT SELECT ON t TO GROUP g_{some}, ROLE r_{some}, PUBLIC")).await;
    let sql = "SELECT privilege_type, identity_type, admin_option FROM svv_relation_privileges
               WHERE namespace_name = 'public' AND relation_name = 't' AND identity_name <> current_user ORDER BY 2, 1";
    let expected = [
        "SELECT|group|false",
        "SELECT|public|false",
        "SELECT|role|false",
        "INSERT|user|true",
        "SELECT|user|true",
    ];
    assert_eq!(double.rows(sql).await, expected);
    // As that user, over the Data API of a cluster.
    let as_user = async |user: &str, sql: &str| {
        let call = double.client.execute_statement().cluster_identifier("double").database("dev");
        let id = call.db_user(user).sql(sql).send().await.expect("it is taken").id.expect("it has an id");
        double.ended(&id).await.error.unwrap_or_default()
    };
    let user = format!("u_{some}");
    assert!(as_user(&user, "SELECT count(*) FROM svv_table_info").await.contains("permission denied"));
    assert_eq!(as_user(&user, "INSERT INTO t VALUES (1)").await, "");
    assert!(as_user(&user, "UPDATE t SET a = 2").await.contains("permission denied"));
    assert!(as_user(&user, "LOCK t").await.contains("permission denied"));
    assert!(as_user("nobody_at_all", "SELECT 1").await.starts_with("FATAL: password authentication failed"));
    double.run("DROP TABLE t").await;
    double.run(&format!("DROP USER u_{some}")).await;
}

#[tokio::test]
async fn views_tell_what_they_are() {
    let double = Fixture::new().await;
    double.run("CREATE TABLE t (a int)").await;
    double.run("CREATE VIEW bound AS SELECT a FROM t").await;
    double.run("CREATE VIEW late AS SELECT a FROM public.t WITH NO SCHEMA BINDING").await;
    double.run("CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM t").await;
    double.run("REFRESH MATERIALIZED VIEW kept").await;
    let views = "SELECT DISTINCT v.relname FROM pg_class c JOIN pg_depend d ON d.refobjid = c.oid JOIN pg_rewrite r ON r.oid = d.objid
                 JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> c.oid WHERE c.relname = 't' ORDER BY 1";
    assert_eq!(double.rows(views).await, ["bound", "kept"]);
    let late = "SELECT viewname FROM pg_views WHERE schemaname = 'public' AND definition LIKE '%WITH NO SCHEMA BINDING%'";
    assert_eq!(double.rows(late).await, ["late"]);
    assert_eq!(double.rows("SELECT name FROM svv_mv_dependency").await, [""; 0], "its table is none");
    assert_eq!(
        double.rows("SELECT isolation_level FROM stv_db_isolation_level").await,
        ["Snapshot Isolation"]
    );
    assert_eq!(double.rows("SELECT count(*) FROM stv_slices").await, ["2"]);
}

#[tokio::test]
async fn the_database_behind_holds_what_a_test_needs() {
    let database = crate::support::new_database().await;
    let double = Fixture::at(&database, |settings| settings).await;
    let behind = connect(&database).await;
    behind
        .batch_execute("INSERT INTO redshift_double.svv_datashare_objects (share_name, object_type, object_name) VALUES ('share', 'table', 'public.t')")
        .await
        .unwrap();
    let sql = "SELECT share_name FROM svv_datashare_objects WHERE object_name = 'public.t'";
    assert_eq!(double.rows(sql).await, ["share"]);
}

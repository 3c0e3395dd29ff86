//! What belongs to a table is there after a swap as it was before.

use barncat::{
    error::{Class, Failure},
    warehouse::{Publication, Warehouse},
};

use crate::support::warehouse::{Database, Load, column};

/// Everything that the catalog says of `raw.orders`, by names, not by oids.
const CATALOG: &str = "
    WITH t AS (SELECT * FROM pg_class WHERE oid = 'raw.orders'::regclass),
    parts AS (
        SELECT 'pg_class'::regclass AS classid, oid AS objid FROM t
        UNION ALL SELECT 'pg_class'::regclass, indexrelid FROM pg_index JOIN t ON indrelid = t.oid
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN t ON conrelid = t.oid
        UNION ALL SELECT 'pg_trigger'::regclass, g.oid FROM pg_trigger g JOIN t ON tgrelid = t.oid
        UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN t ON polrelid = t.oid
        UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s JOIN t ON stxrelid = t.oid)
    SELECT concat_ws(' ', 'table', relowner::regrole, relnamespace::regnamespace, relpersistence, reloptions,
        relrowsecurity, relforcerowsecurity, relreplident, (SELECT spcname FROM pg_tablespace s WHERE s.oid = reltablespace),
        (SELECT x.reloptions::text FROM pg_class x WHERE x.oid = t.reltoastrelid), relhastriggers, relhasrules,
        ARRAY(SELECT a::text FROM unnest(relacl) a ORDER BY 1)) AS line FROM t
    UNION ALL
    SELECT concat_ws(' ', 'column', attname, format_type(atttypid, atttypmod), attnotnull, attstattarget, attstorage,
        attcompression, attoptions, ARRAY(SELECT a::text FROM unnest(attacl) a ORDER BY 1),
        (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d WHERE d.adrelid = attrelid AND adnum = attnum))
    FROM pg_attribute JOIN t ON attrelid = t.oid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), i.relowner::regrole, i.reloptions, indisunique, indisprimary,
        indisclustered, indisreplident, indisvalid, (SELECT spcname FROM pg_tablespace s WHERE s.oid = i.reltablespace),
        ARRAY(SELECT attstattarget FROM pg_attribute WHERE attrelid = i.oid ORDER BY attnum))
    FROM pg_index JOIN t ON indrelid = t.oid JOIN pg_class i ON i.oid = indexrelid
    UNION ALL
    SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(k.oid), convalidated, condeferrable, conislocal,
        connoinherit, conindid::regclass) FROM pg_constraint k JOIN t ON conrelid = t.oid
    UNION ALL
    SELECT concat_ws(' ', 'statistics', pg_get_statisticsobjdef(s.oid), stxowner::regrole, stxstattarget,
        (SELECT count(*) FROM pg_statistic_ext_data d WHERE d.stxoid = s.oid))
    FROM pg_statistic_ext s JOIN t ON stxrelid = t.oid
    UNION ALL
    SELECT concat_ws(' ', 'policy', p.*::text) FROM pg_policies p WHERE schemaname = 'raw' AND tablename = 'orders'
    UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(g.oid), tgenabled)
    FROM pg_trigger g JOIN t ON tgrelid = t.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'comment', pg_describe_object(classid, objid, objsubid), description)
    FROM parts JOIN pg_description ON classoid = classid AND objoid = objid
    ORDER BY 1";

/// A table with everything that can belong to it.
pub(super) async fn decorated() -> (Database, Load) {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n", "2,3,two\n"]);
    database.publish(&first).await.expect("it is published");
    database
        .run(
            r#"DO $$ BEGIN CREATE ROLE bi_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
            CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
            SET ROLE barncat_warehouse;
            CREATE TABLE raw.riders (id bigint PRIMARY KEY, city text);
            INSERT INTO raw.riders VALUES (1), (2), (3), (4);
            ALTER TABLE raw.orders SET (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
            ALTER TABLE raw.orders ALTER note SET STORAGE EXTERNAL, ALTER note SET COMPRESSION pglz,
                ALTER note SET STATISTICS 321, ALTER fee SET (n_distinct = -0.5), ALTER note SET DEFAULT 'none';
            ALTER TABLE raw.orders RENAME CONSTRAINT orders_pkey TO "the ""key""";
            CREATE INDEX "by note" ON raw.orders USING btree (lower(note) DESC, fee) INCLUDE (id)
                WITH (fillfactor = 80) WHERE fee > 0;
            ALTER INDEX raw."by note" ALTER COLUMN 1 SET STATISTICS 77;
            CREATE UNIQUE INDEX by_id ON raw.orders (id);
            CREATE INDEX by_hash ON raw.orders USING hash (note);
            ALTER TABLE raw.orders ADD CONSTRAINT one_each UNIQUE (id, note) WITH (fillfactor = 60)
                DEFERRABLE INITIALLY DEFERRED;
            ALTER TABLE raw.orders ADD CONSTRAINT no_twin EXCLUDE USING btree (id WITH =, fee WITH =) WITH (fillfactor = 55);
            ALTER TABLE raw.orders ADD CONSTRAINT positive CHECK (fee >= 0);
            ALTER TABLE raw.orders ADD CONSTRAINT later CHECK (note <> '') NOT VALID;
            ALTER TABLE raw.orders ADD CONSTRAINT of_rider FOREIGN KEY (id) REFERENCES raw.riders ON DELETE CASCADE;
            ALTER TABLE raw.orders CLUSTER ON by_id;
            ALTER TABLE raw.orders REPLICA IDENTITY USING INDEX by_id;
            CREATE STATISTICS raw.related (ndistinct, mcv) ON fee, note, (id % 10) FROM raw.orders;
            ALTER STATISTICS raw.related SET STATISTICS 55;
            CREATE STATISTICS raw.expression ON (fee * 2) FROM raw.orders;
            CREATE TRIGGER touched BEFORE UPDATE OF note ON raw.orders FOR EACH ROW
                WHEN (old.* IS DISTINCT FROM new.*) EXECUTE FUNCTION public.touch();
            CREATE TRIGGER off AFTER INSERT ON raw.orders FOR EACH STATEMENT EXECUTE FUNCTION public.touch();
            ALTER TABLE raw.orders DISABLE TRIGGER off;
            CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON raw.orders DEFERRABLE FOR EACH ROW EXECUTE FUNCTION public.touch();
            CREATE POLICY own ON raw.orders AS RESTRICTIVE FOR SELECT TO bi_reader, PUBLIC
                USING (EXISTS (SELECT FROM raw.riders r WHERE r.id = orders.id AND r.city = orders.note));
            CREATE POLICY writes ON raw.orders FOR INSERT WITH CHECK (fee > 1);
            ALTER TABLE raw.orders ENABLE ROW LEVEL SECURITY;
            GRANT SELECT, INSERT ON raw.orders TO bi_reader WITH GRANT OPTION;
            GRANT TRIGGER ON raw.orders TO PUBLIC;
            GRANT SELECT (fee), UPDATE (note) ON raw.orders TO bi_reader;
            GRANT UPDATE (fee) ON raw.orders TO PUBLIC;
            REVOKE TRUNCATE ON raw.orders FROM barncat_warehouse;
            COMMENT ON TABLE raw.orders IS 'it''s ours'; COMMENT ON COLUMN raw.orders.fee IS E'in £\n"gross"';
            COMMENT ON INDEX raw."by note" IS 'for search'; COMMENT ON CONSTRAINT positive ON raw.orders IS 'a rule';
            COMMENT ON CONSTRAINT "the ""key""" ON raw.orders IS 'key'; COMMENT ON INDEX raw."the ""key""" IS 'key index';
            COMMENT ON CONSTRAINT one_each ON raw.orders IS 'unique'; COMMENT ON CONSTRAINT of_rider ON raw.orders IS 'fk';
            COMMENT ON CONSTRAINT no_twin ON raw.orders IS 'exclusion';
            COMMENT ON TRIGGER touched ON raw.orders IS 'trigger'; COMMENT ON POLICY own ON raw.orders IS 'policy';
            COMMENT ON STATISTICS raw.related IS 'statistics';
            -- What the warehouse grants by itself must not come on top.
            ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO bi_reader;
            ANALYZE raw.orders"#,
        )
        .await;
    (database, first)
}

#[tokio::test]
async fn all_of_it_is_carried_over() {
    let (database, first) = decorated().await;
    let before = database.texts(CATALOG).await;
    assert!(before.len() > 30, "{before:#?}");
    let live = database.warehouse.live(&first.table).await.unwrap().unwrap();
    assert_eq!(live.obstacles, Vec::<String>::new());
    let second = Load::after(&first, "01B", &["3,4,three\n4,5,four\n"]);
    let published = database.publish(&second).await.unwrap();
    assert_eq!(published.warnings, Vec::<String>::new());
    pretty_equal(&database.texts(CATALOG).await, &before);
    // And again, from what the first swap made, filled by two connections.
    let third = Load { fill_jobs: 2, ..Load::after(&second, "01C", &["1,4,three\n", "2,1,two\n"]) };
    database.publish(&third).await.unwrap();
    pretty_equal(&database.texts(CATALOG).await, &before);
    let left = "SELECT relname::text FROM pg_class WHERE relname LIKE '01%'
                UNION ALL SELECT stxname FROM pg_statistic_ext WHERE stxname LIKE '01%'";
    assert_eq!(database.texts(left).await, Vec::<String>::new());
}

fn pretty_equal(now: &[String], before: &[String]) {
    let missing: Vec<&String> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<&String> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(missing.is_empty() && new.is_empty(), "missing: {missing:#?}\nnew: {new:#?}");
}

#[tokio::test]
async fn what_needs_a_column_that_is_gone_goes_with_a_warning() {
    let (database, first) = decorated().await;
    database
        .run("DROP TRIGGER touched ON raw.orders; DROP POLICY own ON raw.orders; DROP POLICY writes ON raw.orders")
        .await;
    let columns = vec![column("id", "bigint", false), column("note", "text", true)];
    let second = Load { columns, ..Load::after(&first, "01B", &["3,three\n"]) };
    let published = database.publish(&second).await.unwrap();
    let mut warnings = published.warnings;
    warnings.sort();
    let gone = |what| format!("dropped {what} of raw.orders: its column fee is gone");
    assert_eq!(
        warnings,
        [
            gone("constraint no_twin"),
            gone("constraint positive"),
            gone("index by note"),
            gone("statistics object expression"),
            gone("statistics object related"),
        ]
    );
    let left = "SELECT c.relname::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                WHERE indrelid = 'raw.orders'::regclass ORDER BY 1";
    assert_eq!(database.texts(left).await, ["by_hash", "by_id", "one_each", "the \"key\""]);
}

#[tokio::test]
async fn a_rule_that_needs_a_column_that_is_gone_keeps_the_old_table() {
    let (database, first) = decorated().await;
    let before = database.texts(CATALOG).await;
    let columns = vec![column("id", "bigint", false), column("fee", "numeric(12,2)", true)];
    let second = Load { columns, ..Load::after(&first, "01B", &["3,3\n"]) };
    let error = database.publish(&second).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "raw.orders loses a column that is needed by trigger touched (column note), policy own (column note)"
    );
    assert_eq!(error.class(), Class::Lasting);
    pretty_equal(&database.texts(CATALOG).await, &before);
}

#[tokio::test]
async fn what_does_not_fit_a_new_type_goes_with_a_warning_and_broken_rules_refuse() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,2.50,one\n"]);
    database.publish(&first).await.unwrap();
    database
        .run(
            "SET ROLE barncat_warehouse; CREATE INDEX patterns ON raw.orders (note text_pattern_ops);
             ALTER TABLE raw.orders ALTER note SET DEFAULT 'none';
             ALTER TABLE raw.orders ADD CONSTRAINT positive CHECK (fee >= 0)",
        )
        .await;
    let mut columns = first.columns.clone();
    columns[2].sql_type = "integer".into();
    let bad = Load { columns: columns.clone(), ..Load::after(&first, "01B", &["1,-1,5\n"]) };
    let error = database.publish(&bad).await.unwrap_err();
    let failure = Failure::of(error.as_ref());
    assert!(
        failure.message.starts_with("cannot carry over constraint positive of raw.orders: "),
        "{failure}"
    );
    assert_eq!(failure.class, Class::Lasting);
    let good = Load { columns, ..Load::after(&first, "01C", &["1,1,5\n"]) };
    let warnings = database.publish(&good).await.unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("dropped the default of column note of raw.orders: "), "{warnings:?}");
    assert!(warnings[1].starts_with("dropped index patterns of raw.orders: "), "{warnings:?}");
}

#[tokio::test]
async fn a_key_that_was_made_by_hand_stays() {
    let database = Database::new().await;
    let first = Load { key: Vec::new(), ..Load::new("01A", &["1,1,a\n"]) };
    database.publish(&first).await.unwrap();
    database
        .run("SET ROLE barncat_warehouse; ALTER TABLE raw.orders ADD CONSTRAINT mine PRIMARY KEY (id)")
        .await;
    let second = Load::after(&first, "01B", &["2,2,b\n"]);
    database.publish(&second).await.unwrap();
    let keys = "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'raw.orders'::regclass";
    assert_eq!(database.text(keys).await, "mine PRIMARY KEY (id)");
    // With a key of the source on the same column, what was added by hand stays too.
    database
        .run(
            "SET ROLE barncat_warehouse; ALTER TABLE raw.orders DROP CONSTRAINT mine;
             ALTER TABLE raw.orders ADD CONSTRAINT mine PRIMARY KEY (id) INCLUDE (fee) DEFERRABLE",
        )
        .await;
    let third = Load { key: vec!["id".into()], ..Load::after(&second, "01C", &["3,3,c\n"]) };
    database.publish(&third).await.unwrap();
    assert_eq!(database.text(keys).await, "mine PRIMARY KEY (id) INCLUDE (fee) DEFERRABLE");
}

#[tokio::test]
async fn the_owner_stays_where_the_publisher_is_a_member() {
    let database = Database::new().await;
    let owner = format!("owner_{}", std::process::id());
    let first = Load::new("01A", &["1,1,a\n"]);
    database.publish(&first).await.unwrap();
    database
        .run(&format!(
            "CREATE ROLE {owner}; GRANT {owner} TO barncat_warehouse; GRANT ALL ON SCHEMA raw TO {owner};
             ALTER TABLE raw.orders OWNER TO {owner}; GRANT SELECT ON raw.orders TO barncat_warehouse;
             GRANT SELECT ON raw.orders TO PUBLIC"
        ))
        .await;
    let before = database.texts(CATALOG).await;
    database.publish(&Load::after(&first, "01B", &["2,2,b\n"])).await.unwrap();
    pretty_equal(&database.texts(CATALOG).await, &before);
    database.run(&format!("REVOKE {owner} FROM barncat_warehouse")).await;
    let live = database.warehouse.live(&first.table).await.unwrap().unwrap();
    assert_eq!(live.obstacles, [format!("its owner {owner}, of which barncat_warehouse is no member")]);
    database.run(&format!("DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")).await;
}

#[tokio::test]
async fn what_is_changed_while_it_is_carried_over_is_not_lost() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,a\n"]);
    database.publish(&first).await.unwrap();
    let reader = database.connect().await;
    reader.batch_execute("BEGIN; SELECT * FROM raw.orders").await.unwrap();
    let change =
        |publication: &mut Publication| publication.lock_timeout = std::time::Duration::from_millis(50);
    let second = Load { change, ..Load::after(&first, "01B", &["2,2,b\n"]) };
    let staging = database.fill(&second).await.unwrap();
    let publish = tokio::spawn(staging.publish(second.publication()));
    // All is built by the time that the lock is waited for.
    let waiting =
        "SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'raw.orders'::regclass";
    while database.text(waiting).await == "0" {
        tokio::task::yield_now().await;
    }
    let writer = database.connect_as_publisher().await;
    writer
        .batch_execute("COMMENT ON TABLE raw.orders IS 'new'; CREATE INDEX late ON raw.orders (note)")
        .await
        .unwrap();
    reader.batch_execute("COMMIT").await.unwrap();
    publish.await.unwrap().unwrap();
    assert_eq!(database.text("SELECT obj_description('raw.orders'::regclass)").await, "new");
    assert_eq!(
        database.text("SELECT pg_get_indexdef('raw.late'::regclass)").await,
        "CREATE INDEX late ON raw.orders USING btree (note)"
    );
    assert_eq!(database.text("SELECT note FROM raw.orders").await, "b");
}

#[tokio::test]
async fn tablespaces_of_table_and_indexes_stay() {
    let database = Database::new().await;
    let first = Load::new("01A", &["1,1,a\n"]);
    database.publish(&first).await.unwrap();
    let space = format!("space_{}", std::process::id());
    let admin = database.connect().await;
    // A statement of its own each: a tablespace is not made within a transaction.
    for sql in [
        "SET allow_in_place_tablespaces = on",
        &format!("CREATE TABLESPACE {space} LOCATION ''"),
        &format!("GRANT CREATE ON TABLESPACE {space} TO barncat_warehouse"),
        &format!("ALTER TABLE raw.orders SET TABLESPACE {space}"),
        &format!("CREATE INDEX elsewhere ON raw.orders (note) TABLESPACE {space}"),
        &format!("ALTER TABLE raw.orders ADD CONSTRAINT once UNIQUE (note) USING INDEX TABLESPACE {space}"),
        "CREATE INDEX here ON raw.orders (note)",
    ] {
        admin.batch_execute(sql).await.expect(sql);
    }
    let before = database.texts(CATALOG).await;
    assert_eq!(before.iter().filter(|line| line.contains(&space)).count(), 3, "{before:#?}");
    let second = Load::after(&first, "01B", &["2,2,b\n"]);
    database.publish(&second).await.unwrap();
    pretty_equal(&database.texts(CATALOG).await, &before);
    database.run(&format!("REVOKE ALL ON TABLESPACE {space} FROM barncat_warehouse")).await;
    let live = database.warehouse.live(&first.table).await.unwrap().unwrap();
    assert_eq!(live.obstacles, [format!("its tablespace {space}, where barncat_warehouse may not create")]);
    admin.batch_execute("DROP TABLE raw.orders").await.unwrap();
    admin.batch_execute(&format!("DROP TABLESPACE {space}")).await.unwrap();
}

//! Rows read through another relation, a view or a partitioned table: what moves below it must be
//! noticed just as well, and which partitions there are is the snapshot's word, not the newest.

use barncat::{error::Class, sql::TableName};

use super::{
    all_lines, class, extraction,
    files::{Planned, ROWS, all},
    kept_snapshot,
};

/// With a row of its own, which the partitioned table does not show yet.
const NEW_PARTITION: &str =
    "CREATE TABLE @.p_3 (id int, pad text NOT NULL); INSERT INTO @.p_3 VALUES (3000, '')";

const ATTACH: &str = "ALTER TABLE @.p ATTACH PARTITION @.p_3 FOR VALUES FROM (2000) TO (4000)";

/// The parent may be read, the partitions only through it.
const ONLY_THE_PARENT: &str = "REVOKE SELECT ON @.p_1, @.p_2 FROM barncat_source";

#[tokio::test]
async fn a_table_rewritten_below_a_view_is_noticed() {
    for (view, lists) in [
        ("v", [["VACUUM FULL @.t"], ["CLUSTER @.t USING t_pkey"], ["TRUNCATE @.t"]]),
        ("vp", [["VACUUM FULL @.p_2"], ["TRUNCATE @.p"], ["DROP TABLE @.p_2"]]),
    ] {
        let lists: Vec<&[&str]> = lists.iter().map(|list| list.as_slice()).collect();
        for (table, statements) in all(view, &lists).await.iter().zip(&lists) {
            let read = table.changed_before_the_first_part(statements).await;
            assert_eq!(read, Err(Class::Passing), "{view}: {statements:?}");
        }
    }
}

#[tokio::test]
async fn a_view_over_tables_that_stay_is_read_whole() {
    let statements: &[&str] = &["DELETE FROM @.t WHERE id < 500", "UPDATE @.p SET pad = ''", "VACUUM @.t"];
    for view in ["v", "vp"] {
        assert_eq!(Planned::new(view).await.changed_before_the_first_part(statements).await, Ok(ROWS));
    }
}

#[tokio::test]
async fn a_partition_that_goes_is_never_missed() {
    let lists: &[&[&str]] = &[&["TRUNCATE @.p_2"], &["DROP TABLE @.p_2"], &["VACUUM FULL @.p_2"]];
    for (table, statements) in all("p", lists).await.iter().zip(lists) {
        let read = table.changed_between_two_parts(statements).await;
        assert_eq!(read, Err(Class::Passing), "{statements:?}");
    }
}

#[tokio::test]
async fn a_partition_detached_or_attached_meanwhile_is_as_the_snapshot_has_it() {
    let lists: &[&[&str]] = &[&["ALTER TABLE @.p DETACH PARTITION @.p_2"], &[NEW_PARTITION, ATTACH]];
    for (table, statements) in all("p", lists).await.iter().zip(lists) {
        assert_eq!(table.changed_between_two_parts(statements).await, Ok(ROWS), "{statements:?}");
    }
}

/// The same, but between the snapshot and the planning.
#[tokio::test]
async fn the_partitions_are_those_of_the_snapshot() {
    for (statements, rows) in [
        (["DROP TABLE @.p_2"], Err(Class::Passing)),
        (["ALTER TABLE @.p DETACH PARTITION @.p_2"], Ok(ROWS)),
        ([ATTACH], Ok(ROWS)),
    ] {
        let schema = Planned::schema("p").await;
        let run = async |sql: &str| schema.run_on_primary(&sql.replace('@', schema.name())).await;
        run(NEW_PARTITION).await;
        let snapshot = kept_snapshot().await;
        run(statements[0]).await;
        let extraction = extraction(&TableName::new(schema.name(), "p"), &["id"]);
        let read = all_lines(&*snapshot, &extraction).await;
        assert_eq!(read.map(|lines| lines.len()).map_err(|error| class(&error)), rows, "{statements:?}");
    }
}

/// A role without rights on the partitions reads them through the parent, in one part.
#[tokio::test]
async fn partitions_read_through_their_parent_are_watched_too() {
    for (statements, rows) in [
        (vec!["INSERT INTO @.p VALUES (5, '')", "UPDATE @.p SET pad = ''"], Ok(ROWS)),
        (vec!["VACUUM FULL @.p_1"], Err(Class::Passing)),
        (vec!["TRUNCATE @.p"], Err(Class::Passing)),
        (vec!["DROP TABLE @.p_2"], Err(Class::Passing)),
        (vec!["ALTER TABLE @.p DETACH PARTITION @.p_2"], Err(Class::Passing)),
        (vec![ATTACH], Err(Class::Passing)),
    ] {
        let schema = Planned::schema("p").await;
        for sql in [ONLY_THE_PARENT, NEW_PARTITION] {
            schema.run_on_primary(&sql.replace('@', schema.name())).await;
        }
        let planned = Planned::all("p", [schema]).await.pop().expect("one is planned");
        assert_eq!(planned.changed_before_the_first_part(&statements).await, rows, "{statements:?}");
    }
}

//! Names that Redshift reads otherwise than Postgres does: they go through, or `plan` says why they cannot.

use crate::support::{
    project::on_primary,
    redshift::{OnRedshift, Way},
};

/// A reserved word for a table, and for columns: words that Redshift alone reserves, mixed case, dots, quotes,
/// blanks, letters beyond ASCII.
const SOURCE: &str = r#"
    CREATE TABLE "Select" ("Id" bigint PRIMARY KEY, "order" integer, "TAG" text, "a.b" text, "say ""x""" text,
        "with space" text, "Zoë" text, "$1" text, "'; DROP TABLE x; --" text, "back\slash" text);
    INSERT INTO "Select" SELECT n, n, 't' || n, 'a', 'b', '', NULL, 'd', 'e', 'f' FROM generate_series(1, 50) n;
    CREATE TABLE pairs ("Name" text, name text);
    CREATE TABLE system (oid bigint, n integer);"#;

const LOADERS: &str = "[tables]\nSelect = { strategy = \"merge\", cursor = \"Id\", deletes = \"detect\", \
                       redshift = { dist = \"key(Id)\", sort = [\"order\", \"a.b\"], encode = { \"Zoë\" = \"zstd\" } } }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_go_through_the_whole_pipeline() {
    for way in [Way::DataApi, Way::Wire] {
        let on = OnRedshift::by(way, SOURCE, LOADERS).await;
        on.project.run(&[]).await;
        on.project
            .database
            .run("CREATE VIEW raw.\"view upon\" AS SELECT \"a.b\", \"order\" FROM raw.\"select\"")
            .await;
        on_primary(
            &on.project,
            "INSERT INTO \"Select\" (\"Id\", \"a.b\") VALUES (51, 'new'); DELETE FROM \"Select\" WHERE \"Id\" = 1",
        )
        .await;
        on.project.run(&[]).await;
        on_primary(&on.project, "ALTER TABLE \"Select\" ADD COLUMN \"Group\" integer DEFAULT 7").await;
        on.project.run(&["--full"]).await;
        for arguments in [&["verify"][..], &["plan"], &["doctor"]] {
            let output = on.project.barncat(arguments, &[]).await;
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert_eq!(output.status.code(), Some(0), "{way:?} {arguments:?}: {text}");
        }
        let columns = "SELECT string_agg(attname, '|' ORDER BY attnum) FROM pg_attribute
                       WHERE attrelid = 'raw.select'::regclass AND attnum > 0 AND NOT attisdropped";
        let names = "id|order|tag|a.b|say \"x\"|with space|zoë|$1|'; drop table x; --|back\\slash|group";
        assert_eq!(on.text(columns).await, names);
        let rows = "SELECT count(*) || ' ' || sum(id) || ' ' || sum(\"group\") FROM raw.\"select\"";
        assert_eq!(on.text(rows).await, format!("50 {} 350", (2..=51).sum::<u32>()));
        assert_eq!(on.text("SELECT count(*)::text FROM raw.\"view upon\"").await, "50");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_cannot_be_kept_apart_are_refused_by_plan() {
    let on = OnRedshift::new(SOURCE, "[tables]\npairs = \"full\"\nsystem = \"full\"\n").await;
    let output = on.project.barncat(&["plan"], &[]).await;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in ["the columns `Name` and `name`", "have one name in Redshift", "the column `oid`"] {
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
}

//! Objects of the stage that somebody else changes between their upload and the fill. Redshift, whose COPY reads the
//! stage by itself: tests/it/redshift/parts.rs. Manifests and restore: tests/it/run/restore.rs.

use std::path::PathBuf;

use crate::support::{
    process::Process,
    project::{INTO, Project, on_primary},
};

const SOURCE: &str = "CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'a note of ' || n FROM generate_series(1, 300) n;";

/// In the same place as the part: another one that is whole and well-formed, with rows of an attacker's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_was_swapped_before_it_is_filled_is_named_and_its_rows_reach_no_reader() {
    // In the transaction that publishes, and committed before.
    for fill_jobs in [1, 2] {
        let loaders = format!(
            "[tables]\norders = {{ strategy = \"full\", format = \"csv\", attempts = 1, fill_jobs = {fill_jobs} }}\n"
        );
        let project = Project::new(SOURCE, &loaders).await;
        project.run(&[]).await;
        let before = project.in_warehouse("orders").await;
        let old = parts(&project);
        on_primary(&project, "UPDATE orders SET note = 'new' WHERE id = 1").await;
        let process = Process::run(&project, &[], &[("BARNCAT_FAILPOINTS", "staging.part.before=stop")]);
        process.until_stopped().await;
        let new: Vec<PathBuf> = parts(&project).into_iter().filter(|part| !old.contains(part)).collect();
        assert!(!new.is_empty(), "a part lies there and was not filled yet");
        let rows: String = (1..=300).map(|n| format!("{n},owned\n")).collect();
        for part in &new {
            let swapped = zstd::encode_all(rows.as_bytes(), 1).expect("zstd");
            std::fs::write(project.dir().join("stage").join(part), swapped).expect("it can be written");
        }
        process.send("CONT");
        let (status, outcome) = process.end().await;
        assert_eq!(status, Some(1), "{outcome:#}");
        let told = outcome["tasks"][0]["error"].to_string();
        let key = new[0].to_string_lossy();
        assert!(told.contains(&*key) && told.contains("differs"), "{told}");
        assert!(!told.contains("owned") && !told.contains("a note of"), "a value is told: {told}");
        assert_eq!(project.in_warehouse("orders").await, before, "the last good rows stay");
        let owned = format!("SELECT count(*)::text FROM {INTO}.orders WHERE note = 'owned'");
        assert_eq!(project.database.text(&owned).await, "0");
        project.run(&[]).await;
        project.assert_equal(&["orders"]).await;
        let left = "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'barncat_staging'";
        assert_eq!(project.database.text(left).await, "0");
    }
}

fn parts(project: &Project) -> Vec<PathBuf> {
    project.staged().into_iter().filter(|path| path.to_string_lossy().contains("part-")).collect()
}

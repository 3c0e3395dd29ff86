//! Test mode: all of it is read from the test schemas and written to them, whatever the role may do.

use super::{LOADERS, SOURCE, model, status, write_models};
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{INTO, Project, on_primary, task},
};

on_each_ground![nothing_is_written_but_in_test_schemas_by_a_role_that_may_write_anywhere];

/// A run in test mode by a role that may write anywhere: exit status and outcome.
async fn test_run(project: &Project, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    by_admin(project, &project.database.admin_url(), arguments).await
}

/// The same; where the control database is one of its own, `admin` is who may do anything there.
async fn by_admin(project: &Project, admin: &str, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let all = [&["run", "--mode", "test", "--output", "json"], arguments].concat();
    let output = project.barncat(&all, &[("WAREHOUSE_URL", admin)]).await;
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let outcome = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), outcome)
}

/// What stands outside of test schemas: every relation with its file and its rows, every column, comment,
/// grant and schema; but for what the double of Redshift keeps for itself.
async fn all_but_test(project: &Project) -> Vec<String> {
    let outside = "n.nspname NOT LIKE '%test%' AND n.nspname NOT LIKE 'redshift_double%' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    let sql = format!(
        "SELECT format('%s %s %s %s %s', c.oid::regclass, c.relkind, c.relfilenode, c.relacl,
                CASE WHEN c.relkind IN ('r', 'v') THEN (xpath('/row/c/text()', query_to_xml(
                    format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text END)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {outside}
         UNION ALL SELECT format('%s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod))
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {outside}
         UNION ALL SELECT format('%s %s %s', d.objoid::regclass, d.objsubid, d.description)
         FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {outside}
         UNION ALL SELECT format('%s %s', n.nspname, n.nspacl) FROM pg_namespace n WHERE {outside}
         ORDER BY 1"
    );
    project.database.texts(&sql).await
}

async fn nothing_is_written_but_in_test_schemas_by_a_role_that_may_write_anywhere(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    // The double's role may do anything as it is.
    let admin = scene.control().admin_url();
    let project: &Project = &scene;
    write_models(project);
    project.write("sql/checks/no_debts.sql", "select 1 from named where owed < 0");
    project.run(&[]).await;
    let before = all_but_test(project).await;
    assert!(
        before.iter().any(|line| line.starts_with("raw.orders r ") && line.ends_with(" 500")),
        "{before:?}"
    );
    on_primary(project, "INSERT INTO orders VALUES (2000, 1, 1000, '2026-03-01Z')").await;
    for arguments in [&[][..], &["--full"], &["named"]] {
        let (code, outcome) = by_admin(project, &admin, arguments).await;
        assert_eq!((code, status(&outcome, "named").len()), (Some(0), 9), "{outcome:#}");
    }
    assert_eq!(all_but_test(project).await, before);
    let test = "SELECT sum(owed)::numeric(12,2)::text FROM raw_test_ci.named";
    assert_eq!(project.database.text(test).await, "32312.50", "made of the test schema's own tables");
    let reads =
        "SELECT string_agg(DISTINCT dn.nspname, ' ') FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace vn ON vn.oid = v.relnamespace
        JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace dn ON dn.oid = t.relnamespace
        WHERE vn.nspname = 'raw_test_ci' AND v.relname = 'best'";
    if !ground.is_redshift() {
        // There it is bound to nothing; its text is looked at.
        assert_eq!(project.database.text(reads).await, "raw_test_ci");
    }
    let best = "SELECT (count(*) > 0)::text FROM raw_test_ci.best WHERE name = 'rider 1'";
    assert_eq!(project.database.text(best).await, "true");
    // What goes is the test schema's too.
    std::fs::remove_file(project.dir().join("sql/models/grown.sql")).expect("it is removed");
    let arguments = ["clean", "--removed", "--yes", "--mode", "test"];
    let output = project.barncat(&arguments, &[("WAREHOUSE_URL", &admin)]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        project.database.text("SELECT (to_regclass('raw_test_ci.grown') IS NULL)::text").await,
        "true"
    );
    assert_eq!(all_but_test(project).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_schema_that_is_none_is_refused_before_anything_is_made() {
    let project = Project::new(SOURCE, LOADERS).await;
    model(&project, "fees", "/* barncat\nschema = \"marts\"\n*/ select rider_id from orders");
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    for (test_schema, told) in [
        ("{schema}", "test mode would write `marts` into `marts`, which is a schema of the project itself"),
        ("raw", "test mode would write `marts` into `raw`, which is a schema of the project itself"),
        ("scratch", "test mode would write `marts` and `raw` both into `scratch`"),
        ("barncat", "test mode would write `marts` into `barncat`, which is a schema of barncat's own"),
    ] {
        project.write("barncat.toml", &format!("{toml}test_schema = \"{test_schema}\"\n"));
        for command in
            [&["run", "--mode", "test"][..], &["plan", "--mode", "test"], &["clean", "--mode", "test"]]
        {
            let output = project.barncat(command, &[]).await;
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{command:?}: {stderr}");
            assert!(stderr.contains(told), "{command:?}: {stderr}");
        }
    }
    let made = "SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE '%barncat%' OR nspname IN ('raw', 'marts')";
    assert_eq!(project.database.text(made).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_off_unless_they_say_so_and_sql_that_is_not_read_is_refused() {
    let project = Project::new(SOURCE, LOADERS).await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    let tasks = "[tasks.off]\ncommand = [\"touch\", \"off\"]\n[tasks.on]\ncommand = [\"touch\", \"on\"]\ntest = true\n";
    project.write("barncat.toml", &format!("{toml}\n{tasks}"));
    // A form that the parser does not read: the warehouse would read production's table.
    let unread = "/* barncat\nneeds = [\"riders\"]\n*/ select at at local as at from raw.orders";
    model(&project, "unread", unread);
    model(&project, "upon", "select at from unread");
    let (code, outcome) = test_run(&project, &[]).await;
    assert_eq!(code, Some(1), "{outcome:#}");
    assert_eq!((status(&outcome, "off"), status(&outcome, "on")), ("skipped", "succeeded"), "{outcome:#}");
    let reason = task(&outcome, "off")["reason"].as_str().unwrap_or_default();
    assert_eq!(reason, "commands are off in test mode; `test = true` lets it run there");
    assert!(!project.dir().join("off").exists() && project.dir().join("on").exists());
    assert_eq!((status(&outcome, "unread"), status(&outcome, "upon")), ("failed", "blocked"), "{outcome:#}");
    let error = &task(&outcome, &format!("{INTO}_test_ci.unread"))["error"];
    assert_eq!(error["class"], "usage", "{outcome:#}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("sql/models/unread.sql cannot be read by barncat"), "{message}");
}

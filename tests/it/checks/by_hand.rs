//! `barncat check`: what it selects, what it shows, and what stays untold.

use serde_json::Value;

use super::full;
use crate::support::{
    ground::{Ground, Scene, on_each_ground},
    project::{Project, task},
};

on_each_ground![rows_are_shown_to_who_asks_and_private_columns_to_nobody];

/// `walrus` may be seen by who asks for rows, `zebra` by nobody.
const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, state text, email text, phone text);
    INSERT INTO orders SELECT n, CASE WHEN n <= 8 THEN 'walrus ' || n ELSE 'paid' END, 'zebra ' || n, 'zebra phone ' || n FROM generate_series(1, 20) n;";

const LOADERS: &str = r#"[tables]
orders = { strategy = "full", private = ["email"], hash = ["phone"], checks = { accepted_values = { state = ["paid"], email = ["none"] } } }
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Queries by which a server takes a row's value for a name, or a function raises it.
#[tokio::test]
async fn a_query_that_fails_tells_no_value_that_it_met() {
    let scene = Scene::on(Ground::Postgres, SOURCE, LOADERS).await;
    let raises = "CREATE FUNCTION public.sound(t text) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no good: %', t; END $$";
    scene.control().run(raises).await;
    let asked = [
        "email::regclass is null",
        "email::regrole is null",
        "to_tsvector(email::regconfig, 'x') is null",
        "current_setting(email) is null",
        "has_table_privilege(email, 'select')",
        "has_column_privilege('raw.orders', email, 'select')",
        "sound(email)",
        "email::int > 0",
    ];
    for (number, condition) in asked.iter().enumerate() {
        scene
            .write(&format!("sql/checks/c{number}.sql"), &format!("select id from orders where {condition}"));
    }
    let output = scene.barncat(&["run", "-vv", "--output", "json"], &[]).await;
    let told = [text(&output.stdout), text(&output.stderr)].join("\n");
    let alarms = scene.control().texts("SELECT alarm::text FROM barncat_control.incidents").await.join("\n");
    for told in [&told, &alarms] {
        assert!(told.contains("c7") && !told.contains("zebra"), "{told}");
    }
    // What the query says itself may be said.
    scene.write("sql/checks/c8.sql", "select id from orders where \"emial\" is null");
    let output = scene.barncat(&["check", "c8"], &[]).await;
    assert!(text(&output.stderr).contains("emial"), "{}", text(&output.stderr));
}

async fn rows_are_shown_to_who_asks_and_private_columns_to_nobody(ground: Ground) {
    let scene = Scene::on(ground, SOURCE, LOADERS).await;
    scene.write(
        "sql/models/copied.sql",
        "/* barncat\nchecks = { accepted_values = { state = { values = [\"paid\"], before_publish = true, sample = 2 } } }\n*/\n\
         select id, state, email from orders",
    );
    scene.write("sql/checks/odd.sql", "select id, state, email, phone from orders where state <> 'paid'");
    let output = scene.barncat(&["run", "-vv", "--output", "json"], &[]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for told in [text(&output.stdout), text(&output.stderr)] {
        assert!(!told.contains("walrus") && !told.contains("zebra"), "{told}");
    }
    assert_eq!(task(&outcome, "odd")["error"]["message"], "sql/checks/odd.sql found 8 rows");
    assert_eq!(task(&outcome, &full("copied"))["status"], "failed");

    // All that is written down, but for the rows themselves.
    let control = scene.control();
    let told = "SELECT outcome::text FROM barncat_control.runs UNION ALL SELECT outcome::text FROM barncat_control.tasks
        UNION ALL SELECT failure::text FROM barncat_control.attempts UNION ALL SELECT alarm::text FROM barncat_control.incidents
        UNION ALL SELECT message FROM barncat_control.check_results";
    let told = control.texts(told).await.join("\n");
    assert!(told.contains("accepted_values (state): 8 of 20"), "{told}");
    assert!(!told.contains("walrus") && !told.contains("zebra"), "{told}");
    let samples = control
        .texts("SELECT sample::text FROM barncat_control.check_results WHERE sample IS NOT NULL")
        .await;
    // Of the load's checks two, of the model's one, of the file's one.
    assert_eq!(samples.len(), 4, "{samples:?}");
    assert!(samples.iter().all(|sample| !sample.contains("zebra")), "{samples:?}");
    assert!(
        samples.iter().all(|sample| !sample.contains("email") && !sample.contains("phone")),
        "{samples:?}"
    );
    let lengths =
        "SELECT string_agg(task || ' ' || jsonb_array_length(sample->'rows'), ', ' ORDER BY task, check_name)
        FROM barncat_control.check_results WHERE sample IS NOT NULL";
    assert_eq!(control.text(lengths).await, "odd 5, raw.copied 2, raw.orders.checks 5, raw.orders.checks 5");

    // Who asks sees them.
    let rows = scene.barncat(&["history", "copied", "--rows"], &[]).await;
    let told = text(&rows.stdout);
    assert!(told.contains("walrus") && !told.contains("zebra"), "{told}{}", text(&rows.stderr));
    let rows = scene.barncat(&["history", "odd", "--rows"], &[]).await;
    assert!(text(&rows.stdout).contains("walrus"), "{}", text(&rows.stderr));
    let rows = scene.barncat(&["check", "orders", "--rows"], &[]).await;
    assert_eq!(rows.status.code(), Some(1), "{}", text(&rows.stderr));
    let told = text(&rows.stdout);
    assert!(told.contains("walrus") && !told.contains("zebra"), "{told}");
    assert!(!text(&rows.stderr).contains("walrus"), "{}", text(&rows.stderr));
    let rows = scene.barncat(&["check", "odd", "--rows", "--output", "json"], &[]).await;
    let found: Value = serde_json::from_slice(&rows.stdout).expect("JSON");
    assert_eq!(
        found["tasks"][0]["checks"][0]["sample"]["columns"],
        serde_json::json!(["id", "state"]),
        "{found:#}"
    );
    let silent = scene.barncat(&["check", "odd", "--output", "json"], &[]).await;
    assert!(!text(&silent.stdout).contains("walrus"), "{}", text(&silent.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_of_tables_means_the_checks_that_look_at_them() {
    let project = Project::new(
        SOURCE,
        "[tables]\norders = { strategy = \"full\", checks = { not_null = [\"state\"] } }\n",
    )
    .await;
    project.write(
        "sql/checks/odd.sql",
        "/* barncat\nseverity = \"warn\"\n*/\nselect 1 from orders where state <> 'paid'",
    );
    let names = |output: &[u8]| -> Vec<String> {
        let outcome: Value = serde_json::from_slice(output).expect("JSON");
        let tasks = outcome["tasks"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> =
            tasks.iter().map(|task| task["task"].as_str().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    let before = project.barncat(&["check", "--output", "json"], &[]).await;
    assert_eq!(before.status.code(), Some(1), "nothing is published yet: {}", text(&before.stdout));
    project.run(&[]).await;
    let all = ["odd".to_owned(), full("orders.checks")];
    for (arguments, expected) in [
        (vec!["check"], &all[..]),
        (vec!["check", "orders"], &all[..]),
        (vec!["check", "orders.checks"], &all[1..]),
        (vec!["check", "orders", "--exclude", "odd"], &all[1..]),
        (vec!["check", "odd"], &all[..1]),
    ] {
        let mut arguments = arguments;
        arguments.extend(["--output", "json"]);
        let output = project.barncat(&arguments, &[]).await;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(names(&output.stdout), expected, "{arguments:?}");
    }
    let loads = "SELECT count(*)::text FROM barncat.loads";
    assert_eq!(project.database.text(loads).await, "1", "nothing was loaded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_meant_is_a_mistake_with_its_place_and_a_suggestion() {
    let loaders = "consistent = [[\"orders\", \"riders\"]]\n[tables]\nriders = \"full\"\n\
        orders = { strategy = \"full\", checks = { relationship = { id = \"ridrs.id\" }, not_nul = [\"id\"] } }\n";
    let project = Project::new("CREATE TABLE orders (id int)", loaders).await;
    let told = async |project: &Project| text(&project.barncat(&["validate"], &[]).await.stderr);
    let mistakes = told(&project).await;
    assert!(mistakes.contains("unknown key `not_nul` for `checks` of table `orders`"), "{mistakes}");
    assert!(
        mistakes.contains("did you mean `not_null`?") && mistakes.contains("loaders/shop.toml:7:"),
        "{mistakes}"
    );
    project.write_loaders(&loaders.replace("not_nul ", "not_null "));
    let mistakes = told(&project).await;
    assert!(mistakes.contains("`ridrs`") && mistakes.contains("`riders`"), "{mistakes}");
    // Which of a group is published first nobody knows.
    let before = "relationship = { id = { to = \"riders.id\", before_publish = true } }";
    let right = loaders.replace("not_nul ", "not_null ");
    project.write_loaders(&right.replace("relationship = { id = \"ridrs.id\" }", before));
    let mistakes = told(&project).await;
    assert!(mistakes.contains("both tables are of one group"), "{mistakes}");
    project.write_loaders(&right.replace("ridrs", "riders"));
    project.write("sql/models/seen.sql", "/* barncat\nkind = \"view\"\nchecks = { not_null = [\"id\"], before_publish = true }\n*/\nselect id from orders");
    project.write(
        "sql/checks/both.sql",
        "/* barncat\nbefore_publish = true\n*/\nselect o.id from orders o join riders r on r.id = o.id",
    );
    let mistakes = told(&project).await;
    assert!(
        mistakes.contains("a view holds no rows") && mistakes.contains("sql/models/seen.sql:3:"),
        "{mistakes}"
    );
    assert!(mistakes.contains("`before_publish` of check `both` is about one table"), "{mistakes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_asks_a_check_no_more_often_than_it_says() {
    let project = Project::new(SOURCE, "[tables]\norders = \"full\"\n").await;
    let write = |state: &str| {
        let sql = format!("/* barncat\nevery = \"6h\"\n*/\nselect 1 from orders where state = '{state}'");
        project.write("sql/checks/odd.sql", &sql);
    };
    write("odd");
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "odd")["status"], "succeeded", "{outcome:#}");
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "odd")["status"], "skipped", "{outcome:#}");
    let reason = task(&outcome, "odd")["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("it was answered") && reason.contains("`every` is 6 h"), "{reason}");
    // Who asks by hand gets an answer.
    let output = project.barncat(&["check", "odd", "--output", "json"], &[]).await;
    let asked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(asked["tasks"][0]["status"], "succeeded", "{asked:#}");
    // Written anew it is another check, and one that failed is asked until it does not.
    write("paid");
    for _ in 0..2 {
        let (_, outcome) = project.try_run(&[]).await;
        assert_eq!(task(&outcome, "odd")["status"], "failed", "{outcome:#}");
    }
    write("odd");
    project.run(&[]).await;
    let ago = "UPDATE barncat_control.tasks SET ended_at = ended_at - interval '6 hours' WHERE task = 'odd'";
    project.database.run(ago).await;
    let outcome = project.run(&[]).await;
    assert_eq!(task(&outcome, "odd")["status"], "succeeded", "{outcome:#}");
}

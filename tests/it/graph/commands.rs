//! Commands and checks as tasks.

use super::{LOADERS, SOURCE, model, status};
use crate::support::project::{INTO, Project, task};

async fn project(tasks: &str) -> Project {
    let project = Project::new(SOURCE, LOADERS).await;
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &format!("{toml}\n{tasks}"));
    project
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commands_exit_status_decides_and_what_it_makes_waits_for_it() {
    let project = project(
        "[tasks.marts]\ncommand = [\"sh\", \"-c\", \"echo made by $BARNCAT_TASK; echo it >> made; test -e good\"]\n\
         needs = [\"orders\"]\nmakes = [\"marts.*\"]\nattempts = 1\n",
    )
    .await;
    project.database.run("CREATE SCHEMA marts; CREATE TABLE marts.totals AS SELECT 1 AS total; GRANT USAGE ON SCHEMA marts TO barncat_warehouse; GRANT SELECT ON marts.totals TO barncat_warehouse").await;
    model(&project, "doubled", "select total * 2 as doubled from marts.totals");
    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!(
        (code, status(&outcome, "marts"), status(&outcome, "doubled")),
        (Some(1), "failed", "blocked"),
        "{outcome:#}"
    );
    let error = task(&outcome, "marts")["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("exit status: 1") && error.contains("made by marts"), "{error}");
    project.write("good", "");
    let outcome = project.run(&["--failed"]).await;
    assert_eq!(
        (status(&outcome, "marts"), status(&outcome, "doubled")),
        ("succeeded", "succeeded"),
        "{outcome:#}"
    );
    let made = std::fs::read_to_string(project.dir().join("made")).expect("it ran in the project's folder");
    assert_eq!(made.lines().count(), 2, "once a run");
    assert_eq!(project.database.text(&format!("SELECT doubled::text FROM {INTO}.doubled")).await, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_a_check_finds_fail_it_or_are_told() {
    let project = Project::new(SOURCE, LOADERS).await;
    project.write("sql/checks/no_free_rides.sql", "select * from orders where fee < 1");
    project.write("sql/checks/few.sql", "/* barncat\nseverity = \"warn\"\n*/ select 1 from riders");
    let (code, outcome) = project.try_run(&[]).await;
    assert_eq!(
        (code, status(&outcome, "no_free_rides"), status(&outcome, "few")),
        (Some(1), "failed", "succeeded"),
        "{outcome:#}"
    );
    assert_eq!(
        task(&outcome, "no_free_rides")["error"]["message"],
        "sql/checks/no_free_rides.sql found 3 rows"
    );
    assert_eq!(task(&outcome, "few")["warnings"][0], "sql/checks/few.sql found 7 rows");
    assert_eq!(status(&outcome, "orders"), "succeeded", "what was published stays published");
}

/// What a program prints is somebody else's: what this process logs in with may be in it, and what steers a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_prints_is_kept_without_secrets_and_control_characters() {
    let told =
        r#"printf '\033[31mcannot\000 reach %s\007 as %s\n' "$WAREHOUSE_URL" "${WAREHOUSE_URL#*://*:}""#;
    let project = project(&format!(
        "[tasks.leak]\ncommand = ['sh', '-c', '''{told}; {told} >&2; exit 3''']\nattempts = 1\n\
         [hooks.leaks]\non = [\"run.finished\"]\ncommand = ['sh', '-c', '''{told}; exit 3''']\n"
    ))
    .await;
    let url = project.database.url();
    let login =
        url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).expect("a url with a login").0;
    let password = login.split_once(':').expect("a password").1;
    let output = project.barncat(&["run", "--output", "json"], &[("WAREHOUSE_URL", &url)]).await;
    let said = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    assert!(!said.contains(password), "a secret was told");
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let error = task(&outcome, "leak")["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("reach postgres://") && error.contains(":***@"), "{error}");
    assert!(!error.contains(['\u{7}', '\u{1b}', '\0']), "{error:?}");
    assert!(outcome["warnings"][0].as_str().is_some_and(|warning| warning.contains(":***@")), "{outcome:#}");
    // The database has the run's end.
    let kept = "SELECT string_agg(outcome::text, '') || string_agg(status, ' ') FROM barncat_control.runs";
    let kept = project.database.text(kept).await;
    assert!(!kept.contains(password) && kept.ends_with("failed"), "{kept}");
}

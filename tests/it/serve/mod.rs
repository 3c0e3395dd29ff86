//! The service: what it runs when, and what it lives through.

mod crash;
mod down;
mod figures;
mod http;
mod life;
mod pages;
mod protection;
mod restarts;
mod schedules;
mod service;
mod takeover;

use std::time::{Duration, Instant};

use crate::support::project::Project;

const SOURCE: &str =
    "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 5);";
const LOADERS: &str = "[tables]\norders = \"full\"\n";

/// A project with commands, which are quick, and schedules for them.
async fn project(more: &str) -> Project {
    let project = Project::new(SOURCE, LOADERS).await;
    add(&project, more);
    project
}

/// Adds to its `barncat.toml`.
fn add(project: &Project, more: &str) {
    let toml = std::fs::read_to_string(project.dir().join("barncat.toml")).expect("it is there");
    project.write("barncat.toml", &format!("{toml}\n{more}\n"));
}

/// A command that leaves a mark.
const MARK: &str = "[tasks.mark]\ncommand = [\"sh\", \"-c\", \"echo $BARNCAT_RUN >> marks\"]\n";

/// How many lines a command has left.
fn lines(project: &Project, file: &str) -> usize {
    std::fs::read_to_string(project.dir().join(file)).map_or(0, |text| text.lines().count())
}

/// Waits for something.
async fn until(what: &str, is_it: impl AsyncFn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !is_it().await {
        assert!(Instant::now() < limit, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a query of the control database answers, `control.` standing for its schema; nothing where there is none yet.
async fn control(project: &Project, sql: &str) -> Vec<String> {
    let sql = sql.replace("control.", "barncat_control.");
    let client = project.database.connect().await;
    match client.query(&sql, &[]).await {
        Ok(rows) => {
            rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_else(|| "NULL".into())).collect()
        }
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => Vec::new(),
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

/// How ticks of a schedule stand: how many of each status.
async fn ticks(project: &Project, schedule: &str, status: &str) -> usize {
    let sql = format!(
        "SELECT 'x' FROM control.ticks WHERE schedule = '{schedule}' AND coalesce(status, 'open') = '{status}'"
    );
    control(project, &sql).await.len()
}

/// Fails unless each tick was run once: all its runs are one chain, each going on with the one before, of which one
/// alone came to its end. A tick that was just left has no end yet.
async fn assert_each_tick_ran_once(project: &Project) {
    let twice = control(
        project,
        "SELECT format('%s %s: %s runs, %s beginnings, %s ends', t.schedule, t.tick, count(r.run),
                count(r.run) FILTER (WHERE r.resumes IS NULL), count(r.run) FILTER (WHERE r.status = 'succeeded'))
         FROM control.ticks t LEFT JOIN control.runs r ON r.schedule = t.schedule AND r.tick = t.tick
         WHERE t.status = 'succeeded' GROUP BY t.schedule, t.tick
         HAVING count(r.run) FILTER (WHERE r.resumes IS NULL) <> 1
             OR count(r.run) FILTER (WHERE r.status = 'succeeded') <> 1",
    )
    .await;
    assert!(twice.is_empty(), "{twice:#?}");
    let forks = control(
        project,
        "SELECT format('%s was gone on with %s times', resumes, count(*)) FROM control.runs
         WHERE resumes IS NOT NULL GROUP BY resumes HAVING count(*) > 1",
    )
    .await;
    assert!(forks.is_empty(), "{forks:#?}");
    let of_no_tick = control(
        project,
        "SELECT r.run FROM control.runs r WHERE r.schedule IS NOT NULL AND NOT EXISTS
             (SELECT FROM control.ticks t WHERE t.schedule = r.schedule AND t.tick = r.tick
                 -- The last one stopped may have left one for the next.
                 AND (t.status = 'succeeded' OR t.ended_at IS NULL))",
    )
    .await;
    assert!(of_no_tick.is_empty(), "{of_no_tick:#?}");
}

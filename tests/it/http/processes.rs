//! A service's limits, by the service's own count: three tables, two processes, some of which are killed.

use std::{
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{
    double::Double,
    scene::{ITEMS, Items, expected, project},
};
use crate::support::project::{INTO, Project};

/// When a service was asked.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Instant>>>);

impl Asked {
    fn all(&self) -> Vec<Instant> {
        self.0.lock().expect("nobody panics with it").clone()
    }

    fn count(&self) -> usize {
        self.all().len()
    }

    /// The most that came within so long, wherever that begins.
    fn most_within(&self, span: Duration) -> usize {
        let all = self.all();
        let until = |from: &Instant| all.partition_point(|at| *at < *from + span);
        all.iter().enumerate().map(|(number, at)| until(at) - number).max().unwrap_or(0)
    }
}

/// A project with three tables of so many pages of a service with these limits.
async fn three_tables(limits: &str, pages: i64) -> (Project, Asked, Items) {
    let (items, asked) = (Items::new(pages * 2), Asked::default());
    let (answers, times) = (items.clone(), asked.clone());
    let double = Double::start(move |target| {
        times.0.lock().expect("nobody panics with it").push(Instant::now());
        answers.answer(target)
    })
    .await;
    let table = |name: &str| format!("{name} = {{ strategy = \"full\", {ITEMS} }}\n");
    let project = project(&double, &["a", "b", "c"].map(table).concat()).await;
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    let config = config.replace("attempts = 1\n", &format!("attempts = 1\nlimits = {limits}\n"));
    project.write("barncat.toml", &config);
    (project, asked, items)
}

async fn until_asked(asked: &Asked, times: usize) {
    let limit = Instant::now() + Duration::from_secs(120);
    while asked.count() < times {
        assert!(Instant::now() < limit, "it is not asked {times} times");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn start(project: &Project, tables: &[&str]) -> Child {
    let mut command = project.command(&[&["run"], tables].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the built binary starts")
}

fn stop(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().expect("it was started here");
}

async fn rows(project: &Project, table: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(id || ' ' || note || ' ' || to_char(at AT TIME ZONE 'UTC', 'HH24:MI'), ', ' \
         ORDER BY id), '') FROM {INTO}.{table}"
    );
    project.database.text(&sql).await
}

#[tokio::test]
async fn a_limit_holds_over_tables_processes_and_restarts_and_what_was_asked_is_not_asked_again() {
    let (project, asked, items) = three_tables("{ second = 8 }", 25).await;
    let mut two = start(&project, &["c"]);
    let mut kills = 0;
    for after in [10, 25, 40] {
        let mut one = start(&project, &["a", "b"]);
        until_asked(&asked, after).await;
        stop(&mut one);
        kills += 1;
    }
    project.run(&["a", "b"]).await;
    assert!(two.wait().expect("it was started here").success());
    for table in ["a", "b", "c"] {
        assert_eq!(rows(&project, table).await, expected(&items), "{table}");
    }
    assert!(
        asked.most_within(Duration::from_millis(999)) <= 8,
        "{}",
        asked.most_within(Duration::from_millis(999))
    );
    // Of each table that was being asked for when its process died, the page in flight.
    let (pages, most) = (75, 75 + 2 * kills);
    assert!((pages..=most).contains(&asked.count()), "{} of {pages} to {most}", asked.count());
}

/// 60 requests a minute and 1,000 a day: seventeen minutes.
#[tokio::test]
#[ignore = "takes 18 minutes: on request"]
async fn sixty_a_minute_and_a_thousand_a_day_are_kept_and_used() {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    let zone = format!("Etc/GMT{:+}", now - 12);
    let limits = format!("{{ minute = 60, day = 1000 }}\nlimits_timezone = \"{zone}\"");
    let (project, asked, _) = three_tables(&limits, 400).await;
    let begun = Instant::now();
    let mut processes = [start(&project, &["a", "b"]), start(&project, &["c"])];
    let mut restarts = 0;
    while asked.count() < 1_000 && begun.elapsed() < Duration::from_secs(20 * 60) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if begun.elapsed().as_secs() / 120 > restarts {
            let one = usize::try_from(restarts % 2).expect("0 or 1");
            stop(&mut processes[one]);
            processes[one] = start(&project, if one == 0 { &["a", "b"] } else { &["c"] });
            restarts += 1;
        }
    }
    let took = asked.all().last().map_or(Duration::ZERO, |last| last.duration_since(begun));
    tokio::time::sleep(Duration::from_secs(75)).await;
    processes.iter_mut().for_each(stop);
    let (count, most) = (asked.count(), asked.most_within(Duration::from_secs(60)));
    // As many as the limit allows from the first moment on, in so long a time.
    let allowed = 60.0 * (1.0 + (took.as_secs_f64() / 60.0).floor());
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let used = count as f64 / allowed.min(1_000.0);
    eprintln!(
        "{count} requests in {} s, {restarts} restarts, at most {most} a minute, {:.1} % used",
        took.as_secs(),
        used * 100.0
    );
    assert_eq!(count, 1_000, "none beyond the day's, and all of them");
    assert!(most <= 60, "{most} within a minute");
    assert!(used >= 0.95, "{used}");
}

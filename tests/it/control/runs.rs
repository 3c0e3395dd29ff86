use std::time::Duration;

use barncat::{
    control::{Control, Origin, RunStart, Tick, Timing},
    error::{Class, Failure},
    event::{RunOutcome, RunStatus, TaskOutcome, TaskStatus, Tier},
    schema::{Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind},
    sql::TableName,
};
use jiff::Timestamp;

use super::{
    QUICK, endpoint, endpoint_of, fresh_schema, in_a_process_that_is_killed, open, superuser, until,
};
use crate::support::variable;

fn start(run: &str) -> RunStart {
    RunStart {
        run: run.to_owned(),
        mode: "production".to_owned(),
        selection: "*".to_owned(),
        version: "0.1.0".to_owned(),
        host: "here".to_owned(),
        pid: 7,
        resumes: None,
        origin: barncat::control::Origin::default(),
        project: "tests".to_owned(),
        asked: barncat::control::Asked::default(),
    }
}

fn outcome(task: &str, status: TaskStatus, seconds: f64) -> TaskOutcome {
    TaskOutcome {
        task: task.to_owned(),
        kind: "load".to_owned(),
        tier: Tier::Critical,
        status,
        attempts: 1,
        strategy: Some("full".to_owned()),
        reason: None,
        publish: Some("swap".to_owned()),
        rows: Some(seconds as u64 * 100),
        bytes: Some(seconds as u64 * 1000),
        seconds,
        load: Some(format!("load-{seconds}")),
        as_of: Some("2026-11-22T05:00:00Z".parse::<Timestamp>().expect("RFC 3339")),
        late_rows: None,
        snapshot: None,
        lag_seconds: None,
        watermark: None,
        schema_hash: Some("v1:0".to_owned()),
        sample: None,
        definition: None,
        schema_changes: vec!["column `tip` was added".to_owned()],
        inputs: Vec::new(),
        blocked_by: Vec::new(),
        warnings: Vec::new(),
        checks: Vec::new(),
        verification: None,
        error: None,
    }
}

fn run_outcome(run: &str) -> RunOutcome {
    RunOutcome {
        run: run.to_owned(),
        mode: "production".to_owned(),
        status: RunStatus::Succeeded,
        started_at: "2026-11-22T05:00:00Z".parse().expect("RFC 3339"),
        seconds: 3.5,
        tasks: vec![outcome("raw.orders", TaskStatus::Succeeded, 3.0)],
        warnings: Vec::new(),
        deadlines: Vec::new(),
    }
}

async fn begin(control: &Control, run: &str, load: &str) {
    control.start_run(&start(run)).await.expect("it is recorded");
    control.start_task(run, "raw.orders", "load", Tier::Critical).await.expect("it is recorded");
    control.start_attempt(run, "raw.orders", 1, load).await.expect("it is recorded");
}

#[tokio::test]
async fn a_run_is_told_from_its_start_to_its_end() {
    let control = open(&fresh_schema()).await;
    begin(&control, "run-1", "load-1").await;
    let running = control.running().await.unwrap();
    assert_eq!((running[0].run.as_str(), running[0].is_crashed), ("run-1", false));
    let task = &running[0].tasks[0];
    assert_eq!((task.task.as_str(), task.attempt, task.load.as_deref()), ("raw.orders", 1, Some("load-1")));
    assert_eq!(control.live_loads().await.unwrap(), ["load-1"]);

    let failure = Failure { class: Class::Passing, message: "cut".to_owned(), hint: None };
    control.finish_attempt("run-1", "raw.orders", 1, TaskStatus::Failed, Some(&failure)).await.unwrap();
    assert!(control.live_loads().await.unwrap().is_empty());
    control.start_attempt("run-1", "raw.orders", 2, "load-2").await.unwrap();
    control.start_attempt("run-1", "raw.orders", 2, "load-3").await.unwrap();
    assert_eq!(control.live_loads().await.unwrap(), ["load-3"], "a new snapshot is a new load");
    control.finish_attempt("run-1", "raw.orders", 2, TaskStatus::Succeeded, None).await.unwrap();

    let done = outcome("raw.orders", TaskStatus::Succeeded, 3.0);
    control.finish_task("run-1", &done).await.unwrap();
    control.finish_run(&run_outcome("run-1")).await.unwrap();
    assert!(control.running().await.unwrap().is_empty());
    let past = control.past_runs(5).await.unwrap();
    assert_eq!(
        (past[0].status.as_str(), past[0].outcome.as_ref()),
        ("succeeded", Some(&run_outcome("run-1")))
    );
    let history = control.history(Some("raw.orders"), 5).await.unwrap();
    assert_eq!((history[0].rows, history[0].outcome.as_ref()), (Some(300), Some(&done)));
    assert!(control.history(Some("raw.riders"), 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_attempt_that_was_given_up_ends_with_its_run() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    begin(&control, "run-1", "load-1").await;
    let failure = Failure { class: Class::Passing, message: "the lock was lost".to_owned(), hint: None };
    let failed =
        TaskOutcome { error: Some(failure.clone()), ..outcome("raw.orders", TaskStatus::Failed, 1.0) };
    control.finish_task("run-1", &failed).await.unwrap();
    control.finish_run(&run_outcome("run-1")).await.unwrap();
    let attempt = superuser()
        .await
        .query_one(&format!("SELECT status, ended_at IS NOT NULL, failure FROM {schema}.attempts"), &[])
        .await
        .unwrap();
    let told: serde_json::Value = attempt.get(2);
    assert_eq!((attempt.get::<_, Option<&str>>(0), attempt.get::<_, bool>(1)), (Some("failed"), true));
    assert_eq!(told, serde_json::to_value(&failure).unwrap());
}

#[tokio::test]
async fn a_task_that_never_began_is_told_too() {
    let control = open(&fresh_schema()).await;
    control.start_run(&start("run-1")).await.unwrap();
    control.finish_task("run-1", &outcome("raw.orders", TaskStatus::Blocked, 0.0)).await.unwrap();
    assert_eq!(control.history(None, 5).await.unwrap()[0].status, "blocked");
}

#[tokio::test]
async fn a_crashed_run_is_seen_at_once_and_closed_by_the_next() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    in_a_process_that_is_killed({
        let schema = schema.clone();
        move || async move { begin(&open(&schema).await, "run-1", "load-1").await }
    });
    until("the server notices the dead client", async || control.running().await.unwrap()[0].is_crashed)
        .await;
    begin(&control, "run-2", "load-2").await;
    assert_eq!(control.live_loads().await.unwrap(), ["load-2"], "what the dead run left may be swept");
    let running = control.running().await.unwrap();
    assert_eq!(running.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["run-2"]);
    let past = &control.past_runs(5).await.unwrap()[0];
    assert_eq!((past.run.as_str(), past.status.as_str(), &past.outcome), ("run-1", "crashed", &None));
    assert_eq!(control.history(None, 5).await.unwrap()[0].status, "crashed");
}

#[tokio::test]
async fn what_a_process_holds_that_only_stood_still_is_not_swept() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let stands_still =
        Timing { ttl: Duration::from_secs(1), renew: Duration::from_secs(3600), grace: Duration::ZERO };
    let its = Control::open_with(&endpoint(), &schema, stands_still).await.unwrap();
    begin(&its, "run-1", "load-1").await;
    until("its lease ends", async || {
        control.close_crashed().await.unwrap();
        control.past_runs(5).await.unwrap().first().is_some_and(|run| run.status == "crashed")
    })
    .await;
    assert_eq!(control.live_loads().await.unwrap(), ["load-1"], "it may publish yet");
    drop(its);
    until("its connection is gone", async || control.live_loads().await.unwrap().is_empty()).await;
}

#[tokio::test]
async fn what_a_run_began_after_it_was_taken_for_dead_is_closed_once_it_is() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    in_a_process_that_is_killed({
        let schema = schema.clone();
        move || async move {
            let its = open(&schema).await;
            begin(&its, "run-1", "load-1").await;
            // As somebody does to whom the clock said that it had died.
            let close = format!("UPDATE {schema}.runs SET ended_at = clock_timestamp(), status = 'crashed'");
            superuser().await.batch_execute(&close).await.unwrap();
        }
    });
    let left = format!(
        "SELECT (SELECT count(*) FROM {schema}.tasks WHERE ended_at IS NULL), \
         (SELECT count(*) FROM {schema}.attempts WHERE ended_at IS NULL)"
    );
    let left = async || {
        let row = superuser().await.query_one(&left, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    assert_eq!(left().await, (1, 1));
    until("it is known to be dead", async || {
        control.close_crashed().await.unwrap();
        left().await == (0, 0)
    })
    .await;
    assert_eq!(control.history(None, 5).await.unwrap()[0].status, "crashed");
}

#[tokio::test]
async fn a_living_run_is_not_closed_by_the_next() {
    let schema = fresh_schema();
    let (one, two) = (open(&schema).await, open(&schema).await);
    begin(&one, "run-1", "load-1").await;
    begin(&two, "run-2", "load-2").await;
    let mut live = two.live_loads().await.unwrap();
    live.sort();
    assert_eq!(live, ["load-1", "load-2"]);
    assert!(two.running().await.unwrap().iter().all(|run| !run.is_crashed));
}

#[tokio::test]
async fn what_is_expected_is_the_median_of_the_last_five() {
    let control = open(&fresh_schema()).await;
    let tasks = ["raw.orders", "raw.riders", "raw.never"].map(str::to_owned);
    assert!(control.expected(&tasks).await.unwrap().is_empty());
    for (at, seconds) in [900.0, 1.0, 2.0, 3.0, 40.0, 5.0].into_iter().enumerate() {
        let run = format!("run-{at}");
        control.start_run(&start(&run)).await.unwrap();
        control.finish_task(&run, &outcome("raw.orders", TaskStatus::Succeeded, seconds)).await.unwrap();
        control.finish_task(&run, &outcome("raw.riders", TaskStatus::Failed, seconds)).await.unwrap();
    }
    let all = control.expected(&tasks).await.unwrap();
    let expected = &all["raw.orders"];
    assert_eq!((expected.seconds, expected.rows, expected.bytes), (3.0, Some(300), Some(3000)));
    assert_eq!(all.keys().collect::<Vec<_>>(), ["raw.orders"], "what failed tells nothing");
}

#[tokio::test]
async fn a_schema_is_recorded_when_it_changes() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let kind = TypeKind::Builtin { name: "int8".to_owned() };
    let columns = vec![Column {
        name: "id".to_owned(),
        number: 1,
        column_type: ColumnType { sql: "bigint".to_owned(), kind },
        nullable: false,
        generated: Generated::No,
    }];
    let table_schema = TableSchema { kind: RelationKind::Table, columns, key: vec!["id".to_owned()] };
    let table = TableName::new("raw", "orders");
    for (hash, load) in [("v1:a", "1"), ("v1:a", "2"), ("v1:b", "3"), ("v1:b", "3"), ("v1:a", "4")] {
        control.record_schema(&table, hash, &table_schema, load).await.unwrap();
    }
    let all = format!("SELECT load FROM {schema}.schemas ORDER BY seen_at");
    let rows = superuser().await.query(&all, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["1", "3", "4"]);
}

#[tokio::test]
async fn old_runs_are_forgotten_and_young_ones_are_not() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    for run in ["old", "young", "under-way"] {
        begin(&control, run, run).await;
    }
    control.finish_run(&run_outcome("old")).await.unwrap();
    control.finish_run(&run_outcome("young")).await.unwrap();
    let age = format!(
        "UPDATE {schema}.runs SET started_at = started_at - interval '40 days', ended_at = ended_at - interval '40 days'
            WHERE run = 'old';
         UPDATE {schema}.tasks SET started_at = started_at - interval '40 days' WHERE run = 'old'"
    );
    superuser().await.batch_execute(&age).await.unwrap();
    assert_eq!(control.prune(Duration::from_secs(30 * 86_400)).await.unwrap(), 1);
    assert_eq!(control.past_runs(5).await.unwrap()[0].run, "young");
    assert_eq!(control.running().await.unwrap()[0].run, "under-way");
}

#[tokio::test]
async fn how_each_task_ended_last_stays_however_old_it_is() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let admin = superuser().await;
    // 60 runs of 100 tasks, a day apart, more than one batch; the youngest 40 days old. `t100` never ended well, `t99` did in
    // the first run alone.
    let history = format!(
        "INSERT INTO {schema}.runs (run, session, mode, selection, version, host, pid, started_at, ended_at, status)
            SELECT 'r' || r, 's', 'production', '*', '0', 'h', 1, at, at, 'degraded'
            FROM generate_series(1, 60) r, LATERAL (SELECT now() - make_interval(days => 100 - r) AS at) a;
         INSERT INTO {schema}.tasks (run, task, kind, tier, started_at, ended_at, status)
            SELECT run, 't' || t, 'load', 'optional', started_at, ended_at,
                CASE WHEN t = 100 OR (t = 99 AND run <> 'r1') THEN 'failed' ELSE 'succeeded' END
            FROM {schema}.runs, generate_series(1, 100) t;
         INSERT INTO {schema}.attempts (run, task, attempt, started_at) SELECT run, task, 1, started_at FROM {schema}.tasks;
         INSERT INTO {schema}.schemas (task, load, hash, schema, seen_at)
            SELECT 't1', n::text, 'h', '{{}}', now() - make_interval(days => 100 - n) FROM generate_series(1, 60) n"
    );
    admin.batch_execute(&history).await.unwrap();
    let names: Vec<String> = (1..=100).map(|task| format!("t{task}")).collect();
    let before = (control.last_ends(&names).await.unwrap(), control.last_good_ends(&names).await.unwrap());
    assert_eq!(control.prune(Duration::from_secs(30 * 86_400)).await.unwrap(), 6000 - 101);
    let after = (control.last_ends(&names).await.unwrap(), control.last_good_ends(&names).await.unwrap());
    assert_eq!(before, after);
    let left = format!(
        "SELECT concat_ws(' ', (SELECT string_agg(run, ' ' ORDER BY started_at) FROM {schema}.runs),
            (SELECT count(*) FROM {schema}.attempts), (SELECT string_agg(load, ' ') FROM {schema}.schemas))"
    );
    assert_eq!(admin.query_one(&left, &[]).await.unwrap().get::<_, String>(0), "r1 r60 101 60");
    // Not again within the hour, and then only what there is.
    let later = format!("UPDATE {schema}.housekeeping SET done_at = done_at - interval '61 minutes'");
    assert_eq!(control.prune(Duration::from_secs(1)).await.unwrap(), 0);
    admin.batch_execute(&later).await.unwrap();
    assert_eq!(control.prune(Duration::from_secs(30 * 86_400)).await.unwrap(), 0);
    let done = format!("SELECT done_at > now() - interval '1 minute' FROM {schema}.housekeeping");
    assert!(admin.query_one(&done, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn the_end_of_a_task_is_recorded_though_the_database_is_away_for_a_moment() {
    let schema = fresh_schema();
    let admin = superuser().await;
    let role = format!("role_{schema}");
    let roles = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO {role}"
    );
    admin.batch_execute(&roles).await.unwrap();
    let url = variable("BARNCAT_WAREHOUSE_URL");
    let (_, server) = url.split_once('@').expect("the url has a password");
    let endpoint = endpoint_of(&format!("postgres://{role}:secret@{server}"));
    let control = Control::open_with(&endpoint, &schema, QUICK).await.unwrap();
    begin(&control, "run-1", "load-1").await;

    let cut = format!(
        "ALTER ROLE {role} CONNECTION LIMIT 0;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    admin.batch_execute(&cut).await.unwrap();
    assert!(
        control.start_task("run-1", "raw.riders", "load", Tier::Optional).await.is_err(),
        "nothing new starts"
    );
    let writer = control.clone();
    let ended = tokio::spawn(async move {
        writer.finish_task("run-1", &outcome("raw.orders", TaskStatus::Succeeded, 3.0)).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!ended.is_finished());
    admin.batch_execute(&format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await.unwrap();
    ended.await.unwrap().unwrap();
    assert_eq!(control.history(None, 5).await.unwrap()[0].status, "succeeded");
}

/// A run is written down and cannot begin after all, or the answer is lost: the service tries again with another one.
#[tokio::test]
async fn another_run_of_a_tick_goes_on_with_the_one_that_came_no_further() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let lease = control.lead("tests").await.expect("it is asked").expect("nobody leads");
    let tick = Tick { schedule: "hot".to_owned(), at: "2026-11-22T05:00:00Z".parse().expect("RFC 3339") };
    assert!(control.take_tick(&lease, "tests", &tick, 0).await.expect("it is taken"));
    let claimed_by = Some(control.session_id().await.expect("it has one"));
    let of_tick = |run: &str| RunStart {
        origin: Origin {
            by: "service@here".to_owned(),
            tick: Some(tick.clone()),
            claimed_by: claimed_by.clone(),
        },
        ..start(run)
    };
    for run in ["first", "second", "third"] {
        control.start_run(&of_tick(run)).await.expect("it is recorded");
    }
    let sql = format!(
        "SELECT string_agg(concat(r.run, ' ', r.resumes), ', ' ORDER BY r.started_at), max(t.run)
         FROM {schema}.runs r, {schema}.ticks t"
    );
    let row = superuser().await.query_one(&sql, &[]).await.expect("it answers");
    assert_eq!(row.get::<_, String>(0), "first , second first, third second");
    assert_eq!(row.get::<_, String>(1), "third");
}

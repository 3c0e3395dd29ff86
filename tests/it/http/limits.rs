//! A service's limits over several processes, by the service's own count.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use barncat::{
    control::{CalendarUnit, Control, Limits, Taken, Waiter, Window},
    event::Tier,
    load::SharedAllowance,
    pg::{Endpoint, TlsSettings},
    secret::Secret,
    source::http::{Allowance, Ask, Asker},
};
use jiff::tz::{Offset, TimeZone};
use tokio::task::JoinSet;

use super::{asker_within, get, options};
use crate::support::{
    connect,
    hostile::{Does, Hostile},
    variable,
};

/// A schema that nobody else has.
pub(super) fn fresh_schema() -> String {
    format!("control_{}", ulid::Ulid::generate()).to_lowercase()
}

/// One process' view of the control database.
pub(super) async fn open(schema: &str) -> Control {
    let url = Secret::new(variable("BARNCAT_WAREHOUSE_URL"));
    let endpoint = Endpoint::parse(&url, &TlsSettings::default(), Path::new(".")).unwrap();
    Control::open(&endpoint, schema).await.unwrap()
}

pub(super) fn sliding(length: Duration, count: u32) -> Window {
    Window::Sliding { length, count }
}

pub(super) fn of(windows: Vec<Window>) -> Limits {
    Limits { windows, zone: TimeZone::UTC, keeps: false, longest: Duration::from_secs(60) }
}

async fn allowance(schema: &str, limits: Limits) -> Arc<SharedAllowance> {
    Arc::new(SharedAllowance::new(open(schema).await, "fx", limits))
}

/// Some tables of one process that ask until `left` is used up, or until they are stopped.
fn tables(asker: Asker, count: usize, left: &Arc<AtomicUsize>) -> JoinSet<()> {
    let asker = Arc::new(asker);
    let mut tables = JoinSet::new();
    for _ in 0..count {
        let (asker, left) = (asker.clone(), left.clone());
        tables.spawn(async move {
            let one_less = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                asker.ask(&get("/x"), Tier::Optional).await.unwrap();
            }
        });
    }
    tables
}

async fn service(latency: Duration) -> Hostile {
    let service = Hostile::start().await;
    service.on("/x", [Does::Json("[]".to_owned())]);
    service.set_latency(latency);
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_ask_more_than_allowed_and_waste_little_of_it() {
    let (length, count) = (Duration::from_secs(4), 20);
    let service = service(Duration::from_millis(30)).await;
    service.limit(length, count);
    let schema = fresh_schema();
    let limits = of(vec![sliding(length, 20), sliding(Duration::from_secs(60), 1000)]);
    let left = Arc::new(AtomicUsize::new(3 * count));
    let began = Instant::now();
    let mut processes = Vec::new();
    for _ in 0..2 {
        let asker = asker_within(options(&service), allowance(&schema, limits.clone()).await);
        processes.push(tables(asker, 3, &left));
    }
    for process in processes {
        process.join_all().await;
    }
    let took = began.elapsed();
    // A 429 would have been an error: nothing is tried again here.
    assert_eq!(service.seen().len(), 3 * count);
    assert!(service.most_within(length) <= count, "{}", service.most_within(length));
    assert!(took >= 2 * length);
    // Two windows have to pass, and a little of each latency; a busy machine may need some more.
    assert!(took < 2 * length + Duration::from_secs(8), "{took:?}");
    eprintln!("{} requests in {took:?}, of {:?} at least", 3 * count, 2 * length);
}

#[tokio::test]
async fn what_a_dead_process_took_counts_until_it_can_be_under_way_no_more() {
    let schema = fresh_schema();
    let limits = Limits { longest: Duration::from_secs(1), ..of(vec![sliding(Duration::from_secs(1), 2)]) };
    let its = (schema.clone(), limits.clone());
    let began = Instant::now();
    let dead = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let allowance = allowance(&its.0, its.1).await;
            for _ in 0..2 {
                std::mem::forget(allowance.take(Tier::Optional).await.unwrap());
            }
        });
        runtime.shutdown_background();
    });
    dead.join().unwrap();
    let other = allowance(&schema, limits).await;
    other.take(Tier::Optional).await.unwrap().answered().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// Waits until a table of the control database has so many rows.
async fn until_rows(schema: &str, table: &str, wanted: i64) {
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let began = Instant::now();
    loop {
        let count = format!("SELECT coalesce(sum(count), 0)::bigint FROM {schema}.{table}");
        let open = format!("SELECT count(*) FROM {schema}.{table}");
        let sql = if table == "allowance_open" { open } else { count };
        let found: i64 = admin.query_one(&sql, &[]).await.unwrap().get(0);
        if found == wanted {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{table}: {found}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn critical_tasks_go_first_whichever_process_has_them() {
    let schema = fresh_schema();
    let limits = of(vec![sliding(Duration::from_secs(2), 1)]);
    let (critical, optional) = (allowance(&schema, limits.clone()).await, allowance(&schema, limits).await);
    optional.take(Tier::Optional).await.unwrap().answered().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = JoinSet::new();
    let mut wait = |allowance: &Arc<SharedAllowance>, tier| {
        let (allowance, order) = (allowance.clone(), order.clone());
        waiting.spawn(async move {
            let permit = allowance.take(tier).await.unwrap();
            order.lock().unwrap().push(tier);
            permit.answered().await;
        });
    };
    wait(&critical, Tier::Critical);
    until_rows(&schema, "allowance_waits", 1).await;
    for _ in 0..2 {
        wait(&optional, Tier::Optional);
    }
    wait(&critical, Tier::Critical);
    waiting.join_all().await;
    use Tier::{Critical, Optional};
    assert_eq!(*order.lock().unwrap(), [Critical, Critical, Optional, Optional]);
    until_rows(&schema, "allowance_waits", 0).await;
}

#[tokio::test]
async fn who_is_given_up_takes_nothing_and_keeps_nobody_waiting() {
    let schema = fresh_schema();
    let one = allowance(&schema, of(vec![sliding(Duration::from_secs(600), 2)])).await;
    for nth in 0..40 {
        let taking = tokio::spawn({
            let one = one.clone();
            async move {
                // What was got and not sent is given back.
                if let Ok(permit) = one.take(Tier::Critical).await {
                    permit.unused().await;
                }
            }
        });
        tokio::time::sleep(Duration::from_micros(200 * nth)).await;
        taking.abort();
        let _ = taking.await;
        until_rows(&schema, "allowance_open", 0).await;
    }
    let both = async { (one.take(Tier::Critical).await, one.take(Tier::Critical).await) };
    let (a, b) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("both are free");
    // Dropped, they count as sent.
    drop((a.unwrap(), b.unwrap()));
    until_rows(&schema, "allowance_open", 0).await;
    let third = tokio::time::timeout(Duration::from_millis(300), one.take(Tier::Critical)).await;
    assert!(third.is_err(), "both are used");
    until_rows(&schema, "allowance_waits", 0).await;
}

#[tokio::test]
async fn a_days_allowance_is_remembered_until_the_services_midnight() {
    let schema = fresh_schema();
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    // A zone where it is about noon, so that no midnight comes in between.
    let hour = "SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::int";
    let hour: i32 = admin.query_one(hour, &[]).await.unwrap().get(0);
    let zone = TimeZone::fixed(Offset::constant(i8::try_from(12 - hour).unwrap()));
    let limits =
        Limits { zone: zone.clone(), ..of(vec![Window::Calendar { unit: CalendarUnit::Day, count: 3 }]) };
    let waiter = Waiter { name: "one", tier: Tier::Optional, critical: 0, is_known: false };
    for _ in 0..3 {
        let control = open(&schema).await;
        match control.take_allowance("fx", &limits, waiter).await.unwrap() {
            Taken::Grant(grant) => control.answered(&grant, &limits).await.unwrap(),
            Taken::Wait { until, .. } => panic!("not before {until}"),
        }
        control.close().await.unwrap();
    }
    let control = open(&schema).await;
    let Taken::Wait { until, wait } = control.take_allowance("fx", &limits, waiter).await.unwrap() else {
        panic!("a fourth one")
    };
    let at = until.to_zoned(zone);
    assert_eq!((at.hour(), at.minute(), at.second()), (0, 0, 5), "{at}");
    assert!(wait > Duration::from_secs(10 * 3600), "{wait:?}");
    let standing = control.allowance("fx", &limits).await.unwrap();
    assert_eq!((standing.windows[0].used, standing.paused_until), (3, None));
    // Seconds before the wait's end, by which the service's clock may differ.
    assert_eq!(standing.windows[0].ends_at.unwrap(), until - jiff::SignedDuration::from_secs(5));
    // Another source's is its own.
    let other = control.take_allowance("geo", &limits, waiter).await.unwrap();
    assert!(matches!(other, Taken::Grant(_)));
}

#[tokio::test]
async fn without_limits_the_control_database_is_let_alone() {
    let schema = fresh_schema();
    let one = allowance(&schema, of(vec![])).await;
    one.take(Tier::Optional).await.unwrap();
    let mut admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let work = admin.transaction().await.unwrap();
    work.batch_execute(&format!("LOCK TABLE {schema}.allowances IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let many = async {
        for _ in 0..1000 {
            one.take(Tier::Optional).await.unwrap().answered().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(9), many).await.expect("nobody is asked");
}

#[tokio::test]
async fn a_clock_that_was_put_back_keeps_nobody_waiting_for_ever() {
    let schema = fresh_schema();
    let length = Duration::from_secs(1);
    let one = allowance(&schema, of(vec![sliding(length, 1)])).await;
    one.take(Tier::Optional).await.unwrap().answered().await;
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let ahead = format!("UPDATE {schema}.allowance_spent SET last_at = last_at + interval '1 day'");
    admin.batch_execute(&ahead).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(20), one.take(Tier::Optional)).await;
    next.expect("a window's length later it is free").unwrap().answered().await;
}

#[tokio::test]
async fn an_allowance_costs_little_and_leaves_little() {
    let schema = fresh_schema();
    let second = Duration::from_secs(1);
    let one = allowance(
        &schema,
        of(vec![sliding(second, 5000), sliding(60 * second, 50_000), sliding(3600 * second, 900_000)]),
    )
    .await;
    one.take(Tier::Optional).await.unwrap().answered().await;
    let (began, count) = (Instant::now(), 300);
    for _ in 0..count {
        one.take(Tier::Optional).await.unwrap().answered().await;
    }
    let each = began.elapsed() / count;
    eprintln!("an allowance of three windows costs {each:?}");
    assert!(each < Duration::from_millis(100), "{each:?}");
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let rows = format!("SELECT count(*) FROM {schema}.allowance_spent");
    let rows: i64 = admin.query_one(&rows, &[]).await.unwrap().get(0);
    assert!(rows <= 300, "a hundred a window, not one a request: {rows}");
}

/// 60 a minute and 1,000 a day, by two processes of three tables each; one is stopped and begins anew, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 17 minutes"]
async fn a_thousand_requests_at_sixty_a_minute_are_never_more_and_nearly_all_used() {
    let service = service(Duration::from_millis(100)).await;
    let minute = Duration::from_secs(60);
    service.limit(minute, 60);
    let schema = fresh_schema();
    let windows = vec![sliding(minute, 60), Window::Calendar { unit: CalendarUnit::Day, count: 1000 }];
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    let hour: i32 = admin
        .query_one("SELECT extract(hour FROM clock_timestamp() AT TIME ZONE 'UTC')::int", &[])
        .await
        .unwrap()
        .get(0);
    let zone = TimeZone::fixed(Offset::constant(i8::try_from(12 - hour).unwrap()));
    let limits = Limits { zone: zone.clone(), ..of(windows) };
    // More than a day allows: in the end all of them wait.
    let left = Arc::new(AtomicUsize::new(2000));
    let process = async || {
        let asker = asker_within(options(&service), allowance(&schema, limits.clone()).await);
        tables(asker, 3, &left)
    };
    let began = Instant::now();
    let (first, mut second) = (process().await, process().await);
    let mut stops = 0;
    while service.seen().len() < 1000 && began.elapsed() < Duration::from_secs(18 * 60) {
        tokio::time::sleep(Duration::from_secs(45)).await;
        // Dropped as at the end of a process: what was under way counts.
        second.abort_all();
        second = process().await;
        stops += 1;
    }
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(70)).await;
    drop((first, second));
    let (most, all) = (service.most_within(minute), service.seen().len());
    eprintln!("{all} requests in {took:?}, {stops} stops, at most {most} a minute");
    assert!(most <= 60, "{most}");
    assert!(service.most_in_a_day(&zone) <= 1000);
    assert!(all >= 950, "{all} of 1,000");
    assert!(took < Duration::from_secs(17 * 60 + 60), "{took:?}");
}

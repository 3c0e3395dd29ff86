use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use barncat::control::{Control, Timing};

use super::{
    QUICK, endpoint, endpoint_of, fresh_schema, holder, in_a_process_that_is_killed, open, superuser, until,
};
use crate::support::variable;

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_lock_has_one_holder_and_a_growing_epoch() {
    let schema = fresh_schema();
    let (one, two) = (open(&schema).await, open(&schema).await);
    let first = one.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    assert!(two.acquire("raw.orders", &holder("run-2"), Duration::ZERO).await.unwrap().is_none());
    assert!(one.acquire("raw.orders", &holder("run-1"), Duration::ZERO).await.unwrap().is_none());
    assert!(two.acquire("raw.riders", &holder("run-2"), Duration::ZERO).await.unwrap().is_some());
    let who = two.who_holds("raw.orders").await.unwrap().expect("somebody has it");
    assert_eq!((who.run.as_str(), who.what.as_str()), ("run-1", "load raw.orders"));
    assert_eq!(who.pid, i64::from(std::process::id()));
    let epoch = first.epoch();
    first.release().await.unwrap();
    assert!(two.who_holds("raw.orders").await.unwrap().is_none());
    let second =
        two.acquire("raw.orders", &holder("run-2"), Duration::ZERO).await.unwrap().expect("it is free");
    assert!(second.epoch() > epoch);
}

#[tokio::test]
async fn who_waits_gets_it_when_it_is_dropped() {
    let schema = fresh_schema();
    let (one, two) = (open(&schema).await, open(&schema).await);
    let lease = one.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    let waiting = tokio::spawn(async move { two.acquire("raw.orders", &holder("run-2"), LONG).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    drop(lease);
    assert!(waiting.await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_killed_holders_lock_frees_itself_long_before_it_expires() {
    let schema = fresh_schema();
    let other = open(&schema).await;
    let its_schema = schema.clone();
    in_a_process_that_is_killed(move || async move {
        let control = open(&its_schema).await;
        let lease = control.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
        std::mem::forget(lease);
    });
    let began = Instant::now();
    // Not even a moment's wait is asked for: that the holder has gone is seen at once.
    let lease = other.acquire("raw.orders", &holder("run-2"), Duration::ZERO).await.unwrap();
    assert!(lease.is_some());
    assert!(began.elapsed() < QUICK.ttl / 3, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_lock_that_is_given_back_while_the_database_is_away_is_to_be_had_again() {
    let (control, lease, away) = cut_off().await;
    // To give it back fails: nobody is there to be told.
    lease.release().await.unwrap_err();
    away.end().await;
    let again = until_answered(&control).await;
    assert!(again.is_some(), "the process stands in its own way for ever");
}

/// Whoever leads must not go on; a load that is under way is finished and published.
#[tokio::test]
async fn a_lock_outlives_a_database_that_is_away_for_longer_than_it_lasts() {
    let (_control, lease, away) = cut_off().await;
    let known = tokio::time::timeout(Duration::from_secs(2), lease.lost()).await;
    assert!(known.is_err(), "nobody said that it is another's");
    away.end().await;
    let limit = Instant::now() + LONG;
    while lease.is_lost() {
        assert!(Instant::now() < limit, "it is not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(lease.ask().await.unwrap(), "it is still its own");
}

/// A role that may not connect.
struct Away {
    role: String,
}

impl Away {
    async fn end(self) {
        let sql = format!("ALTER ROLE {} CONNECTION LIMIT -1", self.role);
        superuser().await.batch_execute(&sql).await.unwrap();
    }
}

/// Somebody with a lock whose database has been away for longer than it lasts.
async fn cut_off() -> (Control, barncat::control::Lease, Away) {
    let schema = fresh_schema();
    let admin = superuser().await;
    let role = format!("role_{schema}");
    let make = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; CREATE SCHEMA {schema}; GRANT ALL ON SCHEMA {schema} TO {role}"
    );
    admin.batch_execute(&make).await.unwrap();
    let url = variable("BARNCAT_WAREHOUSE_URL");
    let (_, server) = url.split_once('@').expect("the url has a password");
    let quick = Timing { ttl: Duration::from_secs(1), ..QUICK };
    let endpoint = endpoint_of(&format!("postgres://{role}:secret@{server}"));
    let control = Control::open_with(&endpoint, &schema, quick).await.unwrap();
    let lease = control.acquire("service", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    let cut = format!(
        "ALTER ROLE {role} CONNECTION LIMIT 0;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    admin.batch_execute(&cut).await.unwrap();
    let limit = Instant::now() + LONG;
    while !lease.is_lost() {
        assert!(Instant::now() < limit, "it is away for longer than the lock lasts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (control, lease, Away { role })
}

/// The lock, once the database answers.
async fn until_answered(control: &Control) -> Option<barncat::control::Lease> {
    let limit = Instant::now() + LONG;
    loop {
        match control.acquire("service", &holder("run-1"), LONG).await {
            Ok(lease) => return lease,
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_hung_holders_lock_expires_and_it_learns_of_that() {
    let schema = fresh_schema();
    let never_renewing = Timing {
        ttl: Duration::from_secs(1),
        renew: Duration::from_secs(3600),
        grace: Duration::from_secs(2),
    };
    let hung = Control::open_with(&endpoint(), &schema, never_renewing).await.unwrap();
    let lease = hung.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    let other = open(&schema).await;
    assert!(other.acquire("raw.orders", &holder("run-2"), Duration::ZERO).await.unwrap().is_none());
    let taken = other.acquire("raw.orders", &holder("run-2"), LONG).await.unwrap().expect("it expires");
    assert!(lease.is_lost(), "it has not renewed in time");
    assert!(!lease.ask().await.unwrap(), "it is another's");
    tokio::time::timeout(LONG, lease.lost()).await.expect("who asked knows it from now on");
    // The late release must not free what is another's by now.
    lease.release().await.unwrap();
    assert_eq!(other.who_holds("raw.orders").await.unwrap().map(|who| who.run).as_deref(), Some("run-2"));
    assert!(!taken.is_lost());
}

#[tokio::test]
async fn a_lock_taken_by_another_is_noticed_as_lost() {
    let schema = fresh_schema();
    let control = open(&schema).await;
    let lease = control.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    let kept = control.acquire("raw.riders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    assert!(!lease.is_lost());
    let take =
        format!("UPDATE {schema}.locks SET epoch = epoch + 1, session = 'another' WHERE name = 'raw.orders'");
    superuser().await.batch_execute(&take).await.unwrap();
    tokio::time::timeout(LONG, lease.lost()).await.expect("it is noticed");
    assert!(!kept.is_lost());
}

#[tokio::test]
async fn a_broken_connection_is_opened_anew_within_the_grace() {
    let schema = fresh_schema();
    let patient = Timing { grace: Duration::from_secs(3), ..QUICK };
    let control = Control::open_with(&endpoint(), &schema, patient).await.unwrap();
    let other = Control::open_with(&endpoint(), &schema, patient).await.unwrap();
    let lease = control.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    let admin = superuser().await;
    let backend = format!("SELECT backend_pid FROM {schema}.sessions");
    let before: i32 = admin.query_one(&backend, &[]).await.unwrap().get(0);
    admin.execute("SELECT pg_terminate_backend($1)", &[&before]).await.unwrap();
    // Looked at right now, the holder seems to be dead.
    let stolen = other.acquire("raw.orders", &holder("run-2"), Duration::from_secs(5)).await.unwrap();
    assert!(stolen.is_none(), "it came back in time");
    assert!(!lease.is_lost());
    until("another connection", async || {
        let mine =
            format!("SELECT s.backend_pid FROM {schema}.sessions s JOIN {schema}.locks l USING (session)");
        admin.query_one(&mine, &[]).await.unwrap().get::<_, i32>(0) != before
    })
    .await;
}

#[tokio::test]
async fn slots_are_taken_all_at_once_or_not_at_all() {
    let schema = fresh_schema();
    let (one, two) = (open(&schema).await, open(&schema).await);
    let take = async |control: &Control, want| {
        control.acquire_any("source/shop", 3, want, &holder("run"), Duration::ZERO).await.unwrap()
    };
    let mut mine = take(&one, 2..=2).await.expect("three are free");
    assert!(take(&two, 2..=3).await.is_none(), "only one is free");
    let theirs = take(&two, 1..=3).await.expect("one is free");
    assert_eq!(theirs.len(), 1);
    assert!(take(&one, 1..=1).await.is_none());
    mine.pop().expect("there are two").release().await.unwrap();
    assert_eq!(take(&two, 1..=2).await.expect("one was given back").len(), 1);
}

#[tokio::test]
async fn there_are_never_more_slots_than_there_are() {
    let schema = fresh_schema();
    let (taken, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut processes = tokio::task::JoinSet::new();
    for process in 0..5 {
        let (control, taken, most) = (open(&schema).await, taken.clone(), most.clone());
        processes.spawn(async move {
            for _ in 0..6 {
                let want = Duration::from_secs(60);
                let slots =
                    control.acquire_any("s", 3, 1..=2, &holder(&process.to_string()), want).await.unwrap();
                let slots = slots.expect("within a minute");
                let count = u32::try_from(slots.len()).unwrap();
                most.fetch_max(taken.fetch_add(count, Ordering::SeqCst) + count, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                taken.fetch_sub(count, Ordering::SeqCst);
                for slot in slots {
                    slot.release().await.unwrap();
                }
            }
        });
    }
    processes.join_all().await;
    let most = most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_wait_that_is_given_up_leaves_nothing_taken() {
    let schema = fresh_schema();
    let (one, two, impatient) = (open(&schema).await, open(&schema).await, holder("run-1"));
    for micros in [0, 200, 500, 1000, 2000, 3000, 5000, 8000] {
        let given_up = one.acquire("raw.orders", &impatient, LONG);
        drop(tokio::time::timeout(Duration::from_micros(micros), given_up).await);
        let lease = two.acquire("raw.orders", &holder("run-2"), LONG).await.unwrap();
        lease.expect("nobody has it").release().await.unwrap();
    }
}

#[tokio::test]
async fn closing_gives_everything_back() {
    let schema = fresh_schema();
    let (one, two) = (open(&schema).await, open(&schema).await);
    let lease = one.acquire("raw.orders", &holder("run-1"), LONG).await.unwrap().expect("it is free");
    one.close().await.unwrap();
    assert!(lease.is_lost());
    assert!(two.acquire("raw.orders", &holder("run-2"), Duration::ZERO).await.unwrap().is_some());
}

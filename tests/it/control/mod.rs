//! The control database on a real server: locks among processes that die, runs that crash,
//! migrations by many at once.

mod holds;
mod locks;
mod migrations;
mod runs;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use barncat::{
    control::{Control, Holder, Timing},
    pg::{Endpoint, TlsSettings},
    secret::Secret,
};
use tokio_postgres::Client;

use crate::support::variable;

/// Renews so often, and forgives so little, that a test need not wait for long.
const QUICK: Timing = Timing {
    ttl: Duration::from_secs(30),
    renew: Duration::from_millis(200),
    grace: Duration::from_millis(700),
};

/// The warehouse, as the role that has only what `sql/roles/warehouse.sql` gives: control database
/// and warehouse are one.
fn endpoint() -> Endpoint {
    endpoint_of(&variable("BARNCAT_WAREHOUSE_URL"))
}

fn endpoint_of(url: &str) -> Endpoint {
    Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new(".")).expect("the url is right")
}

/// A schema that nobody else has.
fn fresh_schema() -> String {
    format!("control_{}", ulid::Ulid::generate()).to_lowercase()
}

/// One process' view of the control database. Each has connections of its own, as a process would.
async fn open(schema: &str) -> Control {
    Control::open_with(&endpoint(), schema, QUICK).await.expect("the control database opens")
}

async fn superuser() -> Client {
    crate::support::connect("BARNCAT_WAREHOUSE_ADMIN_URL").await
}

fn holder(run: &str) -> Holder {
    Holder { run: run.to_owned(), what: "load raw.orders".to_owned() }
}

/// Another process, in which `work` is done; then it dies as by SIGKILL: nothing of it is dropped in
/// order, its sockets just close.
fn in_a_process_that_is_killed<F, Fut>(work: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work());
        runtime.shutdown_background();
    });
    process.join().expect("what it did until then went well");
}

/// Waits until `is_so` says yes, for ten seconds at most.
async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not within ten seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

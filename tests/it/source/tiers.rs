//! Connections that are kept for critical tasks: whoever reads a snapshot, and whoever opened it.

use std::{path::Path, sync::Arc, time::Duration};

use barncat::{
    control::Control,
    event::Tier::{self, Critical, Optional},
    load::LeasedSlots,
    pg::{Endpoint, TlsSettings},
    secret::Secret,
    source::{PartStream, SharedSnapshots, Slots, Snapshot, postgres::PostgresSource},
    sql::TableName,
};

use super::{extraction, options};
use crate::support::{Schema, variable, warehouse::Database};

/// More than a statement takes, however busy the machine is; less than a test may wait for what never comes.
const AT_ONCE: Duration = Duration::from_secs(10);
const NOT_YET: Duration = Duration::from_secs(1);

/// Four connections, of which two are for critical tasks, as this process sees them.
struct Place {
    slots: Arc<dyn Slots>,
    shared: SharedSnapshots,
    schema: Schema,
    _control: Database,
}

impl Place {
    async fn new(snapshot_for: Duration) -> Self {
        let database = Database::empty().await;
        let endpoint = Endpoint::parse(&Secret::new(database.url()), &TlsSettings::default(), Path::new("."))
            .expect("the servers' addresses are valid");
        let control = Control::open(&endpoint, "barncat_control").await.expect("it is there");
        let slots: Arc<dyn Slots> = Arc::new(LeasedSlots::of_source(control, "shop", 4, true, "run"));
        let source = PostgresSource::new(options(&variable("BARNCAT_REPLICA_URL")), slots.clone());
        let shared = SharedSnapshots::new(Arc::new(source), snapshot_for);
        let rows = "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 2000)";
        let schema = Schema::on_standby(rows).await;
        Self { slots, shared, schema, _control: database }
    }

    async fn get(&self, tier: Tier) -> Option<Arc<dyn Snapshot>> {
        let limit = if tier == Critical { AT_ONCE } else { NOT_YET };
        let got = tokio::time::timeout(limit, self.shared.get(tier)).await.ok()?;
        Some(got.expect("the standby can be read"))
    }

    /// Begins to read some part of the table.
    async fn read(&self, snapshot: &Arc<dyn Snapshot>, limit: Duration) -> Option<Box<dyn PartStream>> {
        let table = TableName::new(self.schema.name(), "t");
        let parts = snapshot.plan_parts(&extraction(&table, &["id"])).await.expect("it is there");
        let reading = tokio::time::timeout(limit, snapshot.read(&parts[0])).await.ok()?;
        Some(reading.expect("it can be read"))
    }
}

#[tokio::test]
async fn a_critical_load_reads_a_snapshot_whose_other_readers_are_all_taken() {
    let place = Place::new(Duration::from_secs(600)).await;
    let optional = place.get(Optional).await.expect("all are free");
    let _reads = place.read(&optional, AT_ONCE).await.expect("it has one reader");
    assert!(place.read(&optional, NOT_YET).await.is_none(), "the others are kept");
    let critical = place.get(Critical).await.expect("it shares the snapshot");
    assert_eq!(critical.position().snapshot, optional.position().snapshot);
    let first = place.read(&critical, AT_ONCE).await.expect("it has its own");
    let second = place.read(&critical, AT_ONCE).await.expect("and another");
    // Given back, they are for other critical tasks, of any process, and not for who shares the snapshot.
    drop((first, second));
    assert!(place.read(&optional, NOT_YET).await.is_none());
    let kept = tokio::time::timeout(AT_ONCE, place.slots.take(2, Critical)).await;
    let kept = kept.expect("they are free").expect("the control database answers");
    assert!(kept.iter().all(barncat::source::Slot::is_reserved));
}

#[tokio::test]
async fn a_snapshot_that_critical_loads_opened_with_what_is_kept_is_theirs_alone() {
    let place = Place::new(Duration::ZERO).await;
    let old = place.get(Optional).await.expect("all are free");
    let new = place.get(Critical).await.expect("two are kept");
    assert!(new.is_reserved() && !old.is_reserved());
    assert!(place.get(Optional).await.is_none(), "it waits for the old one to be let go");
    drop(old);
    place.shared.give_up(None).await;
    let taken = tokio::time::timeout(AT_ONCE, place.shared.get(Optional)).await.expect("two are free");
    assert!(!taken.expect("the standby can be read").is_reserved());
}

#[tokio::test]
async fn a_critical_load_stands_behind_no_optional_one_that_waits_and_that_one_joins_it() {
    let place = Place::new(Duration::from_secs(600)).await;
    let elsewhere = place.slots.take(1, Optional).await.expect("the control database answers");
    let waits = place.shared.get(Optional);
    let mut waits = std::pin::pin!(waits);
    assert!(tokio::time::timeout(NOT_YET, waits.as_mut()).await.is_err(), "it needs two, and one is free");
    // Takes one that is for all, and one that is kept.
    let critical = place.get(Critical).await.expect("three are free");
    assert!(critical.is_reserved());
    assert!(tokio::time::timeout(NOT_YET, waits.as_mut()).await.is_err());
    drop((critical, elsewhere));
    // The run still has a load to begin, which is this one: nobody else lets the snapshot go that has what it waits for.
    let optional = tokio::time::timeout(AT_ONCE, waits).await.expect("they are free");
    assert!(!optional.expect("the standby can be read").is_reserved());
}

//! Loads into a warehouse whose publishes are refused, are done and reported as failed, hang or are slow.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use barncat::{
    clock,
    config::{self, LoadSpec},
    control::{Control, RunStart, Timing},
    event::Tier,
    load::{self, Attempt, LeasedSlots, LoadError, Loaded, Publishing, Workshop},
    pg::{Endpoint, TlsSettings},
    secret::Secret,
    source::{
        LocalSlots, SharedSnapshots,
        postgres::{Options, PostgresSource},
    },
    sql::TableName,
    stage::manifest::Compression,
    warehouse::{PublishKind, Warehouse},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    place::Place,
    wrapper::{Goes, Wrapped},
};
use crate::support::{
    ground::{Ground, on_each_ground},
    project::{Project, on_primary},
    variable,
};

on_each_ground![
    a_publish_that_is_refused_leaves_nothing,
    a_publish_that_is_done_and_reported_as_failed_is_no_second_one,
    a_publish_that_hangs_is_given_up_and_the_next_load_mends_all,
    a_slow_publish_is_one_like_any_other,
];

/// What a run left that was given up is free again after so long.
const QUICK: Timing = Timing {
    ttl: Duration::from_secs(30),
    renew: Duration::from_millis(200),
    grace: Duration::from_millis(700),
};

/// A source's table, and the workshop that loads it into the place.
struct Scene {
    place: Place,
    project: Project,
    warehouse: Arc<Wrapped>,
    spec: LoadSpec,
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new(".")).expect("the address is right")
}

impl Scene {
    /// With one load that is published.
    async fn on(ground: Ground) -> Self {
        let place = Place::on(ground).await;
        let source = "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(20)); INSERT INTO orders VALUES (1, 'old');";
        let project = Project::new(source, "[tables]\norders = \"full\"\n").await;
        let spec = crate::compare::spec(&project, "orders");
        let warehouse = Arc::new(Wrapped::new(place.another().await));
        let scene = Self { place, project, warehouse, spec };
        scene.load().await.expect("the first load goes well");
        on_primary(&scene.project, "UPDATE orders SET note = 'new'").await;
        scene
    }

    /// One attempt, as a run of its own makes it.
    async fn load(&self) -> Result<Loaded, LoadError> {
        let run = clock::new_id();
        let address = endpoint(&self.project.database.url());
        let control = Control::open_with(&address, "barncat_control", QUICK).await;
        let control = control.expect("the control database opens");
        let start = RunStart {
            run: run.clone(),
            mode: "production".into(),
            selection: "*".into(),
            version: "0".into(),
            host: "here".into(),
            pid: 1,
            resumes: None,
            origin: barncat::control::Origin::default(),
            project: "tests".to_owned(),
            asked: barncat::control::Asked::default(),
        };
        control.start_run(&start).await.expect("a run begins");
        control
            .start_task(&run, &self.spec.target.to_string(), "load", Tier::Optional)
            .await
            .expect("a task begins");
        let options = Options {
            name: "shop".into(),
            endpoint: endpoint(&variable("BARNCAT_REPLICA_URL")),
            allow_primary: false,
            max_lag: None,
            run: run.clone(),
        };
        let source = Arc::new(PostgresSource::new(options, Arc::new(LocalSlots::new(3))));
        let (events, _told) = mpsc::channel(1_000);
        let read = config::read(self.project.dir(), None).expect("the project has no mistake");
        let workshop = Workshop {
            project: "tests".into(),
            folder: self.project.dir().to_owned(),
            mode: "production".into(),
            run: run.clone(),
            stage: self.place.stage.clone(),
            warehouse: self.warehouse.clone(),
            warehouse_slots: LeasedSlots::of_warehouse(control.clone(), "here", 4, false, &run),
            control,
            sources: BTreeMap::from([("shop".into(), SharedSnapshots::new(source, Duration::from_secs(60)))]),
            keep: read.stage.keep,
            publishing: Publishing {
                grants: BTreeMap::new(),
                lock_timeout: Duration::from_millis(300),
                lock_wait: Duration::from_secs(20),
                snapshot_wait: Duration::from_secs(10),
                fill_jobs: 1,
                compression: Compression::Zstd,
            },
            events,
            cancel: CancellationToken::new(),
        };
        load::tidy(&workshop).await.expect("what dead loads left is swept");
        let attempt = Attempt::of(self.spec.clone(), Tier::Optional);
        load::load(&workshop, &attempt).await
    }

    async fn note(&self) -> String {
        self.place.behind.text("SELECT note FROM raw.orders").await
    }

    /// The ledger's loads, and those that the stage has a manifest of.
    async fn loads(&self) -> (Vec<String>, Vec<String>) {
        let table = TableName::new("raw", "orders");
        let loads = self.warehouse.loads(&table).await.expect("the ledger is read");
        let mut published: Vec<String> = loads.into_iter().map(|row| row.load).collect();
        published.reverse();
        let objects = self.place.stage.list("").await.expect("the stage is listed");
        let mut staged: Vec<String> = objects
            .iter()
            .filter(|object| object.key.ends_with("manifest.json"))
            .filter_map(|object| barncat::stage::LoadPrefix::load_of(&object.key))
            .collect();
        staged.sort();
        (published, staged)
    }
}

async fn a_publish_that_is_refused_leaves_nothing(ground: Ground) {
    let scene = Scene::on(ground).await;
    scene.warehouse.next(Goes::Refused);
    assert!(scene.load().await.is_err());
    assert_eq!(scene.note().await, "old");
    let (published, staged) = scene.loads().await;
    assert_eq!((published.len(), &staged), (1, &published));
    assert_eq!(scene.place.left().await, [""; 0]);
    scene.load().await.expect("the next one goes well");
    assert_eq!(scene.note().await, "new");
    assert_eq!(scene.loads().await.0.len(), 2);
}

async fn a_publish_that_is_done_and_reported_as_failed_is_no_second_one(ground: Ground) {
    let scene = Scene::on(ground).await;
    scene.warehouse.next(Goes::DoneAndFailed);
    assert!(scene.load().await.is_err());
    assert_eq!(scene.note().await, "new");
    // What was published keeps its rows in the stage.
    let (published, staged) = scene.loads().await;
    assert_eq!((published.len(), &staged), (2, &published));
    let again = scene.load().await.expect("the next one goes well");
    assert_eq!(again.published, None, "it is there already");
    assert_eq!(scene.loads().await.0, published);
    assert_eq!(scene.place.left().await, [""; 0]);
}

async fn a_publish_that_hangs_is_given_up_and_the_next_load_mends_all(ground: Ground) {
    for (goes, note) in [(Goes::Hung, "old"), (Goes::DoneAndHung, "new")] {
        let scene = Scene::on(ground).await;
        scene.warehouse.next(goes);
        tokio::select! {
            ended = scene.load() => panic!("{goes:?}: it hangs, but {:?}", ended.map(|it| it.load)),
            () = scene.warehouse.hangs() => {}
        }
        barncat::pg::settle(Duration::from_secs(5)).await;
        assert_eq!(scene.note().await, note, "{goes:?}");
        scene.load().await.unwrap_or_else(|error| panic!("{goes:?}: {error}"));
        assert_eq!(scene.note().await, "new", "{goes:?}");
        let (published, staged) = scene.loads().await;
        assert_eq!((published.len(), &staged), (2, &published), "{goes:?}");
        assert_eq!(scene.place.left().await, [""; 0], "{goes:?}");
    }
}

async fn a_slow_publish_is_one_like_any_other(ground: Ground) {
    let scene = Scene::on(ground).await;
    scene.warehouse.next(Goes::Slowly(Duration::from_millis(500)));
    let loaded = scene.load().await.expect("it goes well");
    assert_eq!(loaded.published, Some(PublishKind::Swap));
    assert_eq!(scene.note().await, "new");
    assert_eq!(scene.loads().await.0.len(), 2);
}

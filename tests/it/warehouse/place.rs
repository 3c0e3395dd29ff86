//! A warehouse under test, its stage, and the database behind it.

use std::time::Duration;

use barncat::{
    aws::{Access, Patience},
    clock,
    pg::{self, Connection, Endpoint, TlsMode, TlsSettings},
    secret::Secret,
    stage::SharedStage,
    warehouse::{
        Published, RedshiftWarehouse, Staging, Warehouse, WarehouseError,
        redshift::{DataApiTarget, Options},
    },
};
use redshift_double::{CallFault, Double, Operation, StatementFault};

use crate::support::{
    ground::Ground,
    proxy::{Proxy, Trick},
    redshift::{ROLE, double_before},
    s3::S3Server,
    warehouse::{self, Database, Load, column, warehouse_at},
};

/// It. The tests talk to `warehouse` alone and look at what came of it by `behind`.
pub(super) struct Place {
    pub(super) ground: Ground,
    pub(super) warehouse: Box<dyn Warehouse>,
    pub(super) stage: SharedStage,
    pub(super) behind: Database,
    redshift: Option<(Double, S3Server)>,
    proxy: Option<Proxy>,
}

/// Rows as the tests look at them.
pub(super) const ROWS: &str =
    "SELECT id || ':' || coalesce(fee::text, '-') || ':' || coalesce(note, '-') FROM raw.orders ORDER BY id";

impl Place {
    /// One that is prepared.
    pub(super) async fn on(ground: Ground) -> Self {
        let place = Self::empty(ground).await;
        place.warehouse.prepare().await.expect("the ledger is made");
        place
    }

    /// One with nothing in it.
    pub(super) async fn empty(ground: Ground) -> Self {
        let behind = Database::empty().await;
        let (redshift, stage) = match ground {
            Ground::Postgres => (None, behind.stage.clone()),
            Ground::DataApi | Ground::Wire => {
                let s3 = S3Server::start().await;
                let double = double_before(&behind, &s3).await;
                let stage = s3.stage_at("stage").await;
                (Some((double, s3)), stage)
            }
        };
        let warehouse = opened(ground, &behind, redshift.as_ref().map(|(double, _)| double)).await;
        Self { ground, warehouse, stage, behind, redshift, proxy: None }
    }

    /// The same warehouse, as another process has it.
    pub(super) async fn another(&self) -> Box<dyn Warehouse> {
        opened(self.ground, &self.behind, self.redshift.as_ref().map(|(double, _)| double)).await
    }

    /// `id bigint, fee numeric(12,2), note` of text, key `id`; with an id as loads have it.
    pub(super) fn load(&self, parts: &[&str]) -> Load {
        let text = if self.ground.is_redshift() { "varchar(100)" } else { "text" };
        let load = Load::new(&clock::new_id(), parts);
        Load {
            columns: vec![
                column("id", "bigint", false),
                column("fee", "numeric(12,2)", true),
                column("note", text, true),
            ],
            ..load
        }
    }

    /// The next load of the same table.
    pub(super) fn after(previous: &Load, parts: &[&str]) -> Load {
        Load::after(previous, &clock::new_id(), parts)
    }

    /// Fills a staging table.
    pub(super) async fn fill(&self, load: &Load) -> Result<Box<dyn Staging>, WarehouseError> {
        warehouse::fill(&*self.warehouse, &self.stage, load).await
    }

    /// Loads and publishes.
    pub(super) async fn publish(&self, load: &Load) -> Result<Published, WarehouseError> {
        self.fill(load).await?.publish(load.publication()).await
    }

    /// Loads and publishes what must be published.
    pub(super) async fn published(&self, load: Load) -> Load {
        self.publish(&load).await.unwrap_or_else(|error| panic!("{error}"));
        load
    }

    /// A session of somebody who reads, by wire: it meets the double's locks and snapshots.
    pub(super) async fn reader(&self) -> Connection {
        let (double, _) = self.redshift.as_ref().expect("only Redshift is read by its wire");
        pg::connect_bare(&by_wire(double)).await.expect("the double answers")
    }

    /// The rows of `raw.orders`.
    pub(super) async fn rows(&self) -> Vec<String> {
        self.behind.texts(ROWS).await
    }

    /// Runs statements as who owns what barncat makes.
    pub(super) async fn run_as_owner(&self, sql: &str) {
        let client = match self.ground {
            Ground::Postgres => self.behind.connect_as_publisher().await,
            Ground::DataApi | Ground::Wire => self.behind.connect().await,
        };
        client.batch_execute(sql).await.expect("the test's SQL is valid");
    }

    /// The tables beside the published ones and barncat's own.
    pub(super) async fn left(&self) -> Vec<String> {
        let sql = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind = 'r' AND n.nspname IN ('raw', 'barncat_staging')
                     AND c.relname NOT IN ('orders', 'riders') ORDER BY 1";
        // A session that is gone may still be rolling back.
        let quiet = async {
            let mut left = self.behind.texts(sql).await;
            for _ in 0..100 {
                if left.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                left = self.behind.texts(sql).await;
            }
            left
        };
        quiet.await
    }

    /// The next COMMIT of a publish is done, and its answer lost; with `is_done` false it is lost itself.
    pub(super) async fn lose_commit(&mut self, is_done: bool) {
        match (&self.redshift, self.ground) {
            (Some((double, _)), Ground::DataApi) => {
                let fault = if is_done { CallFault::DoAndCut } else { CallFault::Cut };
                double.knobs().on_call(Operation::BatchExecuteStatement, fault, 1);
            }
            (Some((double, _)), _) => {
                let fault = if is_done { StatementFault::Disconnect } else { StatementFault::Cut };
                double.knobs().on_statement("commit", fault, 1);
            }
            (None, _) => {
                let trick = if is_done { Trick::LoseAnswer } else { Trick::LoseCommit };
                let (proxy, url) = Proxy::before(&self.behind.url(), trick).await;
                self.warehouse = Box::new(warehouse_at(&url));
                self.proxy = Some(proxy);
            }
        }
    }

    /// On Redshift the next publish rests before it writes the ledger, its locks held.
    pub(super) fn slow_down_the_ledger(&self, pause: Duration) {
        if let Some((double, _)) = &self.redshift {
            let ledger = "insert into \"barncat\".\"loads\"";
            double.knobs().on_statement(ledger, StatementFault::Wait(pause), 1);
        }
    }

    /// Waits until it does.
    pub(super) async fn ledger_is_slow(&self) {
        if let Some((double, _)) = &self.redshift {
            while double.knobs().left() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// Waits until that has happened.
    pub(super) async fn lost(&self) {
        if let Some((double, _)) = &self.redshift {
            assert_eq!(double.knobs().left(), 0, "no COMMIT came by");
        }
        if let Some(proxy) = &self.proxy {
            proxy.played().await;
        }
    }
}

/// The warehouse of a process.
async fn opened(ground: Ground, behind: &Database, double: Option<&Double>) -> Box<dyn Warehouse> {
    let Some(double) = double else { return Box::new(warehouse_at(&behind.url())) };
    let options = Options {
        ledger_schema: "barncat".to_owned(),
        copy_role: ROLE.to_owned(),
        stage_region: Some("eu-west-2".to_owned()),
    };
    if ground == Ground::DataApi {
        let target = DataApiTarget {
            cluster: None,
            workgroup: Some("double".to_owned()),
            database: "dev".to_owned(),
            db_user: None,
            secret: None,
        };
        let access = Access {
            endpoint: Some(double.url()),
            region: Some("us-east-1".to_owned()),
            patience: Patience::default(),
        };
        return Box::new(RedshiftWarehouse::by_data_api(target, &access, options).await);
    }
    Box::new(RedshiftWarehouse::by_wire(by_wire(double), options))
}

/// The double's address by wire.
fn by_wire(double: &Double) -> Endpoint {
    let folder = tempfile::tempdir().expect("a folder is made");
    std::fs::write(folder.path().join("ca.pem"), double.authority()).expect("it is written");
    let tls =
        TlsSettings { mode: Some(TlsMode::VerifyFull), ca: Some("ca.pem".into()), ..TlsSettings::default() };
    Endpoint::parse(&Secret::new(double.wire_url()), &tls, folder.path()).expect("an address")
}

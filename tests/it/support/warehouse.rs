//! A warehouse database of one test's own, and loads of a few rows for it.

use std::{path::Path, time::Duration};

use barncat::{
    pg::{Endpoint, TlsSettings},
    schema::{Column, ColumnType, Format, Generated, RelationKind, TableSchema, TypeKind},
    secret::Secret,
    sql::TableName,
    stage::{
        self, LoadPrefix, PartWriter, SharedStage,
        manifest::{Compression, Manifest, Part},
    },
    warehouse::{
        Descriptions, Fill, Filling, LedgerRow, PostgresWarehouse, Publication, PublishKind, Published,
        Staging, StagingColumn, StagingSpec, State, Warehouse, WarehouseError, postgres::Options,
    },
};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_postgres::{Client, Error, Row};

use super::{Kept, connect, connect_to, variable};

/// A database in the warehouse's server. The role that publishes has just the rights of
/// `sql/roles/warehouse.sql`.
pub(crate) struct Database {
    name: String,
    pub(crate) warehouse: PostgresWarehouse,
    pub(crate) stage: SharedStage,
    admin: Kept,
    _folder: tempfile::TempDir,
}

fn in_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("an address ends in its database's name");
    format!("{server}/{name}")
}

impl Database {
    /// Makes it, and lets barncat prepare it.
    pub(crate) async fn new() -> Self {
        let database = Self::empty().await;
        database.warehouse.prepare().await.expect("the ledger is made");
        database
    }

    /// Makes it, with nothing in it.
    pub(crate) async fn empty() -> Self {
        let name = super::new_name();
        let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
        admin
            .batch_execute(&format!("GRANT CONNECT, CREATE ON DATABASE {name} TO barncat_warehouse"))
            .await
            .expect("it is granted");
        let url = in_database(&variable("BARNCAT_WAREHOUSE_URL"), &name);
        let warehouse = warehouse_at(&url);
        let folder = tempfile::tempdir().expect("a folder is made");
        let stage = stage::local(folder.path().to_owned());
        let admin = Kept::at(in_database(&variable("BARNCAT_WAREHOUSE_ADMIN_URL"), &name));
        Self { name, warehouse, stage, admin, _folder: folder }
    }

    /// A session as a reader has it: a superuser, so that tests see everything.
    pub(crate) async fn connect(&self) -> Client {
        connect_to(&self.admin_url()).await
    }

    /// The superuser's address.
    pub(crate) fn admin_url(&self) -> String {
        in_database(&variable("BARNCAT_WAREHOUSE_ADMIN_URL"), &self.name)
    }

    /// A session of the role that publishes.
    pub(crate) async fn connect_as_publisher(&self) -> Client {
        connect_to(&self.url()).await
    }

    /// The address that barncat uses.
    pub(crate) fn url(&self) -> String {
        in_database(&variable("BARNCAT_WAREHOUSE_URL"), &self.name)
    }

    /// Runs statements as a superuser.
    pub(crate) async fn run(&self, sql: &str) {
        self.admin.run(sql).await;
    }

    /// The first column of a query's rows, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        texts_of(self.query(sql).await, sql)
    }

    /// What a query answers.
    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<Row>, Error> {
        self.admin.query(sql).await
    }

    /// What a query of one text answers.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let texts = self.texts(sql).await;
        assert_eq!(texts.len(), 1, "{sql}: {texts:?}");
        texts.into_iter().next().expect("there is one")
    }

    /// Fills a staging table.
    pub(crate) async fn fill(&self, load: &Load) -> Result<Box<dyn Staging>, WarehouseError> {
        fill(&self.warehouse, &self.stage, load).await
    }

    /// Loads and publishes.
    pub(crate) async fn publish(&self, load: &Load) -> Result<Published, WarehouseError> {
        self.fill(load).await?.publish(load.publication()).await
    }
}

/// Fills a staging table of a warehouse.
pub(crate) async fn fill(
    warehouse: &dyn Warehouse,
    stage: &SharedStage,
    load: &Load,
) -> Result<Box<dyn Staging>, WarehouseError> {
    let mut staging = warehouse.open_staging(load.spec()).await?;
    let manifest = load.write(stage).await;
    let rows = staging.fill(replay(&manifest), stage.clone()).await?;
    assert_eq!(rows, load.rows());
    assert_eq!(staging.count().await?, load.rows());
    Ok(staging)
}

/// What a fill is told of a load that is whole in the stage.
pub(crate) fn replay(manifest: &Manifest) -> mpsc::Receiver<Fill> {
    let (sender, receiver) = mpsc::channel(manifest.parts.len() + 1);
    for part in manifest.parts.clone() {
        sender.try_send(Fill::Part(part)).expect("there is room");
    }
    sender.try_send(Fill::Done(Box::new(manifest.clone()))).expect("there is room");
    receiver
}

/// A warehouse of barncat's at an address.
pub(crate) fn warehouse_at(url: &str) -> PostgresWarehouse {
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new("."))
        .expect("the test's address is right");
    PostgresWarehouse::new(
        endpoint,
        Options {
            ledger_schema: "barncat".into(),
            staging_schema: "barncat_staging".into(),
            run: "01RUN".into(),
        },
    )
}

/// The first column of a query's rows, as text.
pub(crate) async fn texts(client: &Client, sql: &str) -> Vec<String> {
    texts_of(client.query(sql, &[]).await, sql)
}

fn texts_of(answered: Result<Vec<Row>, Error>, sql: &str) -> Vec<String> {
    let rows = answered.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_else(|| "NULL".into())).collect()
}

/// One load of `raw.orders` (or another table), as CSV.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) id: String,
    pub(crate) table: TableName,
    pub(crate) previous: Option<String>,
    pub(crate) columns: Vec<StagingColumn>,
    pub(crate) key: Vec<String>,
    /// One text a part, one row a line.
    pub(crate) parts: Vec<String>,
    pub(crate) kind: PublishKind,
    pub(crate) fill_jobs: u32,
    pub(crate) change: fn(&mut Publication),
}

impl Load {
    /// `id bigint, fee numeric, note text`, key `id`.
    pub(crate) fn new(id: &str, parts: &[&str]) -> Self {
        Self {
            id: id.into(),
            table: TableName::new("raw", "orders"),
            previous: None,
            columns: vec![
                column("id", "bigint", false),
                column("fee", "numeric(12,2)", true),
                column("note", "text", true),
            ],
            key: vec!["id".into()],
            parts: parts.iter().map(ToString::to_string).collect(),
            kind: PublishKind::Swap,
            fill_jobs: 1,
            change: |_| (),
        }
    }

    /// The same table's next load.
    pub(crate) fn after(previous: &Self, id: &str, parts: &[&str]) -> Self {
        let parts = parts.iter().map(ToString::to_string).collect();
        Self { id: id.into(), previous: Some(previous.id.clone()), parts, ..previous.clone() }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.lines().count() as u64).sum()
    }

    pub(crate) fn spec(&self) -> StagingSpec {
        StagingSpec {
            layout: barncat::schema::Layout::default(),
            load: self.id.clone(),
            run: "01RUN".into(),
            table: self.table.clone(),
            columns: self.columns.clone(),
            mark: None,
            key: self.key.clone(),
            filling: Filling::Parts {
                format: Format::Csv,
                compression: Compression::Zstd,
                jobs: self.fill_jobs,
            },
        }
    }

    fn schema(&self) -> TableSchema {
        let column = |(number, column): (usize, &StagingColumn)| Column {
            name: column.name.clone(),
            number: i16::try_from(number + 1).expect("a test's table is narrow"),
            column_type: ColumnType {
                sql: column.sql_type.clone(),
                kind: TypeKind::Builtin { name: "text".into() },
            },
            nullable: column.nullable,
            generated: Generated::No,
        };
        TableSchema {
            kind: RelationKind::Table,
            columns: self.columns.iter().enumerate().map(column).collect(),
            key: self.key.clone(),
        }
    }

    /// Writes the parts, and says what the manifest would.
    pub(crate) async fn write(&self, stage: &SharedStage) -> Manifest {
        let prefix = LoadPrefix::new("test", "production", &self.table, &self.id);
        let mut parts: Vec<Part> = Vec::new();
        for (number, text) in (0..).zip(&self.parts) {
            let key = prefix.part(number, Format::Csv, Compression::Zstd);
            let mut writer =
                PartWriter::create(stage, key, Compression::Zstd).await.expect("a part is begun");
            writer.write(text.as_bytes(), text.lines().count() as u64).await.expect("it is written");
            parts.push(writer.finish().await.expect("it is whole"));
        }
        Manifest {
            version: 1,
            load: self.id.clone(),
            table: self.table.clone(),
            source: "shop".into(),
            source_table: TableName::new("public", "orders"),
            as_of: Timestamp::UNIX_EPOCH,
            lsn: None,
            format: Format::Csv,
            compression: Compression::Zstd,
            columns: self.columns.iter().map(|column| column.name.clone()).collect(),
            types: self.columns.iter().map(|column| column.sql_type.clone()).collect(),
            key: self.key.clone(),
            schema: self.schema(),
            schema_hash: "v1:0".into(),
            parts,
            gone: Vec::new(),
            null: None,
            unfit: Vec::new(),
            collections: Vec::new(),
            sha256: String::new(),
        }
    }

    pub(crate) fn publication(&self) -> Publication {
        let mut publication = Publication {
            increment: None,
            mark: None,
            kind: self.kind,
            previous: self.previous.clone(),
            live_columns: None,
            ledger: self.ledger_row(),
            grants: std::collections::BTreeMap::new(),
            descriptions: Descriptions::default(),
            drop_broken_views: false,
            lock_timeout: Duration::from_millis(300),
            lock_wait: Duration::from_secs(20),
            snapshot_wait: Duration::from_secs(10),
            deadline_near: false,
        };
        (self.change)(&mut publication);
        publication
    }

    pub(crate) fn ledger_row(&self) -> LedgerRow {
        LedgerRow {
            load: self.id.clone(),
            table: self.table.clone(),
            previous: self.previous.clone(),
            project: "shop".into(),
            run: "01RUN".into(),
            strategy: "full".into(),
            publish: self.kind,
            source: "shop".into(),
            source_table: TableName::new("public", "orders"),
            system: Some("7000000000000000001".into()),
            lsn: Some(0x300_0060),
            as_of: "2026-11-22T05:00:00.123456Z".parse().expect("a time"),
            snapshot: "00000003-00000002-1".into(),
            schema_hash: "v1:0".into(),
            schema: self.schema(),
            content_hash: Some("abc".into()),
            manifest: Some("m".into()),
            rows: self.rows(),
            bytes: 12,
            watermark: None,
            table_rows: self.rows(),
            late_rows: None,
            deleted_rows: None,
            state: State::default(),
            published_at: None,
        }
    }
}

/// A column of a staging table.
pub(crate) fn column(name: &str, sql_type: &str, nullable: bool) -> StagingColumn {
    StagingColumn { name: name.into(), sql_type: sql_type.into(), nullable }
}

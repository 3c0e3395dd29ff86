//! What the loader knows of a Postgres source, each fact by a test that fails where it is ignored:
//! read through the library, table by table, from the standby.

mod files;
mod indirect;
mod redshift;
mod replica;
mod rows;
mod shapes;
mod snapshots;
mod tiers;

use std::{ops::Deref, path::Path, sync::Arc};

use barncat::{
    error::{Class, Fault},
    pg::{Endpoint, TlsSettings},
    schema::CsvForm,
    secret::Secret,
    source::{
        Extraction, LocalSlots, PartPlan, Snapshot, Source, SourceError,
        postgres::{Options, PostgresSource},
    },
    sql::{TableName, quote_ident},
    stage::manifest::Format,
};

use tokio_postgres::Client;

use crate::support::{connect, variable, wait_until_replayed};

/// A part of this size is one block: even small tables have many parts.
const ONE_BLOCK: u64 = 8192;

/// How the tests treat a source, unless they say otherwise.
fn options(url: &str) -> Options {
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new("."))
        .expect("the servers' addresses are valid");
    Options { name: "shop".into(), endpoint, allow_primary: false, max_lag: None, run: "test".into() }
}

fn source(options: Options) -> Arc<PostgresSource> {
    Arc::new(PostgresSource::new(options, Arc::new(LocalSlots::new(6))))
}

/// A snapshot of the shared standby.
async fn snapshot() -> Arc<dyn Snapshot> {
    let source = source(options(&variable("BARNCAT_REPLICA_URL")));
    source.open_snapshot(barncat::event::Tier::Optional).await.expect("the standby can be read")
}

/// The same, while the primary cleans up nothing that it sees, so that no change holds up the replay.
/// The standby's own feedback would come a second too late.
async fn kept_snapshot() -> Kept {
    let primary = connect("BARNCAT_PRIMARY_ADMIN_URL").await;
    primary.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.expect("it begins");
    wait_until_replayed().await;
    Kept { snapshot: snapshot().await, _keeper: primary }
}

/// A snapshot of the standby, and the transaction on the primary that keeps its rows.
struct Kept {
    snapshot: Arc<dyn Snapshot>,
    _keeper: Client,
}

impl Deref for Kept {
    type Target = dyn Snapshot;

    fn deref(&self) -> &Self::Target {
        &*self.snapshot
    }
}

/// Some columns of a table as CSV, in parts of one block.
fn extraction(table: &TableName, columns: &[&str]) -> Extraction {
    Extraction {
        table: table.clone(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        expressions: columns.iter().map(|column| quote_ident(column)).collect(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
        condition: None,
        format: Format::Csv,
        csv: CsvForm::default(),
        counted: 0,
        part_bytes: ONE_BLOCK,
        by_index: false,
    }
}

/// A part's lines.
async fn lines(snapshot: &dyn Snapshot, part: &PartPlan) -> Result<Vec<String>, SourceError> {
    let mut stream = snapshot.read(part).await?;
    let (mut bytes, mut rows) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await? {
        bytes.extend_from_slice(&chunk.bytes);
        rows += chunk.rows;
    }
    let lines: Vec<_> = String::from_utf8(bytes).expect("CSV is UTF-8").lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, rows, "the stream's own count");
    Ok(lines)
}

/// The lines of all parts, sorted.
async fn all_lines(snapshot: &dyn Snapshot, extraction: &Extraction) -> Result<Vec<String>, SourceError> {
    let mut all = Vec::new();
    for part in snapshot.plan_parts(extraction).await? {
        all.extend(lines(snapshot, &part).await?);
    }
    all.sort();
    Ok(all)
}

fn class(error: &SourceError) -> Class {
    let fault: &dyn Fault = error.as_ref();
    fault.class()
}

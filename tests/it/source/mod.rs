//! What the loader stands on when it reads a hot standby: each of these facts has cost somebody rows.

use std::sync::Arc;

use barncat::{
    pg::{Endpoint, TlsSettings},
    schema::Format,
    secret::Secret,
    source::{
        Extraction, LocalSlots, PartPlan, Snapshot, Source, SourceError,
        postgres::{Options, PostgresSource},
    },
    sql::TableName,
};

use crate::support::variable;

mod files;

/// The standby at an address, as a source.
fn source_at(url: &str) -> PostgresSource {
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), std::path::Path::new("."));
    let options = Options {
        name: "shop".into(),
        endpoint: endpoint.expect("a valid address"),
        allow_primary: false,
        max_lag: None,
        run: "test".into(),
    };
    PostgresSource::new(options, Arc::new(LocalSlots::new(6)))
}

async fn snapshot() -> Arc<dyn Snapshot> {
    source_at(&variable("BARNCAT_REPLICA_URL")).open_snapshot().await.expect("the standby answers")
}

/// A table's column `id` in parts of one block each.
fn ids(schema: &str, table: &str) -> Extraction {
    Extraction {
        table: TableName::new(schema, table),
        columns: vec!["id".into()],
        expressions: vec!["\"id\"".into()],
        condition: None,
        format: Format::Csv,
        part_bytes: 8 << 10,
    }
}

/// The values of one part.
async fn read(snapshot: &dyn Snapshot, part: &PartPlan) -> Result<Vec<i64>, SourceError> {
    let mut stream = snapshot.read(part).await?;
    let (mut text, mut rows) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await? {
        text.extend_from_slice(&chunk.bytes);
        rows += chunk.rows;
    }
    let text = String::from_utf8(text).expect("numbers are UTF-8");
    let values: Vec<i64> = text.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(values.len() as u64, rows, "the stream counts its rows");
    Ok(values)
}

/// The values of all parts, or the first error.
async fn read_all(snapshot: &dyn Snapshot, parts: &[PartPlan]) -> Result<Vec<i64>, SourceError> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(read(snapshot, part).await?);
    }
    all.sort_unstable();
    Ok(all)
}

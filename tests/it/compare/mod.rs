//! Source and warehouse compared by the library, after a whole run and a planted change.

mod planted;
mod surroundings;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use barncat::{
    compare::{Detail, Key},
    config::{self, LoadSpec, Missing},
    load::{Comparison, LoadError, Looks, compare, selection, wishes},
    pg::{Endpoint, TlsSettings},
    schema::{Shape, shape},
    secret::Secret,
    source::{
        LocalSlots, Snapshot, Source,
        postgres::{Options, PostgresSource},
    },
    warehouse::Warehouse,
};

use crate::support::{project::Project, variable};

/// A snapshot as `url` gives it.
async fn snapshot_at(url: &str) -> Arc<dyn Snapshot> {
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), Path::new("."))
        .expect("the servers' addresses are valid");
    let options =
        Options { name: "shop".into(), endpoint, allow_primary: false, max_lag: None, run: "test".into() };
    let source = PostgresSource::new(options, Arc::new(LocalSlots::new(3)));
    source.open_snapshot(barncat::event::Tier::Optional).await.expect("the standby can be read")
}

/// A table's loader, as the project has it.
pub(crate) fn spec(project: &Project, table: &str) -> LoadSpec {
    let read = config::read(project.dir(), None).expect("the project has no mistake");
    let found = [(("shop".to_owned(), project.source.name().to_owned()), vec![table.to_owned()])];
    let mut specs = read.loads(&BTreeMap::from(found), Missing::Load).expect("the loaders fit");
    specs.retain(|spec| spec.source_table.name == table);
    specs.pop().expect("the table is loaded")
}

/// How a table travels.
async fn shape_of(spec: &LoadSpec, snapshot: &dyn Snapshot, warehouse: &dyn Warehouse) -> Shape {
    let found = snapshot.describe(&spec.source_table).await.expect("it is there");
    let selected = selection(spec).apply(&spec.source_table, &found).expect("the loader fits");
    let abilities = warehouse.abilities().await.expect("the warehouse answers");
    shape(&spec.source_table, &selected.schema, snapshot.server_version(), &abilities, &wishes(spec))
        .expect("it travels")
}

/// A table's rows on both sides, each column by itself.
async fn compared(project: &Project, table: &str) -> Comparison {
    let snapshot = snapshot_at(&variable("BARNCAT_REPLICA_URL")).await;
    compared_in(&*snapshot, project, table).await.expect("both sides answer").1
}

/// The same in a given snapshot; with the shape.
async fn compared_in(
    snapshot: &dyn Snapshot,
    project: &Project,
    table: &str,
) -> Result<(Shape, Comparison), LoadError> {
    let (spec, warehouse) = (spec(project, table), &project.database.warehouse);
    let shape = shape_of(&spec, snapshot, warehouse).await;
    let looks = Looks::rows(&spec, &shape, None);
    let comparison = compare(snapshot, warehouse, &looks, Detail::Columns, 100).await?;
    Ok((shape, comparison))
}

/// Missing, extra, different, doubled.
fn counts(comparison: &Comparison) -> [u64; 4] {
    let found = &comparison.differences;
    [found.missing, found.extra, found.different, found.doubled]
}

/// Keys as text, NULL as such.
fn texts(keys: &[Key]) -> Vec<Vec<String>> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    keys.iter().map(|key| key.values().into_iter().map(text).collect()).collect()
}

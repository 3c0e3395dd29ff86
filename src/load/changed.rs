//! Whether a load is what it was when its table was last published.

use super::{LoadError, decide::selection, new_rows::definition};
use crate::{config::LoadSpec, schema::diff, source::Snapshot, warehouse::LedgerRow};

/// Whether its row is another one: where from, which rows, by which strategy, known by which key.
pub fn is_rewritten(spec: &LoadSpec, last: &LedgerRow) -> bool {
    last.loaders_strategy() != spec.strategy.to_string()
        || last.state.definition != definition(spec)
        || (&last.source, &last.source_table) != (&spec.source, &spec.source_table)
        || last.state.sample != spec.sample.as_ref().map(|sample| sample.rows)
}

/// Whether the source's table, with the columns that the loader takes, has another schema than the one that
/// was published.
pub async fn has_another_schema(
    spec: &LoadSpec,
    last: &LedgerRow,
    snapshot: &dyn Snapshot,
) -> Result<bool, LoadError> {
    let found = snapshot.describe(&spec.source_table).await.map_err(LoadError::Source)?;
    let selected = selection(spec).apply(&spec.source_table, &found)?;
    Ok(!diff(&last.schema, &selected.schema).is_empty())
}

//! What a changed schema means for a table that is loaded by its new rows.

use super::LoadError;
use crate::{
    config::{LoadSpec, OnSchemaChange},
    schema::{Change, in_words},
    warehouse::LiveTable,
};

/// What is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole table is loaded again, from one snapshot.
    Rebuild,
    /// These columns are added in place, then rows are loaded as ever.
    Extend(Vec<String>),
}

/// Decides about changes, of which there is at least one.
pub(super) fn answer(
    spec: &LoadSpec,
    changes: &[Change],
    live: Option<&LiveTable>,
) -> Result<Answer, LoadError> {
    let (table, words) = (spec.target.clone(), in_words(changes));
    let too_large = is_too_large(spec, live);
    match (spec.on_schema_change, addable(changes)) {
        (OnSchemaChange::Refuse, _) => Err(LoadError::SchemaChanged { table, changes: words }),
        (OnSchemaChange::Extend, Some(added)) => Ok(Answer::Extend(added)),
        (OnSchemaChange::Extend, None) => {
            let keeps_marked = spec.deletes.mark().is_some();
            Err(LoadError::NotAddable { table, changes: words, keeps_marked })
        }
        (OnSchemaChange::Rebuild, Some(added)) if too_large => Ok(Answer::Extend(added)),
        (OnSchemaChange::Rebuild, None) if too_large => {
            Err(LoadError::RebuildLimit { table, why: format!("the schema changed: {words}") })
        }
        (OnSchemaChange::Rebuild, _) => Ok(Answer::Rebuild),
    }
}

/// Whether the table is larger than one that is made anew without being asked.
pub(super) fn is_too_large(spec: &LoadSpec, live: Option<&LiveTable>) -> bool {
    spec.rebuild_limit.zip(live).is_some_and(|(limit, live)| live.bytes > limit)
}

/// The new columns, if the changes are of no other kind: all allow NULL, which is what older rows get.
fn addable(changes: &[Change]) -> Option<Vec<String>> {
    let mut added = Vec::new();
    for change in changes {
        match change {
            Change::Added(column) if column.nullable => added.push(column.name.clone()),
            // They arrive as text, whatever the labels are.
            Change::LabelsChanged { .. } => {}
            _ => return None,
        }
    }
    Some(added)
}

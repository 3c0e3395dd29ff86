//! What hangs on a table and goes by its place, not by its name: policies and the membership in datashares.
//! It is nowhere in the catalog that everybody may read.
//!
//! Sources: the pages of these views in the Database Developer Guide. Which users see which of their rows
//! is confirmed nowhere: a user who may read none of them is told by an error, one who sees only some of the
//! rows by nothing.

use std::collections::BTreeMap;

use super::{
    Cluster, RedshiftError,
    belongings::among,
    dialect::literal,
    transport::{Answer, Batch},
    words,
};
use crate::sql::TableName;

/// The system's views that are asked, in their order.
pub(super) const VIEWS: [&str; 3] =
    ["svv_rls_attached_policy", "svv_attached_masking_policy", "svv_datashare_objects"];

/// What is asked of one of them about some tables and views.
pub(super) fn query(view: &str, of: &[&TableName]) -> String {
    match view {
        "svv_rls_attached_policy" => format!(
            "SELECT polname::varchar, relschema::varchar, relname::varchar FROM svv_rls_attached_policy
             WHERE {} ORDER BY 2, 3, 1",
            among("relschema", "relname", of)
        ),
        "svv_attached_masking_policy" => format!(
            "SELECT policy_name::varchar, schema_name::varchar, table_name::varchar FROM svv_attached_masking_policy
             WHERE {} ORDER BY 2, 3, 1",
            among("schema_name", "table_name", of)
        ),
        _ => format!(
            "SELECT share_name::varchar, object_name::varchar FROM svv_datashare_objects
             WHERE share_type = 'OUTBOUND' AND object_name IN ({}) ORDER BY 2, 1",
            of.iter().map(|name| literal(&name.to_string().to_lowercase())).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// What was answered, in words for people.
fn in_words(view: &str, answer: &Answer) -> Vec<String> {
    let mut words: Vec<String> = answer
        .rows
        .iter()
        .filter_map(|row| match (view, row.as_slice()) {
            ("svv_rls_attached_policy", [Some(policy), Some(schema), Some(name)]) => {
                Some(format!("the row-level security policy {policy} on {schema}.{name}"))
            }
            ("svv_attached_masking_policy", [Some(policy), Some(schema), Some(name)]) => {
                Some(format!("the masking policy {policy} on {schema}.{name}"))
            }
            (_, [Some(share), Some(object)]) => Some(format!("the place of {object} in datashare {share}")),
            _ => None,
        })
        .collect();
    // A policy has one row for each of those it is attached for.
    words.dedup();
    words
}

/// What is seen of a table beyond the catalog.
pub(super) struct Attached {
    /// Its size; nothing where it cannot be seen: it is for people.
    pub(super) bytes: u64,
    /// What a swap of it would lose, in words.
    pub(super) obstacles: Vec<String>,
}

impl Cluster {
    /// Looks at the table, the first of these, and at the views that are bound to it.
    pub(super) async fn attached(&self, of: &[&TableName]) -> Result<Attached, RedshiftError> {
        const SIZES: &str = "svv_table_info";
        let mut queries: Vec<_> = VIEWS.into_iter().map(|view| (view, query(view, of))).collect();
        queries.push((
            SIZES,
            format!(
                "SELECT size::varchar FROM svv_table_info WHERE {}",
                among("\"schema\"", "\"table\"", of.get(..1).unwrap_or_default())
            ),
        ));
        let doing = of.first().map_or_else(String::new, |table| format!("look at what hangs on {table}"));
        let seen = self.ask_readable(&doing, queries).await?;
        // In blocks of 1 MB.
        let bytes = seen.get(SIZES).and_then(Answer::number).unwrap_or(0) << 20;
        let words = |view| seen.get(view).map(|answer| in_words(view, answer)).unwrap_or_default();
        Ok(Attached { bytes, obstacles: VIEWS.into_iter().flat_map(words).collect() })
    }

    /// Asks several of the system's views at once. Those that this user may not read, or that this cluster
    /// does not have, are left out: which they are is learnt once.
    pub(super) async fn ask_readable(
        &self,
        doing: &str,
        queries: Vec<(&'static str, String)>,
    ) -> Result<BTreeMap<&'static str, Answer>, RedshiftError> {
        let asked: Vec<_> = queries.into_iter().filter(|(view, _)| !self.cannot_read(view)).collect();
        let mut batch = Batch::new(doing, "catalog");
        batch.statements.extend(asked.iter().map(|(_, sql)| sql.clone()));
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        match self.transport.run(batch).await {
            Ok(answers) => return Ok(asked.into_iter().map(|(view, _)| view).zip(answers).collect()),
            Err(error) if words::is_hidden(&error) => {}
            Err(error) => return Err(error),
        }
        let mut seen = BTreeMap::new();
        for (view, sql) in asked {
            match self.ask::<1>(Batch::new(doing, "catalog").then(sql)).await {
                Ok([answer]) => drop(seen.insert(view, answer)),
                Err(error) if words::is_hidden(&error) => self.note_unreadable(view),
                Err(error) => return Err(error),
            }
        }
        Ok(seen)
    }

    fn cannot_read(&self, view: &'static str) -> bool {
        self.unreadable.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(view)
    }

    fn note_unreadable(&self, view: &'static str) {
        self.unreadable.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(view);
    }
}

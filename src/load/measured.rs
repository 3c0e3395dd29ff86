//! `varchar = "measured"`: as large as the texts are, with room to grow, and never smaller than what is
//! there. What must become larger in a live table is seen by the warehouse: its columns and those of the
//! staging table differ in nothing else (`schema::widenings`).

use super::{Decision, LoadError, extract::both};
use crate::{
    config::LoadSpec,
    schema::{Shape, Varchar, measured_bytes},
    source::{LongestQuestion, Snapshot},
    warehouse::LiveTable,
};

/// Gives the columns the sizes that the live table has: a size alone is no reason to load a table whole.
pub(super) fn keep_sizes(spec: &LoadSpec, shape: &mut Shape, live: Option<&LiveTable>) {
    let (Varchar::Measured, Some(live)) = (spec.varchar, live) else { return };
    for column in shape.columns.iter_mut().filter(|column| column.varchar_bytes.is_some()) {
        let there = live.columns.iter().find(|there| there.name == column.name);
        if let Some(there) = there.filter(|there| size(&there.sql_type).is_some()) {
            column.sql_type.clone_from(&there.sql_type);
        }
    }
}

impl Decision {
    /// Measures the texts that are to be brought. Rows that are found by their keys can be any: where such
    /// are looked for, all are measured.
    pub(super) async fn measured(
        mut self,
        spec: &LoadSpec,
        snapshot: &dyn Snapshot,
    ) -> Result<Self, LoadError> {
        let is_measured = |place: &usize| self.shape.columns[*place].varchar_bytes.is_some();
        let places: Vec<usize> = (0..self.shape.columns.len()).filter(is_measured).collect();
        // What came is measured by nobody: it is as large as it may be.
        let is_answers = snapshot.answers().is_some();
        if spec.varchar != Varchar::Measured || places.is_empty() || is_answers {
            return Ok(self);
        }
        let new_rows = self.new_rows.as_ref().filter(|new_rows| !new_rows.compare);
        let new_rows = new_rows.map(|new_rows| new_rows.cursor.at_least(&new_rows.low));
        let question = LongestQuestion {
            table: spec.source_table.clone(),
            condition: both(spec.condition.as_deref(), new_rows.as_deref()),
            texts: places.iter().map(|place| self.shape.columns[*place].compared.clone()).collect(),
        };
        let longest = snapshot.longest(&question).await.map_err(LoadError::Source)?;
        for (place, longest) in places.into_iter().zip(longest) {
            let column = &mut self.shape.columns[place];
            let declared = column.varchar_bytes.unwrap_or_default();
            let there = self.live.as_ref().and_then(|live| {
                let is_it = |there: &&crate::warehouse::StagingColumn| there.name == column.name;
                live.columns.iter().find(is_it).and_then(|there| size(&there.sql_type))
            });
            let bytes = measured_bytes(longest).min(declared).max(there.unwrap_or_default());
            column.sql_type = format!("varchar({bytes})");
        }
        Ok(self)
    }
}

fn size(sql_type: &str) -> Option<u32> {
    sql_type.strip_prefix("varchar(")?.strip_suffix(')')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn only_a_varchar_has_a_size() {
        assert_eq!(size("varchar(128)"), Some(128));
        assert_eq!(["varbyte(128)", "text", "varchar"].map(size), [None, None, None]);
    }
}

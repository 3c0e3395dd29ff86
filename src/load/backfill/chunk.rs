//! One chunk of a backfill: what is read of the source, and what it has no more.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    BackfillError, Pace,
    plan::{ready, refuse_if_changed},
};
use crate::{
    compare::{Detail, Key},
    load::{
        Attempt, Decision, LoadError,
        compare::{Looks, compare},
        decide::staging_columns,
        extract::both,
        missed::{KEYS_MAX, Missed, in_parts, listed, listed_there},
    },
    schema::{CursorRange, in_words},
    source::{SliceQuestion, Snapshot, Stride},
    warehouse::{PublishKind, StagingColumn, Warehouse},
};

/// Chunks with fewer rows than these are read as one part.
const ROWS_A_PART_MIN: u64 = 20_000;

/// A chunk that is to be brought.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The backfill's id.
    pub backfill: String,
    /// The chunk's number, from 1.
    pub number: u32,
    /// Its rows.
    pub range: CursorRange,
    /// How many the source had when the chunks were cut.
    pub expected: u64,
    /// Delete rows that the source does not have.
    pub delete: bool,
    /// The load that had brought the whole table when the backfill began.
    pub base: String,
    /// The loader's definition then.
    pub definition: String,
    /// Columns whose values are all there with this chunk.
    pub completes: Vec<String>,
    /// Rows that the chunks before have deleted.
    pub deleted_before: u64,
    /// In how many parts it is read, side by side.
    pub parts: usize,
    /// How fast it is read.
    pub pace: Option<Arc<Pace>>,
}

/// What a chunk's load reads.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The chunk's rows, in SQL over the source's columns.
    pub(in crate::load) range: String,
    /// The same over the warehouse's.
    pub(in crate::load) range_there: String,
    /// The same in parts.
    pub(in crate::load) parts: Vec<String>,
    /// Whether an index answers them.
    pub(in crate::load) by_index: bool,
}

impl Decision {
    /// The same for a chunk: nothing that the next load must remember changes, but for columns that are
    /// complete.
    pub(in crate::load) async fn backfilling(
        mut self,
        attempt: &Attempt,
        chunk: &Chunk,
        snapshot: &dyn Snapshot,
    ) -> Result<Self, LoadError> {
        let spec = &attempt.spec;
        refuse_if_changed(spec, self.last.as_ref(), (&chunk.base, &chunk.definition))?;
        let (last, cursor, by_index) = ready(spec, &self)?;
        let mut ranges = vec![chunk.range.clone()];
        if by_index && chunk.parts > 1 && chunk.expected >= 2 * ROWS_A_PART_MIN {
            let rows = chunk.expected.div_ceil(chunk.parts as u64).max(ROWS_A_PART_MIN);
            let question = SliceQuestion {
                table: spec.source_table.clone(),
                cursor: cursor.clone(),
                condition: spec.condition.clone(),
                range: chunk.range.clone(),
                stride: Stride::Rows(rows.try_into().unwrap_or(std::num::NonZeroU64::MIN)),
                slices_max: u32::MAX,
            };
            let slices = snapshot.slices(&question).await.map_err(LoadError::Source)?;
            ranges = slices.into_iter().map(|slice| slice.range).collect();
        }
        self.piece = Some(Piece {
            range: chunk.range.condition(&cursor),
            range_there: chunk.range.condition(&self.shape.cursor(&cursor)),
            parts: ranges.iter().map(|range| range.condition(&cursor)).collect(),
            by_index,
        });
        self.new_rows = None;
        self.publish = PublishKind::Merge;
        self.watermark = last.watermark;
        self.state = last.state;
        self.state.awaiting.retain(|column| !chunk.completes.contains(column));
        self.reason = format!("chunk {} of a backfill", chunk.number);
        Ok(self)
    }
}

impl Decision {
    /// The same for all that a snapshot has, merged by key: nothing that the next load must remember changes.
    pub(in crate::load) fn mending(mut self, attempt: &Attempt) -> Result<Self, LoadError> {
        let table = || attempt.spec.target.clone();
        let Some(last) = self.last.clone() else {
            return Err(BackfillError::NotLoaded { table: table() }.into());
        };
        let Some(live) = &self.live else { return Err(LoadError::Gone { table: table() }) };
        if !self.changes.is_empty() {
            return Err(LoadError::SchemaChanged { table: table(), changes: in_words(&self.changes) });
        }
        let is_there = |column: &StagingColumn| live.columns.contains(column);
        if !staging_columns(&self.shape).iter().all(is_there) || !live.is_held_to(&self.shape.key) {
            let reason =
                "its columns or its key in the warehouse are not those that were published".to_owned();
            return Err(BackfillError::LoadFirst { table: table(), reason }.into());
        }
        let all = || "true".to_owned();
        self.piece = Some(Piece { range: all(), range_there: all(), parts: vec![all()], by_index: true });
        self.new_rows = None;
        self.publish = PublishKind::Merge;
        self.watermark = last.watermark;
        self.state = last.state;
        self.reason = "requests that had failed".to_owned();
        Ok(self)
    }
}

impl Missed {
    /// Compares the keys of a chunk. What the warehouse has more is gone from the source, or has another
    /// cursor by now: that is brought by its key, wherever it is.
    pub(in crate::load) async fn of_chunk(
        attempt: &Attempt,
        decision: &Decision,
        (chunk, piece): (&Chunk, &Piece),
        snapshot: &dyn Snapshot,
        warehouse: &dyn Warehouse,
    ) -> Result<Self, LoadError> {
        let spec = &attempt.spec;
        let keys = Looks::keys(spec, &decision.shape, decision.live.as_ref(), &[]);
        let mut looks = keys.clone();
        looks.source.condition = both(spec.condition.as_deref(), Some(&piece.range));
        looks.warehouse.condition = both(keys.warehouse.condition.as_deref(), Some(&piece.range_there));
        let found = compare(snapshot, warehouse, &looks, Detail::Row, KEYS_MAX).await?.differences;
        let extra = found.extra.saturating_sub(found.doubled);
        let mut missed = Self { left: extra.saturating_sub(found.gone_keys.len() as u64), ..Self::default() };
        let mut gone = BTreeSet::new();
        for some in in_parts(&found.gone_keys) {
            let mut looks = keys.clone();
            looks.source.condition = both(spec.condition.as_deref(), Some(&listed(&looks.source.key, some)));
            let listed = listed_there(decision.shape.dialect, &looks.warehouse.key, some);
            looks.warehouse.condition = both(keys.warehouse.condition.as_deref(), Some(&listed));
            let found = compare(snapshot, warehouse, &looks, Detail::Row, KEYS_MAX).await?.differences;
            gone.extend(found.gone_keys);
        }
        let is_gone = |key: &Key| gone.contains(key);
        let (gone, moved): (Vec<Key>, Vec<Key>) = found.gone_keys.into_iter().partition(is_gone);
        missed.mend = moved;
        if chunk.delete {
            let rows = decision.last.as_ref().map_or(0, |last| last.table_rows);
            let left = rows.saturating_sub(gone.len() as u64);
            attempt.refuse_shrinking(rows + chunk.deleted_before, left)?;
            missed.gone = gone;
        } else {
            missed.kept = gone.len() as u64;
        }
        Ok(missed)
    }
}

//! What a backfill would do, decided in one snapshot of the source.

use super::{super::LoadError, BackfillError};
use crate::{
    config::{Deletes, LoadSpec, Strategy},
    control::BackfillWanted,
    load::{Decision, decide::decide, extract::both, new_rows::definition},
    schema::{Cursor, CursorKind, CursorRange},
    source::{RangeQuestion, Slice, SliceQuestion, Snapshot, Stride},
    warehouse::{LedgerRow, Warehouse},
};

/// More chunks than these are a mistake, not a wish.
const CHUNKS_MAX: u32 = 100_000;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The least value of the cursor; `None`: whatever is least.
    pub from: Option<String>,
    /// The value before which it ends; `None`: the watermark, and that one too.
    pub to: Option<String>,
    /// How long a chunk is; `None`: as the source would have it.
    pub stride: Option<Stride>,
    /// Delete rows that the source does not have, also where the loader does not.
    pub delete: bool,
}

/// A backfill that can be done.
#[derive(Debug, Clone)]
pub struct BackfillPlan {
    /// What is done, as the journal keeps it.
    pub wanted: BackfillWanted,
    /// The chunks, in their order.
    pub slices: Vec<Slice>,
    /// The last load.
    pub last: LedgerRow,
    /// The cursor.
    pub cursor: Cursor,
    /// The key by which rows are known.
    pub key: Vec<String>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl BackfillPlan {
    /// The condition by which a range of the table is read.
    pub fn condition(&self, spec: &LoadSpec, range: &CursorRange) -> String {
        both(spec.condition.as_deref(), Some(&range.condition(&self.cursor))).unwrap_or_default()
    }
}

/// Looks whether a backfill can be done, and cuts its range into chunks. Changes nothing.
pub async fn plan_backfill(
    project: &str,
    spec: &LoadSpec,
    wish: &Wish,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<BackfillPlan, LoadError> {
    let table = &spec.target;
    if spec.strategy == Strategy::Full {
        return Err(BackfillError::Whole { table: table.clone() }.into());
    }
    let decision = decide(project, spec, false, snapshot, warehouse).await?;
    let (last, cursor, indexed) = ready(spec, &decision)?;
    let stride = wish.stride.unwrap_or_else(|| snapshot.stride());
    refuse_stride(spec, &cursor, stride)?;
    let question = RangeQuestion {
        table: spec.source_table.clone(),
        cursor: cursor.clone(),
        from: wish.from.clone(),
        to: wish.to.clone(),
        watermark: last.watermark.clone().unwrap_or_default(),
    };
    let range = snapshot.range(&question).await.map_err(LoadError::Source)?;
    let Some(range) = range else { return Err(BackfillError::Empty { table: table.clone() }.into()) };
    let question = SliceQuestion {
        table: spec.source_table.clone(),
        cursor: cursor.clone(),
        condition: spec.condition.clone(),
        range: range.clone(),
        stride,
        slices_max: CHUNKS_MAX + 1,
    };
    let slices = snapshot.slices(&question).await.map_err(LoadError::Source)?;
    if slices.len() > CHUNKS_MAX as usize {
        return Err(BackfillError::TooMany { table: table.clone(), most: CHUNKS_MAX }.into());
    }
    let wanted = BackfillWanted {
        is_whole: range.from.is_none() && range.to_included,
        range,
        delete: wish.delete || spec.deletes != Deletes::Ignore,
        awaiting: last.state.awaiting.clone(),
    };
    let notes = notes(&cursor, indexed, &wanted);
    Ok(BackfillPlan { wanted, slices, last, cursor, key: decision.shape.key, notes })
}

/// Whether the table can be backfilled as it stands: its next load would bring new rows of the columns
/// that it has.
pub(super) fn ready(
    spec: &LoadSpec,
    decision: &Decision,
) -> Result<(LedgerRow, Cursor, bool), BackfillError> {
    let table = || spec.target.clone();
    let Some(last) = &decision.last else { return Err(BackfillError::NotLoaded { table: table() }) };
    match &decision.new_rows {
        Some(new_rows) if new_rows.added.is_empty() => {
            Ok((last.clone(), new_rows.cursor.clone(), new_rows.indexed))
        }
        _ => Err(BackfillError::LoadFirst { table: table(), reason: decision.reason.clone() }),
    }
}

/// Refuses to go on with a backfill whose table is another one by now.
pub fn refuse_if_changed(
    spec: &LoadSpec,
    last: Option<&LedgerRow>,
    (base, began_with): (&str, &str),
) -> Result<(), BackfillError> {
    let changed =
        |what: &str| Err(BackfillError::Changed { table: spec.target.clone(), what: what.to_owned() });
    if spec.strategy == Strategy::Full || definition(spec) != began_with {
        return changed("the loader's strategy, `cursor`, `key` or `where` changed");
    }
    match last {
        None => changed("nothing is published any more"),
        Some(last) if last.state.base != base => {
            changed("all of the table was loaded or restored since it began")
        }
        Some(_) => Ok(()),
    }
}

fn refuse_stride(spec: &LoadSpec, cursor: &Cursor, stride: Stride) -> Result<(), BackfillError> {
    let Stride::Seconds(seconds) = stride else { return Ok(()) };
    let (table, column) = (spec.target.clone(), cursor.column.clone());
    match cursor.kind {
        CursorKind::Moment | CursorKind::LocalTime => Ok(()),
        CursorKind::Date if seconds.get().is_multiple_of(DAY_SECONDS) => Ok(()),
        CursorKind::Date => Err(BackfillError::NoWholeDays { table, column }),
        CursorKind::Number | CursorKind::Uuid | CursorKind::Text => {
            Err(BackfillError::NoTime { table, column })
        }
    }
}

fn notes(cursor: &Cursor, indexed: bool, wanted: &BackfillWanted) -> Vec<String> {
    let column = &cursor.column;
    let mut notes = Vec::new();
    if !indexed {
        notes.push(format!("no index serves the cursor `{column}`: each chunk reads the whole table"));
    }
    if cursor.nullable {
        notes
            .push(format!("rows whose `{column}` is NULL are left to the loads, which bring them each time"));
    }
    if !wanted.is_whole && !wanted.awaiting.is_empty() {
        let columns = wanted.awaiting.join(", ");
        notes.push(format!("older rows await a backfill of {columns}, which ends with a whole one alone"));
    }
    notes
}

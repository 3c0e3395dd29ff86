//! Rows that the overlap does not reach: committed later still, changed without their cursor passing
//! the watermark, or gone. Found by comparing keys; brought by their keys, or taken away.

use super::{
    Attempt, Decision, LoadError, Repair,
    compare::{Looks, compare},
    extract::both,
};
use crate::{
    compare::{Detail, Key, portable_key},
    config::{Deletes, LoadSpec, Strategy},
    source::Snapshot,
    sql::{Dialect, quote_literal},
    warehouse::Warehouse,
};

/// How many keys one load mends, and how many it takes away; what is beyond waits for the next one.
pub(super) const KEYS_MAX: usize = 50_000;

/// How many keys one statement asks for.
const KEYS_A_PART: usize = 1_000;

/// And how many bytes of them: what the Data API takes is about twice that.
const KEYS_BYTES_A_PART: usize = 40_000;

/// What a comparison found that the new rows do not bring.
#[derive(Debug, Clone, Default)]
pub(super) struct Missed {
    /// Rows to bring.
    pub(super) mend: Vec<Key>,
    /// Rows that the source has no more.
    pub(super) gone: Vec<Key>,
    /// How many more there are.
    pub(super) left: u64,
    /// Rows of a chunk that the source has no more and that stay where they are.
    pub(super) kept: u64,
    /// The live table's rows, where all of them were looked at.
    pub(super) counted: Option<u64>,
}

impl Missed {
    /// Looks for them, if the decision says so. Those of a repair are known.
    pub(super) async fn look(
        attempt: &Attempt,
        decision: &Decision,
        snapshot: &dyn Snapshot,
        warehouse: &dyn Warehouse,
    ) -> Result<Self, LoadError> {
        if let Some(repair) = &attempt.repair {
            let Repair { mend, gone, counted } = &**repair;
            let (mend, gone) = (mend.clone(), gone.clone());
            return Ok(Self { mend, gone, counted: Some(*counted), ..Self::default() });
        }
        if snapshot.answers().is_some() {
            // There is nothing to compare with but what came.
            return Ok(Self::default());
        }
        if let (Some(chunk), Some(piece)) = (&attempt.chunk, &decision.piece) {
            return Self::of_chunk(attempt, decision, (chunk, piece), snapshot, warehouse).await;
        }
        let Some(new_rows) = decision.new_rows.as_ref().filter(|new_rows| new_rows.compare) else {
            return Ok(Self::default());
        };
        let (spec, detects) = (&attempt.spec, attempt.spec.deletes != Deletes::Ignore);
        let (shape, live) = (&decision.shape, decision.live.as_ref());
        let mut looks = match spec.strategy {
            // What this load adds is not there yet: rows of before await a backfill of it.
            _ if new_rows.rewritten => {
                let is_added = |name: &str| new_rows.added.iter().any(|column| column.name == name);
                let there = shape.columns.iter().filter(|column| !is_added(&column.name));
                let there: Vec<String> = there.map(|column| column.source_name.clone()).collect();
                Looks::keys(spec, shape, live, &there)
            }
            // A row that changed has another cursor.
            Strategy::Merge => Looks::keys(spec, shape, live, std::slice::from_ref(&new_rows.cursor.column)),
            Strategy::Append | Strategy::Full => Looks::keys(spec, shape, live, &[]),
        };
        if !detects {
            // What is new would only be found to be missing.
            let below = new_rows.cursor.below(&new_rows.low);
            looks.source.condition = both(looks.source.condition.as_deref(), Some(&below));
            looks.warehouse.condition = Some(shape.cursor(&new_rows.cursor).below(&new_rows.low));
        }
        let found = compare(snapshot, warehouse, &looks, Detail::Row, KEYS_MAX).await?;
        let differences = found.differences;
        let mut missed = Self::default();
        if detects {
            let now = found.warehouse_rows.saturating_sub(differences.extra);
            attempt.refuse_shrinking(found.warehouse_rows, now)?;
            missed.counted = Some(found.warehouse_rows);
            let extra = differences.extra.saturating_sub(differences.doubled);
            missed.left += extra.saturating_sub(differences.gone_keys.len() as u64);
            // A key that the source has in fewer rows stays: deleted by it, all its rows would go.
            missed.gone = differences.gone_keys;
        }
        let to_mend = differences.missing + differences.different;
        missed.mend = differences.missing_keys;
        missed.mend.extend(differences.different_keys);
        missed.left += to_mend.saturating_sub(missed.mend.len() as u64);
        Ok(missed)
    }

    /// What people should know of it.
    pub(super) fn warning(&self, is_chunk: bool) -> Option<String> {
        let (left, what) = match is_chunk {
            true => (self.left, "more may be gone from the source: another backfill looks after them"),
            false => (self.left, "more differ from the source: the next loads mend them"),
        };
        (left > 0).then(|| format!("{left} rows {what}"))
    }

    /// The conditions that bring the rows to mend, a thousand at a time. Never a row that the new rows
    /// bring too.
    pub(super) fn conditions(&self, spec: &LoadSpec, decision: &Decision) -> Vec<String> {
        let others = match &decision.piece {
            Some(piece) => Some(format!("{} IS NOT TRUE", piece.range)),
            None => decision.new_rows.as_ref().map(|new_rows| new_rows.cursor.below(&new_rows.low)),
        };
        let others = both(spec.condition.as_deref(), others.as_deref());
        let columns: Vec<String> = decision
            .shape
            .columns
            .iter()
            .filter(|column| decision.shape.key.contains(&column.name))
            .map(|column| column.compared.clone())
            .collect();
        let condition =
            |keys: &[Key]| both(others.as_deref(), Some(&listed(&columns, keys))).unwrap_or_default();
        self.mend.chunks(KEYS_A_PART).map(condition).collect()
    }

    /// The keys of the rows that are gone: texts, in the order of `decision`'s key.
    pub(super) fn gone(&self, decision: &Decision) -> Vec<Vec<String>> {
        // A comparison has the key's columns in the table's order.
        let columns: Vec<&String> = decision
            .shape
            .columns
            .iter()
            .map(|column| &column.name)
            .filter(|name| decision.shape.key.contains(name))
            .collect();
        let places: Vec<usize> = decision
            .shape
            .key
            .iter()
            .filter_map(|name| columns.iter().position(|column| *column == name))
            .collect();
        let in_order = |key: &Key| {
            let values = key.values();
            places.iter().filter_map(|place| values.get(*place).cloned().flatten()).collect()
        };
        self.gone.iter().map(in_order).collect()
    }
}

/// The rows of these keys: `columns` are SQL expressions, in the order of the keys' values.
pub(super) fn listed(columns: &[String], keys: &[Key]) -> String {
    let rows: Vec<String> = keys.iter().map(row).collect();
    format!("({}) IN ({})", columns.join(", "), rows.join(", "))
}

/// The same in a warehouse, whose statements may have few bytes and which need not have an index.
pub(super) fn listed_there(dialect: Dialect, columns: &[String], keys: &[Key]) -> String {
    match dialect {
        Dialect::Postgres => listed(columns, keys),
        Dialect::Redshift => {
            // Whole, as it was told: two texts that differ in blanks at their end alone are equal there.
            let keys: Vec<String> = keys.iter().map(|key| dialect.literal(key.as_record())).collect();
            format!("{} IN ({})", portable_key(columns), keys.join(", "))
        }
    }
}

/// Keys, so many at a time as a statement may list.
pub(super) fn in_parts(keys: &[Key]) -> Vec<&[Key]> {
    let (mut parts, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, key) in keys.iter().enumerate() {
        let its = key.as_record().len();
        if at > begin && (at - begin >= KEYS_A_PART || bytes + its > KEYS_BYTES_A_PART) {
            parts.push(&keys[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += its;
    }
    if begin < keys.len() {
        parts.push(&keys[begin..]);
    }
    parts
}

/// A key's values as SQL writes a row.
fn row(key: &Key) -> String {
    let values = key.values();
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), quote_literal);
    format!("({})", values.iter().map(value).collect::<Vec<_>>().join(", "))
}

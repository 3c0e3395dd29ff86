//! Two sorted streams walked through side by side, in memory of one row each.

use futures_util::{Stream, StreamExt};

use super::{Entry, Key};

/// In what two sides differ, from the source's point of view. Rows that share a key are matched as a
/// multiset: equal ones first, then what is left over against each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Rows that the source has and the warehouse has not.
    pub missing: u64,
    /// Rows that the warehouse has and the source has not.
    pub extra: u64,
    /// Rows that the source has and the warehouse need not have yet: see [`super::Look::newer`].
    pub newer: u64,
    /// Rows of one key that have other values.
    pub different: u64,
    /// How many of the missing and the extra rows have a key that is on both sides, there in fewer rows.
    pub doubled: u64,
    /// Of these, extra rows: the warehouse has the key in more rows.
    pub repeated: u64,
    /// Keys of missing rows, each once, up to the limit.
    pub missing_keys: Vec<Key>,
    /// Keys of extra rows, each once, up to the limit.
    pub extra_keys: Vec<Key>,
    /// Of the extra rows' keys those that no row of the source has, up to the limit: a row that is only there
    /// twice is not gone.
    pub gone_keys: Vec<Key>,
    /// Keys of different rows, each once, up to the limit.
    pub different_keys: Vec<Key>,
    /// By the place of a hash: in how many of the different rows it differs. Of rows that share a key
    /// one pair is counted.
    pub differing: Vec<u64>,
}

impl Differences {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0
    }
}

/// Compares two streams, each sorted by [`Entry::order`]. Keeps up to `limit` keys of a kind.
pub async fn merge<E>(
    mut source: impl Stream<Item = Result<Entry, E>> + Unpin,
    mut warehouse: impl Stream<Item = Result<Entry, E>> + Unpin,
    limit: usize,
) -> Result<Differences, E> {
    let mut tally = Tally { limit, found: Differences::default(), open: None };
    let (mut one, mut other) = (source.next().await.transpose()?, warehouse.next().await.transpose()?);
    loop {
        let order = match (&one, &other) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(one), Some(other)) => one.order(other),
        };
        if order.is_le() {
            let entry = std::mem::replace(&mut one, source.next().await.transpose()?);
            tally.add(entry, if order.is_eq() { Met::OnBoth } else { Met::InSource });
        }
        if order.is_ge() {
            let entry = std::mem::replace(&mut other, warehouse.next().await.transpose()?);
            if order.is_gt() {
                tally.add(entry, Met::InWarehouse);
            }
        }
    }
    tally.close();
    Ok(tally.found)
}

#[derive(Clone, Copy)]
enum Met {
    OnBoth,
    InSource,
    InWarehouse,
}

/// What was found so far.
struct Tally {
    limit: usize,
    found: Differences,
    open: Option<OpenKey>,
}

/// The key whose rows come now: all of them come one after the other, from both sides.
struct OpenKey {
    key_hash: i64,
    key: Key,
    on_both: bool,
    newer: u64,
    in_source: Unmatched,
    in_warehouse: Unmatched,
}

/// One side's rows that the other has not.
#[derive(Default)]
struct Unmatched {
    rows: u64,
    first: Vec<i64>,
}

impl Tally {
    fn add(&mut self, entry: Option<Entry>, met: Met) {
        let Some(Entry { key_hash, key, hashes, newer }) = entry else { return };
        if !self.open.as_ref().is_some_and(|open| open.key_hash == key_hash && open.key == key) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| OpenKey {
            key_hash,
            key,
            on_both: false,
            newer: 0,
            in_source: Unmatched::default(),
            in_warehouse: Unmatched::default(),
        });
        let unmatched = match met {
            Met::OnBoth => {
                open.on_both = true;
                return;
            }
            Met::InSource if newer => {
                open.newer += 1;
                return;
            }
            Met::InSource => &mut open.in_source,
            Met::InWarehouse => &mut open.in_warehouse,
        };
        unmatched.rows += 1;
        if unmatched.rows == 1 {
            unmatched.first = hashes;
        }
    }

    /// No more rows of the open key come: what is unmatched on both sides is different, the rest is
    /// missing or extra.
    fn close(&mut self) {
        let Some(OpenKey { key, on_both, newer, in_source, mut in_warehouse, .. }) = self.open.take() else {
            return;
        };
        let (found, limit) = (&mut self.found, self.limit);
        // What such a row was before is no row too many.
        in_warehouse.rows -= newer.min(in_warehouse.rows);
        found.newer += newer;
        let different = in_source.rows.min(in_warehouse.rows);
        let (missing, extra) = (in_source.rows - different, in_warehouse.rows - different);
        found.different += different;
        found.missing += missing;
        found.extra += extra;
        if on_both || different > 0 {
            found.doubled += missing + extra;
            found.repeated += extra;
        }
        if different > 0 {
            found.differing.resize(in_source.first.len().max(found.differing.len()), 0);
            let pairs = in_source.first.iter().zip(&in_warehouse.first);
            for (differing, (one, other)) in found.differing.iter_mut().zip(pairs) {
                *differing += u64::from(one != other);
            }
        }
        let is_gone = !on_both && newer == 0 && in_source.rows == 0;
        let kinds = [
            (if is_gone { extra } else { 0 }, &mut found.gone_keys),
            (different, &mut found.different_keys),
            (missing, &mut found.missing_keys),
            (extra, &mut found.extra_keys),
        ];
        for (rows, keys) in kinds {
            if rows > 0 && keys.len() < limit {
                keys.push(key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;

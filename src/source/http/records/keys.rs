//! Rows that have one key, found in bounded memory however many rows there are.
//!
//! Of each row its key's hash, its own hash and its number are kept: sorted, in temporary files where they are many,
//! and merged at the end. Two keys of one hash (128 bits of SHA-256) do not happen.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use sha2::{Digest, Sha256};

use super::{ColumnType, cell::Cell, number::Number};
use crate::error::{Class, Fault};

/// So many rows are sorted in memory: 4 MB.
const SORTED_IN_MEMORY: usize = 100_000;

/// So many rows may be dropped.
const DROPPED_MAX: usize = 500_000;

/// What becomes of rows that have one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// The same row again is dropped, another one is an error.
    #[default]
    Fail,
    /// The last one is kept.
    Last,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubles {
    /// The numbers of the rows to drop, in their order.
    pub drop: Vec<u64>,
    /// How many of them are the same as the one that is kept.
    pub same: u64,
    /// How many are not.
    pub other: u64,
    /// How many came again within a query, by query.
    pub within: BTreeMap<u64, u64>,
}

/// Rows that cannot be told apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Rows of one key that are not the same.
    #[error(
        "{} ({}) that another row has, and {} not the same",
        if *rows == 1 { "1 row has a key".to_owned() } else { format!("{rows} rows have a key") },
        key.join(", "),
        if *rows == 1 { "is" } else { "are" }
    )]
    Conflict {
        /// The key's columns.
        key: Vec<String>,
        /// How many rows.
        rows: u64,
    },
    /// More rows to drop than can be remembered.
    #[error("more than {max} rows have a key ({}) that another row has", key.join(", "))]
    Many {
        /// The key's columns.
        key: Vec<String>,
        /// How many there may be.
        max: usize,
    },
    /// A temporary file.
    #[error("cannot sort the rows' keys in a temporary file")]
    File {
        /// Why.
        #[from]
        source: io::Error,
    },
}

impl Fault for KeysError {
    fn class(&self) -> Class {
        match self {
            Self::File { .. } => Class::Passing,
            _ => Class::Lasting,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Conflict { .. } => {
                "name all columns of the key in `key`, or say `duplicates = \"last\"`".to_owned()
            }
            Self::Many { .. } => "name all columns of the key in `key`".to_owned(),
            Self::File { .. } => "TMPDIR names the folder of temporary files".to_owned(),
        })
    }
}

/// A row: its key's hash, its number, its own hash. They sort in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: [u8; 16],
    number: u64,
    row: [u8; 16],
}

const ENTRY_BYTES: usize = 40;

/// The keys of a table's rows.
pub struct Keys {
    key: Vec<String>,
    places: Vec<(usize, ColumnType)>,
    duplicates: Duplicates,
    entries: Vec<Entry>,
    in_memory: usize,
    runs: Vec<File>,
}

impl Keys {
    /// `key`: the columns' names; `places`: where they stand in a row and of which type, in the same order.
    pub fn new(key: &[String], places: &[(usize, ColumnType)], duplicates: Duplicates) -> Self {
        Self {
            key: key.to_vec(),
            places: places.to_vec(),
            duplicates,
            entries: Vec::new(),
            in_memory: SORTED_IN_MEMORY,
            runs: Vec::new(),
        }
    }

    /// Takes a row note of, whose number is greater than all before.
    pub fn add(&mut self, number: u64, cells: &[Cell<'_>]) -> Result<(), KeysError> {
        let of_key = self.places.iter().map(|(place, column_type)| {
            let text = cells.get(*place).and_then(Option::as_deref)?;
            Some(as_value(*column_type, text))
        });
        let key = hash(of_key);
        let row = hash(cells.iter().map(|cell| cell.as_deref().map(Cow::from)));
        self.entries.push(Entry { key, number, row });
        match self.entries.len() >= self.in_memory {
            true => self.spill(),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> Result<(), KeysError> {
        self.entries.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for entry in self.entries.drain(..) {
            file.write_all(&entry.key)?;
            file.write_all(&entry.number.to_be_bytes())?;
            file.write_all(&entry.row)?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.runs.push(file);
        Ok(())
    }

    /// Which rows are to be dropped. `query_of`: which query a row came by.
    pub fn finish(mut self, query_of: impl Fn(u64) -> Option<u64>) -> Result<Doubles, KeysError> {
        self.entries.sort_unstable();
        let (mut found, duplicates) = (Doubles::default(), self.duplicates);
        let mut group: Vec<Entry> = Vec::new();
        let mut end_of = |group: &mut Vec<Entry>| {
            if let [first, rest @ ..] = group.as_slice() {
                let last = rest.last().unwrap_or(first);
                let kept = if duplicates == Duplicates::Last { last } else { first };
                // They stand in the order of their numbers, and so of their queries.
                for pair in group.windows(2) {
                    let [one, two] = [pair[0], pair[1]].map(|entry| query_of(entry.number));
                    if let Some(query) = one.filter(|_| one == two) {
                        *found.within.entry(query).or_default() += 1;
                    }
                }
                for entry in group.iter().filter(|entry| entry.number != kept.number) {
                    *(if entry.row == kept.row { &mut found.same } else { &mut found.other }) += 1;
                    found.drop.push(entry.number);
                }
            }
            group.clear();
            found.drop.len()
        };
        let mut merge = Merge::new(std::mem::take(&mut self.runs), std::mem::take(&mut self.entries))?;
        while let Some(entry) = merge.next()? {
            if group.last().is_some_and(|last| last.key != entry.key) && end_of(&mut group) > DROPPED_MAX
                || group.len() > DROPPED_MAX
            {
                return Err(KeysError::Many { key: self.key, max: DROPPED_MAX });
            }
            group.push(entry);
        }
        end_of(&mut group);
        if found.other > 0 && duplicates == Duplicates::Fail {
            return Err(KeysError::Conflict { key: self.key, rows: found.other });
        }
        found.drop.sort_unstable();
        Ok(found)
    }
}

/// A value's one text: numbers that are written otherwise are the same key to a warehouse.
fn as_value(column_type: ColumnType, text: &str) -> Cow<'_, str> {
    match column_type {
        ColumnType::Numeric(_) => Number::read(text).map_or(text.into(), |number| number.plain().into()),
        // Nought has two signs and one value.
        ColumnType::Double => {
            text.parse().map_or(text.into(), |number: f64| (number + 0.0).to_string().into())
        }
        _ => text.into(),
    }
}

/// NULL is another value than any text.
fn hash<'a>(cells: impl Iterator<Item = Option<Cow<'a, str>>>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for cell in cells {
        let text = cell.as_deref().unwrap_or_default();
        hash.update([u8::from(cell.is_some())]);
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

/// The entries of all runs, sorted.
struct Merge {
    runs: Vec<BufReader<File>>,
    /// The next one of each run; the last run is in memory.
    heads: BinaryHeap<Reverse<(Entry, usize)>>,
    memory: std::vec::IntoIter<Entry>,
}

impl Merge {
    fn new(runs: Vec<File>, memory: Vec<Entry>) -> Result<Self, KeysError> {
        let runs: Vec<BufReader<File>> = runs.into_iter().map(BufReader::new).collect();
        let count = runs.len();
        let mut merge = Self { runs, heads: BinaryHeap::new(), memory: memory.into_iter() };
        for run in 0..=count {
            merge.refill(run)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, run: usize) -> Result<(), KeysError> {
        let next = match self.runs.get_mut(run) {
            Some(file) => read(file)?,
            None => self.memory.next(),
        };
        self.heads.extend(next.map(|entry| Reverse((entry, run))));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Entry>, KeysError> {
        let Some(Reverse((entry, run))) = self.heads.pop() else { return Ok(None) };
        self.refill(run)?;
        Ok(Some(entry))
    }
}

fn read(file: &mut BufReader<File>) -> Result<Option<Entry>, KeysError> {
    let mut bytes = [0; ENTRY_BYTES];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut entry = Entry { key: [0; 16], number: 0, row: [0; 16] };
    let mut number = [0; 8];
    entry.key.copy_from_slice(&bytes[..16]);
    number.copy_from_slice(&bytes[16..24]);
    entry.number = u64::from_be_bytes(number);
    entry.row.copy_from_slice(&bytes[24..]);
    Ok(Some(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        rows: &[(Option<&str>, &str)],
        duplicates: Duplicates,
        in_memory: usize,
    ) -> Result<Doubles, KeysError> {
        let mut keys = Keys {
            in_memory,
            ..Keys::new(&["id".to_owned()], &[(0, ColumnType::Numeric(None))], duplicates)
        };
        for (number, (id, note)) in (0..).zip(rows) {
            keys.add(number, &[id.map(Into::into), Some((*note).into())])?;
        }
        keys.finish(|number| Some(number / 4))
    }

    const ROWS: [(Option<&str>, &str); 7] = [
        (Some("1"), "a"),
        (Some("2"), "b"),
        (Some("1"), "a"),
        (Some(""), "c"),
        (None, "c"),
        (Some("2"), "b"),
        (Some("2"), "b"),
    ];

    #[test]
    fn the_same_row_again_is_dropped() {
        for in_memory in [1, 2, 3, 100] {
            let doubles = found(&ROWS, Duplicates::Fail, in_memory).expect("they are the same");
            assert_eq!(
                doubles,
                Doubles { drop: vec![2, 5, 6], same: 3, other: 0, within: BTreeMap::from([(0, 1), (1, 1)]) },
                "{in_memory}"
            );
            let last = found(&ROWS, Duplicates::Last, in_memory).expect("the last one is kept");
            assert_eq!(last.drop, [0, 1, 5], "{in_memory}");
        }
    }

    #[test]
    fn another_row_of_the_same_key_is_an_error_or_the_last_one() {
        let rows = [(Some("1"), "a"), (Some("1"), "b"), (Some("2"), "c")];
        let error = found(&rows, Duplicates::Fail, 2).unwrap_err();
        assert_eq!(error.to_string(), "1 row has a key (id) that another row has, and is not the same");
        assert_eq!(
            found(&rows, Duplicates::Last, 2).unwrap(),
            Doubles { drop: vec![0], same: 0, other: 1, within: BTreeMap::from([(0, 1)]) }
        );
    }

    #[test]
    fn a_number_is_the_same_key_however_it_is_written() {
        let rows = [
            (Some("1"), "a"),
            (Some("1.0"), "a"),
            (Some("10e-1"), "a"),
            (Some("-1"), "a"),
            (Some("1.01"), "a"),
        ];
        assert_eq!(found(&rows, Duplicates::Last, 2).unwrap().drop, [0, 1]);
        assert_eq!(as_value(ColumnType::Double, "-0.0"), as_value(ColumnType::Double, "0"));
        assert_ne!(as_value(ColumnType::Text, "1.0"), as_value(ColumnType::Text, "1"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_spilled_the_same_is_found(ids in proptest::collection::vec(0_u8..20, 0..60), in_memory in 1_usize..20) {
            let texts: Vec<String> = ids.iter().map(u8::to_string).collect();
            let rows: Vec<(Option<&str>, &str)> = texts.iter().map(|id| (Some(id.as_str()), "x")).collect();
            let slow: Vec<u64> = (0..).zip(&ids).filter(|(at, id)| ids[..usize::try_from(*at).unwrap()].contains(id)).map(|(at, _)| at).collect();
            proptest::prop_assert_eq!(found(&rows, Duplicates::Fail, in_memory).unwrap().drop, slow);
        }
    }
}

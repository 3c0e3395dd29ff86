use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use futures_util::{FutureExt, stream};
use proptest::prelude::*;

use super::*;

/// A row: its key and its hash. Keys that share a hash are part of the game.
type Row = (u8, i64);

fn entries(rows: &[Row]) -> impl Stream<Item = Result<Entry, Infallible>> + Unpin + use<> {
    let entry = |&(key, hash): &Row| Entry {
        key_hash: i64::from(key / 2),
        key: Key::new(format!("({key})")),
        hashes: vec![hash, 7],
        newer: false,
    };
    let mut entries: Vec<Entry> = rows.iter().map(entry).collect();
    entries.sort_by(Entry::order);
    stream::iter(entries.into_iter().map(Ok))
}

fn merged(source: &[Row], warehouse: &[Row], limit: usize) -> Differences {
    let merged = merge(entries(source), entries(warehouse), limit).now_or_never();
    merged.expect("streams in memory never wait").expect("nor fail")
}

fn count(rows: &[Row], row: Row) -> u64 {
    rows.iter().filter(|other| **other == row).count() as u64
}

/// By the definition: for each key what is left after equal rows are taken away from both sides.
fn by_hand(source: &[Row], warehouse: &[Row]) -> (Differences, BTreeMap<&'static str, BTreeSet<u8>>) {
    let mut found = Differences::default();
    let mut keys: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
    let all: BTreeSet<Row> = source.iter().chain(warehouse).copied().collect();
    for key in all.iter().map(|row| row.0).collect::<BTreeSet<u8>>() {
        let (mut here, mut there, mut both) = (0, 0, 0);
        for row in all.iter().filter(|row| row.0 == key) {
            let (one, other) = (count(source, *row), count(warehouse, *row));
            here += one - one.min(other);
            there += other - one.min(other);
            both += one.min(other);
        }
        let different = u64::min(here, there);
        found.different += different;
        found.missing += here - different;
        found.extra += there - different;
        if both + different > 0 {
            found.doubled += here + there - 2 * different;
        }
        let gone = if both == 0 && here == 0 { there } else { 0 };
        for (kind, rows) in [
            ("missing", here - different),
            ("extra", there - different),
            ("different", different),
            ("gone", gone),
        ] {
            if rows > 0 {
                keys.entry(kind).or_default().insert(key);
            }
        }
    }
    (found, keys)
}

fn key_set(keys: &[Key]) -> BTreeSet<u8> {
    let set: BTreeSet<u8> =
        keys.iter().map(|key| key.values()[0].as_deref().unwrap().parse().unwrap()).collect();
    assert_eq!(set.len(), keys.len(), "each key once");
    set
}

proptest! {
    #[test]
    fn differences_are_those_of_the_definition(
        source in prop::collection::vec((0_u8..12, 0_i64..4), 0..40),
        warehouse in prop::collection::vec((0_u8..12, 0_i64..4), 0..40),
    ) {
        let found = merged(&source, &warehouse, usize::MAX);
        let (expected, keys) = by_hand(&source, &warehouse);
        let counts = |found: &Differences| (found.missing, found.extra, found.different, found.doubled);
        prop_assert_eq!(counts(&found), counts(&expected));
        let kinds = [("missing", &found.missing_keys), ("extra", &found.extra_keys), ("different", &found.different_keys), ("gone", &found.gone_keys)];
        for (kind, found) in kinds {
            prop_assert_eq!(key_set(found), keys.get(kind).cloned().unwrap_or_default());
        }
        // The second hash is the same in all rows, the first differs in each pair.
        prop_assert_eq!(found.differing.first().copied().unwrap_or(0), found.different_keys.len() as u64);
        prop_assert_eq!(found.differing.get(1).copied().unwrap_or(0), 0);
        prop_assert!(merged(&source, &source, 9).is_none());
    }
}

#[test]
fn a_row_more_of_a_key_is_doubled_and_one_of_other_values_different() {
    let found = merged(&[(1, 1), (2, 1), (3, 1), (4, 1)], &[(1, 1), (1, 1), (2, 9), (4, 1), (5, 1)], 9);
    assert_eq!((found.missing, found.extra, found.different, found.doubled), (1, 2, 1, 1));
    assert_eq!(found.differing, [1, 0]);
}

#[test]
fn newer_rows_and_what_they_were_before_are_no_differences() {
    let newer = |row| {
        let newer = |entry: Result<Entry, Infallible>| entry.map(|entry| Entry { newer: true, ..entry });
        entries(&[row]).map(newer)
    };
    let cases: [(Row, &[Row], [u64; 3]); 4] = [
        ((1, 1), &[], [0, 0, 1]),
        ((1, 1), &[(1, 2)], [0, 0, 1]),
        ((1, 1), &[(1, 1)], [0, 0, 0]),
        ((1, 1), &[(1, 2), (1, 3)], [0, 1, 1]),
    ];
    for (row, warehouse, [missing, extra, newer_rows]) in cases {
        let found = merge(newer(row), entries(warehouse), 9).now_or_never();
        let found = found.expect("streams in memory never wait").expect("nor fail");
        assert_eq!((found.missing, found.extra, found.newer), (missing, extra, newer_rows), "{warehouse:?}");
        assert_eq!(found.different, 0);
    }
}

#[test]
fn no_more_keys_are_kept_than_asked_for_and_all_are_counted() {
    let rows: Vec<Row> = (0..100).map(|key| (key, 0)).collect();
    let found = merged(&rows, &[], 3);
    assert_eq!((found.missing, found.missing_keys.len()), (100, 3));
}

#[test]
fn an_error_of_either_side_ends_it() {
    let failing = || stream::iter([Err::<Entry, &str>("broken")]);
    let none = || stream::iter(Vec::<Result<Entry, &str>>::new());
    assert_eq!(merge(failing(), none(), 1).now_or_never(), Some(Err("broken")));
    assert_eq!(merge(none(), failing(), 1).now_or_never(), Some(Err("broken")));
}

//! Whether two tables hold the same rows, and which ones differ.
//!
//! Each side hashes its rows itself: a total first, then, where the totals differ, one sum for each
//! bucket of keys, and of the buckets that differ the rows' hashes in one order, which [`merge`] walks
//! through once. Rows that are equal on both sides never leave their server. What is hashed is text as
//! COPY would write it under the same session settings, so that a value is equal only if it is the same
//! to the last digit.
//!
//! Opens no connection: [`Side`] is what a source's snapshot and a warehouse offer; `load` asks both.

use std::cmp::Ordering;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

mod key;
mod merge;
pub mod postgres;

pub use self::{
    key::Key,
    merge::{Differences, merge},
};
use crate::{error::Fault, sql::TableName};

/// Any error of a side, with its class and hint.
pub type SideError = Box<dyn Fault + Send + Sync>;

/// Rows in one order, on their way from one side.
pub type Entries<'a> = BoxStream<'a, Result<Entry, SideError>>;

/// What to look at on one side: SQL expressions over the table's own columns. Those of the two sides
/// correspond one by one, and give the same text for the same value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The table.
    pub table: TableName,
    /// What tells rows apart. Rows may share a key: a table without one has all its columns here, and
    /// is compared as a multiset.
    pub key: Vec<String>,
    /// What else is compared; empty: the key alone.
    pub row: Vec<String>,
    /// Which rows: a SQL condition, or all.
    pub condition: Option<String>,
    /// Rows that the other side need not have yet: a SQL condition, or none. Looked at on the source.
    pub newer: Option<String>,
}

/// How text is hashed to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// By Postgres' own `hashtextextended`: fast; the same on all servers of one byte order, for text
    /// in one encoding.
    Extended,
    /// By the first half of its MD5 in UTF-8: the same everywhere.
    Md5,
}

impl Hash {
    /// The fastest one that both sides compute alike: see [`Side::fingerprint`].
    pub fn agreed(one: Option<i64>, other: Option<i64>) -> Self {
        if one.is_some() && one == other { Self::Extended } else { Self::Md5 }
    }
}

/// A key as both sides of a comparison by MD5 write it, in SQL that PostgreSQL and Redshift read: as
/// [`Key`] has it, every value in quotes.
pub fn portable_key(expressions: &[String]) -> String {
    // Redshift reads a backslash in a string as an escape, and PostgreSQL does not.
    let quoted = |expression: &String| {
        format!(
            "coalesce(chr(34) || replace(replace(({expression})::varchar, chr(92), chr(92) || chr(92)), chr(34), \
             chr(34) || chr(34)) || chr(34), '')"
        )
    };
    let values: Vec<String> = expressions.iter().map(quoted).collect();
    format!("'(' || {} || ')'", values.join(" || ',' || "))
}

/// The MD5 of a row's values, in SQL that PostgreSQL and Redshift read; `md5` makes that of one value's text
/// in UTF-8. Of each value first, so that the whole stays short, NULL is no text and nothing runs into its
/// neighbour.
pub fn portable_md5(expressions: &[String], md5: impl Fn(&str) -> String) -> String {
    let value = |expression: &String| format!("coalesce({}, '-')", md5(&format!("({expression})")));
    let values: Vec<String> = expressions.iter().map(value).collect();
    format!("md5({})", values.join(" || "))
}

/// Rows and the sum of their hashes, in whatever order they were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub rows: u64,
    /// A whole number of any size, in digits.
    pub sum: String,
}

/// The total of the rows whose key's hash ends in one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its number.
    pub number: u32,
    /// What is in it; a bucket without rows is left out.
    pub total: Total,
}

/// How a table's rows are spread over buckets, and which of these are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// How many buckets there are: a power of two.
    pub of: u32,
    /// The wanted ones.
    pub numbers: Vec<u32>,
}

/// How finely rows are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One hash a row, over the key and [`Look::row`].
    Row,
    /// One hash for each expression of [`Look::row`].
    Columns,
}

/// One row, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The hash of the key.
    pub key_hash: i64,
    /// The key.
    pub key: Key,
    /// The row's hashes: see [`Detail`].
    pub hashes: Vec<i64>,
    /// See [`Look::newer`].
    pub newer: bool,
}

impl Entry {
    /// The order in which both sides send their rows.
    pub fn order(&self, other: &Self) -> Ordering {
        self.key_hash
            .cmp(&other.key_hash)
            .then_with(|| self.key.cmp(&other.key))
            .then_with(|| self.hashes.cmp(&other.hashes))
    }
}

/// One side's table at one moment, on one connection. Dropped, it stops what its server is doing.
#[async_trait]
pub trait Side: Send {
    /// What the server's `hashtextextended` makes of a known text; `None` where it cannot serve.
    fn fingerprint(&self) -> Option<i64>;

    /// The total of all rows.
    async fn total(&mut self, hash: Hash) -> Result<Total, SideError>;

    /// The totals of `of` buckets, a power of two, by their numbers.
    async fn buckets(&mut self, hash: Hash, of: u32) -> Result<Vec<Bucket>, SideError>;

    /// The rows of some buckets, sorted. The stream's end vouches for all of them.
    async fn entries(
        &mut self,
        hash: Hash,
        chosen: &Chosen,
        detail: Detail,
    ) -> Result<Entries<'_>, SideError>;

    /// Lets the table and the connection go.
    async fn close(self: Box<Self>) -> Result<(), SideError>;
}

/// Rows that share a bucket, about: a difference costs reading so many rows' hashes.
const ROWS_A_BUCKET: u64 = 256;

/// Buckets at most: so many sums a server keeps in its memory without a thought.
const BUCKETS_MAX: u64 = 16_384;

/// How many buckets a table of so many rows has.
pub fn buckets_for(rows: u64) -> u32 {
    let wanted = (rows / ROWS_A_BUCKET).clamp(1, BUCKETS_MAX).next_power_of_two();
    u32::try_from(wanted).unwrap_or(1)
}

/// The buckets in which two sides differ; both are in the order of their numbers.
pub fn differing(of: u32, one: &[Bucket], other: &[Bucket]) -> Chosen {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut numbers = Vec::new();
    loop {
        let number = match (one.peek(), other.peek()) {
            (None, None) => return Chosen { of, numbers },
            (Some(bucket), None) | (None, Some(bucket)) => bucket.number,
            (Some(one), Some(other)) => one.number.min(other.number),
        };
        let is_it = |bucket: &&Bucket| bucket.number == number;
        if one.next_if(is_it) != other.next_if(is_it) {
            numbers.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(number: u32, rows: u64, sum: &str) -> Bucket {
        Bucket { number, total: Total { rows, sum: sum.into() } }
    }

    #[test]
    fn buckets_differ_by_rows_by_sum_or_by_not_being_there() {
        let one = [bucket(0, 1, "5"), bucket(1, 2, "7"), bucket(3, 1, "1"), bucket(4, 1, "1")];
        let other = [bucket(0, 1, "5"), bucket(2, 2, "7"), bucket(3, 2, "1"), bucket(4, 1, "-1")];
        assert_eq!(differing(8, &one, &other), Chosen { of: 8, numbers: vec![1, 2, 3, 4] });
        assert_eq!(differing(8, &one, &one).numbers, Vec::<u32>::new());
        assert_eq!(differing(8, &[], &other[..1]).numbers, [0]);
    }

    #[test]
    fn there_is_a_power_of_two_of_buckets() {
        let counts = [0, 1, 256, 10_000, 5_000_000, u64::MAX].map(buckets_for);
        assert_eq!(counts, [1, 1, 1, 64, 16_384, 16_384]);
    }

    #[test]
    fn servers_that_hash_differently_take_what_is_the_same_everywhere() {
        assert_eq!(Hash::agreed(Some(1), Some(1)), Hash::Extended);
        for (one, other) in [(Some(1), Some(2)), (None, Some(1)), (None, None)] {
            assert_eq!(Hash::agreed(one, other), Hash::Md5);
        }
    }
}

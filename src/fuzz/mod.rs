//! Fuzz tests, compiled for tests alone: wherever a text of somebody else's is read, hostile ones are made of a kept
//! corpus, `tests/corpus/<target>`, for `BARNCAT_FUZZ_SECONDS` (0: the corpus alone) seconds a target; `make fuzz` says how many.
//!
//! A target takes any bytes. It must neither panic nor hang, and holds what its head says. What it answers is
//! [`outcome`] of what became of the input: one with a new outcome is kept in memory and changed further, so that
//! inputs come deep without instrumented builds.

mod driver;
mod identifiers;
mod manifest;
mod model;
mod project;
mod records;
mod references;
mod slack;
mod url;

use std::hash::{DefaultHasher, Hash, Hasher};

use driver::fuzz;

/// What must not be seen in an error: it stands in the corpus where passwords and rows' values stand.
const SECRET: &str = "hunter2";

/// A text's kind: without what it quotes and without digits.
fn outcome(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let plain = text.split(['`', '"', '\'']).step_by(2);
    let words = plain.flat_map(|piece| piece.split(|letter: char| !letter.is_alphabetic()));
    words.filter(|word| !word.is_empty()).for_each(|word| word.hash(&mut hasher));
    hasher.finish()
}

/// The pieces of an input that stand between NULs, always so many: a mutation may join two, or part one.
fn pieces<const COUNT: usize>(input: &[u8]) -> [String; COUNT] {
    let mut pieces = input.split(|byte| *byte == 0).map(|piece| String::from_utf8_lossy(piece).into_owned());
    std::array::from_fn(|_| pieces.next().unwrap_or_default())
}

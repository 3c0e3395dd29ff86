//! Values that a warehouse cannot hold: of which kinds they are, and what becomes of them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What becomes of a value that the warehouse cannot hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnfitPolicy {
    /// The load fails.
    #[default]
    Fail,
    /// NULL arrives in its place.
    Null,
    /// The nearest value that fits arrives in its place.
    Clamp,
    /// The whole column arrives as text, in which each value fits.
    Text,
    /// As much of its beginning arrives as fits.
    Truncate,
}

impl UnfitPolicy {
    /// All of them, by the words of the setting.
    pub const WORDS: [(&str, Self); 5] = [
        ("fail", Self::Fail),
        ("null", Self::Null),
        ("clamp", Self::Clamp),
        ("text", Self::Text),
        ("truncate", Self::Truncate),
    ];
}

impl fmt::Display for UnfitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, policy)| policy == self);
        f.write_str(word.map_or("fail", |(word, _)| word))
    }
}

/// The setting `unfit` of one loader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnfitPolicies {
    /// Of every column whose type and key allow it.
    pub all: UnfitPolicy,
    /// Of these columns.
    pub columns: BTreeMap<String, UnfitPolicy>,
}

/// In what way a value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnfitKind {
    /// NaN.
    Nan,
    /// Infinite, or a number with more digits before the point than there is room for.
    TooLarge,
    /// A number with more digits behind the point.
    TooFine {
        /// How many there may be.
        decimals: u32,
    },
    /// A date or time that is infinite, before the year 1 or after 9999.
    FarDate,
    /// More bytes than the column holds.
    TooLong {
        /// How many it holds.
        bytes_max: u32,
    },
    /// JSON in which one string is too long.
    LongString,
    /// JSON with an escaped NUL, which no text can hold.
    EscapedNul,
    /// No bytes at all: CSV cannot tell them from NULL.
    NoBytes,
}

impl fmt::Display for UnfitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nan => f.write_str("NaN"),
            Self::TooLarge => f.write_str("infinite or too large"),
            Self::TooFine { decimals } => write!(f, "more than {decimals} decimals"),
            Self::FarDate => f.write_str("infinite, before the year 1 or after 9999"),
            Self::TooLong { bytes_max } => write!(f, "more than {bytes_max} bytes"),
            Self::LongString => f.write_str("JSON with a string of more than 65535 bytes"),
            Self::EscapedNul => f.write_str("JSON with \\u0000"),
            Self::NoBytes => f.write_str("an empty bytea, which CSV cannot tell from NULL"),
        }
    }
}

/// One kind of value in one column that the warehouse cannot hold. The source counts them while it
/// sends the rows, under the number that is the place of this in [`super::Shape::unfit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The column's name in the source.
    pub column: String,
    /// Its type there.
    pub sql_type: String,
    /// In what way they do not fit.
    pub kind: UnfitKind,
    /// What becomes of them.
    pub policy: UnfitPolicy,
    /// What else could: words of the setting.
    pub allowed: Vec<UnfitPolicy>,
}

/// How often a policy was used in one load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfitUse {
    /// The column's name in the source.
    pub column: String,
    /// In what way its values did not fit, in words.
    pub kind: String,
    /// What became of them.
    pub policy: UnfitPolicy,
    /// How many there were.
    pub values: u64,
}

impl fmt::Display for UnfitUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, kind, policy, values } = self;
        let became = match policy {
            UnfitPolicy::Fail => "not loaded",
            UnfitPolicy::Null => "loaded as NULL",
            UnfitPolicy::Clamp => "loaded as the nearest that fits",
            UnfitPolicy::Text => "loaded as text",
            UnfitPolicy::Truncate => "cut",
        };
        let noun = if *values == 1 { "value" } else { "values" };
        write!(f, "{values} {noun} of `{column}` {became}: {kind}")
    }
}

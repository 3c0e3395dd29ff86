//! What a loader's row can choose by a word.

/// How a loader brings rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The whole table, each time.
    Full,
    /// New rows, by the cursor.
    Append,
    /// New and changed rows, by cursor and key.
    Merge,
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Append => "append",
            Self::Merge => "merge",
        })
    }
}

/// How a load is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishChoice {
    /// By swap, and by replace where a swap would lose something.
    Auto,
    /// By swap, or not at all.
    Swap,
    /// By replace, or not at all.
    Replace,
}

/// What to do when the source's schema changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSchemaChange {
    /// Load the table anew.
    Rebuild,
    /// Add new nullable columns in place.
    Extend,
    /// Keep the last good table.
    Refuse,
}

/// What to do about a view that cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBrokenView {
    /// Refuse the publish.
    Refuse,
    /// Drop the view, with a warning.
    Drop,
}

//! What tells whether a value may be one that does not fit, in so cheap a way that each value can be asked.

use super::Arrival;

/// SQL's `$c` stands for the column; NULL and false say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Suspect {
    /// Where this is true.
    Is(String),
    /// Where it is below the first or above the last; NaN is above all.
    Outside {
        /// The first that fits.
        first: String,
        /// The last that fits.
        last: String,
    },
    /// Where it is NaN, the only `numeric` that a declared precision does not bound.
    Nan,
    /// Where this is true, which it never is in a row of no more than `VARCHAR_BYTES_MAX` bytes of CSV.
    Long {
        /// SQL.
        is: String,
        /// What is too long in it.
        kind: LongKind,
    },
}

/// What of a value is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongKind {
    /// All of it.
    Text,
    /// A string in it, which is JSON.
    JsonString,
}

/// NaN is written in six bytes at most, with the longer of the two headers. Whoever is larger need not be
/// unpacked to be compared.
const NAN_BYTES_MAX: u32 = 6;

impl Default for Suspect {
    fn default() -> Self {
        Self::Is(String::new())
    }
}

impl<T: Into<String>> From<T> for Suspect {
    fn from(is: T) -> Self {
        Self::Is(is.into())
    }
}

impl Suspect {
    /// As SQL over one column.
    pub(super) fn sql(&self) -> String {
        match self {
            Self::Is(is) | Self::Long { is, .. } => is.clone(),
            Self::Outside { first, last } => format!("$c < {first} OR $c > {last}"),
            Self::Nan => format!(
                "CASE WHEN pg_catalog.pg_column_size($c) > {NAN_BYTES_MAX} THEN false ELSE $c = 'NaN' END"
            ),
        }
    }

    /// As SQL over several columns, which are written as SQL has them: whether one of them may be such a value.
    /// `None`: they are not asked together.
    pub(super) fn of_any(&self, columns: &[String]) -> Option<String> {
        if let [column] = columns {
            return Some(self.sql().replace("$c", column));
        }
        let all = columns.join(", ");
        match self {
            Self::Is(_) | Self::Long { .. } => None,
            // Both leave NULLs out.
            Self::Outside { first, last } => {
                Some(format!("least({all}) < {first} OR greatest({all}) > {last}"))
            }
            Self::Nan => {
                let sizes: Vec<String> =
                    columns.iter().map(|column| format!("pg_catalog.pg_column_size({column})")).collect();
                let sizes = sizes.join(", ");
                Some(format!("least({sizes}) <= {NAN_BYTES_MAX} AND greatest({all}) = 'NaN'"))
            }
        }
    }
}

impl Arrival {
    /// What of the column may be too long, where that is known of a row before its values are looked at.
    pub(in crate::schema) fn long(&self) -> Option<LongKind> {
        match &self.suspect {
            Suspect::Long { kind, .. } => Some(*kind),
            _ => None,
        }
    }
}

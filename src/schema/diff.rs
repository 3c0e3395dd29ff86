//! What changed between two states of a table, as data and in words.

use std::fmt;

use super::{Column, Generated, TableSchema, TypeKind};

/// One change. Columns are named as they are now, unless they are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A column is new.
    Added(Column),
    /// A column is gone.
    Dropped(Column),
    /// A column has another name: the same attribute number and type.
    Renamed {
        /// Its old name.
        from: String,
        /// Its new one.
        to: String,
    },
    /// A column has another type, or another modifier, or is hashed now.
    Retyped {
        /// The column.
        column: String,
        /// Its old type, in SQL.
        from: String,
        /// Its new one.
        to: String,
    },
    /// A type has the same name and is made of something else: a domain's base, a row type's
    /// attributes, the labels of an enum within them.
    Redefined {
        /// The column.
        column: String,
        /// Its type, in SQL.
        sql: String,
    },
    /// An enum, or the enum that an array is of, has other labels.
    LabelsChanged {
        /// The column.
        column: String,
        /// Labels that are new.
        added: Vec<String>,
        /// Labels that are gone.
        removed: Vec<String>,
    },
    /// NULL is allowed now, or not any more.
    NullabilityChanged {
        /// The column.
        column: String,
        /// Whether it is allowed now.
        nullable: bool,
    },
    /// The server computes the column now, or does not any more.
    GenerationChanged {
        /// The column.
        column: String,
        /// How it is computed now.
        now: Generated,
    },
    /// The primary key is another one.
    KeyChanged {
        /// Its columns before, by their names of today.
        from: Vec<String>,
        /// Its columns now.
        to: Vec<String>,
    },
    /// The columns that were there before stand in another order.
    Reordered,
    /// A column was dropped and one of its name added: its values need not be those of before.
    MadeAnew {
        /// The column.
        column: String,
    },
}

/// All that changed from `old` to `new`; empty exactly where their hashes are equal.
pub fn diff(old: &TableSchema, new: &TableSchema) -> Vec<Change> {
    let pairs: Vec<(&Column, &Column)> =
        old.columns.iter().filter_map(|before| Some((before, successor(before, old, new)?))).collect();
    let mut changes = Vec::new();
    for column in &new.columns {
        match pairs.iter().find(|(_, after)| after.name == column.name) {
            Some((before, after)) => compare(before, after, &mut changes),
            None => changes.push(Change::Added(column.clone())),
        }
    }
    for column in &old.columns {
        if !pairs.iter().any(|(before, _)| before.name == column.name) {
            changes.push(Change::Dropped(column.clone()));
        }
    }
    if is_reordered(&pairs, new) {
        changes.push(Change::Reordered);
    }
    let name_today = |name: &String| {
        pairs.iter().find(|(before, _)| before.name == *name).map_or(name, |(_, after)| &after.name).clone()
    };
    let key_before: Vec<String> = old.key.iter().map(name_today).collect();
    if key_before != new.key {
        changes.push(Change::KeyChanged { from: key_before, to: new.key.clone() });
    }
    changes
}

/// Columns that look the same and are others: dropped and added anew. Told by their numbers, which mean
/// something only as long as the table is the same one.
pub fn made_anew(old: &TableSchema, new: &TableSchema) -> Vec<Change> {
    let is_other = |now: &&Column| old.column(&now.name).is_some_and(|before| before.number != now.number);
    new.columns.iter().filter(is_other).map(|now| Change::MadeAnew { column: now.name.clone() }).collect()
}

/// The changes in one line: "column `tip` was added; the columns stand in another order".
pub fn in_words(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What became of a column: the one of its name; else the one of its number and type, if its name
/// is new.
fn successor<'a>(before: &Column, old: &TableSchema, new: &'a TableSchema) -> Option<&'a Column> {
    new.column(&before.name).or_else(|| {
        new.columns.iter().find(|after| {
            after.number == before.number
                && after.column_type == before.column_type
                && old.column(&after.name).is_none()
        })
    })
}

fn is_reordered(pairs: &[(&Column, &Column)], new: &TableSchema) -> bool {
    let place = |name: &str| new.columns.iter().position(|column| column.name == name);
    !pairs.is_sorted_by_key(|(_, after)| place(&after.name))
}

fn compare(before: &Column, after: &Column, changes: &mut Vec<Change>) {
    let column = || after.name.clone();
    if before.name != after.name {
        changes.push(Change::Renamed { from: before.name.clone(), to: column() });
    }
    if before.column_type.sql != after.column_type.sql {
        let from = before.column_type.sql.clone();
        changes.push(Change::Retyped { column: column(), from, to: after.column_type.sql.clone() });
    } else if before.column_type != after.column_type {
        changes.push(made_of_something_else(before, after));
    }
    if before.nullable != after.nullable {
        changes.push(Change::NullabilityChanged { column: column(), nullable: after.nullable });
    }
    if before.generated != after.generated {
        changes.push(Change::GenerationChanged { column: column(), now: after.generated });
    }
}

fn made_of_something_else(before: &Column, after: &Column) -> Change {
    match (labels(&before.column_type.kind), labels(&after.column_type.kind)) {
        (Some(old), Some(new)) => {
            let missing_in = |these: &[String], from: &[String]| -> Vec<String> {
                from.iter().filter(|label| !these.contains(label)).cloned().collect()
            };
            let (added, removed) = (missing_in(old, new), missing_in(new, old));
            Change::LabelsChanged { column: after.name.clone(), added, removed }
        }
        _ => Change::Redefined { column: after.name.clone(), sql: after.column_type.sql.clone() },
    }
}

fn labels(kind: &TypeKind) -> Option<&[String]> {
    match kind {
        TypeKind::Enum { labels } => Some(labels),
        TypeKind::Array { element } => labels(&element.kind),
        _ => None,
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(column) => write!(f, "column `{}` was added", column.name),
            Self::Dropped(column) => write!(f, "column `{}` was dropped", column.name),
            Self::Renamed { from, to } => write!(f, "column `{from}` was renamed to `{to}`"),
            Self::Retyped { column, from, to } => {
                write!(f, "column `{column}` changed from {from} to {to}")
            }
            Self::Redefined { column, sql } => {
                write!(f, "the type {sql} of column `{column}` was defined anew")
            }
            Self::LabelsChanged { column, added, removed } => fmt_labels(f, column, added, removed),
            Self::NullabilityChanged { column, nullable: true } => {
                write!(f, "column `{column}` allows NULL now")
            }
            Self::NullabilityChanged { column, nullable: false } => {
                write!(f, "column `{column}` does not allow NULL any more")
            }
            Self::GenerationChanged { column, now } => match now {
                Generated::No => write!(f, "column `{column}` is an ordinary one now"),
                Generated::Stored => write!(f, "column `{column}` is generated now"),
                Generated::Identity => write!(f, "column `{column}` is an identity now"),
            },
            Self::KeyChanged { from, to } => {
                write!(f, "the key changed from {} to {}", key_in_words(from), key_in_words(to))
            }
            Self::Reordered => f.write_str("the columns stand in another order"),
            Self::MadeAnew { column } => write!(f, "column `{column}` was dropped and added anew"),
        }
    }
}

fn fmt_labels(f: &mut fmt::Formatter<'_>, column: &str, added: &[String], removed: &[String]) -> fmt::Result {
    write!(f, "the labels of column `{column}` changed")?;
    match (added, removed) {
        ([], []) => f.write_str(": they stand in another order"),
        (added, []) => write!(f, ": {} added", quoted(added)),
        ([], removed) => write!(f, ": {} removed", quoted(removed)),
        (added, removed) => write!(f, ": {} added, {} removed", quoted(added), quoted(removed)),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn key_in_words(key: &[String]) -> String {
    if key.is_empty() { "none".to_owned() } else { format!("({})", quoted(key)) }
}

#[cfg(test)]
mod tests;

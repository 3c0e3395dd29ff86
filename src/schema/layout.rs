//! How Redshift lays a table's rows out: distribution, sort key, encodings, backups.

use std::{collections::BTreeMap, fmt};

use super::{ShapeError, ShapedColumn, TableSchema, selection::nearest, types::redshift::folded};
use crate::sql::TableName;

/// The encodings of Redshift's columns ("Compression encodings" in its Database Developer Guide).
pub const ENCODINGS: [&str; 13] = [
    "raw",
    "az64",
    "bytedict",
    "delta",
    "delta32k",
    "lzo",
    "mostly8",
    "mostly16",
    "mostly32",
    "runlength",
    "text255",
    "text32k",
    "zstd",
];

/// A layout, or what is said of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// How rows are spread over the slices.
    pub dist: Option<Dist>,
    /// In which order they lie.
    pub sort: Option<Sort>,
    /// How columns are encoded: one of [`ENCODINGS`].
    pub encode: BTreeMap<String, String>,
    /// Whether it is part of snapshots.
    pub backup: Option<bool>,
}

/// How rows are spread over the slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dist {
    /// As Redshift thinks best.
    Auto,
    /// In turn.
    Even,
    /// All of them on every node.
    All,
    /// By a column's value.
    Key(String),
}

/// In which order rows lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// As Redshift thinks best.
    Auto,
    /// By the first column, then the next.
    Compound(Vec<String>),
    /// By each alike.
    Interleaved(Vec<String>),
}

/// As the setting is written.
impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Even => f.write_str("even"),
            Self::All => f.write_str("all"),
            Self::Key(column) => write!(f, "key({column})"),
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Compound(columns) => write!(f, "({})", columns.join(", ")),
            Self::Interleaved(columns) => write!(f, "interleaved ({})", columns.join(", ")),
        }
    }
}

impl Sort {
    /// Its columns; none where it is left to Redshift.
    pub fn columns(&self) -> &[String] {
        match self {
            Self::Auto => &[],
            Self::Compound(columns) | Self::Interleaved(columns) => columns,
        }
    }

    fn map<E>(&self, each: impl Fn(&String) -> Result<String, E>) -> Result<Self, E> {
        let all = |columns: &[String]| columns.iter().map(&each).collect::<Result<Vec<_>, E>>();
        Ok(match self {
            Self::Auto => Self::Auto,
            Self::Compound(columns) => Self::Compound(all(columns)?),
            Self::Interleaved(columns) => Self::Interleaved(all(columns)?),
        })
    }
}

impl Layout {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same, with what another one says where this one says nothing.
    pub fn over(&self, other: &Self) -> Self {
        let mut encode = other.encode.clone();
        encode.extend(self.encode.clone());
        Self {
            dist: self.dist.clone().or_else(|| other.dist.clone()),
            sort: self.sort.clone().or_else(|| other.sort.clone()),
            encode,
            backup: self.backup.or(other.backup),
        }
    }

    /// In what a table that is laid out as `there` differs from it, in words. Of what is not known of it
    /// nothing differs.
    pub fn differences(&self, there: &Self) -> Vec<String> {
        let mut words = Vec::new();
        let mut compare = |what: String, wanted: Option<String>, there: Option<String>| match (wanted, there)
        {
            (Some(wanted), Some(there)) if wanted != there => {
                words.push(format!("{what} becomes {wanted} instead of {there}"));
            }
            _ => {}
        };
        let text = |value: Option<&dyn fmt::Display>| value.map(ToString::to_string);
        compare(
            "its distribution".to_owned(),
            text(self.dist.as_ref().map(|dist| dist as _)),
            text(there.dist.as_ref().map(|dist| dist as _)),
        );
        compare(
            "its sort key".to_owned(),
            text(self.sort.as_ref().map(|sort| sort as _)),
            text(there.sort.as_ref().map(|sort| sort as _)),
        );
        for (column, encoding) in &self.encode {
            let what = format!("the encoding of `{column}`");
            compare(what, Some(encoding.clone()), there.encode.get(column).cloned());
        }
        words
    }

    /// The same with the warehouse's names, if the table that is on its way can have it.
    pub(super) fn fit(
        &self,
        table: &TableName,
        schema: &TableSchema,
        columns: &[ShapedColumn],
    ) -> Result<Self, ShapeError> {
        let find = |name: &String| {
            let is_it = |column: &&ShapedColumn| column.source_name == *name || column.name == folded(name);
            columns.iter().find(is_it).ok_or_else(|| ShapeError::LayoutUnknown {
                table: table.clone(),
                column: name.clone(),
                nearest: nearest(name, schema),
            })
        };
        // "SUPER type" in the Database Developer Guide.
        let key = |name: &String| match find(name)? {
            column if column.sql_type == "super" => {
                Err(ShapeError::LayoutKey { table: table.clone(), column: name.clone() })
            }
            column => Ok(column.name.clone()),
        };
        let dist = match &self.dist {
            Some(Dist::Key(column)) => Some(Dist::Key(key(column)?)),
            other => other.clone(),
        };
        let encode =
            self.encode.iter().map(|(name, encoding)| Ok((find(name)?.name.clone(), encoding.clone())));
        Ok(Self {
            dist,
            sort: self.sort.as_ref().map(|sort| sort.map(key)).transpose()?,
            encode: encode.collect::<Result<_, ShapeError>>()?,
            backup: self.backup,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dist: Dist, sort: &[&str], encode: &[(&str, &str)]) -> Layout {
        Layout {
            dist: Some(dist),
            sort: Some(Sort::Compound(sort.iter().map(ToString::to_string).collect())),
            encode: encode.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect(),
            backup: None,
        }
    }

    #[test]
    fn what_is_said_holds_over_what_is_there_and_differs_in_words() {
        let there = layout(Dist::Even, &["id"], &[("id", "az64"), ("note", "lzo")]);
        let wanted = Layout { sort: None, ..layout(Dist::Key("rider".into()), &[], &[("note", "zstd")]) };
        assert_eq!(
            wanted.over(&there),
            layout(Dist::Key("rider".into()), &["id"], &[("id", "az64"), ("note", "zstd")])
        );
        assert_eq!(
            wanted.differences(&there),
            [
                "its distribution becomes key(rider) instead of even",
                "the encoding of `note` becomes zstd instead of lzo"
            ]
        );
        assert_eq!(wanted.differences(&wanted.over(&there)), [""; 0]);
        assert_eq!(wanted.differences(&Layout::default()), [""; 0], "nothing is known");
    }
}

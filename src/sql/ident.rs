//! Names and literals as Postgres reads them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table's full name. Written `schema.table`, it is the task's name, and what ledger, locks and
/// stage paths use; [`TableName::quoted`] is what SQL uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// The schema, as it is (not quoted).
    pub schema: String,
    /// The table, as it is (not quoted).
    pub name: String,
}

impl TableName {
    /// A name from its two halves.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// `"schema"."table"`, for SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A name in double quotes; always quoted, so that no list of reserved words is needed.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal. A backslash makes it an `E''` string, which reads the same whatever
/// `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Whose SQL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL's.
    #[default]
    Postgres,
    /// Redshift's: a backslash escapes in every string, as it did before PostgreSQL 9.1, and there are no
    /// collations.
    Redshift,
}

impl Dialect {
    /// How many bytes a name may have ("Names and identifiers" in Redshift's Database Developer Guide); both cut a longer
    /// one off in silence.
    pub const fn name_bytes_max(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::Redshift => 127,
        }
    }

    /// A name in double quotes, as the warehouse keeps it: Redshift knows lower case alone.
    pub fn ident(self, name: &str) -> String {
        match self {
            Self::Postgres => quote_ident(name),
            Self::Redshift => quote_ident(&name.to_lowercase()),
        }
    }

    /// `"schema"."table"`.
    pub fn table(self, name: &TableName) -> String {
        format!("{}.{}", self.ident(&name.schema), self.ident(&name.name))
    }

    /// A string literal.
    pub fn literal(self, text: &str) -> String {
        match self {
            Self::Postgres => quote_literal(text),
            Self::Redshift => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(quote_ident("order"), "\"order\"");
        assert_eq!(quote_ident("a\"b.c"), "\"a\"\"b.c\"");
        assert_eq!(TableName::new("Raw", "../x").quoted(), "\"Raw\".\"../x\"");
    }

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b"), r"E'a\\''b'");
        assert_eq!(Dialect::Redshift.literal(r"a\'b"), r"'a\\''b'");
    }
}

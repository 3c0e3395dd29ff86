//! Names: folded to lower case, also in quotes (§4).

use std::fmt;

use super::{
    functions::has,
    token::{Token, TokenKind},
};
use crate::engine::error::SqlError;

/// What Postgres behind the double can hold; Redshift has 127, and cuts longer names silently.
const MOST_BYTES: usize = 63;

/// A relation's name, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl Name {
    /// Whether it is of the system: catalogs and views that Redshift brings.
    pub(crate) fn is_of_system(&self) -> bool {
        match self.schema.as_deref() {
            Some(schema) => matches!(schema, "pg_catalog" | "information_schema" | "redshift_double"),
            None => ["pg_", "svv_", "svl_"].iter().any(|prefix| self.name.starts_with(prefix)),
        }
    }

    /// As a literal that `to_regclass` reads.
    pub(crate) fn literal(&self) -> String {
        super::literal(&self.to_string())
    }
}

/// In quotes, as Postgres takes it.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", super::quoted(schema))?;
        }
        f.write_str(&super::quoted(&self.name))
    }
}

/// How names are read in a session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Naming {
    /// `enable_case_sensitive_identifier`: quoted names keep their case.
    pub(crate) case_sensitive: bool,
}

impl Naming {
    /// The name that this token stands for.
    pub(crate) fn fold(self, token: &Token) -> Result<String, SqlError> {
        let kept = self.case_sensitive && token.kind == TokenKind::Quoted;
        let name = if kept { token.text.clone() } else { token.text.to_lowercase() };
        if name.len() > MOST_BYTES {
            let text = format!("this double holds names of at most {MOST_BYTES} bytes: {name}");
            return Err(SqlError::new("54000", text));
        }
        if name.is_empty() {
            return Err(SqlError::new("42601", "zero-length delimited identifier"));
        }
        Ok(name)
    }
}

/// Words that cannot be names without quotes: those of Postgres, then those that Redshift adds (§4).
const RESERVED: &str = "all analyse analyze and any array as asc authorization between both case cast check collate column \
     constraint create cross current_date current_time current_timestamp current_user default deferrable \
     desc distinct do else end except false for foreign freeze from full grant group having ilike in \
     initially inner intersect into is isnull join leading left like limit localtime localtimestamp \
     natural not notnull null on only or order outer overlaps primary references right select \
     session_user similar some table then to trailing true union unique user using verbose when where \
     with without";

/// Of these, the ones that a query may contain as words of its grammar.
const RESERVED_IN_QUERIES: &[&str] =
    &["ignore", "minus", "nulls", "partition", "percent", "respect", "sysdate", "timestamp", "identity"];

const RESERVED_BY_REDSHIFT: &str = "aes128 aes256 allowoverwrite az64 backup blanksasnull bytedict bzip2 credentials current_user_id \
     deflate defrag delta delta32k disable emptyasnull enable encode encrypt encryption explicit \
     globaldict256 globaldict64k gzip identity ignore language lun luns lzo lzop minus mostly16 mostly32 \
     mostly8 new nulls off offline offset oid old open parallel partition percent permissions pivot raw \
     readratio recover rejectlog resort respect restore snapshot sysdate system tag tdes text255 text32k \
     timestamp top truncatecolumns type unpivot wallet";

/// Whether an unquoted word cannot be a name.
pub(crate) fn is_reserved(word: &str) -> bool {
    has(RESERVED, word) || has(RESERVED_BY_REDSHIFT, word)
}

/// Whether an unquoted word cannot stand in a query, because only Redshift reserves it.
pub(crate) fn is_reserved_in_query(word: &str) -> bool {
    has(RESERVED_BY_REDSHIFT, word)
        && !RESERVED_IN_QUERIES.contains(&word)
        && !matches!(word, "offset" | "oid" | "type")
}

//! What a statement brought.

use tokio_postgres::types::Type;

/// A column of a result.
#[derive(Debug, Clone)]
pub(crate) struct ResultColumn {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) modifier: i32,
}

/// What a statement brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// The columns, if the statement has a result set, be it empty.
    pub(crate) columns: Option<Vec<ResultColumn>>,
    /// The rows, as text.
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// The rows affected, where Redshift tells them.
    pub(crate) affected: Option<u64>,
}

impl Outcome {
    /// The rows returned or affected; -1 if that means nothing (§7).
    pub(crate) fn count(&self) -> i64 {
        let rows = self.columns.as_ref().map(|_| self.rows.len() as u64).or(self.affected);
        rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(-1)
    }

    /// The bytes of all values; -1 without a result set.
    pub(crate) fn size_bytes(&self) -> i64 {
        let Some(_) = self.columns else { return -1 };
        self.rows.iter().map(|row| row_bytes(row)).sum::<usize>().try_into().unwrap_or(i64::MAX)
    }

    /// The bytes of the longest row.
    pub(crate) fn longest_row_bytes(&self) -> usize {
        self.rows.iter().map(|row| row_bytes(row)).max().unwrap_or(0)
    }
}

fn row_bytes(row: &[Option<String>]) -> usize {
    row.iter().flatten().map(String::len).sum()
}

/// A value as Redshift writes it: bytes are bare digits, SUPER has no blanks.
pub(super) fn shown(type_: &Type, text: &str) -> String {
    match *type_ {
        Type::BYTEA => text.strip_prefix("\\x").unwrap_or(text).to_owned(),
        Type::JSONB => without_blanks(text),
        _ => text.to_owned(),
    }
}

/// JSON without the blanks between its parts.
fn without_blanks(text: &str) -> String {
    let (mut shown, mut in_text, mut escaped) = (String::with_capacity(text.len()), false, false);
    for c in text.chars() {
        if in_text || !c.is_whitespace() {
            shown.push(c);
        }
        in_text = if c == '"' && !escaped { !in_text } else { in_text };
        escaped = c == '\\' && !escaped;
    }
    shown
}

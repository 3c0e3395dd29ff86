//! A range of a cursor's values.

use serde::{Deserialize, Serialize};

use super::Cursor;

/// The rows from one value of a cursor to another. Rows whose cursor is NULL are in no range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorRange {
    /// The least value; `None`: whatever is least.
    pub from: Option<String>,
    /// The greatest value.
    pub to: String,
    /// Whether the greatest value itself is in the range.
    pub to_included: bool,
}

impl CursorRange {
    /// The same as a SQL condition.
    pub fn condition(&self, cursor: &Cursor) -> String {
        let expression = cursor.expression();
        let sign = if self.to_included { "<=" } else { "<" };
        let below = format!("{expression} {sign} {}", cursor.literal(&self.to));
        match &self.from {
            None => format!("({below})"),
            Some(from) => format!("({expression} >= {} AND {below})", cursor.literal(from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::testing::{builtin, column, table},
        sql::TableName,
    };

    #[test]
    fn a_range_begins_at_its_first_value_and_ends_before_or_at_its_last() {
        let schema = table(&[], vec![column(1, "id", builtin("int8", "bigint"))]);
        let id = Cursor::of(&TableName::new("public", "t"), &schema, "id").expect("it is ordered");
        let mut range = CursorRange { from: None, to: "9".to_owned(), to_included: true };
        assert_eq!(range.condition(&id), "(\"id\" <= '9'::bigint)");
        (range.from, range.to_included) = (Some("5".to_owned()), false);
        assert_eq!(range.condition(&id), "(\"id\" >= '5'::bigint AND \"id\" < '9'::bigint)");
    }
}

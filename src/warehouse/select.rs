//! A SELECT that the warehouse does.

use crate::{
    config::Statement,
    sql::{Dialect, Reference, TableName},
};

/// What a name in a SELECT of the project means: a task's table, as the mode has it; `None`: it stays as it
/// is written.
pub type NameOf<'a> = &'a (dyn Fn(&Reference) -> Option<TableName> + Send + Sync);

/// What a SELECT answered: every value as text.
pub type TextRows = Vec<Vec<Option<String>>>;

/// A SELECT in the warehouse's own SQL, and where a person wrote it: its lines are those of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The SQL: one SELECT, every table of the project with its schema.
    pub sql: String,
    /// The file, relative to the project's folder.
    pub file: String,
    /// The line of the file on which `sql` begins, from 1.
    pub line: usize,
}

impl Select {
    /// What the warehouse gets: each task's table written with its schema, and `:since` as this value.
    pub fn of(statement: &Statement, dialect: Dialect, since: Option<&str>, name_of: NameOf<'_>) -> Self {
        let since = since.map(|since| dialect.literal(since));
        Self::with(statement, since.as_deref(), &|reference| {
            name_of(reference).map(|table| dialect.table(&table))
        })
    }

    /// The same with names as `written` has them, in SQL.
    pub fn with(
        statement: &Statement,
        since: Option<&str>,
        written: &dyn Fn(&Reference) -> Option<String>,
    ) -> Self {
        let file = statement.file.clone();
        match &statement.query {
            Some(query) => Self {
                sql: query.statement(since, written),
                file,
                line: statement.line + query.first_line() - 1,
            },
            None => Self { sql: statement.sql.clone(), file, line: statement.line },
        }
    }

    /// `sql/models/margins.sql:6`, of a place in the SQL: so many characters from its beginning.
    pub fn place_at(&self, characters: usize) -> String {
        let lines = self.sql.chars().take(characters).filter(|character| *character == '\n').count();
        format!("{}:{}", self.file, self.line + lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_of_the_file() {
        let select = Select { sql: "\nselect a,\n  ä\nfrom t".into(), file: "m.sql".into(), line: 4 };
        assert_eq!(
            [0, 1, 2, 11, 14, 15].map(|at| select.place_at(at)),
            ["m.sql:4", "m.sql:5", "m.sql:5", "m.sql:6", "m.sql:6", "m.sql:7"]
        );
    }
}

//! A source's tables as text, as comments of their rows in `loaders/`, and as JSON. Pure.

use serde::Serialize;

use crate::{
    cli::{columns, quantity},
    config::listing::NewRow,
    source::{
        SetBy,
        postgres::{CursorAdvice, TableAdvice, Tells},
    },
};

/// A table of the source, and whether a file in `loaders/` lists it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) bytes: u64,
    pub(super) rows_estimate: Option<u64>,
    pub(super) key: Vec<String>,
    pub(super) cursor: Option<CursorAdvice>,
    /// The row that lists it, a name or a pattern; `None`: nothing does.
    pub(super) listed_by: Option<String>,
}

impl Listed {
    pub(super) fn new(advice: TableAdvice, listed_by: Option<String>) -> Self {
        let TableAdvice { table, key, cursor } = advice;
        Self {
            schema: table.name.schema,
            table: table.name.name,
            bytes: table.bytes,
            rows_estimate: table.rows_estimate,
            key,
            cursor,
            listed_by,
        }
    }

    /// Its row in `loaders/`.
    pub(super) fn row(&self) -> NewRow {
        NewRow { table: self.table.clone(), comment: self.comment() }
    }

    fn comment(&self) -> String {
        let mut facts = vec![quantity::bytes(self.bytes)];
        facts.extend(self.rows_estimate.map(|rows| format!("about {} rows", quantity::short(rows))));
        facts.push(if self.key.is_empty() {
            "no key".to_owned()
        } else {
            format!("key {}", self.key.join(", "))
        });
        facts.extend(self.cursor.as_ref().map(|cursor| format!("likely cursor {}", describe(cursor))));
        facts.join("; ")
    }
}

/// All tables, for people.
pub(super) fn text(tables: &[&Listed]) -> String {
    let titles = ["table", ">size", ">rows", "key", "likely cursor", "listed by"];
    let row = |table: &&Listed| {
        vec![
            format!("{}.{}", table.schema, table.table),
            quantity::bytes(table.bytes),
            table.rows_estimate.map_or("?".to_owned(), quantity::short),
            table.key.join(", "),
            table.cursor.as_ref().map_or(String::new(), describe),
            table.listed_by.clone().unwrap_or_else(|| "nothing".to_owned()),
        ]
    };
    columns::lay(&titles, tables.iter().map(row))
}

fn describe(cursor: &CursorAdvice) -> String {
    let mut facts = vec![
        match (cursor.indexed, cursor.unique) {
            (_, true) => "unique index",
            (true, false) => "indexed",
            (false, false) => "no index",
        }
        .to_owned(),
    ];
    if cursor.nullable {
        facts.push("may be NULL".to_owned());
    }
    facts.push(match (&cursor.set_by, cursor.tells) {
        (SetBy::Writer, Tells::Inserts) => "new rows only, set by the application".to_owned(),
        (_, Tells::Inserts) => "new rows only".to_owned(),
        (SetBy::Trigger(trigger), _) => format!("set by trigger {trigger}"),
        (SetBy::TriggerOfSome(trigger), _) => {
            format!("set by trigger {trigger} when some columns are updated")
        }
        (SetBy::Generated, _) => "computed by the server".to_owned(),
        (SetBy::Default | SetBy::Writer, Tells::Updates) => {
            "set by the application only, no trigger".to_owned()
        }
    });
    format!("{} ({})", cursor.column, facts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, cursor: Option<(SetBy, Tells)>) -> Listed {
        Listed {
            schema: "public".into(),
            table: name.into(),
            bytes: 1_234_567_890,
            rows_estimate: cursor.as_ref().map(|_| 5_000_000),
            key: cursor.iter().map(|_| "id".to_owned()).collect(),
            cursor: cursor.map(|(set_by, tells)| CursorAdvice {
                column: "updated_at".into(),
                column_type: "timestamp with time zone".into(),
                indexed: tells == Tells::Updates,
                unique: false,
                nullable: tells == Tells::Inserts,
                set_by,
                tells,
            }),
            listed_by: (name == "orders").then(|| "*".to_owned()),
        }
    }

    fn tables() -> Vec<Listed> {
        vec![
            table("orders", Some((SetBy::Trigger("touch".into()), Tells::Updates))),
            table("Order Items", Some((SetBy::Default, Tells::Inserts))),
            table("notes", None),
        ]
    }

    #[test]
    fn tables_are_shown_with_what_lists_them() {
        let tables = tables();
        insta::assert_snapshot!(text(&tables.iter().collect::<Vec<_>>()));
    }

    #[test]
    fn rows_tell_what_is_known_in_a_comment() {
        let rows: Vec<_> = tables().iter().map(Listed::row).collect();
        insta::assert_snapshot!(crate::config::listing::rows(&rows));
    }
}

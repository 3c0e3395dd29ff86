//! What is read, by table and by property.

mod found;
mod generated;
mod refused;
mod written;

use super::{Kind, Query, Reference, read};
use crate::sql::Dialect;

/// The name as it was read, with its kind: `~` a qualifier.
fn name(read: &Reference) -> String {
    let parts = [read.database.as_deref(), read.schema.as_deref(), Some(&*read.name)];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(".");
    if read.kind == Kind::Qualifier { format!("~{name}") } else { name }
}

fn names(query: &Query) -> String {
    query.references.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Checks each SQL's references, and that what is read stands where it is said to, in both ways of
/// counting; all cases at once, so that one look shows all that is wrong.
fn check(dialect: Dialect, cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (sql, expected) in cases {
        match read(sql, dialect) {
            Ok(query) => {
                query.references.iter().for_each(|read| stands_there(sql, read));
                let found = names(&query);
                if found != *expected {
                    wrong += &format!("\n{dialect:?}: {sql}\n  expected {expected}\n  found    {found}");
                }
                assert_eq!(query.written(None, |_| None), *sql);
            }
            Err(error) => wrong += &format!("\n{dialect:?}: {sql}\n  {error}"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn both(cases: &[(&str, &str)]) {
    check(Dialect::Postgres, cases);
    check(Dialect::Redshift, cases);
}

fn stands_there(sql: &str, read: &Reference) {
    let before = &sql[..read.range.start];
    assert_eq!(read.line, before.matches('\n').count() + 1, "{sql}");
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    assert_eq!(read.column, column, "{sql}");
    let text = sql[read.range.clone()].to_lowercase().replace("\"\"", "\"");
    assert!(text.contains(&read.name.to_lowercase()), "{text} in {sql}");
}

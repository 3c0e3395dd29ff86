//! What a table's catalog says about how it could be loaded: its key, and the column by which new
//! rows could be found.
//!
//! A guess from names, types, defaults and triggers, for a person to judge: that no row is changed
//! without its cursor cannot be read from a catalog.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PostgresSourceError, catalog, set_by};
use crate::{
    pg::Connection,
    schema::promises_changes,
    source::{SetBy, SourceTable},
};

/// A table, with what can be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAdvice {
    /// The table, its size and rows.
    pub table: SourceTable,
    /// Its primary key's columns; empty where it has none.
    pub key: Vec<String>,
    /// The likeliest cursor.
    pub cursor: Option<CursorAdvice>,
}

/// A column that may order new rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CursorAdvice {
    /// Its name.
    pub column: String,
    /// Its type: `timestamp with time zone`.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Whether an index begins with it: without one, finding new rows reads the whole table.
    pub indexed: bool,
    /// Whether no two rows have one value: a table without a key needs that.
    pub unique: bool,
    /// Whether it may be NULL: such rows are loaded each time.
    pub nullable: bool,
    /// Who sets it.
    pub set_by: SetBy,
    /// Which changes it tells of.
    pub tells: Tells,
}

/// Which changes a cursor tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// New rows only.
    Inserts,
    /// New rows and changed ones.
    Updates,
}

/// A column whose type would allow it to be a cursor.
#[derive(Debug, Clone)]
struct Candidate {
    column: String,
    column_type: String,
    indexed: bool,
    unique: bool,
    nullable: bool,
    set_by: SetBy,
}

/// The schemas that the role may use and that hold something to load, sorted by name.
pub(super) async fn schemas(connection: &Connection) -> Result<Vec<String>, PostgresSourceError> {
    let sql = "
        SELECT n.nspname::text FROM pg_namespace n
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
          AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
        ORDER BY n.nspname COLLATE \"C\"";
    let rows =
        connection.query(sql, &[]).await.map_err(|error| connection.error("list the schemas", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Looks at every table of a schema.
pub(super) async fn advise(
    connection: &Connection,
    schema: &str,
) -> Result<Vec<TableAdvice>, PostgresSourceError> {
    let tables = catalog::tables(connection, schema).await?;
    let mut keys = keys(connection, schema).await?;
    let mut candidates = candidates(connection, schema).await?;
    Ok(tables
        .into_iter()
        .map(|table| {
            let key = keys.remove(&table.name.name).unwrap_or_default();
            let cursor = likeliest(candidates.remove(&table.name.name).unwrap_or_default(), &key);
            TableAdvice { table, key, cursor }
        })
        .collect())
}

async fn keys(
    connection: &Connection,
    schema: &str,
) -> Result<BTreeMap<String, Vec<String>>, PostgresSourceError> {
    let sql = "
        SELECT c.relname::text, array_agg(a.attname::text ORDER BY k.place)
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE n.nspname = $1 AND i.indisprimary AND k.place <= i.indnkeyatts
        GROUP BY c.relname";
    let rows = connection
        .query(sql, &[&schema])
        .await
        .map_err(|error| connection.error(format!("read the keys of schema {schema}"), &error))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn candidates(
    connection: &Connection,
    schema: &str,
) -> Result<BTreeMap<String, Vec<Candidate>>, PostgresSourceError> {
    let sql = format!(
        "
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
               EXISTS (SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] = a.attnum AND i.indpred IS NULL),
               EXISTS (SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] = a.attnum AND i.indpred IS NULL
                         AND i.indisunique AND i.indimmediate AND i.indnkeyatts = 1),
               NOT a.attnotnull, {}
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped {}
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'int8'::regtype, 'int4'::regtype)",
        set_by::COLUMNS,
        set_by::JOIN
    );
    let rows = connection
        .query(&sql, &[&schema])
        .await
        .map_err(|error| connection.error(format!("look for cursors in schema {schema}"), &error))?;
    let mut tables: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for row in &rows {
        tables.entry(row.get(0)).or_default().push(Candidate {
            column: row.get(1),
            column_type: row.get(2),
            indexed: row.get(3),
            unique: row.get(4),
            nullable: row.get(5),
            set_by: set_by::read(row).unwrap_or(SetBy::Writer),
        });
    }
    Ok(tables)
}

/// The candidate that looks most like a cursor, if one does.
fn likeliest(candidates: Vec<Candidate>, key: &[String]) -> Option<CursorAdvice> {
    let looks = candidates.into_iter().filter_map(|candidate| {
        let tells = tells(&candidate, key)?;
        let Candidate { column, column_type, indexed, unique, nullable, set_by } = candidate;
        Some(CursorAdvice { column, column_type, indexed, unique, nullable, set_by, tells })
    });
    // A counter has no two rows at one value, a clock has: it comes first among those of inserts.
    looks.max_by_key(|advice| {
        let counter = !advice.column_type.starts_with("timestamp");
        let is_kept = matches!(advice.set_by, SetBy::Trigger(_) | SetBy::Generated);
        (advice.tells, !advice.nullable, is_kept, counter, advice.indexed)
    })
}

/// What a column's name and type promise.
fn tells(candidate: &Candidate, key: &[String]) -> Option<Tells> {
    const OF_INSERTS: [&str; 4] = ["created", "inserted", "added", "occurred"];
    let name = candidate.column.to_lowercase();
    let is_time = candidate.column_type.starts_with("timestamp");
    let is_kept = matches!(candidate.set_by, SetBy::Trigger(_) | SetBy::TriggerOfSome(_));
    if promises_changes(&name) && (is_time || is_kept) {
        return Some(Tells::Updates);
    }
    let is_given = !matches!(candidate.set_by, SetBy::Writer | SetBy::Generated);
    let is_counter = !is_time && is_given && key == [candidate.column.as_str()];
    let is_of_inserts = is_time && OF_INSERTS.iter().any(|part| name.contains(part));
    (is_counter || is_of_inserts).then_some(Tells::Inserts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(column: &str, column_type: &str) -> Candidate {
        Candidate {
            column: column.into(),
            column_type: column_type.into(),
            indexed: false,
            unique: false,
            nullable: false,
            set_by: SetBy::Default,
        }
    }

    fn chosen(candidates: Vec<Candidate>) -> Option<(String, SetBy, Tells)> {
        likeliest(candidates, &["id".to_owned()]).map(|advice| (advice.column, advice.set_by, advice.tells))
    }

    const TIME: &str = "timestamp with time zone";

    #[test]
    fn a_column_that_tells_of_updates_comes_first() {
        let mut updated = candidate("updated_at", TIME);
        updated.set_by = SetBy::Trigger("touch".into());
        let choice = chosen(vec![candidate("id", "bigint"), updated, candidate("created_at", TIME)]);
        assert_eq!(choice, Some(("updated_at".into(), SetBy::Trigger("touch".into()), Tells::Updates)));
    }

    #[test]
    fn a_counter_comes_before_a_clock() {
        let choice = chosen(vec![candidate("created_at", TIME), candidate("id", "bigint")]);
        assert_eq!(choice, Some(("id".into(), SetBy::Default, Tells::Inserts)));
    }

    #[test]
    fn a_time_without_a_telling_name_is_no_cursor() {
        let mut customer = candidate("customer_id", "bigint");
        customer.set_by = SetBy::Writer;
        assert_eq!(chosen(vec![candidate("due_at", TIME), customer]), None);
    }

    #[test]
    fn what_only_the_writer_sets_is_said_so() {
        let mut updated = candidate("modified_on", TIME);
        updated.set_by = SetBy::Writer;
        assert_eq!(chosen(vec![updated]), Some(("modified_on".into(), SetBy::Writer, Tells::Updates)));
    }

    #[test]
    fn a_column_that_may_be_null_comes_last_among_its_like() {
        let mut touched = candidate("updated_at", TIME);
        touched.nullable = true;
        let choice = chosen(vec![candidate("modified_at", TIME), touched.clone()]);
        assert_eq!(choice.map(|(column, ..)| column), Some("modified_at".into()));
        let choice = chosen(vec![candidate("id", "bigint"), touched]);
        assert_eq!(choice.map(|(column, ..)| column), Some("updated_at".into()));
    }
}

//! What a table's catalog says about how it could be loaded: its key, and the column by which new
//! rows could be found.
//!
//! A guess from names, types, defaults and triggers, for a person to judge: that no row is changed
//! without its cursor cannot be read from a catalog.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PostgresSourceError, catalog};
use crate::{pg::Connection, source::SourceTable};

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
    /// Who sets it.
    pub set_by: SetBy,
    /// Which changes it tells of.
    pub tells: Tells,
}

/// Who sets a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetBy {
    /// A row trigger before each update that names the column.
    Trigger(String),
    /// Its default or identity: on insert only.
    Default,
    /// Whatever program writes the row.
    Writer,
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

/// A column whose type and NOT NULL would allow it to be a cursor.
#[derive(Debug, Clone)]
struct Candidate {
    column: String,
    column_type: String,
    indexed: bool,
    has_default: bool,
    trigger: Option<String>,
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
    // pg_trigger.tgtype: 1 row, 2 before, 16 update. A trigger sets a column if its function's text
    // or its arguments (moddatetime) name it.
    let sql = "
        SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
               EXISTS (SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indkey[0] = a.attnum AND i.indpred IS NULL),
               a.atthasdef OR a.attidentity <> '',
               (SELECT min(t.tgname::text) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
                  AND t.tgtype & 19 = 19
                  AND (position(lower(a.attname) IN lower(p.prosrc)) > 0
                       OR position(a.attname::text IN encode(t.tgargs, 'escape')) > 0))
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnotnull
          AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'int8'::regtype, 'int4'::regtype)";
    let rows = connection
        .query(sql, &[&schema])
        .await
        .map_err(|error| connection.error(format!("look for cursors in schema {schema}"), &error))?;
    let mut tables: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for row in &rows {
        tables.entry(row.get(0)).or_default().push(Candidate {
            column: row.get(1),
            column_type: row.get(2),
            indexed: row.get(3),
            has_default: row.get(4),
            trigger: row.get(5),
        });
    }
    Ok(tables)
}

/// The candidate that looks most like a cursor, if one does.
fn likeliest(candidates: Vec<Candidate>, key: &[String]) -> Option<CursorAdvice> {
    let looks = candidates.into_iter().filter_map(|candidate| {
        let tells = tells(&candidate, key)?;
        let set_by = match (candidate.trigger, candidate.has_default) {
            (Some(trigger), _) if tells == Tells::Updates => SetBy::Trigger(trigger),
            (_, true) => SetBy::Default,
            (_, false) => SetBy::Writer,
        };
        let Candidate { column, column_type, indexed, .. } = candidate;
        Some(CursorAdvice { column, column_type, indexed, set_by, tells })
    });
    // A counter has no two rows at one value, a clock has: it comes first among those of inserts.
    looks.max_by_key(|advice| {
        let counter = !advice.column_type.starts_with("timestamp");
        (advice.tells, matches!(advice.set_by, SetBy::Trigger(_)), counter, advice.indexed)
    })
}

/// What a column's name and type promise.
fn tells(candidate: &Candidate, key: &[String]) -> Option<Tells> {
    const OF_UPDATES: [&str; 5] = ["updat", "modif", "chang", "last_touched", "row_version"];
    const OF_INSERTS: [&str; 4] = ["created", "inserted", "added", "occurred"];
    let name = candidate.column.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is_time = candidate.column_type.starts_with("timestamp");
    if has(&OF_UPDATES) && (is_time || candidate.trigger.is_some()) {
        return Some(Tells::Updates);
    }
    let is_counter = !is_time && candidate.has_default && key == [candidate.column.as_str()];
    (is_counter || is_time && has(&OF_INSERTS)).then_some(Tells::Inserts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(column: &str, column_type: &str) -> Candidate {
        Candidate {
            column: column.into(),
            column_type: column_type.into(),
            indexed: false,
            has_default: true,
            trigger: None,
        }
    }

    fn chosen(candidates: Vec<Candidate>) -> Option<(String, SetBy, Tells)> {
        likeliest(candidates, &["id".to_owned()]).map(|advice| (advice.column, advice.set_by, advice.tells))
    }

    const TIME: &str = "timestamp with time zone";

    #[test]
    fn a_column_that_tells_of_updates_comes_first() {
        let mut updated = candidate("updated_at", TIME);
        updated.trigger = Some("touch".into());
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
        customer.has_default = false;
        assert_eq!(chosen(vec![candidate("due_at", TIME), customer]), None);
    }

    #[test]
    fn what_only_the_writer_sets_is_said_so() {
        let mut updated = candidate("modified_on", TIME);
        updated.has_default = false;
        assert_eq!(chosen(vec![updated]), Some(("modified_on".into(), SetBy::Writer, Tells::Updates)));
    }
}

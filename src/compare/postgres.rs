//! The statements by which a Postgres server hashes its rows, for source and warehouse alike.

use std::pin::Pin;

use futures_util::StreamExt;
use tokio_postgres::{Row, RowStream};

use super::{Bucket, Chosen, Detail, Entry, Hash, Key, Look, Total};
use crate::{
    pg::{Connection, PgError},
    sql::TableName,
};

/// One side's table and how its server is to hash it.
pub struct Question<'a> {
    /// The connection, in a transaction of one snapshot.
    pub connection: &'a Connection,
    /// What to look at.
    pub look: &'a Look,
    /// Whether the table's inheritance children are left out; not for what has no rows of its own.
    pub only: bool,
}

/// What the server makes of a known text: see [`super::Side::fingerprint`]. In another encoding than
/// UTF-8 the bytes of a text, and so its hash, are others.
pub async fn fingerprint(connection: &Connection, table: &TableName) -> Result<Option<i64>, PgError> {
    let sql = "SELECT CASE WHEN current_setting('server_encoding') = 'UTF8'
                           THEN hashtextextended('barncat' COLLATE \"C\", 0) END";
    let row = connection.query_one(sql, &[]).await;
    Ok(row.map_err(|error| connection.error(format!("compare {table}"), &error))?.get(0))
}

impl Question<'_> {
    /// The total of all rows.
    pub async fn total(&self, hash: Hash) -> Result<Total, PgError> {
        let rows = self.ask(&total_sql(self.look, self.only, hash)).await?;
        Ok(rows.first().map(|row| total(row, 0)).unwrap_or(Total { rows: 0, sum: "0".into() }))
    }

    /// The totals of `of` buckets.
    pub async fn buckets(&self, hash: Hash, of: u32) -> Result<Vec<Bucket>, PgError> {
        let rows = self.ask(&buckets_sql(self.look, self.only, hash, of)).await?;
        let number = |row: &Row| u32::try_from(row.get::<_, i32>(2)).unwrap_or(0);
        Ok(rows.iter().map(|row| Bucket { number: number(row), total: total(row, 0) }).collect())
    }

    /// The rows of some buckets, as they come.
    pub async fn entries(&self, hash: Hash, chosen: &Chosen, detail: Detail) -> Result<Rows, PgError> {
        let numbers: Vec<i32> =
            chosen.numbers.iter().filter_map(|number| (*number).try_into().ok()).collect();
        let sql = entries_sql(self.look, self.only, hash, chosen.of, detail);
        self.connection.set_busy(true);
        let rows = self.connection.query_raw(&sql, [&numbers]).await.map_err(|error| self.error(&error))?;
        Ok(Rows { rows: Box::pin(rows), came: 0 })
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Row>, PgError> {
        self.connection.set_busy(true);
        let rows = self.connection.query(sql, &[]).await.map_err(|error| self.error(&error))?;
        self.connection.set_busy(false);
        Ok(rows)
    }

    fn error(&self, error: &tokio_postgres::Error) -> PgError {
        self.connection.error(format!("compare {}", self.look.table), error)
    }
}

fn total(row: &Row, first: usize) -> Total {
    Total { rows: row.get::<_, i64>(first).try_into().unwrap_or(0), sum: row.get(first + 1) }
}

/// Rows on their way, as the server sends them: never held whole.
pub struct Rows {
    rows: Pin<Box<RowStream>>,
    came: u64,
}

impl Rows {
    /// The next row, or `None` at the true end: the server's own count of rows is that of those which
    /// came.
    pub async fn next(
        &mut self,
        connection: &Connection,
        table: &TableName,
    ) -> Result<Option<Entry>, PgError> {
        let doing = || format!("compare {table}");
        match self.rows.next().await {
            Some(Ok(row)) => {
                self.came += 1;
                let key = Key::new(row.get::<_, String>(1));
                Ok(Some(Entry { key_hash: row.get(0), key, hashes: row.get(2), newer: row.get(3) }))
            }
            Some(Err(error)) => Err(connection.error(doing(), &error)),
            None if self.rows.rows_affected() == Some(self.came) => {
                connection.set_busy(false);
                Ok(None)
            }
            None => {
                let what = format!("{} rows came, the server says otherwise", self.came);
                Err(PgError::Driver { doing: doing(), what })
            }
        }
    }
}

fn total_sql(look: &Look, only: bool, hash: Hash) -> String {
    // One sum alone, so that the server may spread the work over several processes.
    let row = row_hash(look, hash);
    format!("SELECT count(*), coalesce(sum({row}), 0)::text {}", from(look, only))
}

fn buckets_sql(look: &Look, only: bool, hash: Hash, of: u32) -> String {
    let (row, bucket) = (row_hash(look, hash), bucket(&hashed(&look.key, hash), of));
    format!("SELECT count(*), sum({row})::text, {bucket} {} GROUP BY 3 ORDER BY 3", from(look, only))
}

fn entries_sql(look: &Look, only: bool, hash: Hash, of: u32, detail: Detail) -> String {
    let key = match hash {
        Hash::Extended => record(&look.key),
        Hash::Md5 => super::portable_key(&look.key),
    };
    let key_hash = hashed(&look.key, hash);
    let hashes = match detail {
        Detail::Row => vec![row_hash(look, hash)],
        Detail::Columns => {
            look.row.iter().map(|expression| hashed(std::slice::from_ref(expression), hash)).collect()
        }
    };
    let newer =
        look.newer.as_ref().map_or("false".to_owned(), |condition| format!("coalesce(({condition}), false)"));
    // By its bytes in UTF-8, as Rust sorts a text.
    let order = match hash {
        Hash::Extended => "key COLLATE \"C\"",
        Hash::Md5 => "convert_to(key, 'UTF8')",
    };
    format!(
        "SELECT key_hash, key, hashes, newer FROM
           (SELECT {key_hash} AS key_hash, {key} AS key, ARRAY[{}]::bigint[] AS hashes, {newer} AS newer {}) AS hashed
         WHERE {} = ANY ($1) ORDER BY key_hash, {order}, hashes",
        hashes.join(", "),
        from(look, only),
        bucket("key_hash", of)
    )
}

fn from(look: &Look, only: bool) -> String {
    let only = if only { "ONLY " } else { "" };
    let table = look.table.quoted();
    match &look.condition {
        // The line break ends a comment that the condition may end in.
        Some(condition) => format!("FROM {only}{table} WHERE ({condition}\n)"),
        None => format!("FROM {only}{table}"),
    }
}

/// A row's hash covers its key: two rows that swapped their other values are two differences.
fn row_hash(look: &Look, hash: Hash) -> String {
    let all: Vec<String> = look.key.iter().chain(&look.row).cloned().collect();
    hashed(&all, hash)
}

fn bucket(key_hash: &str, of: u32) -> String {
    format!("({key_hash} & {})::integer", of.saturating_sub(1))
}

/// Values as one text: a row's, in which NULL and '' differ and nothing runs into its neighbour.
fn record(expressions: &[String]) -> String {
    format!("ROW({})::text", expressions.join(", "))
}

fn hashed(expressions: &[String], hash: Hash) -> String {
    match hash {
        Hash::Extended => format!("hashtextextended({} COLLATE \"C\", 0)", record(expressions)),
        Hash::Md5 => {
            let md5 = |text: &str| format!("md5(convert_to({text}::text, 'UTF8'))");
            format!("('x' || substr({}, 1, 16))::bit(64)::bigint", super::portable_md5(expressions, md5))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        Look {
            table: TableName::new("public", "t"),
            key: vec!["\"id\"".into()],
            row: vec!["\"a\"".into(), "\"b\"::text".into()],
            condition: Some("a > 1 -- one".into()),
            newer: None,
        }
    }

    #[test]
    fn a_rows_hash_covers_its_key() {
        let sql = total_sql(&look(), true, Hash::Extended);
        assert!(sql.contains(r#"ROW("id", "a", "b"::text)::text"#), "{sql}");
        assert!(sql.ends_with("FROM ONLY \"public\".\"t\" WHERE (a > 1 -- one\n)"), "{sql}");
    }

    #[test]
    fn a_bucket_is_the_end_of_the_keys_hash() {
        let sql = buckets_sql(&look(), false, Hash::Md5, 64);
        assert!(sql.contains("::bit(64)::bigint & 63)::integer FROM \"public\""), "{sql}");
    }

    #[test]
    fn in_detail_each_column_has_a_hash_of_its_own() {
        let sql = entries_sql(&look(), false, Hash::Extended, 2, Detail::Columns);
        assert!(sql.contains(r#"ARRAY[hashtextextended(ROW("a")::text COLLATE "C", 0), hashtextextended(ROW("b"::text)::text COLLATE "C", 0)]::bigint[]"#), "{sql}");
    }
}

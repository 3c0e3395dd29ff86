//! How far a cursor reaches in a snapshot.

use super::{
    PostgresSourceError, catalog::Relation, readers::Reader, set_by, snapshot::read_error, stream::is_intact,
};
use crate::{
    pg::Connection,
    schema::{CursorKind, RelationKind},
    source::{Reach, ReachQuestion},
};

/// Asks over a session that has joined the snapshot.
pub(super) async fn reach(
    reader: Reader,
    relation: &Relation,
    question: &ReachQuestion,
) -> Result<Reach, PostgresSourceError> {
    let table = &question.table;
    let no_answer = || PostgresSourceError::NoAnswer { table: table.clone() };
    let connection = reader.connection.as_ref().ok_or_else(no_answer)?;
    connection.set_busy(true);
    let greatest = one(connection, question, &greatest_sql(relation, question)).await?.map(|row| row.get(0));
    let low = match low_sql(question) {
        Some(sql) => one(connection, question, &sql).await?.and_then(|row| row.get(0)),
        None => None,
    };
    let row = one(connection, question, &column_sql(relation, question)).await?.ok_or_else(no_answer)?;
    let (indexed, unique, file, set_by) = (row.get(0), row.get(1), row.get(2), set_by::read(&row));
    let empty = match greatest {
        Some(_) => false,
        None => {
            one(connection, question, &empty_sql(relation, question)).await?.ok_or_else(no_answer)?.get(0)
        }
    };
    if !is_intact(connection, table, relation.oid).await? {
        return Err(PostgresSourceError::Moved { table: table.clone() });
    }
    connection.run("end a query", "COMMIT").await.map_err(|error| read_error(error, table))?;
    connection.set_busy(false);
    reader.give_back();
    Ok(Reach { greatest, low, indexed, unique, set_by, relation: relation.oid, file, empty })
}

/// The greatest value that a watermark may stand on; no row where there is none. Written so that an
/// index answers it: `max` knows no uuid before version 18.
fn greatest_sql(relation: &Relation, question: &ReachQuestion) -> String {
    let cursor = &question.cursor;
    let expression = cursor.expression();
    let mut conditions = vec![format!("{expression} IS NOT NULL")];
    conditions.extend(question.now.and_then(|now| cursor.credible(now)));
    conditions.extend(question.condition.as_ref().map(|condition| format!("({condition}\n)")));
    format!(
        "SELECT greatest::text FROM (SELECT {expression} AS greatest FROM {}{} WHERE {} ORDER BY 1 DESC LIMIT 1) AS g",
        if relation.kind == RelationKind::Table { "ONLY " } else { "" },
        question.table.quoted(),
        conditions.join(" AND ")
    )
}

fn low_sql(question: &ReachQuestion) -> Option<String> {
    let (watermark, overlap) = question.since.as_ref()?;
    let seconds = overlap.as_secs() + u64::from(overlap.subsec_nanos() > 0);
    Some(format!("SELECT {}", question.cursor.earlier(watermark, seconds)?))
}

/// Whether an index that begins with the cursor serves its order, whether one makes it unique, and who
/// sets it.
fn column_sql(relation: &Relation, question: &ReachQuestion) -> String {
    // 950 and 951 are the collations "C" and "POSIX" (pg_collation.dat).
    let served = match question.cursor.kind {
        CursorKind::Text => "i.indcollation[0] IN (950, 951)",
        _ => "true",
    };
    format!(
        "SELECT coalesce(indexes.serve, false), coalesce(indexes.are_unique, false),
                pg_catalog.pg_relation_filenode(c.oid), {}
         FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
         CROSS JOIN LATERAL (
             SELECT bool_or({served}) AS serve,
                    bool_or(i.indisunique AND i.indimmediate AND i.indnkeyatts = 1) AS are_unique
             FROM pg_catalog.pg_index i
             WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
         ) AS indexes {}
         WHERE c.oid = {} AND a.attname = {}",
        set_by::COLUMNS,
        set_by::JOIN,
        relation.oid,
        crate::sql::quote_literal(&question.cursor.column)
    )
}

fn empty_sql(relation: &Relation, question: &ReachQuestion) -> String {
    let only = if relation.kind == RelationKind::Table { "ONLY " } else { "" };
    let of =
        question.condition.as_ref().map(|condition| format!(" WHERE ({condition}\n)")).unwrap_or_default();
    format!("SELECT NOT EXISTS (SELECT FROM {only}{}{of})", question.table.quoted())
}

async fn one(
    connection: &Connection,
    question: &ReachQuestion,
    sql: &str,
) -> Result<Option<tokio_postgres::Row>, PostgresSourceError> {
    let table = &question.table;
    connection.query_opt(sql, &[]).await.map_err(|error| {
        read_error(connection.error(format!("look at the cursor of {table}"), &error), table)
    })
}

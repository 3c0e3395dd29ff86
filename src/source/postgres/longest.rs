//! How long texts are in a snapshot.

use super::{
    PostgresSourceError, catalog::Relation, readers::Reader, snapshot::read_error, stream::is_intact,
};
use crate::{schema::RelationKind, source::LongestQuestion};

/// Asks over a session that has joined the snapshot: one pass over the rows. A length in bytes is known
/// without unpacking a text, but for servers that do not keep it in UTF-8.
pub(super) async fn longest(
    reader: Reader,
    relation: &Relation,
    question: &LongestQuestion,
) -> Result<Vec<u64>, PostgresSourceError> {
    let table = &question.table;
    let no_answer = || PostgresSourceError::NoAnswer { table: table.clone() };
    let connection = reader.connection.as_ref().ok_or_else(no_answer)?;
    connection.set_busy(true);
    let encoding = connection
        .query_one("SELECT pg_catalog.current_setting('server_encoding') = 'UTF8'", &[])
        .await
        .map_err(|error| read_error(connection.error(format!("measure {table}"), &error), table))?;
    let sql = sql(relation, question, encoding.get(0));
    let row = connection
        .query_one(&sql, &[])
        .await
        .map_err(|error| read_error(connection.error(format!("measure {table}"), &error), table))?;
    if !is_intact(connection, table, relation.oid).await? {
        return Err(PostgresSourceError::Moved { table: table.clone() });
    }
    connection.run("end a query", "COMMIT").await.map_err(|error| read_error(error, table))?;
    connection.set_busy(false);
    reader.give_back();
    let longest: Vec<i64> = row.get(0);
    Ok(longest.into_iter().map(|bytes| u64::try_from(bytes).unwrap_or(0)).collect())
}

fn sql(relation: &Relation, question: &LongestQuestion, is_utf8: bool) -> String {
    let one = |text: &String| match is_utf8 {
        true => format!("coalesce(max(octet_length(({text})::text)), 0)::bigint"),
        false => {
            format!("coalesce(max(octet_length(pg_catalog.convert_to(({text})::text, 'UTF8'))), 0)::bigint")
        }
    };
    let longest: Vec<String> = question.texts.iter().map(one).collect();
    format!(
        "SELECT ARRAY[{}] FROM {}{}{}",
        longest.join(", "),
        if relation.kind == RelationKind::Table { "ONLY " } else { "" },
        question.table.quoted(),
        match &question.condition {
            // The line break ends a comment that the condition may end in.
            Some(condition) => format!(" WHERE ({condition}\n)"),
            None => String::new(),
        }
    )
}

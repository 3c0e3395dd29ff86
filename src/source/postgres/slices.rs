//! Cutting a cursor's range into slices.

use super::{
    PostgresSourceError, catalog::Relation, readers::Reader, snapshot::read_error, stream::is_intact,
};
use crate::{
    pg::Connection,
    schema::{Cursor, CursorKind, CursorRange, RelationKind},
    source::{RangeQuestion, Slice, SliceQuestion, Stride},
    sql::TableName,
};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What a person asked for, as the cursor's type has it.
pub(super) async fn range(
    reader: Reader,
    question: &RangeQuestion,
) -> Result<Option<CursorRange>, PostgresSourceError> {
    let RangeQuestion { table, cursor, .. } = question;
    let connection = connection(&reader, table)?;
    connection.set_busy(true);
    let from = canonical(connection, table, cursor, question.from.as_deref()).await?;
    let to = canonical(connection, table, cursor, question.to.as_deref()).await?;
    let literal = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "NULL".to_owned(), |value| cursor.literal(value))
    };
    let (low, high, watermark) = (literal(&from), literal(&to), cursor.literal(&question.watermark));
    let sql = format!(
        "SELECT coalesce({high} <= {watermark}, false), coalesce({low} >= {high} OR {low} > {watermark}, false)"
    );
    let rows = ask(connection, table, &sql).await?;
    let Some(row) = rows.first() else {
        return Err(PostgresSourceError::NoAnswer { table: table.clone() });
    };
    let (ends_early, is_empty): (bool, bool) = (row.get(0), row.get(1));
    end(reader, table).await?;
    Ok((!is_empty).then(|| match to.filter(|_| ends_early) {
        Some(to) => CursorRange { from, to, to_included: false },
        None => CursorRange { from, to: question.watermark.clone(), to_included: true },
    }))
}

/// The value as the cursor's type writes it: `yesterday` is a day.
async fn canonical(
    connection: &Connection,
    table: &TableName,
    cursor: &Cursor,
    value: Option<&str>,
) -> Result<Option<String>, PostgresSourceError> {
    let Some(value) = value else { return Ok(None) };
    match ask(connection, table, &format!("SELECT ({})::text", cursor.literal(value))).await {
        Ok(rows) => Ok(rows.first().map(|row| row.get(0))),
        // Class 22, data exceptions: there is no other data in the statement.
        Err(PostgresSourceError::Server(error))
            if error.code().is_some_and(|code| code.starts_with("22")) =>
        {
            Err(PostgresSourceError::NoValue {
                table: table.clone(),
                column: cursor.column.clone(),
                sql_type: cursor.sql_type().to_owned(),
                value: value.to_owned(),
            })
        }
        Err(error) => Err(error),
    }
}

/// Cuts, over a session that has joined the snapshot.
pub(super) async fn slices(
    reader: Reader,
    relation: &Relation,
    question: &SliceQuestion,
) -> Result<Vec<Slice>, PostgresSourceError> {
    let table = &question.table;
    let connection = connection(&reader, table)?;
    connection.set_busy(true);
    let rows = ask(connection, table, &sql(relation, question)).await?;
    let found: Vec<(Option<String>, u64)> =
        rows.iter().map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap_or(0))).collect();
    if !is_intact(connection, table, relation.oid).await? {
        return Err(PostgresSourceError::Moved { table: table.clone() });
    }
    end(reader, table).await?;
    Ok(without_gaps(&question.range, found))
}

/// From the least value of each slice that has rows to slices that follow one another: what has no row
/// here may have rows elsewhere.
fn without_gaps(range: &CursorRange, found: Vec<(Option<String>, u64)>) -> Vec<Slice> {
    if found.is_empty() {
        return vec![Slice { range: range.clone(), rows: 0 }];
    }
    let lows: Vec<Option<String>> = found.iter().map(|(low, _)| low.clone()).collect();
    let slice = |(place, (low, rows)): (usize, (Option<String>, u64))| {
        let next = lows.get(place + 1).cloned().flatten();
        let (to, to_included) = match next {
            Some(next) => (next, false),
            None => (range.to.clone(), range.to_included),
        };
        let from = if place == 0 { range.from.clone() } else { low };
        Slice { range: CursorRange { from, to, to_included }, rows }
    };
    found.into_iter().enumerate().map(slice).collect()
}

/// Answers, slice by slice, where it begins and how many rows it has.
fn sql(relation: &Relation, question: &SliceQuestion) -> String {
    let SliceQuestion { cursor, range, .. } = question;
    let expression = cursor.expression();
    let mut conditions = vec![range.condition(cursor)];
    conditions.extend(question.condition.as_ref().map(|condition| format!("({condition}\n)")));
    let (number, low) = match question.stride {
        // Rows of one value have one rank, so that they are never parted.
        Stride::Rows(rows) => {
            (format!("(rank() OVER (ORDER BY {expression}) - 1) / {rows}"), least(cursor.kind).to_owned())
        }
        Stride::Seconds(seconds) => by_time(cursor, range, seconds.get()),
    };
    format!(
        "SELECT {low}, count(*) FROM (SELECT {expression} AS v, {number} AS n FROM {}{} WHERE {}) AS rows
         GROUP BY n ORDER BY n NULLS FIRST LIMIT {}",
        if relation.kind == RelationKind::Table { "ONLY " } else { "" },
        question.table.quoted(),
        conditions.join(" AND "),
        question.slices_max
    )
}

/// The least value of a group, as text. `min` knows no uuid before version 18; its text is ordered alike.
fn least(kind: CursorKind) -> &'static str {
    match kind {
        CursorKind::Uuid => "min(v::text COLLATE \"C\")",
        _ => "min(v)::text",
    }
}

/// The number of a row's slice, and where that slice begins: whole spans from `from` on, or in any case
/// from a midnight. What is infinite has no number and stands first.
fn by_time(cursor: &Cursor, range: &CursorRange, seconds: u64) -> (String, String) {
    let expression = cursor.expression();
    let begin = range.from.as_deref().filter(|from| !from.contains("infinity")).unwrap_or("2000-01-01");
    let origin = cursor.literal(begin);
    let (distance, low) = match cursor.kind {
        CursorKind::Date => {
            let days = seconds.div_ceil(DAY_SECONDS);
            (
                format!("({expression} - {origin})::numeric / {days}"),
                format!("({origin} + (n * {days})::int)"),
            )
        }
        _ => (
            format!("extract(epoch FROM {expression} - {origin})::numeric / {seconds}"),
            format!("({origin} + n * interval '{seconds} seconds')"),
        ),
    };
    (format!("CASE WHEN isfinite({expression}) THEN floor({distance})::bigint END"), format!("{low}::text"))
}

fn connection<'a>(reader: &'a Reader, table: &TableName) -> Result<&'a Connection, PostgresSourceError> {
    let no_answer = || PostgresSourceError::NoAnswer { table: table.clone() };
    reader.connection.as_ref().ok_or_else(no_answer)
}

/// Out of the transaction, so that a session that waits for other work holds no lock.
async fn end(reader: Reader, table: &TableName) -> Result<(), PostgresSourceError> {
    let connection = connection(&reader, table)?;
    connection.run("end a query", "COMMIT").await.map_err(|error| read_error(error, table))?;
    connection.set_busy(false);
    reader.give_back();
    Ok(())
}

async fn ask(
    connection: &Connection,
    table: &TableName,
    sql: &str,
) -> Result<Vec<tokio_postgres::Row>, PostgresSourceError> {
    connection
        .query(sql, &[])
        .await
        .map_err(|error| read_error(connection.error(format!("cut {table} into slices"), &error), table))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: Option<&str>, to: &str) -> CursorRange {
        CursorRange { from: from.map(str::to_owned), to: to.to_owned(), to_included: false }
    }

    #[test]
    fn slices_follow_one_another_from_the_ranges_begin_to_its_end() {
        let whole = CursorRange { to_included: true, ..range(None, "99") };
        let found = vec![(Some("3".to_owned()), 10), (Some("40".to_owned()), 5)];
        assert_eq!(
            without_gaps(&whole, found),
            [
                Slice { range: range(None, "40"), rows: 10 },
                Slice { range: CursorRange { to_included: true, ..range(Some("40"), "99") }, rows: 5 },
            ]
        );
        assert_eq!(without_gaps(&whole, Vec::new()), [Slice { range: whole.clone(), rows: 0 }]);
    }

    proptest::proptest! {
        #[test]
        fn each_value_of_the_range_is_in_one_slice(
            lows in proptest::collection::btree_map(0..200_i64, 1..9_u64, 0..12),
            (from, to, to_included) in (proptest::option::of(-50..0_i64), 200..250_i64, proptest::bool::ANY),
            has_infinite in proptest::bool::ANY,
        ) {
            let whole = CursorRange { from: from.map(|from| from.to_string()), to: to.to_string(), to_included };
            let mut found: Vec<_> = lows.iter().map(|(low, rows)| (Some(low.to_string()), *rows)).collect();
            // What is infinite has no beginning and stands first.
            if has_infinite {
                found.insert(0, (None, 1));
            }
            let rows: u64 = found.iter().map(|(_, rows)| rows).sum();
            let slices = without_gaps(&whole, found);
            let number = |text: &String| text.parse::<i64>().expect("a number");
            for value in from.unwrap_or(-60)..=to {
                let holds = |slice: &&Slice| {
                    let range = &slice.range;
                    range.from.as_ref().is_none_or(|from| value >= number(from))
                        && (value < number(&range.to) || range.to_included && value == number(&range.to))
                };
                let of = slices.iter().filter(holds).count();
                let is_in = value < to || to_included;
                proptest::prop_assert_eq!(of, usize::from(is_in), "{} in {:?}", value, slices);
            }
            proptest::prop_assert_eq!(slices.iter().map(|slice| slice.rows).sum::<u64>(), rows);
        }
    }
}

//! The ledger's rows, read and written.

use std::{collections::BTreeMap, str::FromStr};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Cluster, RedshiftError,
    dialect::{ident, literal, optional, table},
    transport::{Answer, Batch},
};
use crate::{
    fail_point,
    schema::TableSchema,
    sql::{TableName, quote_ident},
    warehouse::{LedgerRow, PublishKind},
};

/// Bytes of one piece of a schema: a row of an answer may have 64 KB, and a statement 100,000 bytes.
const PIECE_BYTES: usize = 16_000;

const COLUMNS: [&str; 27] = [
    "load",
    "table_schema",
    "table_name",
    "previous",
    "project",
    "run",
    "strategy",
    "publish",
    "source",
    "source_schema",
    "source_table",
    "system",
    "lsn",
    "as_of",
    "snapshot",
    "schema_hash",
    "schema_id",
    "content_hash",
    "manifest",
    "rows",
    "bytes",
    "watermark",
    "published_at",
    "table_rows",
    "late_rows",
    "deleted_rows",
    "state",
];

/// A time as text, in RFC 3339.
pub(super) fn moment(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}

/// Every column as text, times in RFC 3339.
fn selected() -> String {
    let column = |name: &&str| match *name {
        "as_of" | "published_at" => moment(&format!("l.\"{name}\"")),
        "rows" | "bytes" | "table_rows" | "late_rows" | "deleted_rows" => format!("l.\"{name}\"::varchar"),
        _ => format!("l.\"{name}\""),
    };
    COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ")
}

impl Cluster {
    /// The last load of every table, or of one.
    pub(super) async fn last_loads(&self, of: Option<&TableName>) -> Result<Vec<LedgerRow>, RedshiftError> {
        let ledger = self.ledger();
        let from = format!(
            "FROM {ledger}.loads l LEFT JOIN {ledger}.loads n ON n.table_schema = l.table_schema
                 AND n.table_name = l.table_name AND n.previous = l.load
             WHERE n.load IS NULL{}",
            condition(of)
        );
        self.rows(&from).await
    }

    /// All loads of one table, the newest first.
    pub(super) async fn loads(&self, of: &TableName) -> Result<Vec<LedgerRow>, RedshiftError> {
        let from =
            format!("FROM {}.loads l WHERE true{} ORDER BY l.load DESC", self.ledger(), condition(Some(of)));
        self.rows(&from).await
    }

    /// One load, if it is published.
    pub(super) async fn load(&self, load: &str) -> Result<Option<LedgerRow>, RedshiftError> {
        let from = format!("FROM {}.loads l WHERE l.load = {}", self.ledger(), literal(load));
        Ok(self.rows(&from).await?.into_iter().next())
    }

    async fn rows(&self, from: &str) -> Result<Vec<LedgerRow>, RedshiftError> {
        if !self.is_prepared().await? {
            return Ok(Vec::new());
        }
        let ledger = self.ledger();
        let pieces = format!(
            "SELECT DISTINCT s.id, s.json, s.piece FROM {ledger}.schemas s WHERE s.id IN (SELECT l.schema_id {})
             ORDER BY s.id, s.piece",
            from.split(" ORDER BY ").next().unwrap_or(from)
        );
        let batch = Batch::new("read the ledger", "ledger")
            .then(format!("SELECT {} {from}", selected()))
            .then(pieces);
        let [rows, pieces] = self.ask(batch).await?;
        let mut schemas: BTreeMap<String, String> = BTreeMap::new();
        for row in pieces.rows {
            if let [Some(id), Some(json), _] = row.as_slice() {
                schemas.entry(id.clone()).or_default().push_str(json);
            }
        }
        rows.rows.into_iter().map(|row| read(row, &schemas)).collect()
    }

    /// The schemas' pieces that a row names and that are not there yet.
    pub(super) async fn missing_schema(&self, row: &LedgerRow) -> Result<Vec<String>, RedshiftError> {
        let (ledger, json) = (self.ledger(), json_of(row));
        let id = id_of(&json);
        let sql = format!("SELECT count(*)::varchar FROM {ledger}.schemas WHERE id = '{id}'");
        let [answer] = self.ask(Batch::new("read the ledger", "ledger").then(sql)).await?;
        if answer.number() != Some(0) {
            return Ok(Vec::new());
        }
        // Two loads may write the same one: it is read as one.
        let insert = |(piece, json): (usize, &str)| {
            format!(
                "INSERT INTO {ledger}.\"schemas\" (id, piece, json) VALUES ('{id}', {piece}, {})",
                literal(json)
            )
        };
        Ok(pieces(&json).enumerate().map(insert).collect())
    }

    /// The table whose one row is the last load of another.
    pub(super) fn head(&self, of: &TableName) -> TableName {
        let hash: String =
            Sha256::digest(of.to_string()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        TableName::new(&self.options.ledger_schema, format!("head_{hash}"))
    }

    /// Makes the head of a table that has none. Of two who do so at once one fails, and finds it made.
    pub(super) async fn ensure_head(&self, of: &TableName) -> Result<(), RedshiftError> {
        if self.has_head(of).await? {
            return Ok(());
        }
        let (head, ledger) = (table(&self.head(of)), self.ledger());
        let last = format!(
            "INSERT INTO {head} SELECT l.load FROM {ledger}.loads l LEFT JOIN {ledger}.loads n
                 ON n.table_schema = l.table_schema AND n.table_name = l.table_name AND n.previous = l.load
             WHERE n.load IS NULL{}",
            condition(Some(of))
        );
        let batch = Batch::new(format!("make the head of {of}"), "prepare")
            .then(format!("CREATE TABLE {head} (load varchar(32) NOT NULL) DISTSTYLE ALL"))
            .then(last)
            .then(format!("COMMENT ON TABLE {head} IS {}", literal(&format!("The last load of {of}."))));
        fail_point!("publish.head.before");
        match self.transport.run(batch).await {
            Ok(_) => {}
            Err(_) if self.has_head(of).await? => {}
            Err(error) => return Err(error),
        }
        fail_point!("publish.head.after");
        Ok(())
    }

    async fn has_head(&self, of: &TableName) -> Result<bool, RedshiftError> {
        Ok(!self.columns(&self.head(of)).await?.is_empty())
    }

    /// Ends the batch by a division by zero unless the load may follow its `previous`, and makes it the last
    /// one. Nobody reads the message: whoever gets it looks at the ledger. To stand under the head's lock,
    /// which comes before anything that takes a snapshot ("Serializable isolation" in the Database Developer
    /// Guide), so that it sees what the publish before did.
    pub(super) fn follow(&self, row: &LedgerRow) -> [String; 2] {
        let (head, load) = (table(&self.head(&row.table)), literal(&row.load));
        let (may, write) = match &row.previous {
            None => ("count(*) = 0".to_owned(), format!("INSERT INTO {head} (load) VALUES ({load})")),
            Some(previous) => {
                let previous = literal(previous);
                (
                    format!("count(*) = 1 AND min(load) = {previous}"),
                    format!("UPDATE {head} SET load = {load}"),
                )
            }
        };
        [format!("SELECT 1 / CASE WHEN {may} THEN 1 ELSE 0 END FROM {head}"), write]
    }

    /// The statement that writes a row: with the rows that it says the table has, or with those that a
    /// table has by then, but for those that are marked in a column.
    pub(super) fn write(
        &self,
        row: &LedgerRow,
        kind: PublishKind,
        count: Option<(&TableName, Option<&str>)>,
    ) -> String {
        let state = serde_json::to_string(&row.state).unwrap_or_default();
        let number =
            |number: Option<u64>| number.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
        let texts = [
            Some(row.load.as_str()),
            Some(&row.table.schema),
            Some(&row.table.name),
            row.previous.as_deref(),
            Some(&row.project),
            Some(&row.run),
            Some(&row.strategy),
            Some(&kind.to_string()),
            Some(&row.source),
            Some(&row.source_table.schema),
            Some(&row.source_table.name),
            row.system.as_deref(),
            row.lsn.map(lsn_text).as_deref(),
            Some(&row.as_of.to_string()),
            Some(&row.snapshot),
            Some(&row.schema_hash),
            Some(&id_of(&json_of(row))),
            row.content_hash.as_deref(),
            row.manifest.as_deref(),
        ]
        .map(optional);
        let (table_rows, from) = match count {
            None => (row.table_rows.to_string(), String::new()),
            Some((of, mark)) => {
                let unmarked = mark.map(|mark| format!(" WHERE {} IS NULL", ident(mark)));
                ("count(*)".to_owned(), format!(" FROM {}{}", table(of), unmarked.unwrap_or_default()))
            }
        };
        format!(
            "INSERT INTO {}.\"loads\" ({}) SELECT {}, {}, {}, {}, sysdate, {table_rows}, {}, {}, {}{from}",
            self.ledger(),
            COLUMNS.map(quote_ident).join(", "),
            texts.join(", "),
            row.rows,
            row.bytes,
            optional(row.watermark.as_deref()),
            number(row.late_rows),
            number(row.deleted_rows),
            literal(&state)
        )
    }

    /// Asks a batch whose answers are as many as is expected.
    pub(super) async fn ask<const N: usize>(&self, batch: Batch) -> Result<[Answer; N], RedshiftError> {
        let doing = batch.doing.clone();
        let answers = self.transport.run(batch).await?;
        answers.try_into().map_err(|answers: Vec<Answer>| RedshiftError::Answer {
            doing,
            what: format!("{} parts, and {N} were asked for", answers.len()),
        })
    }

    /// The ledger's schema, for SQL.
    pub(super) fn ledger(&self) -> String {
        quote_ident(&self.options.ledger_schema)
    }
}

fn json_of(row: &LedgerRow) -> String {
    serde_json::to_string(&row.schema).unwrap_or_default()
}

fn id_of(json: &str) -> String {
    Sha256::digest(json.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn condition(of: Option<&TableName>) -> String {
    of.map_or_else(String::new, |of| {
        format!(" AND l.table_schema = {} AND l.table_name = {}", literal(&of.schema), literal(&of.name))
    })
}

/// The watermark of the newest load that followed `base` and shows `as_of` or an earlier moment; of `base`
/// itself where none is so old. `loads` are all of a table.
pub(super) fn watermark_before(loads: &[LedgerRow], base: &str, as_of: Timestamp) -> Option<String> {
    // A restored state goes on from what it restored.
    let find = |load: &str| loads.iter().find(|row| row.load == load);
    let mut bases = vec![base.to_owned()];
    while let Some(restored) =
        bases.last().and_then(|base| find(base)).and_then(|row| find(row.state.restored.as_deref()?))
    {
        if bases.contains(&restored.state.base) {
            break;
        }
        bases.push(restored.state.base.clone());
    }
    let followed = loads.iter().filter(|row| row.watermark.is_some() && bases.contains(&row.state.base));
    let (old, new): (Vec<_>, Vec<_>) = followed.partition(|row| row.as_of <= as_of);
    let newest = old.into_iter().max_by(|one, other| one.load.cmp(&other.load));
    let first = new.into_iter().min_by(|one, other| one.load.cmp(&other.load));
    newest.or(first).and_then(|row| row.watermark.clone())
}

/// A text in pieces that fit a row, cut between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = (0..=PIECE_BYTES.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end))?;
        let (piece, left) = rest.split_at(end);
        rest = left;
        Some(piece)
    })
}

fn lsn_text(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff)
}

fn lsn_of(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

fn read(row: Vec<Option<String>>, schemas: &BTreeMap<String, String>) -> Result<LedgerRow, RedshiftError> {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in COLUMNS.into_iter().zip(row) {
        if let Some(value) = value {
            values.insert(name, value);
        }
    }
    let load = values.get("load").cloned().unwrap_or_default();
    let wrong = |what: String| RedshiftError::Ledger { load: load.clone(), what };
    let text = |name: &str| values.get(name).cloned().ok_or_else(|| wrong(format!("it has no {name}")));
    let number = |name: &str| text(name)?.parse::<u64>().map_err(|error| wrong(format!("{name}: {error}")));
    let time =
        |name: &str| text(name)?.parse::<Timestamp>().map_err(|error| wrong(format!("{name}: {error}")));
    let json = schemas.get(&text("schema_id")?).ok_or_else(|| wrong("its schema is not there".to_owned()))?;
    let schema: TableSchema = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
    Ok(LedgerRow {
        table: TableName::new(text("table_schema")?, text("table_name")?),
        previous: values.get("previous").cloned(),
        project: text("project")?,
        run: text("run")?,
        strategy: text("strategy")?,
        publish: PublishKind::from_str(&text("publish")?).map_err(wrong)?,
        source: text("source")?,
        source_table: TableName::new(text("source_schema")?, text("source_table")?),
        system: values.get("system").cloned(),
        lsn: values.get("lsn").and_then(|text| lsn_of(text)),
        as_of: time("as_of")?,
        snapshot: text("snapshot")?,
        schema_hash: text("schema_hash")?,
        schema,
        content_hash: values.get("content_hash").cloned(),
        manifest: values.get("manifest").cloned(),
        rows: number("rows")?,
        bytes: number("bytes")?,
        watermark: values.get("watermark").cloned(),
        published_at: Some(time("published_at")?),
        table_rows: number("table_rows")?,
        late_rows: values.get("late_rows").and_then(|text| text.parse().ok()),
        deleted_rows: values.get("deleted_rows").and_then(|text| text.parse().ok()),
        state: serde_json::from_str(&text("state")?).map_err(|error| wrong(error.to_string()))?,
        load,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_cut_between_characters() {
        let text = "ä".repeat(PIECE_BYTES);
        let all: Vec<&str> = pieces(&text).collect();
        assert_eq!((all.len(), all.concat()), (2, text.clone()));
        assert_eq!(pieces("").count(), 0);
    }

    #[test]
    fn positions_are_written_as_postgres_does() {
        assert_eq!(
            (lsn_text(0x16_B374_D848), lsn_of("16/B374D848")),
            ("16/B374D848".to_owned(), Some(0x16_B374_D848))
        );
    }
}

//! Records to rows of Postgres' COPY; what is refused is kept for the tables of errors.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::{
    Stopped,
    columns::{Column, Kind},
    csv::Record,
    values::{self, Refusal},
};
use crate::{
    engine::{error::SqlError, session::Session},
    sql::copy::{Copy, Options},
};

/// Where rows go.
pub(super) type Sink = Pin<Box<CopyInSink<Bytes>>>;

/// A row that was refused.
struct LoadError {
    file: String,
    line: u64,
    column: Option<usize>,
    raw_line: String,
    raw_value: String,
    code: i32,
    reason: String,
}

/// A load under way.
pub(super) struct Fill<'a> {
    columns: &'a [Column],
    options: &'a Options,
    relation: u32,
    transaction: i64,
    file: String,
    headers_left: u64,
    /// Rows to skip in silence: a planned fault.
    pub(super) rows_to_lose: u64,
    lines: u64,
    errors: Vec<LoadError>,
    /// The files that were read to their end, with their lines.
    done: Vec<(String, u64)>,
    buffer: Vec<u8>,
}

impl<'a> Fill<'a> {
    pub(super) fn new(columns: &'a [Column], options: &'a Options, relation: u32, transaction: i64) -> Self {
        let (file, errors, done, buffer) = (String::new(), Vec::new(), Vec::new(), Vec::new());
        let (headers_left, rows_to_lose, lines) = (0, 0, 0);
        Self {
            columns,
            options,
            relation,
            transaction,
            file,
            headers_left,
            rows_to_lose,
            lines,
            errors,
            done,
            buffer,
        }
    }

    pub(super) fn begin_object(&mut self, file: String) {
        self.file = file;
        self.headers_left = self.options.ignore_header;
        self.lines = 0;
    }

    pub(super) fn end_object(&mut self) {
        self.done.push((self.file.clone(), self.lines));
    }

    /// Sends rows on, unless too many are refused. MAXERROR 0 and 1 both mean the first one.
    pub(super) async fn take(&mut self, records: &mut Vec<Record>, sink: &mut Sink) -> Result<(), Stopped> {
        for record in records.drain(..) {
            if self.headers_left > 0 {
                self.headers_left -= 1;
                continue;
            }
            if record.is_blank() && self.options.ignore_blank_lines {
                continue;
            }
            self.lines += 1;
            if self.rows_to_lose > 0 {
                self.rows_to_lose -= 1;
                continue;
            }
            if let Err((column, (code, reason))) = self.row(&record) {
                self.refuse(&record, column, code, reason);
                let most = self.options.max_error.unwrap_or(0).max(1);
                if !self.options.ignore_all_errors && self.errors.len() as u64 >= most {
                    return Err(Stopped::Refused);
                }
            }
        }
        if !self.buffer.is_empty() && !self.options.is_rehearsal {
            let rows = Bytes::from(std::mem::take(&mut self.buffer));
            sink.feed(rows).await.map_err(|error| Stopped::Sql(error.into()))?;
        }
        Ok(())
    }

    fn refuse(&mut self, record: &Record, column: Option<usize>, code: i32, reason: String) {
        let cut = |bytes: &[u8]| -> String {
            String::from_utf8_lossy(bytes)
                .replace('\0', "")
                .trim_end_matches(['\r', '\n'])
                .chars()
                .take(1024)
                .collect()
        };
        let value = column.and_then(|column| record.fields.get(column));
        self.errors.push(LoadError {
            file: self.file.clone(),
            line: record.line,
            column,
            raw_line: cut(&record.raw),
            raw_value: value.map(|value| cut(value)).unwrap_or_default(),
            code,
            reason,
        });
    }

    /// Appends the row to the buffer, whole or not at all.
    fn row(&mut self, record: &Record) -> Result<(), (Option<usize>, Refusal)> {
        if let Some((code, reason)) = record.fault {
            return Err((None, (code, reason.to_owned())));
        }
        if record.is_blank() {
            // Of one column it could be an empty text: unconfirmed, so refused (1211).
            return Err((None, (1211, "Input line is empty".to_owned())));
        }
        if record.fields.len() > self.columns.len() {
            return Err((None, (1202, "Extra column(s) found".to_owned())));
        }
        if record.fields.len() < self.columns.len() && !self.options.fill_record {
            return Err((None, (1203, "Delimiter not found".to_owned())));
        }
        let start = self.buffer.len();
        for (number, column) in self.columns.iter().enumerate() {
            let value = match record.fields.get(number) {
                Some(field) => values::value(field, column.kind, self.options),
                None => Ok(self.missing(column)),
            };
            let value = value.and_then(|value| match value {
                None if column.not_null => Err((1213, "Missing data for not-null field".to_owned())),
                value => Ok(value),
            });
            match value {
                Ok(value) => self.put(number, value.as_deref()),
                Err(refusal) => {
                    self.buffer.truncate(start);
                    return Err((Some(number), refusal));
                }
            }
        }
        self.buffer.push(b'\n');
        Ok(())
    }

    /// FILLRECORD: a VARCHAR that is not there is empty, all else is NULL (§1.4).
    fn missing(&self, column: &Column) -> Option<String> {
        let is_text = matches!(column.kind, Kind::Varchar(_)) && !self.options.empty_as_null;
        is_text.then(String::new)
    }

    /// In the text format of Postgres' COPY.
    fn put(&mut self, number: usize, value: Option<&str>) {
        if number > 0 {
            self.buffer.push(b'\t');
        }
        let Some(value) = value else { return self.buffer.extend_from_slice(b"\\N") };
        for byte in value.bytes() {
            match byte {
                b'\\' => self.buffer.extend_from_slice(b"\\\\"),
                b'\t' => self.buffer.extend_from_slice(b"\\t"),
                b'\n' => self.buffer.extend_from_slice(b"\\n"),
                b'\r' => self.buffer.extend_from_slice(b"\\r"),
                byte => self.buffer.push(byte),
            }
        }
    }
}

const ERROR: &str = "INSERT INTO redshift_double.load_errors
    (usename, serverless, tbl, session, query, transaction_id, filename, line_number, colname, type, col_length,
     position, raw_line, raw_field_value, err_code, err_reason)
    VALUES ($1::text, $2, $3::bigint::integer, $4, $5::bigint::integer, $6, left($7, 256), $8, left($9, 127),
     left($10, 10), left($11, 10), 0, $12, $13, $14, left($15, 512))";
const COMMIT: &str =
    "INSERT INTO redshift_double.load_commits (usename, serverless, query, filename, lines_scanned)
    VALUES ($1::text, $2, $3::bigint::integer, left($4, 256), $5)";
const HISTORY: &str = "INSERT INTO redshift_double.load_history
    (usename, query_id, transaction_id, session_id, table_name, status, data_source, loaded_rows, file_count, errors)
    VALUES ($1::text, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Session {
    /// Writes down, in a session of its own, what was refused and what was read.
    pub(super) async fn note_load(
        &self,
        copy: &Copy,
        fill: &Fill<'_>,
        is_done: bool,
    ) -> Result<(), SqlError> {
        let user = self.user();
        let notes = self.engine.connect().await?;
        let (serverless, query) = (self.is_serverless(), self.query_id);
        for error in &fill.errors {
            let column = error.column.map(|number| &fill.columns[number]);
            let name = column.map(|column| column.name.clone()).unwrap_or_default();
            let (type_, length) = column.map(|column| column.kind.name()).unwrap_or_default();
            let line = i64::try_from(error.line).unwrap_or(-1);
            let relation = i64::from(fill.relation);
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 15] = [
                &user,
                &serverless,
                &relation,
                &self.pid,
                &query,
                &fill.transaction,
                &error.file,
                &line,
                &name,
                &type_,
                &length,
                &error.raw_line,
                &error.raw_value,
                &error.code,
                &error.reason,
            ];
            notes.execute(ERROR, &values).await?;
        }
        for (file, lines) in &fill.done {
            let lines = i64::try_from(*lines).unwrap_or(-1);
            notes.execute(COMMIT, &[&user, &serverless, &query, file, &lines]).await?;
        }
        let lines: u64 = fill.done.iter().map(|(_, lines)| lines).sum();
        let rows = i64::try_from(lines).unwrap_or(-1) - i64::try_from(fill.errors.len()).unwrap_or(0);
        let source = format!("s3://{}/{}", copy.bucket, copy.key);
        let status = if is_done { "completed" } else { "failed" };
        let (files, errors) = (fill.done.len() as i64, fill.errors.len() as i64);
        let loaded = if is_done { rows } else { 0 };
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &user,
            &query,
            &fill.transaction,
            &self.pid,
            &copy.table.name,
            &status,
            &source,
            &loaded,
            &files,
            &errors,
        ];
        notes.execute(HISTORY, &values).await?;
        self.engine.give_back(notes).await;
        Ok(())
    }
}

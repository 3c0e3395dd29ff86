//! From the body of an answer to rows: records, typed cells, CSV.
//!
//! A service is not believed: a value goes into a column only if it is one of the column's type in full, and
//! numbers stay as they are written, never by way of a float. What does not fit is a [`Misfit`], which names the column
//! and the kind of value, and never the value. Pure: no connection, no file but the temporary ones of [`Keys`].
//!
//! | type | takes | arrives as |
//! | --- | --- | --- |
//! | `text` | a string; a number, `true` or `false` as it is written | the text |
//! | `smallint`, `integer`, `bigint` | a number without a fraction (`3`, `3.0`, `3e2`), or a string that is one | its digits; one out of range does not fit |
//! | `numeric`, `numeric(p,s)` | a number, or a string that is one | all its digits; more than `p` or `s` allow do not fit |
//! | `double precision` | a number, or a string that is one | as it is written; one that is infinite as a double does not fit |
//! | `boolean` | `true`, `false`, or a string that is one of them | the same |
//! | `date` | `2026-11-29` | the same |
//! | `timestamp` | `2026-11-29T08:00:00.123456`, `T` or a blank, without a zone | at most six decimals |
//! | `timestamptz` | RFC 3339, with `Z` or an offset | in UTC, at most six decimals |
//! | `timestamptz epoch`, `timestamptz epoch_ms` | seconds or milliseconds since 1970 | the same |
//! | `uuid` | 32 digits in five groups | in lower case |
//! | `jsonb` | anything | the JSON as it is written |
//!
//! `null` and what is not there are NULL; in CSV an empty field is NULL, but in columns of type `text`, where it is
//! the empty text. Texts with NUL, JSON with an escaped NUL or half a surrogate pair fit nowhere.

mod cell;
mod column;
mod csv;
mod error;
mod fields;
mod infer;
mod json;
mod keys;
mod number;
mod path;
mod row;
mod time;

pub use self::{
    cell::Cell,
    column::{ColumnSpec, ColumnType, schema},
    error::{Misfit, RecordsError},
    fields::Seen,
    infer::{Inferred, infer},
    keys::{Doubles, Duplicates, Keys, KeysError},
    path::{PathError, RecordsPath, ValuePath},
    row::{Rejected, RowWriter},
};
pub(super) use self::{json::string as json_text, path::Unclear};
use super::Media;

/// One record of a body.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// JSON, as it is written.
    Json(&'a str),
    /// A line of CSV with its names.
    Csv {
        /// The names of the fields.
        names: &'a [String],
        /// The values, as many.
        values: &'a csv_async::StringRecord,
    },
}

/// Gives each record of a body to `each`, in its order. Stops at the first error.
///
/// `path`: where records stand in JSON, and in each line of NDJSON; of no use for CSV.
pub fn each_record<E: From<RecordsError>>(
    body: &[u8],
    media: Media,
    path: &RecordsPath,
    mut each: impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    match media {
        Media::Json => json::each(json::text(body)?, path, &mut |record| each(Record::Json(record))),
        Media::Ndjson => json::each_line(json::text(body)?, path, &mut |record| each(Record::Json(record))),
        Media::Csv => csv::each(json::text(body)?, &mut |names, values| each(Record::Csv { names, values })),
    }
}

/// How many records a body has.
/// `names`: what the first line of CSV must have.
pub fn count(body: &[u8], media: Media, path: &RecordsPath, names: &[String]) -> Result<u64, RecordsError> {
    if media == Media::Csv {
        csv::has_names(&csv::names(json::text(body)?)?, names)?;
    }
    let mut records = 0;
    each_record(body, media, path, |_| {
        records += 1;
        Ok::<(), RecordsError>(())
    })?;
    Ok(records)
}

/// A value that is no part of a record, as a column of this kind has it; an error is what is wrong with it.
pub(super) fn text_cell<'a>(column: &ColumnSpec, value: &str) -> Result<Cell<'a>, String> {
    let cell = cell::of_csv(column.column_type, value).map_err(|what| what.into_owned())?;
    let cell = cell.map(|text| match column.hash {
        true => row::hashed(&text, column.column_type),
        false => text.into_owned(),
    });
    Ok(cell.map(Into::into))
}

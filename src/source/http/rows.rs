//! Rows of a collection's answers.
//!
//! All records are gone through once before a row is made: how far the cursor reaches, and which records are not to
//! be rows because another one of their key is. What does not fit its column is seen again when rows are made.

mod look;
mod stream;

use std::sync::Arc;

pub(super) use self::{
    look::{Looked, look},
    stream::{RowsStream, turns},
};
use super::{
    Piece, ServiceError, ServiceTable,
    collect::Envelope,
    records::{self, Cell, ColumnSpec, Duplicates, Record, RecordsError, RowWriter, each_record},
    snapshot::of_request,
};
use crate::{
    schema::{Cursor, CursorKind, TableSchema},
    sql::TableName,
    stage::manifest::Part,
};

/// How rows are made of a table's records.
#[derive(Debug, Clone)]
pub struct RowSettings {
    /// The columns, in their order.
    pub columns: Vec<RowColumn>,
    /// What tells rows apart; empty where nothing does.
    pub key: Vec<String>,
    /// What becomes of a record that is not as the columns say.
    pub on_bad_record: OnBadRecord,
    /// What becomes of different records of one key.
    pub duplicates: Duplicates,
}

/// A column.
#[derive(Debug, Clone)]
pub struct RowColumn {
    /// Its name, its type, and where its values are in a record.
    pub spec: ColumnSpec,
    /// Its values come from the request instead; then its specification takes what no record has.
    pub asked: Option<Piece>,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// What becomes of a record that is not as the columns say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBadRecord {
    /// The load fails.
    #[default]
    Fail,
    /// It is left out, and kept with why.
    Reject,
}

impl RowSettings {
    /// The table's schema.
    pub(super) fn schema(&self) -> TableSchema {
        let spec = |column: &RowColumn| ColumnSpec { nullable: column.nullable, ..column.spec.clone() };
        records::schema(&self.columns.iter().map(spec).collect::<Vec<_>>(), &self.key)
    }

    /// What the first line of CSV must have: it is no line of names without those of columns that are never NULL.
    pub(super) fn names_needed(&self) -> Vec<String> {
        let of_records = self.columns.iter().filter(|column| column.asked.is_none());
        let needed = of_records.filter(|column| !column.nullable || self.key.contains(&column.spec.name));
        needed.map(|column| column.spec.field().to_owned()).collect()
    }

    /// The columns that can be a cursor, by their places.
    fn ordered(&self) -> Vec<(usize, CursorKind)> {
        let kind = |column: &crate::schema::Column| Cursor::kind_of(&column.column_type);
        let kinds = self.schema().columns.iter().map(kind).collect::<Vec<_>>();
        kinds.into_iter().enumerate().filter_map(|(place, kind)| Some((place, kind?))).collect()
    }
}

/// An answer in the stage.
#[derive(Debug, Clone)]
pub(super) struct AnswerPlace {
    pub(super) part: Part,
    /// The number of its first record among all.
    pub(super) first: u64,
    /// Which query it answers, of all collections'.
    pub(super) query: u64,
}

/// How many records that were left out are told one by one.
const TOLD_MAX: usize = 10_000;

/// Records that are left out.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    pub(super) told: Vec<Reject>,
    pub(super) count: u64,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Reject {
    pub(super) key: String,
    pub(super) query: u64,
    pub(super) page: u64,
    /// Its place in the answer, from 1.
    pub(super) record: u64,
    pub(super) reason: String,
}

impl Rejects {
    fn add(&mut self, one: impl FnOnce() -> Reject) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(one());
        }
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.count += others.count;
        let room = TOLD_MAX.saturating_sub(self.told.len());
        self.told.extend(others.told.into_iter().take(room));
    }

    /// The load's failure, if a bad record is one.
    fn refuse(&self, table: &ServiceTable) -> Result<(), ServiceError> {
        match self.told.first() {
            Some(first) if table.rows.on_bad_record == OnBadRecord::Fail => Err(ServiceError::BadRecords {
                table: table.asked.name.clone(),
                count: self.count,
                query: first.query,
                page: first.page,
                record: first.record,
                reason: first.reason.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Goes from record to record of answers, and makes cells of them.
struct Reader {
    table: Arc<ServiceTable>,
    columns: Vec<RowColumn>,
    writer: RowWriter,
    rejects: Rejects,
    /// Where all records are looked at: their fields.
    seen: Option<records::Seen>,
}

/// One record that fits, its number among all, and its cells.
type Fitting<'a, 'r> = (u64, &'a [Cell<'r>]);

impl Reader {
    /// Each record of an answer that fits its columns.
    fn each(
        &mut self,
        place: &AnswerPlace,
        (envelope, body): (&Envelope, &[u8]),
        mut take: impl FnMut(&mut RowWriter, Fitting<'_, '_>) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let asked: Vec<Option<Option<String>>> = self
            .columns
            .iter()
            .map(|column| column.asked.as_ref().map(|piece| of_request(piece, &envelope.given)))
            .collect();
        let mut number = 0;
        let Self { table, columns, writer, rejects, seen } = self;
        let mut one = |record: Record<'_>| {
            number += 1;
            if let Some(seen) = seen {
                seen.see(record);
            }
            let cells = writer.cells(record).map_err(|rejected| rejected.to_string());
            let cells = cells.and_then(|mut cells| {
                fill(columns, &asked, &mut cells)?;
                Ok(cells)
            });
            match cells {
                Ok(cells) => take(writer, (place.first + number - 1, &cells)),
                Err(reason) => {
                    rejects.add(|| Reject {
                        key: place.part.key.clone(),
                        query: envelope.query,
                        page: envelope.page,
                        record: number,
                        reason,
                    });
                    Ok(())
                }
            }
        };
        if envelope.status == super::MISSING {
            // Of what is not there only the request tells.
            return match table.asked.records_of_missing {
                Some(1) if envelope.page == 0 => one(Record::Json("{}")),
                _ => Ok(()),
            };
        }
        if super::says_nothing(envelope.status, body) {
            return Ok(());
        }
        each_record(body, envelope.media(), &table.records, one)
    }
}

/// Puts what comes from the request into its columns.
fn fill(
    columns: &[RowColumn],
    asked: &[Option<Option<String>>],
    cells: &mut [Cell<'_>],
) -> Result<(), String> {
    for ((column, asked), cell) in columns.iter().zip(asked).zip(cells) {
        let Some(value) = asked else { continue };
        let spec = &column.spec;
        let found = match value {
            Some(value) => {
                records::text_cell(spec, value).map_err(|what| format!("column `{}` {what}", spec.name))?
            }
            None => None,
        };
        if found.is_none() && !column.nullable {
            return Err(format!("column `{}` is missing or null", spec.name));
        }
        *cell = found;
    }
    Ok(())
}

/// Why answers cannot be gone through further.
enum Failed {
    Records(RecordsError),
    Other(ServiceError),
}

impl From<RecordsError> for Failed {
    fn from(error: RecordsError) -> Self {
        Self::Records(error)
    }
}

impl Failed {
    fn at(self, table: &TableName, envelope: &Envelope) -> ServiceError {
        match self {
            Self::Records(error) => {
                let (table, query, page) = (table.clone(), envelope.query, envelope.page);
                ServiceError::Records { table, query, page, error }
            }
            Self::Other(error) => error,
        }
    }
}

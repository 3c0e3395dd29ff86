//! Rows of a collection's answers.
//!
//! All records are gone through once before a row is made: how far the cursor reaches, and which records are not to
//! be rows because another one of their key is. What does not fit its column is seen again when rows are made.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Piece, ServiceError, ServiceTable,
    collect::{Envelope, read_answer},
    records::{
        self, Cell, ColumnSpec, Doubles, Duplicates, Keys, Record, RecordsError, RowWriter, each_record,
    },
    snapshot::{Collected, is_before, is_credible, of_request},
};
use crate::{
    schema::{Cursor, CursorKind, TableSchema},
    source::{AnswersPart, Chunk, PartOf, PartPlan, PartStream, SourceError},
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
}

/// What all records tell together.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The greatest value, not beyond now, of each column that can be a cursor.
    pub(super) greatest: BTreeMap<String, String>,
    /// How many rows there are.
    pub(super) rows: u64,
    /// Records that are no rows, because another one of their key is.
    doubles: Option<Doubles>,
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
        let Self { table, columns, writer, rejects } = self;
        let mut one = |record: Record<'_>| {
            number += 1;
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
                Some(1) => one(Record::Json("{}")),
                _ => Ok(()),
            };
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

/// Goes through all records of a collection once.
pub(super) async fn look(collected: &Collected, body_bytes_max: u64) -> Result<Looked, ServiceError> {
    let table = collected.table.clone();
    let columns = table.rows.columns.clone();
    let specs: Vec<ColumnSpec> = columns.iter().map(|column| column.spec.clone()).collect();
    // What stands for NULL and which types there are in the warehouse is not known yet.
    let writer = RowWriter::new(&specs, &[], &crate::schema::CsvForm::default(), 0);
    let reader = Reader { table: table.clone(), columns, writer, rejects: Rejects::default() };
    let places = |names: &[String]| -> Vec<usize> {
        names.iter().filter_map(|name| specs.iter().position(|spec| spec.name == *name)).collect()
    };
    let key = places(&table.rows.key);
    let keys = (!key.is_empty()).then(|| Keys::new(&table.rows.key, &key, collected.duplicates));
    let (ordered, as_of) = (table.rows.ordered(), collected.as_of);
    let mut looking = Looking { reader, keys, ordered, as_of, rows: 0, greatest: BTreeMap::new() };
    for place in &collected.answers {
        let (envelope, body, _) =
            read_answer(&collected.stage, &place.part.key, Some(&place.part), body_bytes_max).await?;
        let place = place.clone();
        let one = tokio::task::spawn_blocking(move || {
            let looked = looking.answer(&place, (&envelope, &body));
            let name = &looking.reader.table.asked.name;
            let looked = looked.map_err(|failed| failed.at(name, &envelope));
            looked.map(|()| looking)
        });
        looking = one.await.map_err(|_| ServiceError::Lost { table: table.asked.name.clone() })??;
    }
    let name = table.asked.name.clone();
    let total = collected.total;
    let found = tokio::task::spawn_blocking(move || looking.finish(total));
    found.await.map_err(|_| ServiceError::Lost { table: name })?
}

/// One going through all records.
struct Looking {
    reader: Reader,
    keys: Option<Keys>,
    ordered: Vec<(usize, CursorKind)>,
    as_of: Timestamp,
    rows: u64,
    /// By the column's place; of those that are not beyond now.
    greatest: BTreeMap<usize, String>,
}

impl Looking {
    fn answer(&mut self, place: &AnswerPlace, answer: (&Envelope, &[u8])) -> Result<(), Failed> {
        let Self { reader, keys, ordered, as_of, rows, greatest } = self;
        let name = reader.table.asked.name.clone();
        reader.each(place, answer, |_, (number, cells)| {
            *rows += 1;
            for (column, kind) in ordered.iter() {
                let Some(value) = &cells[*column] else { continue };
                let is_greatest = greatest.get(column).is_none_or(|before| is_before(*kind, before, value));
                // One beyond now hides none that a watermark may stand on.
                if is_greatest && is_credible(*kind, value, *as_of) {
                    greatest.insert(*column, value.to_string());
                }
            }
            let Some(keys) = keys else { return Ok(()) };
            let keyed = keys.add(number, cells);
            keyed.map_err(|error| Failed::Other(ServiceError::Keys { table: name.clone(), error }))
        })
    }

    fn finish(self, total: Option<u64>) -> Result<Looked, ServiceError> {
        let Self { reader, keys, greatest, rows, .. } = self;
        let table = reader.table;
        reader.rejects.refuse(&table)?;
        let name = table.asked.name.clone();
        let doubles = keys.map(Keys::finish).transpose();
        let doubles = doubles.map_err(|error| ServiceError::Keys { table: name.clone(), error })?;
        let doubled = doubles.as_ref().map_or(0, |doubles| doubles.drop.len() as u64);
        // Some came twice: were as many missed?
        if let Some(said) = total.filter(|_| doubled > 0) {
            return Err(ServiceError::Shifted { table: name, said, came: said.saturating_sub(doubled) });
        }
        let columns = &table.rows.columns;
        let named = |(place, value): (usize, String)| (columns[place].spec.name.clone(), value);
        let greatest = greatest.into_iter().map(named).collect();
        Ok(Looked { greatest, rows: rows - doubled, doubles })
    }
}

/// How many answers of a table are taken apart at once: each can take some megabytes.
pub(super) fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(2))
}

/// Rows are handed on in chunks of about this size.
const CHUNK_BYTES: usize = 48 * 1024;

/// A part's rows, on their way.
pub(super) struct RowsStream {
    collected: Arc<Collected>,
    body_bytes_max: u64,
    reader: Option<Reader>,
    /// The next answer, and the one before which the part ends.
    next: usize,
    end: usize,
    ready: VecDeque<Chunk>,
    /// Held for as long as rows of an answer are in memory.
    turn: Option<OwnedSemaphorePermit>,
    counts: Vec<u64>,
}

impl RowsStream {
    pub(super) fn begin(
        collected: Arc<Collected>,
        part: &PartPlan,
        body_bytes_max: u64,
    ) -> Result<Self, ServiceError> {
        let table = collected.table.clone();
        let PartOf::Answers(answers) = &part.what else {
            return Err(ServiceError::Lost { table: table.asked.name.clone() });
        };
        let AnswersPart { answers, columns, hashed, arrive_as } = &**answers;
        let columns: Vec<RowColumn> = columns
            .iter()
            .filter_map(|name| table.rows.columns.iter().find(|column| column.spec.name == *name))
            .map(|column| {
                let hash = hashed.contains(&column.spec.name);
                RowColumn { spec: ColumnSpec { hash, ..column.spec.clone() }, ..column.clone() }
            })
            .collect();
        let specs: Vec<ColumnSpec> = columns.iter().map(|column| column.spec.clone()).collect();
        let writer = RowWriter::new(&specs, arrive_as, &part.csv, part.counted);
        let reader = Some(Reader { table, columns, writer, rejects: Rejects::default() });
        let (next, end, ready) = (answers.start, answers.end, VecDeque::new());
        Ok(Self { collected, body_bytes_max, reader, next, end, ready, turn: None, counts: Vec::new() })
    }

    /// The rows of the next answer.
    async fn answer(&mut self) -> Result<(), ServiceError> {
        let lost = || ServiceError::Lost { table: self.collected.table.asked.name.clone() };
        let place = self.collected.answers.get(self.next).cloned().ok_or_else(lost)?;
        self.next += 1;
        self.turn = self.collected.turns.clone().acquire_owned().await.ok();
        let answer =
            read_answer(&self.collected.stage, &place.part.key, Some(&place.part), self.body_bytes_max);
        let (envelope, body, _) = answer.await?;
        let (collected, mut reader) = (self.collected.clone(), self.reader.take().ok_or_else(lost)?);
        let made = tokio::task::spawn_blocking(move || {
            let made = rows(&collected, &mut reader, &place, (&envelope, &body));
            let made = made.map_err(|failed| failed.at(&reader.table.asked.name, &envelope));
            made.map(|chunks| (reader, chunks))
        });
        let (reader, chunks) = made.await.map_err(|_| lost())??;
        reader.rejects.refuse(&reader.table)?;
        self.reader = Some(reader);
        self.ready = chunks;
        Ok(())
    }
}

fn rows(
    collected: &Collected,
    reader: &mut Reader,
    place: &AnswerPlace,
    answer: (&Envelope, &[u8]),
) -> Result<VecDeque<Chunk>, Failed> {
    let doubles = collected.found().and_then(|found| found.doubles.as_ref());
    let (mut chunks, mut bytes, mut rows) = (VecDeque::new(), Vec::with_capacity(CHUNK_BYTES + 4096), 0);
    let name = reader.table.asked.name.clone();
    reader.each(place, answer, |writer, (number, cells)| {
        if doubles.is_some_and(|doubles| doubles.drop.binary_search(&number).is_ok()) {
            return Ok(());
        }
        writer.line(cells, &mut bytes).map_err(|rejected| {
            Failed::Other(ServiceError::Row { table: name.clone(), reason: rejected.to_string() })
        })?;
        rows += 1;
        if bytes.len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut bytes, Vec::with_capacity(CHUNK_BYTES + 4096));
            chunks.push_back(Chunk { bytes: Bytes::from(full), rows });
            rows = 0;
        }
        Ok(())
    })?;
    if rows > 0 {
        chunks.push_back(Chunk { bytes: Bytes::from(bytes), rows });
    }
    Ok(chunks)
}

#[async_trait]
impl PartStream for RowsStream {
    async fn next(&mut self) -> Result<Option<Chunk>, SourceError> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            self.turn = None;
            if self.next < self.end {
                self.answer().await?;
                continue;
            }
            if let Some(reader) = self.reader.take() {
                self.counts = reader.writer.counts().to_vec();
                self.collected.reject(reader.rejects);
            }
            return Ok(None);
        }
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }
}

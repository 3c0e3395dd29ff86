//! All records gone through once, before a row is made.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{AnswerPlace, Failed, Reader, Rejects};
use crate::{
    schema::{CsvForm, CursorKind, Fields},
    source::http::{
        ServiceError,
        collect::{Envelope, read_answer},
        records::{ColumnSpec, Doubles, Keys, RowWriter, Seen},
        snapshot::Collected,
        values::{is_before, is_credible},
    },
};

/// What all records tell together.
#[derive(Debug, Default)]
pub(in crate::source::http) struct Looked {
    /// The greatest value, not beyond now, of each column that can be a cursor.
    pub(in crate::source::http) greatest: BTreeMap<String, String>,
    /// How many rows there are.
    pub(in crate::source::http) rows: u64,
    /// How the records' fields differ from those of the columns.
    pub(in crate::source::http) fields: Option<Fields>,
    /// Records that are no rows, because another one of their key is.
    pub(super) doubles: Option<Doubles>,
}

/// Goes through all records of a collection once.
pub(in crate::source::http) async fn look(
    collected: &Collected,
    body_bytes_max: u64,
) -> Result<Looked, ServiceError> {
    let table = collected.table.clone();
    let columns = table.rows.columns.clone();
    let specs: Vec<ColumnSpec> = columns.iter().map(|column| column.spec.clone()).collect();
    // What stands for NULL and which types there are in the warehouse is not known yet.
    let writer = RowWriter::new(&specs, &[], &CsvForm::default(), 0);
    let seen = Some(Seen::default());
    let reader = Reader { table: table.clone(), columns, writer, rejects: Rejects::default(), seen };
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
        let came = rows + reader.rejects.count - doubled;
        if let Some(said) = total.filter(|said| doubled > 0 && came < *said) {
            return Err(ServiceError::Shifted { table: name, said, came });
        }
        let columns = &table.rows.columns;
        let named = |(place, value): (usize, String)| (columns[place].spec.name.clone(), value);
        let greatest = greatest.into_iter().map(named).collect();
        let of_records = columns.iter().filter(|column| column.asked.is_none()).map(|column| &column.spec);
        let fields = reader.seen.unwrap_or_default().against(of_records);
        Ok(Looked { greatest, rows: rows - doubled, doubles, fields })
    }
}

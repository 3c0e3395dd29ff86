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
    let place = |name: &String| {
        let place = specs.iter().position(|spec| spec.name == *name)?;
        Some((place, specs[place].column_type))
    };
    let key: Vec<_> = table.rows.key.iter().filter_map(place).collect();
    let keys = (!key.is_empty()).then(|| Keys::new(&table.rows.key, &key, collected.duplicates));
    let (ordered, as_of) = (table.rows.ordered(), collected.as_of);
    let queries = collected.answers.iter().map(|place| place.query).collect();
    let (rows, greatest, of_queries) = (0, BTreeMap::new(), BTreeMap::new());
    let mut looking = Looking { reader, keys, ordered, as_of, rows, greatest, queries, of_queries };
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
    let totals = collected.totals.clone();
    let found = tokio::task::spawn_blocking(move || looking.finish(&totals));
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
    /// Which query each answer is one to.
    queries: Vec<u64>,
    /// How many records came for each query, those too that are left out.
    of_queries: BTreeMap<u64, u64>,
}

impl Looking {
    fn answer(&mut self, place: &AnswerPlace, answer: (&Envelope, &[u8])) -> Result<(), Failed> {
        let Self { reader, keys, ordered, as_of, rows, greatest, of_queries, .. } = self;
        let name = reader.table.asked.name.clone();
        let (rows_before, left_out_before) = (*rows, reader.rejects.count);
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
        })?;
        let came = (*rows - rows_before) + (reader.rejects.count - left_out_before);
        *of_queries.entry(place.query).or_default() += came;
        Ok(())
    }

    fn finish(self, totals: &BTreeMap<u64, u64>) -> Result<Looked, ServiceError> {
        let Self { reader, keys, greatest, rows, queries, of_queries, .. } = self;
        let table = reader.table;
        reader.rejects.refuse(&table)?;
        let name = table.asked.name.clone();
        let query_of =
            |number: u64| usize::try_from(number >> 32).ok().and_then(|at| queries.get(at)).copied();
        let doubles = keys.map(|keys| keys.finish(query_of)).transpose();
        let doubles = doubles.map_err(|error| ServiceError::Keys { table: name.clone(), error })?;
        let doubled = doubles.as_ref().map_or(0, |doubles| doubles.drop.len() as u64);
        // Some came twice in the pages of one query: were as many missed?
        for (query, twice) in doubles.iter().flat_map(|doubles| &doubles.within) {
            let came = of_queries.get(query).copied().unwrap_or_default().saturating_sub(*twice);
            if let Some(said) = totals.get(query).copied().filter(|said| came < *said) {
                return Err(ServiceError::Shifted { table: name, said, came });
            }
        }
        let columns = &table.rows.columns;
        let named = |(place, value): (usize, String)| (columns[place].spec.name.clone(), value);
        let greatest = greatest.into_iter().map(named).collect();
        let of_records = columns.iter().filter(|column| column.asked.is_none()).map(|column| &column.spec);
        let fields = reader.seen.unwrap_or_default().against(of_records);
        Ok(Looked { greatest, rows: rows - doubled, doubles, fields })
    }
}

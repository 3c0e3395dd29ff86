//! From a record to a line of CSV, as COPY writes it.

use std::{borrow::Cow, collections::HashMap, fmt};

use sha2::{Digest, Sha256};

use super::{
    Misfit, Record,
    cell::{self, Cell, refuse_digits},
    column::{ColumnSpec, ColumnType},
    json,
    number::Number,
};
use crate::{schema::CsvForm, source::looks::Looks};

/// Makes rows of records, for one table.
pub struct RowWriter {
    columns: Vec<Ready>,
    /// Which columns begin with a field.
    by_name: HashMap<String, Vec<usize>>,
    /// Where the fields of CSV stand, for the names that were there last.
    places: (Vec<String>, Vec<Option<usize>>),
    csv: CsvForm,
    looks: Looks,
    counts: Vec<u64>,
}

struct Ready {
    spec: ColumnSpec,
    fit: Fit,
}

/// What the warehouse's type holds, where that is less than the column's.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    digits: Option<(u16, u16)>,
    bytes: Option<usize>,
}

impl Fit {
    fn of(sql_type: &str) -> Self {
        let inside = |word: &str| sql_type.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
        let digits = inside("numeric").and_then(|inside| {
            let (precision, scale) = inside.split_once(',')?;
            Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
        });
        let bytes = inside("varchar").and_then(|inside| inside.parse().ok());
        Self { digits, bytes }
    }

    fn refuse(self, text: &str) -> Result<(), Cow<'static, str>> {
        match self.bytes {
            Some(bytes) if text.len() > bytes => return Err(format!("has more than {bytes} bytes").into()),
            _ => {}
        }
        match self.digits.and_then(|digits| Some((Number::read(text)?, digits))) {
            Some((number, digits)) => refuse_digits(&number, Some(digits)),
            None => Ok(()),
        }
    }
}

/// Why a record is no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// Values that do not fit their columns.
    Misfits(Vec<Misfit>),
    /// It is no object.
    NoObject(&'static str),
    /// It has a field twice.
    Twice(String),
    /// A value is what stands for NULL.
    TakenForNull,
    /// Its row is longer than the warehouse takes.
    Long(u64),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfits(misfits) => {
                let all: Vec<String> = misfits.iter().map(ToString::to_string).collect();
                f.write_str(&all.join("; "))
            }
            Self::NoObject(found) => write!(f, "it is {found} and no object"),
            Self::Twice(name) => write!(f, "it has the field `{name}` twice"),
            Self::TakenForNull => f.write_str("a value of it is the text that stands for NULL"),
            Self::Long(bytes) => write!(f, "its row has more than {bytes} bytes"),
        }
    }
}

impl RowWriter {
    /// `arrive_as`: the warehouse's types, one a column. `counted`: under how many numbers values are counted.
    pub fn new(columns: &[ColumnSpec], arrive_as: &[String], csv: &CsvForm, counted: usize) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let ready = |(number, spec): (usize, &ColumnSpec)| {
            if let Some(name) = spec.path.first_name() {
                by_name.entry(name.to_owned()).or_default().push(number);
            }
            Ready {
                fit: arrive_as.get(number).map(|sql_type| Fit::of(sql_type)).unwrap_or_default(),
                spec: spec.clone(),
            }
        };
        let columns = columns.iter().enumerate().map(ready).collect();
        let (looks, counts) = (Looks::new(&csv.looks), vec![0; counted]);
        Self { columns, by_name, places: Default::default(), csv: csv.clone(), looks, counts }
    }

    /// A record's values, one a column.
    pub fn cells<'a>(&mut self, record: Record<'a>) -> Result<Vec<Cell<'a>>, Rejected> {
        let mut cells: Vec<Cell<'a>> = vec![None; self.columns.len()];
        let mut misfits = Vec::new();
        match record {
            Record::Json(text) => self.of_json(text, &mut cells, &mut misfits)?,
            Record::Csv { names, values } => {
                self.find_places(names);
                for (number, place) in self.places.1.iter().enumerate() {
                    let Some(value) = place.and_then(|place| values.get(place)) else { continue };
                    let cell = cell::of_csv(self.columns[number].spec.column_type, value);
                    keep(&self.columns[number], cell, &mut cells[number], &mut misfits);
                }
            }
        }
        for (column, cell) in self.columns.iter().zip(&cells) {
            let is_told = misfits.iter().any(|misfit| misfit.column == column.spec.name);
            if cell.is_none() && !column.spec.nullable && !is_told {
                misfits
                    .push(Misfit { column: column.spec.name.clone(), what: "is missing or null".to_owned() });
            }
        }
        if misfits.is_empty() { Ok(cells) } else { Err(Rejected::Misfits(misfits)) }
    }

    fn of_json<'a>(
        &self,
        text: &'a str,
        cells: &mut [Cell<'a>],
        misfits: &mut Vec<Misfit>,
    ) -> Result<(), Rejected> {
        if !text.starts_with('{') {
            return Err(Rejected::NoObject(json::kind(text)));
        }
        let mut raws: Vec<Option<&'a str>> = vec![None; cells.len()];
        let mut twice = None;
        let read = json::each_field(text, |name, value| {
            let Some(numbers) = self.by_name.get(name) else { return };
            for number in numbers {
                if raws[*number].replace(value).is_some() {
                    twice = Some(name.to_owned());
                }
            }
        });
        if let Some(name) = twice {
            return Err(Rejected::Twice(name));
        }
        if read.is_err() {
            return Err(Rejected::NoObject("written wrongly"));
        }
        for (number, column) in self.columns.iter().enumerate() {
            let path = &column.spec.path;
            let raw = match path.below() {
                // A field that is not there has nothing in it.
                Some(below) => Ok(raws[number].and_then(|raw| json::walk(raw, below))),
                None => path.of(text),
            };
            let cell = match raw {
                Ok(None) => continue,
                Ok(Some(raw)) => cell::of_json(column.spec.column_type, raw),
                Err(unclear) => Err(unclear.to_string().into()),
            };
            keep(column, cell, &mut cells[number], misfits);
        }
        Ok(())
    }

    fn find_places(&mut self, names: &[String]) {
        if self.places.0 != names {
            let place = |column: &Ready| names.iter().position(|own| own == column.spec.field());
            self.places = (names.to_vec(), self.columns.iter().map(place).collect());
        }
    }

    /// Writes a row: a line of CSV as Postgres' COPY writes it.
    pub fn line(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<(), Rejected> {
        let start = out.len();
        let written = self.write(cells, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<(), Rejected> {
        let (start, null) = (out.len(), self.csv.null.as_str());
        for (number, cell) in cells.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match cell {
                None => out.extend_from_slice(null.as_bytes()),
                // Not everybody who reads CSV sees that it is quoted.
                Some(text) if !null.is_empty() && text == null => return Err(Rejected::TakenForNull),
                Some(text) => value(text, self.csv.quote_all, cells.len() == 1, out),
            }
        }
        out.push(b'\n');
        let bytes = (out.len() - start) as u64;
        if let Some(bytes_max) = self.csv.row_bytes_max.filter(|bytes_max| bytes > *bytes_max) {
            return Err(Rejected::Long(bytes_max));
        }
        self.looks.count(&out[start..], &mut self.counts);
        Ok(())
    }

    /// What was counted under each number, in all rows so far.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

/// Takes a cell, if the warehouse's column holds it.
fn keep<'a>(
    column: &Ready,
    found: Result<Cell<'a>, Cow<'static, str>>,
    place: &mut Cell<'a>,
    misfits: &mut Vec<Misfit>,
) {
    let found = found.and_then(|cell| {
        let cell = match cell {
            Some(text) if column.spec.hash => Some(hashed(&text, column.spec.column_type).into()),
            cell => cell,
        };
        if let Some(text) = &cell {
            column.fit.refuse(text)?;
        }
        Ok(cell)
    });
    match found {
        Ok(cell) => *place = cell,
        Err(what) => misfits.push(Misfit { column: column.spec.name.clone(), what: what.into_owned() }),
    }
}

/// As a Postgres source hashes it: SHA-256 of the value's text, in hex.
pub(super) fn hashed(text: &str, column_type: ColumnType) -> String {
    let text = match (column_type, text) {
        (ColumnType::Boolean, "t") => "true",
        (ColumnType::Boolean, "f") => "false",
        (_, text) => text,
    };
    Sha256::digest(text).iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}"))
}

fn value(text: &str, quote_all: bool, is_alone: bool, out: &mut Vec<u8>) {
    let needs = |text: &str| {
        text.is_empty()
            || is_alone && text == "\\."
            || text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
    };
    if !quote_all && !needs(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for (number, piece) in text.split('"').enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(piece.as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::{Look, LookKind},
        source::http::records::{RecordsError, RecordsPath, ValuePath, each_record},
    };

    fn column(name: &str, word: &str) -> ColumnSpec {
        ColumnSpec {
            name: name.to_owned(),
            path: ValuePath::field(name),
            column_type: ColumnType::of_word(word),
            nullable: true,
            hash: false,
        }
    }

    fn row(columns: &[ColumnSpec], csv: &CsvForm, record: &str) -> Result<String, String> {
        let mut writer = RowWriter::new(columns, &[], csv, 0);
        let (mut out, record) = (Vec::new(), Record::Json(record));
        let cells = writer.cells(record).map_err(|rejected| rejected.to_string())?;
        writer.line(&cells, &mut out).map_err(|rejected| rejected.to_string())?;
        Ok(String::from_utf8(out).expect("it is text"))
    }

    #[test]
    fn a_row_is_written_as_copy_writes_it() {
        let columns = [column("id", "bigint"), column("note", "text"), column("ok", "boolean")];
        let csv = CsvForm::default();
        for (record, line) in [
            (r#"{"id": 1, "note": "a", "ok": true}"#, "1,a,t\n"),
            (r#"{"note": "", "id": 2}"#, "2,\"\",\n"),
            (r#"{"id": 3, "note": "a,\"b\"\nc", "ok": null, "more": [1]}"#, "3,\"a,\"\"b\"\"\nc\",\n"),
            (r#"{}"#, ",,\n"),
        ] {
            assert_eq!(row(&columns, &csv, record).as_deref(), Ok(line), "{record}");
        }
        let alone = [column("note", "text")];
        assert_eq!(row(&alone, &csv, r#"{"note": "\\."}"#).as_deref(), Ok("\"\\.\"\n"));
        let quoted = CsvForm { quote_all: true, null: "\\N".into(), ..csv };
        assert_eq!(row(&alone, &quoted, r#"{"note": "x"}"#).as_deref(), Ok("\"x\"\n"));
        assert_eq!(row(&alone, &quoted, r#"{}"#).as_deref(), Ok("\\N\n"));
        assert!(row(&alone, &quoted, r#"{"note": "\\N"}"#).unwrap_err().contains("stands for NULL"));
    }

    #[test]
    fn a_record_that_is_no_row_is_told_column_by_column() {
        let columns = [column("id", "bigint"), ColumnSpec { nullable: false, ..column("day", "date") }];
        let csv = CsvForm { row_bytes_max: Some(20), ..CsvForm::default() };
        for (record, says) in [
            (r#"{"id": "x"}"#, "column `id` is no bigint; column `day` is missing or null"),
            (r#"{"day": null}"#, "column `day` is missing or null"),
            (r#"{"id": 1, "id": 2, "day": "2026-01-01"}"#, "it has the field `id` twice"),
            ("[1]", "it is a list and no object"),
            (r#"{"id": 123456789012345, "day": "2026-01-01"}"#, "its row has more than 20 bytes"),
        ] {
            assert_eq!(row(&columns, &csv, record).unwrap_err(), says, "{record}");
        }
    }

    #[test]
    fn what_the_warehouse_holds_less_of_is_refused() {
        let columns = [column("n", "numeric"), column("t", "text")];
        let arrive_as = ["numeric(5,2)".to_owned(), "varchar(3)".to_owned()];
        let mut writer = RowWriter::new(&columns, &arrive_as, &CsvForm::default(), 0);
        assert!(writer.cells(Record::Json(r#"{"n": 123.45, "t": "abc"}"#)).is_ok());
        let refused = writer.cells(Record::Json(r#"{"n": 1.234, "t": "äö"}"#)).unwrap_err().to_string();
        assert_eq!(refused, "column `n` has more than 2 decimals; column `t` has more than 3 bytes");
    }

    #[test]
    fn a_value_is_looked_up_deep_in_a_record_and_hashed_where_that_is_asked() {
        let deep =
            ColumnSpec { path: ValuePath::read("$.a.b[1]").expect("a path"), ..column("deep", "numeric") };
        let hash = ColumnSpec { hash: true, ..column("mail", "text") };
        let line =
            row(&[deep, hash], &CsvForm::default(), r#"{"a": {"b": [0, 2.50]}, "mail": "a@b"}"#).unwrap();
        let sha = "7508d8b5018ea640b85269861a101203f0c26900555268e930025dac844b0f35";
        assert_eq!(line, format!("2.50,{sha}\n"));
    }

    #[test]
    fn long_texts_are_counted_where_the_warehouse_asks() {
        let csv = CsvForm {
            looks: vec![Look { place: 0, kind: LookKind::LongText, number: 0 }],
            ..CsvForm::default()
        };
        let mut writer = RowWriter::new(&[column("t", "text")], &[], &csv, 1);
        let long = format!("{{\"t\": \"{}\"}}", "a".repeat(65_536));
        let cells = writer.cells(Record::Json(&long)).expect("a text");
        writer.line(&cells, &mut Vec::new()).expect("a row");
        assert_eq!(writer.counts(), [1]);
    }

    #[test]
    fn csv_gives_rows_by_its_names() {
        let columns = [column("b", "bigint"), column("a", "text"), column("c", "text")];
        let mut writer = RowWriter::new(&columns, &[], &CsvForm::default(), 0);
        let mut out = Vec::new();
        each_record(b"a,b\nx,1\n,\n", super::super::Media::Csv, &RecordsPath::default(), |record| {
            let cells = writer.cells(record).expect("they fit");
            writer.line(&cells, &mut out).expect("a row");
            Ok::<(), RecordsError>(())
        })
        .expect("it is CSV");
        assert_eq!(String::from_utf8(out).expect("text"), "1,x,\n,\"\",\n");
    }

    proptest::proptest! {
        #[test]
        fn a_row_is_read_back_as_it_was(texts in proptest::collection::vec(proptest::option::of("[^\0]{0,12}"), 2..5)) {
            let columns: Vec<ColumnSpec> = (0..texts.len()).map(|n| column(&format!("c{n}"), "text")).collect();
            let object: serde_json::Map<String, serde_json::Value> =
                texts.iter().enumerate().map(|(n, text)| (format!("c{n}"), text.clone().into())).collect();
            let line = row(&columns, &CsvForm::default(), &serde_json::Value::Object(object).to_string()).expect("a row");
            // By the rules: unquoted and empty is NULL, and within quotes two stand for one.
            let (mut read, mut rest) = (Vec::new(), line.strip_suffix('\n').expect("a line"));
            loop {
                let value = match rest.strip_prefix('"') {
                    None => {
                        let end = rest.find(',').unwrap_or(rest.len());
                        let (value, after) = rest.split_at(end);
                        rest = after;
                        (!value.is_empty()).then(|| value.to_owned())
                    }
                    Some(mut inside) => {
                        let mut value = String::new();
                        loop {
                            let (piece, after) = inside.split_once('"').expect("it ends");
                            value.push_str(piece);
                            match after.strip_prefix('"') {
                                Some(more) => { value.push('"'); inside = more; }
                                None => { rest = after; break; }
                            }
                        }
                        Some(value)
                    }
                };
                read.push(value);
                match rest.strip_prefix(',') { Some(more) => rest = more, None => break }
            }
            proptest::prop_assert_eq!(read, texts);
        }
    }
}

//! CSV with a line of names (RFC 4180), from a body that is whole in memory.

use csv_async::{AsyncReaderBuilder, ErrorKind, StringRecord};
use futures_util::FutureExt;

use super::RecordsError;

/// Takes a line: the names of its fields, and the fields.
type Each<'a, E> = dyn FnMut(&[String], &StringRecord) -> Result<(), E> + 'a;

/// Fails where the first line has none of some names: it is then none of names, as what a service says of its trouble,
/// or the first line of a page that has no names.
pub(super) fn has_names(names: &[String], needed: &[String]) -> Result<(), RecordsError> {
    match needed.iter().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(RecordsError::NoName { name: name.clone() }),
    }
}

/// The names that the first line gives.
pub(super) fn names(text: &str) -> Result<Vec<String>, RecordsError> {
    let mut reader = AsyncReaderBuilder::new().has_headers(false).create_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let read = reader.read_record(&mut record).now_or_never();
    read.unwrap_or(Ok(false)).map_err(|error| wrong(&error))?;
    read_names(&record)
}

/// Each line after the first one, with the names that the first one gives.
pub(super) fn each<E: From<RecordsError>>(text: &str, each: &mut Each<'_, E>) -> Result<(), E> {
    if text.trim().is_empty() {
        return Err(RecordsError::Empty.into());
    }
    // The reader takes what breaks off within quotes for whole.
    if !memchr::memchr_iter(b'"', text.as_bytes()).count().is_multiple_of(2) {
        let line = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64 + 1;
        return Err(RecordsError::Csv { what: "it breaks off within quotes".to_owned(), line }.into());
    }
    let mut reader = AsyncReaderBuilder::new().has_headers(false).create_reader(text.as_bytes());
    let (mut names, mut record) = (Vec::new(), StringRecord::new());
    loop {
        // What is in memory is read at once.
        let read = reader.read_record(&mut record).now_or_never();
        match read.unwrap_or(Ok(false)).map_err(|error| wrong(&error))? {
            false => return Ok(()),
            true if names.is_empty() => names = read_names(&record)?,
            true => each(&names, &record)?,
        }
    }
}

fn read_names(record: &StringRecord) -> Result<Vec<String>, RecordsError> {
    let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    match twice {
        Some((_, name)) => Err(RecordsError::Twice { name: name.clone() }),
        None => Ok(names),
    }
}

fn wrong(error: &csv_async::Error) -> RecordsError {
    let line = error.position().map_or(0, csv_async::Position::line);
    let what = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("a line of {len} fields where the first one has {expected_len} names")
        }
        _ => "it is written wrongly".to_owned(),
    };
    RecordsError::Csv { what, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<String>>, RecordsError> {
        let mut all = Vec::new();
        each(text, &mut |names, values| {
            all.push(names.iter().zip(values).map(|(name, value)| format!("{name}={value}")).collect());
            Ok::<(), RecordsError>(())
        })?;
        Ok(all)
    }

    #[test]
    fn quotes_and_line_breaks_are_read() {
        let rows = read("id,note\r\n1,\"a \"\"b\"\",\nc\"\n2,\n").unwrap();
        assert_eq!(rows, [["id=1", "note=a \"b\",\nc"], ["id=2", "note="]]);
        assert_eq!(read("id,note\n").unwrap().len(), 0);
        assert_eq!(read("id\n1").unwrap(), [["id=1"]]);
    }

    #[test]
    fn a_line_without_the_names_that_must_be_there_is_none_of_names() {
        let needed = ["id".to_owned(), "at".to_owned()];
        let has = |text: &str| has_names(&names(text).unwrap(), &needed);
        assert_eq!(has("at, id,x\n"), Ok(()));
        let error = has("Temporarily unavailable, try later").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the answer's first line has no `id`: it is no CSV with a line of names"
        );
        assert!(has("7,2026-01-01\n").is_err(), "a page without a line of names");
    }

    #[test]
    fn what_is_no_csv_is_told_with_its_line() {
        for (text, says) in [
            ("", "no body"),
            ("a,b\n1,2\n3\n", "a line of 1 fields where the first one has 2 names, in line 3"),
            ("a,b\n1,2,3\n", "a line of 3 fields"),
            ("a,a\n1,2\n", "`a` twice"),
            ("a,b\n1,\"x", "breaks off within quotes, in line 2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

//! The double's own CSV reader (§1.3): fed in pieces, gives records with the place of each.

/// A record, or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The line on which it begins, from 1; fields in quotes may hold ends of lines.
    pub(super) line: u64,
    pub(super) fields: Vec<Vec<u8>>,
    /// The bytes as they were.
    pub(super) raw: Vec<u8>,
    pub(super) fault: Option<(i32, &'static str)>,
}

impl Record {
    /// Whether there is nothing on the line.
    pub(super) fn is_blank(&self) -> bool {
        self.raw.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a field's first byte; blanks before a quote do not count.
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted field: its end, or the first of two.
    AfterQuote,
    /// After blanks behind a quoted field.
    Closed,
}

/// One row of input holds no more (§1.6).
const MOST_BYTES: usize = 4 * 1024 * 1024;
const QUOTES: (i32, &str) = (1214, "Invalid quote formatting for CSV");

pub(super) struct Reader {
    quote: u8,
    delimiter: u8,
    place: Place,
    line: u64,
    record: Record,
    field: Vec<u8>,
    /// A CR at the end of what was read so far, which belongs to the line's end if LF follows.
    cr: bool,
}

fn record(line: u64) -> Record {
    Record { line, fields: Vec::new(), raw: Vec::new(), fault: None }
}

impl Reader {
    pub(super) fn new(quote: u8, delimiter: u8) -> Self {
        let (place, field) = (Place::Start, Vec::new());
        Self { quote, delimiter, place, line: 1, record: record(1), field, cr: false }
    }

    /// Takes bytes; gives the records that end in them.
    pub(super) fn feed(&mut self, bytes: &[u8], records: &mut Vec<Record>) {
        for byte in bytes {
            self.byte(*byte);
            if *byte == b'\n' {
                self.line += 1;
                if self.place != Place::Quoted {
                    records.push(self.end_record());
                }
            }
        }
    }

    /// The last record, if no end of line is after it.
    pub(super) fn finish(mut self) -> Option<Record> {
        if self.record.raw.is_empty() {
            return None;
        }
        if self.place == Place::Quoted {
            self.record.fault = Some((1214, "Invalid quote formatting for CSV: unterminated quote"));
        }
        Some(self.end_record())
    }

    fn end_record(&mut self) -> Record {
        self.end_field();
        self.cr = false;
        let mut ended = std::mem::replace(&mut self.record, record(self.line));
        if ended.raw.len() > MOST_BYTES {
            ended.fault = Some((1216, "Input line is longer than 4 MB"));
        } else if ended.raw.contains(&0) {
            // What Redshift makes of it is told in two ways (§1.3).
            ended.fault = Some((1216, "Input line holds a NUL byte"));
        }
        ended
    }

    fn end_field(&mut self) {
        let field = std::mem::take(&mut self.field);
        self.record.fields.push(field);
        self.place = Place::Start;
    }

    fn fault(&mut self) {
        self.record.fault.get_or_insert(QUOTES);
    }

    fn byte(&mut self, byte: u8) {
        if self.record.raw.len() <= MOST_BYTES {
            self.record.raw.push(byte);
        }
        if self.cr && byte != b'\n' {
            // A CR alone ends no line (unconfirmed), and must be in quotes otherwise.
            self.cr = false;
            self.fault();
        }
        match self.place {
            Place::Quoted if byte == self.quote => self.place = Place::AfterQuote,
            Place::Quoted => self.field.push(byte),
            Place::AfterQuote if byte == self.quote => {
                self.field.push(byte);
                self.place = Place::Quoted;
            }
            _ if byte == b'\n' => {}
            _ if byte == b'\r' => self.cr = true,
            _ if byte == self.delimiter => self.end_field(),
            Place::AfterQuote | Place::Closed if byte == b' ' || byte == b'\t' => self.place = Place::Closed,
            Place::AfterQuote | Place::Closed => self.fault(),
            Place::Start if byte == self.quote => {
                self.field.clear();
                self.place = Place::Quoted;
            }
            // Blanks may still turn out to be before a quote.
            Place::Start => {
                self.field.push(byte);
                if byte != b' ' && byte != b'\t' {
                    self.place = Place::Plain;
                }
            }
            Place::Plain if byte == self.quote => self.fault(),
            Place::Plain => self.field.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Vec<Record> {
        let (mut reader, mut records) = (Reader::new(b'"', b','), Vec::new());
        for bytes in text.as_bytes().chunks(piece) {
            reader.feed(bytes, &mut records);
        }
        records.extend(reader.finish());
        records
    }

    fn fields(text: &str) -> Vec<Vec<String>> {
        let records = read(text, 1);
        assert_eq!(records, read(text, 1000), "however it is cut");
        let text = |field: &Vec<u8>| String::from_utf8_lossy(field).into_owned();
        records.iter().map(|record| record.fields.iter().map(text).collect()).collect()
    }

    #[test]
    fn fields_and_records() {
        assert_eq!(fields("a,b\nc,\n"), [["a", "b"], ["c", ""]]);
        assert_eq!(fields("a,b"), [["a", "b"]], "the last line needs no end");
        assert_eq!(fields("a,b\r\nc,d\r\n"), [["a", "b"], ["c", "d"]]);
        assert_eq!(fields("\"a,\"\"\n\r\", \"b\" \n"), [["a,\"\n\r", "b"]]);
        assert_eq!(fields(" a ,\" b \"\n"), [[" a ", " b "]]);
        assert!(fields("").is_empty());
    }

    #[test]
    fn lines_are_counted_in_quotes_too() {
        let lines: Vec<_> = read("\"a\nb\"\nc\n\nd", 3).iter().map(|record| record.line).collect();
        assert_eq!(lines, [1, 3, 4, 5]);
    }

    #[test]
    fn what_is_no_csv() {
        for text in ["a\"b\n", "\"a\"b\n", "\"a", "a\rb\n", "\"a\" \"b\"\n"] {
            let records = read(text, 2);
            assert_eq!(records[0].fault.map(|(code, _)| code), Some(1214), "{text:?}");
        }
        assert_eq!(read("a\0\n", 9)[0].fault.map(|(code, _)| code), Some(1216));
        let long = format!("{}\nb\n", "x".repeat(MOST_BYTES + 1));
        let records = read(&long, 65_536);
        assert_eq!(records[0].fault.map(|(code, _)| code), Some(1216));
        assert_eq!((records[1].fault, records[1].line), (None, 2));
    }
}

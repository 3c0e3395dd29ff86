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
            Place::AfterQuote if byte == b' ' || byte == b'\t' => {}
            Place::AfterQuote => self.fault(),
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

//! `COPY` from S3, as CSV (§1.1). Options come in any order, each once.

use super::{cursor::Cursor, names::Name};
use crate::engine::error::SqlError;

/// A `COPY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) table: Name,
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) bucket: String,
    /// The whole key of a manifest, or what keys begin with.
    pub(crate) key: String,
    pub(crate) role: Role,
    pub(crate) options: Options,
}

/// Who reads the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Default,
    Arn(String),
    /// Keys in the statement.
    Keys,
}

/// How objects are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
}

/// What `COPY` is told of the format and of conversions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) is_csv: bool,
    pub(crate) is_manifest: bool,
    pub(crate) region: Option<String>,
    pub(crate) compression: Compression,
    pub(crate) quote: u8,
    pub(crate) delimiter: u8,
    pub(crate) null_as: Option<String>,
    pub(crate) empty_as_null: bool,
    pub(crate) blanks_as_null: bool,
    pub(crate) trim_blanks: bool,
    /// The replacement of bytes that are no UTF-8.
    pub(crate) accept_invalid: Option<u8>,
    pub(crate) truncate: bool,
    pub(crate) fill_record: bool,
    pub(crate) ignore_blank_lines: bool,
    pub(crate) ignore_header: u64,
    pub(crate) round: bool,
    pub(crate) max_error: Option<u64>,
    pub(crate) ignore_all_errors: bool,
    pub(crate) is_rehearsal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_csv: false,
            is_manifest: false,
            region: None,
            compression: Compression::None,
            quote: b'"',
            delimiter: b',',
            null_as: None,
            empty_as_null: false,
            blanks_as_null: false,
            trim_blanks: false,
            accept_invalid: None,
            truncate: false,
            fill_record: false,
            ignore_blank_lines: false,
            ignore_header: 0,
            round: false,
            max_error: None,
            ignore_all_errors: false,
            is_rehearsal: false,
        }
    }
}

/// After `COPY`.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Copy, SqlError> {
    let table = cursor.name()?;
    let columns = if cursor.is_symbol("(") { Some(cursor.identifiers()?) } else { None };
    cursor.expect("from")?;
    let from = cursor.literal()?;
    let path = from.strip_prefix("s3://").and_then(|path| path.split_once('/'));
    let (bucket, key) = path
        .filter(|(bucket, _)| !bucket.is_empty())
        .ok_or_else(|| SqlError::new("42601", "COPY source must be an S3 path such as s3://bucket/key"))?;
    let mut reader = Reader { seen: Vec::new(), role: None, options: Options::default() };
    while !cursor.is_at_end() {
        reader.option(cursor)?;
    }
    reader.check()?;
    let role = reader
        .role
        .take()
        .ok_or_else(|| SqlError::new("42601", "CREDENTIALS argument is required but not supplied"))?;
    let options = reader.options;
    Ok(Copy { table, columns, bucket: bucket.to_owned(), key: key.to_owned(), role, options })
}

struct Reader {
    seen: Vec<String>,
    role: Option<Role>,
    options: Options,
}

fn invalid(text: impl Into<String>) -> SqlError {
    SqlError::new("42601", text)
}

/// A text after an option, with or without AS.
fn text(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    cursor.eat("as");
    cursor.literal()
}

/// One ASCII character.
fn character(cursor: &mut Cursor<'_>, what: &str) -> Result<u8, SqlError> {
    match text(cursor)?.as_bytes() {
        [one] if one.is_ascii() => Ok(*one),
        _ => Err(invalid(format!("COPY {what} must be a single ASCII character"))),
    }
}

fn number(cursor: &mut Cursor<'_>) -> Result<u64, SqlError> {
    cursor.eat("as");
    cursor.whole_number()
}

/// Settings that change nothing here.
fn on_or_off(cursor: &mut Cursor<'_>) {
    let words = ["preset", "on", "off", "true", "false"];
    words.iter().any(|word| cursor.eat(word));
}

/// A time's format: the default of the option, or `auto` in small letters (§1.5).
fn time_format(cursor: &mut Cursor<'_>, known: &str) -> Result<(), SqlError> {
    let format = text(cursor)?;
    if format == "auto" || format == known {
        return Ok(());
    }
    Err(invalid(format!("this double reads times as 'auto' or '{known}'")))
}

impl Reader {
    fn option(&mut self, cursor: &mut Cursor<'_>) -> Result<(), SqlError> {
        let start = cursor.clone();
        let word = cursor.next()?.word();
        let name = if matches!(word.as_str(), "format" | "csv") { "csv".to_owned() } else { word.clone() };
        if self.seen.contains(&name) {
            return Err(invalid("conflicting or redundant options"));
        }
        self.seen.push(name);
        let options = &mut self.options;
        match word.as_str() {
            "format" => {
                cursor.eat("as");
                cursor.expect("csv")?;
                options.is_csv = true;
            }
            "csv" => options.is_csv = true,
            "manifest" => options.is_manifest = true,
            "region" => options.region = Some(text(cursor)?),
            "gzip" => options.compression = Compression::Gzip,
            "zstd" => options.compression = Compression::Zstd,
            "quote" => options.quote = character(cursor, "quote")?,
            "delimiter" => options.delimiter = character(cursor, "delimiter")?,
            "null" => options.null_as = Some(text(cursor)?),
            "emptyasnull" => options.empty_as_null = true,
            "blanksasnull" => options.blanks_as_null = true,
            "trimblanks" => options.trim_blanks = true,
            "truncatecolumns" => options.truncate = true,
            "fillrecord" => options.fill_record = true,
            "ignoreblanklines" => options.ignore_blank_lines = true,
            "ignoreheader" => options.ignore_header = number(cursor)?,
            "roundec" => options.round = true,
            "maxerror" => options.max_error = Some(number(cursor)?),
            "ignoreallerrors" => options.ignore_all_errors = true,
            "noload" => options.is_rehearsal = true,
            "acceptinvchars" => {
                let given = cursor.clone().next().is_ok_and(|token| token.text.len() <= 1);
                let is_text = given && text(&mut cursor.clone()).is_ok();
                options.accept_invalid = Some(if is_text { character(cursor, "replacement")? } else { b'?' });
            }
            "timeformat" => time_format(cursor, "YYYY-MM-DD HH:MI:SS")?,
            "dateformat" => time_format(cursor, "YYYY-MM-DD")?,
            "encoding" => {
                cursor.eat("as");
                cursor.expect("utf8")?;
            }
            "compupdate" | "statupdate" => on_or_off(cursor),
            "comprows" => {
                number(cursor)?;
            }
            "escape" | "removequotes" | "fixedwidth" => {
                return Err(invalid(format!("{} is not compatible with CSV", word.to_uppercase())));
            }
            _ => return self.authorization(&word, cursor).unwrap_or_else(|| Err(start.error())),
        }
        Ok(())
    }

    fn authorization(&mut self, word: &str, cursor: &mut Cursor<'_>) -> Option<Result<(), SqlError>> {
        let role = match word {
            "iam_role" if cursor.eat("default") => Ok(Role::Default),
            "iam_role" => text(cursor).map(Role::Arn),
            "access_key_id" | "secret_access_key" | "session_token" | "credentials" => {
                text(cursor).map(|_| Role::Keys)
            }
            "with" => return Some(Ok(())),
            _ => return None,
        };
        Some(role.and_then(|role| match &self.role {
            Some(before) if *before != role => Err(invalid("IAM_ROLE and keys exclude each other")),
            _ => {
                self.role = Some(role);
                Ok(())
            }
        }))
    }

    fn check(&self) -> Result<(), SqlError> {
        let options = &self.options;
        if !options.is_csv {
            return Err(invalid("this double loads FORMAT CSV alone"));
        }
        if options.ignore_all_errors && options.max_error.is_some() {
            return Err(invalid("MAXERROR and IGNOREALLERRORS exclude each other"));
        }
        if options.max_error.is_some_and(|most| most > 100_000) {
            return Err(invalid("MAXERROR must be at most 100000"));
        }
        if options.region.as_deref() == Some("") {
            return Err(invalid("REGION is empty"));
        }
        Ok(())
    }
}

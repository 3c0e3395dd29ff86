//! Which tables a model's SELECT reads. What is taken is one statement, by Postgres' own rules of strings and comments
//! written anew here, so that nothing can hide behind it; each name stands where it is said to; the text comes back byte
//! for byte, and with each name written out in full it is read as the same tables. What is refused has its place.

use super::{fuzz, outcome, pieces};
use crate::sql::{
    self, Dialect, Problem, Reference, quote_ident,
    refs::{Kind, Query},
};

const TOKENS: &[&str] = &[
    "SELECT ",
    " FROM ",
    " JOIN ",
    "WITH a AS (",
    " AS ",
    "TABLE ",
    "(",
    ")",
    ",",
    ".",
    "::",
    ":since",
    "$1",
    "$$",
    "$a$",
    "E'",
    "U&'",
    "/*",
    "*/",
    "--",
    "\n",
    "\r",
    ";",
    "[1]",
    " UNION ",
    " FOR UPDATE",
    " INTO x",
    "LATERAL ",
    "ONLY ",
    "*",
    "\\'",
    "DELETE FROM t RETURNING *",
    "; DROP TABLE t",
    "''",
    "\"\"",
    "b'1'",
    "x'ff'",
    "N'n'",
    "{",
    "}",
    " ORDER BY 1",
];

#[test]
fn references() {
    fuzz("references", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    let [text] = pieces(input);
    [Dialect::Postgres, Dialect::Redshift]
        .map(|dialect| of(&text, dialect))
        .iter()
        .fold(0_u64, |all, one| all.rotate_left(7) ^ one)
}

fn of(text: &str, dialect: Dialect) -> u64 {
    let query = match sql::read(text, dialect) {
        Ok(query) => query,
        Err(error) => {
            assert!(!matches!(error.problem, Problem::Lost(_)), "{error}");
            assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1, "{error}");
            assert!(error.column >= 1, "{error}");
            return outcome(&error.problem.to_string());
        }
    };
    assert_eq!(query.written(None, |_| None), text);
    for read in &query.references {
        let before = &text[..read.range.start];
        assert_eq!(read.line, before.matches('\n').count() + 1);
        assert_eq!(read.column, before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1);
    }
    let statement = query.statement(Some("'1970-01-01'"), |_| None);
    is_one(&statement, dialect).unwrap_or_else(|what| {
        panic!("{what} in what {dialect:?} was told to be one statement: {statement:?}")
    });
    assert_eq!(names(&sql::read(&statement, dialect).expect("the statement is read alone")), names(&query));
    let full = |read: &Reference| {
        let parts = [read.database.as_deref(), read.schema.as_deref(), Some(&read.name)];
        Some(parts.into_iter().flatten().map(quote_ident).collect::<Vec<_>>().join("."))
    };
    let written = query.written(None, full);
    match sql::read(&written, dialect) {
        Ok(again) => assert_eq!(names(&again), names(&query), "{written:?}"),
        Err(error) => panic!("{error}: {written:?}"),
    }
    let kinds: Vec<String> = query.references.iter().map(|read| format!("{:?}", read.kind)).collect();
    outcome(&format!("{} {} {}", kinds.join(" "), query.has_since(), query.is_always_one_row))
}

fn names(query: &Query) -> Vec<(Kind, Vec<String>)> {
    let name = |read: &Reference| {
        let parts = [read.database.clone(), read.schema.clone(), Some(read.name.clone())];
        (read.kind, parts.into_iter().flatten().collect())
    };
    query.references.iter().map(name).collect()
}

/// Whether a text can stand in brackets within another statement, by what Postgres' manual says in "Lexical Structure":
/// no `;`, each bracket closed, and no string, name or comment open at its end. On Redshift a backslash escapes in every
/// string.
fn is_one(text: &str, dialect: Dialect) -> Result<(), String> {
    let escapes = dialect == Dialect::Redshift;
    let (mut rest, mut open, mut before) = (text, Vec::new(), ' ');
    while let Some(letter) = rest.chars().next() {
        let skipped = match letter {
            '\'' => string(rest, escapes || matches!(before, 'e' | 'E'))?,
            '"' => quoted(rest, '"', false)?,
            '$' if !is_in_name(before) => dollar(rest)?,
            '-' if rest.starts_with("--") => {
                let line = rest.find(['\n', '\r']).ok_or("a comment that goes on behind it")?;
                line + 1
            }
            '/' if rest.starts_with("/*") => comment(rest)?,
            ';' => return Err("a second statement".to_owned()),
            '(' | '[' => {
                open.push(letter);
                1
            }
            ')' | ']' if open.pop() == Some(if letter == ')' { '(' } else { '[' }) => 1,
            ')' | ']' => return Err("a bracket that was not opened".to_owned()),
            _ => letter.len_utf8(),
        };
        before = match letter {
            // `e` begins a string only where it is a word of its own.
            'e' | 'E' if is_in_name(before) => '_',
            letter => letter,
        };
        rest = &rest[skipped..];
    }
    if open.is_empty() { Ok(()) } else { Err("a bracket that is not closed".to_owned()) }
}

fn is_in_name(letter: char) -> bool {
    letter == '_' || letter == '$' || letter.is_ascii_alphanumeric() || !letter.is_ascii()
}

/// A string, with those behind it from which only a new line parts it: they are one, and escape alike.
fn string(text: &str, with_backslashes: bool) -> Result<usize, String> {
    let mut length = quoted(text, '\'', with_backslashes)?;
    loop {
        let mut rest = &text[length..];
        let mut has_new_line = false;
        loop {
            let blank = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
            has_new_line |= rest[..rest.len() - blank.len()].contains(['\n', '\r']);
            match blank.strip_prefix("--").and_then(|comment| Some(&comment[comment.find(['\n', '\r'])?..])) {
                Some(below) => rest = below,
                None => {
                    rest = blank;
                    break;
                }
            }
        }
        if !has_new_line || !rest.starts_with('\'') {
            return Ok(length);
        }
        length = text.len() - rest.len() + quoted(rest, '\'', with_backslashes)?;
    }
}

fn quoted(text: &str, quote: char, with_backslashes: bool) -> Result<usize, String> {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if with_backslashes => drop(letters.next()),
            _ if letter == quote && letters.peek().is_some_and(|(_, next)| *next == quote) => {
                letters.next();
            }
            _ if letter == quote => return Ok(at + 1),
            _ => {}
        }
    }
    Err("a quote that is not closed".to_owned())
}

/// A string in dollars, or a lone dollar.
fn dollar(text: &str) -> Result<usize, String> {
    let Some(end) = text[1..].find('$') else { return Ok(1) };
    let tag = &text[..end + 2];
    let name = &tag[1..tag.len() - 1];
    if !name.chars().all(|letter| is_in_name(letter) && letter != '$')
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Ok(1);
    }
    let inside = text[tag.len()..].find(tag).ok_or("a string in dollars that is not closed")?;
    Ok(tag.len() * 2 + inside)
}

fn comment(text: &str) -> Result<usize, String> {
    let (mut at, mut depth) = (0, 0);
    loop {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") if depth == 1 => return Ok(at + 2),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            Some(_) => at += 1,
            None => return Err("a comment that is not closed".to_owned()),
        }
    }
}

#[test]
fn what_can_hide_a_statement_is_known() {
    let is_one = |text| is_one(text, Dialect::Postgres);
    for one in [
        "SELECT 'a;b', E'\\';', $$;$$, $a$;$b$;$a$, \"a;\"\"b\" /* ; /* ; */ */ FROM t -- ;\n",
        "SELECT a$1, e'x'",
        "SELECT E'a'\n -- b\n 'c\\';'",
        "SELECT 'a' 'b\\'",
    ] {
        assert_eq!(is_one(one), Ok(()), "{one}");
    }
    for not in [
        "SELECT 1; DROP TABLE t",
        "SELECT 1)",
        "SELECT (1",
        "SELECT 'a",
        "SELECT 1 --",
        "SELECT $a$;$b$",
        "a[1)",
        "SELECT 1 -- a\r; DROP TABLE t",
        "SELECT E'a'\n'b\\' || '; DROP TABLE t; --'",
    ] {
        assert!(is_one(not).is_err(), "{not}");
    }
}

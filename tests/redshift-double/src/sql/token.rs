//! The tokens of a statement, by Redshift's rules: a backslash escapes in a literal (§6.4).

use crate::engine::error::SqlError;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes; its text is without them.
    Quoted,
    /// A literal; its text is what it means.
    Literal,
    /// A number.
    Number,
    /// A parameter: `:name` of the Data API, `$1` of the wire; its text is without the mark.
    Parameter,
    /// An operator or punctuation.
    Symbol,
}

/// A token, with its place in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) text: String,
    pub(crate) position: usize,
}

impl Token {
    /// Whether it is this one; words are compared without regard to case.
    pub(crate) fn is(&self, kind: TokenKind, text: &str) -> bool {
        self.kind == kind && self.text.eq_ignore_ascii_case(text)
    }

    /// The keyword that it may be, in lower case; empty if it is none.
    pub(crate) fn word(&self) -> String {
        if self.kind == TokenKind::Word { self.text.to_lowercase() } else { String::new() }
    }
}

/// Reads all tokens; comments are left out.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    let mut reader = Reader { characters: sql.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while reader.skip_blanks()? {
        tokens.push(reader.token()?);
    }
    Ok(tokens)
}

struct Reader {
    characters: Vec<char>,
    at: usize,
}

const SYMBOLS: [&str; 14] =
    ["::", "<=", ">=", "<>", "!=", "||", "!~*", "!~", "~*", "~~", ":=", "->", "=>", "@>"];

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == '#' || !c.is_ascii()
}

fn is_in_name(c: char) -> bool {
    starts_name(c) || c.is_ascii_digit() || c == '$'
}

impl Reader {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(at, c)| self.peek(at) == c)
    }

    fn error(&self, message: &str, start: usize) -> SqlError {
        let near: String = self.characters[start..].iter().take(20).collect();
        SqlError {
            position: u32::try_from(start + 1).ok(),
            ..SqlError::new("42601", format!("{message} at or near \"{near}\""))
        }
    }

    /// Goes to the next token; false at the end.
    fn skip_blanks(&mut self) -> Result<bool, SqlError> {
        loop {
            if self.at >= self.characters.len() {
                return Ok(false);
            } else if self.peek(0).is_whitespace() {
                self.at += 1;
            } else if self.starts_with("--") {
                while self.at < self.characters.len() && self.peek(0) != '\n' {
                    self.at += 1;
                }
            } else if self.starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(true);
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<(), SqlError> {
        let (start, mut depth) = (self.at, 0);
        loop {
            if self.at >= self.characters.len() {
                return Err(self.error("unterminated /* comment", start));
            }
            let step = if self.starts_with("/*") { 1 } else { -i32::from(self.starts_with("*/")) };
            depth += step;
            self.at += if step == 0 { 1 } else { 2 };
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, SqlError> {
        let (start, first) = (self.at, self.peek(0));
        let (kind, text) = match first {
            '\'' => (TokenKind::Literal, self.literal()?),
            '"' => (TokenKind::Quoted, self.quoted()?),
            ':' if starts_name(self.peek(1)) => {
                self.at += 1;
                (TokenKind::Parameter, self.take_while(is_in_name))
            }
            '$' if self.peek(1).is_ascii_digit() => {
                self.at += 1;
                (TokenKind::Parameter, self.take_while(|c| c.is_ascii_digit()))
            }
            '.' | '0'..='9' if first != '.' || self.peek(1).is_ascii_digit() => {
                (TokenKind::Number, self.number())
            }
            c if starts_name(c) => (TokenKind::Word, self.take_while(is_in_name)),
            _ => (TokenKind::Symbol, self.symbol()),
        };
        Ok(Token { kind, text, position: start + 1 })
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.at < self.characters.len() && wanted(self.peek(0)) {
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect()
    }

    fn number(&mut self) -> String {
        let mut text = self.take_while(|c| c.is_ascii_digit() || c == '.');
        let signed = usize::from(matches!(self.peek(1), '+' | '-'));
        if matches!(self.peek(0), 'e' | 'E') && self.peek(1 + signed).is_ascii_digit() {
            text.extend(&self.characters[self.at..=self.at + signed]);
            self.at += 1 + signed;
            text.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        text
    }

    fn symbol(&mut self) -> String {
        let long = SYMBOLS.iter().find(|symbol| self.starts_with(symbol));
        let text = long.map_or_else(|| self.peek(0).to_string(), |symbol| (*symbol).to_owned());
        self.at += text.chars().count();
        text
    }

    fn quoted(&mut self) -> Result<String, SqlError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while self.at < self.characters.len() {
            match self.peek(0) {
                '"' if self.peek(1) == '"' => self.at += 1,
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                _ => {}
            }
            text.push(self.peek(0));
            self.at += 1;
        }
        Err(self.error("unterminated quoted identifier", start))
    }

    fn literal(&mut self) -> Result<String, SqlError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while self.at < self.characters.len() {
            match self.peek(0) {
                '\\' => {
                    self.at += 1;
                    text.push_str(&self.escape());
                    continue;
                }
                '\'' if self.peek(1) == '\'' => self.at += 1,
                '\'' => {
                    self.at += 1;
                    return Ok(text);
                }
                _ => {}
            }
            text.push(self.peek(0));
            self.at += 1;
        }
        Err(self.error("unterminated quoted string", start))
    }

    /// What follows a backslash: as before Postgres 9.1.
    fn escape(&mut self) -> String {
        let octal: String =
            (0..3).map(|ahead| self.peek(ahead)).take_while(|c| ('0'..='7').contains(c)).collect();
        if let Ok(code) = u8::from_str_radix(&octal, 8) {
            self.at += octal.len();
            return char::from(code).to_string();
        }
        let c = self.peek(0);
        self.at += 1;
        match c {
            'b' => "\u{8}".to_owned(),
            'f' => "\u{c}".to_owned(),
            'n' => "\n".to_owned(),
            'r' => "\r".to_owned(),
            't' => "\t".to_owned(),
            '\0' => String::new(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        tokens(sql).expect("it has tokens").into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn literals_have_escapes() {
        assert_eq!(texts(r"'a\'b' '\\N' 'it''s' '\x' '\101'"), ["a'b", r"\N", "it's", "x", "A"]);
        assert_eq!(
            texts("\"a\"\"b\" #t a$1 :name $2 1.5e-3 ::"),
            ["a\"b", "#t", "a$1", "name", "2", "1.5e-3", "::"]
        );
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(texts("a -- b\n/* c /* d */ e */ f"), ["a", "f"]);
    }

    #[test]
    fn what_does_not_end() {
        for sql in ["'a", "\"a", "/* a", "'a\\'"] {
            assert!(tokens(sql).is_err(), "{sql}");
        }
    }
}

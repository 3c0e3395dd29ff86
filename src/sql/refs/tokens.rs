//! The SQL as words and signs, and where each stands in the text.

use std::ops::Range;

use sqlparser::{
    keywords::Keyword,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace},
};

use super::{
    error::{Problem, QueryError},
    grammar::grammar,
};
use crate::sql::Dialect;

/// More words and signs are no model.
const MOST_TOKENS: usize = 200_000;

/// Each operator may make the parser's tree deeper by one (`1 + 1 + 1 …`), and with it the stack that walks
/// it. Lists are not deep, however long.
const MOST_OPERATORS: usize = 4_000;

/// The words and signs of a text.
#[derive(Debug)]
pub(super) struct Tokens {
    /// All of them, space and comments too, each `:since` in one piece.
    pub(super) all: Vec<TokenWithSpan>,
    /// Where each `:since` stands.
    pub(super) since: Vec<Range<usize>>,
    /// The bytes at which tokens begin and end, in order: the parser counts lines and characters.
    bytes: Vec<(Location, usize)>,
}

impl Tokens {
    /// Cuts a text into words and signs.
    pub(super) fn of(sql: &str, dialect: Dialect) -> Result<Self, QueryError> {
        let all = Tokenizer::new(grammar(dialect), sql)
            .tokenize_with_location()
            .map_err(|error| QueryError::new(error.location, Problem::Unreadable(error.message)))?;
        let ends_otherwise =
            |token: &TokenWithSpan| Some((token.span.start, ends_otherwise(&token.token, dialect)?));
        if let Some((at, problem)) = all.iter().find_map(ends_otherwise) {
            return Err(QueryError::new(at, Problem::Unreadable(problem.to_owned())));
        }
        if let Some(token) = all.get(MOST_TOKENS) {
            return Err(QueryError::new(token.span.start, Problem::TooLong(MOST_TOKENS)));
        }
        if let Some(token) = all.iter().filter(|token| is_operator(&token.token)).nth(MOST_OPERATORS) {
            return Err(QueryError::new(token.span.start, Problem::TooManyOperators(MOST_OPERATORS)));
        }
        let bytes = bytes_of(sql, &all);
        let mut tokens = Self { all: Vec::with_capacity(all.len()), since: Vec::new(), bytes };
        tokens.refuse_hidden_comments(sql, &all)?;
        tokens.join_placeholders(all)?;
        Ok(tokens)
    }

    /// For the warehouse `--` and `/*` begin a comment wherever they stand; the parser takes `|--` for an operator, and
    /// what follows for words.
    fn refuse_hidden_comments(&self, sql: &str, all: &[TokenWithSpan]) -> Result<(), QueryError> {
        let mut before = None;
        for token in all {
            let text = self.bytes(token.span).map_or("", |bytes| &sql[bytes]);
            if matches!(token.token, Token::Whitespace(_)) || text.contains(['\'', '"', '$']) {
                before = None;
                continue;
            }
            let signs: String = before.into_iter().chain(text.chars()).collect();
            if signs.contains("--") || signs.contains("/*") {
                let problem = "a comment that begins within an operator".to_owned();
                return Err(QueryError::new(token.span.start, Problem::Unreadable(problem)));
            }
            before = text.chars().next_back();
        }
        Ok(())
    }

    /// The byte at a place where a token begins or ends.
    pub(super) fn byte(&self, at: Location) -> Option<usize> {
        let found = self.bytes.binary_search_by_key(&at, |(place, _)| *place).ok()?;
        Some(self.bytes[found].1)
    }

    /// The bytes from one place to another.
    pub(super) fn bytes(&self, span: Span) -> Option<Range<usize>> {
        Some(self.byte(span.start)?..self.byte(span.end)?)
    }

    /// Those that mean something: neither space nor comment.
    pub(super) fn meaning(&self) -> impl DoubleEndedIterator<Item = &TokenWithSpan> {
        self.all.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    /// Where brackets, or CASEs, stand deepest in one another, and how deep.
    pub(super) fn deepest(&self) -> (Location, usize) {
        let (mut depth, mut deepest) = (0_usize, (Location { line: 1, column: 1 }, 0));
        for token in self.meaning() {
            match &token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
                token if keyword(token) == Keyword::CASE => depth += 1,
                token if keyword(token) == Keyword::END => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > deepest.1 {
                deepest = (token.span.start, depth);
            }
        }
        deepest
    }

    /// A bracket that has no other one.
    pub(super) fn lone_bracket(&self) -> Option<Location> {
        let mut open = Vec::new();
        for token in self.meaning() {
            let (at, closes) = (token.span.start, &token.token);
            let is_closed = match closes {
                Token::LParen | Token::LBracket => {
                    open.push((at, closes == &Token::LParen));
                    continue;
                }
                Token::RParen => open.pop().is_some_and(|(_, is_round)| is_round),
                Token::RBracket => open.pop().is_some_and(|(_, is_round)| !is_round),
                _ => continue,
            };
            if !is_closed {
                return Some(at);
            }
        }
        open.pop().map(|(at, _)| at)
    }

    /// Where `FOR UPDATE` and its like may stand: the FOR, and the word behind it.
    pub(super) fn locks(&self) -> impl Iterator<Item = (Location, Location)> {
        let pairs = self.meaning().zip(self.meaning().skip(1));
        let locks = pairs.filter(|(first, second)| {
            keyword(&first.token) == Keyword::FOR
                && matches!(
                    keyword(&second.token),
                    Keyword::UPDATE | Keyword::SHARE | Keyword::NO | Keyword::KEY
                )
        });
        locks.map(|(first, second)| (first.span.start, second.span.start))
    }

    /// Makes one token of `:` and `since`, and refuses other names. A colon between square brackets
    /// cuts an array (`a[1:n]`), but for those of `ARRAY[…]`.
    fn join_placeholders(&mut self, all: Vec<TokenWithSpan>) -> Result<(), QueryError> {
        let mut open = Vec::new();
        let mut last_is_array = false;
        let mut rest = all.into_iter().peekable();
        while let Some(mut token) = rest.next() {
            match &token.token {
                Token::LParen => open.push(false),
                Token::LBracket => open.push(!last_is_array),
                Token::RParen | Token::RBracket => drop(open.pop()),
                Token::Colon if open.last() != Some(&true) => {
                    if let Some(Token::Word(word)) = rest.peek().map(|next| &next.token) {
                        let name = format!(":{word}");
                        if name != ":since" {
                            return Err(QueryError::new(token.span.start, Problem::UnknownPlaceholder(name)));
                        }
                        let end = rest.next().map_or(token.span.end, |next| next.span.end);
                        token.span = Span::new(token.span.start, end);
                        token.token = Token::Placeholder(name);
                        let bytes = self.bytes(token.span);
                        self.since.extend(bytes);
                    }
                }
                _ => {}
            }
            if !matches!(token.token, Token::Whitespace(_)) {
                last_is_array = keyword(&token.token) == Keyword::ARRAY;
            }
            self.all.push(token);
        }
        Ok(())
    }
}

/// Why a comment or a name ends elsewhere for the warehouse than for the parser: what stands in between would be run, and
/// nobody would have looked at it. For both warehouses a carriage return ends a line, and comments stand within one another;
/// for the parser not in each dialect.
fn ends_otherwise(token: &Token, dialect: Dialect) -> Option<&'static str> {
    match token {
        Token::Whitespace(Whitespace::SingleLineComment { comment, .. })
            if comment.trim_end_matches(['\r', '\n']).contains('\r') =>
        {
            Some("a carriage return within a comment, where it ends for the warehouse")
        }
        // With the `*` of its end: `/*/*/` is two that begin and none that ends.
        Token::Whitespace(Whitespace::MultiLineComment(comment))
            if dialect == Dialect::Redshift && format!("{comment}*").contains("/*") =>
        {
            Some("a comment within a comment")
        }
        // Neither warehouse knows others; the parser does.
        Token::Word(word) if word.quote_style.is_some_and(|quote| quote != '"') => {
            Some("a name in other quotes than `\"`")
        }
        _ => None,
    }
}

fn keyword(token: &Token) -> Keyword {
    match token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Whitespace(_) | Token::Number(..) | Token::SingleQuotedString(_) => false,
        Token::Comma | Token::Period | Token::LParen | Token::RParen | Token::SemiColon => false,
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::OVERLAPS
                | Keyword::OPERATOR
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::NOTNULL
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::MINUS
        ),
        _ => true,
    }
}

/// One walk over the text for all tokens: counting each from its line's start would take the square of
/// the length where all the SQL stands in one line.
fn bytes_of(sql: &str, tokens: &[TokenWithSpan]) -> Vec<(Location, usize)> {
    let mut bytes: Vec<(Location, usize)> = Vec::with_capacity(tokens.len() + 1);
    let mut chars = sql.char_indices().peekable();
    let mut here = Location { line: 1, column: 1 };
    for place in tokens.iter().flat_map(|token| [token.span.start, token.span.end]) {
        while here < place {
            match chars.next() {
                Some((_, '\n')) => here = Location { line: here.line + 1, column: 1 },
                Some(_) => here.column += 1,
                None => break,
            }
        }
        let byte = chars.peek().map_or(sql.len(), |(byte, _)| *byte);
        if here == place && bytes.last().is_none_or(|(last, _)| *last < place) {
            bytes.push((place, byte));
        }
    }
    bytes
}

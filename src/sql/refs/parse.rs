//! From a text to a [`Query`].

use std::ops::ControlFlow;

use sqlparser::{
    ast::{Query as Tree, Visit},
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Location, Token, TokenWithSpan},
};

use super::{
    Query,
    aggregate::is_always_one_row,
    error::{LOCK, Problem, QueryError},
    grammar::{eased, grammar},
    qualifier::qualifiers,
    tokens::Tokens,
    walk::Walk,
};
use crate::sql::Dialect;

/// How deep brackets, CASEs and subqueries may stand in one another, as the parser counts.
const DEEPEST: usize = 200;

/// Each text is read on a stack of its own, for what the parser needs has no small bound: `1 + 1 + 1 …`
/// makes a tree as deep as it is long. This is enough for the longest and the deepest text that are
/// allowed, without optimisation too; only what is used takes memory, and a thread 20 µs.
const STACK_BYTES: usize = 256 << 20;

/// Reads a model's SQL.
///
/// # Errors
/// If it is not exactly one SELECT (or VALUES, or `TABLE t`) that only reads, as far as the parser can tell.
pub fn read(sql: &str, dialect: Dialect) -> Result<Query, QueryError> {
    let tokens = Tokens::of(sql, dialect)?;
    std::thread::scope(|scope| {
        let deep = std::thread::Builder::new().name("refs".to_owned()).stack_size(STACK_BYTES);
        match deep.spawn_scoped(scope, || read_tokens(sql, &tokens, dialect)) {
            Ok(reader) => reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => Err(QueryError::new(Location { line: 1, column: 1 }, Problem::NoThread)),
        }
    })
}

fn read_tokens(sql: &str, tokens: &Tokens, dialect: Dialect) -> Result<Query, QueryError> {
    let meaning = || tokens.meaning().filter(|token| token.token != Token::SemiColon);
    let (Some(first), Some(last)) = (meaning().next(), meaning().next_back()) else {
        return Err(QueryError::new(Location { line: 1, column: 1 }, Problem::Empty));
    };
    let start = first.span.start;
    if !begins_select(first) {
        return Err(QueryError::new(start, Problem::NotASelect(first.token.to_string())));
    }
    let tree = parse(tokens, last, dialect)?;
    // The parser passes over a bracket here and there, as that of `FILTER (` without a WHERE.
    if let Some(bracket) = tokens.lone_bracket() {
        let problem = "a bracket without the other one".to_owned();
        return Err(QueryError::new(bracket, Problem::Unreadable(problem)));
    }
    let mut walk = Walk::new(tokens, dialect, start);
    if let ControlFlow::Break(error) = tree.visit(&mut walk) {
        return Err(error);
    }
    let mut references = qualifiers(&walk, dialect)?;
    references.append(&mut walk.tables);
    references.sort_by_key(|reference| reference.range.start);
    let mut paths = walk.paths;
    paths.sort_by_key(|path| path.range.start);
    let lost = || QueryError::new(start, Problem::Lost(first.token.to_string()));
    let range = tokens.byte(start).ok_or_else(lost)?..tokens.byte(last.span.end).ok_or_else(lost)?;
    let (since, sql) = (tokens.since.clone(), sql.to_owned());
    Ok(Query { references, paths, since, is_always_one_row: is_always_one_row(&tree), sql, range })
}

/// Whether it is the first word of a SELECT. (Others are refused before they are parsed, for which the
/// parser's words would be about some detail.)
fn begins_select(first: &TokenWithSpan) -> bool {
    match &first.token {
        Token::LParen => true,
        Token::Word(word) => {
            matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE)
        }
        _ => false,
    }
}

fn parse(tokens: &Tokens, last: &TokenWithSpan, dialect: Dialect) -> Result<Box<Tree>, QueryError> {
    let mut parser = Parser::new(grammar(dialect))
        .with_recursion_limit(DEEPEST)
        .with_tokens_with_locations(eased(&tokens.all, dialect));
    let tree = parser
        .parse_query()
        .map_err(|error| better_told(QueryError::of_parser(error, last.span.end), tokens))?;
    let ended = parser.consume_token(&Token::SemiColon);
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.peek_token();
    match next.token {
        Token::EOF => Ok(tree),
        _ if ended => Err(QueryError::new(next.span.start, Problem::SecondStatement)),
        token => {
            let message = format!("Expected: end of statement, found: {token}");
            Err(better_told(QueryError::new(next.span.start, Problem::Unreadable(message)), tokens))
        }
    }
}

/// What the parser means, where its words are about something else.
fn better_told(error: QueryError, tokens: &Tokens) -> QueryError {
    let (deepest, depth) = tokens.deepest();
    // It goes back and tries something else when it is too deep, and tells of that.
    if error.problem == Problem::TooDeep || depth > DEEPEST {
        return QueryError::new(deepest, Problem::TooDeep);
    }
    // It does not know all locks: FOR NO KEY UPDATE.
    match tokens.locks().find(|(_, what)| error.stands_at(*what)) {
        Some((lock, _)) => QueryError::new(lock, Problem::Writes(LOCK)),
        None => error,
    }
}

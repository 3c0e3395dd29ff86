//! Going through a statement's tokens.

use super::{
    names::{self, Name, Naming},
    token::{Token, TokenKind},
};
use crate::engine::error::SqlError;

/// A place in a statement.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    tokens: &'a [Token],
    at: usize,
    pub(super) naming: Naming,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Token], naming: Naming) -> Self {
        Self { tokens, at: 0, naming }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    /// The word that comes next; empty if something else does.
    pub(super) fn word(&self) -> String {
        self.peek().map(Token::word).unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Result<&'a Token, SqlError> {
        let token = self.tokens.get(self.at).ok_or_else(|| self.error())?;
        self.at += 1;
        Ok(token)
    }

    /// The tokens that are left.
    pub(super) fn rest(&mut self) -> &'a [Token] {
        let rest = &self.tokens[self.at..];
        self.at = self.tokens.len();
        rest
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The syntax error at this place.
    pub(super) fn error(&self) -> SqlError {
        match self.peek() {
            Some(token) => SqlError::syntax(&token.text, token.position),
            None => SqlError::syntax("", 0),
        }
    }

    /// Takes this word if it comes next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(TokenKind::Word, word));
        self.at += usize::from(found);
        found
    }

    /// Takes these words, in this order, if they all come next.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        let found = words.iter().all(|word| self.eat(word));
        if !found {
            self.at = start;
        }
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), SqlError> {
        if self.eat(word) { Ok(()) } else { Err(self.error()) }
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is(TokenKind::Symbol, symbol))
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.error()) }
    }

    pub(super) fn expect_end(&self) -> Result<(), SqlError> {
        if self.is_at_end() { Ok(()) } else { Err(self.error()) }
    }

    /// A name of one part.
    pub(super) fn identifier(&mut self) -> Result<String, SqlError> {
        let error = self.error();
        let token = self.next()?;
        match token.kind {
            TokenKind::Quoted => self.naming.fold(token),
            TokenKind::Word if !names::is_reserved(&token.word()) => self.naming.fold(token),
            _ => Err(error),
        }
    }

    /// A relation's name, with or without its schema.
    pub(super) fn name(&mut self) -> Result<Name, SqlError> {
        let first = self.identifier()?;
        if self.eat_symbol(".") {
            return Ok(Name { schema: Some(first), name: self.identifier()? });
        }
        Ok(Name { schema: None, name: first })
    }

    /// `(a, b, …)`.
    pub(super) fn identifiers(&mut self) -> Result<Vec<String>, SqlError> {
        self.expect_symbol("(")?;
        let mut list = vec![self.identifier()?];
        while self.eat_symbol(",") {
            list.push(self.identifier()?);
        }
        self.expect_symbol(")")?;
        Ok(list)
    }

    pub(super) fn literal(&mut self) -> Result<String, SqlError> {
        let error = self.error();
        let token = self.next()?;
        if token.kind == TokenKind::Literal { Ok(token.text.clone()) } else { Err(error) }
    }

    pub(super) fn whole_number<T: std::str::FromStr>(&mut self) -> Result<T, SqlError> {
        let error = self.error();
        let token = self.next()?;
        token.text.parse().ok().filter(|_| token.kind == TokenKind::Number).ok_or(error)
    }

    /// An expression, up to a comma or a closing parenthesis that is not its own, or one of these words.
    pub(super) fn expression(&mut self, until: &[&str]) -> Result<&'a [Token], SqlError> {
        let (start, mut depth) = (self.at, 0);
        while let Some(token) = self.peek() {
            let symbol = if token.kind == TokenKind::Symbol { token.text.as_str() } else { "" };
            let ends = matches!(symbol, "," | ")") || until.contains(&token.word().as_str());
            if depth == 0 && ends && self.at > start {
                break;
            }
            depth += i32::from(symbol == "(") - i32::from(symbol == ")");
            self.at += 1;
        }
        if self.at == start { Err(self.error()) } else { Ok(&self.tokens[start..self.at]) }
    }
}

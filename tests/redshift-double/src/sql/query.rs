//! The gate for queries: what Redshift does not have is refused, the rest is written anew for Postgres.

use super::{
    cursor::Cursor,
    functions::{self, Call},
    names::{self, Name, Naming},
    token::{Token, TokenKind},
    types,
};
use crate::engine::error::SqlError;

/// A query for Postgres.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) sql: String,
    /// The relations that it reads, as far as the words before them tell; some are no relations.
    pub(crate) reads: Vec<Name>,
    /// Whether it calls what only the leader node has.
    pub(crate) calls_leader: bool,
}

const SYMBOLS: &[&str] = &[
    "(", ")", ",", ".", "+", "-", "*", "/", "%", "<", ">", "=", "<=", ">=", "<>", "!=", "||", "::", "~",
    "!~", "~*", "!~*", "~~", "&", "|", "#", "^",
];

/// Reads a query, or the rest of a statement that is written like one.
pub(super) fn read(tokens: &[Token], naming: Naming, values_allowed: bool) -> Result<Query, SqlError> {
    let mut writer = Writer {
        tokens,
        at: 0,
        naming,
        levels: vec![Level::default()],
        query: Query::default(),
        values_allowed,
    };
    while writer.at < tokens.len() {
        writer.token()?;
    }
    Ok(writer.query)
}

#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Whether it is the parenthesis of a CAST.
    is_cast: bool,
    /// Whether the list of a FROM is being read: a comma comes before another relation.
    in_from: bool,
}

struct Writer<'a> {
    tokens: &'a [Token],
    at: usize,
    naming: Naming,
    /// Of the whole, then of each parenthesis that is open.
    levels: Vec<Level>,
    query: Query,
    values_allowed: bool,
}

impl Writer<'_> {
    fn ahead(&self, by: usize) -> Option<&Token> {
        self.tokens.get(self.at + by)
    }

    fn word_at(&self, by: usize) -> String {
        self.ahead(by).map(Token::word).unwrap_or_default()
    }

    fn symbol_at(&self, by: usize, symbol: &str) -> bool {
        self.ahead(by).is_some_and(|token| token.is(TokenKind::Symbol, symbol))
    }

    fn before(&self) -> Option<&Token> {
        self.at.checked_sub(1).map(|at| &self.tokens[at])
    }

    fn put(&mut self, text: &str) {
        let sql = &mut self.query.sql;
        if !matches!(text, "." | "," | ")" | "(") && !sql.ends_with(['.', '(']) {
            sql.push(' ');
        }
        sql.push_str(text);
    }

    fn token(&mut self) -> Result<(), SqlError> {
        let token = &self.tokens[self.at];
        let text = match token.kind {
            TokenKind::Literal => super::literal(&token.text),
            TokenKind::Number => token.text.clone(),
            TokenKind::Quoted => self.quoted(token)?,
            TokenKind::Parameter => {
                return Err(SqlError::new("42P02", format!("there is no parameter ${}", token.text)));
            }
            TokenKind::Symbol => return self.symbol(token),
            TokenKind::Word => return self.word(token),
        };
        self.put(&text);
        self.at += 1;
        Ok(())
    }

    fn symbol(&mut self, token: &Token) -> Result<(), SqlError> {
        if !SYMBOLS.contains(&token.text.as_str()) {
            return Err(SqlError::syntax(&token.text, token.position));
        }
        match token.text.as_str() {
            "(" => {
                let is_cast = self.before().is_some_and(|before| before.word() == "cast");
                self.levels.push(Level { is_cast, in_from: false });
            }
            ")" if self.levels.len() == 1 => return Err(SqlError::syntax(")", token.position)),
            ")" => {
                self.levels.pop();
            }
            "," if self.in_from() => self.note_relation(),
            "::" => return self.cast("::"),
            _ => {}
        }
        self.put(&token.text);
        self.at += 1;
        Ok(())
    }

    /// A type, after `::` or after the `AS` of a CAST. There a text without a length is as long as its
    /// value (only columns have 256 by default).
    fn cast(&mut self, before: &str) -> Result<(), SqlError> {
        self.at += 1;
        let unbounded = matches!(self.word_at(0).as_str(), "varchar" | "text") && !self.symbol_at(1, "(");
        let mut cursor = Cursor::new(&self.tokens[self.at..], self.naming);
        let type_ = if matches!(self.word_at(0).as_str(), "regclass" | "oid" | "name" | "interval") {
            // Of the catalog's queries; Redshift's leader node knows them.
            cursor.next()?.word()
        } else {
            types::read(&mut cursor, "?column?")?.postgres()
        };
        self.at = self.tokens.len() - cursor.rest().len();
        let type_ = if unbounded { "character varying".to_owned() } else { type_ };
        self.put(&format!("{before} {type_}"));
        Ok(())
    }

    fn word(&mut self, token: &Token) -> Result<(), SqlError> {
        let word = token.word();
        self.refuse(&word, token)?;
        if word == "as" && self.levels.last().is_some_and(|level| level.is_cast) {
            return self.cast("as");
        }
        let is_part_of_name = self.before().is_some_and(|before| before.is(TokenKind::Symbol, "."));
        let text = if is_part_of_name {
            self.in_schema(&word, token)?
        } else if self.symbol_at(1, "(") && !self.is_column_list() {
            self.call(&word, token)?
        } else {
            self.plain(&word, token)?
        };
        self.put(&text);
        self.follow(&word);
        self.at += 1;
        Ok(())
    }

    /// `INTO t (a, b)`, `WITH t (a, b) AS (`: a parenthesis after a name that is no function.
    fn is_column_list(&self) -> bool {
        let before = self.word_before_name();
        let is_alias = self.before().is_some_and(|token| token.is(TokenKind::Symbol, ")"));
        let mut depth = 0;
        let closing = self.tokens[self.at + 1..].iter().position(|token| {
            depth +=
                i32::from(token.is(TokenKind::Symbol, "(")) - i32::from(token.is(TokenKind::Symbol, ")"));
            depth == 0
        });
        let after = closing.map(|closing| (self.word_at(closing + 2), self.symbol_at(closing + 3, "(")));
        let is_cte = after.is_some_and(|(word, opens)| word == "as" && opens) && before != "cast";
        let is_part_of_name = self.before().is_some_and(|token| token.is(TokenKind::Symbol, "."));
        let is_grammar = functions::call(&self.word_at(0)) == Call::Grammar && !is_part_of_name;
        !is_grammar && (before == "into" || before == "as" || is_alias || is_cte)
    }

    /// The word before the name that ends here, its schema included.
    fn word_before_name(&self) -> String {
        let mut start = self.at;
        while start >= 2 && self.tokens[start - 1].is(TokenKind::Symbol, ".") {
            start -= 2;
        }
        start.checked_sub(1).map(|at| self.tokens[at].word()).unwrap_or_default()
    }

    /// A name in quotes; it may be a function's too.
    fn quoted(&self, token: &Token) -> Result<String, SqlError> {
        let name = self.naming.fold(token)?;
        let is_call = self.symbol_at(1, "(") && !self.is_column_list();
        if is_call && !matches!(functions::call(&name), Call::Same | Call::Leader) {
            return Err(no_function(&name));
        }
        Ok(super::quoted(&name))
    }

    fn in_schema(&self, word: &str, token: &Token) -> Result<String, SqlError> {
        let is_call = self.symbol_at(1, "(") && !self.is_column_list();
        if is_call && !matches!(functions::call(word), Call::Same | Call::Ours | Call::Leader) {
            return Err(no_function(word));
        }
        let name = self.naming.fold(token)?;
        Ok(if name.starts_with('#') { super::quoted(&name) } else { name })
    }

    fn call(&mut self, word: &str, token: &Token) -> Result<String, SqlError> {
        match functions::call(word) {
            Call::Same | Call::Grammar => Ok(word.to_owned()),
            Call::Leader => {
                self.query.calls_leader = true;
                Ok(word.to_owned())
            }
            Call::Ours => Ok(format!("redshift_double.{word}")),
            Call::Unknown if names::is_reserved(word) => Err(SqlError::syntax(&token.text, token.position)),
            Call::Unknown => Err(no_function(word)),
        }
    }

    /// A name or a word of the grammar; views of the system have another schema in Postgres.
    fn plain(&mut self, word: &str, token: &Token) -> Result<String, SqlError> {
        if word == "pg_catalog" && self.symbol_at(1, ".") && functions::is_view(&self.word_at(2)) {
            return Ok("redshift_double".to_owned());
        }
        if word == "information_schema" && self.symbol_at(1, ".") {
            // Their types would be those behind the double.
            return self.of_information_schema(token);
        }
        if functions::is_view(word) && !self.symbol_at(1, ".") && self.is_relation() {
            return Ok(format!("redshift_double.{word}"));
        }
        if word == "sysdate" {
            return Ok("redshift_double.sysdate()".to_owned());
        }
        let folded = self.naming.fold(token)?;
        Ok(if folded.starts_with('#') { super::quoted(&folded) } else { folded })
    }

    /// Of these two views there are ones with Redshift's types.
    fn of_information_schema(&mut self, token: &Token) -> Result<String, SqlError> {
        let view = match self.word_at(2).as_str() {
            "columns" => "svv_columns",
            "tables" => "svv_tables",
            "schemata" => return Ok("information_schema".to_owned()),
            _ => return Err(SqlError::syntax(&token.text, token.position)),
        };
        self.at += 2;
        Ok(format!("redshift_double.{view}"))
    }

    fn in_from(&self) -> bool {
        self.levels.last().is_some_and(|level| level.in_from)
    }

    /// Whether a relation's name stands here, rather than a column's.
    fn is_relation(&self) -> bool {
        let before = self.before();
        let words = ["from", "join", "using"];
        let is_first = before.is_some_and(|token| words.contains(&token.word().as_str()));
        is_first || (self.in_from() && before.is_some_and(|token| token.is(TokenKind::Symbol, ",")))
    }

    /// Notes where relations are named.
    fn follow(&mut self, word: &str) {
        const ENDS: &[&str] =
            &["where", "group", "order", "having", "select", "set", "union", "limit", "when", "values", "on"];
        let names = matches!(word, "from" | "join" | "using");
        if names {
            self.note_relation();
        }
        if let Some(level) = self.levels.last_mut() {
            level.in_from = (level.in_from || names) && !ENDS.contains(&word);
        }
    }

    /// Notes the relation that comes next.
    fn note_relation(&mut self) {
        let Some(rest) = self.tokens.get(self.at + 1..) else { return };
        if let Ok(name) = Cursor::new(rest, self.naming).name() {
            self.query.reads.push(name);
        }
    }

    /// What Redshift's grammar does not have (§6.2).
    fn refuse(&self, word: &str, token: &Token) -> Result<(), SqlError> {
        let next = self.word_at(1);
        let after = self.word_at(2);
        let opens = self.symbol_at(1, "(");
        let before = self.before().map(Token::word).unwrap_or_default();
        let is_value = self.before().is_some_and(|before| before.is(TokenKind::Symbol, "."));
        let is_prefix = self.ahead(1).is_some_and(|next| {
            next.kind == TokenKind::Literal && next.position == token.position + word.chars().count()
        });
        let refused = match word {
            "lateral" | "returning" | "tablesample" | "ordinality" | "only" | "window" => !is_value,
            "distinct" => next == "on" || matches!(before.as_str(), "is"),
            "filter" => opens,
            "conflict" => before == "on",
            "for" => matches!(next.as_str(), "update" | "share" | "no" | "key"),
            "not" => before == "is" && next == "distinct",
            "array" | "row" => opens || self.symbol_at(1, "["),
            "fetch" => matches!(next.as_str(), "first" | "next"),
            "materialized" => before == "as" || (before == "not" && after.is_empty()),
            "values" => opens && !self.values_allowed && before != "insert",
            "e" | "b" | "x" | "u" | "n" => is_prefix,
            _ => !is_value && names::is_reserved_in_query(word),
        };
        if refused { Err(SqlError::syntax(&token.text, token.position)) } else { Ok(()) }
    }
}

fn no_function(word: &str) -> SqlError {
    SqlError::new("42883", format!("function {word}() does not exist"))
}

impl Query {
    /// A query that reads user tables calls nothing of the leader node, and reads no catalog (§6.1).
    pub(super) fn check_nodes(&self, writes: bool) -> Result<(), SqlError> {
        let reads_users = self.reads.iter().any(|name| !name.is_of_system() && name.schema.is_some());
        let reads_system = self.reads.iter().any(Name::is_of_system);
        if (writes || reads_users) && (self.calls_leader || reads_system) {
            let text =
                "Specified types or functions (one per INFO message) not supported on Redshift tables.";
            return Err(SqlError::new("0A000", text));
        }
        Ok(())
    }
}

//! What the parser is to read, and the forms that it is helped over.

use sqlparser::{
    dialect::{Dialect as Grammar, PostgreSqlDialect, RedshiftSqlDialect},
    tokenizer::{Token, TokenWithSpan},
};

use crate::sql::Dialect;

/// The parser's rules for a dialect.
pub(super) fn grammar(dialect: Dialect) -> &'static dyn Grammar {
    match dialect {
        Dialect::Postgres => &PostgreSqlDialect {},
        Dialect::Redshift => &RedshiftSqlDialect {},
    }
}

/// The text for the parser alone, without words that it does not know and that say nothing about tables.
pub(super) fn eased(tokens: &[TokenWithSpan], dialect: Dialect) -> Vec<TokenWithSpan> {
    let meaning: Vec<usize> =
        (0..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_))).collect();
    let mut left_out = vec![false; tokens.len()];
    for number in 0..meaning.len() {
        // Whether the words from `first` on, counted from here, are these.
        let reads = |first: isize, words: &[&str]| {
            let start = number.checked_add_signed(first);
            let stretch = start.and_then(|start| meaning.get(start..start + words.len()));
            stretch.is_some_and(|stretch| {
                stretch.iter().zip(words).all(|(at, word)| is_word(&tokens[*at].token, word))
            })
        };
        let any = |first: isize, words: &[&str]| words.iter().any(|word| reads(first, &[*word]));
        let redshift = dialect == Dialect::Redshift;
        let alone = (reads(-1, &["BETWEEN"]) && any(0, &["SYMMETRIC", "ASYMMETRIC"]))
            || (any(-1, &["(", ","]) && reads(0, &["VARIADIC"]) && !any(1, &[",", ")"]))
            || reads(-2, &["GROUP", "BY", "DISTINCT"])
            // ROWS (f(), g()) is a function with functions as its arguments.
            || (any(-2, &["FROM", "JOIN", "LATERAL"]) && reads(-1, &["ROWS", "FROM", "("]))
            // GROUPING ((a), (b)) is a function, which takes no ().
            || (redshift && reads(-1, &["GROUPING", "SETS", "("]))
            // 'a' and, in the next line, 'b' are one string.
            || reads(-1, &["'", "'"])
            || (redshift && reads(0, &["APPROXIMATE", "COUNT", "("]));
        let three = redshift
            && (reads(0, &[",", "(", ")"])
                || reads(-1, &["(", "(", ")", ","])
                // An outer join: a.id = b.id(+)
                || reads(0, &["(", "+", ")"]));
        let count = if three { 3 } else { usize::from(alone) };
        meaning[number..number + count].iter().for_each(|at| left_out[*at] = true);
    }
    let kept = tokens.iter().zip(left_out).filter(|(_, out)| !out);
    kept.map(|(token, _)| token.clone()).collect()
}

fn is_word(token: &Token, word: &str) -> bool {
    match token {
        Token::Word(found) => found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word),
        Token::LParen => word == "(",
        Token::RParen => word == ")",
        Token::Comma => word == ",",
        Token::Plus => word == "+",
        Token::SingleQuotedString(_) => word == "'",
        _ => false,
    }
}

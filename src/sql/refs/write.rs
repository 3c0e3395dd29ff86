//! The SQL with names written out.

use std::ops::Range;

use super::{Query, Reference};

impl Query {
    /// The whole text with each reference written as `name_of` says (`None`: as it is) and each `:since`
    /// as `since`, an SQL literal. All else stays byte for byte, comments and layout too.
    ///
    /// A name should be quoted and keep its last part: `orders.id` goes on to work where `orders` was
    /// written `"raw"."orders"`, for a table is known by the last part of its name.
    pub fn written(&self, since: Option<&str>, name_of: impl Fn(&Reference) -> Option<String>) -> String {
        self.splice(0..self.sql.len(), since, name_of)
    }

    /// The statement alone, with names written as in [`Query::written`]: without the comments before and
    /// behind it and without its `;`, so that it can stand within another statement.
    pub fn statement(&self, since: Option<&str>, name_of: impl Fn(&Reference) -> Option<String>) -> String {
        self.splice(self.range.clone(), since, name_of)
    }

    fn splice(
        &self,
        range: Range<usize>,
        since: Option<&str>,
        name_of: impl Fn(&Reference) -> Option<String>,
    ) -> String {
        let names = self.references.iter().filter_map(|read| Some((read.range.clone(), name_of(read)?)));
        let times = self.since.iter().filter_map(|place| Some((place.clone(), in_brackets(since?))));
        let mut edits: Vec<(Range<usize>, String)> = names.chain(times).collect();
        edits.sort_by_key(|(place, _)| place.start);

        let mut written = String::with_capacity(range.len());
        let mut at = range.start;
        for (place, text) in edits {
            push_apart(&mut written, &self.sql[at..place.start]);
            push_apart(&mut written, &text);
            at = place.end;
        }
        push_apart(&mut written, &self.sql[at..range.end]);
        written
    }
}

/// A negative number behind a minus would begin a comment.
fn in_brackets(literal: &str) -> String {
    if literal.starts_with('-') { format!("({literal})") } else { literal.to_owned() }
}

/// Appends a text, with a space between where both together would be another word:
/// `FROM orders"o"` must not become `"orders""o"`.
fn push_apart(written: &mut String, text: &str) {
    let in_word = |c: char| c == '"' || c == '\'' || c == '_' || c == '$' || c.is_alphanumeric();
    let before = written.chars().next_back();
    let after = text.chars().next();
    if let (Some(before), Some(after)) = (before, after) {
        let quoted = |c: char| c == '"' || c == '\'';
        let apart = match (quoted(before), quoted(after)) {
            (true, true) => before == after,
            (true, false) => false,
            (false, true) => after == '\'' && in_word(before),
            (false, false) => in_word(before) && in_word(after),
        };
        if apart {
            written.push(' ');
        }
    }
    written.push_str(text);
}

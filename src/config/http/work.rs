//! `work = "select …"`: a query of the warehouse whose rows are asked about, one by one.

use std::time::Duration;

use crate::{
    config::{Keys, Statement, header::SqlFile, loader::Around, model},
    error::Fault,
    sql,
};

/// What is to be asked, as the warehouse says.
#[derive(Debug, Clone)]
pub struct HttpWork {
    /// The SELECT: one request a row.
    pub statement: Statement,
    /// Whether it goes on until the query has no rows.
    pub until_empty: bool,
    /// How often at most.
    pub rounds: u32,
    /// For how long at most.
    pub repeat_for: Duration,
}

const HINT: &str = "work = \"select id, address from to_geocode limit 50\", or the name of a file: work = \"sql/work/to_geocode.sql\"";

/// Reads `work` and what says how often.
pub(super) fn read(keys: &Keys<'_>, around: &Around<'_>) -> Option<HttpWork> {
    let text = keys.text_of("work", "a SELECT, or the name of a file with one");
    let until_empty = keys.choice("repeat", &[("once", false), ("until empty", true)]);
    let rounds = keys.number("rounds", 1..=100_000);
    let repeat_for = keys.duration("repeat_for");
    for key in ["repeat", "rounds", "repeat_for"] {
        if keys.has(key) && !keys.has("work") {
            keys.wrong(key, "is for `work`");
        } else if key != "repeat" && keys.has(key) && until_empty != Some(true) {
            keys.wrong(key, "is for `repeat = \"until empty\"`");
        }
    }
    let statement = statement(keys, around, text?)?;
    Some(HttpWork {
        statement,
        until_empty: until_empty.unwrap_or(false),
        rounds: rounds.unwrap_or(100),
        repeat_for: repeat_for.unwrap_or(Duration::from_secs(30 * 60)),
    })
}

fn statement(keys: &Keys<'_>, around: &Around<'_>, text: &str) -> Option<Statement> {
    let place = keys.place_of("work");
    if text.ends_with(".sql") && !text.contains(char::is_whitespace) {
        let Some(file) = SqlFile::read(around.dir, text, keys.mistakes) else {
            if !around.dir.join(text).exists() {
                keys.wrong_with_hint(
                    "work",
                    format_args!("names the file {text}, which is not there"),
                    HINT.to_owned(),
                );
            }
            return None;
        };
        let settings = Keys::of_file(&file.settings, keys.mistakes)?;
        let statement = model::statement(&file, around.dialect, &settings, false);
        settings.finish();
        return statement;
    }
    match sql::read(text, around.dialect) {
        Ok(query) => {
            if query.has_since() {
                keys.wrong("work", "has `:since`, which is for models");
            }
            let sql = text.trim_end().trim_end_matches(';').to_owned();
            Some(Statement { sql, file: place.file, line: place.line, query: Some(query) })
        }
        Err(error) => {
            let hint = Fault::hint(&error).unwrap_or_else(|| HINT.to_owned());
            keys.wrong_with_hint(
                "work",
                format_args!("is no SELECT that can be read: {}", error.problem),
                hint,
            );
            None
        }
    }
}

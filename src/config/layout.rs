//! `redshift = { dist = …, sort = …, encode = …, backup = … }` of a loader's row.

use super::{Keys, mistake::did_you_mean};
use crate::schema::{Dist, ENCODINGS, Layout, Sort};

/// Reads the key over what is said already.
pub(super) fn read(keys: &Keys<'_>, layout: &mut Layout) {
    let Some(table) = keys.table("redshift") else { return };
    if let Some(found) = dist(&table) {
        layout.dist = Some(found);
    }
    if let Some(found) = sort(&table) {
        layout.sort = Some(found);
    }
    for (column, place, item) in table.named("encode") {
        let word = item.as_str().unwrap_or_default().to_lowercase();
        if ENCODINGS.contains(&word.as_str()) {
            layout.encode.insert(column, word);
            continue;
        }
        let message = format!("the encoding of `{column}` is none of `{}`", ENCODINGS.join("`, `"));
        keys.mistakes.add(place, message, did_you_mean(&word, ENCODINGS));
    }
    layout.backup = table.boolean("backup").or(layout.backup);
    table.finish();
}

/// `auto`, `even`, `all`, or `key(column)`.
fn dist(table: &Keys<'_>) -> Option<Dist> {
    let text = table.string("dist")?;
    let words = [("auto", Dist::Auto), ("even", Dist::Even), ("all", Dist::All)];
    if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
        return Some(found.clone());
    }
    let column = text.strip_prefix("key(").and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    if let Some(column) = column.filter(|column| !column.is_empty() && !column.contains(',')) {
        return Some(Dist::Key(column.to_owned()));
    }
    let hint = match column {
        Some(_) => "rows are distributed by one column: `key(customer_id)`".to_owned(),
        None => did_you_mean(&text, words.iter().map(|(word, _)| *word))
            .unwrap_or_else(|| format!("`key({text})` distributes the rows by that column")),
    };
    table.wrong_with_hint("dist", "is none of `auto`, `even`, `all`, `key(column)`", hint);
    None
}

/// `"auto"`, a list of columns, or `{ interleaved = […] }`.
fn sort(table: &Keys<'_>) -> Option<Sort> {
    if table.is_string("sort") {
        return table.choice("sort", &[("auto", Sort::Auto)]);
    }
    let (columns, found): (_, fn(Vec<String>) -> Sort) = match table.is_table("sort") {
        true => {
            let inner = table.table("sort")?;
            let columns = inner.strings_or_none("interleaved");
            if !inner.has("interleaved") {
                inner.missing(
                    "interleaved",
                    "sort = { interleaved = [\"a\", \"b\"] }, or sort = [\"a\", \"b\"]",
                );
            }
            inner.finish();
            (columns?, Sort::Interleaved)
        }
        false => (table.strings_or_none("sort")?, Sort::Compound),
    };
    // "Limits" in the Management Guide.
    let most = if table.is_table("sort") { 8 } else { 400 };
    match columns.len() {
        0 => table.wrong_with_hint(
            "sort",
            "names no column",
            "`sort = \"auto\"` leaves it to Redshift".to_owned(),
        ),
        n if n > most => table.wrong("sort", format_args!("names {n} columns; {most} are the most")),
        _ => return Some(found(columns)),
    }
    None
}

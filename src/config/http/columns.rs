//! `columns = { day = "date $.date", rate = "numeric" }`: a table's columns, and where their values stand.

use toml_edit::Item;

use super::{HttpFormat, HttpPattern, HttpPiece, wrong_json_path};
use crate::config::{Keys, mistake::nearest};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: HttpType,
    /// Where its values come from.
    pub from: HttpValue,
    /// Whether a record may be without it.
    pub nullable: bool,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpValue {
    /// The record: a JSONPath from it.
    Path(String),
    /// The record of a CSV: the field under this name.
    Field(String),
    /// The request: what a name in braces stands for.
    Asked(HttpPiece),
}

/// A column's type, as Postgres has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpType {
    /// `text`.
    Text,
    /// `smallint`.
    Smallint,
    /// `integer`.
    Integer,
    /// `bigint`.
    Bigint,
    /// `double precision`.
    Double,
    /// `numeric`, or `numeric(precision, scale)`.
    Numeric(Option<(u16, u16)>),
    /// `boolean`.
    Boolean,
    /// `date`.
    Date,
    /// `timestamp`, without a zone.
    Timestamp,
    /// `timestamptz`.
    Timestamptz,
    /// `timestamptz`, which the service writes as seconds since 1970.
    Epoch,
    /// `timestamptz`, which the service writes as milliseconds since 1970.
    EpochMs,
    /// `uuid`.
    Uuid,
    /// `jsonb`.
    Jsonb,
}

const TYPES: [(&str, HttpType); 16] = [
    ("timestamptz epoch_ms", HttpType::EpochMs),
    ("timestamptz epoch", HttpType::Epoch),
    ("timestamp with time zone", HttpType::Timestamptz),
    ("double precision", HttpType::Double),
    ("timestamptz", HttpType::Timestamptz),
    ("timestamp", HttpType::Timestamp),
    ("smallint", HttpType::Smallint),
    ("integer", HttpType::Integer),
    ("boolean", HttpType::Boolean),
    ("numeric", HttpType::Numeric(None)),
    ("decimal", HttpType::Numeric(None)),
    ("bigint", HttpType::Bigint),
    ("jsonb", HttpType::Jsonb),
    ("text", HttpType::Text),
    ("uuid", HttpType::Uuid),
    ("date", HttpType::Date),
];

/// What people write instead.
const OTHERS: [(&str, &str); 15] = [
    ("int", "integer"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("long", "bigint"),
    ("string", "text"),
    ("str", "text"),
    ("varchar", "text"),
    ("float", "double precision"),
    ("double", "double precision"),
    ("real", "double precision"),
    ("number", "numeric"),
    ("bool", "boolean"),
    ("datetime", "timestamptz"),
    ("json", "jsonb"),
    ("object", "jsonb"),
];

const HINT: &str = "types are text, smallint, integer, bigint, double precision, numeric, numeric(p, s), boolean, date, timestamp, \
                    timestamptz, timestamptz epoch, timestamptz epoch_ms, uuid and jsonb: day = \"date $.date\"";

/// What `numeric` can hold.
const PRECISION_MOST: u16 = 1000;

/// Reads `columns`, as they are for this format.
pub(super) fn read(keys: &Keys<'_>, format: HttpFormat) -> Vec<HttpColumn> {
    let columns = keys.named("columns");
    if keys.has("columns") && columns.is_empty() {
        keys.wrong_with_hint("columns", "names no column", HINT.to_owned());
    }
    columns
        .into_iter()
        .filter_map(|(name, place, item)| {
            let wrong = |what: String, hint: Option<String>| {
                keys.mistakes.add(place.clone(), format!("column `{name}` {what}"), hint);
            };
            match item.as_str() {
                Some(text) => match parse(&name, text, format) {
                    Ok((kind, from)) => Some(HttpColumn { name, kind, from, nullable: true }),
                    Err((what, hint)) => {
                        wrong(what, Some(hint));
                        None
                    }
                },
                None if item.is_table_like() => table(keys, &name, item, format),
                None => {
                    wrong("has no type".to_owned(), Some(HINT.to_owned()));
                    None
                }
            }
        })
        .collect()
}

/// `{ type = "integer", path = "$.x.n", null = false }`.
fn table(outer: &Keys<'_>, name: &str, item: &Item, format: HttpFormat) -> Option<HttpColumn> {
    let owner = format!("column `{name}` of `columns`");
    let keys = Keys::new(outer.text, item, owner, outer.text.place(item.span()), outer.mistakes)?;
    let kind = keys.string("type");
    if !keys.has("type") {
        keys.missing("type", HINT);
    }
    let path = keys.string("path");
    let nullable = keys.boolean("null").unwrap_or(true);
    let of_type = kind.as_deref().and_then(|text| match type_of(text) {
        Ok((kind, "")) => Some(kind),
        Ok(_) => {
            keys.wrong_with_hint("type", "says more than a type", "where it stands is `path`".to_owned());
            None
        }
        Err((what, hint)) => {
            keys.wrong_with_hint("type", what, hint);
            None
        }
    });
    let from = match path.as_deref().map(|path| value(name, path, format)) {
        None => Some(value_of_own_name(name, format)),
        Some(Ok(from)) => Some(from),
        Some(Err((what, hint))) => {
            keys.wrong_with_hint("path", what, hint);
            None
        }
    };
    keys.finish();
    Some(HttpColumn { name: name.to_owned(), kind: of_type?, from: from?, nullable })
}

/// What is wrong, and a hint.
type Wrong = (String, String);

fn parse(name: &str, text: &str, format: HttpFormat) -> Result<(HttpType, HttpValue), Wrong> {
    let (kind, rest) = type_of(text)?;
    let from = if rest.is_empty() { value_of_own_name(name, format) } else { value(name, rest, format)? };
    Ok((kind, from))
}

/// The type that a text begins with, and what follows.
fn type_of(text: &str) -> Result<(HttpType, &str), Wrong> {
    let text = text.trim();
    let begins = |(name, _): &&(&str, HttpType)| {
        let head = text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        head && !text[name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    };
    let Some((name, kind)) = TYPES.iter().find(begins) else {
        let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        let lower = word.to_lowercase();
        let other = OTHERS.iter().find(|(other, _)| *other == lower).map(|(_, name)| *name);
        let near = other.or_else(|| nearest(&lower, TYPES.iter().map(|(name, _)| *name)));
        let hint = near.map_or(HINT.to_owned(), |name| format!("did you mean `{name}`?"));
        return Err((format!("has a type `{word}`, which there is not"), hint));
    };
    let rest = text[name.len()..].trim_start();
    let Some(inside) = rest.strip_prefix('(').filter(|_| matches!(kind, HttpType::Numeric(_))) else {
        return Ok((*kind, rest));
    };
    let sized = inside.split_once(')').and_then(|(numbers, rest)| {
        let (precision, scale) = numbers.split_once(',').unwrap_or((numbers, "0"));
        let size: (u16, u16) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        ((1..=PRECISION_MOST).contains(&size.0) && size.1 <= size.0).then_some((size, rest.trim_start()))
    });
    let (size, rest) = sized.ok_or_else(|| {
        (
            "has a `numeric` of no size that there is".to_owned(),
            "numeric(12, 4): 12 digits, 4 behind the point".to_owned(),
        )
    })?;
    Ok((HttpType::Numeric(Some(size)), rest))
}

/// Where a value stands: `$.a.b`, `{work.id}`, or for CSV the name of a field.
fn value(name: &str, text: &str, format: HttpFormat) -> Result<HttpValue, Wrong> {
    if text.starts_with('{') {
        let parsed = HttpPattern::parse(text).map(|pattern| pattern.pieces);
        return match parsed.as_deref() {
            Ok([piece]) if !matches!(piece, HttpPiece::Text(_)) => Ok(HttpValue::Asked(piece.clone())),
            Ok(_) => Err((
                "takes one name in braces, and no text beside it".to_owned(),
                super::pattern::NAMES.to_owned(),
            )),
            Err(what) => Err((what.clone(), super::pattern::NAMES.to_owned())),
        };
    }
    match format {
        HttpFormat::Csv => Ok(HttpValue::Field(text.to_owned())),
        HttpFormat::Json | HttpFormat::Ndjson => match wrong_json_path(text) {
            None => Ok(HttpValue::Path(text.to_owned())),
            Some(what) => Err((what, format!("{name} = \"text $.a.b\": `$` is the record"))),
        },
    }
}

fn value_of_own_name(name: &str, format: HttpFormat) -> HttpValue {
    if format == HttpFormat::Csv {
        return HttpValue::Field(name.to_owned());
    }
    let is_plain = name
        .chars()
        .enumerate()
        .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit());
    HttpValue::Path(match is_plain {
        true => format!("$.{name}"),
        false => format!("$['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> Result<(HttpType, HttpValue), Wrong> {
        parse("own name", text, HttpFormat::Json)
    }

    #[test]
    fn a_type_is_followed_by_where_the_value_stands() {
        let path = |text: &str| HttpValue::Path(text.to_owned());
        assert_eq!(column("date $.a.b"), Ok((HttpType::Date, path("$.a.b"))));
        assert_eq!(column("Double Precision"), Ok((HttpType::Double, path("$['own name']"))));
        assert_eq!(column("numeric(12,4)$.x"), Ok((HttpType::Numeric(Some((12, 4))), path("$.x"))));
        assert_eq!(
            column("timestamp with time zone $['at']").map(|(kind, _)| kind),
            Ok(HttpType::Timestamptz)
        );
        let asked = HttpValue::Asked(HttpPiece::Work("id".to_owned()));
        assert_eq!(column("bigint {work.id}"), Ok((HttpType::Bigint, asked)));
        let field = parse("a", "numeric Rate in EUR", HttpFormat::Csv);
        assert_eq!(field, Ok((HttpType::Numeric(None), HttpValue::Field("Rate in EUR".to_owned()))));
    }

    #[test]
    fn what_is_no_column_is_told_with_what_was_meant() {
        let hint = |text: &str| column(text).unwrap_err().1;
        assert_eq!(hint("varchar"), "did you mean `text`?");
        assert_eq!(hint("bigin $.a"), "did you mean `bigint`?");
        assert!(hint("numeric(2, 4)").starts_with("numeric(12, 4)"));
        assert!(hint("text a.b").contains("`$` is the record"));
        assert!(hint("text {date}-{date}").contains("{since}"));
    }
}

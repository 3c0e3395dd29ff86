//! `discover SOURCE --path /…`: a service is asked once, and a table's row is made of its answer. Pure but for the asking.

use serde_json::Value;

use super::super::complaint::Complaint;
use crate::source::http::{
    Answer, Media, Request,
    records::{Inferred, Record, RecordsError, RecordsPath, each_record, infer},
};

/// What is asked, as the command line says it.
pub(in crate::cli) struct Asked {
    /// The path, without parameters.
    path: String,
    parameters: Vec<(String, String)>,
    /// Where records stand; `None`: it is guessed.
    records: Option<String>,
    media: Media,
    /// The table's name.
    pub(super) table: String,
}

impl Asked {
    /// Takes `/items?limit=10` apart.
    pub(in crate::cli) fn new(
        path: &str,
        records: Option<String>,
        media: Media,
        table: Option<String>,
    ) -> Result<Self, Complaint> {
        let wrong = |message: &str| {
            let hint = "--path /items, or --path '/items?limit=10'".to_owned();
            Complaint::usage(message, Some(hint))
        };
        if !path.starts_with('/') || path.contains(['{', '}', '#']) {
            return Err(wrong(
                "the path is none that can be asked: it begins with `/`, and is as the service has it",
            ));
        }
        let url = reqwest::Url::parse("https://service.invalid").and_then(|base| base.join(path));
        let url = url.map_err(|_| wrong("the path is none that can be asked"))?;
        let parameters =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let path = path.split('?').next().unwrap_or(path).to_owned();
        let table = table.unwrap_or_else(|| name_of(&path));
        Ok(Self { path, parameters, records, media, table })
    }

    /// The request.
    pub(super) fn request(&self) -> Request {
        Request { query: self.parameters.clone(), ..Request::get(self.path.clone(), self.media) }
    }
}

/// `rates` of `/v2/rates`; letters of no name become `_`.
fn name_of(path: &str) -> String {
    let word = path.rsplit('/').find(|word| !word.is_empty()).unwrap_or("records");
    let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    word.chars().map(plain).collect()
}

/// What was found in an answer.
pub(super) struct Found {
    /// The columns.
    pub(super) inferred: Inferred,
    /// Where records stand.
    pub(super) records: String,
    /// The table's row, as it is written in `loaders/`.
    pub(super) row: String,
    /// What the row does not say, and a person must.
    pub(super) notes: Vec<String>,
}

/// Looks at an answer.
pub(super) fn look(asked: &Asked, answer: &Answer) -> Result<Found, Complaint> {
    let failed = |error: &dyn crate::error::Fault| Complaint::from(crate::error::Failure::of(error));
    let document: Option<Value> = match asked.media {
        Media::Json => serde_json::from_slice(&answer.body).ok(),
        Media::Ndjson | Media::Csv => None,
    };
    let guessed = || document.as_ref().map_or_else(|| "$[*]".to_owned(), guess);
    let records = asked.records.clone().unwrap_or_else(guessed);
    let path = match asked.media {
        Media::Json => RecordsPath::read(&records).map_err(|error| failed(&error))?,
        Media::Ndjson | Media::Csv => RecordsPath::default(),
    };
    let kept = Kept::of(&answer.body, asked.media, &path).map_err(|error| failed(&error))?;
    let inferred = infer(kept.records()).map_err(|error| failed(&error))?;
    let paging = paging(answer, document.as_ref());
    let mut notes = Vec::new();
    if inferred.columns.is_empty() {
        notes.push("no record has a field: `--records '$.data[*]'` says where they stand".to_owned());
    } else if inferred.key.is_empty() {
        notes.push(match &inferred.pair {
            Some([one, two]) => {
                let key = toml_edit::Value::from_iter([one.as_str(), two.as_str()]);
                format!("no field by itself tells these records apart, two together do: `key = {key}`, if that is no chance")
            }
            None => "no field tells these records apart: `key` says which ones do".to_owned(),
        });
    }
    let signs = document.as_ref().filter(|_| records != "$").map_or_else(Vec::new, signs_of_pages);
    if paging.is_none() && !signs.is_empty() {
        let signs = signs.iter().map(|sign| format!("`{sign}`")).collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "it may be one page of several, by {signs}: `paging` says what leads on (docs/HTTP.md)"
        ));
    }
    let row = row(asked, &records, &inferred, paging);
    Ok(Found { inferred, records, row, notes })
}

/// Fields that tell of pages, beside the records; whether they do, and what they lead by, only a person knows.
fn signs_of_pages(document: &Value) -> Vec<String> {
    const WORDS: [&str; 9] =
        ["cursor", "token", "more", "next", "page", "offset", "total", "count", "scroll"];
    fn within(value: &Value, path: &str, deep: usize, found: &mut Vec<String>) {
        let Value::Object(fields) = value else { return };
        for (name, value) in fields {
            let (plain, path) = (name.to_ascii_lowercase(), step(path, name));
            match value {
                Value::Object(_) if deep == 0 => within(value, &path, 1, found),
                Value::Null | Value::Array(_) | Value::Object(_) => {}
                _ if WORDS.iter().any(|word| plain.contains(word)) => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    within(document, "$", 0, &mut found);
    found
}

/// Records, kept beyond their body's walk.
#[derive(Default)]
struct Kept {
    json: Vec<String>,
    csv: Vec<(Vec<String>, csv_async::StringRecord)>,
}

impl Kept {
    fn of(body: &[u8], media: Media, path: &RecordsPath) -> Result<Self, RecordsError> {
        let mut kept = Self::default();
        each_record(body, media, path, |record| {
            match record {
                Record::Json(text) => kept.json.push(text.to_owned()),
                Record::Csv { names, values } => kept.csv.push((names.to_vec(), values.clone())),
            }
            Ok::<(), RecordsError>(())
        })?;
        Ok(kept)
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let json = self.json.iter().map(|text| Record::Json(text));
        json.chain(self.csv.iter().map(|(names, values)| Record::Csv { names, values }))
    }
}

/// How deep lists are looked for.
const DEEP: usize = 4;

/// Where the longest list of objects stands; the body itself, where there is none.
fn guess(document: &Value) -> String {
    fn lists(value: &Value, path: &str, deep: usize, found: &mut Vec<(usize, String)>) {
        match value {
            Value::Array(items) if items.iter().all(Value::is_object) => {
                found.push((items.len(), format!("{path}[*]")));
            }
            Value::Object(fields) if deep < DEEP => {
                for (name, value) in fields {
                    lists(value, &step(path, name), deep + 1, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    lists(document, "$", 0, &mut found);
    // Of equals the first counts.
    found.into_iter().rev().max_by_key(|(length, _)| *length).map_or_else(|| "$".to_owned(), |(_, path)| path)
}

fn step(path: &str, name: &str) -> String {
    let is_plain = name
        .chars()
        .enumerate()
        .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit());
    match is_plain {
        true => format!("{path}.{name}"),
        false => format!("{path}['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

fn row(asked: &Asked, records: &str, inferred: &Inferred, paging: Option<String>) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    // A brace stands for itself when it is doubled.
    let plain = |text: &str| quoted(&text.replace('{', "{{").replace('}', "}}"));
    let mut keys = vec![format!("path = {}", quoted(&asked.path))];
    if !asked.parameters.is_empty() {
        let one = |(name, value): &(String, String)| format!("{} = {}", quoted(name), plain(value));
        let all: Vec<String> = asked.parameters.iter().map(one).collect();
        keys.push(format!("parameters = {{ {} }}", all.join(", ")));
    }
    match asked.media {
        Media::Json => keys.push(format!("records = {}", quoted(records))),
        Media::Ndjson => keys.push("format = \"ndjson\"".to_owned()),
        Media::Csv => keys.push("format = \"csv\"".to_owned()),
    }
    keys.push(inferred.toml());
    keys.extend(paging);
    format!("{{ {} }}", keys.join(", "))
}

/// What leads on, where the answer says so beyond doubt.
fn paging(answer: &Answer, document: Option<&Value>) -> Option<String> {
    if answer.headers.all("link").any(|link| link.contains("rel=\"next\"") || link.contains("rel=next")) {
        return Some("paging = { link = true }".to_owned());
    }
    let is_url = |value: &Value| {
        value.as_str().is_some_and(|text| text.starts_with("https://") || text.starts_with("http://"))
    };
    let next = ["next", "next_url", "next_page", "nextPage"];
    let fields = document?.as_object()?;
    let name = next.into_iter().find(|name| fields.get(*name).is_some_and(is_url))?;
    Some(format!("paging = {{ next = \"$.{name}\" }}"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::source::http::Headers;

    fn answer(body: &str, link: Option<&str>) -> Answer {
        Answer {
            status: 200,
            headers: Headers(link.map(|link| ("link".to_owned(), link.to_owned())).into_iter().collect()),
            url: "https://api.fx.example/items".to_owned(),
            body: body.to_owned().into(),
            asked_at: Timestamp::UNIX_EPOCH,
            answered_at: Timestamp::UNIX_EPOCH,
            tries: 1,
        }
    }

    fn row_of(path: &str, media: Media, answer: &Answer) -> String {
        let asked = Asked::new(path, None, media, None).expect("it is a path");
        format!("{} = {}", asked.table, look(&asked, answer).expect("it has records").row)
    }

    #[test]
    fn a_row_is_made_of_an_answer() {
        let body = r#"{"total": 2, "next": "https://api.fx.example/items?page=2", "data": {"items": [
            {"id": 1, "at": "2026-01-01T00:00:00Z", "net price": 1.5}, {"id": 2, "at": null, "net price": 2}]}, "tags": []}"#;
        insta::assert_snapshot!(row_of("/v1/Items?limit=2&q=%7Ba%7D", Media::Json, &answer(body, None)), @r#"items = { path = "/v1/Items", parameters = { "limit" = "2", "q" = "{{a}}" }, records = "$.data.items[*]", columns = { id = "bigint", at = "timestamptz", "net price" = "numeric $['net price']" }, key = ["id"], paging = { next = "$.next" } }"#);
        let linked = answer("[{\"id\": 1}]", Some("<https://a/?page=2>; rel=\"next\""));
        insta::assert_snapshot!(row_of("/a", Media::Json, &linked), @r#"a = { path = "/a", records = "$[*]", columns = { id = "bigint" }, key = ["id"], paging = { link = true } }"#);
        let csv = answer("day,rate\n2026-01-01,1.5\n", None);
        insta::assert_snapshot!(row_of("/rates.csv", Media::Csv, &csv), @r#"rates_csv = { path = "/rates.csv", format = "csv", columns = { day = "date", rate = "numeric" } }"#);
        let one = answer("{\"lat\": 1.5}", None);
        assert!(row_of("/geocode?q=x", Media::Json, &one).contains("records = \"$\""));
    }

    #[test]
    fn what_a_person_must_say_is_told() {
        let notes = |body: &str| {
            let asked = Asked::new("/rates", None, Media::Json, None).expect("it is a path");
            look(&asked, &answer(body, None)).expect("it has records").notes
        };
        let rates = r#"{"rates": [{"day": "2026-01-01", "currency": "GBP", "rate": 1.5}, {"day": "2026-01-01", "currency": "USD",
            "rate": 1.2}, {"day": "2026-01-02", "currency": "GBP", "rate": 1.4}], "meta": {"next_cursor": "a", "x": 1}, "total": 9}"#;
        let told = notes(rates);
        assert!(told[0].contains(r#"`key = ["day", "currency"]`"#), "{told:?}");
        assert!(told[1].contains("by `$.meta.next_cursor`, `$.total`"), "{told:?}");
        assert!(notes(r#"[{"a": "x"}, {"a": "x"}]"#)[0].starts_with("no field tells"), "{told:?}");
        assert_eq!(notes(r#"{"data": [{"id": 1, "count": 2}], "next": null}"#), Vec::<String>::new());
        assert!(notes("[]")[0].starts_with("no record has a field"));
    }

    #[test]
    fn what_is_no_path_is_told() {
        for wrong in ["items", "/rates/{date}", "/a#b"] {
            assert!(Asked::new(wrong, None, Media::Json, None).is_err(), "{wrong}");
        }
    }
}

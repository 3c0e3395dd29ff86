//! Reads what a row says of a service's table, over what `[defaults]` says.

use jiff::Timestamp;
use toml_edit::{Item, Value};

use super::{
    Duplicates, HttpBody, HttpColumn, HttpFormat, HttpJson, HttpMethod, HttpPaging, HttpPattern, HttpRequest,
    HttpTable, HttpWindows, HttpWork, OnBadRecord, OnNotFound, columns, paging, pattern, windows, work,
};
use crate::config::{Keys, LoadSpec, Template, loader::Around};

/// What is said of a table, as far as it is.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct HttpSettings {
    pub(super) has_strategy: bool,
    method: Option<HttpMethod>,
    path: Option<HttpPattern>,
    parameters: Vec<(String, HttpPattern)>,
    headers: Vec<(String, Template)>,
    body: Option<HttpBody>,
    pub(super) format: HttpFormat,
    records: Option<String>,
    pub(super) columns: Vec<HttpColumn>,
    paging: Option<HttpPaging>,
    pub(super) windows: Option<HttpWindows>,
    pub(super) from: Option<Timestamp>,
    pub(super) work: Option<HttpWork>,
    on_bad_record: OnBadRecord,
    duplicates: Duplicates,
    pub(super) on_not_found: OnNotFound,
}

/// The records of a body that is an array.
const RECORDS: &str = "$[*]";

impl HttpSettings {
    /// Reads the keys of a row, or those of `[defaults]`, which have no name.
    pub(in crate::config) fn read(&mut self, keys: &Keys<'_>, is_row: bool, around: &Around<'_>) {
        self.has_strategy |= keys.has("strategy");
        let formats = [("json", HttpFormat::Json), ("ndjson", HttpFormat::Ndjson), ("csv", HttpFormat::Csv)];
        self.format = keys.choice("format", &formats).unwrap_or(self.format);
        if is_row {
            self.path = path(keys);
            self.work = work::read(keys, around);
            self.columns = columns::read(keys, self.format);
        }
        let methods = [("GET", HttpMethod::Get), ("POST", HttpMethod::Post)];
        self.method = keys.choice("method", &methods).or(self.method);
        for (name, pattern) in patterns(keys, "parameters") {
            replace(&mut self.parameters, name, pattern);
        }
        for (name, template) in keys.templates("headers") {
            super::source::refuse_header(keys, "headers", &name);
            replace(&mut self.headers, name.to_ascii_lowercase(), template);
        }
        self.body = body(keys).or(self.body.take());
        self.records = super::json_path(keys, "records").or(self.records.take());
        self.paging = paging::read(keys).or(self.paging.take());
        self.windows = windows::read(keys).or(self.windows.take());
        let timezone = self.windows.as_ref().map_or("UTC", |windows| &windows.timezone);
        self.from = windows::from(keys, timezone).or(self.from);
        let bad = [("fail", OnBadRecord::Fail), ("reject", OnBadRecord::Reject)];
        self.on_bad_record = keys.choice("on_bad_record", &bad).unwrap_or(self.on_bad_record);
        let duplicates = [("fail", Duplicates::Fail), ("last", Duplicates::Last)];
        self.duplicates = keys.choice("duplicates", &duplicates).unwrap_or(self.duplicates);
        let absent = [("fail", OnNotFound::Fail), ("empty", OnNotFound::Empty), ("row", OnNotFound::Row)];
        self.on_not_found = keys.choice("on_not_found", &absent).unwrap_or(self.on_not_found);
    }

    /// The whole table, held against itself; `None` after a mistake without which there is none.
    pub(in crate::config) fn table(&self, keys: &Keys<'_>, spec: &mut LoadSpec) -> Option<HttpTable> {
        self.hold_together(keys, spec);
        if self.format != HttpFormat::Json && keys.has("records") {
            keys.wrong("records", "is for JSON: of NDJSON and CSV each line is a record");
        }
        if !keys.has("path") {
            keys.missing("path", "what is asked, below the source's url: path = \"/rates\"");
        }
        if !keys.has("columns") {
            keys.missing("columns", "`barncat discover SOURCE --path /…` asks once and says them");
        }
        let method = match (self.method, &self.body) {
            (Some(HttpMethod::Get), Some(_)) => {
                keys.wrong("method", "is `GET`, which sends no body");
                HttpMethod::Get
            }
            (Some(method), _) => method,
            (None, Some(_)) => HttpMethod::Post,
            (None, None) => HttpMethod::Get,
        };
        let key: Vec<&String> = spec.key.iter().collect();
        let mut columns = self.columns.clone();
        for column in &mut columns {
            column.nullable &= !key.contains(&&column.name);
        }
        Some(HttpTable {
            request: HttpRequest {
                method,
                path: self.path.clone()?,
                parameters: self.parameters.clone(),
                headers: self.headers.clone(),
                body: self.body.clone(),
            },
            format: self.format,
            records: self.records.clone().unwrap_or_else(|| RECORDS.to_owned()),
            columns,
            paging: self.paging.clone().unwrap_or_default(),
            windows: self.windows.clone(),
            from: self.from,
            work: self.work.clone(),
            on_bad_record: self.on_bad_record,
            duplicates: self.duplicates,
            on_not_found: self.on_not_found,
        })
    }

    /// Every text of the request with names in braces.
    pub(super) fn asked(&self) -> Vec<&HttpPattern> {
        let parameters = self.parameters.iter().map(|(_, pattern)| pattern);
        let body = self.body.iter().flat_map(HttpBody::patterns);
        self.path.iter().chain(parameters).chain(body).collect()
    }
}

fn replace<T>(all: &mut Vec<(String, T)>, name: String, value: T) {
    match all.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = value,
        None => all.push((name, value)),
    }
}

fn path(keys: &Keys<'_>) -> Option<HttpPattern> {
    let text = keys.string("path")?;
    if !text.starts_with('/') {
        keys.wrong("path", "does not begin with `/`: it is below the source's url");
    } else if text.contains(['?', '#']) {
        let hint = "parameters = { updated_since = \"{since}\" }".to_owned();
        keys.wrong_with_hint("path", "has a `?` or a `#`", hint);
    }
    parsed(keys, "path", &text)
}

fn parsed(keys: &Keys<'_>, key: &str, text: &str) -> Option<HttpPattern> {
    match HttpPattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(what) => {
            keys.wrong_with_hint(key, what, pattern::NAMES.to_owned());
            None
        }
    }
}

/// Texts by name, with numbers and `true` or `false` as they are written.
fn patterns(keys: &Keys<'_>, key: &'static str) -> Vec<(String, HttpPattern)> {
    let mut all = Vec::new();
    for (name, place, item) in keys.named(key) {
        let text = match item.as_value() {
            Some(Value::String(text)) => text.value().clone(),
            Some(Value::Integer(number)) => number.value().to_string(),
            Some(Value::Boolean(flag)) => flag.value().to_string(),
            _ => {
                keys.wrong(key, format_args!("has no string or number under `{name}`"));
                continue;
            }
        };
        match HttpPattern::parse(&text) {
            Ok(pattern) => all.push((name, pattern)),
            Err(what) => {
                let message = format!("`{name}` of `{key}` {what}");
                keys.mistakes.add(place, message, Some(pattern::NAMES.to_owned()));
            }
        }
    }
    all
}

/// `body = { … }`, as JSON, or `form = { … }`.
fn body(keys: &Keys<'_>) -> Option<HttpBody> {
    let form = patterns(keys, "form");
    let json = keys.item("body");
    if json.is_some() && keys.has("form") {
        keys.wrong("form", "is beside `body`, and one request sends one of them");
    }
    match json {
        None => (!form.is_empty()).then_some(HttpBody::Form(form)),
        Some(item) => match json_of_item(item) {
            Ok(json) => Some(HttpBody::Json(json)),
            Err(what) => {
                keys.wrong_with_hint("body", what, pattern::NAMES.to_owned());
                None
            }
        },
    }
}

fn json_of_item(item: &Item) -> Result<HttpJson, String> {
    match item {
        Item::Value(value) => json_of(value),
        Item::Table(table) => {
            let fields = table.iter().map(|(name, item)| Ok((name.to_owned(), json_of_item(item)?)));
            Ok(HttpJson::Object(fields.collect::<Result<_, String>>()?))
        }
        Item::ArrayOfTables(tables) => {
            let tables = tables.iter().map(|table| json_of_item(&Item::Table(table.clone())));
            Ok(HttpJson::List(tables.collect::<Result<_, _>>()?))
        }
        Item::None => Err("is nothing".to_owned()),
    }
}

fn json_of(value: &Value) -> Result<HttpJson, String> {
    Ok(match value {
        Value::String(text) => HttpJson::Text(HttpPattern::parse(text.value())?),
        Value::Integer(number) => HttpJson::Plain((*number.value()).into()),
        Value::Float(number) => HttpJson::Plain((*number.value()).into()),
        Value::Boolean(flag) => HttpJson::Plain((*flag.value()).into()),
        Value::Datetime(_) => return Err("has a date, which JSON has not: write a text".to_owned()),
        Value::Array(items) => HttpJson::List(items.iter().map(json_of).collect::<Result<_, _>>()?),
        Value::InlineTable(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.to_owned(), json_of(value)?)));
            HttpJson::Object(fields.collect::<Result<_, String>>()?)
        }
    })
}

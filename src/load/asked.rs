//! What a service is asked for a table, as texts that stay the same from release to release.

use crate::config::{
    HttpTable,
    http::{HttpBody, HttpFormat, HttpJson, HttpMethod, HttpPattern, HttpPiece, HttpTime, HttpValue},
};

/// What decides which records come, and which value of them is in which column. Not how they are cut into pages or
/// windows: that brings the same rows.
pub(super) fn written(http: &HttpTable) -> Vec<String> {
    let request = &http.request;
    let method = match request.method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
    };
    let format = match http.format {
        HttpFormat::Json => "json",
        HttpFormat::Ndjson => "ndjson",
        HttpFormat::Csv => "csv",
    };
    let mut texts =
        vec![method.to_owned(), request.path.text.clone(), format.to_owned(), http.records.clone()];
    let pair = |(name, pattern): &(String, HttpPattern)| format!("{name}={}", pattern.text);
    texts.extend(request.parameters.iter().map(pair));
    match &request.body {
        None => {}
        Some(HttpBody::Form(fields)) => texts.extend(fields.iter().map(pair)),
        Some(HttpBody::Json(body)) => texts.push(json(body).to_string()),
    }
    texts.extend(http.columns.iter().map(|column| format!("{} {}", column.name, value(&column.from))));
    texts
}

fn json(written: &HttpJson) -> serde_json::Value {
    match written {
        HttpJson::Text(pattern) => serde_json::Value::String(pattern.text.clone()),
        HttpJson::Plain(value) => value.clone(),
        HttpJson::List(items) => serde_json::Value::Array(items.iter().map(json).collect()),
        HttpJson::Object(fields) => serde_json::Value::Object(
            fields.iter().map(|(name, field)| (name.clone(), json(field))).collect(),
        ),
    }
}

fn value(from: &HttpValue) -> String {
    let time = |time: &HttpTime| match time {
        HttpTime::Plain => "",
        HttpTime::Date => ".date",
        HttpTime::Unix => ".unix",
        HttpTime::UnixMs => ".unix_ms",
    };
    match from {
        HttpValue::Path(path) => path.clone(),
        HttpValue::Field(name) => format!("field {name}"),
        HttpValue::Asked(piece) => match piece {
            HttpPiece::Text(text) => text.clone(),
            HttpPiece::Since(form) => format!("{{since{}}}", time(form)),
            HttpPiece::Until(form) => format!("{{until{}}}", time(form)),
            HttpPiece::Date => "{date}".to_owned(),
            HttpPiece::Work(column) => format!("{{work.{column}}}"),
        },
    }
}

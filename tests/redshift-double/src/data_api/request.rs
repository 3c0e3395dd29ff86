//! A call's input: members with their patterns and limits (§7).

use std::time::Duration;

use serde_json::Value;

use super::error::ApiError;

/// The members of a request, and who sends it.
#[derive(Debug, Clone)]
pub(super) struct Input {
    members: Value,
    pub(super) principal: String,
}

impl Input {
    pub(super) fn new(members: Value, principal: String) -> Result<Self, ApiError> {
        if members.is_object() {
            return Ok(Self { members, principal });
        }
        Err(ApiError::validation("the request is not a JSON object"))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ApiError::validation(format!("{name} is not a string"))),
        }
    }

    /// A text of at least one character.
    pub(super) fn text_to(&self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let text = self.text(name)?;
        if text.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > most) {
            let text = format!(
                "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must \
                 have length between 1 and {most}"
            );
            return Err(ApiError::validation(text));
        }
        Ok(text)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let wrong = || ApiError::validation(format!("{name} is not a list of strings"));
        let list = self.members.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
        list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    pub(super) fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.members.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        match value.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(ApiError::validation(format!("{name} must be between {least} and {most}"))),
        }
    }

    /// How long the caller would wait for the statement's end.
    pub(super) fn wait(&self) -> Result<Option<Duration>, ApiError> {
        Ok(self.number("WaitTimeSeconds", 1, 30)?.map(Duration::from_secs))
    }

    /// The names and values of `Parameters`: neither empty nor null (§7).
    pub(super) fn parameters(&self) -> Result<Vec<(String, String)>, ApiError> {
        let Some(list) = self.members.get("Parameters").filter(|value| !value.is_null()) else {
            return Ok(Vec::new());
        };
        let list = list.as_array().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| ApiError::validation("Parameters must be a list with members"))?;
        list.iter().map(parameter).collect()
    }

    /// The statement's id, and which of a batch.
    pub(super) fn id(&self) -> Result<(String, Option<usize>), ApiError> {
        let id = self.text("Id")?.ok_or_else(|| ApiError::validation("Id is required"))?;
        let (statement, sub) = match id.split_once(':') {
            Some((statement, sub)) => (statement, Some(sub)),
            None => (id.as_str(), None),
        };
        let number = sub.map(|sub| sub.parse().ok().filter(|_| sub.len() <= 2).ok_or(()));
        match (is_uuid(statement), number.transpose()) {
            (true, Ok(number)) => Ok((statement.to_owned(), number)),
            _ => Err(ApiError::validation(format!("Value '{id}' at 'id' is not a statement's id"))),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.chars().all(|c| c == '-' || c.is_ascii_digit() || c.is_ascii_lowercase())
}

fn parameter(item: &Value) -> Result<(String, String), ApiError> {
    let of = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match (of("name"), of("value")) {
        (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ApiError::validation("a parameter has a name and a value of at least one character")),
    }
}

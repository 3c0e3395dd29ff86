//! What a request sends, with names in its texts.

use serde_json::Value;

use super::{Body, Given, Missing, Pattern};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyPattern {
    /// JSON.
    Json(JsonPattern),
    /// Form fields; one of which something is not given is left out.
    Form(Vec<(String, Pattern)>),
}

/// JSON with names in its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonPattern {
    /// A text; null, where something of it is not given, as a column of `work` that is NULL.
    Text(Pattern),
    /// What stands for itself.
    Plain(Value),
    /// A list.
    List(Vec<Self>),
    /// An object, its fields in their order.
    Object(Vec<(String, Self)>),
}

/// Fields, filled in; one of which something is not given is left out.
pub(super) fn filled(fields: &[(String, Pattern)], given: &Given) -> Result<Vec<(String, String)>, Missing> {
    let mut filled = Vec::new();
    for (name, pattern) in fields {
        filled.extend(pattern.fill(given)?.map(|value| (name.clone(), value)));
    }
    Ok(filled)
}

impl BodyPattern {
    pub(super) fn fill(&self, given: &Given) -> Result<Body, Missing> {
        Ok(match self {
            Self::Json(json) => Body::Json(json.fill(given)?),
            Self::Form(fields) => Body::Form(filled(fields, given)?),
        })
    }
}

impl JsonPattern {
    fn fill(&self, given: &Given) -> Result<Value, Missing> {
        Ok(match self {
            Self::Text(pattern) => match pattern.fill(given) {
                Err(Missing::Null { .. }) => Value::Null,
                filled => filled?.map_or(Value::Null, Value::String),
            },
            Self::Plain(value) => value.clone(),
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.fill(given)).collect::<Result<_, _>>()?)
            }
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| Ok((name.clone(), field.fill(given)?)));
                Value::Object(fields.collect::<Result<_, Missing>>()?)
            }
        })
    }
}

//! Errors of calls; those of SQL are a statement's state instead (§7).

use hyper::StatusCode;
use serde_json::{Value, json};

/// A call's error.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    kind: &'static str,
    pub(super) status: StatusCode,
    message: String,
    resource: Option<String>,
}

impl ApiError {
    fn new(kind: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self { kind, status, message: message.into(), resource: None }
    }

    /// What was asked is wrong in itself.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", StatusCode::BAD_REQUEST, message)
    }

    /// There is no such statement, or it is not the caller's (which of two errors that gives is
    /// unconfirmed: this one looks as if it never ran), or it has no result.
    pub(super) fn not_found(message: impl Into<String>, id: &str) -> Self {
        let error = Self::new("ResourceNotFoundException", StatusCode::BAD_REQUEST, message);
        Self { resource: Some(id.to_owned()), ..error }
    }

    pub(super) fn throttled() -> Self {
        Self::new("ThrottlingException", StatusCode::BAD_REQUEST, "Rate exceeded")
    }

    pub(super) fn expired() -> Self {
        let text = "The security token included in the request is expired";
        Self::new("ExpiredTokenException", StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn skewed() -> Self {
        let text = "Signature not yet current";
        Self::new("InvalidSignatureException", StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn internal() -> Self {
        Self::new("InternalServerException", StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    pub(super) fn too_many_active() -> Self {
        let text = "Active statements exceeded the allowed quota";
        Self::new("ActiveStatementsExceededException", StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", StatusCode::BAD_REQUEST, "")
    }

    pub(super) fn unsigned() -> Self {
        let text = "Request is missing Authentication Token";
        Self::new("MissingAuthenticationTokenException", StatusCode::BAD_REQUEST, text)
    }

    /// The body: `Message` is capitalised (§7).
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "__type": format!("com.amazonaws.redshiftdata#{}", self.kind),
            "Message": self.message,
        });
        if let Some(id) = &self.resource {
            body["ResourceId"] = json!(id);
        }
        body
    }
}

//! What S3 says, as class and hint.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{error::Class, stage::StageError};

/// Turns an error of the SDK into ours. `doing` is an infinitive.
pub(super) fn s3_error<E>(
    doing: &'static str,
    bucket: &str,
    key: &str,
    error: &SdkError<E, HttpResponse>,
) -> StageError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    // A success that cannot be understood says nothing by its number.
    let number = status.filter(|status| !(200..300).contains(status)).map(|status| format!("HTTP {status}"));
    let Some(code) = error.code().map(str::to_owned).or(number) else {
        return unanswered(doing, bucket, key, error);
    };
    let mut refused = refused(doing, bucket, key, Some(&code), error.message());
    if let (StageError::S3 { class, .. }, Some(500..=599 | 429 | 408)) = (&mut refused, status) {
        *class = Class::Passing;
    }
    refused
}

/// The error of a request that got no answer, or none that can be understood.
fn unanswered<E>(
    doing: &'static str,
    bucket: &str,
    key: &str,
    error: &SdkError<E, HttpResponse>,
) -> StageError
where
    E: std::error::Error + 'static,
{
    let what = match error {
        SdkError::TimeoutError(_) => "no answer within the time limit".to_owned(),
        // The words of the SDK's own layers say nothing more.
        SdkError::DispatchFailure(failure) => match failure.as_connector_error().and_then(Error::source) {
            Some(cause) if failure.is_timeout() => {
                format!("no answer within the time limit: {}", chain(cause))
            }
            Some(cause) => chain(cause),
            None => chain(error),
        },
        _ => chain(error),
    };
    // The SDK tells these apart by text alone.
    let lasting = [
        ("region must be set", "set [stage] region, or AWS_REGION"),
        ("credentials", "give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("certificate", "check [stage] endpoint, and that this machine trusts its certificate"),
        ("corrupt message", "check [stage] endpoint: the server there does not speak TLS"),
        ("URI", "check [stage] endpoint: it is written https://host:port"),
        ("endpoint", "check [stage] endpoint: it is written https://host:port"),
    ];
    let hint = lasting.iter().find(|(text, _)| what.contains(text)).map(|(_, hint)| (*hint).to_owned());
    let passing = hint.is_none() && !matches!(error, SdkError::ConstructionFailure(_));
    StageError::S3 {
        doing,
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        what,
        class: if passing { Class::Passing } else { Class::Lasting },
        hint,
    }
}

/// An error by its code, as S3's documentation lists them ("Error responses").
pub(super) fn refused(
    doing: &'static str,
    bucket: &str,
    key: &str,
    code: Option<&str>,
    message: Option<&str>,
) -> StageError {
    let code = code.unwrap_or("unknown");
    let action = match doing {
        "read" => "s3:GetObject",
        "list" => "s3:ListBucket",
        "delete" => "s3:DeleteObject",
        "abort an upload of" => "s3:AbortMultipartUpload",
        _ => "s3:PutObject",
    };
    let (class, hint) = match code {
        "SlowDown"
        | "InternalError"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "OperationAborted"
        | "Throttling"
        | "ThrottlingException"
        | "BadDigest"
        | "NoSuchUpload" => (Class::Passing, None),
        "AccessDenied" if message.is_some_and(|message| message.contains("kms:")) => (
            Class::Lasting,
            Some("the role needs kms:GenerateDataKey and kms:Decrypt on the key of [stage] sse".to_owned()),
        ),
        "AccessDenied" | "HTTP 403" | "AllAccessDisabled" => (
            Class::Lasting,
            Some(format!("the role needs {action} on arn:aws:s3:::{bucket} and its objects")),
        ),
        "NoSuchBucket" => (Class::Lasting, Some(format!("create the bucket {bucket}, or mend [stage] url"))),
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            (Class::Lasting, Some("the bucket is in another region: set [stage] region".to_owned()))
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            (Class::Lasting, Some("the credentials have expired: log in again".to_owned()))
        }
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            (Class::Lasting, Some("check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()))
        }
        "RequestTimeTooSkewed" => (Class::Lasting, Some("this machine's clock is wrong".to_owned())),
        _ => (Class::Lasting, None),
    };
    let what = match message {
        Some(message) if !message.is_empty() => format!("{code}, {message}"),
        _ => code.to_owned(),
    };
    StageError::S3 { doing, bucket: bucket.to_owned(), key: key.to_owned(), what, class, hint }
}

/// An error and its causes; the SDK keeps what matters at the bottom.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

//! What Redshift's errors mean. Its Data API gives no SQLSTATE, and by wire most of its own errors have
//! XX000, so they are told by their words.

use tokio_postgres::error::SqlState;

use super::RedshiftError;
use crate::{error::Class, pg};

/// What is worth another try. Sources: "Serializable isolation" in its Database Developer Guide (1023,
/// 1018); what dbt's adapter tries again; what Postgres says when it is restarted.
const PASSING: &[&str] = &[
    "Serializable isolation violation",
    "1018 DETAIL",
    "conflict with concurrent transaction",
    "dropped by concurrent transaction",
    "could not open relation with OID",
    "deadlock detected",
    "canceled on user's request",
    "cancelled on user's request",
    "system requested abort",
    "too many connections",
    "connection to client lost",
    "connection to the database was lost",
    "terminating connection",
    "connection terminated",
    "the database system is starting up",
    "the database system is shutting down",
    "S3ServiceException:Please reduce your request rate",
    "Error NoSuchKey",
];

/// What somebody must mend, and how. The first that is met holds.
const HINTS: &[(&str, &str)] = &[
    ("permission denied", "`barncat doctor` prints the GRANT that is missing"),
    (
        "not authorized to assume IAM Role",
        "`copy_role` of [warehouse] must be associated with the cluster, or with the workgroup's \
         namespace, and trust it: `barncat doctor --roles` prints its policies",
    ),
    (
        "S3ServiceException:Access Denied",
        "`copy_role` of [warehouse] may not read the stage: `barncat doctor --roles` prints the policy that it \
         needs",
    ),
    ("Error PermanentRedirect", "the bucket is in another region than the cluster: set [stage] region"),
    ("Error NoSuchKey", "something else than barncat deletes from the stage: find out what"),
    ("Disk Full", "free space in the cluster or make it larger: a swap needs room for both tables"),
    (
        "WLM",
        "a rule of the workload management ended it: change the rule, or give barncat a queue without it",
    ),
    ("AccessDenied", "docs/REDSHIFT.md lists under `What it needs` what the role that runs barncat may do"),
    ("ExpiredToken", "the credentials have expired: log in again"),
    ("Signature", "is this machine's clock right, and are the credentials?"),
];

/// By the words, and by the SQLSTATE where there is one.
pub(super) fn class_of(message: &str, code: Option<&str>) -> Class {
    match PASSING.iter().any(|words| message.contains(words)) {
        true => Class::Passing,
        false => code.map_or(Class::Lasting, |code| pg::class(&SqlState::from_code(code))),
    }
}

/// Whether a view of the system may not be read, or is not there.
pub(super) fn is_hidden(error: &RedshiftError) -> bool {
    match error {
        RedshiftError::Statement { message, code, .. } => {
            matches!(code.as_deref(), Some("42501" | "42P01"))
                || message.contains("permission denied")
                || (message.contains("relation") && message.contains("does not exist"))
        }
        _ => false,
    }
}

/// What mends it, where that is known.
pub(super) fn hint_of(message: &str) -> Option<String> {
    HINTS.iter().find(|(words, _)| message.contains(words)).map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_tried_again_and_what_nobody_knows_is_not() {
        for passing in [
            "ERROR: 1023 DETAIL: Serializable isolation violation on table - 100212",
            "ERROR: could not open relation with OID 17",
            "FATAL: terminating connection due to administrator command",
        ] {
            assert_eq!(class_of(passing, None), Class::Passing, "{passing}");
        }
        for lasting in ["ERROR: relation \"x\" does not exist", "ERROR: permission denied for schema raw"] {
            assert_eq!(class_of(lasting, Some("42P01")), Class::Lasting, "{lasting}");
        }
    }

    #[test]
    fn a_sqlstate_counts_where_the_words_say_nothing() {
        assert_eq!(class_of("ERROR: the database system is starting up", Some("57P03")), Class::Passing);
        assert_eq!(class_of("ERROR: 1023", Some("XX000")), Class::Lasting);
    }
}

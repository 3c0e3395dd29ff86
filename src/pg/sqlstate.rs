//! SQLSTATE → class. A code that is not listed is lasting: trying again what nobody understands
//! only hides it.

use tokio_postgres::error::SqlState;

use crate::error::Class;

/// The class of a server's error. Codes and names: PostgreSQL's appendix "Error Codes".
pub fn class(code: &SqlState) -> Class {
    match code.code() {
        // serialization_failure (on a standby: a recovery conflict), deadlock_detected
        "40001" | "40P01"
        // lock_not_available, object_in_use
        | "55P03" | "55006"
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout, query_canceled
        | "57P01" | "57P02" | "57P03" | "57P05" | "57014"
        // too_many_connections, out_of_memory, io_error
        | "53300" | "53200" | "58030"
        // idle_in_transaction_session_timeout, snapshot_too_old
        | "25P03" | "25P04" | "72000" => Class::Passing,
        // connection_exception and its kin, but not a protocol violation
        code if code.starts_with("08") && code != "08P01" => Class::Passing,
        _ => Class::Lasting,
    }
}

/// What a person can do about a code; `None` where the server's own message says it all.
pub(super) fn hint(code: &SqlState) -> Option<&'static str> {
    Some(match code.code() {
        "28P01" | "28000" => "check user and password in the url, and the server's pg_hba.conf",
        "3D000" => "check the database's name at the end of the url",
        "42501" => "`barncat doctor` prints the GRANT that is missing",
        "53100" => "the server's disk is full: free some space there, then run again",
        "53300" => "the server has no free connection: lower `connections`, or raise its max_connections",
        "25006" => "the server takes no writes: is the url that of a standby, or has it failed over?",
        "57P03" => "the server is starting up or shutting down",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_lasting() {
        for code in ["ZZ999", "08P01", "42501", "22P02"] {
            assert_eq!(class(&SqlState::from_code(code)), Class::Lasting, "{code}");
        }
    }

    #[test]
    fn what_goes_away_is_passing() {
        for code in ["40001", "40P01", "57P01", "08006", "08001", "55P03", "53300"] {
            assert_eq!(class(&SqlState::from_code(code)), Class::Passing, "{code}");
        }
    }
}

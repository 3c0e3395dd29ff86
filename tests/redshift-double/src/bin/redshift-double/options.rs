//! The command line.

use std::{path::PathBuf, time::Duration};

use redshift_double::{CallFault, Isolation, Knobs, Operation, Settings, StatementFault, faults};

use crate::store::{self, Store};

/// Speaks Redshift's protocols in front of a Postgres database, with an S3 server of its own, until SIGINT
/// or SIGTERM
#[derive(Debug, clap::Parser)]
#[command(name = "redshift-double")]
pub(crate) struct Options {
    /// A superuser's address of the Postgres database behind it, which should be the double's own
    #[arg(long, value_name = "URL", env = "REDSHIFT_DOUBLE_POSTGRES_URL", hide_env_values = true)]
    pub(crate) postgres_url: String,

    /// Where the bucket lies, the certificate `ca.pem`, and `shell`, a file with all addresses and passwords
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Print each statement
    #[arg(long)]
    print: bool,

    /// Write each statement, and each call with its answer, as lines of JSON into a file in this folder
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,

    /// Isolate transactions as SERIALIZABLE does, not as SNAPSHOT
    #[arg(long)]
    serializable: bool,

    /// Let each statement of the Data API rest for so long as SUBMITTED, and again as PICKED
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pace: u64,

    /// Let the next calls of the Data API go wrong: throttle, expired, deny, clock, refuse, cut, stall;
    /// do-and-refuse, do-and-cut
    #[arg(long, value_name = "FAULT[:TIMES]", value_parser = call_fault)]
    fault: Vec<(CallFault, u32)>,

    /// Let the next statements with this text in them fail by error 1023
    #[arg(long, value_name = "TEXT[:TIMES]", value_parser = times)]
    conflict: Vec<(String, u32)>,
}

impl Options {
    /// What the double is told at its start.
    pub(crate) fn settings(&self, store: &Store, role: &str) -> Settings {
        let settings = Settings::new(&self.postgres_url)
            .s3(&store.endpoint, store::KEY, &store.secret)
            .bucket(store::BUCKET, store::REGION)
            .role(role);
        Settings {
            isolation: if self.serializable { Isolation::Serializable } else { Isolation::Snapshot },
            pace: Duration::from_millis(self.pace),
            record_into: self.record.clone(),
            prints_statements: self.print,
            ..settings
        }
    }

    /// What shall go wrong.
    pub(crate) fn plan_faults(&self, knobs: &Knobs) {
        for (fault, times) in &self.fault {
            knobs.on_call(Operation::Any, *fault, *times);
        }
        for (part, times) in &self.conflict {
            let fails = StatementFault::Fail(faults::serializable_violation(100_017));
            knobs.on_statement(part, fails, *times);
        }
    }
}

/// What comes before the last colon, and how often; once where nothing says so.
fn times(argument: &str) -> Result<(String, u32), String> {
    match argument.rsplit_once(':') {
        None => Ok((argument.to_owned(), 1)),
        Some((what, times)) => {
            let times = times.parse().map_err(|_| format!("`{times}` is not a number"))?;
            Ok((what.to_owned(), times))
        }
    }
}

fn call_fault(argument: &str) -> Result<(CallFault, u32), String> {
    let (name, times) = times(argument)?;
    let fault = match name.as_str() {
        "throttle" => CallFault::Throttle,
        "expired" => CallFault::ExpiredCredentials,
        "deny" => CallFault::Deny,
        "clock" => CallFault::ClockSkew,
        "refuse" => CallFault::Refuse,
        "do-and-refuse" => CallFault::DoAndRefuse,
        "cut" => CallFault::Cut,
        "do-and-cut" => CallFault::DoAndCut,
        "stall" => CallFault::Stall,
        _ => return Err(format!("`{name}` is no fault of a call")),
    };
    Ok((fault, times))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_command_line_is_well_made() {
        Options::command().debug_assert();
    }

    #[test]
    fn faults_are_read_with_how_often() {
        let given = [
            "double",
            "--postgres-url",
            "u",
            "--folder",
            "f",
            "--fault",
            "throttle:3",
            "--conflict",
            "copy ",
        ];
        let options = Options::try_parse_from(given).unwrap();
        assert_eq!(options.fault, [(CallFault::Throttle, 3)]);
        assert_eq!(options.conflict, [("copy ".to_owned(), 1)]);
        assert!(call_fault("sneeze").is_err());
        assert!(times("copy:often").is_err());
    }
}

//! The double by hand: it stands in front of a Postgres database, with an S3 server of its own, until it is
//! stopped. What a test does by the library is done here by a person with psql, the AWS tools and barncat.

mod options;
mod shell;
mod store;

use std::{fs, io, path::Path};

use clap::Parser;
use options::Options;
use redshift_double::Double;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};

/// The role by which `COPY` reads the bucket.
const ROLE: &str = "arn:aws:iam::111122223333:role/copy";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "it is a program")]
async fn main() -> std::process::ExitCode {
    match serve(Options::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "it is a program")]
async fn serve(options: Options) -> Result<(), Failure> {
    // Before anything is there to be left behind.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    fs::create_dir_all(&options.folder)?;
    let folder = fs::canonicalize(&options.folder)?;
    let store = Store::start(&folder.join("s3")).await?;
    let double = Double::start(options.settings(&store, ROLE)).await?;
    options.plan_faults(double.knobs());
    let authority = folder.join("ca.pem");
    fs::write(&authority, double.authority())?;
    let shell = folder.join("shell");
    shell::write(&shell, &variables(&options, &store, &double, &authority))?;
    eprintln!("a double of Redshift; its addresses and passwords, for a shell:\n  . {}", shell.display());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // Whoever finds the file finds the double.
    match fs::remove_file(&shell) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn variables(
    options: &Options,
    store: &Store,
    double: &Double,
    authority: &Path,
) -> Vec<(&'static str, String)> {
    vec![
        ("REDSHIFT_DOUBLE_PID", std::process::id().to_string()),
        ("REDSHIFT_ENDPOINT", double.url()),
        ("REDSHIFT_URL", double.wire_url()),
        ("REDSHIFT_CA", authority.display().to_string()),
        ("REDSHIFT_COPY_ROLE", ROLE.to_owned()),
        ("REDSHIFT_BEHIND_URL", options.postgres_url.clone()),
        ("REDSHIFT_S3_ENDPOINT", store.endpoint.clone()),
        ("REDSHIFT_BUCKET", store::BUCKET.to_owned()),
        ("AWS_ACCESS_KEY_ID", store::KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", store.secret.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

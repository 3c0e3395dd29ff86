//! The file by which a shell knows how to reach the double.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Writes it whole and renames it: who finds it can reach the double. Nobody else can read it.
pub(crate) fn write(path: &Path, variables: &[(&'static str, String)]) -> io::Result<()> {
    let new = path.with_extension("new");
    // One that is there keeps the rights that it has.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    for (name, value) in variables {
        writeln!(file, "export {name}={}", quoted(value))?;
    }
    // They would go before the key of the double's S3 server.
    writeln!(file, "unset AWS_SESSION_TOKEN AWS_PROFILE")?;
    fs::rename(new, path)
}

/// As any shell reads it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_stays_a_quote() {
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}

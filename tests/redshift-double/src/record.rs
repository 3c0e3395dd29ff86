//! A record of what came in and went out, so that others can judge it: parsers of SQL the statements, the
//! service's model the requests and answers.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

/// JSON lines in a file of the double's own, statements on stderr, or nothing when nobody asked for them.
#[derive(Default)]
pub(crate) struct Record {
    file: Option<Mutex<File>>,
    prints_statements: bool,
}

impl Record {
    /// A new file in this folder, which is made if it is not there.
    pub(crate) fn into(folder: Option<&Path>, prints_statements: bool) -> io::Result<Self> {
        let Some(folder) = folder else { return Ok(Self { file: None, prints_statements }) };
        fs::create_dir_all(folder)?;
        let name = format!("{}.jsonl", uuid::Uuid::new_v4());
        let file = OpenOptions::new().create_new(true).append(true).open(folder.join(name))?;
        Ok(Self { file: Some(Mutex::new(file)), prints_statements })
    }

    /// A statement, as it was sent.
    #[expect(clippy::print_stderr, reason = "somebody who started the double by hand asked for it")]
    pub(crate) fn statement(&self, sql: &str) {
        if self.prints_statements {
            eprintln!("{sql};");
        }
        self.line(|| json!({ "statement": sql }));
    }

    /// A call with its answer, named as IAM names its action; a `status` (of HTTP) over 299 is an error.
    pub(crate) fn call(&self, call: &str, input: &Value, status: u16, output: &Value) {
        self.line(|| json!({ "call": call, "input": input, "status": status, "output": output }));
    }

    fn line(&self, value: impl FnOnce() -> Value) {
        let Some(file) = &self.file else { return };
        let line = format!("{}\n", value());
        // A record is for a look afterwards; what is run must not fail for its sake.
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

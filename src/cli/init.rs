//! `init [DIR]`: writes a small working project.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{complaint::Complaint, exit::Exit, output::Output};
use crate::{config::init, fail_point};

/// What `--output json` prints.
#[derive(Debug, Serialize)]
struct Written {
    /// The files, with the folder as it was given.
    written: Vec<String>,
}

/// Writes the files; never over one that is there.
pub(super) fn init(output: &Output, dir: &Path) -> Result<Exit, Complaint> {
    let failed =
        |path: &Path, error: &io::Error| Complaint::of_io(&format!("cannot write {}", path.display()), error);
    fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    // The folder's own name, also of `.`.
    let full = dir.canonicalize().map_err(|error| failed(dir, &error))?;
    let files = init::files(&full);
    if let Some(there) = files.iter().map(|file| dir.join(&file.path)).find(|path| path.exists()) {
        let message = format!("{} is there already", there.display());
        return Err(Complaint::usage(message, Some("name another folder: barncat init DIR".to_owned())));
    }
    let mut written = Vec::new();
    for file in &files {
        let path = dir.join(&file.path);
        fail_point!("init.file.before");
        write_new(&path, &file.content).map_err(|error| failed(&path, &error))?;
        fail_point!("init.file.after");
        output.say(&format!("wrote {}", path.display()));
        written.push(path.display().to_string());
    }
    if output.is_json() {
        output.json(&Written { written })?;
    }
    output.say(NEXT);
    Ok(Exit::Done)
}

fn write_new(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

const NEXT: &str = "
Next:
  barncat validate            # reads it, connects to nothing
  export SHOP_REPLICA_URL=postgres://… WAREHOUSE_URL=postgres://…
  barncat doctor --roles      # the SQL for the roles that barncat logs in with
  barncat doctor              # tests logins and privileges
  barncat run";

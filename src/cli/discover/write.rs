//! Writes rows into a file of `loaders/`: whole, or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::NewRows;
use crate::{
    cli::complaint::Complaint,
    config::{SourceConfig, listing},
    fail_point,
};

/// Adds rows to `file`, which is relative to the project's folder; makes it where it is not there.
pub(super) fn add(dir: &Path, config: &SourceConfig, file: &str, new: &NewRows) -> Result<(), Complaint> {
    let path = dir.join(file);
    let failed = |error: &io::Error| Complaint::of_io(&format!("cannot write {file}"), error);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => listing::new_file(&config.name, &new.schema),
        Err(error) => return Err(Complaint::of_io(&format!("cannot read {file}"), &error)),
    };
    let text = listing::add_rows(file, &text, &new.rows)?;
    fail_point!("discover.write.before");
    replace(&path, &text).map_err(|error| failed(&error))?;
    fail_point!("discover.write.after");
    Ok(())
}

/// Adds the row of a service's table, which has none yet.
pub(super) fn add_row(dir: &Path, source: &str, file: &str, row: (&str, &str)) -> Result<(), Complaint> {
    let path = dir.join(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => listing::new_service_file(source),
        Err(error) => return Err(Complaint::of_io(&format!("cannot read {file}"), &error)),
    };
    let text = listing::add_service_row(file, &text, row)?;
    fail_point!("discover.write.before");
    replace(&path, &text).map_err(|error| Complaint::of_io(&format!("cannot write {file}"), &error))?;
    fail_point!("discover.write.after");
    Ok(())
}

/// By a file beside it and a rename, so that a crash leaves the old one or the new one. Files that
/// begin with a dot are not read as loaders.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Where the file is a link, what it points to is written, and the link stays.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.new"));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    if let Ok(there) = fs::metadata(&path) {
        file.set_permissions(there.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&beside, &path)
}

/// What a new file for one schema of a source is called: `loaders/shop.toml`, or where that is
/// taken `loaders/shop_audit.toml`, or that with a number.
pub(super) fn new_name(source: &str, schema: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
    let stem: String = source.chars().map(plain).collect();
    let longer: String = format!("{stem}_{schema}").chars().map(plain).take(80).collect();
    let names = [stem, longer.clone()].into_iter().chain((2..).map(|number| format!("{longer}_{number}")));
    let mut names = names.map(|name| format!("loaders/{name}.toml"));
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_takes_the_first_free_name() {
        let taken = |names: &'static [&str]| move |name: &str| names.contains(&name);
        assert_eq!(new_name("shop", "public", taken(&[])), "loaders/shop.toml");
        assert_eq!(new_name("shop", "a/../b", taken(&["loaders/shop.toml"])), "loaders/shop_a____b.toml");
        let both = taken(&["loaders/shop.toml", "loaders/shop_x.toml"]);
        assert_eq!(new_name("shop", "x", both), "loaders/shop_x_2.toml");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder is made");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").expect("it is written");
        std::os::unix::fs::symlink(&real, &link).expect("a link is made");
        replace(&link, "new").expect("it is written");
        assert_eq!(fs::read_to_string(&real).expect("it is there"), "new");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("a listing").count(), 2, "nothing is left beside it");
    }
}

//! A project's text: `barncat.toml`, an overlay, loaders, models, checks. It is read, or each mistake has a place that is
//! in the files, and none shows a password.

use std::{
    cell::OnceCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{SECRET, fuzz, outcome, pieces};
use crate::{config::Mistakes, dag};

const TOKENS: &[&str] = &[
    "[sources.s]\n",
    "[stage]\n",
    "[warehouse]\n",
    "[control]\n",
    "[alerts]\n",
    "[schedules]\n",
    "[tasks.t]\n",
    "[hooks.h]\n",
    "[tables]\n",
    "[defaults]\n",
    "[[",
    "]]",
    " = ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"*\"",
    "\"full\"",
    "\"merge\"",
    "\"append\"",
    "true",
    "1979-05-27",
    "nan",
    "inf",
    "\"30m\"",
    "\"20 GB\"",
    "\"0 1 * * *\"",
    "99999999999999999d",
    "strategy",
    "cursor",
    "kind = \"http\"\n",
    "kind = \"redshift\"\n",
    "checks = ",
    "redshift = ",
    "columns = ",
    "exclude = ",
    "where = ",
    "\\u0000",
    "\"\\u001b[31m\"",
    "'''",
    ".a.b.c",
    "url = \"postgres://me:hunter2@db.internal/shop\"\n",
    "\n#: loaders/b.toml\n",
    "\n#: sql/models/m.sql\n",
    "\n#: barncat.over.toml\n",
    "/* barncat\n",
    "*/",
];

/// The files that an input may write, after a line `#: NAME`; what stands before the first is `barncat.toml`.
const FILES: [&str; 6] = [
    "barncat.toml",
    "barncat.over.toml",
    "loaders/a.toml",
    "loaders/b.toml",
    "sql/models/m.sql",
    "sql/checks/c.sql",
];

#[test]
fn project() {
    fuzz("project", TOKENS, target);
}

fn target(input: &[u8]) -> u64 {
    thread_local! {
        static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
    }
    let [text] = pieces(input);
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("a folder is made"));
        let files = files(&text);
        let env = write(folder.path(), &files);
        match dag::read(folder.path(), env) {
            Ok(project) => outcome(&format!(
                "{} {} {}",
                project.loaders.len(),
                project.models.len(),
                project.checks.len()
            )),
            Err(mistakes) => {
                holds(&mistakes, &files);
                outcome(&mistakes.to_string())
            }
        }
    })
}

fn files(text: &str) -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::from([(FILES[0], String::new())]);
    let mut name = Some(FILES[0]);
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("#: ") {
            Some(next) => name = FILES.into_iter().find(|file| *file == next.trim_end()),
            None => {
                if let Some(name) = name {
                    files.entry(name).or_default().push_str(line);
                }
            }
        }
    }
    files
}

/// Writes the files, and takes away those that are not among them. The overlay's name, where it is there.
fn write(folder: &Path, files: &BTreeMap<&'static str, String>) -> Option<&'static str> {
    for name in FILES {
        let path: PathBuf = folder.join(name);
        match files.get(name) {
            Some(text) => {
                fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder is made");
                fs::write(path, text).expect("a file is written");
            }
            None => drop(fs::remove_file(path)),
        }
    }
    files.contains_key(FILES[1]).then_some("over")
}

/// Each mistake stands in one of the files, at a place that is there, and shows no password of a url.
pub(super) fn holds(mistakes: &Mistakes, files: &BTreeMap<&'static str, String>) {
    assert!(!mistakes.0.is_empty());
    for mistake in &mistakes.0 {
        let place = &mistake.place;
        let text = files.get(place.file.as_str()).unwrap_or_else(|| panic!("in no file: {mistake}"));
        let line = match place.line {
            0 => continue,
            line => {
                text.split('\n').nth(line - 1).unwrap_or_else(|| panic!("behind the last line: {mistake}"))
            }
        };
        assert!((1..=line.chars().count() + 1).contains(&place.column), "behind its line: {mistake}");
    }
    // As it stands in a url of the settings, and nowhere else: SQL has no urls.
    let (sql, toml): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.ends_with(".sql"));
    let times = |text: &str| toml.iter().map(|(_, file)| file.matches(text).count()).sum::<usize>();
    if times(SECRET) == times(&format!("://me:{SECRET}@"))
        && !sql.iter().any(|(_, file)| file.contains(SECRET))
    {
        let told = mistakes.to_string();
        assert!(!told.contains(SECRET), "{told}");
    }
}

//! The settings in a SQL file's first comment: `/* barncat` and then TOML.

use std::{fs, io, path::Path};

use super::{
    Text,
    mistake::{Collector, Place},
};

/// A SQL file, its settings apart from its SQL.
pub(super) struct SqlFile {
    /// Relative to the project's folder.
    pub(super) name: String,
    /// The settings, with the places that they have in the file; empty where there are none.
    pub(super) settings: Text,
    /// What follows them.
    pub(super) sql: String,
    /// The line on which `sql` begins, from 1.
    pub(super) line: usize,
}

impl SqlFile {
    /// Reads one; a mistake is written down where it cannot be.
    pub(super) fn read(dir: &Path, name: &str, mistakes: &Collector) -> Option<Self> {
        let whole = |message: String| {
            let place = Place { file: name.to_owned(), line: 0, column: 0 };
            mistakes.add(place, message, None);
        };
        match fs::read(dir.join(name)).map(String::from_utf8) {
            Ok(Ok(raw)) => Self::of(name, &raw, mistakes),
            Ok(Err(_)) => {
                whole("the file is not UTF-8".to_owned());
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                whole(format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    pub(super) fn of(name: &str, raw: &str, mistakes: &Collector) -> Option<Self> {
        let head = head(raw);
        let (before, toml, sql) =
            head.map_or(("", "", raw), |(start, end, rest)| (&raw[..start], &raw[start..end], &raw[rest..]));
        // Blanks in place of what stands before: a place in the settings is then one in the file.
        let blank: String = before.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        let settings = Text::parse(name, format!("{blank}{toml}"), mistakes)?;
        let line = raw[..raw.len() - sql.len()].matches('\n').count() + 1;
        Some(Self { name: name.to_owned(), settings, sql: sql.to_owned(), line })
    }
}

/// Where the settings begin and end, and where the SQL begins. Lines of `--` may stand above them.
fn head(raw: &str) -> Option<(usize, usize, usize)> {
    let mut trimmed = raw.strip_prefix('\u{feff}').unwrap_or(raw).trim_start();
    // A file may say its name, or whose it is, above its settings.
    while let Some(line) = trimmed.strip_prefix("--") {
        trimmed = line.split_once('\n').map_or("", |(_, below)| below).trim_start();
    }
    let comment = trimmed.strip_prefix("/*")?.trim_start_matches([' ', '\t']);
    let after = comment.strip_prefix("barncat")?;
    if !after.starts_with(char::is_whitespace) && !after.starts_with("*/") {
        return None;
    }
    let start = raw.len() - after.len();
    let end = start + after.find("*/")?;
    Some((start, end, end + "*/".len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Keys;

    fn read(raw: &str) -> (SqlFile, Collector) {
        let mistakes = Collector::default();
        (SqlFile::of("m.sql", raw, &mistakes).expect("it is read"), mistakes)
    }

    #[test]
    fn settings_stand_in_the_first_comment_and_nowhere_else() {
        let (file, _) = read("/* barncat\ntier = \"critical\"\n*/\nselect 1 /* barncat x */");
        assert_eq!((file.sql.as_str(), file.line), ("\nselect 1 /* barncat x */", 3));
        for none in
            ["select 1", "/* about barncat */ select 1", "/* barncats */ select 1", "-- barncat\nselect 1"]
        {
            let (file, mistakes) = read(none);
            assert_eq!((file.sql.as_str(), file.line), (none, 1));
            assert!(mistakes.into_result(Some(())).is_ok());
        }
        assert_eq!(read("/* barncat */select 1").0.sql, "select 1");
        assert_eq!(read("-- m.sql\n\n-- ours\n/* barncat */select 1").0.sql, "select 1");
        assert_eq!(read("-- m.sql").0.sql, "-- m.sql");
    }

    #[test]
    fn a_mistake_has_its_place_in_the_file() {
        let (file, mistakes) = read("\n  /* barncat tyre = 1\n   tier = 2 */ select 1");
        let keys = Keys::of_file(&file.settings, &mistakes).expect("it is TOML");
        let _ = keys.string("tier");
        keys.finish();
        let told = mistakes.into_result(Some(())).unwrap_err();
        let places: Vec<String> = told.0.iter().map(|mistake| mistake.place.to_string()).collect();
        assert_eq!(places, ["m.sql:2:14", "m.sql:3:11"]);
    }
}

//! What each key is, and what holds without it. Which keys there are, and what each takes, is known by the reading itself.

mod checks;
mod http;
mod loaders;
mod project;
mod sql;

/// Some keys that belong together.
pub(super) struct Section {
    /// Its heading.
    pub(super) title: &'static str,
    /// As mistakes call who has them; in several places the same keys may stand.
    pub(super) owners: &'static [&'static str],
    /// What is said of all of them.
    pub(super) about: &'static str,
    /// Key, default (in backticks: as it would be written), what it is.
    pub(super) keys: &'static [(&'static str, &'static str, &'static str)],
    /// Keys that stand in other sections, too: their titles.
    pub(super) shared: &'static [&'static str],
    /// Where what is taken is not to be told in a word.
    pub(super) takes: &'static [(&'static str, &'static str)],
    /// What of the shared ones is not taken here.
    pub(super) without: &'static [&'static str],
}

/// A section of those that say all by themselves.
const PLAIN: Section =
    Section { title: "", owners: &[], about: "", keys: &[], shared: &[], takes: &[], without: &[] };

/// The files, and the sections of each.
pub(super) const FILES: [(&str, &str, &[Section]); 5] = [
    (
        "barncat.toml",
        "One file, in the project's folder. Under `--env NAME` the sections of `barncat.NAME.toml` take the place of its own.",
        project::PROJECT,
    ),
    (
        "loaders/*.toml",
        "Each file names one source and one of its schemas, and has one row a table. How tables come stands in [PROJECT.md](PROJECT.md) and [NEW-ROWS.md](NEW-ROWS.md).",
        loaders::LOADERS,
    ),
    (
        "Services over HTTP",
        "A source with `kind = \"http\"`, and the file of its tables in `loaders/`. How they work stands in [HTTP.md](HTTP.md).",
        http::HTTP,
    ),
    (
        "sql/models/*.sql, sql/checks/*.sql",
        "In a file's first comment, `/* barncat` and then TOML. What models and checks are stands in [MODELS.md](MODELS.md).",
        sql::SQL,
    ),
    (
        "Checks of a table",
        "`checks = { … }` in a loader's row and in a model's first comment: the kinds of checks that need no SQL. What they mean stands in [MODELS.md](MODELS.md#checks).",
        checks::CHECKS,
    ),
];

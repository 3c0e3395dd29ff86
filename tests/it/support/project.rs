//! A project in a folder of its own, and the built binary at work in it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tokio_postgres::{Error, Row};

use super::{Schema, warehouse::Database};

/// A project whose source is one schema of the standby and whose warehouse is one database.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    pub(crate) source: Schema,
    pub(crate) database: Database,
    variables: Vec<(String, String)>,
}

/// Where the tests' loaders put their tables.
pub(crate) const INTO: &str = "raw";

impl Project {
    /// Writes it, with a local stage. `source_sql` makes the source's tables, `loaders` is what follows
    /// the head of the loaders' file: at least a `[tables]`.
    pub(crate) async fn new(source_sql: &str, loaders: &str) -> Self {
        Self::with_stage(source_sql, loaders, "url = \"file:./stage\"", &[]).await
    }

    /// The same, with another `[stage]`, and variables for it.
    pub(crate) async fn with_stage(
        source_sql: &str,
        loaders: &str,
        stage: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let source = Schema::on_standby(source_sql).await;
        let database = Database::empty().await;
        let folder = tempfile::tempdir().expect("a folder is made");
        let mut all = vec![
            ("SHOP_URL".to_owned(), super::variable("BARNCAT_REPLICA_URL")),
            ("WAREHOUSE_URL".to_owned(), database.url()),
            ("PATH".to_owned(), super::variable("PATH")),
        ];
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let project = Self { folder, source, database, variables: all };
        project.write(
            "barncat.toml",
            &format!(
                "[project]\nname = \"tests\"\n\n[sources.shop]\nkind = \"postgres\"\nurl = \"${{SHOP_URL}}\"\n\n\
                 [stage]\n{stage}\n\n[warehouse]\nkind = \"postgres\"\nurl = \"${{WAREHOUSE_URL}}\"\nschema = \"{INTO}\"\n"
            ),
        );
        project.write_loaders(loaders);
        project
    }

    /// Writes the loaders' file again.
    pub(crate) fn write_loaders(&self, loaders: &str) {
        let head = format!("source = \"shop\"\nschema = \"{}\"\ninto = \"{INTO}\"\n", self.source.name());
        self.write("loaders/shop.toml", &format!("{head}{loaders}"));
    }

    /// Puts the project into a time zone in which it is that hour now: a test of deadlines is the same at any time.
    pub(crate) fn set_hour(&self, hour: i8) {
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
        // From -11 to 12; the names have the sign turned round.
        let ahead = (hour - now + 11).rem_euclid(24) - 11;
        let config = std::fs::read_to_string(self.dir().join("barncat.toml")).expect("a project has one");
        let zone = format!("[project]\ntimezone = \"Etc/GMT{:+}\"\n", -ahead);
        self.write("barncat.toml", &config.replace("[project]\n", &zone));
    }

    /// Writes one of its files.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder is made");
        std::fs::write(path, text).expect("a file is written");
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with arguments, not started yet. It has no variables but the project's.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barncat"));
        command.args(arguments).current_dir(self.dir()).env_clear().stdin(Stdio::null());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end.
    pub(crate) async fn barncat(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        output.expect("it does not panic").expect("the built binary starts")
    }

    /// A run that must go well: its outcome.
    pub(crate) async fn run(&self, arguments: &[&str]) -> serde_json::Value {
        let (status, outcome) = self.try_run(arguments).await;
        assert_eq!(status, Some(0), "{outcome:#}");
        outcome
    }

    /// A run: exit status and outcome. What it says on stderr is shown where a test fails.
    pub(crate) async fn try_run(&self, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
        let all: Vec<&str> = ["run", "--output", "json"].iter().chain(arguments).copied().collect();
        let output = self.barncat(&all, &[]).await;
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        let outcome = match output.stdout.as_slice() {
            [] => serde_json::Value::Null,
            text => serde_json::from_slice(text).expect("stdout is one JSON object"),
        };
        (output.status.code(), outcome)
    }

    /// A digest of a table's rows in the source, or `None` where there is no such table.
    pub(crate) async fn in_source(&self, table: &str) -> Option<String> {
        let sql = digest(self.source.name(), table);
        digested(self.source.query(&sql).await, &sql)
    }

    /// The same in the warehouse.
    pub(crate) async fn in_warehouse(&self, table: &str) -> Option<String> {
        let sql = digest(INTO, table);
        digested(self.database.query(&sql).await, &sql)
    }

    /// Fails unless source and warehouse hold the same rows.
    pub(crate) async fn assert_equal(&self, tables: &[&str]) {
        for table in tables {
            let (here, there) = (self.in_source(table).await, self.in_warehouse(table).await);
            assert!(here.is_some(), "the source has no {table}");
            assert_eq!(here, there, "{table} differs between source and warehouse");
        }
    }

    /// What lies in the local stage, relative to it.
    pub(crate) fn staged(&self) -> Vec<PathBuf> {
        files_below(&self.dir().join("stage"))
    }
}

/// Runs statements in the source's schema on the primary, and waits until the standby has them.
pub(crate) async fn on_primary(project: &Project, sql: &str) {
    project.source.run_on_primary(&format!("SET search_path = {}; {sql}", project.source.name())).await;
}

/// A task of a run's outcome, by its full name.
pub(crate) fn task<'a>(outcome: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    tasks.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("no {name} in {outcome:#}"))
}

/// All files below a folder, relative to it.
pub(crate) fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(root, root, &mut found);
    found.sort();
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("the stage can be listed").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).expect("it lies below").to_owned());
        }
    }
}

/// Rows, and a hash over them in an order of their own.
fn digest(schema: &str, table: &str) -> String {
    format!(
        "SELECT count(*) || ' rows ' || coalesce(md5(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\")), '')
         FROM (SELECT t::text AS r FROM \"{schema}\".\"{table}\" t) AS rows"
    )
}

/// What came of it; `None`: there is no such table.
fn digested(answered: Result<Vec<Row>, Error>, sql: &str) -> Option<String> {
    match answered {
        Ok(rows) => Some(rows[0].get(0)),
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => None,
        Err(error) => panic!("{sql}: {error:?}"),
    }
}

//! `loaders/*.toml`: one file a source and schema, one row a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use super::{
    BuiltIn, Deadline, Deletes, Keys, OnBrokenView, OnSchemaChange, PublishChoice, Statement, Strategy, Text,
    http::{self, HttpTable},
    mistake::{Collector, Place, nearest},
    row::{self, Row, Settings},
};
use crate::{
    event::Tier,
    schema::{Layout, UnfitPolicies, Varchar},
    sql::{Dialect, TableName},
    stage::manifest::{Compression, Format},
};

/// One load: a row, with the defaults, for one table of the source.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// The source's name.
    pub source: String,
    /// The table there.
    pub source_table: TableName,
    /// The table in the warehouse: the task's name.
    pub target: TableName,
    /// How rows are brought.
    pub strategy: Strategy,
    /// The column that orders new rows.
    pub cursor: Option<String>,
    /// The key, where the source's primary key is not to be it.
    pub key: Vec<String>,
    /// Only these columns.
    pub columns: Option<Vec<String>>,
    /// Not these.
    pub exclude: Vec<String>,
    /// Of these only the SHA-256.
    pub hash: Vec<String>,
    /// Which rows: a SQL condition.
    pub condition: Option<String>,
    /// Its tier, where it is said.
    pub tier: Option<Tier>,
    /// Its tags.
    pub tags: Vec<String>,
    /// What is checked of its table.
    pub checks: Vec<BuiltIn>,
    /// Columns whose values are shown to nobody.
    pub private: Vec<String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// By when it must be published.
    pub deadline: Option<Deadline>,
    /// How far below the watermark rows are read again: longer than any transaction that writes the
    /// table takes from its first statement to its COMMIT.
    pub overlap: Duration,
    /// How often the keys of source and warehouse are compared; zero: at each load; `None`: never.
    pub compare_every: Option<Duration>,
    /// What becomes of deleted rows.
    pub deletes: Deletes,
    /// The greatest share of the table's rows that may vanish in one load, from 0 to 1.
    pub shrink_limit: f64,
    /// What to do when the schema changed.
    pub on_schema_change: OnSchemaChange,
    /// Larger tables are not rebuilt by themselves; in bytes.
    pub rebuild_limit: Option<u64>,
    /// How it is published.
    pub publish: PublishChoice,
    /// What to do about a view that cannot be kept.
    pub on_broken_view: OnBrokenView,
    /// What becomes of values that the warehouse cannot hold.
    pub unfit: UnfitPolicies,
    /// How large the VARCHAR of a text column is.
    pub varchar: Varchar,
    /// How Redshift lays the table out.
    pub layout: Layout,
    /// How rows are written in the stage; `None`: as fits.
    pub format: Option<Format>,
    /// How parts are compressed; `None`: as the stage says.
    pub compression: Option<Compression>,
    /// How many connections fill it; `None`: as the warehouse says.
    pub fill_jobs: Option<u32>,
    /// How often it is tried at most.
    pub attempts: u32,
    /// How long one attempt may take.
    pub time_limit: Option<Duration>,
    /// After how long people are told that one attempt takes long.
    pub warn_after: Option<Duration>,
    /// Tables of one group, over the project, are always of one snapshot.
    pub consistent_group: Option<usize>,
    /// Of a service: what is asked, and what becomes of the answers.
    pub http: Option<Box<HttpTable>>,
    /// In test mode: the load brings a sample, and `condition` says which rows.
    pub sample: Option<Sample>,
    /// Where its row is.
    pub place: Place,
}

impl LoadSpec {
    /// The query whose rows are asked about, of a service's table that has one.
    pub fn work(&self) -> Option<&Statement> {
        Some(&self.http.as_ref()?.work.as_ref()?.statement)
    }
}

/// That a load brings a sample.
#[derive(Debug, Clone)]
pub struct Sample {
    /// How many rows a table gives, beside those that others of the sample refer to.
    pub rows: u32,
    /// What people should know.
    pub notes: Vec<String>,
}

/// One file of loaders.
#[derive(Debug, Clone)]
pub struct Loader {
    /// The source's name.
    pub source: String,
    /// The source's schema; of a service its name.
    pub schema: String,
    /// The warehouse's schema.
    pub into: String,
    /// Tables that are always of one snapshot.
    pub consistent: Vec<Vec<String>>,
    /// The file, relative to the project.
    pub file: String,
    pub(super) source_place: Place,
    pub(super) consistent_place: Place,
    pub(super) rows: Vec<Row>,
}

impl Loader {
    /// The tables that are loaded by a row of their own.
    pub fn exact_names(&self) -> impl Iterator<Item = &str> {
        let rows = self.rows.iter().filter(|row| row.pattern.is_none() && row.settings.is_some());
        rows.map(|row| row.name.as_str())
    }

    /// A table that is filled by more connections than the warehouse gives would never get them.
    pub(super) fn refuse_more_than(&self, connections: u32, mistakes: &Collector) {
        for row in &self.rows {
            let fill_jobs = row.settings.as_ref().and_then(|settings| settings.spec.fill_jobs);
            if let Some(jobs) = fill_jobs.filter(|jobs| *jobs > connections) {
                let name = &row.name;
                let message = format!(
                    "`fill_jobs` of table `{name}` is {jobs}, and `connections` of [warehouse] is {connections}"
                );
                mistakes.add(row.place.clone(), message, None);
            }
        }
    }

    /// Whether one of its tables is critical by what is written here.
    fn says_critical(&self) -> bool {
        let specs = self.rows.iter().filter_map(|row| Some(&row.settings.as_ref()?.spec));
        specs.into_iter().any(|spec| spec.tier == Some(Tier::Critical) || spec.deadline.is_some())
    }
}

impl super::Project {
    /// The columns whose values are shown to nobody, in lower case: those that a loader or a model calls private, and
    /// hashed ones. A column of such a name is private in every table, whatever it was made of.
    pub fn private_columns(&self) -> BTreeSet<String> {
        let rows = self.loaders.iter().flat_map(|loader| &loader.rows);
        let specs = rows.filter_map(|row| Some(&row.settings.as_ref()?.spec));
        let of_loads = specs.flat_map(|spec| spec.private.iter().chain(&spec.hash));
        let of_models = self.models.iter().flat_map(|model| &model.private);
        of_loads.chain(of_models).map(|column| column.to_lowercase()).collect()
    }

    /// Whether any task is critical: by its own row or comment, as those that it needs are by its.
    pub fn has_critical(&self) -> bool {
        let models = self.models.iter().map(|model| &model.node);
        let checks = self.checks.iter().map(|check| &check.node);
        let commands = self.commands.iter().map(|command| &command.node);
        let mut nodes = models.chain(checks).chain(commands);
        self.loaders.iter().any(Loader::says_critical)
            || nodes.any(|node| node.tier == Some(Tier::Critical) || node.deadline.is_some())
    }
}

impl Loader {
    /// The row that a table of the source goes by, as it is written: its own name, or the longest
    /// pattern that matches, `skip` among them; `None` where no row does.
    pub fn listed_by(&self, table: &str) -> Option<&str> {
        super::expand::Rows::of(self).row_of(table).map(|row| row.name.as_str())
    }

    /// Whether a table of this name would be loaded: a row that says `skip` loads none.
    pub fn may_load(&self, table: &str) -> bool {
        super::expand::Rows::of(self).row_of(table).is_some_and(|row| row.settings.is_some())
    }
}

/// What of the project a file of loaders is read by.
pub(super) struct Around<'a> {
    /// The project's folder.
    pub(super) dir: &'a Path,
    /// The sources, right or wrong, and whether each is a service.
    pub(super) sources: BTreeMap<String, bool>,
    /// The warehouse's schema, where the file says none.
    pub(super) into: &'a str,
    /// Whose SQL `work` is.
    pub(super) dialect: Dialect,
}

impl Around<'_> {
    /// Whether a file with this source is one of a service's; a name that is none is taken for the nearest one.
    fn is_service(&self, source: &str) -> bool {
        let nearest = || self.sources.get(nearest(source, self.sources.keys().map(String::as_str))?);
        self.sources.get(source).or_else(nearest).copied().unwrap_or(false)
    }
}

/// Reads one file.
pub(super) fn read(text: &Text, around: &Around<'_>, mistakes: &Collector) -> Option<Loader> {
    let keys = Keys::of_file(text, mistakes)?;
    let source = keys.string("source");
    if !keys.has("source") {
        keys.missing("source", "source = \"shop\" names a source of barncat.toml");
    }
    let is_service = source.as_deref().is_some_and(|source| around.is_service(source));
    let schema = match (is_service, &source) {
        (true, Some(source)) => {
            http::refuse_in_file(&keys);
            source.clone()
        }
        _ => keys.string("schema").unwrap_or_else(|| "public".to_owned()),
    };
    let into = keys.string("into").unwrap_or_else(|| around.into.to_owned());
    let consistent = if is_service { Vec::new() } else { keys.string_lists("consistent") };
    let base = row::base(source.as_deref().unwrap_or_default(), &schema, &into, keys.place());
    let reader = row::Reader { is_service, around };
    let defaults = match keys.table("defaults") {
        None => Settings::of(base),
        Some(defaults) => {
            let settings = reader.settings(&defaults, Settings::of(base), None);
            defaults.finish();
            settings
        }
    };
    let rows: Vec<Row> =
        keys.named("tables").into_iter().filter_map(|row| reader.row(&keys, row, &defaults)).collect();
    if !keys.has("tables") {
        let hint = match is_service {
            true => "[tables] rates = { path = \"/rates\", columns = { … } }",
            false => "[tables] \"*\" = \"full\" loads all of the schema",
        };
        keys.missing("tables", hint);
    }
    let (source_place, consistent_place) = (keys.place_of("source"), keys.place_of("consistent"));
    keys.finish();
    let file = text.name.clone();
    Some(Loader { source: source?, schema, into, consistent, file, source_place, consistent_place, rows })
}

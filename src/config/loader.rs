//! `loaders/*.toml`: one file a source and schema, one row a table.

use std::{collections::BTreeSet, time::Duration};

use globset::{GlobBuilder, GlobMatcher};
use toml_edit::Item;

use super::{
    BuiltIn, Deadline, Deletes, Keys, OnBrokenView, OnSchemaChange, PublishChoice, Strategy, Text, checks,
    deadline, deletes, layout,
    mistake::{Collector, Place},
    warehouse::compression,
};
use crate::{
    event::Tier,
    schema::{Layout, UnfitPolicies, UnfitPolicy, Varchar},
    sql::TableName,
    stage::manifest::{Compression, Format},
};

/// How far below the watermark rows are read again, where the row says nothing.
const OVERLAP: Duration = Duration::from_secs(60 * 60);

/// How often keys are compared, where the row says nothing.
const COMPARE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of an incremental table may vanish in one load, where the row says nothing.
const SHRINK_LIMIT: f64 = 0.05;

/// The same of a table that is loaded whole: its rows are replaced on purpose.
const SHRINK_LIMIT_FULL: f64 = 0.5;

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
    /// In test mode: the load brings a sample, and `condition` says which rows.
    pub sample: Option<Sample>,
    /// Where its row is.
    pub place: Place,
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
    /// The source's schema.
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

/// One row: a table, or a pattern.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    /// `None`: a table's own name.
    pub(super) pattern: Option<GlobMatcher>,
    pub(super) place: Place,
    /// `None`: skipped.
    pub(super) settings: Option<Settings>,
}

/// A row's settings, the defaults in them.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) name_as: Option<String>,
    /// `None` and the like: what holds follows from other keys.
    pub(super) compare_every: Option<Option<Duration>>,
    pub(super) shrink_limit: Option<f64>,
    pub(super) on_schema_change: Option<OnSchemaChange>,
    /// With `source_table` and `target` still to be filled in.
    pub(super) spec: LoadSpec,
}

impl Settings {
    fn of(spec: LoadSpec) -> Self {
        Self { name_as: None, compare_every: None, shrink_limit: None, on_schema_change: None, spec }
    }

    /// Fills in what follows from other keys.
    fn follow(&mut self) {
        let spec = &mut self.spec;
        let is_incremental = spec.strategy != Strategy::Full;
        let often = match spec.deletes {
            Deletes::Detect | Deletes::Mark(_) => Duration::ZERO,
            Deletes::Ignore => COMPARE_EVERY,
        };
        spec.compare_every = if is_incremental { self.compare_every.unwrap_or(Some(often)) } else { None };
        let limit = if is_incremental { SHRINK_LIMIT } else { SHRINK_LIMIT_FULL };
        spec.shrink_limit = self.shrink_limit.unwrap_or(limit);
        let unwritten = match spec.deletes.mark() {
            Some(_) => OnSchemaChange::Extend,
            None => OnSchemaChange::Rebuild,
        };
        spec.on_schema_change = self.on_schema_change.unwrap_or(unwritten);
    }

    fn refuse(&self, table: &str, place: &Place, mistakes: &Collector) {
        let beside = deletes::Beside {
            strategy: self.spec.strategy,
            publish: self.spec.publish,
            on_schema_change: self.on_schema_change,
        };
        if self.spec.deletes.mark().is_some() {
            beside.refuse_to_lose_marks(table, place, mistakes);
        }
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

/// Reads one file.
pub(super) fn read(text: &Text, into: &str, mistakes: &Collector) -> Option<Loader> {
    let keys = Keys::of_file(text, mistakes)?;
    let source = keys.string("source");
    if !keys.has("source") {
        keys.missing("source", "source = \"shop\" names a source of barncat.toml");
    }
    let schema = keys.string("schema").unwrap_or_else(|| "public".to_owned());
    let into = keys.string("into").unwrap_or_else(|| into.to_owned());
    let consistent = keys.string_lists("consistent");
    let base = base(source.as_deref().unwrap_or_default(), &schema, &into, keys.place());
    let defaults = match keys.table("defaults") {
        None => Settings::of(base),
        Some(defaults) => {
            let settings = settings(&defaults, Settings::of(base), false);
            defaults.finish();
            settings
        }
    };
    let rows: Vec<Row> =
        keys.named("tables").into_iter().filter_map(|row| read_row(&keys, row, &defaults)).collect();
    if !keys.has("tables") {
        keys.missing("tables", "[tables] \"*\" = \"full\" loads all of the schema");
    }
    let (source_place, consistent_place) = (keys.place_of("source"), keys.place_of("consistent"));
    keys.finish();
    let file = text.name.clone();
    Some(Loader { source: source?, schema, into, consistent, file, source_place, consistent_place, rows })
}

/// What holds where a row says nothing.
fn base(source: &str, schema: &str, into: &str, place: Place) -> LoadSpec {
    LoadSpec {
        source: source.to_owned(),
        source_table: TableName::new(schema, ""),
        target: TableName::new(into, ""),
        strategy: Strategy::Full,
        cursor: None,
        key: Vec::new(),
        columns: None,
        exclude: Vec::new(),
        hash: Vec::new(),
        condition: None,
        tier: None,
        tags: Vec::new(),
        checks: Vec::new(),
        private: Vec::new(),
        owner: None,
        deadline: None,
        overlap: OVERLAP,
        compare_every: None,
        deletes: Deletes::Ignore,
        shrink_limit: SHRINK_LIMIT_FULL,
        on_schema_change: OnSchemaChange::Rebuild,
        rebuild_limit: None,
        publish: PublishChoice::Auto,
        on_broken_view: OnBrokenView::Refuse,
        unfit: UnfitPolicies::default(),
        varchar: Varchar::Declared,
        layout: Layout::default(),
        format: None,
        compression: None,
        fill_jobs: None,
        attempts: 3,
        time_limit: None,
        warn_after: None,
        consistent_group: None,
        sample: None,
        place,
    }
}

const STRATEGIES: [(&str, Option<Strategy>); 4] = [
    ("full", Some(Strategy::Full)),
    ("append", Some(Strategy::Append)),
    ("merge", Some(Strategy::Merge)),
    ("skip", None),
];

fn read_row(keys: &Keys<'_>, row: (String, Place, &Item), defaults: &Settings) -> Option<Row> {
    let (name, place, item) = row;
    let pattern = match is_pattern(&name) {
        false => None,
        true => match GlobBuilder::new(&name).literal_separator(false).build() {
            Ok(glob) => Some(glob.compile_matcher()),
            Err(error) => {
                keys.mistakes.add(place, format!("`{name}` is no pattern: {}", error.kind()), None);
                return None;
            }
        },
    };
    let settings = match item.as_str() {
        Some(word) => match STRATEGIES.iter().find(|(name, _)| *name == word) {
            Some((_, Some(strategy))) => {
                let mut settings = defaults.clone();
                settings.spec.strategy = *strategy;
                if *strategy != Strategy::Full && settings.spec.cursor.is_none() {
                    let hint = format!("{name} = {{ strategy = \"{word}\", cursor = \"…\" }}");
                    keys.mistakes.add(place.clone(), format!("table `{name}` needs `cursor`"), Some(hint));
                }
                Some(settings)
            }
            Some((_, None)) => None,
            None => {
                let hint = super::mistake::did_you_mean(word, STRATEGIES.iter().map(|(name, _)| *name));
                let message = format!("`{word}` is none of `full`, `append`, `merge`, `skip`");
                keys.mistakes.add(keys.text.place(item.span()), message, hint);
                return None;
            }
        },
        None => {
            let owner = format!("table `{name}`");
            let row = Keys::new(keys.text, item, owner, place.clone(), keys.mistakes)?;
            let settings = settings(&row, defaults.clone(), true);
            if settings.name_as.is_some() && pattern.is_some() {
                row.wrong("as", "would give many tables one name");
            }
            row.finish();
            Some(settings)
        }
    };
    let settings = settings.map(|mut settings| {
        settings.spec.place = place.clone();
        settings.refuse(&name, &place, keys.mistakes);
        settings.follow();
        settings
    });
    Some(Row { name, pattern, place, settings })
}

pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// Reads a row's keys over the defaults; the defaults' own keys too.
fn settings(keys: &Keys<'_>, over: Settings, is_row: bool) -> Settings {
    let Settings { mut name_as, mut compare_every, mut shrink_limit, mut on_schema_change, mut spec } = over;
    if is_row {
        name_as = keys.string("as");
        spec.key = keys.strings("key");
        spec.columns = keys.strings_or_none("columns");
        if spec.columns.as_ref().is_some_and(Vec::is_empty) {
            keys.wrong("columns", "names no column");
        }
        spec.deadline = deadline::read(keys);
    }
    let strategies = [("full", Strategy::Full), ("append", Strategy::Append), ("merge", Strategy::Merge)];
    take(&mut spec.strategy, keys.choice("strategy", &strategies));
    spec.cursor = keys.string("cursor").or(spec.cursor);
    spec.exclude.extend(keys.strings("exclude"));
    spec.hash.extend(keys.strings("hash"));
    spec.condition = keys.string("where").or(spec.condition);
    spec.tier =
        keys.choice("tier", &[("critical", Tier::Critical), ("optional", Tier::Optional)]).or(spec.tier);
    spec.tags.extend(keys.strings("tags"));
    spec.owner = keys.string("owner").or(spec.owner);
    take(&mut spec.overlap, keys.duration("overlap"));
    compare_every = keys.duration_or_off("compare_every").or(compare_every);
    shrink_limit = keys.share("shrink_limit").or(shrink_limit);
    take(&mut spec.deletes, deletes::read(keys));
    let changes = [
        ("rebuild", OnSchemaChange::Rebuild),
        ("extend", OnSchemaChange::Extend),
        ("refuse", OnSchemaChange::Refuse),
    ];
    on_schema_change = keys.choice("on_schema_change", &changes).or(on_schema_change);
    spec.rebuild_limit = keys.size("rebuild_limit").or(spec.rebuild_limit);
    let publish =
        [("auto", PublishChoice::Auto), ("swap", PublishChoice::Swap), ("replace", PublishChoice::Replace)];
    take(&mut spec.publish, keys.choice("publish", &publish));
    let broken = [("refuse", OnBrokenView::Refuse), ("drop", OnBrokenView::Drop)];
    take(&mut spec.on_broken_view, keys.choice("on_broken_view", &broken));
    unfit(keys, &mut spec.unfit);
    take(
        &mut spec.varchar,
        keys.choice("varchar", &[("declared", Varchar::Declared), ("measured", Varchar::Measured)]),
    );
    layout::read(keys, &mut spec.layout);
    spec.format = keys.choice("format", &[("binary", Format::Binary), ("csv", Format::Csv)]).or(spec.format);
    spec.compression = compression(keys).or(spec.compression);
    spec.fill_jobs = keys.number("fill_jobs", 1..=64).or(spec.fill_jobs);
    take(&mut spec.attempts, keys.number("attempts", 1..=100));
    (spec.warn_after, spec.time_limit) = time_limits(keys, (spec.warn_after, spec.time_limit));
    spec.checks.extend(checks::read(keys));
    spec.private.extend(keys.strings("private"));
    if is_row && spec.strategy != Strategy::Full && spec.cursor.is_none() {
        keys.missing("cursor", "the column that orders new rows: `id`, `updated_at`");
    }
    Settings { name_as, compare_every, shrink_limit, on_schema_change, spec }
}

/// `warn_after` and `time_limit`, over those that hold where nothing is said.
pub(super) fn time_limits(
    keys: &Keys<'_>,
    (warn_after, time_limit): (Option<Duration>, Option<Duration>),
) -> (Option<Duration>, Option<Duration>) {
    let warn_after = keys.duration("warn_after").or(warn_after);
    let time_limit = keys.duration("time_limit").or(time_limit);
    if let (Some(warn), Some(limit)) = (warn_after, time_limit)
        && warn >= limit
        && (keys.has("warn_after") || keys.has("time_limit"))
    {
        match keys.has("warn_after") {
            true => keys.wrong("warn_after", "is no shorter than `time_limit`, which ends an attempt before"),
            false => {
                keys.wrong("time_limit", "is no longer than `warn_after`, of which nobody would be told")
            }
        }
    }
    (warn_after, time_limit)
}

/// `unfit = "null"`, or `unfit = { note = "truncate", total = "text" }`.
fn unfit(keys: &Keys<'_>, policies: &mut UnfitPolicies) {
    if !keys.is_table("unfit") {
        take(&mut policies.all, keys.choice("unfit", &UnfitPolicy::WORDS));
        return;
    }
    for (column, place, item) in keys.named("unfit") {
        let word = item.as_str().unwrap_or_default();
        match UnfitPolicy::WORDS.iter().find(|(name, _)| *name == word) {
            Some((_, policy)) => {
                policies.columns.insert(column, *policy);
            }
            None => {
                let words: Vec<&str> = UnfitPolicy::WORDS.iter().map(|(name, _)| *name).collect();
                let message = format!("`unfit` of `{column}` is none of `{}`", words.join("`, `"));
                let hint = super::mistake::did_you_mean(word, words);
                keys.mistakes.add(place, message, hint);
            }
        }
    }
}

fn take<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

//! A row of `loaders/*.toml`: a table's settings, the defaults in them.

mod keys;

use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use toml_edit::Item;

pub(super) use self::keys::time_limits;
use self::keys::{of_replica, shared, take};
use super::{
    Deletes, Keys, LoadSpec, OnBrokenView, OnSchemaChange, PublishChoice, Strategy, deadline, deletes,
    http::{self, HttpSettings},
    loader::Around,
    mistake::{Collector, Place},
};
use crate::{
    schema::{Layout, UnfitPolicies, Varchar},
    sql::TableName,
};

/// How far below the watermark rows are read again, where the row says nothing.
const OVERLAP: Duration = Duration::from_secs(60 * 60);

/// How often keys are compared, where the row says nothing.
const COMPARE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of an incremental table may vanish in one load, where the row says nothing.
const SHRINK_LIMIT: f64 = 0.05;

/// The same of a table that is loaded whole: its rows are replaced on purpose.
const SHRINK_LIMIT_FULL: f64 = 0.5;

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
    /// Of a service: what is asked, as far as it is said.
    pub(super) http: HttpSettings,
    /// With `source_table` and `target` still to be filled in.
    pub(super) spec: LoadSpec,
}

impl Settings {
    pub(super) fn of(spec: LoadSpec) -> Self {
        let http = HttpSettings::default();
        Self { name_as: None, compare_every: None, shrink_limit: None, on_schema_change: None, http, spec }
    }

    /// Fills in what follows from other keys.
    fn follow(&mut self) {
        let spec = &mut self.spec;
        let is_incremental = spec.strategy != Strategy::Full;
        let often = match spec.deletes {
            Deletes::Detect | Deletes::Mark(_) => Duration::ZERO,
            Deletes::Ignore => COMPARE_EVERY,
        };
        // Keys are compared in a replica alone.
        spec.compare_every = if is_incremental && spec.http.is_none() {
            self.compare_every.unwrap_or(Some(often))
        } else {
            None
        };
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

/// What holds where a row says nothing.
pub(super) fn base(source: &str, schema: &str, into: &str, place: Place) -> LoadSpec {
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
        http: None,
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

/// What rows are read by.
pub(super) struct Reader<'a> {
    /// Whether the file's source is a service.
    pub(super) is_service: bool,
    /// The project.
    pub(super) around: &'a Around<'a>,
}

impl Reader<'_> {
    /// Reads one row.
    pub(super) fn row(
        &self,
        keys: &Keys<'_>,
        (name, place, item): (String, Place, &Item),
        defaults: &Settings,
    ) -> Option<Row> {
        let pattern = match is_pattern(&name) {
            false => None,
            true if self.is_service => {
                let message = format!("`{name}` is a pattern, and a service has no list of its tables");
                let hint = "each table has a row of its own: name = { path = \"/…\", columns = { … } }";
                keys.mistakes.add(place, message, Some(hint.to_owned()));
                return None;
            }
            true => match GlobBuilder::new(&name).literal_separator(false).build() {
                Ok(glob) => Some(glob.compile_matcher()),
                Err(error) => {
                    keys.mistakes.add(place, format!("`{name}` is no pattern: {}", error.kind()), None);
                    return None;
                }
            },
        };
        let settings = match item.as_str() {
            Some(word) => self.word(keys, (&name, &place, item), word, defaults)?,
            None => {
                let owner = format!("table `{name}`");
                let row = Keys::new(keys.text, item, owner, place.clone(), keys.mistakes)?;
                let settings = self.settings(&row, defaults.clone(), Some(&name));
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
            // The table has all of it.
            settings.http = HttpSettings::default();
            settings
        });
        Some(Row { name, pattern, place, settings })
    }

    /// A row that is one word: its strategy, or `skip`.
    fn word(
        &self,
        keys: &Keys<'_>,
        (name, place, item): (&str, &Place, &Item),
        word: &str,
        defaults: &Settings,
    ) -> Option<Option<Settings>> {
        match STRATEGIES.iter().find(|(name, _)| *name == word) {
            Some((_, None)) => Some(None),
            _ if self.is_service => {
                let message = format!("table `{name}` needs `path`");
                let hint = format!("{name} = {{ path = \"/{name}\", columns = {{ … }} }}");
                keys.mistakes.add(keys.text.place(item.span()), message, Some(hint));
                None
            }
            Some((_, Some(strategy))) => {
                let mut settings = defaults.clone();
                settings.spec.strategy = *strategy;
                if *strategy != Strategy::Full && settings.spec.cursor.is_none() {
                    let hint = format!("{name} = {{ strategy = \"{word}\", cursor = \"…\" }}");
                    keys.mistakes.add(place.clone(), format!("table `{name}` needs `cursor`"), Some(hint));
                }
                Some(Some(settings))
            }
            None => {
                let hint = super::mistake::did_you_mean(word, STRATEGIES.iter().map(|(name, _)| *name));
                let message = format!("`{word}` is none of `full`, `append`, `merge`, `skip`");
                keys.mistakes.add(keys.text.place(item.span()), message, hint);
                None
            }
        }
    }

    /// Reads a row's keys over the defaults; the defaults' own keys too, for which there is no name.
    pub(super) fn settings(&self, keys: &Keys<'_>, over: Settings, row: Option<&str>) -> Settings {
        let mut all = over;
        if row.is_some() {
            all.name_as = keys.string("as");
            all.spec.key = keys.strings("key");
            all.spec.deadline = deadline::read(keys);
        }
        let strategies = [("full", Strategy::Full), ("append", Strategy::Append), ("merge", Strategy::Merge)];
        let strategy = keys.choice("strategy", &strategies);
        take(&mut all.spec.strategy, strategy);
        all.spec.cursor = keys.string("cursor").or(all.spec.cursor.take());
        shared(keys, &mut all);
        if self.is_service {
            http::refuse_in_row(keys);
            all.http.read(keys, row.is_some(), self.around);
            if row.is_some() {
                all.spec.http = all.http.table(keys, &mut all.spec).map(Box::new);
            }
        } else {
            of_replica(keys, &mut all, row.is_some());
        }
        all
    }
}

pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

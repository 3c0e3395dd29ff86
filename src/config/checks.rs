//! `checks = { … }` in a loader's row and a model's first comment: the kinds of checks that need no SQL.

mod anomalies;

use std::time::Duration;

use toml_edit::{Item, Value};

pub use self::anomalies::{Anomaly, Measured};
use super::{Keys, Place, Severity, mistake::Collector, quantity};
use crate::event::CheckStatus;

/// How many failing rows are kept of one check, unless it says otherwise.
const SAMPLE: u32 = 5;

/// One built-in check of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltIn {
    /// What it looks at.
    pub kind: CheckKind,
    /// What it means.
    pub options: CheckOptions,
    /// Where it is written.
    pub place: Place,
}

/// What a built-in check looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    /// No two rows have these values in common.
    Unique(Vec<String>),
    /// The column has a value in every row.
    NotNull(String),
    /// The column has one of these values, or none.
    AcceptedValues {
        /// The column.
        column: String,
        /// The values.
        values: Vec<Literal>,
    },
    /// Each value of the column is one of another table's.
    Relationship {
        /// The column.
        column: String,
        /// The other table's schema, where it is written.
        schema: Option<String>,
        /// The other table.
        table: String,
        /// Its column.
        to: String,
    },
    /// How many rows there are.
    RowCount {
        /// No fewer.
        min: Option<u64>,
        /// No more.
        max: Option<u64>,
        /// No further from the median of the loads before, as a share of it.
        change: Option<f64>,
    },
    /// How old the newest row is, or the published load.
    Freshness {
        /// By which column; `None`: by the ledger.
        column: Option<String>,
        /// At most so old.
        max: Duration,
    },
    /// The column's values lie between these, both included.
    Range {
        /// The column.
        column: String,
        /// The least.
        min: Option<Literal>,
        /// The greatest.
        max: Option<Literal>,
    },
    /// The table is as its source has it just now.
    MatchSource {
        /// Row by row; else by their number.
        by_hash: bool,
    },
    /// The table is as its own history lets expect.
    Anomaly(Anomaly),
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A number.
    Number(String),
    /// A text, or a time.
    Text(String),
}

/// What a check that finds something means, and which rows it looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOptions {
    /// What failing rows mean, where no threshold says it.
    pub severity: Severity,
    /// Whether it is asked of the staging table before it is published.
    pub before_publish: bool,
    /// Beyond how many failing rows people are told.
    pub warn_if: Option<Threshold>,
    /// Beyond how many it fails.
    pub error_if: Option<Threshold>,
    /// Which rows it looks at: a SQL condition.
    pub condition: Option<String>,
    /// How many failing rows are kept at most.
    pub sample: u32,
}

/// A number of failing rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// More than so many.
    Rows(u64),
    /// More than this share of the rows that were looked at, from 0 to 1.
    Share(f64),
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            severity: Severity::Error,
            before_publish: false,
            warn_if: None,
            error_if: None,
            condition: None,
            sample: SAMPLE,
        }
    }
}

impl CheckOptions {
    /// Reads the keys over others. `has_where`: `where` is one of them.
    pub(super) fn read(keys: &Keys<'_>, over: &Self, has_where: bool) -> Self {
        let severities = [("error", Severity::Error), ("warn", Severity::Warn)];
        let threshold = |key| keys.parsed(key, "a number of rows like `>10` or `> 1%`", threshold);
        let options = Self {
            severity: keys.choice("severity", &severities).unwrap_or(over.severity),
            before_publish: keys.boolean("before_publish").unwrap_or(over.before_publish),
            warn_if: threshold("warn_if").or(over.warn_if),
            error_if: threshold("error_if").or(over.error_if),
            condition: if has_where { keys.string("where") } else { None }.or(over.condition.clone()),
            sample: keys.number("sample", 0..=100).unwrap_or(over.sample),
        };
        if options.severity == Severity::Warn && options.error_if.is_some() {
            let key = if keys.has("error_if") { "error_if" } else { "severity" };
            keys.wrong(key, "contradicts: a check of severity `warn` never fails");
        }
        options
    }

    /// What so many failing rows `of` all mean.
    pub fn verdict(&self, rows: u64, of: u64) -> CheckStatus {
        let is_beyond = |threshold: Option<Threshold>| match threshold {
            None => rows > 0,
            Some(Threshold::Rows(most)) => rows > most,
            #[expect(clippy::cast_precision_loss, reason = "a share need not be exact to the row")]
            Some(Threshold::Share(share)) => rows > 0 && rows as f64 > share * of.max(rows) as f64,
        };
        // Where only `warn_if` is said, nothing was said of failing.
        let may_fail =
            self.severity == Severity::Error && (self.error_if.is_some() || self.warn_if.is_none());
        if may_fail && is_beyond(self.error_if) {
            CheckStatus::Failed
        } else if is_beyond(self.warn_if) {
            CheckStatus::Warned
        } else {
            CheckStatus::Passed
        }
    }
}

impl BuiltIn {
    /// Its kind with its columns: `unique (id)`.
    pub fn label(&self) -> String {
        let (kind, columns) = match &self.kind {
            CheckKind::Unique(columns) => ("unique", columns.join(", ")),
            CheckKind::NotNull(column) => ("not_null", column.clone()),
            CheckKind::AcceptedValues { column, .. } => ("accepted_values", column.clone()),
            CheckKind::Relationship { column, .. } => ("relationship", column.clone()),
            CheckKind::RowCount { .. } => ("row_count", String::new()),
            CheckKind::Freshness { column, .. } => ("freshness", column.clone().unwrap_or_default()),
            CheckKind::Range { column, .. } => ("range", column.clone()),
            CheckKind::MatchSource { .. } => ("match_source", String::new()),
            CheckKind::Anomaly(Anomaly { of, .. }) => ("anomalies", of.word().to_owned()),
        };
        if columns.is_empty() { kind.to_owned() } else { format!("{kind} ({columns})") }
    }
}

/// Reads the key `checks`.
pub(super) fn read(keys: &Keys<'_>) -> Vec<BuiltIn> {
    let Some(checks) = keys.table("checks") else { return Vec::new() };
    let defaults = CheckOptions::read(&checks, &CheckOptions::default(), true);
    let reader = Reader { checks: &checks, defaults };
    let mut found = Vec::new();
    found.extend(reader.of_columns("unique", |columns| Some(CheckKind::Unique(columns))));
    found.extend(reader.of_columns("not_null", |mut columns| match columns.len() {
        1 => columns.pop().map(CheckKind::NotNull),
        _ => None,
    }));
    found.extend(reader.by_column("accepted_values", accepted_values));
    found.extend(reader.by_column("relationship", relationship));
    found.extend(reader.by_column("range", range));
    found.extend(reader.alone("row_count", row_count));
    found.extend(reader.alone("freshness", freshness));
    found.extend(reader.match_source());
    found.extend(anomalies::read(&checks, &reader.defaults));
    checks.finish();
    found
}

struct Reader<'a, 'k> {
    checks: &'a Keys<'k>,
    defaults: CheckOptions,
}

impl<'k> Reader<'_, 'k> {
    /// `["id"]`, `[["a", "b"]]`, or the same as `columns` of settings.
    fn of_columns(&self, key: &'static str, make: impl Fn(Vec<String>) -> Option<CheckKind>) -> Vec<BuiltIn> {
        let place = self.checks.place_of(key);
        let (lists, options) = if self.checks.is_table(key) {
            let Some(own) = self.checks.table(key) else { return Vec::new() };
            let lists = own.strings_or_lists("columns");
            if !own.has("columns") {
                own.missing("columns", "columns = [\"id\"]");
            }
            let options = CheckOptions::read(&own, &self.defaults, true);
            own.finish();
            (lists, options)
        } else {
            (self.checks.strings_or_lists(key), self.defaults.clone())
        };
        let mut found = Vec::new();
        for columns in lists {
            match make(columns) {
                Some(kind) => found.push(BuiltIn { kind, options: options.clone(), place: place.clone() }),
                None => self.checks.wrong(key, "takes columns one by one: [\"id\", \"name\"]"),
            }
        }
        found
    }

    /// One value a column; the same within settings.
    fn by_column(
        &self,
        key: &'static str,
        make: fn(&str, &OneColumn<'_, 'k>) -> Option<CheckKind>,
    ) -> Vec<BuiltIn> {
        let mut found = Vec::new();
        for (column, place, item) in self.checks.named(key) {
            let owner = format!("`{key}` of `{column}`");
            let own = match item.is_table_like() {
                true => Keys::new(self.checks.text, item, owner, place.clone(), self.checks.mistakes),
                false => None,
            };
            let one =
                OneColumn { item, own: own.as_ref(), place: place.clone(), mistakes: self.checks.mistakes };
            let kind = make(&column, &one);
            let options = match own {
                Some(own) => {
                    let options = CheckOptions::read(&own, &self.defaults, true);
                    own.finish();
                    options
                }
                None => self.defaults.clone(),
            };
            found.extend(kind.map(|kind| BuiltIn { kind, options, place }));
        }
        found
    }

    /// Settings that say all.
    fn alone(&self, key: &'static str, make: fn(&Keys<'_>) -> Option<CheckKind>) -> Option<BuiltIn> {
        let own = self.checks.table(key)?;
        let kind = make(&own);
        for threshold in ["warn_if", "error_if"] {
            if own.has(threshold) {
                own.wrong(threshold, "is of no use: it counts no failing rows");
            }
        }
        let mut options = CheckOptions::read(&own, &self.defaults, true);
        (options.warn_if, options.error_if) = (None, None);
        own.finish();
        Some(BuiltIn { kind: kind?, options, place: self.checks.place_of(key) })
    }

    /// `"count"`, `"hash"`, or `{ by = "hash" }`.
    fn match_source(&self) -> Option<BuiltIn> {
        const KEY: &str = "match_source";
        let ways = [("count", false), ("hash", true)];
        let place = self.checks.place_of(KEY);
        let (by_hash, mut options) = if self.checks.is_table(KEY) {
            let own = self.checks.table(KEY)?;
            let by_hash = own.choice("by", &ways);
            if !own.has("by") {
                own.missing("by", "by = \"count\", or by = \"hash\"");
            }
            for key in ["before_publish", "where"] {
                if own.has(key) {
                    own.wrong(
                        key,
                        "is of no use: each load's rows are counted against its source, all of them",
                    );
                }
            }
            let options = CheckOptions::read(&own, &self.defaults, true);
            own.finish();
            (by_hash?, options)
        } else {
            (self.checks.choice(KEY, &ways)?, self.defaults.clone())
        };
        (options.before_publish, options.condition) = (false, None);
        Some(BuiltIn { kind: CheckKind::MatchSource { by_hash }, options, place })
    }
}

/// What is said of one column.
struct OneColumn<'a, 'k> {
    item: &'k Item,
    /// Where it has settings of its own.
    own: Option<&'a Keys<'k>>,
    place: Place,
    mistakes: &'a Collector,
}

impl OneColumn<'_, '_> {
    fn wrong(&self, what: String, hint: &str) -> Option<CheckKind> {
        self.mistakes.add(self.place.clone(), what, Some(hint.to_owned()));
        None
    }
}

fn accepted_values(column: &str, one: &OneColumn<'_, '_>) -> Option<CheckKind> {
    let item = match one.own {
        Some(own) => own.item("values"),
        None => Some(one.item),
    };
    let literals = |item: &Item| item.as_array()?.iter().map(literal).collect::<Option<Vec<Literal>>>();
    match item.and_then(literals) {
        Some(values) if !values.is_empty() => {
            Some(CheckKind::AcceptedValues { column: column.to_owned(), values })
        }
        _ => one.wrong(
            format!("`accepted_values` of `{column}` is no list of texts or numbers"),
            "accepted_values = { state = [\"new\", \"paid\"] }",
        ),
    }
}

fn relationship(column: &str, one: &OneColumn<'_, '_>) -> Option<CheckKind> {
    let to = match one.own {
        Some(own) => own.string("to"),
        None => one.item.as_str().map(str::to_owned),
    };
    let parts = to.as_deref().and_then(|to| to.rsplit_once('.'));
    match parts {
        Some((table, to)) if !table.is_empty() && !to.is_empty() => {
            let (schema, table) = match table.split_once('.') {
                Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
                None => (None, table.to_owned()),
            };
            let (column, to) = (column.to_owned(), to.to_owned());
            Some(CheckKind::Relationship { column, schema, table, to })
        }
        _ => one.wrong(
            format!("`relationship` of `{column}` names no table and column"),
            "relationship = { rider_id = \"riders.id\" }",
        ),
    }
}

fn range(column: &str, one: &OneColumn<'_, '_>) -> Option<CheckKind> {
    let bound = |key| one.own.and_then(|own| own.item(key)).and_then(|item| literal(item.as_value()?));
    let (min, max) = (bound("min"), bound("max"));
    if min.is_none() && max.is_none() {
        return one.wrong(
            format!("`range` of `{column}` has neither a `min` nor a `max`, a number or a text"),
            "range = { fee = { min = 0, max = 100 } }",
        );
    }
    Some(CheckKind::Range { column: column.to_owned(), min, max })
}

fn row_count(own: &Keys<'_>) -> Option<CheckKind> {
    let number = |key| own.number(key, 0..=u32::MAX).map(u64::from);
    let (min, max) = (number("min"), number("max"));
    let change = own.share("change");
    let has_any = ["min", "max", "change"].iter().any(|key| own.has(key));
    if !has_any {
        own.missing("min", "row_count = { min = 1 }, or { change = \"50%\" }");
    }
    has_any.then_some(CheckKind::RowCount { min, max, change })
}

fn freshness(own: &Keys<'_>) -> Option<CheckKind> {
    let (column, max) = (own.string("column"), own.duration("max"));
    if !own.has("max") {
        own.missing("max", "freshness = { column = \"updated_at\", max = \"26h\" }");
    }
    Some(CheckKind::Freshness { column, max: max? })
}

fn literal(value: &Value) -> Option<Literal> {
    match value {
        Value::String(text) => Some(Literal::Text(text.value().clone())),
        Value::Integer(number) => Some(Literal::Number(number.value().to_string())),
        Value::Float(number) if number.value().is_finite() => {
            Some(Literal::Number(number.value().to_string()))
        }
        _ => None,
    }
}

/// `>10`, `> 1%`.
fn threshold(text: &str) -> Option<Threshold> {
    let number = text.trim().strip_prefix('>')?.trim();
    match number.parse() {
        Ok(rows) => Some(Threshold::Rows(rows)),
        Err(_) => quantity::share(number).map(Threshold::Share),
    }
}

#[cfg(test)]
mod tests;

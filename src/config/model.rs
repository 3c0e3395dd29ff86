//! `sql/models/*.sql`: one SELECT a file, the settings in its first comment.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    Anomaly, BuiltIn, CheckKind, Deadline, Keys, Measured, OnBrokenView, PublishChoice, checks, deadline,
    header::SqlFile,
    layout,
    mistake::{Collector, Place},
};
use crate::{
    error::Fault,
    event::Tier,
    schema::Layout,
    sql::{self, Dialect, Query, TableName},
};

/// The folder of models.
pub(super) const FOLDER: &str = "sql/models";

/// One model.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// The table or view that it makes: the task's name.
    pub target: TableName,
    /// What it makes.
    pub kind: ModelKind,
    /// The columns that tell its rows apart; empty: nothing does.
    pub key: Vec<String>,
    /// What graph and schedule must know of it.
    pub node: NodeSpec,
    /// What its comment says.
    pub description: Option<String>,
    /// What its columns' comments say, by name.
    pub columns: BTreeMap<String, String>,
    /// How it is published.
    pub publish: PublishChoice,
    /// What to do about a view that cannot be kept.
    pub on_broken_view: OnBrokenView,
    /// What is checked of its table.
    pub checks: Vec<BuiltIn>,
    /// Columns whose values are shown to nobody.
    pub private: Vec<String>,
    /// How its table is laid out in Redshift, where that is said.
    pub layout: Layout,
    /// The SELECT.
    pub statement: Statement,
}

/// What a model makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelKind {
    /// A table, made anew each time.
    Table,
    /// A view.
    View,
    /// A table to which rows are added, or in which they are changed.
    Incremental {
        /// The column of the model whose greatest value is `:since` the next time.
        cursor: String,
        /// What `:since` is when the whole table is made.
        since: String,
    },
}

impl ModelKind {
    /// What `:since` is when the whole table is made.
    pub fn first_since(&self) -> Option<&str> {
        match self {
            Self::Incremental { since, .. } => Some(since),
            Self::Table | Self::View => None,
        }
    }
}

/// A SELECT of the project, as it is written.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its SQL.
    pub sql: String,
    /// The file, relative to the project's folder.
    pub file: String,
    /// The line of the file on which it begins.
    pub line: usize,
    /// What it reads; `None` where the parser cannot read it, and `needs` says.
    pub query: Option<Query>,
}

impl Statement {
    /// How many tables it reads.
    pub(super) fn tables(&self) -> usize {
        let read = self.query.iter().flat_map(Query::tables).map(|table| (&table.schema, &table.name));
        read.collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// What graph and schedule must know of a task that is no load.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Tasks that must be done first, beside those that its SQL names.
    pub needs: Vec<Named>,
    /// Tasks that are waited for, with the greatest age that their last published data may have.
    pub soft: Vec<(Named, Option<Duration>)>,
    /// Its tier, where it is said.
    pub tier: Option<Tier>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// By when it must be done.
    pub deadline: Option<Deadline>,
    /// How often it is tried at most.
    pub attempts: u32,
    /// How long one attempt may take.
    pub time_limit: Option<Duration>,
    /// After how long people are told that one attempt takes long.
    pub warn_after: Option<Duration>,
    /// Where it is.
    pub place: Place,
}

/// A task as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its schema, where it is written.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Where that is.
    pub place: Place,
}

impl Named {
    pub(super) fn new(text: &str, place: Place) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self { schema: Some(schema.to_owned()), name: name.to_owned(), place },
            None => Self { schema: None, name: text.to_owned(), place },
        }
    }
}

/// Reads all models, in the order of their files.
pub(super) fn read_all(dir: &Path, schema: &str, dialect: Dialect, mistakes: &Collector) -> Vec<ModelSpec> {
    let files = super::project::files(dir, FOLDER, ".sql");
    files
        .iter()
        .filter_map(|name| read(&SqlFile::read(dir, name, mistakes)?, schema, dialect, mistakes))
        .collect()
}

pub(super) fn read(
    file: &SqlFile,
    schema: &str,
    dialect: Dialect,
    mistakes: &Collector,
) -> Option<ModelSpec> {
    let name = stem(&file.name);
    let place = Place { file: file.name.clone(), line: 0, column: 0 };
    let keys = Keys::new(
        &file.settings,
        file.settings.document.as_item(),
        format!("model `{name}`"),
        place.clone(),
        mistakes,
    )?;
    let schema = keys.string("schema").unwrap_or_else(|| schema.to_owned());
    let target = match dialect {
        Dialect::Postgres => TableName::new(schema, name),
        Dialect::Redshift => TableName::new(schema.to_lowercase(), name.to_lowercase()),
    };
    let kind = kind(&keys);
    let key = keys.strings("key");
    let node = node(&keys, place);
    let description = keys.string("description");
    let columns = keys.texts("columns");
    let publish = keys
        .choice(
            "publish",
            &[
                ("auto", PublishChoice::Auto),
                ("swap", PublishChoice::Swap),
                ("replace", PublishChoice::Replace),
            ],
        )
        .unwrap_or(PublishChoice::Auto);
    let on_broken_view = keys
        .choice("on_broken_view", &[("refuse", OnBrokenView::Refuse), ("drop", OnBrokenView::Drop)])
        .unwrap_or(OnBrokenView::Refuse);
    let mut layout = Layout::default();
    layout::read(&keys, &mut layout);
    if key.is_empty() && matches!(kind, Some(ModelKind::Incremental { .. })) {
        keys.missing("key", "the columns by which a row that comes again is known: key = [\"id\"]");
    }
    if !key.is_empty() && kind == Some(ModelKind::View) {
        keys.wrong("key", "is of no use: a view holds no rows");
    }
    let checks = checks::read(&keys);
    let private = keys.strings("private");
    refuse_checks(&checks, kind.as_ref(), &keys);
    let has_since = matches!(kind, Some(ModelKind::Incremental { .. }));
    let statement = statement(file, dialect, &keys, has_since);
    keys.finish();
    Some(ModelSpec {
        target,
        kind: kind?,
        key,
        node,
        description,
        columns,
        publish,
        on_broken_view,
        checks,
        private,
        layout,
        statement: statement?,
    })
}

/// What cannot be checked of a model, or not then.
fn refuse_checks(checks: &[BuiltIn], kind: Option<&ModelKind>, keys: &Keys<'_>) {
    for check in checks {
        let what = match &check.kind {
            CheckKind::MatchSource { .. } => "is for tables that are loaded",
            CheckKind::Anomaly(Anomaly { of: Measured::Bytes, .. }) => {
                "is for tables that are loaded: a model has no bytes in the stage"
            }
            _ if check.options.before_publish && kind == Some(&ModelKind::View) => {
                "asks for `before_publish`: a view holds no rows that could be looked at before"
            }
            _ => continue,
        };
        let message = format!("`{}` of `checks` {what}", check.label());
        keys.mistakes.add(check.place.clone(), message, None);
    }
}

fn kind(keys: &Keys<'_>) -> Option<ModelKind> {
    let kind = match keys.has("kind") {
        true => keys.choice("kind", &[("table", 0), ("view", 1), ("incremental", 2)])?,
        false => 0,
    };
    if kind == 2 {
        let (cursor, since) = (keys.string("cursor"), keys.string("since"));
        if !keys.has("cursor") {
            keys.missing("cursor", "the column of the model whose greatest value is `:since` the next time");
        }
        if !keys.has("since") {
            keys.missing("since", "what `:since` is when the whole table is made: since = \"1970-01-01\"");
        }
        return Some(ModelKind::Incremental { cursor: cursor?, since: since? });
    }
    for key in ["cursor", "since"] {
        if keys.has(key) {
            keys.know(if key == "cursor" { "cursor" } else { "since" });
            keys.wrong(key, "is for `kind = \"incremental\"`");
        }
    }
    Some(if kind == 1 { ModelKind::View } else { ModelKind::Table })
}

/// The keys that models, checks and commands have in common.
pub(super) fn node(keys: &Keys<'_>, place: Place) -> NodeSpec {
    let needs = keys.strings("needs");
    let needs_place = keys.place_of("needs");
    let (warn_after, time_limit) = super::row::time_limits(keys, (None, None));
    NodeSpec {
        needs: needs.iter().map(|name| Named::new(name, needs_place.clone())).collect(),
        soft: soft(keys),
        tier: keys.choice("tier", &[("critical", Tier::Critical), ("optional", Tier::Optional)]),
        tags: keys.strings("tags"),
        owner: keys.string("owner"),
        deadline: deadline::read(keys),
        attempts: keys.number("attempts", 1..=100).unwrap_or(3),
        time_limit,
        warn_after,
        place,
    }
}

/// `soft = { fx_rates = "24h" }`; `any` is any age.
fn soft(keys: &Keys<'_>) -> Vec<(Named, Option<Duration>)> {
    let mut all = Vec::new();
    for (name, place, item) in keys.named("soft") {
        match item.as_str() {
            Some("any") => all.push((Named::new(&name, place), None)),
            Some(text) if super::duration(text).is_some() => {
                all.push((Named::new(&name, place), super::duration(text)));
            }
            _ => keys.wrong("soft", format_args!("has no greatest age like `24h`, or `any`, for `{name}`")),
        }
    }
    all
}

/// The SELECT of a file, read.
pub(super) fn statement(
    file: &SqlFile,
    dialect: Dialect,
    keys: &Keys<'_>,
    has_since: bool,
) -> Option<Statement> {
    let place = |line: usize, column| Place { file: file.name.clone(), line: line + file.line - 1, column };
    let query = match sql::read(&file.sql, dialect) {
        Ok(query) => Some(query),
        // What it reads is said by hand then; the server reads it, and takes one statement alone.
        Err(error) if matches!(error.problem, sql::Problem::Unreadable(_)) && keys.has("needs") => None,
        Err(error) => {
            let message = error.problem.to_string();
            keys.mistakes.add(place(error.line, error.column), message, Fault::hint(&error));
            return None;
        }
    };
    if !has_since && query.as_ref().is_some_and(Query::has_since) {
        let message = "`:since` is for `kind = \"incremental\"`".to_owned();
        keys.mistakes.add(place(1, 1), message, None);
    }
    let sql = file.sql.trim_end().trim_end_matches(';').to_owned();
    Some(Statement { sql, file: file.name.clone(), line: file.line, query })
}

/// A file's name without folder and ending.
pub(super) fn stem(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_suffix(".sql").unwrap_or(name).to_owned()
}

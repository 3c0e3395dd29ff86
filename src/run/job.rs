//! What a task does, whatever it is, and what becomes of its outcome.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Mode,
    checks::{self, BuiltInChecks},
    command::{self, CommandError, Program},
    schemas::Schemas,
};
use crate::{
    check::{self, Audit, CheckError},
    config::{CheckSpec, CommandSpec, Deadline, LoadSpec, ModelKind, ModelSpec, NodeSpec, Statement},
    dag::{Graph, Kind},
    error::{Class, Failure, Fault},
    event::{CheckOutcome, TaskOutcome, Tier},
    load::{Beginning, LoadError, Verified, Workshop},
    model::{self, Made, ModelError},
    sql::{Reference, TableName},
    warehouse::{InputUsed, LedgerRow},
};

/// A task.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// Brings a table.
    Load(Box<LoadSpec>),
    /// Makes one.
    Model {
        /// Its table in this mode.
        target: TableName,
        /// The model.
        spec: Box<ModelSpec>,
    },
    /// Looks at the outcome, by a file's query.
    Check(Box<CheckSpec>),
    /// Looks at a table, by built-in checks.
    Checks(Box<BuiltInChecks>),
    /// Starts a program.
    Command(Box<CommandSpec>),
}

impl Job {
    /// The task's full name in this mode.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Load(spec) => spec.target.to_string(),
            Self::Model { target, .. } => target.to_string(),
            Self::Check(spec) => spec.name.clone(),
            Self::Checks(spec) => format!("{}.checks", spec.table),
            Self::Command(spec) => spec.name.clone(),
        }
    }

    /// The table that it makes.
    pub(super) fn target(&self) -> Option<&TableName> {
        match self {
            Self::Load(spec) => Some(&spec.target),
            Self::Model { target, .. } => Some(target),
            Self::Check(_) | Self::Checks(_) | Self::Command(_) => None,
        }
    }

    pub(super) fn load(&self) -> Option<&LoadSpec> {
        match self {
            Self::Load(spec) => Some(spec),
            _ => None,
        }
    }

    pub(super) fn load_mut(&mut self) -> Option<&mut LoadSpec> {
        match self {
            Self::Load(spec) => Some(spec),
            _ => None,
        }
    }

    /// The source that it reads.
    pub(super) fn source(&self) -> Option<&str> {
        match self {
            Self::Load(spec) => Some(&spec.source),
            Self::Checks(spec) => spec.source(),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Load(_) => Kind::Load,
            Self::Model { .. } => Kind::Model,
            Self::Check(_) | Self::Checks(_) => Kind::Check,
            Self::Command(_) => Kind::Command,
        }
    }

    fn node(&self) -> Option<&NodeSpec> {
        match self {
            Self::Load(_) | Self::Checks(_) => None,
            Self::Model { spec, .. } => Some(&spec.node),
            Self::Check(spec) => Some(&spec.node),
            Self::Command(spec) => Some(&spec.node),
        }
    }

    /// Who is asked about it.
    pub(super) fn owner(&self) -> Option<&str> {
        match self {
            Self::Load(spec) => spec.owner.as_deref(),
            Self::Checks(spec) => spec.owner.as_deref(),
            _ => self.node()?.owner.as_deref(),
        }
    }

    /// By when it must be done.
    pub(super) fn deadline(&self) -> Option<&Deadline> {
        match self {
            Self::Load(spec) => spec.deadline.as_ref(),
            _ => self.node()?.deadline.as_ref(),
        }
    }

    pub(super) fn attempts(&self) -> u32 {
        let attempts = self.load().map(|spec| spec.attempts).or(self.node().map(|node| node.attempts));
        attempts.unwrap_or(CHECKS_TRIED)
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        match self {
            Self::Load(spec) => spec.time_limit,
            _ => self.node()?.time_limit,
        }
    }

    pub(super) fn warn_after(&self) -> Option<Duration> {
        match self {
            Self::Load(spec) => spec.warn_after,
            _ => self.node()?.warn_after,
        }
    }

    /// Its strategy, where it has one.
    pub(super) fn strategy(&self) -> Option<String> {
        match self {
            Self::Load(spec) => Some(spec.strategy.to_string()),
            Self::Model { spec, .. } => Some(model::strategy(&spec.kind).to_owned()),
            Self::Check(_) | Self::Checks(_) | Self::Command(_) => None,
        }
    }

    /// What `:since` is in its SQL when the whole table is made.
    pub(super) fn first_since(&self) -> Option<&str> {
        match self {
            Self::Model { spec, .. } => spec.kind.first_since(),
            _ => None,
        }
    }

    pub(super) fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Model { spec, .. } => Some(&spec.statement),
            Self::Check(spec) => Some(&spec.statement),
            Self::Load(_) | Self::Checks(_) | Self::Command(_) => None,
        }
    }
}

/// How often a table's built-in checks are tried after passing failures.
const CHECKS_TRIED: u32 = 3;

/// What a task came to that went well.
pub(super) enum Came {
    Loaded(Box<Verified>),
    Made(Made),
    Checked {
        outcomes: Vec<CheckOutcome>,
        /// Where failing rows can be seen.
        hint: String,
    },
    Ran,
    /// It is none of this mode.
    Skipped(String),
}

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("{file} cannot be read by barncat, so in test mode nobody knows where it would read")]
    Unread { file: String },
    #[error("{name}: the attempt took longer than {} s", crate::clock::seconds(*limit))]
    TimeLimit { name: String, limit: Duration },
}

impl JobError {
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Load(LoadError::Cancelled)
                | Self::Model(ModelError::Cancelled)
                | Self::Check(CheckError::Cancelled)
                | Self::Command(CommandError::Cancelled)
        )
    }

    /// What checks found that kept a table from being published.
    pub(super) fn checks(&self) -> &[CheckOutcome] {
        match self {
            Self::Load(LoadError::Unsound(unsound)) | Self::Model(ModelError::Unsound(unsound)) => {
                &unsound.checks
            }
            _ => &[],
        }
    }

    fn fault(&self) -> Option<&dyn Fault> {
        Some(match self {
            Self::Load(error) => error,
            Self::Model(error) => error,
            Self::Check(error) => error,
            Self::Command(error) => error,
            Self::TimeLimit { .. } | Self::Unread { .. } => return None,
        })
    }
}

impl Fault for JobError {
    fn class(&self) -> Class {
        match self {
            Self::Unread { .. } => Class::Usage,
            error => error.fault().map_or(Class::Passing, Fault::class),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TimeLimit { .. } => Some("`time_limit` of the task sets the limit".to_owned()),
            Self::Unread { .. } => Some(
                "what it cannot read stands in docs/MODELS.md; `--exclude` leaves the task out".to_owned(),
            ),
            error => error.fault().and_then(Fault::hint),
        }
    }
}

/// One attempt at a task that is no load.
pub(super) async fn attempt(
    workshop: &Workshop,
    job: &Job,
    around: &Around<'_>,
    (number, full): (u32, bool),
) -> Result<Came, JobError> {
    // Names in SQL that is not read stay as they are written: production's.
    if workshop.mode == Mode::Test.to_string()
        && let Some(statement) = job.statement().filter(|statement| statement.query.is_none())
    {
        return Err(JobError::Unread { file: statement.file.clone() });
    }
    if let (Job::Check(spec), false) = (job, around.by_hand)
        && let Some(why) = checks::not_due(workshop, spec, around.definition).await
    {
        return Ok(Came::Skipped(why));
    }
    let _held = match job {
        // These take a source's connections first.
        Job::Command(_) | Job::Checks(_) => None,
        _ => Some(workshop.connections(&[job.name()], 1, around.tier).await?),
    };
    around.beginning.now();
    let name_of = |reference: &Reference| around.meanings.of_reference(reference);
    match job {
        Job::Load(spec) => Err(LoadError::Gone { table: spec.target.clone() }.into()),
        Job::Model { target, spec } => {
            let attempt = model::Attempt {
                spec,
                target: target.clone(),
                name_of: &name_of,
                inputs: around.inputs(&spec.statement),
                audit: around.audit.clone(),
                reads_others: around.meanings.reads_others(&spec.statement) || !spec.node.needs.is_empty(),
                number,
                full,
                due_at: around.due_at,
            };
            Ok(Came::Made(model::make(workshop, &attempt).await?))
        }
        Job::Checks(spec) => {
            let outcomes = checks::ask(workshop, spec, around).await?;
            let hint = format!("`barncat check {} --rows` shows some of the rows", job.name());
            Ok(Came::Checked { outcomes, hint })
        }
        Job::Check(spec) => {
            let outcome = tokio::select! {
                biased;
                () = workshop.cancel.cancelled() => return Err(CheckError::Cancelled.into()),
                outcome = check::ask_file(&*workshop.warehouse, spec, &name_of, around.private) => outcome,
            };
            let outcomes = vec![outcome.map_err(CheckError::Warehouse)?];
            let hint = match &spec.reconcile {
                None => {
                    format!("the rows that the query of {} returns are the failures", spec.statement.file)
                }
                Some(_) => format!(
                    "rows that only one of the two queries of {} returns are the failures",
                    spec.statement.file
                ),
            };
            Ok(Came::Checked { outcomes, hint })
        }
        Job::Command(spec) if workshop.mode == Mode::Test.to_string() && !spec.test => {
            let why = "commands are off in test mode; `test = true` lets it run there";
            Ok(Came::Skipped(why.to_owned()))
        }
        Job::Command(spec) => {
            let variables = [
                ("BARNCAT_RUN", workshop.run.clone()),
                ("BARNCAT_MODE", workshop.mode.clone()),
                ("BARNCAT_TASK", spec.name.clone()),
            ];
            let program = Program {
                command: &spec.command,
                folder: &workshop.folder,
                variables: &variables,
                input: &[],
            };
            command::run(&program, &workshop.cancel).await?;
            Ok(Came::Ran)
        }
    }
}

/// Writes what a task that is no load came to into its outcome.
pub(super) fn take_made(outcome: &mut TaskOutcome, made: Made) {
    use crate::event::TaskStatus;
    outcome.status = if made.published.is_some() { TaskStatus::Succeeded } else { TaskStatus::Unchanged };
    outcome.reason = Some(made.reason);
    outcome.publish = made.published.map(|kind| kind.to_string());
    outcome.rows = made.rows;
    outcome.load = Some(made.load);
    outcome.as_of = Some(made.as_of);
    outcome.watermark = made.watermark;
    outcome.sample = made.sample;
    outcome.checks = made.checks;
    outcome.warnings.extend(made.warnings);
}

/// Writes what a task found that only looks. What fails is no failure that another try would mend.
pub(super) fn take_checked(outcome: &mut TaskOutcome, checks: Vec<CheckOutcome>, hint: String) {
    use crate::event::TaskStatus;
    outcome.error = check::failed_in_words(&checks).map(|message| Failure {
        class: Class::Lasting,
        message,
        hint: Some(hint),
    });
    let failed = outcome.error.is_some();
    outcome.status = if failed { TaskStatus::Failed } else { TaskStatus::Succeeded };
    outcome.rows = Some(checks.iter().filter_map(|check| check.rows).sum());
    outcome.warnings.extend(check::warnings(&checks));
    outcome.checks = checks;
}

/// What the names in the project's SQL mean in this mode.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    by_full_name: HashMap<TableName, TableName>,
    /// `None`: several tables have the name.
    by_name: HashMap<String, Option<TableName>>,
    views: HashMap<TableName, View>,
}

/// A model that is a view: it shows what it reads, not what it showed when it was made.
#[derive(Debug)]
struct View {
    reads: Vec<TableName>,
    /// Whether all that it shows follows from that.
    is_sure: bool,
}

impl Meanings {
    pub(super) fn of(graph: &Graph, models: &[ModelSpec], schemas: &Schemas) -> Self {
        let mut meanings = Self::default();
        for task in graph.tasks().filter(|task| graph.node(*task).kind.publishes()) {
            let name = graph.name(task);
            let Some(schema) = &name.schema else { continue };
            let mapped = TableName::new(schemas.name(schema), &name.name);
            meanings.by_full_name.insert(TableName::new(schema, &name.name), mapped.clone());
            let several = meanings.by_name.entry(name.name.clone());
            several.and_modify(|table| *table = None).or_insert(Some(mapped));
        }
        let views = models.iter().filter(|spec| spec.kind == ModelKind::View).map(|spec| {
            let TableName { schema, name } = &spec.target;
            (TableName::new(schemas.name(schema), name), meanings.view(spec))
        });
        let views = views.collect();
        Self { views, ..meanings }
    }

    fn view(&self, spec: &ModelSpec) -> View {
        let asks_else = self.names_others(&spec.statement) || !spec.node.needs.is_empty();
        let is_sure = !asks_else && !model::asks_for_the_moment(spec);
        View { reads: self.named(&spec.statement), is_sure }
    }

    /// The moment that a table shows; of a view that of the oldest table behind it.
    pub(super) fn as_of(
        &self,
        table: &TableName,
        published: &dyn Fn(&TableName) -> Option<Timestamp>,
    ) -> Option<Timestamp> {
        let own = published(table)?;
        let behind = self.behind(vec![table.clone()]);
        let tables = behind.iter().filter(|table| !self.views.contains_key(*table));
        tables.filter_map(published).min().or(Some(own))
    }

    /// The task's table that is meant; `None`: none is.
    pub(super) fn of_reference(&self, reference: &Reference) -> Option<TableName> {
        match (&reference.database, &reference.schema) {
            (Some(_), _) => None,
            (None, Some(schema)) => self.by_full_name.get(&TableName::new(schema, &reference.name)).cloned(),
            (None, None) => self.by_name.get(&reference.name).cloned().flatten(),
        }
    }

    /// The tasks' tables that a statement names.
    fn named(&self, statement: &Statement) -> Vec<TableName> {
        let tables = statement.query.iter().flat_map(|query| query.tables());
        tables.filter_map(|table| self.of_reference(table)).collect()
    }

    /// These tables, and those that views among them read.
    fn behind(&self, mut left: Vec<TableName>) -> BTreeSet<TableName> {
        let mut behind = BTreeSet::new();
        while let Some(table) = left.pop() {
            if behind.contains(&table) {
                continue;
            }
            left.extend(self.views.get(&table).into_iter().flat_map(|view| view.reads.iter().cloned()));
            behind.insert(table);
        }
        behind
    }

    /// Whether a statement names tables that no task makes, or nobody knows which.
    fn names_others(&self, statement: &Statement) -> bool {
        match &statement.query {
            None => true,
            Some(query) => query.tables().any(|table| self.of_reference(table).is_none()),
        }
    }

    /// The same of what it reads through views.
    fn reads_others(&self, statement: &Statement) -> bool {
        let is_unsure = |table: &TableName| self.views.get(table).is_some_and(|view| !view.is_sure);
        self.names_others(statement) || self.behind(self.named(statement)).iter().any(is_unsure)
    }
}

/// The last published load of each table, as far as this run knows: what others publish meanwhile is met by
/// the next one.
#[derive(Debug, Default)]
pub(super) struct Showing(Mutex<BTreeMap<TableName, Shown>>);

/// A published load, as far as who reads its table must know it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) load: String,
    pub(super) as_of: Timestamp,
    /// [`TaskOutcome::sample`].
    pub(super) sample: Option<u32>,
}

impl Showing {
    pub(super) fn of(last_loads: &BTreeMap<TableName, LedgerRow>) -> Self {
        let shown = |(table, row): (&TableName, &LedgerRow)| {
            let (load, as_of, sample) = (row.load.clone(), row.as_of, row.state.sample);
            (table.clone(), Shown { load, as_of, sample })
        };
        Self(Mutex::new(last_loads.iter().map(shown).collect()))
    }

    pub(super) fn get(&self, table: &TableName) -> Option<Shown> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(table).cloned()
    }

    pub(super) fn set(&self, table: &TableName, shown: Shown) {
        let mut showing = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        showing.insert(table.clone(), shown);
    }
}

/// What surrounds a task in its run.
pub(super) struct Around<'a> {
    pub(super) meanings: &'a Meanings,
    pub(super) showing: &'a Showing,
    /// Tables that it takes as they were last published though they should be newer, with their age.
    pub(super) stale: &'a BTreeMap<TableName, Duration>,
    /// What is asked before its publish.
    pub(super) audit: Option<Arc<Audit>>,
    /// The columns that nobody is shown, in lower case.
    pub(super) private: &'a BTreeSet<String>,
    /// Its tier: which connections it may take.
    pub(super) tier: Tier,
    /// When its deadline is or was due, where it is not met.
    pub(super) due_at: Option<Timestamp>,
    /// A person takes what is abnormal for usual.
    pub(super) accept: bool,
    /// Checks are asked because a person wants to know.
    pub(super) by_hand: bool,
    /// Of a check: how it is written.
    pub(super) definition: Option<&'a str>,
    /// Told when it has them.
    pub(super) beginning: &'a Beginning,
}

impl Around<'_> {
    /// The moment that a table shows.
    pub(super) fn as_of(&self, table: &TableName) -> Option<Timestamp> {
        self.meanings.as_of(table, &|table| Some(self.showing.get(table)?.as_of))
    }

    fn inputs(&self, statement: &Statement) -> BTreeMap<String, InputUsed> {
        let used = |table: TableName| {
            let Shown { load, sample, .. } = self.showing.get(&table)?;
            let as_of = self.as_of(&table)?;
            let stale_seconds = self.stale.get(&table).map(Duration::as_secs);
            Some((table.to_string(), InputUsed { load, as_of, stale_seconds, sample }))
        };
        self.meanings.behind(self.meanings.named(statement)).into_iter().filter_map(used).collect()
    }
}

//! The tasks of a run: listed from the project and the sources, selected, ordered.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    RunError,
    checks::{Audits, BuiltInChecks, holds_of_a_sample, resolved},
    job::{Job, Meanings},
    open::Sources,
    schemas::Schemas,
};
use crate::{
    check::{self, Resolved},
    config::{BuiltIn, LoadSpec, Loader, Missing, Project, Statement},
    control::{Control, Expected},
    dag::{self, Facts, Graph, Kind, NodeId, TaskName},
    error::Failure,
    event::{TaskStatus, Tier},
    fingerprint, load,
    sql::{Dialect, Reference, TableName},
    warehouse::{LedgerRow, Select, Warehouse},
};

/// The tasks of a project, and which of them are selected.
pub(super) struct Tasks {
    /// All of them.
    pub(super) graph: Graph,
    /// What each does, by the tasks' numbers.
    jobs: Vec<Job>,
    /// What the names in the project's SQL mean.
    pub(super) meanings: Meanings,
    /// What is asked before which table's publish.
    pub(super) audits: Audits,
    /// The columns that nobody is shown, in lower case.
    pub(super) private: Arc<BTreeSet<String>>,
    /// Loads whose source answered, and has no such table.
    missing: HashSet<NodeId>,
    selected: Vec<NodeId>,
    expected: BTreeMap<String, Expected>,
}

/// Lists what the project loads. Wildcards are matched against what the sources have now; where a
/// source cannot be asked, against what was loaded from it before: its tables fail one by one, and
/// keep no other source's tables waiting.
pub(super) async fn list(
    project: &Project,
    sources: &Sources,
    schemas: &Schemas,
    published: &BTreeMap<TableName, LedgerRow>,
) -> Result<Tasks, RunError> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut answered = HashSet::new();
    for loader in &project.loaders {
        let Some(snapshots) = sources.get(&loader.source) else {
            // A service has no list of its tables: there are those that its rows name, and each of them is there.
            let names = loader.exact_names().map(str::to_owned);
            let place = (loader.source.clone(), loader.schema.clone());
            found.entry(place).or_default().extend(names);
            continue;
        };
        let names = match snapshots.source().tables(&loader.schema).await {
            Ok(tables) => {
                answered.insert((loader.source.clone(), loader.schema.clone()));
                tables.into_iter().map(|table| table.name.name).collect()
            }
            Err(error) => {
                let before = loaded_before(published, &loader.source, &loader.schema);
                if before.is_empty() && loader.exact_names().next().is_none() {
                    return Err(RunError::Below(error));
                }
                let error = Failure::of(&*error);
                tracing::warn!(source = loader.source, %error, "the tables of a source could not be listed");
                before
            }
        };
        found.insert((loader.source.clone(), loader.schema.clone()), names);
    }
    let specs = project.loads(&found, Missing::Load)?;
    let mut tasks = Tasks::new(project, specs, schemas, false)?;
    found.retain(|place, _| answered.contains(place));
    tasks.missing = tasks.without(&found);
    Ok(tasks)
}

/// Lists the project's tasks without asking source or warehouse: what wildcards stand for is known by the names of
/// the loads that ever ran.
pub(super) fn remembered(project: &Project, schemas: &Schemas, ran: &[String]) -> Result<Tasks, RunError> {
    // A model's name, and one that a row gives a table, is none of a source's: a wildcard that took it for one would claim
    // it twice.
    let named: Vec<TableName> = project.named_loads().into_iter().map(|spec| spec.target).collect();
    let taken: HashSet<String> =
        project.models.iter().map(|model| &model.target).chain(&named).map(ToString::to_string).collect();
    let most = Dialect::Postgres.name_bytes_max();
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for loader in &project.loaders {
        let own = ran.iter().filter(|name| !taken.contains(*name));
        let tables = own.filter_map(|name| name.strip_prefix(&loader.into)?.strip_prefix('.'));
        let tables = tables.filter(|table| (1..=most).contains(&table.len()));
        let tables = found
            .entry((loader.source.clone(), loader.schema.clone()))
            .or_insert_with(|| tables.map(str::to_owned).collect());
        tables.sort();
    }
    // Two wildcards may claim the same name; then those with a row of their own will do.
    let specs = project.loads(&found, Missing::Load).unwrap_or_else(|_| project.named_loads());
    Tasks::new(project, specs, schemas, true)
}

/// The one load that a name means.
pub(super) async fn only(
    project: &Project,
    reached: (&Sources, &Schemas),
    warehouse: &dyn Warehouse,
    name: &str,
) -> Result<LoadSpec, RunError> {
    let tasks = all(project, reached, warehouse).await?;
    let job = tasks.job(tasks.only(name)?);
    let no_load = || RunError::NoLoad { task: job.name(), kind: job.kind().to_string() };
    job.load().cloned().ok_or_else(no_load)
}

/// The loads that a selection means.
pub(super) async fn selected(
    project: &Project,
    reached: (&Sources, &Schemas),
    warehouse: &dyn Warehouse,
    select: &[String],
) -> Result<Vec<LoadSpec>, RunError> {
    let mut tasks = all(project, reached, warehouse).await?;
    tasks.select(select, &[], &Facts::default())?;
    Ok(tasks.loads().cloned().collect())
}

async fn all(
    project: &Project,
    (sources, schemas): (&Sources, &Schemas),
    warehouse: &dyn Warehouse,
) -> Result<Tasks, RunError> {
    let published = warehouse.last_loads().await.map_err(RunError::Below)?;
    list(project, sources, schemas, &published).await
}

/// The published tables that the project's loaders and models still name, whether or not their sources have
/// them now: one that points at a wrong or an empty database must not make tables look abandoned.
pub(super) fn named(
    project: &Project,
    schemas: &Schemas,
    published: &BTreeMap<TableName, LedgerRow>,
) -> BTreeSet<TableName> {
    let before = |loader: &Loader| {
        let names = loaded_before(published, &loader.source, &loader.schema);
        ((loader.source.clone(), loader.schema.clone()), names)
    };
    let found = project.loaders.iter().map(before).collect();
    let target = |table: &TableName| TableName::new(schemas.name(&table.schema), &table.name);
    let of_models = project.models.iter().map(|model| &model.target);
    project.load_targets(&found).iter().chain(of_models).map(target).collect()
}

/// The tables of a source's schema that are published.
fn loaded_before(published: &BTreeMap<TableName, LedgerRow>, source: &str, schema: &str) -> Vec<String> {
    let rows = published.values().filter(|row| row.source == source && row.source_table.schema == schema);
    // One table may have been loaded into several.
    let names: BTreeSet<&String> = rows.map(|row| &row.source_table.name).collect();
    names.into_iter().cloned().collect()
}

impl Tasks {
    fn new(
        project: &Project,
        loads: Vec<LoadSpec>,
        schemas: &Schemas,
        may_be_more: bool,
    ) -> Result<Self, RunError> {
        let graph = dag::of_project(project, &loads, may_be_more)?;
        let meanings = Meanings::of(&graph, &project.models, schemas);
        let mut jobs: HashMap<TaskName, Job> = HashMap::new();
        let mapped = |table: &TableName| TableName::new(schemas.name(&table.schema), &table.name);
        let private = Arc::new(project.private_columns());
        let checks_of =
            |table: &TableName, checks: &[BuiltIn], load: Option<&LoadSpec>, owner: Option<&String>| {
                let checks = resolved(checks, &meanings);
                let load = load.map(|spec| Box::new(LoadSpec { target: mapped(table), ..spec.clone() }));
                let (owner, private) = (owner.cloned(), private.clone());
                let (table, zone) = (mapped(table), project.zone());
                Job::Checks(Box::new(BuiltInChecks { table, checks, load, owner, private, zone }))
            };
        let mut checked = Vec::new();
        for spec in loads {
            let name = TaskName::from(spec.target.clone());
            let target = mapped(&spec.target);
            checked.push((target.clone(), spec.checks.clone()));
            let checks = checks_of(&spec.target, &spec.checks, Some(&spec), spec.owner.as_ref());
            jobs.insert(TaskName::checks_of(&spec.target), checks);
            jobs.insert(name, Job::Load(Box::new(LoadSpec { target, ..spec })));
        }
        for spec in &project.models {
            checked.push((mapped(&spec.target), spec.checks.clone()));
            let checks = checks_of(&spec.target, &spec.checks, None, spec.node.owner.as_ref());
            jobs.insert(TaskName::checks_of(&spec.target), checks);
            let job = Job::Model { target: mapped(&spec.target), spec: Box::new(spec.clone()) };
            jobs.insert(spec.target.clone().into(), job);
        }
        for spec in &project.checks {
            jobs.insert(TaskName::bare(&spec.name), Job::Check(Box::new(spec.clone())));
        }
        for spec in &project.commands {
            jobs.insert(TaskName::bare(&spec.name), Job::Command(Box::new(spec.clone())));
        }
        let jobs = graph.tasks().filter_map(|task| jobs.remove(graph.name(task))).collect();
        let selected = graph.tasks().collect();
        let missing = HashSet::new();
        let audits =
            Audits::of(project, &meanings, checked.iter().map(|(table, checks)| (table, checks.as_slice())));
        Ok(Self { graph, jobs, meanings, audits, private, missing, selected, expected: BTreeMap::new() })
    }

    /// The loads of tables that are not among those of their source and schema.
    fn without(&self, found: &BTreeMap<(String, String), Vec<String>>) -> HashSet<NodeId> {
        let names = |(place, tables): (_, &Vec<String>)| (place, tables.iter().cloned().collect());
        let there: HashMap<&(String, String), HashSet<String>> = found.iter().map(names).collect();
        let is_missing = |task: &NodeId| {
            let Some(LoadSpec { source, source_table, .. }) = self.job(*task).load() else { return false };
            let tables = there.get(&(source.clone(), source_table.schema.clone()));
            tables.is_some_and(|tables| !tables.contains(&source_table.name))
        };
        self.graph.tasks().filter(is_missing).collect()
    }

    /// Loads whose source answered, and has no such table.
    pub(super) fn missing(&self) -> &HashSet<NodeId> {
        &self.missing
    }

    /// Asks of the built-in checks only those that hold.
    pub(super) fn keep_checks(&mut self, holds: fn(&Resolved) -> bool) {
        self.audits.keep(holds);
        for job in &mut self.jobs {
            if let Job::Checks(spec) = job {
                spec.checks.retain(holds);
            }
        }
    }

    /// Makes every load one of a sample, the selected ones or not: which rows a table gives must not depend on
    /// what else is loaded just then.
    pub(super) async fn sample(&mut self, rows: u32, sources: &Sources) -> Result<(), RunError> {
        self.keep_checks(holds_of_a_sample);
        for (name, snapshots) in sources {
            let is_its = |spec: &&LoadSpec| spec.source == *name;
            let loads = self.jobs.iter().filter_map(Job::load).filter(is_its);
            let tables: Vec<TableName> = loads.map(|spec| spec.source_table.clone()).collect();
            if tables.is_empty() {
                continue;
            }
            let related = snapshots.source().related(&tables).await.map_err(RunError::Below)?;
            let loads = self.jobs.iter_mut().filter_map(Job::load_mut);
            load::sample(loads.filter(|spec| spec.source == *name), &related, rows);
        }
        Ok(())
    }

    /// Lets tables be rebuilt whatever their size.
    pub(super) fn lift_rebuild_limits(&mut self) {
        self.jobs.iter_mut().filter_map(Job::load_mut).for_each(|spec| spec.rebuild_limit = None);
    }

    /// Keeps what `select` names, and of that what `exclude` does not.
    pub(super) fn select(
        &mut self,
        wanted: &[String],
        exclude: &[String],
        facts: &Facts,
    ) -> Result<(), RunError> {
        let kept: HashSet<NodeId> = self.graph.select(facts, wanted, exclude)?.into_iter().collect();
        let tasks = match self.selected.len() {
            1 => "1 task".to_owned(),
            number => format!("{number} tasks"),
        };
        self.selected.retain(|task| kept.contains(task));
        // That nothing changed or failed is no mistake.
        let may_be_none = dag::asks_for_facts(wanted.iter().chain(exclude));
        if self.selected.is_empty() && !may_be_none { Err(RunError::Nothing { tasks }) } else { Ok(()) }
    }

    /// The one task that a name means.
    pub(super) fn only(&self, name: &str) -> Result<NodeId, RunError> {
        let found = self.graph.select(&Facts::default(), &[name.to_owned()], &[])?;
        match found.as_slice() {
            [task] => Ok(*task),
            several => {
                let tasks = several.iter().map(|task| self.job(*task).name()).collect();
                Err(RunError::Several { name: name.to_owned(), tasks })
            }
        }
    }

    /// Keeps the loads alone.
    pub(super) fn only_loads(&mut self) {
        let (graph, selected) = (&self.graph, &mut self.selected);
        selected.retain(|task| graph.node(*task).kind == Kind::Load);
    }

    /// Keeps the checks, and of what is no check those that look at it, but for what is excluded.
    pub(super) fn only_checks(&mut self, exclude: &[String], facts: &Facts) -> Result<(), RunError> {
        let is_check = |task: &NodeId| self.graph.node(*task).kind == Kind::Check;
        let looks_at = |task: &NodeId| self.graph.needed_by(*task).iter().map(|edge| edge.task);
        let of_tables = self.selected.iter().filter(|task| !is_check(task)).flat_map(looks_at);
        let mut checks: BTreeSet<NodeId> = self.selected.iter().copied().chain(of_tables).collect();
        if !exclude.is_empty() {
            for task in self.graph.select(facts, exclude, &[])? {
                checks.remove(&task);
            }
        }
        checks.retain(is_check);
        self.selected = checks.into_iter().collect();
        if self.selected.is_empty() { Err(RunError::NoCheck) } else { Ok(()) }
    }

    /// How each task ended the last time that it was tried. Other projects' runs in the same control database
    /// are of no matter.
    pub(super) async fn last_results(
        &self,
        control: &Control,
    ) -> Result<HashMap<NodeId, TaskStatus>, RunError> {
        let last = control.last_ends(&self.all_names()).await?;
        let of = |task: NodeId| Some((task, status_of(&last.get(&self.job(task).name())?.0)?));
        Ok(self.graph.tasks().filter_map(of).collect())
    }

    /// Keeps what did not come to a good end the last time that it was tried, and what never was.
    pub(super) fn keep_unfinished(&mut self, facts: &Facts) {
        let last = facts.results.as_ref();
        let status = |task: &NodeId| last.and_then(|last| last.get(task));
        let is_well =
            |task: &NodeId| matches!(status(task), Some(TaskStatus::Succeeded | TaskStatus::Unchanged));
        self.selected.retain(|task| !is_well(task));
    }

    /// Looks up what each task took before. Without a history nothing is known.
    pub(super) async fn expect(&mut self, control: Option<&Control>) {
        self.expected = match control {
            Some(control) => control.expected(&self.all_names()).await.unwrap_or_default(),
            None => BTreeMap::new(),
        };
    }

    /// The full names of all tasks, by the tasks' numbers.
    pub(super) fn all_names(&self) -> Vec<String> {
        self.graph.tasks().map(|task| self.job(task).name()).collect()
    }

    /// The selected tasks: critical ones first, then by the longest expected time that hangs on them.
    pub(super) fn in_turn(&self) -> Vec<NodeId> {
        let marks = self.graph.mark(&self.selected);
        let hanging = dag::hanging_seconds(&self.graph, &self.expected_seconds(), &marks);
        let mut tasks = self.selected.clone();
        tasks.sort_by(|a, b| {
            let tiers = self.graph.tier(*a).cmp(&self.graph.tier(*b));
            tiers.then(hanging[b.index()].total_cmp(&hanging[a.index()])).then(a.cmp(b))
        });
        tasks
    }

    /// How long each task will take, by the tasks' numbers; a second where nobody knows.
    pub(super) fn expected_seconds(&self) -> Vec<f64> {
        let seconds = |task: NodeId| self.expected(task).map_or(1.0, |expected| expected.seconds);
        self.graph.tasks().map(seconds).collect()
    }

    /// The selected tasks.
    pub(super) fn selected(&self) -> &[NodeId] {
        &self.selected
    }

    /// What a task does.
    pub(super) fn job(&self, task: NodeId) -> &Job {
        &self.jobs[task.index()]
    }

    /// The selected loads, in their turn.
    pub(super) fn loads(&self) -> impl Iterator<Item = &LoadSpec> {
        self.in_turn().into_iter().filter_map(|task| self.job(task).load())
    }

    /// What can be selected by name beside tasks of the past.
    pub(super) fn candidates(&self) -> Vec<dag::select::Candidate> {
        let candidate = |task: &NodeId| {
            let job = self.job(*task);
            let name = job.target().cloned()?;
            let node = self.graph.node(*task);
            Some(dag::select::Candidate {
                name,
                kind: job.kind().to_string(),
                tier: self.graph.tier(*task),
                source: node.source.clone(),
                tags: node.tags.clone(),
            })
        };
        self.selected.iter().filter_map(candidate).collect()
    }

    /// The fingerprint of a check or command as it is written; loads and models have theirs in the ledger.
    pub(super) fn definition(&self, task: NodeId, dialect: Dialect) -> Option<String> {
        let name_of = |reference: &Reference| self.meanings.of_reference(reference);
        match self.job(task) {
            Job::Check(spec) => {
                let one = |statement: &Statement| Select::of(statement, dialect, None, &name_of);
                let select = check::select_of(spec, &one);
                Some(fingerprint::of(["check", &format!("{:?}", spec.options), &select.sql]))
            }
            Job::Checks(spec) => Some(fingerprint::of(["checks", &spec.written()])),
            Job::Command(spec) => {
                let own = ["command".to_owned(), format!("{:?}", spec.makes)];
                Some(fingerprint::of(own.iter().chain(&spec.command)))
            }
            Job::Load(_) | Job::Model { .. } => None,
        }
    }

    /// All tables that tasks make.
    pub(super) fn targets(&self) -> BTreeSet<TableName> {
        self.jobs.iter().filter_map(|job| job.target().cloned()).collect()
    }

    /// The moments that the tasks' tables show, by the tasks' numbers.
    pub(super) fn as_of(&self, published: &BTreeMap<TableName, LedgerRow>) -> Vec<Option<Timestamp>> {
        let of_table = |table: &TableName| Some(published.get(table)?.as_of);
        let as_of = |task: NodeId| self.meanings.as_of(self.job(task).target()?, &of_table);
        self.graph.tasks().map(as_of).collect()
    }

    /// What a task took before.
    pub(super) fn expected(&self, task: NodeId) -> Option<&Expected> {
        self.expected.get(&self.job(task).name())
    }

    /// The selected tasks' full names, in their turn.
    pub(super) fn names(&self) -> Vec<String> {
        self.in_turn().into_iter().map(|task| self.job(task).name()).collect()
    }

    /// The schemas that are written to.
    pub(super) fn schemas(&self) -> Vec<String> {
        let targets = self.selected.iter().filter_map(|task| self.job(*task).target());
        let schemas: BTreeSet<&String> = targets.map(|target| &target.schema).collect();
        schemas.into_iter().cloned().collect()
    }

    /// Selected loads that are done in one go with this one: tables that must match each other.
    pub(super) fn along(&self, task: NodeId) -> Vec<NodeId> {
        let group = |task: NodeId| self.job(task).load().and_then(|spec| spec.consistent_group);
        match group(task) {
            None => Vec::new(),
            own => {
                self.selected.iter().copied().filter(|other| *other != task && group(*other) == own).collect()
            }
        }
    }
}

/// A status as the control database writes it; `crashed` is a failure.
pub(super) fn status_of(word: &str) -> Option<TaskStatus> {
    match word {
        "crashed" => Some(TaskStatus::Failed),
        word => serde_json::from_value(serde_json::Value::String(word.to_owned())).ok(),
    }
}

/// A load's tier where nothing else is known of it: a backfill's.
pub(super) fn tier(spec: &LoadSpec) -> Tier {
    spec.tier.unwrap_or_default()
}

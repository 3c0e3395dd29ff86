//! The checks of a run's tables: what their names mean in this mode, what is asked before which publish, and the
//! task that asks a table's built-in checks.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::tz::TimeZone;

use super::job::{Around, JobError, Meanings};
use crate::{
    check::{self, Answer, Audit, AuditedFile, CheckError, History, Resolved, TableChecks},
    clock::{self, Clock},
    config::{BuiltIn, CheckKind, CheckSpec, LoadSpec, Project, Statement},
    event::CheckOutcome,
    load::{self, Attempt, LoadError, Verify, Workshop},
    sql::{Dialect, Reference, TableName, refs::Kind},
    warehouse::{Select, WarehouseError},
};

/// The built-in checks of one table.
#[derive(Debug, Clone)]
pub(super) struct BuiltInChecks {
    /// The table in this mode.
    pub(super) table: TableName,
    /// The checks.
    pub(super) checks: Vec<Resolved>,
    /// The load that brings it, where one does.
    pub(super) load: Option<Box<LoadSpec>>,
    /// Who is asked about it.
    pub(super) owner: Option<String>,
    /// The columns that nobody is shown.
    pub(super) private: Arc<BTreeSet<String>>,
    /// In which zone days begin.
    pub(super) zone: TimeZone,
}

impl BuiltInChecks {
    /// The source that one of them reads.
    pub(super) fn source(&self) -> Option<&str> {
        let reads = self.checks.iter().any(check::matches_source);
        self.load.as_ref().filter(|_| reads).map(|load| load.source.as_str())
    }

    /// What is asked of the warehouse.
    pub(super) fn compiled(&self, dialect: Dialect) -> Option<Select> {
        check::compiled(dialect, &self.of_table(), clock::System.now())
    }

    fn of_table(&self) -> TableChecks<'_> {
        let mark = self.load.as_ref().and_then(|load| load.deletes.mark());
        TableChecks { table: &self.table, mark, checks: &self.checks, private: &self.private }
    }

    /// How they are written, without the places.
    pub(super) fn written(&self) -> String {
        let one = |Resolved { check, .. }: &Resolved| format!("{:?} {:?}", check.kind, check.options);
        self.checks.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

/// The checks with what their names mean.
pub(super) fn resolved(checks: &[BuiltIn], meanings: &Meanings) -> Vec<Resolved> {
    let one = |check: &BuiltIn| {
        let other = match &check.kind {
            CheckKind::Relationship { schema, table, .. } => {
                meanings.of_reference(&named(schema.as_deref(), table))
            }
            _ => None,
        };
        Resolved { check: check.clone(), other }
    };
    checks.iter().map(one).collect()
}

fn named(schema: Option<&str>, name: &str) -> Reference {
    Reference {
        kind: Kind::Table,
        database: None,
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
        range: 0..0,
        line: 1,
        column: 1,
    }
}

/// What is asked before which table's publish.
#[derive(Debug, Default)]
pub(super) struct Audits(HashMap<TableName, Arc<Audit>>);

impl Audits {
    pub(super) fn of<'a>(
        project: &Project,
        meanings: &Meanings,
        tables: impl Iterator<Item = (&'a TableName, &'a [BuiltIn])>,
    ) -> Self {
        let (private, zone) = (project.private_columns(), project.zone());
        let mut audits: HashMap<TableName, Audit> = HashMap::new();
        for (table, checks) in tables {
            let before = checks.iter().filter(|check| check.options.before_publish).cloned();
            let kinds = resolved(&before.collect::<Vec<_>>(), meanings);
            audits.insert(
                table.clone(),
                Audit { kinds, files: Vec::new(), private: private.clone(), zone: zone.clone() },
            );
        }
        let dialect = project.warehouse.place.kind().dialect();
        for spec in project.checks.iter().filter(|spec| spec.options.before_publish) {
            let Some((schema, name)) = spec.table() else { continue };
            let Some(table) = meanings.of_reference(&named(schema, name)) else { continue };
            if let Some(audit) = audits.get_mut(&table) {
                audit.files.push(audited(spec, &table, meanings, dialect));
            }
        }
        let asked = audits.into_iter().filter(|(_, audit)| !audit.is_empty());
        Self(asked.map(|(table, audit)| (table, Arc::new(audit))).collect())
    }

    /// Leaves out what does not hold.
    pub(super) fn keep(&mut self, holds: fn(&Resolved) -> bool) {
        for audit in self.0.values_mut() {
            Arc::make_mut(audit).kinds.retain(holds);
        }
    }

    pub(super) fn get(&self, table: &TableName) -> Option<Arc<Audit>> {
        self.0.get(table).cloned()
    }
}

/// Whether a check says something of a table that has few of its rows.
pub(super) fn holds_of_a_sample(check: &Resolved) -> bool {
    let is_of_all = matches!(check.check.kind, CheckKind::RowCount { .. } | CheckKind::MatchSource { .. });
    !is_of_all && has_no_history(check)
}

/// Whether a check says something of a table that is loaded now and then for a try.
pub(super) fn has_no_history(check: &Resolved) -> bool {
    !check::is_anomaly(check)
}

/// The file's query with the table by its bare name: that is what the staging table will be called.
fn audited(spec: &CheckSpec, table: &TableName, meanings: &Meanings, dialect: Dialect) -> AuditedFile {
    let written = |reference: &Reference| {
        let meant = meanings.of_reference(reference)?;
        Some(if meant == *table { dialect.ident(&table.name) } else { dialect.table(&meant) })
    };
    let select = check::select_of(spec, &|statement: &Statement| Select::with(statement, None, &written));
    AuditedFile { name: spec.name.clone(), options: spec.options.clone(), select }
}

/// Why a check in a file need not be asked by this run.
pub(super) async fn not_due(
    workshop: &Workshop,
    spec: &CheckSpec,
    definition: Option<&str>,
) -> Option<String> {
    let every = spec.every?;
    let answer = workshop.control.last_answer(&spec.name).await;
    // What nobody knows is asked.
    let (age, is_good, written) = answer.ok().flatten()?;
    check::not_due(every, Some(&Answer { age, is_good, definition: written }), definition)
}

/// Asks a table's built-in checks. Connections to its source are had and given back before the one to the
/// warehouse is.
pub(super) async fn ask(
    workshop: &Workshop,
    spec: &BuiltInChecks,
    around: &Around<'_>,
) -> Result<Vec<CheckOutcome>, JobError> {
    let mut outcomes = match_source(workshop, spec, around).await?;
    let name = format!("{}.checks", spec.table);
    let _held = workshop.connections(&[name], 1, around.tier).await?;
    let looked = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => return Err(CheckError::Cancelled.into()),
        looked = look(workshop, spec, around) => looked,
    };
    outcomes.extend(looked.map_err(CheckError::Warehouse)?);
    Ok(outcomes)
}

async fn look(
    workshop: &Workshop,
    spec: &BuiltInChecks,
    around: &Around<'_>,
) -> Result<Vec<CheckOutcome>, WarehouseError> {
    let control = &workshop.control;
    let shown_at = match &spec.load {
        Some(_) => around.as_of(&spec.table),
        // A model shows the moment of its oldest input, and may have new rows all the same.
        None => {
            let name = spec.table.to_string();
            let ends = control.last_good_ends(std::slice::from_ref(&name)).await;
            ends.ok().and_then(|ends| ends.get(&name).copied())
        }
    };
    let history = History { control, zone: &spec.zone, shown_at, accept: around.accept };
    check::look(&*workshop.warehouse, &spec.of_table(), history, clock::System.now()).await
}

/// Compares it with its source as it is.
async fn match_source(
    workshop: &Workshop,
    spec: &BuiltInChecks,
    around: &Around<'_>,
) -> Result<Vec<CheckOutcome>, JobError> {
    let wanted: Vec<&Resolved> = spec.checks.iter().filter(|check| check::matches_source(check)).collect();
    let (Some(load), false) = (&spec.load, wanted.is_empty()) else { return Ok(Vec::new()) };
    let beginning = around.beginning.clone();
    let attempt = Attempt { beginning, ..Attempt::of((**load).clone(), around.tier) };
    let how = Verify { as_is: true, repair: false, keys: 0 };
    let verified = load::verify(workshop, &[attempt], how).await.pop().ok_or(LoadError::Cancelled)??;
    let Some(found) = verified.verification else { return Ok(Vec::new()) };
    let extra = found.extra.saturating_sub(found.kept);
    let one = |check: &&Resolved| {
        let by_hash = matches!(check.check.kind, CheckKind::MatchSource { by_hash: true });
        let rows = match by_hash {
            true => found.missing + extra + found.different,
            false => found.missing.abs_diff(extra),
        };
        check::matched(check, rows, found.source_rows)
    };
    Ok(wanted.iter().map(one).collect())
}

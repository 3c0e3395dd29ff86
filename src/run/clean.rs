//! Taking away what lies about: what crashes left, what is past `keep`, tables and views that are no
//! longer in the project.

use std::{sync::Arc, time::Duration};

use super::{
    Mode, RunError,
    open::{self, Looked, look},
    reach,
    schemas::Schemas,
    tasks,
};
use crate::{
    clock,
    config::{Environment, Project},
    control::{Control, Holder},
    error::{Class, Failure},
    load::{Broom, Leftovers, PastKeep, Staged},
    schema::RelationKind,
    sql::TableName,
    stage::{LoadPrefix, Stage},
    warehouse::{LedgerRow, LiveTable, Warehouse},
};

/// What lay about.
#[derive(Debug)]
pub struct Cleaned {
    /// What dead loads left.
    pub leftovers: Leftovers,
    /// Loads that no state within `keep` needs.
    pub past_keep: PastKeep,
}

/// A table or view that the project published, and that none of its loaders and models makes any more.
#[derive(Debug)]
pub struct Orphan {
    /// Its last load.
    pub last: LedgerRow,
    /// It as it stands; `None`: it is gone already, and what it has in the stage is left.
    pub live: Option<LiveTable>,
}

/// An orphan that was dropped, with what it had in the stage, or why it was not.
pub type Dropped = (TableName, Result<Staged, Failure>);

/// Cleans, or with `dry_run` only looks.
pub async fn clean(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    dry_run: bool,
) -> Result<Cleaned, RunError> {
    let place = Place::open(project, environment, mode, dry_run).await?;
    let cleaned = place.clean(dry_run).await;
    place.close().await;
    cleaned
}

/// Drops orphans, with all that they have in the stage; each answers for itself.
pub async fn drop_orphans(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    orphans: &[Orphan],
) -> Result<Vec<Dropped>, RunError> {
    let place = Place::open(project, environment, mode, false).await?;
    let mut dropped: Vec<Dropped> = Vec::new();
    let mut left: Vec<&Orphan> = orphans.iter().collect();
    // One may keep another: a view what it reads. So what stayed is tried again while anything goes.
    loop {
        let mut stayed = Vec::new();
        let mut failures = Vec::new();
        let before = left.len();
        for orphan in left {
            match place.drop_one(orphan).await {
                Ok(staged) => dropped.push((orphan.last.table.clone(), Ok(staged))),
                Err(failure) => {
                    failures.push((orphan.last.table.clone(), Err(failure)));
                    stayed.push(orphan);
                }
            }
        }
        if stayed.is_empty() || stayed.len() == before {
            dropped.extend(failures);
            break;
        }
        left = stayed;
    }
    place.close().await;
    Ok(dropped)
}

/// The tables and views that the project published and that none of its loaders and models makes any more.
pub async fn orphans(
    project: &Project,
    environment: &Environment,
    mode: Mode,
) -> Result<Vec<Orphan>, RunError> {
    let looked = look(project, environment, mode, &clock::new_id()).await?;
    let found = of_project(project, environment, mode, &looked).await;
    if let Some(control) = looked.control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    found
}

async fn of_project(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    looked: &Looked,
) -> Result<Vec<Orphan>, RunError> {
    let warehouse = &*looked.warehouse;
    let published = warehouse.last_loads().await.map_err(RunError::Below)?;
    let named = tasks::named(project, &looked.schemas, &published);
    let ours = |row: &LedgerRow| row.project == project.name && !named.contains(&row.table);
    let unnamed: Vec<LedgerRow> = published.into_values().filter(ours).collect();
    let mut orphans = standing(project, warehouse, unnamed.iter().cloned()).await?;
    // Who dropped a table and was killed left this.
    let stage = reach::stage(project, environment).await?;
    for last in unnamed {
        if warehouse.live(&last.table).await.map_err(RunError::Below)?.is_some() {
            continue;
        }
        let prefix = LoadPrefix::new(&project.name, &mode.to_string(), &last.table, "").table_prefix();
        let staged = stage.list(&prefix).await.map_err(|error| RunError::Below(Box::new(error)))?;
        if !staged.is_empty() {
            orphans.push(Orphan { last, live: None });
        }
    }
    Ok(orphans)
}

/// Those of the project's published tables and views that still stand. What somebody put in the place of one is
/// nobody's to drop.
pub(super) async fn standing(
    project: &Project,
    warehouse: &dyn Warehouse,
    published: impl Iterator<Item = LedgerRow>,
) -> Result<Vec<Orphan>, RunError> {
    let mut orphans = Vec::new();
    for last in published.filter(|row| row.project == project.name) {
        let live = warehouse.live(&last.table).await.map_err(RunError::Below)?;
        let was_view = last.strategy == crate::model::VIEW;
        let is_ours = |live: &LiveTable| match live.kind {
            RelationKind::View => was_view,
            RelationKind::Table | RelationKind::Partitioned => !was_view,
            _ => false,
        };
        orphans.extend(live.filter(is_ours).map(|live| Orphan { last, live: Some(live) }));
    }
    Ok(orphans)
}

/// A project opened for cleaning.
struct Place<'a> {
    project: &'a Project,
    mode: String,
    stage: Arc<dyn Stage>,
    warehouse: Arc<dyn Warehouse>,
    control: Option<Control>,
    holder: Holder,
}

impl<'a> Place<'a> {
    async fn open(
        project: &'a Project,
        environment: &Environment,
        mode: Mode,
        dry_run: bool,
    ) -> Result<Self, RunError> {
        let run = clock::new_id();
        let schemas = Schemas::of(project, environment, mode)?;
        let warehouse = reach::warehouse_endpoint(project, environment)?;
        let endpoint = reach::control_endpoint(project, environment)?;
        let schema = reach::control_schema(mode);
        let control = match dry_run {
            true => Control::open_existing(&endpoint, &schema).await?,
            false => Some(Control::open(&endpoint, &schema).await?),
        };
        Ok(Self {
            project,
            mode: mode.to_string(),
            stage: reach::stage(project, environment).await?,
            warehouse: open::warehouse(warehouse, &schemas, mode, &run).await,
            control,
            holder: Holder { run, what: "clean".to_owned() },
        })
    }

    async fn close(self) {
        if let Some(control) = self.control {
            // A session that is not ended here is ended by its server.
            let _ = control.close().await;
        }
    }

    fn broom(&self) -> Broom<'_> {
        Broom {
            project: &self.project.name,
            mode: &self.mode,
            keep: self.project.stage.keep,
            stage: &*self.stage,
            warehouse: &*self.warehouse,
            control: self.control.as_ref(),
            by_hand: true,
        }
    }

    async fn clean(&self, dry_run: bool) -> Result<Cleaned, RunError> {
        if !dry_run && let Some(control) = &self.control {
            self.warehouse.prepare().await.map_err(RunError::Below)?;
            control.close_crashed().await?;
        }
        let broom = self.broom();
        let below = |error: crate::load::LoadError| RunError::Below(Box::new(error));
        let found = broom.find().await.map_err(below)?;
        let leftovers = if dry_run { found } else { broom.sweep(found).await.map_err(below)? };
        let past_keep = broom.retain(&self.holder, dry_run).await.map_err(below)?;
        Ok(Cleaned { leftovers, past_keep })
    }

    /// Drops one under its lock, if it is still as it was looked at and nobody put it on hold.
    async fn drop_one(&self, orphan: &Orphan) -> Result<Staged, Failure> {
        let (table, control) = (&orphan.last.table, self.control.as_ref());
        let held = |message: String| Failure { class: Class::Held, message, hint: None };
        let mut lease = None;
        if let Some(control) = control {
            let of = |error: &crate::control::ControlError| Failure::of(error);
            let task = table.to_string();
            let name = format!("task/{task}");
            let taken = control.acquire(&name, &self.holder, Duration::ZERO).await;
            lease = Some(
                taken
                    .map_err(|error| of(&error))?
                    .ok_or_else(|| held(format!("a run is at work on {table}")))?,
            );
            // Under the lock: whoever had it may have put the table on hold.
            let holds = control.holds().await.map_err(|error| of(&error))?;
            if let Some(hold) = holds.into_iter().find(|hold| hold.task == task) {
                return Err(held(format!("{table} is {hold}")));
            }
        }
        let last = self.warehouse.last_load(table).await.map_err(|error| Failure::of(&*error))?;
        if last.is_none_or(|last| last.load != orphan.last.load) {
            return Err(held(format!("{table} was published again meanwhile")));
        }
        if let Some(live) = &orphan.live {
            self.warehouse.remove(table, live.kind).await.map_err(|error| Failure::of(&*error))?;
        }
        let forgotten = self.broom().forget(table, &orphan.last.load).await;
        drop(lease);
        forgotten.map_err(|error| Failure::of(&error))
    }
}

//! What lies about for nothing, in the warehouse and in the stage, and taking it away.
//!
//! A load is dead if an attempt that has ended had its id. An attempt is written down before anything of its
//! load exists; so what is found first and asked about afterwards is never that of a living one. Of a load that
//! the control database knows nothing of, another one may know that it is alive: it is dead after a day.
//!
//! A collection of answers is dead when nobody is at it and it is too old to be gone on with; it stays all the same for
//! as long as a load lies in the stage that was made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{LoadError, Workshop, tidy};
use crate::{
    clock::{self, Clock},
    config::Keep,
    control::{Control, Holder},
    fail_point,
    sql::TableName,
    stage::{CollectionPrefix, LoadPrefix, Object, Stage},
    warehouse::{StagingTable, Warehouse},
};

/// How old a load is taken to be dead that no attempt is known of: it was made under another control database,
/// or this one's memory is lost.
const UNKNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Where is cleaned.
pub struct Broom<'a> {
    /// The project's name.
    pub project: &'a str,
    /// `production` or `test`.
    pub mode: &'a str,
    /// How much of each table's past stays in the stage.
    pub keep: Keep,
    /// The stage.
    pub stage: &'a dyn Stage,
    /// The warehouse.
    pub warehouse: &'a dyn Warehouse,
    /// The control database; `None` where there is none yet: then nothing is known of any load.
    pub control: Option<&'a Control>,
    /// A person cleans: what went well into another warehouse goes too, and staging tables that are kept for a look.
    pub by_hand: bool,
}

/// Objects in the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staged {
    /// The loads that they belong to, by table where it is known.
    pub loads: BTreeSet<String>,
    /// How many objects.
    pub objects: u64,
    /// Their size.
    pub bytes: u64,
}

impl Staged {
    fn of<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut staged = Self::default();
        for object in objects {
            staged.loads.extend(LoadPrefix::load_of(&object.key));
            staged.objects += 1;
            staged.bytes += object.bytes;
        }
        staged
    }
}

/// What dead loads left that were never published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Staging tables.
    pub staging_tables: Vec<StagingTable>,
    /// Unfinished uploads: the loads that left them.
    pub uploads: BTreeSet<String>,
    /// Objects in the stage.
    pub staged: Staged,
    objects: Vec<Object>,
}

/// Published loads in the stage that no state within `keep` needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastKeep {
    /// What they take.
    pub staged: Staged,
    /// Tables that were left alone, because a run is at work on them: its own end sees to it.
    pub at_work: Vec<TableName>,
}

impl<'a> Broom<'a> {
    /// The one of a run.
    pub(super) fn of(workshop: &'a Workshop) -> Self {
        Self {
            project: &workshop.project,
            mode: &workshop.mode,
            keep: workshop.keep,
            stage: &*workshop.stage,
            warehouse: &*workshop.warehouse,
            control: Some(&workshop.control),
            by_hand: false,
        }
    }

    fn root(&self) -> String {
        LoadPrefix::mode_prefix(self.project, self.mode)
    }

    /// Finds what dead loads left, and changes nothing.
    pub async fn find(&self) -> Result<Leftovers, LoadError> {
        let staging_tables = self.warehouse.staging_tables().await.map_err(LoadError::Warehouse)?;
        let uploads = self.unfinished().await?;
        let objects = self.stage.list(&self.root()).await?;
        let of_tables = staging_tables.iter().map(|table| table.load.clone());
        let of_objects = objects.iter().filter_map(|object| owner(&object.key));
        let dead = self.dead(of_tables.chain(of_objects).chain(uploads.iter().cloned()).collect()).await?;
        let is_dead = |load: &str| dead.contains(load);
        let of_dead = |object: &Object| LoadPrefix::load_of(&object.key).filter(|load| is_dead(load));
        let staged: BTreeSet<String> = objects.iter().filter_map(of_dead).collect();
        let staged: Vec<String> = staged.into_iter().collect();
        let mut published = self.warehouse.published_among(&staged).await.map_err(LoadError::Warehouse)?;
        // What went well and is in no ledger went into another warehouse, where this one is no mistake: it is for
        // `clean` to take away, by hand.
        if let Some(control) = self.control.filter(|_| !self.by_hand) {
            let not_here: Vec<String> =
                staged.iter().filter(|load| !published.contains(*load)).cloned().collect();
            if !not_here.is_empty() {
                published.extend(control.succeeded_loads(&not_here).await?);
            }
        }
        let is_left_over = |object: &&Object| of_dead(object).is_some_and(|load| !published.contains(&load));
        let mut left: Vec<&Object> = objects.iter().filter(is_left_over).collect();
        left.extend(unnamed(&objects, &left).into_iter().filter(|object| {
            CollectionPrefix::collection_of(&object.key).is_some_and(|collection| is_dead(&collection))
        }));
        Ok(Leftovers {
            staging_tables: staging_tables.into_iter().filter(|table| is_dead(&table.load)).collect(),
            uploads: uploads.into_iter().filter(|load| is_dead(load)).collect(),
            staged: Staged::of(left.iter().copied()),
            objects: left.into_iter().cloned().collect(),
        })
    }

    /// Those of these loads that are dead.
    async fn dead(&self, mut loads: BTreeSet<String>) -> Result<BTreeSet<String>, LoadError> {
        let mut known = BTreeSet::new();
        if let Some(control) = self.control {
            let all: Vec<String> = loads.iter().cloned().collect();
            known.extend(control.known_loads(&all).await?);
            known.extend(control.known_collections(&all).await?);
            for living in control.live_loads().await?.iter().chain(&control.live_collections().await?) {
                loads.remove(living);
            }
            if !self.by_hand {
                for kept in control.kept_loads().await? {
                    loads.remove(&kept);
                }
            }
        }
        let now_ms = u64::try_from(clock::System.now().as_millisecond()).unwrap_or(0);
        let is_old = |load: &str| {
            let age_ms = tidy::made_at_ms(load).map(|made_ms| now_ms.saturating_sub(made_ms));
            age_ms.is_none_or(|age_ms| u128::from(age_ms) > UNKNOWN_FOR.as_millis())
        };
        loads.retain(|load| known.contains(load) || is_old(load));
        Ok(loads)
    }

    /// The loads that have unfinished uploads.
    async fn unfinished(&self) -> Result<BTreeSet<String>, LoadError> {
        let found = Mutex::new(BTreeSet::new());
        let note = |load: &str| {
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(load.to_owned());
            // Who is dead is asked when all are found.
            false
        };
        self.stage.sweep(&self.root(), &note).await?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes away what was found. Answers what is gone.
    pub async fn sweep(&self, mut found: Leftovers) -> Result<Leftovers, LoadError> {
        let is_found = |load: &str| found.staging_tables.iter().any(|table| table.load == load);
        let swept = self.warehouse.sweep(&is_found).await.map_err(LoadError::Warehouse)?;
        found.staging_tables.retain(|table| swept.contains(&table.name));
        if !found.uploads.is_empty() {
            self.stage.sweep(&self.root(), &|load| found.uploads.contains(load)).await?;
        }
        self.spare_published(&mut found).await?;
        let keys: Vec<String> = found.objects.iter().map(|object| object.key.clone()).collect();
        fail_point!("tidy.sweep.before");
        self.stage.delete(&keys).await?;
        fail_point!("tidy.sweep.after");
        Ok(found)
    }

    /// A load whose process is dead may have been published since its objects were found: its publish was
    /// under way in the warehouse, where it goes on by itself.
    async fn spare_published(&self, found: &mut Leftovers) -> Result<(), LoadError> {
        let mut published = BTreeSet::new();
        for load in &found.staged.loads {
            if self.warehouse.is_published(load).await.map_err(LoadError::Warehouse)? {
                published.insert(load.clone());
            }
        }
        if !published.is_empty() {
            // What one of them was made of is known by what lies there: the next one looks.
            let is_left_over = |object: &Object| {
                let of_published =
                    LoadPrefix::load_of(&object.key).is_some_and(|load| published.contains(&load));
                !of_published && CollectionPrefix::collection_of(&object.key).is_none()
            };
            found.objects.retain(is_left_over);
            found.staged = Staged::of(&found.objects);
        }
        Ok(())
    }

    /// Takes away, or with `dry_run` only finds, what is past `keep`, table by table under its lock.
    pub async fn retain(&self, holder: &Holder, dry_run: bool) -> Result<PastKeep, LoadError> {
        let mut past = PastKeep::default();
        let objects = self.stage.list(&self.root()).await?;
        let published = self.warehouse.last_loads().await.map_err(LoadError::Warehouse)?;
        let ours = published.into_iter().filter(|(_, row)| row.project == self.project);
        for (table, row) in ours {
            let prefix = LoadPrefix::new(self.project, self.mode, &table, &row.load).table_prefix();
            let of_table: Vec<&Object> =
                objects.iter().filter(|object| object.key.starts_with(&prefix)).collect();
            let old = self.past_keep(&table, &row.load, of_table.clone()).await?;
            if old.is_empty() {
                continue;
            }
            if dry_run {
                add(&mut past.staged, Staged::of(old));
                continue;
            }
            let Some(control) = self.control else { continue };
            let Some(lease) = control.acquire(&format!("task/{table}"), holder, Duration::ZERO).await? else {
                past.at_work.push(table);
                continue;
            };
            // Under the lock it is the last load for certain.
            let last = self.warehouse.last_load(&table).await.map_err(LoadError::Warehouse)?;
            let old = match &last {
                Some(last) => self.past_keep(&table, &last.load, of_table).await?,
                None => Vec::new(),
            };
            let keys: Vec<String> = old.iter().map(|object| object.key.clone()).collect();
            fail_point!("tidy.retain.before");
            self.stage.delete(&keys).await?;
            fail_point!("tidy.retain.after");
            add(&mut past.staged, Staged::of(old));
            lease.release().await?;
        }
        Ok(past)
    }

    /// Those of a table's objects that are past `keep`; `newest` is its newest published load.
    pub(super) async fn past_keep<'o>(
        &self,
        table: &TableName,
        newest: &str,
        objects: impl IntoIterator<Item = &'o Object>,
    ) -> Result<Vec<&'o Object>, LoadError> {
        let mut by_load: BTreeMap<String, Vec<&'o Object>> = BTreeMap::new();
        for object in objects {
            if let Some(load) = LoadPrefix::load_of(&object.key) {
                by_load.entry(load).or_default().push(object);
            }
        }
        let loads: Vec<String> = by_load.keys().cloned().collect();
        let lineage = self.warehouse.lineage(table, &loads).await.map_err(LoadError::Warehouse)?;
        let past = tidy::past_keeping(&lineage, newest, self.keep, clock::System.now());
        Ok(past.iter().filter_map(|load| by_load.remove(load)).flatten().collect())
    }

    /// Takes away all that a table has in the stage. Answers what it was.
    pub async fn forget(&self, table: &TableName, last: &str) -> Result<Staged, LoadError> {
        let prefix = LoadPrefix::new(self.project, self.mode, table, last).table_prefix();
        let mut objects = self.stage.list(&prefix).await?;
        let prefix = CollectionPrefix::new(self.project, self.mode, table, last).table_prefix();
        objects.extend(self.stage.list(&prefix).await?);
        let keys: Vec<String> = objects.iter().map(|object| object.key.clone()).collect();
        fail_point!("clean.forget.before");
        self.stage.delete(&keys).await?;
        fail_point!("clean.forget.after");
        Ok(Staged::of(&objects))
    }
}

/// The load or collection that a key belongs to.
fn owner(key: &str) -> Option<String> {
    LoadPrefix::load_of(key).or_else(|| CollectionPrefix::collection_of(key))
}

/// The objects of collections that no load names but those that are `left` over.
fn unnamed<'o>(objects: &'o [Object], left: &[&Object]) -> Vec<&'o Object> {
    let gone: BTreeSet<&str> = left.iter().map(|object| object.key.as_str()).collect();
    let stays = objects.iter().filter(|object| !gone.contains(object.key.as_str()));
    let named: BTreeSet<String> = stays.filter_map(|object| LoadPrefix::collection_of(&object.key)).collect();
    let is_unnamed = |object: &&Object| {
        CollectionPrefix::collection_of(&object.key).is_some_and(|collection| !named.contains(&collection))
    };
    objects.iter().filter(is_unnamed).collect()
}

fn add(sum: &mut Staged, more: Staged) {
    sum.loads.extend(more.loads);
    sum.objects += more.objects;
    sum.bytes += more.bytes;
}

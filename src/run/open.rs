//! From a project's text to open connections.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{RunError, facts, reach, schemas::Schemas};
use crate::{
    config::{Environment, Project, SourcePlace},
    control::Control,
    event::Event,
    load::{LeasedSlots, Publishing, Workshop},
    pg::Endpoint,
    source::{LocalSlots, SharedSnapshots, Slots, Source},
    sql::TableName,
    warehouse::{Fenced, LedgerRow, Warehouse},
};

/// Where tasks write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The schemas of the project.
    Production,
    /// The test schemas only; ledger, control database and stage have their own for it too.
    Test,
}

impl Mode {
    /// What is added to the names of barncat's own schemas.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Production => "",
            Self::Test => "_test",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Test => "test",
        })
    }
}

/// A project opened for a run.
pub(super) struct Opened {
    /// What loads work with.
    pub(super) workshop: Arc<Workshop>,
    /// Where they write.
    pub(super) schemas: Schemas,
}

/// Reaches everything that a run needs: control database, stage. The warehouse and the sources are
/// reached by the first who needs them.
pub(super) async fn open(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    run: &str,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Opened, RunError> {
    let endpoints = Endpoints::of(project, environment)?;
    let schemas = Schemas::of(project, environment, mode)?;
    let control = Control::open(&endpoints.control, &reach::control_schema(mode)).await?;
    let keep = project.has_critical();
    let slots = |name: &str, count| -> Arc<dyn Slots> {
        Arc::new(LeasedSlots::of_source(control.clone(), name, count, keep, run))
    };
    let warehouse = warehouse(endpoints.warehouse, &schemas, mode, run).await;
    let (place, connections) = (warehouse.place(), project.warehouse.connections);
    let workshop = Workshop {
        project: project.name.clone(),
        folder: project.dir.clone(),
        mode: mode.to_string(),
        run: run.to_owned(),
        stage: reach::stage(project, environment).await?,
        warehouse,
        sources: open_sources((project, environment, mode), endpoints.sources, slots, Some(&control), run)?,
        warehouse_slots: LeasedSlots::of_warehouse(control.clone(), &place, connections, keep, run),
        control,
        keep: project.stage.keep,
        publishing: publishing(project),
        events,
        cancel,
    };
    Ok(Opened { workshop: Arc::new(workshop), schemas })
}

/// A project opened for looking: nothing is made, written or locked.
pub(super) struct Looked {
    /// By the source's name.
    pub(super) sources: Sources,
    /// The warehouse.
    pub(super) warehouse: Arc<dyn Warehouse>,
    /// The control database, where there is one.
    pub(super) control: Option<Control>,
    /// Where tasks write.
    pub(super) schemas: Schemas,
}

impl Looked {
    /// What a selection can ask of tasks.
    pub(super) fn known<'a>(
        &'a self,
        project: &'a str,
        published: &'a BTreeMap<TableName, LedgerRow>,
    ) -> facts::Known<'a> {
        facts::Known {
            project,
            dialect: self.warehouse.dialect(),
            published,
            sources: &self.sources,
            control: self.control.as_ref(),
        }
    }
}

/// Reaches what `plan` looks at. Its connections are not counted among the sources': it would wait for the runs.
pub(super) async fn look(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    run: &str,
) -> Result<Looked, RunError> {
    let endpoints = Endpoints::of(project, environment)?;
    let schemas = Schemas::of(project, environment, mode)?;
    let control = Control::open_existing(&endpoints.control, &reach::control_schema(mode)).await?;
    let slots = |_: &str, count| -> Arc<dyn Slots> { Arc::new(LocalSlots::new(count)) };
    let sources =
        open_sources((project, environment, mode), endpoints.sources, slots, control.as_ref(), run)?;
    Ok(Looked {
        sources,
        warehouse: warehouse(endpoints.warehouse, &schemas, mode, run).await,
        control,
        schemas,
    })
}

/// The warehouse as a mode may write to it: in test mode within the test schemas.
pub(super) async fn warehouse(
    endpoint: reach::WarehouseEndpoint,
    schemas: &Schemas,
    mode: Mode,
    run: &str,
) -> Arc<dyn Warehouse> {
    let warehouse = reach::warehouse(endpoint, mode, run).await;
    match mode {
        Mode::Production => warehouse,
        Mode::Test => {
            let schemas = schemas.clone();
            Arc::new(Fenced::new(warehouse, Box::new(move |schema| schemas.may_write(schema))))
        }
    }
}

/// Each source's shared snapshots, by the source's name.
pub(super) type Sources = BTreeMap<String, SharedSnapshots>;

/// The servers of a project, resolved and not yet reached: all of them, so that a missing variable
/// is told before anything is done.
struct Endpoints {
    sources: BTreeMap<String, Endpoint>,
    warehouse: reach::WarehouseEndpoint,
    control: Endpoint,
}

impl Endpoints {
    fn of(project: &Project, environment: &Environment) -> Result<Self, RunError> {
        let mut sources = BTreeMap::new();
        for (name, config) in &project.sources {
            if let Some(replica) = config.replica() {
                sources.insert(name.clone(), reach::replica_endpoint(project, environment, replica)?);
            }
        }
        Ok(Self {
            sources,
            warehouse: reach::warehouse_endpoint(project, environment)?,
            control: reach::control_endpoint(project, environment)?,
        })
    }
}

fn open_sources(
    (project, environment, mode): (&Project, &Environment, Mode),
    endpoints: BTreeMap<String, Endpoint>,
    slots: impl Fn(&str, u32) -> Arc<dyn Slots>,
    control: Option<&Control>,
    run: &str,
) -> Result<Sources, RunError> {
    let mut sources = BTreeMap::new();
    let loads = project.named_loads();
    for (name, config) in &project.sources {
        let slots = slots(name, config.connections);
        let (source, snapshot_for): (Arc<dyn Source>, _) = match (&config.at, endpoints.get(name)) {
            (SourcePlace::Postgres(replica), Some(endpoint)) => (
                Arc::new(reach::replica((name, replica), endpoint.clone(), run, slots)),
                replica.snapshot_for,
            ),
            (SourcePlace::Postgres(_), None) => continue,
            (SourcePlace::Http(service), _) => {
                let service = (config, &**service);
                let reached = match mode {
                    Mode::Test => reach::service::mocked(service, &loads, project, environment)?,
                    Mode::Production => None,
                };
                let source = match reached {
                    Some(mocked) => mocked,
                    None => {
                        let ask =
                            reach::service::asker((name, service.1), project, environment, control, slots)?;
                        reach::service::service(service, &loads, environment, Arc::new(ask))?
                    }
                };
                (Arc::new(source), Duration::ZERO)
            }
        };
        sources.insert(name.clone(), SharedSnapshots::new(source, snapshot_for));
    }
    Ok(sources)
}

fn publishing(project: &Project) -> Publishing {
    let config = &project.warehouse;
    Publishing {
        grants: config.grants.clone(),
        lock_timeout: config.lock_timeout,
        lock_wait: config.lock_wait,
        snapshot_wait: config.snapshot_wait,
        fill_jobs: config.fill_jobs,
        compression: project.stage.compression,
    }
}

//! From a project's text to open connections.

use std::{collections::BTreeMap, fmt, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::{
    aws::S3Access,
    config::{Environment, Project, SourceConfig, SourceKind, Sse, WarehouseKind},
    control::Control,
    event::Event,
    load::{LeasedSlots, Publishing, Workshop},
    pg::Endpoint,
    source::{
        LocalSlots, SharedSnapshots, Slots, Source,
        postgres::{Options, PostgresSource},
    },
    stage::{self, Encryption, SharedStage, StageError},
    warehouse::{Warehouse, postgres},
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
    fn suffix(self) -> &'static str {
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

/// Which schemas of the warehouse a mode writes to.
#[derive(Debug, Clone)]
pub(super) struct Schemas {
    mode: Mode,
    test_schema: String,
}

impl Schemas {
    fn of(project: &Project, environment: &Environment, mode: Mode) -> Result<Self, RunError> {
        let test_schema = project.warehouse.test_schema.resolve(environment)?.expose().to_owned();
        Ok(Self { mode, test_schema })
    }

    /// The warehouse's schema for one of the project's.
    pub(super) fn name(&self, schema: &str) -> String {
        match self.mode {
            Mode::Production => schema.to_owned(),
            Mode::Test => self.test_schema.replace("{schema}", schema),
        }
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
    let control = Control::open(&endpoints.control, &control_schema(mode)).await?;
    let slots = |name: &str, count| -> Arc<dyn Slots> {
        Arc::new(LeasedSlots::new(control.clone(), name, count, run))
    };
    let workshop = Workshop {
        project: project.name.clone(),
        mode: mode.to_string(),
        run: run.to_owned(),
        stage: open_stage(project, environment).await?,
        warehouse: open_warehouse(endpoints.warehouse, mode, run),
        sources: open_sources(project, endpoints.sources, slots, run),
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

/// Reaches what `plan` looks at. Its connections to the sources count among their limit where the
/// control database is there to count them.
pub(super) async fn look(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    run: &str,
) -> Result<Looked, RunError> {
    let endpoints = Endpoints::of(project, environment)?;
    let schemas = Schemas::of(project, environment, mode)?;
    let control = Control::open_existing(&endpoints.control, &control_schema(mode)).await?;
    let slots = |name: &str, count| -> Arc<dyn Slots> {
        match &control {
            Some(control) => Arc::new(LeasedSlots::new(control.clone(), name, count, run)),
            None => Arc::new(LocalSlots::new(count)),
        }
    };
    let sources = open_sources(project, endpoints.sources, slots, run);
    Ok(Looked { sources, warehouse: open_warehouse(endpoints.warehouse, mode, run), control, schemas })
}

/// Each source's shared snapshots, by the source's name.
pub(super) type Sources = BTreeMap<String, SharedSnapshots>;

/// The control database's schema.
pub fn control_schema(mode: Mode) -> String {
    format!("barncat_control{}", mode.suffix())
}

/// The servers of a project, resolved and not yet reached.
pub struct Endpoints {
    /// By the source's name.
    pub sources: BTreeMap<String, Endpoint>,
    /// The warehouse.
    pub warehouse: Endpoint,
    /// The control database; the warehouse where the project names none.
    pub control: Endpoint,
}

impl Endpoints {
    /// Resolves the urls of a project.
    pub fn of(project: &Project, environment: &Environment) -> Result<Self, RunError> {
        let config = &project.warehouse;
        if config.kind == WarehouseKind::Redshift {
            return Err(RunError::Redshift);
        }
        let warehouse = Endpoint::parse(&config.url.resolve(environment)?, &config.tls, &project.dir)?;
        let control = match &project.control.url {
            Some(url) => Some(url.resolve(environment)?).filter(|url| !url.expose().is_empty()),
            None => None,
        };
        let control = match control {
            Some(url) => Endpoint::parse(&url, &Default::default(), &project.dir)?,
            None => warehouse.clone(),
        };
        let mut sources = BTreeMap::new();
        for (name, source) in &project.sources {
            let endpoint = Endpoint::parse(&source.url.resolve(environment)?, &source.tls, &project.dir)?;
            sources.insert(name.clone(), endpoint);
        }
        Ok(Self { sources, warehouse, control })
    }
}

/// The stage of a project.
pub async fn open_stage(project: &Project, environment: &Environment) -> Result<SharedStage, RunError> {
    let config = &project.stage;
    let url = config.url.resolve(environment)?;
    let url = url.expose();
    if let Some(path) = url.strip_prefix("file:") {
        return Ok(stage::local(project.dir.join(path.strip_prefix("//").unwrap_or(path))));
    }
    let Some(path) = url.strip_prefix("s3://") else {
        return Err(StageError::Url { what: "it starts with neither s3:// nor file:".to_owned() }.into());
    };
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let endpoint = match &config.endpoint {
        Some(endpoint) => Some(endpoint.resolve(environment)?.expose().to_owned()),
        None => None,
    };
    let access = S3Access { endpoint, region: config.region.clone(), path_style: config.path_style };
    let encryption = match &config.sse {
        None => Encryption::Bucket,
        Some(Sse::S3) => Encryption::S3,
        Some(Sse::Kms { key }) => Encryption::Kms(key.clone()),
    };
    Ok(stage::s3(&access, bucket, prefix, encryption).await)
}

fn open_warehouse(endpoint: Endpoint, mode: Mode, run: &str) -> Arc<dyn Warehouse> {
    let suffix = mode.suffix();
    let options = postgres::Options {
        ledger_schema: format!("barncat{suffix}"),
        staging_schema: format!("barncat_staging{suffix}"),
        run: run.to_owned(),
    };
    Arc::new(postgres::PostgresWarehouse::new(endpoint, options))
}

fn open_sources(
    project: &Project,
    endpoints: BTreeMap<String, Endpoint>,
    slots: impl Fn(&str, u32) -> Arc<dyn Slots>,
    run: &str,
) -> Sources {
    let mut sources = BTreeMap::new();
    for (name, endpoint) in endpoints {
        let Some(config) = project.sources.get(&name) else { continue };
        let slots = slots(&name, config.connections);
        let source: Arc<dyn Source> = match config.kind {
            SourceKind::Postgres => {
                Arc::new(PostgresSource::new(source_options(&name, config, endpoint, run), slots))
            }
        };
        sources.insert(name, SharedSnapshots::new(source, config.snapshot_for));
    }
    sources
}

fn source_options(name: &str, config: &SourceConfig, endpoint: Endpoint, run: &str) -> Options {
    Options {
        name: name.to_owned(),
        endpoint,
        allow_primary: config.allow_primary,
        max_lag: config.max_lag,
        run: run.to_owned(),
    }
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

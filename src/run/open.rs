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
        SharedSnapshots, Slots, Source,
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

/// A project whose servers have been reached.
pub struct Opened {
    /// What loads work with.
    pub workshop: Arc<Workshop>,
    test_schema: String,
}

impl Opened {
    /// The warehouse's schema for one of the project's.
    pub(super) fn schema(&self, mode: Mode, schema: &str) -> String {
        match mode {
            Mode::Production => schema.to_owned(),
            Mode::Test => self.test_schema.replace("{schema}", schema),
        }
    }
}

/// Reaches everything that a run needs: control database, warehouse, stage, sources. Sources are
/// reached by the first load that needs them.
pub async fn open(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    run: &str,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<Opened, RunError> {
    let endpoints = Endpoints::of(project, environment)?;
    let suffix = mode.suffix();
    let control = Control::open(&endpoints.control, &format!("barncat_control{suffix}")).await?;
    let workshop = Workshop {
        project: project.name.clone(),
        mode: mode.to_string(),
        run: run.to_owned(),
        stage: open_stage(project, environment).await?,
        warehouse: open_warehouse(endpoints.warehouse, suffix, run),
        sources: open_sources(project, endpoints.sources, &control, run),
        control,
        keep: project.stage.keep,
        publishing: publishing(project),
        events,
        cancel,
    };
    let test_schema = project.warehouse.test_schema.resolve(environment)?.expose().to_owned();
    Ok(Opened { workshop: Arc::new(workshop), test_schema })
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

fn open_warehouse(endpoint: Endpoint, suffix: &str, run: &str) -> Arc<dyn Warehouse> {
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
    control: &Control,
    run: &str,
) -> BTreeMap<String, SharedSnapshots> {
    let mut sources = BTreeMap::new();
    for (name, endpoint) in endpoints {
        let Some(config) = project.sources.get(&name) else { continue };
        let slots: Arc<dyn Slots> =
            Arc::new(LeasedSlots::new(control.clone(), &name, config.connections, run));
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

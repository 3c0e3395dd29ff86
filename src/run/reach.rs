//! From a project's text to handles on the servers that it names, one by one. Connects to nothing:
//! each handle does when it is used, so that one server that is away keeps nobody from the others.

mod logins;
mod redshift;
pub mod service;

use std::sync::Arc;

pub use self::redshift::{RedshiftEndpoint, redshift_warehouse};
use super::{Mode, RunError};
use crate::{
    aws::{Access, S3Access},
    config::{
        Environment, LoginConfig, LoginWay, Project, ReplicaConfig, Sse, StageConfig, Template,
        WarehousePlace,
    },
    pg::{Endpoint, TlsSettings, Url},
    source::{
        Slots,
        postgres::{Options, PostgresSource},
    },
    stage::{self, Encryption, SharedStage, StageError},
    warehouse::{PostgresWarehouse, Warehouse, postgres},
};

/// The port of Postgres, where a url has none.
const PORT: u16 = 5432;

/// Where a replica is.
pub fn replica_endpoint(
    project: &Project,
    environment: &Environment,
    replica: &ReplicaConfig,
) -> Result<Endpoint, RunError> {
    endpoint((&replica.url, &replica.tls, &replica.login), environment, project, PORT)
}

/// What the project says of a server.
type Written<'a> = (&'a Template, &'a TlsSettings, &'a LoginConfig);

fn endpoint(
    (template, tls, login): Written<'_>,
    environment: &Environment,
    project: &Project,
    default_port: u16,
) -> Result<Endpoint, RunError> {
    let place = template.place().to_string();
    let wrong = |source| RunError::Url { place: place.clone(), source };
    let url = Url::read(&template.resolve(environment)?, tls, default_port).map_err(wrong)?;
    let is_asked_for = match &login.way {
        LoginWay::Url => false,
        LoginWay::Iam(_) => true,
        LoginWay::Secret(secret) => !secret.resolve(environment)?.expose().is_empty(),
    };
    if is_asked_for && let Some(found) = login.way.contradiction(&url) {
        return Err(RunError::Contradiction { place: place.clone(), found });
    }
    logins::with_login(Endpoint::of(url, &project.dir).map_err(wrong)?, login, environment)
}

/// A source whose connections each hold one of `slots`; `run` names them in `pg_stat_activity`.
pub fn replica(
    (name, replica): (&str, &ReplicaConfig),
    endpoint: Endpoint,
    run: &str,
    slots: Arc<dyn Slots>,
) -> PostgresSource {
    let options = Options {
        name: name.to_owned(),
        endpoint,
        allow_primary: replica.allow_primary,
        max_lag: replica.max_lag,
        run: run.to_owned(),
    };
    PostgresSource::new(options, slots)
}

/// Where the warehouse is.
pub enum WarehouseEndpoint {
    /// A Postgres server.
    Postgres(Endpoint),
    /// Redshift.
    Redshift(RedshiftEndpoint),
}

/// Where the warehouse is.
pub fn warehouse_endpoint(
    project: &Project,
    environment: &Environment,
) -> Result<WarehouseEndpoint, RunError> {
    match &project.warehouse.place {
        WarehousePlace::Postgres { url, tls, login } => {
            endpoint((url, tls, login), environment, project, PORT).map(WarehouseEndpoint::Postgres)
        }
        WarehousePlace::Redshift(config) => {
            redshift::resolve(project, environment, config).map(WarehouseEndpoint::Redshift)
        }
    }
}

/// The warehouse, with the ledger and the staging schema of a mode.
pub async fn warehouse(endpoint: WarehouseEndpoint, mode: Mode, run: &str) -> Arc<dyn Warehouse> {
    match endpoint {
        WarehouseEndpoint::Postgres(endpoint) => Arc::new(postgres_warehouse(endpoint, mode, run)),
        WarehouseEndpoint::Redshift(endpoint) => {
            Arc::new(redshift_warehouse(endpoint, ledger_schema(mode)).await)
        }
    }
}

/// A Postgres warehouse, with the ledger and the staging schema of a mode.
pub fn postgres_warehouse(endpoint: Endpoint, mode: Mode, run: &str) -> PostgresWarehouse {
    let options = postgres::Options {
        ledger_schema: ledger_schema(mode),
        staging_schema: staging_schema(mode),
        run: run.to_owned(),
    };
    PostgresWarehouse::new(endpoint, options)
}

/// The ledger's schema.
pub fn ledger_schema(mode: Mode) -> String {
    format!("barncat{}", mode.suffix())
}

/// The schema of staging tables.
pub fn staging_schema(mode: Mode) -> String {
    format!("barncat_staging{}", mode.suffix())
}

/// Where the control database is: the warehouse, where the project names none or its url resolves
/// to nothing.
pub fn control_endpoint(project: &Project, environment: &Environment) -> Result<Endpoint, RunError> {
    let control = &project.control;
    match &control.url {
        Some(url) if !url.resolve(environment)?.expose().is_empty() => {
            endpoint((url, &control.tls, &control.login), environment, project, PORT)
        }
        _ => match warehouse_endpoint(project, environment)? {
            WarehouseEndpoint::Postgres(endpoint) => Ok(endpoint),
            WarehouseEndpoint::Redshift(_) => Err(RunError::NoControl),
        },
    }
}

/// The control database's schema.
pub fn control_schema(mode: Mode) -> String {
    format!("barncat_control{}", mode.suffix())
}

/// The stage.
pub async fn stage(project: &Project, environment: &Environment) -> Result<SharedStage, RunError> {
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
    Ok(stage::s3(&access(config, environment)?, bucket, prefix, encryption(config)).await)
}

fn access(config: &StageConfig, environment: &Environment) -> Result<S3Access, RunError> {
    let endpoint = match &config.endpoint {
        Some(endpoint) => Some(endpoint.resolve(environment)?.expose().to_owned()),
        None => None,
    };
    let access = Access {
        // One that resolves to nothing is Amazon's own.
        endpoint: endpoint.filter(|endpoint| !endpoint.is_empty()),
        region: config.region.clone(),
        ..Access::default()
    };
    Ok(S3Access { access, path_style: config.path_style })
}

fn encryption(config: &StageConfig) -> Encryption {
    match &config.sse {
        None => Encryption::Bucket,
        Some(Sse::S3) => Encryption::S3,
        Some(Sse::Kms { key }) => Encryption::Kms(key.clone()),
    }
}

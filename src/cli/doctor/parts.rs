//! Each part of the surroundings: where it is, and what was found there.

use std::{collections::BTreeMap, sync::Arc};

use super::report::Part;
use crate::{
    alert::Channels,
    config::{Environment, HttpSource, LoadSpec, Project, ReplicaConfig, SourceConfig, Template},
    control::{Control, Waiting},
    diagnosis::{Finding, Verdict},
    error::Fault,
    load,
    run::{
        self, Mode,
        reach::{self, WarehouseEndpoint},
    },
    source::{LocalSlots, Source, postgres::PostgresSource},
    stage::{self, LoadPrefix},
    warehouse::{Wanted, Warehouse},
};

/// How many connections testing takes; they are not counted with those of runs.
const CONNECTIONS: u32 = 2;

/// What `pg_stat_activity` shows.
const RUN: &str = "doctor";

/// A replica, and the loads that its loaders name there.
pub(super) async fn replica(
    project: &Project,
    environment: &Environment,
    (config, replica): (&SourceConfig, &ReplicaConfig),
) -> (Part, Vec<LoadSpec>) {
    let name = format!("source {}", config.name);
    let endpoint = match reach::replica_endpoint(project, environment, replica) {
        Ok(endpoint) => endpoint,
        Err(error) => return (unknown(&name, &replica.url, &error), Vec::new()),
    };
    let place = endpoint.place();
    let source =
        reach::replica((&config.name, replica), endpoint, RUN, Arc::new(LocalSlots::new(CONNECTIONS)));
    let listed = loads(project, config, &source).await;
    let specs = listed.as_ref().map_or(&[][..], |(specs, _)| specs);
    let wanted: Vec<_> =
        specs.iter().map(|spec| (spec.source_table.clone(), load::selection(spec))).collect();
    let mut findings = source.diagnose(&wanted, config.connections).await;
    let specs = match listed {
        Ok((specs, mistakes)) => {
            findings.extend(mistakes);
            specs
        }
        Err(error) => {
            // A server that does not answer has said so at its login already.
            if findings.iter().all(|finding| finding.test != "login" || finding.status != Verdict::Fail) {
                findings.push(Finding::error("loaders", error.as_ref()));
            }
            Vec::new()
        }
    };
    (Part { name, place, findings }, specs)
}

/// A service: nothing is asked of it but a path that it is said may be.
pub(super) async fn service(
    project: &Project,
    environment: &Environment,
    (config, service): (&SourceConfig, &HttpSource),
) -> Part {
    let name = format!("source {}", config.name);
    let shown = match reach::service::place(service, environment) {
        Ok(place) => place,
        Err(error) => return unknown(&name, &service.url, &error),
    };
    // What a probe asks counts for everybody.
    let schema = reach::control_schema(Mode::Production);
    let control = match reach::control_endpoint(project, environment) {
        Ok(endpoint) => Control::open_existing(&endpoint, &schema).await.ok().flatten(),
        Err(_) => None,
    };
    let slots = Arc::new(LocalSlots::new(1));
    let asker =
        match reach::service::asker((&config.name, service), project, environment, control.as_ref(), slots) {
            Ok(asker) => asker,
            Err(error) => {
                return Part { name, place: shown, findings: vec![Finding::error("settings", &error)] };
            }
        };
    let mut findings = asker.diagnose(service.probe.as_deref()).await;
    findings.push(match service.limits.is_any() {
        true => Finding::ok("limits", format!("{}, over all processes", service.limits.in_words())),
        false => Finding::ok("limits", "there are none but what the service says itself"),
    });
    if service.auth.is_none() {
        findings.push(Finding::ok("auth", "it is not told who asks"));
    }
    if let Some(control) = control {
        // A session that is not ended here is ended by its server.
        let _ = control.close().await;
    }
    Part { name, place: shown, findings }
}

/// What the source's loaders load, and what is wrong with their rows.
async fn loads(
    project: &Project,
    config: &SourceConfig,
    source: &PostgresSource,
) -> Result<(Vec<LoadSpec>, Vec<Finding>), Box<dyn Fault + Send + Sync>> {
    let mut own = project.clone();
    own.loaders.retain(|loader| loader.source == config.name);
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for loader in &own.loaders {
        let tables = source.tables(&loader.schema).await?;
        let names = tables.into_iter().map(|table| table.name.name).collect();
        found.insert((loader.source.clone(), loader.schema.clone()), names);
    }
    Ok(match own.loads(&found, crate::config::Missing::Refuse) {
        Ok(specs) => (specs, Vec::new()),
        Err(mistakes) => {
            let finding = |mistake: &crate::config::Mistake| {
                let finding = Finding::fail("loaders", format!("{}: {}", mistake.place, mistake.message));
                Finding { hint: mistake.hint.clone(), ..finding }
            };
            (Vec::new(), mistakes.0.iter().map(finding).collect())
        }
    })
}

/// The stage.
pub(super) async fn stage(project: &Project, environment: &Environment) -> Part {
    let name = "stage";
    let config = &project.stage;
    let place = match config.url.resolve(environment) {
        // No password belongs there, but one that was written there all the same is not shown.
        Ok(url) if url.expose().contains('@') => config.url.place().to_string(),
        Ok(url) => url.expose().to_owned(),
        Err(error) => return unknown(name, &config.url, &error),
    };
    let stage = match reach::stage(project, environment).await {
        Ok(stage) => stage,
        Err(error) => return unknown(name, &config.url, &error),
    };
    let prefix = LoadPrefix::mode_prefix(&project.name, &Mode::Production.to_string());
    let findings = stage::diagnose(stage.as_ref(), &prefix).await;
    Part { name: name.to_owned(), place, findings }
}

/// The warehouse, with the tables that `specs` publish.
pub(super) async fn warehouse(project: &Project, environment: &Environment, specs: &[LoadSpec]) -> Part {
    let name = "warehouse";
    let config = &project.warehouse;
    let endpoint = match reach::warehouse_endpoint(project, environment) {
        Ok(endpoint) => endpoint,
        Err(error) => return unknown(name, config.place.template(), &error),
    };
    let wanted = Wanted {
        // Of the loaders, not of the loads: a source that is away changes nothing about them.
        schemas: project.loaders.iter().map(|loader| loader.into.clone()).collect(),
        tables: specs.iter().map(|spec| spec.target.clone()).collect(),
        grantees: config.grants.values().flatten().cloned().collect(),
        lock_timeout: config.lock_timeout,
    };
    let (place, findings) = match endpoint {
        WarehouseEndpoint::Postgres(endpoint) => {
            let warehouse = reach::postgres_warehouse(endpoint, Mode::Production, RUN);
            (warehouse.place(), warehouse.diagnose(&wanted).await)
        }
        WarehouseEndpoint::Redshift(endpoint) => {
            let ledger = reach::ledger_schema(Mode::Production);
            let warehouse = reach::redshift_warehouse(endpoint, ledger).await;
            // A stage that cannot be reached has said so by itself.
            let stage = reach::stage(project, environment).await.ok();
            let prefix = LoadPrefix::mode_prefix(&project.name, &Mode::Production.to_string());
            let stage = stage.as_ref().map(|stage| (stage, prefix.as_str()));
            (warehouse.place(), warehouse.diagnose(&wanted, stage).await)
        }
    };
    Part { name: name.to_owned(), place, findings }
}

/// The control database, be it in the warehouse or elsewhere.
pub(super) async fn control(project: &Project, environment: &Environment) -> Part {
    let name = "control database";
    let endpoint = match reach::control_endpoint(project, environment) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            let url = project.control.url.as_ref().unwrap_or_else(|| project.warehouse.place.template());
            return unknown(name, url, &error);
        }
    };
    let [schema, test_schema] = [Mode::Production, Mode::Test].map(reach::control_schema);
    let findings = Control::diagnose(&endpoint, &schema, &test_schema).await;
    Part { name: name.to_owned(), place: endpoint.place(), findings }
}

/// The alert channels: which are on. Nobody is told anything: that is what `alert test` is for.
pub(super) async fn alerts(project: &Project, environment: &Environment) -> Option<Part> {
    let channels = Channels::of(project, environment);
    let heartbeat = channels.heartbeat.as_ref().map(|_| "heartbeat");
    let on = channels.names().into_iter().chain(heartbeat);
    let on = on.map(|name| Finding::ok(name, "is on; `barncat alert test` tries it"));
    let off = channels.off.iter().map(|off| {
        let finding = Finding::warn(off.name, format!("is off: the variable at {} is empty", off.place));
        Finding { hint: Some("set it, or take the key away".to_owned()), ..finding }
    });
    let mut findings: Vec<Finding> = on.chain(off).collect();
    if findings.is_empty() {
        return None;
    }
    findings.extend(waiting(project, environment).await);
    Some(Part { name: "alerts".to_owned(), place: "barncat.toml".to_owned(), findings })
}

/// Messages that nobody got yet. A control database that does not answer has said so by itself.
async fn waiting(project: &Project, environment: &Environment) -> Vec<Finding> {
    let Ok(found) = run::incidents(project, environment, false, 1).await else { return Vec::new() };
    let finding = |waiting: &Waiting| {
        let why = waiting.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        Finding {
            hint: Some("`barncat alert send` sends what is due".to_owned()),
            ..Finding::warn(
                "outbox",
                format!("{} of {} not sent yet{why}", waiting.messages, waiting.channel),
            )
        }
    };
    found.waiting.iter().map(finding).collect()
}

/// A part that cannot even be looked for: a variable is missing, or the url says nothing.
fn unknown(name: &str, url: &Template, error: &dyn Fault) -> Part {
    Part {
        name: name.to_owned(),
        place: url.place().to_string(),
        findings: vec![Finding::error("url", error)],
    }
}

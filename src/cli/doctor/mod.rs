//! `doctor`: logs in to everything and tests what a run needs, each part by itself: one that fails
//! keeps nobody from testing the others.

mod parts;
mod policies;
mod report;
mod roles;

use futures_util::future::join_all;

use self::report::Report;
use super::{Context, complaint::Complaint, exit::Exit};
use crate::config::{LoadSpec, WarehouseKind};

/// Tests the surroundings.
pub(super) async fn doctor(context: &Context) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let replicas = project.sources.values().filter_map(|config| Some((config, config.replica()?)));
    let sources = replicas.map(|replica| parts::replica(&project, &environment, replica));
    let services = project.sources.values().filter_map(|config| Some((config, config.service()?)));
    let services = services.map(|service| parts::service(&project, &environment, service));
    // The stage and the control database need not wait; which tables there are, only the sources know.
    let (sources, services, stage, control) = tokio::join!(
        join_all(sources),
        join_all(services),
        parts::stage(&project, &environment),
        parts::control(&project, &environment),
    );
    let mut report = Report::default();
    let mut specs: Vec<LoadSpec> = Vec::new();
    for (part, loads) in sources {
        report.add(part);
        specs.extend(loads);
    }
    services.into_iter().for_each(|part| report.add(part));
    specs.extend(project.named_loads().into_iter().filter(|spec| spec.http.is_some()));
    report.add(stage);
    report.add(parts::warehouse(&project, &environment, &specs).await);
    report.add(control);
    if let Some(alerts) = parts::alerts(&project, &environment).await {
        report.add(alerts);
    }
    if context.output.is_json() {
        context.output.json(&report)?;
    } else {
        context.output.data(&report.text())?;
    }
    if !report.has_failed() {
        return Ok(Exit::Done);
    }
    context.output.say(match project.warehouse.place.kind() {
        WarehouseKind::Postgres => {
            "`barncat doctor --roles` prints the SQL that makes the roles with all they need"
        }
        WarehouseKind::Redshift => {
            "`barncat doctor --roles` prints the SQL that makes the roles with all they need, and the IAM policies"
        }
    });
    Ok(Exit::Failed)
}

/// Prints the SQL that makes the roles that barncat logs in with, and the IAM policies that Redshift and logins by AWS need.
/// Connects to nothing.
pub(super) fn roles(context: &Context) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let scripts = roles::scripts(&project, &environment);
    if context.output.is_json() {
        context.output.json(&scripts)?;
    } else {
        context.output.data(&scripts.text())?;
    }
    Ok(Exit::Done)
}

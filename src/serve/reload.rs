//! The project, read again while the service goes on.

use std::sync::Arc;

use super::Setup;
use crate::{
    config::{Environment, Project, SourceConfig},
    dag,
    run::{RunError, reach},
    source::LocalSlots,
};

/// The project as its files have it now, or why it is not taken, in one line: then nothing of it is.
pub(super) fn again(setup: &Setup, before: &Project, environment: &Environment) -> Result<Project, String> {
    let project = dag::read(&setup.folder, setup.env.as_deref()).map_err(|mistakes| {
        let mistakes = mistakes.0.iter().map(|mistake| format!("{}: {}", mistake.place, mistake.message));
        mistakes.collect::<Vec<_>>().join("; ")
    })?;
    resolve(&project, environment).map_err(|error| super::in_a_line(&error))?;
    let place = |project: &Project| {
        reach::control_endpoint(project, environment).map(|endpoint| endpoint.place()).unwrap_or_default()
    };
    if project.name != before.name {
        return Err(format!("the project is `{}` by now: that takes a restart", project.name));
    }
    if place(&project) != place(before) {
        return Err("the control database is another one: that takes a restart".to_owned());
    }
    Ok(project)
}

/// Whether every variable is there that its servers need. Connects to nothing.
pub(super) fn resolve(project: &Project, environment: &Environment) -> Result<(), RunError> {
    for replica in project.sources.values().filter_map(SourceConfig::replica) {
        reach::replica_endpoint(project, environment, replica)?;
    }
    for (name, config) in &project.sources {
        if let Some(service) = config.service() {
            let slots = Arc::new(LocalSlots::new(1));
            reach::service::asker((name, service), project, environment, None, slots)?;
        }
    }
    reach::warehouse_endpoint(project, environment)?;
    reach::control_endpoint(project, environment)?;
    Ok(())
}

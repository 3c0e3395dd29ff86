//! How much of their limits services have given: asked of the control database, asks no service.

use super::{Mode, RunError, reach};
use crate::{
    config::{Environment, Project},
    control::{Control, Limits, Standing},
};

/// How the limits of the project's services stand, by source. One without limits is there while it wants not to be asked.
pub async fn allowances(
    project: &Project,
    environment: &Environment,
) -> Result<Vec<(String, Standing)>, RunError> {
    let services = project.sources.iter().filter_map(|(name, config)| Some((name, config.service()?)));
    let limits: Vec<(&String, Limits)> =
        services.map(|(name, service)| (name, reach::service::limits_of(service, project))).collect();
    if limits.is_empty() {
        return Ok(Vec::new());
    }
    let endpoint = reach::control_endpoint(project, environment)?;
    let schema = reach::control_schema(Mode::Production);
    let Some(control) = Control::open_existing(&endpoint, &schema).await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (name, limits) in limits {
        let standing = control.allowance(name, &limits).await?;
        if !standing.windows.is_empty() || standing.paused_until.is_some() {
            found.push((name.clone(), standing));
        }
    }
    // A session that is not ended here is ended by its server.
    let _ = control.close().await;
    Ok(found)
}

//! Putting tasks on hold, and letting them go.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Mode, RunError, myself,
    names::{by_name, candidates},
    reach,
};
use crate::{
    config::{Environment, Project},
    control::{Control, Hold, PlacedHold},
    dag::select::{self, Candidate},
};

/// Which tasks a person wants to keep their published data.
#[derive(Debug, Clone)]
pub struct HoldRequest {
    /// Which tasks.
    pub select: Vec<String>,
    /// Where they write.
    pub mode: Mode,
    /// For how long; `None`: until they are released.
    pub span: Option<Duration>,
    /// Why.
    pub reason: Option<String>,
}

/// Puts tasks on hold.
pub async fn hold(
    project: &Project,
    environment: &Environment,
    request: &HoldRequest,
) -> Result<Vec<PlacedHold>, RunError> {
    let candidates = candidates(project, environment, request.mode).await?;
    let tasks = names(&candidates, &request.select)?;
    let control = open(project, environment, request.mode).await?;
    Ok(control.hold(&tasks, request.span, &myself(), request.reason.as_deref()).await?)
}

/// Lets tasks go, also ones that the project has no longer. Returns each with the hold that stood.
pub async fn release(
    project: &Project,
    environment: &Environment,
    mode: Mode,
    wanted: &[String],
) -> Result<Vec<(String, Option<Hold>)>, RunError> {
    let mut candidates = candidates(project, environment, mode).await?;
    let control = open(project, environment, mode).await?;
    let known: BTreeSet<String> = candidates.iter().map(|task| task.name.to_string()).collect();
    let held = control.holds().await?;
    candidates.extend(
        held.iter().filter(|hold| !known.contains(&hold.task)).filter_map(|hold| by_name(&hold.task)),
    );
    let tasks = names(&candidates, wanted)?;
    let mut released = control.release(&tasks).await?;
    let with_hold = |task: String| {
        let place = released.iter().position(|hold| hold.task == task);
        let hold = place.map(|place| released.swap_remove(place));
        (task, hold)
    };
    Ok(tasks.into_iter().map(with_hold).collect())
}

fn names(candidates: &[Candidate], wanted: &[String]) -> Result<Vec<String>, RunError> {
    let names = select::select(candidates, wanted, &[])?;
    Ok(names.iter().map(ToString::to_string).collect())
}

async fn open(project: &Project, environment: &Environment, mode: Mode) -> Result<Control, RunError> {
    let endpoint = reach::control_endpoint(project, environment)?;
    Ok(Control::open(&endpoint, &reach::control_schema(mode)).await?)
}

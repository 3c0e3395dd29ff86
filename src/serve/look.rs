//! Schedules from outside of the service: when they tick next, pausing and resuming them.

use jiff::Timestamp;

use super::decide;
use crate::{
    clock::{Clock, System},
    config::{Environment, Project, Schedule, nearest},
    control::{Control, HeldBy, KnownSchedule, PastTick, Pause},
    error::{Class, Fault},
    run::{self, Mode, RunError, reach},
};

/// The schedules of a project, and the service that runs them.
#[derive(Debug)]
pub struct Shown {
    /// The service that leads; `None`: none runs.
    pub leader: Option<HeldBy>,
    /// By their names.
    pub schedules: Vec<ShownSchedule>,
}

/// A schedule, for people.
#[derive(Debug)]
pub struct ShownSchedule {
    /// Its name.
    pub name: String,
    /// As the project has it.
    pub schedule: Schedule,
    /// When the next run begins, if a service is there; `None`: it is paused.
    pub next: Option<Timestamp>,
    /// Since when and by whom it is paused.
    pub paused: Option<Pause>,
    /// Its last tick.
    pub last: Option<PastTick>,
}

/// No such schedule.
#[derive(Debug, thiserror::Error)]
#[error("the project has no schedule `{name}`")]
pub struct UnknownSchedule {
    name: String,
    hint: Option<String>,
}

impl Fault for UnknownSchedule {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Looks at the schedules. Connects to the control database alone, and changes nothing.
pub async fn look(project: &Project, environment: &Environment) -> Result<Shown, RunError> {
    let endpoint = reach::control_endpoint(project, environment)?;
    let control = Control::open_existing(&endpoint, &reach::control_schema(Mode::Production)).await?;
    let (mut now, mut known, mut ticks, mut leader) = (System.now(), Vec::new(), Vec::new(), None);
    if let Some(control) = control {
        (now, known) = control.known_schedules(&project.name).await?;
        ticks = control.past_ticks(&project.name, 1).await?;
        leader = control.leader(&project.name).await?;
    }
    let zone = project.zone();
    let schedules = project.schedules.iter().map(|(name, schedule)| {
        let known = known.iter().find(|known| known.schedule == *name);
        ShownSchedule {
            name: name.clone(),
            schedule: schedule.clone(),
            next: decide::next(schedule, &zone, now, known),
            paused: known.and_then(|known| known.paused.clone()),
            last: ticks.iter().find(|tick| tick.tick.schedule == *name).cloned(),
        }
    });
    Ok(Shown { leader, schedules: schedules.collect() })
}

/// When the next run of each schedule begins, the earliest first; `None`: it is paused.
pub(super) fn next_ticks(
    project: &Project,
    known: &[KnownSchedule],
    now: Timestamp,
) -> Vec<(String, Option<Timestamp>)> {
    let zone = project.zone();
    let next = |(name, schedule): (&String, &Schedule)| {
        let known = known.iter().find(|known| known.schedule == *name);
        (name.clone(), decide::next(schedule, &zone, now, known))
    };
    let mut next: Vec<_> = project.schedules.iter().map(next).collect();
    next.sort_by_key(|(name, at)| (at.unwrap_or(Timestamp::MAX), name.clone()));
    next
}

/// Lets a schedule tick no more. Returns the pause that stood before.
pub async fn pause(
    project: &Project,
    environment: &Environment,
    name: &str,
    reason: Option<&str>,
) -> Result<Option<Pause>, RunError> {
    let control = open(project, environment, name).await?;
    Ok(control.pause_schedule(&project.name, name, &run::by_hand().by, reason).await?)
}

/// Lets a schedule tick again. Returns the pause that stood until now.
pub async fn resume(
    project: &Project,
    environment: &Environment,
    name: &str,
) -> Result<Option<Pause>, RunError> {
    let control = open(project, environment, name).await?;
    Ok(control.resume_schedule(&project.name, name).await?)
}

async fn open(project: &Project, environment: &Environment, name: &str) -> Result<Control, RunError> {
    if !project.schedules.contains_key(name) {
        let names = project.schedules.keys().map(String::as_str);
        let hint = nearest(name, names.clone()).map(|name| format!("did you mean `{name}`?"));
        let hint = hint.or_else(|| {
            let names: Vec<&str> = names.collect();
            (!names.is_empty()).then(|| format!("it has {}", names.join(", ")))
        });
        return Err(RunError::Below(Box::new(UnknownSchedule { name: name.to_owned(), hint })));
    }
    let endpoint = reach::control_endpoint(project, environment)?;
    Ok(Control::open(&endpoint, &reach::control_schema(Mode::Production)).await?)
}

//! The overview, read once for all who look: as often as something happens, and no more.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::ViewError;
use crate::{
    config::{Environment, Project},
    control::{Control, KnownSchedule},
    error::Failure,
    run::{self, Overview},
};

/// How often it is asked whether anything happened.
const LOOKED_EVERY: Duration = Duration::from_millis(900);

/// What changes by time alone (how a deadline stands, whether a process is dead) is read anew so often.
const READ_EVERY: Duration = Duration::from_secs(20);

/// To read all of it may take one part of so many of the time, whatever happens and whoever looks.
const REST: u32 = 20;

/// While the control database does not answer, what it said last is shown for so long.
const SHOWN_ON: Duration = Duration::from_secs(10 * 60);

/// Where whoever shows something takes it from.
#[derive(Default)]
pub(in crate::serve) struct Desk {
    kept: Mutex<Option<Kept>>,
    /// Whoever has it reads; all others take what is there meanwhile.
    reading: tokio::sync::Mutex<()>,
    turns: Turns,
}

/// So many ask the control database for more than the overview at once: its other connections are for the service's
/// own work, which does not wait for readers.
const TURNS: usize = 2;

/// Turns of those.
#[derive(Clone)]
pub(in crate::serve) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TURNS)))
    }
}

impl Turns {
    /// Waits for a turn.
    pub(in crate::serve) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.0.clone().acquire_owned().await.ok()
    }
}

#[derive(Clone)]
struct Kept {
    project: Arc<Project>,
    overview: Arc<Overview>,
    schedules: Arc<[KnownSchedule]>,
    pulse: String,
    read_at: Instant,
    took: Duration,
    looked_at: Instant,
    trouble: Option<Failure>,
}

/// A look at the project as it is now.
#[derive(Clone)]
pub(in crate::serve) struct Look {
    pub(in crate::serve) project: Arc<Project>,
    pub(in crate::serve) control: Control,
    pub(in crate::serve) turns: Turns,
    pub(in crate::serve) overview: Arc<Overview>,
    /// What is known of its schedules.
    pub(in crate::serve) schedules: Arc<[KnownSchedule]>,
    /// Another text as soon as anything happened.
    pub(in crate::serve) pulse: String,
    /// Why it is not as of now.
    pub(in crate::serve) trouble: Option<Failure>,
    pub(in crate::serve) now: Timestamp,
    pub(in crate::serve) zone: TimeZone,
}

impl Desk {
    /// A look at everything, a second old at most where the control database has time for it.
    pub(in crate::serve) async fn look(
        &self,
        project: &Arc<Project>,
        environment: &Environment,
        control: Option<Control>,
        now: Timestamp,
    ) -> Result<Look, ViewError> {
        let control = control.ok_or(ViewError::NotReached)?;
        let kept = match self.kept(project) {
            Some(kept) if kept.looked_at.elapsed() < LOOKED_EVERY.max(kept.took * REST) => kept,
            Some(kept) => match self.reading.try_lock() {
                Ok(_guard) => self.again(kept, environment, &control).await?,
                Err(_) => kept,
            },
            None => {
                let _guard = self.reading.lock().await;
                match self.kept(project) {
                    Some(kept) => kept,
                    None => self.read(project, environment, &control).await?,
                }
            }
        };
        let Kept { project, overview, schedules, mut pulse, trouble, .. } = kept;
        if trouble.is_some() {
            pulse.push_str(" late");
        }
        let zone = project.zone();
        let turns = self.turns.clone();
        Ok(Look { project, control, turns, overview, schedules, pulse, trouble, now, zone })
    }

    /// What was read of this very project.
    fn kept(&self, project: &Arc<Project>) -> Option<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.filter(|kept| Arc::ptr_eq(&kept.project, project))
    }

    fn keep(&self, kept: Kept) -> Kept {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        kept
    }

    /// The same, or what is there now if anything happened.
    async fn again(
        &self,
        kept: Kept,
        environment: &Environment,
        control: &Control,
    ) -> Result<Kept, ViewError> {
        let looked_at = Instant::now();
        let read = async {
            let pulse = control.pulse(&kept.project.name).await?;
            if pulse == kept.pulse && kept.read_at.elapsed() < READ_EVERY {
                return Ok(self.keep(Kept { looked_at, trouble: None, ..kept.clone() }));
            }
            self.read(&kept.project, environment, control).await
        };
        match read.await {
            Err(error) if kept.read_at.elapsed() < SHOWN_ON => {
                let trouble = Some(super::failure(&error));
                Ok(self.keep(Kept { looked_at, trouble, ..kept }))
            }
            read => read,
        }
    }

    async fn read(
        &self,
        project: &Arc<Project>,
        environment: &Environment,
        control: &Control,
    ) -> Result<Kept, ViewError> {
        let begun = Instant::now();
        // What happens while it is read is seen by the next look.
        let pulse = control.pulse(&project.name).await?;
        let overview = Arc::new(run::overview(project, environment, control).await?);
        let schedules = match project.schedules.is_empty() {
            true => Vec::new(),
            false => control.known_schedules(&project.name).await?.1,
        };
        let now = Instant::now();
        Ok(self.keep(Kept {
            project: project.clone(),
            overview,
            schedules: schedules.into(),
            pulse,
            read_at: now,
            took: now - begun,
            looked_at: begun,
            trouble: None,
        }))
    }
}

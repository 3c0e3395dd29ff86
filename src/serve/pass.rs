//! One pass of the loop: who leads, what is due, what is begun.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    begin::{self, TicksRun},
    decide::{self, Act, Known},
    health::Role,
    in_a_line,
    life::Life,
};
use crate::{
    control::{Control, ControlError, Lease, OpenTick, Outlook, Tick, Timing},
    error::Fault,
    fail_point,
    run::{self, Mode, RunError, reach},
};

/// What `/readyz` calls it.
pub(super) const CONTROL: &str = "the control database";

/// A service that is away for longer leads no more: with the looks of those that stand by, that is less than 15 s.
const TIMING: Timing =
    Timing { ttl: Duration::from_secs(11), renew: Duration::from_secs(3), grace: Duration::from_secs(2) };

/// How often who stands by looks whether somebody leads.
const STAND_BY: Duration = Duration::from_millis(1500);

/// How often who leads looks, where nothing is due earlier.
const LOOK: Duration = Duration::from_secs(5);

/// Two passes are no closer to each other.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// How often deadlines are looked at that no run works for, and messages that wait.
const ALERTS_EVERY: Duration = Duration::from_secs(60);

impl Life {
    /// Looks at what is due and does it. How long there is nothing to do.
    pub(super) async fn pass(&mut self) -> Result<Duration, ServiceError> {
        fail_point!("serve.pass");
        let control = self.control().await?;
        let project = self.shared.project();
        let Some(lease) = self.lead(&control, &project.name).await? else {
            self.shared.health.has(CONTROL);
            self.shared.health.is_now(Role::Standby);
            return Ok(STAND_BY);
        };
        if !self.are_kept {
            let definition = |schedule: &crate::config::Schedule| schedule.definition(&project.timezone);
            let kept: Vec<(String, String)> = project
                .schedules
                .iter()
                .map(|(name, schedule)| (name.clone(), definition(schedule)))
                .collect();
            if let Err(error) = control.keep_schedules(&project.name, &kept).await {
                self.lease = Some(lease);
                return Err(error.into());
            }
            self.are_kept = true;
        }
        let done = self.look_and_act(&control, &lease).await;
        self.lease = Some(lease);
        let pause = done?;
        self.shared.health.has(CONTROL);
        self.shared.health.is_now(Role::Leader);
        self.tend_alerts(&control);
        Ok(pause)
    }

    async fn look_and_act(&mut self, control: &Control, lease: &Lease) -> Result<Duration, ControlError> {
        let (project, session) = (self.shared.project(), control.session_id().await?);
        let (zone, asked_at) = (project.zone(), Instant::now());
        let outlook = control.outlook(&project.name).await?;
        let known = Known {
            schedules: &project.schedules,
            zone: &zone,
            outlook: &outlook,
            mine: &self.mine,
            session: &session,
        };
        for act in decide::decide(&known) {
            if lease.is_lost() {
                break;
            }
            self.act(control, lease, &project.name, act).await?;
        }
        let next = project.schedules.iter().filter_map(|(name, schedule)| {
            let known = outlook.schedules.iter().find(|known| known.schedule == *name);
            decide::next(schedule, &zone, outlook.now, known)
        });
        let next = next.min().map_or(LOOK, |at| until(&outlook, at));
        Ok(next.saturating_sub(asked_at.elapsed()).clamp(PAUSE_MIN, LOOK))
    }

    async fn act(
        &mut self,
        control: &Control,
        lease: &Lease,
        project: &str,
        act: Act,
    ) -> Result<(), ControlError> {
        match act {
            Act::Begin { tick, late, passed_over } => {
                if control.take_tick(lease, project, &tick, passed_over).await? {
                    tell_begun(&tick, late, passed_over);
                    self.begin(control, tick, late, None);
                }
            }
            Act::TakeOver(open) => {
                if control.take_tick_over(lease, project, &open).await? {
                    self.take_over(control, open);
                }
            }
            Act::Settle { tick, status } => control.end_tick(project, &tick, &status, None).await?,
            Act::Pass { tick, passed_over, status, why } => {
                if control.pass_tick(lease, project, &tick, passed_over, (status, &why)).await? {
                    let Tick { schedule, at } = &tick;
                    tracing::warn!(schedule, tick = %at, why, "tick {status}");
                }
            }
            Act::GiveUp { tick, why } => {
                let Tick { schedule, at } = &tick;
                tracing::warn!(schedule, tick = %at, why, "tick given up");
                control.end_tick(project, &tick, "given_up", Some(&why)).await?;
            }
        }
        Ok(())
    }

    fn take_over(&mut self, control: &Control, open: OpenTick) {
        let Tick { schedule, at } = &open.tick;
        let run = open.run.map(|run| run.run);
        tracing::warn!(schedule, tick = %at, run, "a tick whose run was interrupted is gone on with");
        self.begin(control, open.tick, Duration::ZERO, run);
    }

    /// Starts the run of a tick that this process has.
    fn begin(&mut self, control: &Control, tick: Tick, late: Duration, resumed: Option<String>) {
        let project = self.shared.project();
        // It was there when it was decided about, and only this task changes it.
        let Some(schedule) = project.schedules.get(&tick.schedule).cloned() else { return };
        let run = TicksRun {
            shared: self.shared.clone(),
            project,
            schedule,
            tick: tick.clone(),
            late,
            resumed,
            control: control.clone(),
            watch: self.watch.clone(),
            jobs: self.setup.jobs,
            drain: self.drain.clone(),
            cancel: self.cancel.clone(),
        };
        self.busy.send_replace(true);
        let id = self.runs.spawn(begin::to_its_end(run)).id();
        self.doing.insert(id, tick.clone());
        self.mine.insert(tick);
    }

    /// The control database, opened if it is not yet.
    async fn control(&mut self) -> Result<Control, ServiceError> {
        if let Some(control) = self.shared.control() {
            return Ok(control);
        }
        let project = self.shared.project();
        let endpoint = reach::control_endpoint(&project, &self.shared.environment)?;
        let control = Control::open_with(&endpoint, &reach::control_schema(Mode::Production), TIMING).await?;
        *self.shared.lock_control() = Some(control.clone());
        Ok(control)
    }

    /// The lease of the service that leads, if this one does.
    async fn lead(&mut self, control: &Control, project: &str) -> Result<Option<Lease>, ControlError> {
        if let Some(lease) = self.lease.take() {
            if !lease.is_lost() {
                return Ok(Some(lease));
            }
            tracing::warn!(
                "this service leads no more: the control database was out of its reach for too long"
            );
        }
        let lease = control.lead(project).await?;
        // Whoever led before may have had another project.
        self.are_kept &= lease.is_none();
        Ok(lease)
    }

    /// Tells people of what no run tells them, and sends what waits, beside the loop.
    fn tend_alerts(&mut self, control: &Control) {
        let is_due = self.alerts_at.is_none_or(|at| at.elapsed() >= ALERTS_EVERY);
        let is_done = self.alerts.as_ref().is_none_or(tokio::task::JoinHandle::is_finished);
        if !is_due || !is_done {
            return;
        }
        self.alerts_at = Some(Instant::now());
        let (shared, control) = (self.shared.clone(), control.clone());
        self.alerts = Some(tokio::spawn(async move {
            if let Err(error) = run::tend_alerts(&shared.project(), &shared.environment, &control).await {
                tracing::warn!(
                    error = in_a_line(&error),
                    "alerts were not looked after; it is tried again in a minute"
                );
            }
        }));
    }
}

fn tell_begun(tick: &Tick, late: Duration, passed_over: u32) {
    let Tick { schedule, at } = tick;
    match late.as_secs() {
        0..60 => tracing::info!(schedule, tick = %at, "tick"),
        late_seconds => {
            tracing::warn!(schedule, tick = %at, late_seconds, passed_over, "a missed tick is made up for")
        }
    }
}

fn until(outlook: &Outlook, at: jiff::Timestamp) -> Duration {
    Duration::try_from(at.duration_since(outlook.now)).unwrap_or_default()
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Fault for ServiceError {
    fn class(&self) -> crate::error::Class {
        match self {
            Self::Control(error) => error.class(),
            Self::Run(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Control(error) => error.hint(),
            Self::Run(error) => error.hint(),
        }
    }
}

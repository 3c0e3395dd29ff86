//! `schedules`: when the service runs what, and pausing it.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    Context,
    args::{SchedulesArgs, SchedulesCommand},
    columns,
    complaint::Complaint,
    exit::Exit,
    moment,
};
use crate::{
    control::{HeldBy, PastTick, Pause},
    serve::{self, Shown, ShownSchedule},
};

#[derive(Debug, Serialize)]
struct Listed<'a> {
    service: Option<Service<'a>>,
    schedules: Vec<Schedule<'a>>,
}

/// The service that leads.
#[derive(Debug, Serialize)]
pub(super) struct Service<'a> {
    host: &'a str,
    pid: i64,
    since: Timestamp,
}

#[derive(Debug, Serialize)]
pub(super) struct Schedule<'a> {
    schedule: &'a str,
    times: String,
    select: &'a str,
    next_at: Option<Timestamp>,
    paused_at: Option<Timestamp>,
    paused_by: Option<&'a str>,
    paused_reason: Option<&'a str>,
    last: Option<Last<'a>>,
}

#[derive(Debug, Serialize)]
struct Last<'a> {
    tick: Timestamp,
    begun_at: Timestamp,
    /// As a run's, or `skipped`, `missed`, `given_up`; absent while it goes on.
    status: Option<&'a str>,
    run: Option<&'a str>,
    why: Option<&'a str>,
    /// Earlier ticks that nobody was there for.
    passed_over: u32,
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    schedule: &'a str,
    /// Whether it was otherwise before.
    changed: bool,
}

/// Lists the schedules, or pauses or resumes one.
pub(super) async fn schedules(context: &Context, args: SchedulesArgs) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    match args.command {
        None => {
            let shown = serve::look(&project, &environment).await?;
            list(context, &shown, &project.zone())?;
        }
        Some(SchedulesCommand::Pause { name, reason }) => {
            let before = serve::pause(&project, &environment, &name, reason.as_deref()).await?;
            let text = match &before {
                None => format!("{name}   paused; `barncat schedules resume {name}` ends that\n"),
                Some(pause) => format!("{name}   {}\n", paused(pause)),
            };
            tell(context, &name, before.is_none(), &text)?;
        }
        Some(SchedulesCommand::Resume { name }) => {
            let before = serve::resume(&project, &environment, &name).await?;
            let text = match &before {
                Some(pause) => format!("{name}   resumed; it was {}\n", paused(pause)),
                None => format!("{name}   was not paused\n"),
            };
            tell(context, &name, before.is_some(), &text)?;
        }
    }
    Ok(Exit::Done)
}

fn tell(context: &Context, schedule: &str, changed: bool, text: &str) -> Result<(), Complaint> {
    match context.output.is_json() {
        true => context.output.json(&Done { schedule, changed })?,
        false => context.output.data(text)?,
    }
    Ok(())
}

fn paused(pause: &Pause) -> String {
    let reason = pause.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("paused since {} by {}{reason}", moment(pause.at), pause.by)
}

fn list(context: &Context, shown: &Shown, zone: &TimeZone) -> Result<(), Complaint> {
    if context.output.is_json() {
        context.output.json(&Listed {
            service: shown.leader.as_ref().map(Service::from),
            schedules: shown.schedules.iter().map(Schedule::from).collect(),
        })?;
        return Ok(());
    }
    if shown.schedules.is_empty() {
        context.output.say("the project has no schedule: [schedules] nightly = { cron = \"0 1 * * *\" }");
        return Ok(());
    }
    context.output.data(&text(shown, zone))?;
    Ok(())
}

/// A line a schedule, in the project's time zone, and whether anybody runs them.
pub(super) fn text(shown: &Shown, zone: &TimeZone) -> String {
    let titles = ["schedule", "times", "select", "next", "last", ""];
    let local = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%F %T %Z").to_string();
    let rows = shown.schedules.iter().map(|one| {
        let next = one.next.map_or_else(|| "paused".to_owned(), local);
        let last = one.last.as_ref().map(|last| local(last.tick.at)).unwrap_or_default();
        let note =
            one.paused.as_ref().map(paused).or_else(|| one.last.as_ref().map(ended)).unwrap_or_default();
        let schedule = &one.schedule;
        vec![one.name.clone(), schedule.times.to_string(), schedule.select.clone(), next, last, note]
    });
    format!("{}{}", columns::lay(&titles, rows), service(shown.leader.as_ref()))
}

/// `by loader-1, pid 7`.
fn service(leader: Option<&HeldBy>) -> String {
    match leader {
        Some(by) => format!("service on {}, pid {}   since {}\n", by.host, by.pid, moment(by.since)),
        None => "no service runs: `barncat serve` runs the schedules\n".to_owned(),
    }
}

fn ended(last: &PastTick) -> String {
    let status = last.status.as_deref().unwrap_or("running").replace('_', " ");
    match (&last.why, &last.run) {
        (Some(why), _) => format!("{status}: {why}"),
        (None, Some(run)) => format!("{status}, run {run}"),
        (None, None) => status,
    }
}

impl<'a> From<&'a HeldBy> for Service<'a> {
    fn from(by: &'a HeldBy) -> Self {
        Self { host: &by.host, pid: by.pid, since: by.since }
    }
}

impl<'a> From<&'a ShownSchedule> for Schedule<'a> {
    fn from(one: &'a ShownSchedule) -> Self {
        let paused = one.paused.as_ref();
        let last = one.last.as_ref().map(|last| Last {
            tick: last.tick.at,
            begun_at: last.begun_at,
            status: last.status.as_deref(),
            run: last.run.as_deref(),
            why: last.why.as_deref(),
            passed_over: last.passed_over,
        });
        Self {
            schedule: &one.name,
            times: one.schedule.times.to_string(),
            select: &one.schedule.select,
            next_at: one.next,
            paused_at: paused.map(|pause| pause.at),
            paused_by: paused.map(|pause| pause.by.as_str()),
            paused_reason: paused.and_then(|pause| pause.reason.as_deref()),
            last,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::{self, CronTimes, Place, Times},
        control::Tick,
    };

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn schedule(times: Times) -> config::Schedule {
        config::Schedule {
            times,
            delay: Duration::ZERO,
            make_up: Duration::ZERO,
            select: "tag:hot+".to_owned(),
            select_place: Place { file: "barncat.toml".to_owned(), line: 1, column: 1 },
            rebuild: false,
        }
    }

    #[test]
    fn schedules_are_shown_in_the_projects_zone_with_what_became_of_the_last_tick() {
        let tick = |schedule: &str, status: &str, why: Option<&str>| PastTick {
            tick: Tick { schedule: schedule.to_owned(), at: time("2026-07-01T00:00:00Z") },
            run: Some("01JD3RUN".to_owned()),
            status: Some(status.to_owned()),
            why: why.map(str::to_owned),
            begun_at: time("2026-07-01T00:00:00Z"),
            passed_over: 0,
        };
        let cron = Times::Cron(Box::new(CronTimes::parse("0 1 * * *").expect("a cron expression")));
        let every = || Times::Every(Duration::from_secs(1800));
        let pause = Pause {
            at: time("2026-07-01T05:00:00Z"),
            by: "ana@desk".to_owned(),
            reason: Some("mending".to_owned()),
        };
        let one = |name: &str, times, paused: Option<Pause>, last| ShownSchedule {
            name: name.to_owned(),
            schedule: schedule(times),
            next: paused.is_none().then(|| time("2026-07-02T00:00:00Z")),
            paused,
            last,
        };
        let skipped = tick("hot", "skipped", Some("the run before had not ended"));
        let shown = Shown {
            leader: Some(HeldBy {
                run: String::new(),
                what: "serve".to_owned(),
                host: "loader-1".to_owned(),
                pid: 7,
                since: time("2026-06-30T05:00:00Z"),
            }),
            schedules: vec![
                one("hot", every(), None, Some(skipped)),
                one("new", every(), None, None),
                one("nightly", cron, None, Some(tick("nightly", "degraded", None))),
                one("quiet", every(), Some(pause), None),
            ],
        };
        let zone = TimeZone::get("Europe/London").expect("a time zone");
        insta::assert_snapshot!(text(&shown, &zone));
        let alone = Shown { leader: None, schedules: Vec::new() };
        assert!(text(&alone, &zone).contains("no service runs"));
    }
}

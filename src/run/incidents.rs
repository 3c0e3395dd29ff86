//! Incidents and channels by hand: looking at what is open, quieting it, trying the channels.

use std::time::Duration;

use jiff::Timestamp;

use super::{Mode, RunError, deadlines, myself, reach};
use crate::{
    alert::{AlertError, Channels, Delivered, Message, Off, deliver},
    clock::{self, Clock},
    config::{Environment, Project},
    control::{Control, KeptIncident, Mute, Waiting},
    event::Tier,
    incident::{Alarm, AlarmKind, Notice, Telling},
};

/// What is open, and what is quiet.
#[derive(Debug, Default)]
pub struct Incidents {
    /// The latest first.
    pub incidents: Vec<KeptIncident>,
    /// What nobody wants to hear of.
    pub mutes: Vec<Mute>,
    /// Messages that should have been sent by now.
    pub waiting: Vec<Waiting>,
}

/// Incidents of the project; those that recovered too with `all`. Connects to the control database alone, and
/// changes nothing.
pub async fn incidents(
    project: &Project,
    environment: &Environment,
    all: bool,
    limit: u32,
) -> Result<Incidents, RunError> {
    let endpoint = reach::control_endpoint(project, environment)?;
    let schema = reach::control_schema(Mode::Production);
    let Some(control) = Control::open_existing(&endpoint, &schema).await? else {
        return Ok(Incidents::default());
    };
    Ok(Incidents {
        incidents: control.incidents(&project.name, all, limit).await?,
        mutes: control.mutes(&project.name).await?,
        waiting: control.waiting_messages(&project.name).await?,
    })
}

/// An incident that somebody is at.
#[derive(Debug)]
pub struct Acknowledged {
    /// The incident, as it was before.
    pub incident: KeptIncident,
    /// Whether nobody was before.
    pub is_news: bool,
}

/// How long a command waits for messages to be sent.
const LIMIT: Duration = Duration::from_secs(20);

/// How many incidents are looked through for an id's beginning.
const LOOKED_THROUGH: u32 = 1_000;

/// Says that somebody is at an open incident, given by its id or the beginning of it.
pub async fn acknowledge(
    project: &Project,
    environment: &Environment,
    id: &str,
) -> Result<Acknowledged, RunError> {
    let control = open(project, environment).await?;
    let open = control.incidents(&project.name, false, LOOKED_THROUGH).await?;
    let incident = only(&open, id)?.clone();
    let channels = Channels::of(project, environment);
    let route = |notice: &Notice| channels.router.route(notice);
    let is_news = control.acknowledge(&project.name, &incident.incident.id, &myself(), route).await?;
    if is_news && let Err(error) = deliver(&control, &channels, LIMIT).await {
        tracing::warn!(%error, "the alerts that wait could not be read");
    }
    close(control).await;
    Ok(Acknowledged { incident, is_news })
}

/// Mutes a task, by its name, or an incident, by its id or the beginning of it.
pub async fn mute(
    project: &Project,
    environment: &Environment,
    what: &str,
    span: Duration,
) -> Result<Mute, RunError> {
    let control = open(project, environment).await?;
    let what = meant(&control, &project.name, what).await?;
    Ok(control.mute(&project.name, &what, span, &myself()).await?)
}

/// Ends a mute. `false`: there was none.
pub async fn unmute(
    project: &Project,
    environment: &Environment,
    what: &str,
) -> Result<(String, bool), RunError> {
    let control = open(project, environment).await?;
    let mutes = control.mutes(&project.name).await?;
    let is_it = |mute: &&Mute| mute.what == what || mute.what.ends_with(&format!(".{what}"));
    let what = match mutes.iter().find(is_it) {
        Some(mute) => mute.what.clone(),
        None => meant(&control, &project.name, what).await?,
    };
    let was = control.unmute(&project.name, &what).await?;
    Ok((what, was))
}

/// Looks at deadlines that no run works for, and sends what waits in the outbox and is due. Answers with what still
/// waits, too.
pub async fn send_alerts(
    project: &Project,
    environment: &Environment,
) -> Result<(Delivered, Vec<Waiting>), RunError> {
    let control = open(project, environment).await?;
    let delivered = tend_alerts(project, environment, &control).await?;
    let waiting = control.waiting_messages(&project.name).await?;
    close(control).await;
    Ok((delivered, waiting))
}

/// The same, for who has the control database open and comes by again and again.
pub async fn tend_alerts(
    project: &Project,
    environment: &Environment,
    control: &Control,
) -> Result<Delivered, RunError> {
    let channels = Channels::of(project, environment);
    let route = |notice: &Notice| channels.router.route(notice);
    control.settle_incidents(&project.name, route).await?;
    match deadlines::tell_idle(project, environment, control).await {
        Ok(seen) => {
            for observation in seen {
                control.observe(&project.name, &observation, route).await?;
            }
        }
        // What waits already is sent all the same.
        Err(error) => tracing::warn!(%error, "how the deadlines stand is not known"),
    }
    Ok(deliver(control, &channels, LIMIT).await?)
}

/// A channel that was tried.
#[derive(Debug)]
pub struct Tried {
    /// Its name.
    pub channel: &'static str,
    /// What came of it.
    pub result: Result<(), AlertError>,
}

/// Sends a message by each channel, or by one, and calls the heartbeat. Connects to nothing else.
pub async fn test_channels(
    project: &Project,
    environment: &Environment,
    only: Option<&str>,
) -> (Vec<Tried>, Vec<Off>) {
    let channels = Channels::of(project, environment);
    let mut tried = Vec::new();
    for name in channels.names() {
        if only.is_none_or(|only| only == name)
            && let Some(channel) = channels.get(name)
        {
            tried.push(Tried { channel: name, result: test(channel, &project.name).await });
        }
    }
    if only.is_none_or(|only| only == "heartbeat")
        && let Some(heartbeat) = &channels.heartbeat
    {
        tried.push(Tried { channel: "heartbeat", result: heartbeat.beat().await });
    }
    (tried, channels.off)
}

/// What wakes somebody is ended at once.
async fn test(channel: &dyn crate::alert::Channel, project: &str) -> Result<(), AlertError> {
    let id = clock::new_id();
    let notice = |event| test_notice(event, &id, project, clock::System.now());
    let said = |notice: &Notice| {
        let mark = format!("{project}/test/{id}/{:?}", notice.event);
        let notices = [notice.clone()];
        (mark, notices)
    };
    let (mark, notices) = said(&notice(Telling::Test));
    let message = Message {
        notices: &notices,
        address: "main",
        loud: false,
        thread: None,
        doubtful: false,
        mark: &mark,
    };
    let receipt = channel.send(&message).await?;
    // Slack takes one message a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (mark, notices) = said(&notice(Telling::Recovered));
    let message = Message { notices: &notices, thread: receipt.as_ref(), mark: &mark, ..message };
    channel.send(&message).await.map(drop)
}

fn test_notice(event: Telling, id: &str, project: &str, at: Timestamp) -> Notice {
    let alarm = Alarm {
        task: Some("a test".to_owned()),
        command: "barncat alert test".to_owned(),
        ..Alarm::of_task(AlarmKind::Deadline, Tier::Critical, "", format!("a test by {}", myself()))
    };
    Notice {
        event,
        at,
        project: project.to_owned(),
        incident: id.to_owned(),
        opened_at: at,
        recovered_at: (event == Telling::Recovered).then_some(at),
        times: 1,
        acknowledged_by: None,
        alarm,
    }
}

/// What a name means: an incident, a task that an incident is about, or one of the past.
async fn meant(control: &Control, project: &str, name: &str) -> Result<String, RunError> {
    let incidents = control.incidents(project, true, LOOKED_THROUGH).await?;
    if let Ok(found) = only(&incidents, name) {
        return Ok(found.incident.id.clone());
    }
    let of_incidents = incidents.iter().filter_map(|kept| kept.incident.alarm.task.clone());
    let mut tasks: Vec<String> = control.task_names().await?.into_iter().chain(of_incidents).collect();
    tasks.sort();
    tasks.dedup();
    tasks.retain(|task| task == name || task.ends_with(&format!(".{name}")));
    match tasks.as_slice() {
        [task] => Ok(task.clone()),
        [] => Err(RunError::NoIncident { name: name.to_owned() }),
        _ => Err(RunError::Several { name: name.to_owned(), tasks }),
    }
}

fn only<'a>(incidents: &'a [KeptIncident], id: &str) -> Result<&'a KeptIncident, RunError> {
    let upper = id.to_uppercase();
    let mut found = incidents.iter().filter(|kept| !upper.is_empty() && kept.incident.id.starts_with(&upper));
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(first), Some(second)) => {
            let tasks = vec![first.incident.id.clone(), second.incident.id.clone()];
            Err(RunError::Several { name: id.to_owned(), tasks })
        }
        _ => Err(RunError::NoIncident { name: id.to_owned() }),
    }
}

async fn open(project: &Project, environment: &Environment) -> Result<Control, RunError> {
    let endpoint = reach::control_endpoint(project, environment)?;
    Ok(Control::open(&endpoint, &reach::control_schema(Mode::Production)).await?)
}

async fn close(control: Control) {
    if let Err(error) = control.close().await {
        tracing::warn!(%error, "the session with the control database was not closed; it ends by itself");
    }
}

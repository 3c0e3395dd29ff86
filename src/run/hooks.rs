//! Hooks: other programs that are told of what happens, beside the run.
//!
//! They stand in the stream of events and can neither hold it up nor change what is in it. They have slots of
//! their own; the run's end waits for those that are under way, for as long as the longest may take. What
//! becomes of one is told and changes nothing.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Mode,
    command::{self, CommandError, Program},
    tasks::Tasks,
};
use crate::{
    clock::{self, Clock},
    config::{HookSpec, Occasion, Project},
    dag::Facts,
    error::Failure,
    event::{Event, RunOutcome, TaskOutcome},
};

/// How many run at once of those that are told of tasks.
const SLOTS: usize = 4;

/// How many events may wait to be looked at.
const EVENTS_WAITING: usize = 1024;

/// How long hooks have when the run was stopped: who stops it waits.
const STOPPED_WAIT: Duration = Duration::from_secs(5);

/// What the longest hook has beyond its limit, so that its own end is told and not the run's.
const SLACK: Duration = Duration::from_secs(1);

/// The hooks of a run.
pub(super) struct Hooks {
    events: mpsc::Sender<Event>,
    chosen: Arc<OnceLock<Chosen>>,
    telling: Option<JoinHandle<Vec<String>>>,
}

/// Of which tasks each hook is told; one that is not in it: of all. What could not be selected, in words.
type Chosen = (BTreeMap<String, HashSet<String>>, Vec<String>);

impl Hooks {
    /// Sets them up between a run and who watches it.
    pub(super) fn of(
        project: &Project,
        mode: Mode,
        run: &str,
        watched: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Self {
        let is_on = |hook: &&HookSpec| mode == Mode::Production || hook.test;
        let hooks: Vec<Arc<HookSpec>> =
            project.hooks.iter().filter(is_on).map(|hook| Arc::new(hook.clone())).collect();
        let chosen = Arc::new(OnceLock::new());
        if hooks.is_empty() {
            return Self { events: watched, chosen, telling: None };
        }
        let (events, taken) = mpsc::channel(EVENTS_WAITING);
        let about = About {
            project: project.name.clone(),
            folder: project.dir.clone(),
            run: run.to_owned(),
            mode: mode.to_string(),
        };
        let teller = Teller {
            hooks,
            about: Arc::new(about),
            chosen: chosen.clone(),
            watched,
            cancel,
            slots: Arc::new(Semaphore::new(SLOTS)),
            under_way: JoinSet::new(),
            waiting: BTreeMap::new(),
            failed: BTreeMap::new(),
        };
        Self { events, chosen, telling: Some(tokio::spawn(teller.follow(taken).in_current_span())) }
    }

    /// Where the run's events go.
    pub(super) fn events(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }

    /// Looks up of which tasks each is told, before the first event of a task.
    pub(super) fn choose(&self, project: &Project, tasks: &Tasks) {
        let mut chosen = Chosen::default();
        for hook in &project.hooks {
            let Some((select, _)) = &hook.select else { continue };
            let found = tasks.graph.select(&Facts::default(), std::slice::from_ref(select), &[]);
            // What selects nothing today is no reason to keep the run from going.
            let found = found.unwrap_or_else(|error| {
                chosen.1.push(format!("hook `{}` is told of no task: {error}", hook.name));
                Vec::new()
            });
            let names = found.into_iter().map(|task| tasks.job(task).name()).collect();
            chosen.0.insert(hook.name.clone(), names);
        }
        let _ = self.chosen.set(chosen);
    }

    /// Tells of the run's end and waits for what is under way; answers what went wrong.
    pub(super) async fn end(self, outcome: &RunOutcome) -> Vec<String> {
        let Some(telling) = self.telling else { return Vec::new() };
        let _ = self.events.send(Event::RunFinished(Box::new(outcome.clone()))).await;
        telling.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the hooks ended by themselves");
            vec!["the hooks ended by themselves: a bug in barncat".to_owned()]
        })
    }
}

/// What every hook is told of the run.
struct About {
    project: String,
    folder: PathBuf,
    run: String,
    mode: String,
}

/// What a hook gets on stdin.
#[derive(Serialize)]
struct Told<'a> {
    event: &'static str,
    hook: &'a str,
    at: Timestamp,
    project: &'a str,
    run: &'a str,
    mode: &'a str,
    task: Option<&'a str>,
    retry: Option<Retry<'a>>,
    outcome: Option<Outcome<'a>>,
}

#[derive(Serialize)]
struct Retry<'a> {
    attempt: u32,
    attempts_max: u32,
    next_in_seconds: f64,
    error: &'a Failure,
}

/// As `run --output json` has it.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Task(&'a TaskOutcome),
    Run(&'a RunOutcome),
}

/// A hook that was started: which one, about which task, what came of it.
type Ended = (Arc<HookSpec>, Option<String>, Result<(), String>);

struct Teller {
    hooks: Vec<Arc<HookSpec>>,
    about: Arc<About>,
    chosen: Arc<OnceLock<Chosen>>,
    watched: mpsc::Sender<Event>,
    cancel: CancellationToken,
    slots: Arc<Semaphore>,
    under_way: JoinSet<Ended>,
    /// How many of each hook have not ended.
    waiting: BTreeMap<String, usize>,
    /// How often each failed, and how the first time.
    failed: BTreeMap<String, (usize, String)>,
}

impl Teller {
    /// Passes events on and starts hooks, up to the run's end; answers what went wrong.
    async fn follow(mut self, mut events: mpsc::Receiver<Event>) -> Vec<String> {
        loop {
            tokio::select! {
                Some(ended) = self.under_way.join_next() => if let Ok(ended) = ended { self.take(ended).await },
                event = events.recv() => match event {
                    // The run was given up.
                    None => return Vec::new(),
                    Some(event @ Event::RunFinished(_)) => {
                        self.tell(&event);
                        break;
                    }
                    // Only the newest counts: it may be lost, and waits for nobody.
                    Some(event @ Event::TaskProgress { .. }) => drop(self.watched.try_send(event)),
                    Some(event) => {
                        self.tell(&event);
                        let _ = self.watched.send(event).await;
                    }
                },
            }
        }
        self.end().await
    }

    /// Starts the hooks that are to be told of an event.
    fn tell(&mut self, event: &Event) {
        let occasions = occasions(event);
        if occasions.is_empty() {
            return;
        }
        let task = task_of(event);
        let none = Chosen::default();
        for hook in self.hooks.clone() {
            let Some(occasion) = hook.on.iter().find(|occasion| occasions.contains(occasion)) else {
                continue;
            };
            let chosen = self.chosen.get().unwrap_or(&none).0.get(&hook.name);
            if let (Some(task), Some(chosen)) = (task, chosen)
                && !chosen.contains(task)
            {
                continue;
            }
            let input = self.about.told(&hook, *occasion, event);
            let variables = self.about.variables(*occasion, event);
            let (about, slots, task) = (self.about.clone(), self.slots.clone(), task.map(str::to_owned));
            *self.waiting.entry(hook.name.clone()).or_default() += 1;
            self.under_way.spawn(async move {
                // There is one run: who is told of it waits for nobody.
                let _slot = match task {
                    Some(_) => slots.acquire_owned().await.ok(),
                    None => None,
                };
                let ended = start(&hook, &about, &variables, &input).await;
                (hook, task, ended)
            });
        }
    }

    /// What came of one: a failure is told, once for each hook in the run's outcome.
    async fn take(&mut self, (hook, task, ended): Ended) {
        if let Some(left) = self.waiting.get_mut(&hook.name) {
            *left -= 1;
        }
        let Err(why) = ended else { return };
        let about = task.as_ref().map_or_else(|| "the run".to_owned(), Clone::clone);
        let message = format!("hook `{}`, told of {about}: {why}", hook.name);
        let (times, _) = self.failed.entry(hook.name.clone()).or_insert_with(|| (0, message.clone()));
        *times += 1;
        let _ = self.watched.send(Event::Warning { task, message }).await;
    }

    /// Waits for what is under way, but not for ever.
    async fn end(mut self) -> Vec<String> {
        let longest = self.hooks.iter().map(|hook| hook.time_limit).max().unwrap_or_default();
        let cancel = self.cancel.clone();
        let over = async {
            tokio::select! {
                () = sleep(longest + SLACK) => "the run had ended",
                () = async { cancel.cancelled().await; sleep(STOPPED_WAIT).await } => "the run was stopped",
            }
        };
        tokio::pin!(over);
        let given_up = loop {
            tokio::select! {
                biased;
                ended = self.under_way.join_next() => match ended {
                    None => break None,
                    Some(Ok(ended)) => self.take(ended).await,
                    Some(Err(error)) => tracing::error!(%error, "a hook ended by itself"),
                },
                why = &mut over => break Some(why),
            }
        };
        let mut warnings = self.chosen.get().map(|(_, mistakes)| mistakes.clone()).unwrap_or_default();
        if let Some(why) = given_up {
            self.under_way.shutdown().await;
            for (hook, left) in self.waiting.iter().filter(|(_, left)| **left > 0) {
                warnings.push(format!("hook `{hook}` was given up {}: {why}", times(*left)));
            }
        }
        for message in &warnings {
            let _ = self.watched.send(Event::Warning { task: None, message: message.clone() }).await;
        }
        warnings.extend(self.failed.into_values().map(|(count, first)| match count {
            1 => first,
            count => format!("{first} (it failed {})", times(count)),
        }));
        warnings
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// One start of one hook.
async fn start(
    hook: &HookSpec,
    about: &About,
    variables: &[(&'static str, String)],
    input: &[u8],
) -> Result<(), String> {
    let program = Program { command: &hook.command, folder: &about.folder, variables, input };
    // It has its own limit; a run that is stopped gives it the time to tell so.
    let never = CancellationToken::new();
    match timeout(hook.time_limit, command::run(&program, &never)).await {
        Ok(ended) => ended.map_err(|error: CommandError| error.to_string()),
        Err(_) => Err(format!("it took longer than {} s and was killed", clock::seconds(hook.time_limit))),
    }
}

impl About {
    fn told(&self, hook: &HookSpec, occasion: Occasion, event: &Event) -> Vec<u8> {
        let retry = match event {
            Event::TaskRetry { attempt, attempts_max, next_in_seconds, failure, .. } => Some(Retry {
                attempt: *attempt,
                attempts_max: *attempts_max,
                next_in_seconds: *next_in_seconds,
                error: failure,
            }),
            _ => None,
        };
        let told = Told {
            event: occasion.name(),
            hook: &hook.name,
            at: clock::System.now(),
            project: &self.project,
            run: &self.run,
            mode: &self.mode,
            task: task_of(event),
            retry,
            outcome: match event {
                Event::TaskFinished(outcome) => Some(Outcome::Task(outcome)),
                Event::RunFinished(outcome) => Some(Outcome::Run(outcome)),
                _ => None,
            },
        };
        let mut text = serde_json::to_vec(&told).expect("plain data with text as keys is JSON");
        text.push(b'\n');
        text
    }

    fn variables(&self, occasion: Occasion, event: &Event) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("BARNCAT_EVENT", occasion.name().to_owned()),
            ("BARNCAT_RUN", self.run.clone()),
            ("BARNCAT_MODE", self.mode.clone()),
        ];
        variables.extend(task_of(event).map(|task| ("BARNCAT_TASK", task.to_owned())));
        let ended = occasions(event).into_iter().find_map(|occasion| match occasion {
            Occasion::TaskEnded(_) | Occasion::RunEnded(_) => occasion.name().split_once('.'),
            _ => None,
        });
        variables.extend(ended.map(|(_, status)| ("BARNCAT_STATUS", status.to_owned())));
        variables
    }
}

/// The task that an event is about.
fn task_of(event: &Event) -> Option<&str> {
    match event {
        Event::TaskFinished(outcome) => Some(&outcome.task),
        Event::TaskRetry { task, .. } => Some(task),
        _ => None,
    }
}

/// What an event is, for who is told of it.
fn occasions(event: &Event) -> Vec<Occasion> {
    match event {
        Event::TaskRetry { .. } => vec![Occasion::TaskRetry],
        Event::TaskFinished(outcome) => {
            let published = outcome.publish.is_some().then_some(Occasion::TaskPublished);
            let ended = [Occasion::TaskEnded(outcome.status), Occasion::TaskFinished];
            ended.into_iter().chain(published).collect()
        }
        Event::RunFinished(outcome) => vec![Occasion::RunEnded(outcome.status), Occasion::RunFinished],
        _ => Vec::new(),
    }
}

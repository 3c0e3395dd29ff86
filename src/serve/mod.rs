//! The service: schedules, health, and what of a project can be seen over HTTP. One process that stays.
//!
//! It starts runs and is no other way to run: each tick of a schedule is `run::run`, as the command line calls it.
//! What must not happen twice is kept from it by rows of the control database, by its clock: one service leads, and
//! a tick is one row, whose inserter runs it. Nothing here knows a table.

mod begin;
mod dashboard;
mod decide;
mod emf;
mod health;
mod http;
mod life;
mod look;
mod metrics;
mod pass;
mod probe;
mod protection;
mod reap;
mod reload;
mod view;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::health::Health;
use crate::{
    config::{Environment, Project},
    control::{Control, Tick},
    error::{Class, Failure, Fault},
    event::Event,
    run::RunError,
    secret::Secret,
};

pub use self::{
    http::check_health,
    look::{Shown, ShownSchedule, UnknownSchedule, look, pause, resume},
};

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The project's folder, to read it again.
    pub folder: PathBuf,
    /// The overlay's name.
    pub env: Option<String>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// How many tasks of a run at once.
    pub jobs: usize,
}

/// The variable that holds what a reader has to show.
pub const TOKEN: &str = "BARNCAT_TOKEN";

/// The variable by which ECS says where its agent is.
const ECS_AGENT: &str = "ECS_AGENT_URI";

/// Gives whoever starts a tick's run the place for its events.
pub type Watch = Arc<dyn Fn(&Tick) -> mpsc::Sender<Event> + Send + Sync>;

/// Every metric, as Markdown.
#[cfg(test)]
pub(crate) async fn metrics_reference() -> String {
    metrics::reference::markdown().await
}

/// Takes figures for alarms, as one JSON object a time.
pub type Figures = Arc<dyn Fn(&serde_json::Value) + Send + Sync>;

/// Where what a service says goes, beside its log.
pub struct Outlets {
    /// What happens in runs.
    pub watch: Watch,
    /// Figures for CloudWatch, if they are wanted.
    pub figures: Option<Figures>,
}

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is taken, or is none of this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Others could reach it, and everybody could read.
    #[error("{address} can be reached from other machines, and {TOKEN} is not set")]
    NoToken {
        /// Where.
        address: SocketAddr,
    },
    /// A token that can be guessed.
    #[error("{TOKEN} has {length} characters: that can be guessed")]
    ShortToken {
        /// How many it has.
        length: usize,
    },
    /// A signal cannot be listened for.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// The project cannot be used as it is.
    #[error(transparent)]
    Project(#[from] RunError),
}

impl Fault for ServeError {
    fn class(&self) -> Class {
        match self {
            Self::Listen { .. } | Self::Signals(_) => Class::Lasting,
            Self::NoToken { .. } | Self::ShortToken { .. } => Class::Usage,
            Self::Project(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { .. } => Some("--listen 127.0.0.1:8081 takes another one".to_owned()),
            Self::NoToken { .. } | Self::ShortToken { .. } => {
                Some(format!("{TOKEN}=$(openssl rand -hex 32), of at least {TOKEN_LENGTH_MIN} characters"))
            }
            Self::Signals(_) => None,
            Self::Project(error) => error.hint(),
        }
    }
}

/// A shorter token is refused.
const TOKEN_LENGTH_MIN: usize = 16;

/// What all parts of a service see.
pub(crate) struct Shared {
    pub(crate) environment: Environment,
    /// The project, as it was read last.
    project: watch::Sender<Arc<Project>>,
    /// The control database, once it was reached. For looking, a clone of it is as good as the service's own.
    control: Mutex<Option<Control>>,
    pub(crate) health: Health,
}

impl Shared {
    fn new(project: Project, environment: Environment) -> Self {
        let (project, _) = watch::channel(Arc::new(project));
        Self { environment, project, control: Mutex::default(), health: Health::default() }
    }

    /// The project as it is now.
    pub(crate) fn project(&self) -> Arc<Project> {
        self.project.borrow().clone()
    }

    /// The control database; `None` while it was not reached yet.
    pub(crate) fn control(&self) -> Option<Control> {
        self.lock_control().clone()
    }

    fn lock_control(&self) -> MutexGuard<'_, Option<Control>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `stop` is cancelled, and then as long as what is under way may take.
pub async fn serve(
    setup: Setup,
    project: Project,
    environment: Environment,
    outlets: Outlets,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    reload::resolve(&project, &environment)?;
    let token = token(&environment, setup.listen)?;
    let protection = environment.secret(ECS_AGENT);
    let shared = Arc::new(Shared::new(project, environment));
    let listener = http::listen(setup.listen).await?;
    let mut life = life::Life::new(setup, shared.clone(), outlets.watch, stop)?;
    let ended = CancellationToken::new();
    let beside = tokio::spawn(beside(shared.clone(), listener, token, outlets.figures, ended.clone()));
    let guarded = protection::start(protection, life.busy());
    let reaper = reap::start();
    life.live().await;
    ended.cancel();
    guarded.end().await;
    reaper.abort();
    let _ = beside.await;
    Ok(())
}

/// What goes on beside the loop, until the service ends.
async fn beside(
    shared: Arc<Shared>,
    listener: http::Listener,
    token: Option<Secret>,
    figures: Option<Figures>,
    ended: CancellationToken,
) {
    let state = http::State::new(shared.clone(), token);
    let told = async {
        if let Some(figures) = figures {
            emf::tell(state.clone(), figures, ended.clone()).await;
        }
    };
    tokio::join!(
        http::answer(listener, state.clone(), ended.clone()),
        probe::probe(shared, ended.clone()),
        told
    );
}

/// What readers have to show; off loopback there must be one.
fn token(environment: &Environment, address: SocketAddr) -> Result<Option<Secret>, ServeError> {
    match environment.secret(TOKEN) {
        Some(token) if token.expose().len() < TOKEN_LENGTH_MIN => {
            Err(ServeError::ShortToken { length: token.expose().len() })
        }
        Some(token) => Ok(Some(token)),
        None if address.ip().is_loopback() => Ok(None),
        None => Err(ServeError::NoToken { address }),
    }
}

/// An error in one line, as logs and `/readyz` have it.
fn in_a_line(error: &dyn Fault) -> String {
    Failure::of(error).to_string()
}

//! Why a run could not start.

use crate::{
    config::{ConfigError, Contradiction, Mistakes},
    control::ControlError,
    dag::SelectError,
    error::{Class, Failure, Fault},
    pg::PgError,
    stage::StageError,
};

/// Why a run could not start: nothing was loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The project does not fit the source.
    #[error(transparent)]
    Project(#[from] Mistakes),
    /// A variable is missing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The selection names nothing.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A url that cannot be used.
    #[error("the url at {place} cannot be used")]
    Url {
        /// Where it is written.
        place: String,
        /// Why.
        source: PgError,
    },
    /// A url that cannot stand beside what else is said of the login.
    #[error("the url at {place} {}", found.what())]
    Contradiction {
        /// Where it is written.
        place: String,
        /// What is wrong.
        found: Contradiction,
    },
    /// A server that does not answer.
    #[error(transparent)]
    Postgres(#[from] PgError),
    /// The selection and what is left out leave no task.
    #[error("nothing is selected: the project has {tasks}")]
    Nothing {
        /// How many tasks there are, in words.
        tasks: String,
    },
    /// No check looks at what is selected.
    #[error("no check looks at what is selected")]
    NoCheck,
    /// A selection of several where one table is meant.
    #[error("`{name}` selects {}: only one can be named here", tasks.join(", "))]
    Several {
        /// As it was written.
        name: String,
        /// The tasks.
        tasks: Vec<String>,
    },
    /// A task of another kind where a load is meant.
    #[error("{task} is a {kind}: only a load can be named here")]
    NoLoad {
        /// The task.
        task: String,
        /// What it is.
        kind: String,
    },
    /// No run to go on with.
    #[error("there is no run{} to go on with", id.as_ref().map(|id| format!(" `{id}`")).unwrap_or_default())]
    NoRun {
        /// As it was written.
        id: Option<String>,
    },
    /// A run that came to a good end.
    #[error("run {run} came to its end: there is nothing to go on with")]
    NothingToResume {
        /// The run.
        run: String,
    },
    /// Neither an incident nor a task.
    #[error("there is no incident and no task `{name}`")]
    NoIncident {
        /// As it was written.
        name: String,
    },
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The control database.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The source or the warehouse.
    #[error("{}", Failure::of(.0.as_ref()))]
    Below(Box<dyn Fault + Send + Sync>),
    /// Test mode would write where it must not.
    #[error(transparent)]
    TestSchema(#[from] super::schemas::TestSchemaError),
    /// Redshift cannot hold the control database.
    #[error("the control database has no url, and Redshift cannot hold it")]
    NoControl,
}

impl RunError {
    fn fault(&self) -> Option<&dyn Fault> {
        Some(match self {
            Self::Project(error) => error,
            Self::Config(error) => error,
            Self::Select(error) => error,
            Self::Postgres(error) | Self::Url { source: error, .. } => error,
            Self::Stage(error) => error,
            Self::Control(error) => error,
            Self::Below(error) => error.as_ref(),
            Self::TestSchema(_)
            | Self::NoControl
            | Self::Contradiction { .. }
            | Self::Nothing { .. }
            | Self::NoCheck
            | Self::Several { .. }
            | Self::NoLoad { .. }
            | Self::NoRun { .. }
            | Self::NoIncident { .. }
            | Self::NothingToResume { .. } => return None,
        })
    }
}

impl Fault for RunError {
    fn class(&self) -> Class {
        self.fault().map_or(Class::Usage, Fault::class)
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Contradiction { found, .. } => Some(found.hint().to_owned()),
            Self::NoControl => Some("a small Postgres does: [control] url = \"${CONTROL_URL}\"".to_owned()),
            Self::TestSchema(_) => Some(
                "[warehouse] test_schema = \"{schema}_test\" gives each schema one of its own".to_owned(),
            ),
            Self::NoIncident { .. } => Some("`barncat incidents` lists what is open".to_owned()),
            Self::NoRun { .. } => Some("`barncat history` lists what ran".to_owned()),
            Self::NothingToResume { .. } => Some("`barncat run` begins another one".to_owned()),
            Self::Nothing { .. } => {
                Some("`barncat plan` lists the tasks; `barncat discover SOURCE` the tables".to_owned())
            }
            Self::NoCheck => Some(
                "`checks` in a loader's row or a model's first comment, or a file in sql/checks/; docs/MODELS.md".to_owned(),
            ),
            error => error.fault().and_then(Fault::hint),
        }
    }
}

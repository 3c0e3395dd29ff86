//! A project's text: read whole, every mistake at once, each with its place.
//!
//! Knows text and no connections. Variables of the environment are looked at only when a
//! [`Template`] is resolved, so that `validate` needs none of them.

mod alerts;
mod check;
mod checks;
mod choices;
mod command;
mod deadline;
mod deletes;
mod expand;
#[cfg(test)]
pub(crate) mod fuzzed;
mod header;
mod hook;
pub mod http;
pub mod init;
mod keys;
mod layout;
pub mod listing;
mod loader;
mod login;
mod mistake;
mod model;
mod project;
mod quantity;
mod redshift;
mod row;
mod schedule;
mod source;
mod template;
mod text;
mod warehouse;

use std::path::Path;

pub use self::{
    alerts::{AlertsConfig, ChannelName, Mention, PagerDutyConfig, Route, SlackConfig, SlackWay, on},
    check::{CheckSpec, Severity},
    checks::{Anomaly, BuiltIn, CheckKind, CheckOptions, Literal, Measured, Threshold},
    choices::{OnBrokenView, OnSchemaChange, PublishChoice, Strategy},
    command::CommandSpec,
    deadline::{Deadline, Due},
    deletes::Deletes,
    expand::Missing,
    hook::{HookSpec, Occasion},
    http::{HttpSource, HttpTable},
    loader::{LoadSpec, Loader, Sample},
    login::{Contradiction, LoginConfig, LoginWay},
    mistake::{Mistake, Mistakes, Place},
    model::{ModelKind, ModelSpec, Named, NodeSpec, Statement},
    project::Project,
    redshift::{RedshiftConfig, RedshiftPlace, RedshiftTarget, RedshiftWay},
    schedule::{CronTimes, Schedule, Times},
    source::{ReplicaConfig, SourceConfig, SourcePlace},
    template::{ConfigError, Environment, Template},
    warehouse::{ControlConfig, Keep, Sse, StageConfig, WarehouseConfig, WarehouseKind, WarehousePlace},
};
use self::{keys::Keys, mistake::Collector, text::Text};
pub(crate) use self::{mistake::nearest, quantity::duration};

/// Reads the project in `dir`: `barncat.toml`, under `env` with `barncat.ENV.toml` over it, and
/// `loaders/*.toml`.
pub fn read(dir: &Path, env: Option<&str>) -> Result<Project, Mistakes> {
    let mistakes = Collector::default();
    let project = project::read(dir, env, &mistakes);
    if let Some(project) = &project {
        expand::check(project, &mistakes);
    }
    mistakes.into_result(project)
}

#[cfg(test)]
pub(crate) mod reference;
#[cfg(test)]
mod tests;

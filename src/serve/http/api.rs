//! `/api/v1/…`: what the pages show, for programs. docs/openapi.json describes it, and a test holds it against this.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{
        Path, Query, State as Taken,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{State, pages::kind_of};
use crate::{
    error::{Class, Failure},
    serve::view::{self, Check, Deadline, Incident, Look, Run, Task, ViewError},
};

/// The description itself.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// How many of a list are answered, unless somebody says otherwise; and at most.
const LIMIT: (u32, u32) = (100, 500);

type Asked = Result<Query<HashMap<String, String>>, QueryRejection>;

/// An error, for programs.
#[derive(Debug, Serialize)]
struct Wrong {
    /// What is wrong.
    error: String,
    /// `passing`, `lasting`, `usage`, `held` or `bug`.
    class: Class,
    /// What a person can do about it.
    hint: Option<String>,
}

fn wrong(error: &ViewError) -> Response {
    let Failure { class, message, hint } = view::failure(error);
    (kind_of(error, class).0, Json(Wrong { error: message, class, hint })).into_response()
}

fn answer<T: Serialize>(result: Result<T, ViewError>) -> Response {
    match result {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => wrong(&error),
    }
}

/// Which part of a list.
struct Part {
    limit: u32,
    offset: usize,
    before: Option<String>,
}

impl Part {
    fn of(asked: Asked) -> Result<Self, ViewError> {
        let asked = query(asked)?;
        let number = |name: &str, least: u32, most: u32, default: u32| match asked.get(name) {
            None => Ok(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number| (least..=most).contains(number));
                number.ok_or_else(|| ViewError::Usage {
                    message: format!("`{name}` is no number from {least} to {most}"),
                    hint: None,
                })
            }
        };
        Ok(Self {
            limit: number("limit", 1, LIMIT.1, LIMIT.0)?,
            offset: number("offset", 0, 10_000_000, 0)? as usize,
            before: asked.get("before").cloned(),
        })
    }

    /// That part, and where the next one begins.
    fn take<T>(&self, all: Vec<T>) -> (Vec<T>, Option<usize>) {
        let limit = self.limit as usize;
        let next = self.offset.saturating_add(limit);
        let next = (all.len() > next).then_some(next);
        (all.into_iter().skip(self.offset).take(limit).collect(), next)
    }
}

fn query(asked: Asked) -> Result<HashMap<String, String>, ViewError> {
    let unread = |error: QueryRejection| ViewError::Usage { message: error.body_text(), hint: None };
    asked.map(|Query(asked)| asked).map_err(unread)
}

fn path(asked: Result<Path<String>, PathRejection>) -> Result<String, ViewError> {
    let unread = |error: PathRejection| ViewError::Usage { message: error.body_text(), hint: None };
    asked.map(|Path(name)| name).map_err(unread)
}

macro_rules! list {
    ($(#[$doc:meta])* $page:ident, $name:ident, $one:ty, $all:expr) => {
        #[derive(Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        $(#[$doc])*
        pub(super) struct $page {
            /// A part of them.
            $name: Vec<$one>,
            /// The `offset` of the next part; `null`: there is none.
            next: Option<usize>,
        }

        pub(super) async fn $name(Taken(state): Taken<State>, asked: Asked) -> Response {
            let listed = async {
                let part = Part::of(asked)?;
                let all: fn(&Look) -> Vec<$one> = $all;
                let ($name, next) = part.take(all(&state.look().await?));
                Ok($page { $name, next })
            };
            answer(listed.await)
        }
    };
}

list!(
    /// All tasks, in the order of their names.
    TasksPage, tasks, Task, |look| look.overview.tasks.iter().map(Task::of).collect()
);
list!(
    /// Tasks that make a table, in the order of their names.
    TablesPage, tables, Task, |look| {
        look.overview.tasks.iter().filter(|task| task.kind.publishes()).map(Task::of).collect()
    }
);
list!(
    /// The open incidents: what cannot wait first, then the latest.
    IncidentsPage, incidents, Incident, |look| view::incidents(&look.overview)
);
list!(
    /// Today's deadlines, and the next one of tasks that have none today.
    DeadlinesPage, deadlines, Deadline, |look| {
        look.overview.deadlines.iter().map(|shown| Deadline::of(shown, look.now)).collect()
    }
);
list!(
    /// What each check found the last time: what failed first.
    ChecksPage, checks, Check, |look| view::checks(&look.overview)
);

/// Runs, the latest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RunsPage {
    /// A part of them.
    runs: Vec<Run>,
    /// The `before` of the next part; `null`: there is none.
    next: Option<String>,
}

pub(super) async fn runs(Taken(state): Taken<State>, asked: Asked) -> Response {
    let listed = async {
        let part = Part::of(asked)?;
        let look = state.look().await?;
        let mut runs = view::runs(&look, part.before.as_deref(), part.limit + 1).await?;
        let next = (runs.len() > part.limit as usize).then(|| runs[part.limit as usize - 1].run.clone());
        runs.truncate(part.limit as usize);
        Ok(RunsPage { runs, next })
    };
    answer(listed.await)
}

pub(super) async fn run(
    Taken(state): Taken<State>,
    asked: Result<Path<String>, PathRejection>,
    part: Asked,
) -> Response {
    let run = async {
        let (run, part) = (path(asked)?, Part::of(part)?);
        let offset = u32::try_from(part.offset).unwrap_or(u32::MAX);
        view::run(&state.look().await?, &run, offset).await
    };
    answer(run.await)
}

pub(super) async fn table(
    Taken(state): Taken<State>,
    asked: Result<Path<String>, PathRejection>,
) -> Response {
    let table = async { view::table(&state.look().await?, &path(asked)?).await };
    answer(table.await)
}

pub(super) async fn graph(Taken(state): Taken<State>, asked: Asked) -> Response {
    let graph = async {
        let select = query(asked)?.remove("select").unwrap_or_default();
        view::graph_json(&state.look().await?, select.trim())
    };
    answer(graph.await)
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI).into_response()
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;

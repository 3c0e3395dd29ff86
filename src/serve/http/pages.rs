//! The dashboard's pages.

use axum::{
    extract::{Path, Query, State as Taken},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::Markup;
use serde::Deserialize;

use super::State;
use crate::{
    clock::{Clock, System},
    error::Class,
    serve::{
        dashboard::{self, Frame, Wanted, Zoom},
        look::next_ticks,
        view::{self, Look, Task, ViewError},
    },
};

/// So many runs are on a page.
const RUNS: u32 = 25;

impl State {
    /// A look at the project as it is now.
    pub(in crate::serve) async fn look(&self) -> Result<Look, ViewError> {
        let shared = &self.shared;
        let (project, control) = (shared.project(), shared.control());
        self.desk.look(&project, &shared.environment, control, System.now()).await
    }

    /// A page, or why there is none.
    async fn page<F>(&self, page: impl FnOnce(Look) -> F) -> Response
    where
        F: Future<Output = Result<Markup, ViewError>>,
    {
        let look = self.look().await;
        let frame = look.as_ref().ok().map(Frame::of);
        let made = match look {
            Ok(look) => page(look).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(markup) => html(StatusCode::OK, &markup),
            Err(error) => {
                let frame = frame.unwrap_or_else(|| Frame::bare(&self.shared.project(), System.now()));
                let failure = view::failure(&error);
                let (status, title) = kind_of(&error, failure.class);
                html(status, &dashboard::problem(&frame, title, &failure))
            }
        }
    }
}

/// How an error is answered.
pub(super) fn kind_of(error: &ViewError, class: Class) -> (StatusCode, &'static str) {
    match (error, class) {
        (ViewError::Unknown { .. }, _) => (StatusCode::NOT_FOUND, "There is no such thing"),
        (ViewError::Nothing { .. }, _) => (StatusCode::NOT_FOUND, "Nothing is meant by that"),
        (ViewError::Usage { .. }, _) => (StatusCode::BAD_REQUEST, "That cannot be asked"),
        (ViewError::NotReached, _) => (StatusCode::SERVICE_UNAVAILABLE, "Not there yet"),
        (ViewError::Control(_), _) => {
            (StatusCode::SERVICE_UNAVAILABLE, "The control database does not answer")
        }
        (ViewError::Run(_), Class::Passing) => {
            (StatusCode::SERVICE_UNAVAILABLE, "The control database does not answer")
        }
        (ViewError::Run(_), _) => (StatusCode::INTERNAL_SERVER_ERROR, "That cannot be shown"),
    }
}

fn html(status: StatusCode, markup: &Markup) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    (status, [kind], markup.0.clone()).into_response()
}

pub(super) async fn today(Taken(state): Taken<State>) -> Response {
    state
        .page(async |look| {
            let next = next_ticks(&look.project, &look.schedules, look.now);
            Ok(dashboard::today(&Frame::of(&look), &look, &next))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct GraphQuery {
    #[serde(default)]
    select: String,
    zoom: Option<String>,
}

pub(super) async fn graph(Taken(state): Taken<State>, Query(asked): Query<GraphQuery>) -> Response {
    state
        .page(async |look| {
            let picture = view::choose(&look, asked.select.trim())?;
            let zoom = Zoom::of(asked.zoom.and_then(|zoom| zoom.parse().ok()));
            Ok(dashboard::graph(&Frame::of(&look), &look, &picture, asked.select.trim(), zoom))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct RunsQuery {
    before: Option<String>,
}

pub(super) async fn runs(Taken(state): Taken<State>, Query(asked): Query<RunsQuery>) -> Response {
    state
        .page(async |look| {
            let before = asked.before.as_deref().filter(|before| !before.is_empty());
            let mut runs = view::runs(&look, before, RUNS + 1).await?;
            let next = (runs.len() > RUNS as usize).then(|| runs[RUNS as usize - 1].run.clone());
            runs.truncate(RUNS as usize);
            Ok(dashboard::runs(&Frame::of(&look), &runs, before.is_none(), next.as_deref()))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct RunQuery {
    after: Option<String>,
}

pub(super) async fn run(
    Taken(state): Taken<State>,
    Path(run): Path<String>,
    Query(asked): Query<RunQuery>,
) -> Response {
    state
        .page(async |look| {
            let after = asked.after.and_then(|after| after.parse::<u32>().ok()).unwrap_or(0).min(10_000_000);
            let page = view::run(&look, &run, after).await?;
            Ok(dashboard::run(&Frame::of(&look), &page, after))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct TablesQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    kind: String,
    page: Option<String>,
}

pub(super) async fn tables(Taken(state): Taken<State>, Query(asked): Query<TablesQuery>) -> Response {
    state
        .page(async |look| {
            let tasks: Vec<Task> = look.overview.tasks.iter().map(Task::of).collect();
            let page = number(asked.page.as_deref());
            let wanted =
                Wanted { text: asked.q.trim().to_owned(), status: asked.status, kind: asked.kind, page };
            Ok(dashboard::tables(&Frame::of(&look), &tasks, &wanted))
        })
        .await
}

pub(super) async fn table(Taken(state): Taken<State>, Path(name): Path<String>) -> Response {
    state
        .page(async |look| {
            let page = view::table(&look, &name).await?;
            Ok(dashboard::table(&Frame::of(&look), &page))
        })
        .await
}

#[derive(Deserialize)]
pub(super) struct PageQuery {
    page: Option<String>,
}

pub(super) async fn checks(Taken(state): Taken<State>, Query(asked): Query<PageQuery>) -> Response {
    state
        .page(async |look| {
            let checks = view::checks(&look.overview);
            Ok(dashboard::checks(&Frame::of(&look), &checks, number(asked.page.as_deref())))
        })
        .await
}

/// The number of a page; what is none is the first.
fn number(page: Option<&str>) -> usize {
    page.and_then(|page| page.parse().ok()).unwrap_or(1)
}

/// What the pages need. Its address changes with it, so whoever has it keeps it.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match dashboard::asset(&name) {
        Some(asset) => {
            let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
            let headers =
                [(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)), (header::CACHE_CONTROL, kept)];
            (headers, asset.text).into_response()
        }
        None => super::not_found().await,
    }
}

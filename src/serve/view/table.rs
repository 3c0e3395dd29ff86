//! A table: what it shows, its loads, how its schema changed, what its checks found.

use jiff::Timestamp;
use serde::Serialize;

use super::{Check, Look, Task, ViewError, argument};
use crate::{
    config::Keep,
    control::{HistoryRow, SeenSchema},
    schema::{TableSchema, diff, made_anew},
};

/// So many loads are shown.
const LOADS: u32 = 60;

/// So many states of the schema.
const SCHEMAS: u32 = 20;

/// A load, or another try at the task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Load {
    /// The run's id.
    pub(in crate::serve) run: String,
    /// `load`, `model`; of what was asked for by hand `verify`, `backfill`, `restore`, `adopt`.
    pub(in crate::serve) kind: String,
    /// How it ended.
    pub(in crate::serve) status: String,
    /// When it began.
    pub(in crate::serve) started_at: Timestamp,
    /// How long it took.
    pub(in crate::serve) seconds: Option<f64>,
    /// Rows of the load.
    pub(in crate::serve) rows: Option<u64>,
    /// Rows below the watermark of before that it caught.
    pub(in crate::serve) late_rows: Option<u64>,
    /// Its bytes in the stage.
    pub(in crate::serve) bytes: Option<u64>,
    /// How many attempts were made.
    pub(in crate::serve) attempts: Option<u32>,
    /// The load's id.
    pub(in crate::serve) load: Option<String>,
    /// The moment that its rows show.
    pub(in crate::serve) as_of: Option<Timestamp>,
    /// `full`, `append`, `merge`, …
    pub(in crate::serve) strategy: Option<String>,
    /// `swap`, `replace`, `insert`, `merge`.
    pub(in crate::serve) publish: Option<String>,
    /// Why it was done so.
    pub(in crate::serve) reason: Option<String>,
    /// How far the cursor was loaded.
    pub(in crate::serve) watermark: Option<String>,
    /// Why it failed.
    pub(in crate::serve) error: Option<String>,
    /// The command that publishes it again, where the stage keeps it by its settings. `barncat history` asks the stage
    /// itself.
    pub(in crate::serve) restore: Option<String>,
}

/// A column of a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Column {
    /// Its name.
    pub(in crate::serve) name: String,
    /// Its type, in SQL.
    pub(in crate::serve) sql_type: String,
    /// Whether NULL is allowed.
    pub(in crate::serve) nullable: bool,
    /// Whether it is of the key.
    pub(in crate::serve) key: bool,
}

/// A state of the schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct SchemaState {
    /// The load that first had it.
    pub(in crate::serve) load: String,
    /// Its hash.
    pub(in crate::serve) hash: String,
    /// When.
    pub(in crate::serve) seen_at: Timestamp,
    /// What differs from the state before, in words; `null` where that is not known.
    pub(in crate::serve) changes: Option<Vec<String>>,
}

/// A task's table and all that is remembered of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct TablePage {
    /// How it stands.
    #[serde(flatten)]
    pub(in crate::serve) task: Task,
    /// What it needs.
    pub(in crate::serve) needs: Vec<Need>,
    /// What needs it.
    pub(in crate::serve) needed_by: Vec<Need>,
    /// Its last loads, the latest first.
    pub(in crate::serve) loads: Vec<Load>,
    /// Its columns, as the last load had them.
    pub(in crate::serve) columns: Vec<Column>,
    /// The states of its schema, the latest first.
    pub(in crate::serve) schemas: Vec<SchemaState>,
    /// What its checks found the last time.
    pub(in crate::serve) checks: Vec<Check>,
}

/// A task at the other end of an edge.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::serve) struct Need {
    /// Its full name.
    pub(in crate::serve) task: String,
    /// `load`, `model`, `check` or `command`.
    pub(in crate::serve) kind: &'static str,
    /// Whether the one goes on without the other.
    pub(in crate::serve) soft: bool,
}

/// A task of the project, by its full name.
pub(in crate::serve) async fn table(look: &Look, name: &str) -> Result<TablePage, ViewError> {
    let overview = &look.overview;
    let unknown = || ViewError::Unknown { what: "task", name: name.to_owned() };
    let task = overview.find(name).ok_or_else(unknown)?;
    let seen = overview.task(task);
    let _turn = look.turns.next().await;
    let history = look.control.history(Some(name), LOADS).await?;
    let schemas = look.control.schemas_of(name, SCHEMAS + 1).await?;
    let need = |edge: &crate::dag::Edge| {
        let other = overview.task(edge.task);
        Need { task: other.name.clone(), kind: other.kind.as_str(), soft: !edge.way.is_hard() }
    };
    let own_checks = format!("{name}.checks");
    let is_its = |check: &&crate::control::LastCheck| check.task == name || check.task == own_checks;
    Ok(TablePage {
        needs: overview.graph.needs(task).iter().map(need).collect(),
        needed_by: overview.graph.needed_by(task).iter().map(need).collect(),
        loads: loads(
            name,
            &history,
            seen.kind == crate::dag::Kind::Load,
            (look.project.stage.keep, look.now),
        ),
        columns: schemas.iter().find_map(|state| state.schema.as_ref()).map(columns).unwrap_or_default(),
        schemas: states(&schemas),
        checks: overview.checks.iter().filter(is_its).map(Check::of).collect(),
        task: Task::of(seen),
    })
}

fn loads(name: &str, history: &[HistoryRow], is_load: bool, keep: (Keep, Timestamp)) -> Vec<Load> {
    let mut published = 0;
    history.iter().map(|row| load(name, row, is_load.then_some(keep), &mut published)).collect()
}

/// `published`: how many published loads are newer.
fn load(name: &str, row: &HistoryRow, keep: Option<(Keep, Timestamp)>, published: &mut u32) -> Load {
    let outcome = row.outcome.as_ref();
    let is_published = row.status == "succeeded" && matches!(row.kind.as_str(), "load" | "adopt");
    let mut restore = None;
    if let Some((keep, now)) = keep
        && is_published
        && let Some(load) = &row.load
    {
        let days = now.duration_since(row.started_at).as_secs_f64() / 86_400.0;
        // Those that the table does not show already; the two newest stay, however old they are.
        let is_kept = *published < 2 || (*published < keep.loads && days <= f64::from(keep.days));
        restore =
            (*published > 0 && is_kept).then(|| format!("barncat restore {} --load {load}", argument(name)));
        *published += 1;
    }
    Load {
        run: row.run.clone(),
        kind: row.kind.clone(),
        status: row.status.clone(),
        started_at: row.started_at,
        seconds: row.seconds,
        rows: row.rows,
        late_rows: outcome.and_then(|outcome| outcome.late_rows),
        bytes: row.bytes,
        attempts: outcome.map(|outcome| outcome.attempts),
        load: row.load.clone(),
        as_of: outcome.and_then(|outcome| outcome.as_of),
        strategy: outcome.and_then(|outcome| outcome.strategy.clone()),
        publish: outcome.and_then(|outcome| outcome.publish.clone()),
        reason: outcome.and_then(|outcome| outcome.reason.clone()),
        watermark: outcome.and_then(|outcome| outcome.watermark.clone()),
        error: outcome.and_then(|outcome| Some(outcome.error.as_ref()?.message.clone())),
        restore,
    }
}

fn columns(schema: &TableSchema) -> Vec<Column> {
    let column = |column: &crate::schema::Column| Column {
        name: column.name.clone(),
        sql_type: column.column_type.sql.clone(),
        nullable: column.nullable,
        key: schema.key.contains(&column.name),
    };
    schema.columns.iter().map(column).collect()
}

/// The states with what changed from each to the next; one more was read than is shown.
fn states(seen: &[SeenSchema]) -> Vec<SchemaState> {
    let state = |(nth, state): (usize, &SeenSchema)| {
        let changes = seen.get(nth + 1).and_then(|before| {
            let (before, now) = (before.schema.as_ref()?, state.schema.as_ref()?);
            let mut changes = diff(before, now);
            changes.extend(made_anew(before, now));
            Some(changes.iter().map(ToString::to_string).collect())
        });
        SchemaState { load: state.load.clone(), hash: state.hash.clone(), seen_at: state.seen_at, changes }
    };
    seen.iter().enumerate().take(SCHEMAS as usize).map(state).collect()
}

//! Going on with a run that did not come to its end: what ended well in it is not done again.

use std::collections::{HashMap, HashSet};

use super::{Mode, Request, RunError, ready::End, tasks::Tasks};
use crate::{
    control::{Asked, Control, PastRun, Tick},
    dag::{NodeId, selection},
};

/// How far back a run is looked for whose id is not named.
const RUNS_LOOKED_AT: u32 = 1000;

/// What a resumed run takes over.
pub(super) struct Resumed {
    /// The run's id.
    pub(super) run: String,
    /// What was selected.
    select: Vec<String>,
    /// And what was left out.
    exclude: Vec<String>,
    /// The tick that it is the run of.
    tick: Option<Tick>,
    /// What else it was asked for.
    asked: Asked,
}

impl Resumed {
    /// Asks as that run was asked.
    pub(super) fn ask(&self, request: &mut Request) {
        let Asked { full, accept_shrink, accept_measures, failed, sample, rebuild } = self.asked;
        request.select.clone_from(&self.select);
        request.exclude.clone_from(&self.exclude);
        request.full |= full;
        request.accept_shrink |= accept_shrink;
        request.accept_measures |= accept_measures;
        request.failed |= failed;
        request.sample = request.sample.or(sample);
        request.rebuild |= rebuild;
        // Who goes on with a tick's run does that tick's work.
        request.origin.tick = request.origin.tick.take().or_else(|| self.tick.clone());
    }
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        let Request { full, accept_shrink, accept_measures, failed, sample, rebuild, .. } = *request;
        Self { full, accept_shrink, accept_measures, failed, sample, rebuild }
    }
}

/// The run that is meant: the last one of this mode, or the one whose id begins so.
pub(super) async fn find(control: &Control, mode: Mode, id: Option<&str>) -> Result<Resumed, RunError> {
    // Who died a moment ago is found dead first.
    control.close_crashed().await?;
    let runs = control.past_runs(RUNS_LOOKED_AT).await?;
    let by_hand = control.runs_by_hand().await?;
    let of_mode = |run: &&PastRun| run.mode == mode.to_string() && !by_hand.contains(&run.run);
    let found = match id {
        None => runs.iter().find(of_mode),
        Some(id) => runs.iter().filter(of_mode).find(|run| run.run.starts_with(&id.to_uppercase())),
    };
    let run = found.ok_or_else(|| RunError::NoRun { id: id.map(str::to_owned) })?;
    if matches!(run.status.as_str(), "succeeded") {
        return Err(RunError::NothingToResume { run: run.run.clone() });
    }
    let (select, exclude) = selection::read(&run.selection);
    let asked = control.asked(&run.run).await?;
    Ok(Resumed { run: run.run.clone(), select, exclude, tick: run.origin.tick.clone(), asked })
}

/// What ended well in that run or in one that it resumed, in the order in which it did; and how many attempts at each
/// other task ended with their process.
pub(super) async fn ended(
    control: &Control,
    tasks: &Tasks,
    resumed: &Resumed,
) -> Result<(Vec<(NodeId, End)>, HashMap<NodeId, u32>), RunError> {
    let by_name: HashMap<String, NodeId> =
        tasks.graph.tasks().map(|task| (tasks.job(task).name(), task)).collect();
    let crashed = control.crashed_attempts(&resumed.run).await?;
    let (mut ended, mut done) = (Vec::new(), HashSet::new());
    for row in control.ended_in_all(&resumed.run).await? {
        let Some(task) = by_name.get(&row.task) else { continue };
        let as_of = row.outcome.as_ref().and_then(|outcome| outcome.as_of);
        let end = match row.status.as_str() {
            "succeeded" => End::Succeeded(as_of),
            "unchanged" => End::Unchanged(as_of),
            _ => continue,
        };
        ended.push((*task, end));
        done.insert(*task);
    }
    let tried = crashed.into_iter().filter_map(|(name, times)| Some((*by_name.get(&name)?, times)));
    let attempts = tried.filter(|(task, _)| !done.contains(task)).collect();
    Ok((ended, attempts))
}

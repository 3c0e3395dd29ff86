//! One attempt at tasks that are done in one go: its work, within its time limits.

use std::sync::Arc;

use super::{
    execute::{Member, Surroundings},
    job::{self, Around, Came, JobError},
    time_limits::{Timed, within},
    work::Work,
};
use crate::{
    load::{Attempt, Beginning, LoadError, Workshop},
    sql::Reference,
    warehouse::Select,
};

/// What came of an attempt at one task.
pub(super) struct Attempted {
    pub(super) result: Result<Came, JobError>,
    /// It took longer than its soft limit.
    pub(super) warning: Option<String>,
}

/// One attempt at each of the members, all together; the answers are in their order.
pub(super) async fn attempt(
    workshop: &Workshop,
    members: &[&Member],
    number: u32,
    around: &Surroundings<'_>,
) -> Vec<Attempted> {
    let beginning = Beginning::default();
    let time_limit = members.iter().filter_map(|member| member.job.time_limit()).max();
    let timed: Vec<Timed> = members
        .iter()
        .map(|member| Timed::new(member.outcome.task.clone(), member.job.warn_after()))
        .collect();
    let work = work(workshop, members, number, around, &beginning);
    let results = within(workshop, number, &timed, time_limit, &beginning, work).await;
    let results = results.unwrap_or_else(|| {
        let limit = time_limit.unwrap_or_default();
        let late = |member: &&Member| match member.job.load() {
            Some(spec) => Err(LoadError::TimeLimit { table: spec.target.clone(), limit }.into()),
            None => Err(JobError::TimeLimit { name: member.job.name(), limit }),
        };
        members.iter().map(late).collect()
    });
    let warnings = timed.iter().map(|timed| timed.warning(number));
    results.into_iter().zip(warnings).map(|(result, warning)| Attempted { result, warning }).collect()
}

/// Loads, or one task of another kind.
async fn work(
    workshop: &Workshop,
    members: &[&Member],
    number: u32,
    around: &Surroundings<'_>,
    beginning: &Beginning,
) -> Vec<Result<Came, JobError>> {
    let how = around.how;
    if let [Member { job, stale, outcome, due_at, .. }] = members
        && job.load().is_none()
    {
        let (meanings, showing) = (&around.tasks.meanings, around.showing);
        let audit = job.target().and_then(|table| around.tasks.audits.get(table));
        let private = &around.tasks.private;
        let around = Around {
            meanings,
            showing,
            stale,
            audit,
            private,
            tier: outcome.tier,
            due_at: *due_at,
            accept: how.accept_measures,
            by_hand: how.work == Work::Check,
            definition: outcome.definition.as_deref(),
            beginning,
        };
        return vec![job::attempt(workshop, job, &around, (number, how.full)).await];
    }
    let attempts: Vec<Attempt> = members
        .iter()
        .filter_map(|member| Some((member.job.load()?, member)))
        .map(|(spec, member)| Attempt {
            number,
            beginning: beginning.clone(),
            full: how.full,
            accept_shrink: how.accept_shrink,
            audit: around.tasks.audits.get(&spec.target),
            due_at: member.due_at,
            work: spec.work().map(|work| {
                let name_of = |reference: &Reference| around.tasks.meanings.of_reference(reference);
                Arc::new(Select::of(work, workshop.dialect(), None, &name_of))
            }),
            ..Attempt::of(spec.clone(), member.outcome.tier)
        })
        .collect();
    let results = how.work.attempt(workshop, &attempts).await;
    results
        .into_iter()
        .map(|result| result.map(|verified| Came::Loaded(Box::new(verified))).map_err(JobError::Load))
        .collect()
}

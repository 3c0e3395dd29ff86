//! Taking away what loads leave behind: after each load its own, at the start of a run what crashes
//! left. Nothing here can make a load fail: what could not be taken away is swept by the next run.

use std::collections::BTreeSet;

use super::{Decision, Workshop};
use crate::{
    config::Keep,
    error::{Failure, Fault},
    fail_point,
    sql::TableName,
    stage::LoadPrefix,
};

/// The newest published loads of a table always stay in the stage: the last one, and the one to go
/// back to.
const ALWAYS_KEPT: usize = 2;

/// After a publish: writes the schema's history and lets the oldest loads in the stage go.
pub(super) async fn after_publish(workshop: &Workshop, table: &TableName, decision: &Decision, load: &str) {
    let recorded = workshop.control.record_schema(table, &decision.schema_hash, &decision.schema, load).await;
    if let Err(error) = recorded {
        warn("the schema's history was not written", &error);
    }
    if let Err(error) = retain(workshop, table, load).await {
        warn("old loads stay in the stage until the next run", &error);
    }
}

/// Keeps the newest loads of a table in the stage; this one is the newest published.
async fn retain(workshop: &Workshop, table: &TableName, load: &str) -> Result<(), crate::stage::StageError> {
    let prefix = LoadPrefix::new(&workshop.project, &workshop.mode, table, load);
    let objects = workshop.stage.list(&prefix.table_prefix()).await?;
    let ids: BTreeSet<String> =
        objects.iter().filter_map(|object| LoadPrefix::load_of(&object.key)).collect();
    let old = past_keeping(&ids, load, workshop.keep);
    let keys: Vec<String> = objects
        .iter()
        .filter(|object| LoadPrefix::load_of(&object.key).is_some_and(|id| old.contains(&id)))
        .map(|object| object.key.clone())
        .collect();
    fail_point!("tidy.retain.before");
    workshop.stage.delete(&keys).await?;
    fail_point!("tidy.retain.after");
    Ok(())
}

/// The loads that are past `keep`, seen from the newest published one. Ids sort by time; what is
/// newer than that load belongs to somebody else's attempt.
fn past_keeping(ids: &BTreeSet<String>, newest: &str, keep: Keep) -> BTreeSet<String> {
    let age_days = |id: &str| match (made_at_ms(newest), made_at_ms(id)) {
        (Some(now), Some(then)) => now.saturating_sub(then) / (24 * 60 * 60 * 1000),
        _ => 0,
    };
    let past = |(place, id): &(usize, &String)| {
        *place >= ALWAYS_KEPT && (*place >= keep.loads as usize || age_days(id) >= u64::from(keep.days))
    };
    ids.iter()
        .rev()
        .filter(|id| id.as_str() <= newest)
        .enumerate()
        .filter(past)
        .map(|(_, id)| id.clone())
        .collect()
}

/// When a load's id was made, in milliseconds since 1970.
fn made_at_ms(id: &str) -> Option<u64> {
    ulid::Ulid::from_string(id).ok().map(|id| id.timestamp_ms())
}

/// Takes away the objects of a load that was not published.
pub(super) async fn remove_load(workshop: &Workshop, table: &TableName, load: &str) {
    let prefix = LoadPrefix::new(&workshop.project, &workshop.mode, table, load);
    let removed = async {
        let objects = workshop.stage.list(&prefix.prefix()).await?;
        let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
        workshop.stage.delete(&keys).await
    };
    if let Err(error) = removed.await {
        warn("what was staged stays until the next run", &error);
    }
}

/// At the start of a run: takes away what crashes left. A load is dead if no living attempt has its
/// id and it is not published.
pub async fn tidy(workshop: &Workshop) -> Result<(), super::LoadError> {
    let living: BTreeSet<String> = workshop.control.live_loads().await?.into_iter().collect();
    let is_dead = |load: &str| !living.contains(load);
    let tables = workshop.warehouse.sweep(&is_dead).await.map_err(super::LoadError::Warehouse)?;
    for table in tables {
        tracing::info!(table, "tidy.staging_table.dropped");
    }
    let root = LoadPrefix::mode_prefix(&workshop.project, &workshop.mode);
    let uploads = workshop.stage.sweep(&root, &is_dead).await?;
    if uploads > 0 {
        tracing::info!(uploads, "tidy.uploads.aborted");
    }
    let objects = workshop.stage.list(&root).await?;
    let dead: BTreeSet<String> = objects
        .iter()
        .filter_map(|object| LoadPrefix::load_of(&object.key))
        .filter(|load| is_dead(load))
        .collect();
    let dead: Vec<String> = dead.into_iter().collect();
    let published = workshop.warehouse.published_among(&dead).await.map_err(super::LoadError::Warehouse)?;
    let is_left_over =
        |key: &str| LoadPrefix::load_of(key).is_some_and(|load| is_dead(&load) && !published.contains(&load));
    let keys: Vec<String> =
        objects.into_iter().map(|object| object.key).filter(|key| is_left_over(key)).collect();
    fail_point!("tidy.sweep.before");
    workshop.stage.delete(&keys).await?;
    fail_point!("tidy.sweep.after");
    Ok(())
}

fn warn(what: &str, error: &dyn Fault) {
    tracing::warn!(error = %Failure::of(error), "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(day: u64, number: u128) -> String {
        ulid::Ulid::from_parts(day * 24 * 60 * 60 * 1000, number).to_string()
    }

    #[test]
    fn the_two_newest_stay_and_nothing_newer_than_the_published_one_is_touched() {
        let ids: BTreeSet<String> = (0..10).map(|day| id(20_000 + day, 1)).collect();
        let newest = id(20_008, 1);
        let past = |loads, days| past_keeping(&ids, &newest, Keep { loads, days });
        assert_eq!(past(3, 100), (0..6).map(|day| id(20_000 + day, 1)).collect());
        assert_eq!(past(100, 4), (0..5).map(|day| id(20_000 + day, 1)).collect());
        assert_eq!(past(0, 0), (0..7).map(|day| id(20_000 + day, 1)).collect());
        assert_eq!(past(100, 100), BTreeSet::new());
    }
}

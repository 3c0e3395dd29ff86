//! Taking away what loads leave behind: after each load its own, at the start of a run what crashes
//! left. Nothing here can make a load fail: what could not be taken away is swept by the next run.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Workshop, chain::chain, clean::Broom};
use crate::{
    config::Keep,
    error::{Failure, Fault},
    fail_point,
    schema::TableSchema,
    sql::TableName,
    stage::LoadPrefix,
    warehouse::Lineage,
};

/// What the newest states of a table need always stays in the stage: the last one, and the one to go back
/// to.
const ALWAYS_KEPT: usize = 2;

/// After a publish: writes the schema's history and lets the oldest loads in the stage go.
pub(super) async fn after_publish(
    workshop: &Workshop,
    table: &TableName,
    (schema_hash, schema): (&str, &TableSchema),
    load: &str,
) {
    let recorded = workshop.control.record_schema(table, schema_hash, schema, load).await;
    if let Err(error) = recorded {
        warn("the schema's history was not written", &error);
    }
    if let Err(error) = retain(workshop, table, load).await {
        warn("old loads stay in the stage until the next run", &error);
    }
}

/// Keeps what the newest states of a table need in the stage; this load is the newest published.
async fn retain(workshop: &Workshop, table: &TableName, load: &str) -> Result<(), super::LoadError> {
    let prefix = LoadPrefix::new(&workshop.project, &workshop.mode, table, load);
    let objects = workshop.stage.list(&prefix.table_prefix()).await?;
    let old = Broom::of(workshop).past_keep(table, load, &objects).await?;
    let keys: Vec<String> = old.iter().map(|object| object.key.clone()).collect();
    fail_point!("tidy.retain.before");
    workshop.stage.delete(&keys).await?;
    fail_point!("tidy.retain.after");
    Ok(())
}

/// The published loads that no state within `keep` needs, seen from the newest one. Ids sort as loads follow each other; what
/// is newer than that load belongs to somebody else's attempt, and what is not published to `tidy`.
pub(super) fn past_keeping(
    lineage: &[Lineage],
    newest: &str,
    keep: Keep,
    now: Timestamp,
) -> BTreeSet<String> {
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let age_days =
        |id: &str| made_at_ms(id).map_or(0, |then| now_ms.saturating_sub(then) / (24 * 60 * 60 * 1000));
    let is_kept = |place: usize, id: &str| {
        place < ALWAYS_KEPT || (place < keep.loads as usize && age_days(id) < u64::from(keep.days))
    };
    let states = || lineage.iter().map(|one| one.load.as_str()).filter(|id| *id <= newest);
    let needed: BTreeSet<&str> = states()
        .enumerate()
        .filter(|(place, id)| is_kept(*place, id))
        .flat_map(|(_, id)| chain(lineage, id))
        .collect();
    states().filter(|id| !needed.contains(id)).map(str::to_owned).collect()
}

/// When a load's id was made, in milliseconds since 1970.
pub(super) fn made_at_ms(id: &str) -> Option<u64> {
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

/// At the start of a run: takes away what crashes left.
pub async fn tidy(workshop: &Workshop) -> Result<(), super::LoadError> {
    let broom = Broom::of(workshop);
    let gone = broom.sweep(broom.find().await?).await?;
    for table in &gone.staging_tables {
        tracing::info!(table = table.name, "tidy.staging_table.dropped");
    }
    if !gone.uploads.is_empty() {
        tracing::info!(loads = gone.uploads.len(), "tidy.uploads.aborted");
    }
    if gone.staged.objects > 0 {
        tracing::info!(objects = gone.staged.objects, bytes = gone.staged.bytes, "tidy.objects.deleted");
    }
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

    /// Loads of ten days, the newest first; each is said to stand on the load of that day.
    fn lineage(bases: [u64; 10]) -> Vec<Lineage> {
        let one = |(day, base): (u64, u64)| Lineage {
            load: id(20_000 + day, 1),
            base: id(20_000 + base, 1),
            restored: None,
        };
        let mut lineage: Vec<Lineage> = (0..10).zip(bases).map(one).collect();
        lineage.reverse();
        lineage
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(day * 24 * 60 * 60).expect("a day of this century")
    }

    fn days(days: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
        days.into_iter().map(|day| id(20_000 + day, 1)).collect()
    }

    #[test]
    fn the_two_newest_stay_and_nothing_newer_than_the_published_one_is_touched() {
        let whole = lineage(std::array::from_fn(|day| day as u64));
        let past = |loads, days| past_keeping(&whole, &id(20_008, 1), Keep { loads, days }, day(20_008));
        assert_eq!(past(3, 100), days(0..6));
        assert_eq!(past(100, 4), days(0..5));
        assert_eq!(past(0, 0), days(0..7));
        assert_eq!(past(100, 100), BTreeSet::new());
        // Days go by where nothing is loaded, too; the two newest stay.
        let later = past_keeping(&whole, &id(20_008, 1), Keep { loads: 9, days: 4 }, day(20_030));
        assert_eq!(later, days(0..7));
    }

    #[test]
    fn what_a_kept_load_of_new_rows_stands_on_stays_and_a_chain_goes_whole() {
        let newest = id(20_009, 1);
        let past =
            |bases, loads| past_keeping(&lineage(bases), &newest, Keep { loads, days: 100 }, day(20_009));
        assert_eq!(past([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], 2), days([0]));
        assert_eq!(past([0, 0, 0, 0, 0, 0, 6, 6, 6, 9], 2), days(0..6));
        assert_eq!(past([0, 0, 0, 0, 0, 0, 0, 7, 8, 9], 3), days(0..7));
        assert_eq!(past([0, 0, 0, 0, 0, 0, 0, 0, 8, 9], 3), BTreeSet::new());
        assert_eq!(past([0, 0, 0, 0, 0, 0, 0, 0, 8, 9], 2), days(0..8));
    }

    #[test]
    fn a_restored_state_needs_what_it_restored() {
        let newest = id(20_009, 1);
        let mut loads = lineage([0, 1, 1, 1, 1, 5, 6, 7, 8, 8]);
        // Day 8 shows day 3 again, and day 9 goes on from there.
        loads[1].restored = Some(id(20_003, 1));
        assert_eq!(
            past_keeping(&loads, &newest, Keep { loads: 2, days: 9 }, day(20_009)),
            days([0, 4, 5, 6, 7, 8])
        );
    }

    #[test]
    fn a_chain_whose_base_is_gone_is_kept_no_longer_than_others() {
        let mut loads = lineage([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        loads.pop();
        assert_eq!(past_keeping(&loads, &id(20_009, 1), Keep { loads: 3, days: 9 }, day(20_009)), days(1..7));
    }
}

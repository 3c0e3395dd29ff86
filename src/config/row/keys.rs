//! The keys of a row, as those of replicas and of services have them.

use std::time::Duration;

use super::Settings;
use crate::{
    config::{
        Keys, OnBrokenView, OnSchemaChange, PublishChoice, Strategy, checks, deletes, layout, mistake,
        warehouse::compression,
    },
    event::Tier,
    schema::{UnfitPolicies, UnfitPolicy, Varchar},
    stage::manifest::Format,
};

/// What rows of replicas and of services have in common.
pub(super) fn shared(keys: &Keys<'_>, all: &mut Settings) {
    let spec = &mut all.spec;
    spec.tier =
        keys.choice("tier", &[("critical", Tier::Critical), ("optional", Tier::Optional)]).or(spec.tier);
    spec.tags.extend(keys.strings("tags"));
    spec.owner = keys.string("owner").or(spec.owner.take());
    take(&mut spec.overlap, keys.duration("overlap"));
    all.shrink_limit = keys.share("shrink_limit").or(all.shrink_limit);
    let changes = [
        ("rebuild", OnSchemaChange::Rebuild),
        ("extend", OnSchemaChange::Extend),
        ("refuse", OnSchemaChange::Refuse),
    ];
    all.on_schema_change = keys.choice("on_schema_change", &changes).or(all.on_schema_change);
    spec.rebuild_limit = keys.size("rebuild_limit").or(spec.rebuild_limit);
    let publish =
        [("auto", PublishChoice::Auto), ("swap", PublishChoice::Swap), ("replace", PublishChoice::Replace)];
    take(&mut spec.publish, keys.choice("publish", &publish));
    let broken = [("refuse", OnBrokenView::Refuse), ("drop", OnBrokenView::Drop)];
    take(&mut spec.on_broken_view, keys.choice("on_broken_view", &broken));
    unfit(keys, &mut spec.unfit);
    layout::read(keys, &mut spec.layout);
    spec.compression = compression(keys).or(spec.compression);
    spec.fill_jobs = keys.number("fill_jobs", 1..=64).or(spec.fill_jobs);
    take(&mut spec.attempts, keys.number("attempts", 1..=100));
    (spec.warn_after, spec.time_limit) = time_limits(keys, (spec.warn_after, spec.time_limit));
    spec.checks.extend(checks::read(keys));
    spec.private.extend(keys.strings("private"));
    spec.hash.extend(keys.strings("hash"));
}

/// What only a replica can do, or only its SQL.
pub(super) fn of_replica(keys: &Keys<'_>, all: &mut Settings, is_row: bool) {
    let spec = &mut all.spec;
    if is_row {
        spec.columns = keys.strings_or_none("columns");
        if spec.columns.as_ref().is_some_and(Vec::is_empty) {
            keys.wrong("columns", "names no column");
        }
    }
    spec.exclude.extend(keys.strings("exclude"));
    spec.condition = keys.string("where").or(spec.condition.take());
    all.compare_every = keys.duration_or_off("compare_every").or(all.compare_every);
    take(&mut spec.deletes, deletes::read(keys));
    let varchar = [("declared", Varchar::Declared), ("measured", Varchar::Measured)];
    take(&mut spec.varchar, keys.choice("varchar", &varchar));
    spec.format = keys.choice("format", &[("binary", Format::Binary), ("csv", Format::Csv)]).or(spec.format);
    if is_row && spec.strategy != Strategy::Full && spec.cursor.is_none() {
        keys.missing("cursor", "the column that orders new rows: `id`, `updated_at`");
    }
}

/// `warn_after` and `time_limit`, over those that hold where nothing is said.
pub(in crate::config) fn time_limits(
    keys: &Keys<'_>,
    (warn_after, time_limit): (Option<Duration>, Option<Duration>),
) -> (Option<Duration>, Option<Duration>) {
    let warn_after = keys.duration("warn_after").or(warn_after);
    let time_limit = keys.duration("time_limit").or(time_limit);
    if let (Some(warn), Some(limit)) = (warn_after, time_limit)
        && warn >= limit
        && (keys.has("warn_after") || keys.has("time_limit"))
    {
        match keys.has("warn_after") {
            true => keys.wrong("warn_after", "is no shorter than `time_limit`, which ends an attempt before"),
            false => {
                keys.wrong("time_limit", "is no longer than `warn_after`, of which nobody would be told")
            }
        }
    }
    (warn_after, time_limit)
}

/// `unfit = "null"`, or `unfit = { note = "truncate", total = "text" }`.
fn unfit(keys: &Keys<'_>, policies: &mut UnfitPolicies) {
    if !keys.is_table("unfit") {
        take(&mut policies.all, keys.choice("unfit", &UnfitPolicy::WORDS));
        return;
    }
    for (column, place, item) in keys.named("unfit") {
        let word = item.as_str().unwrap_or_default();
        match UnfitPolicy::WORDS.iter().find(|(name, _)| *name == word) {
            Some((_, policy)) => {
                policies.columns.insert(column, *policy);
            }
            None => {
                let words: Vec<&str> = UnfitPolicy::WORDS.iter().map(|(name, _)| *name).collect();
                let message = format!("`unfit` of `{column}` is none of `{}`", words.join("`, `"));
                let hint = mistake::did_you_mean(word, words);
                keys.mistakes.add(place, message, hint);
            }
        }
    }
}

pub(super) fn take<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

//! Rows written into the live table: all of them anew, or some by their key.
//!
//! Redshift holds nobody to a key and takes two texts for equal that differ in blanks at their end alone,
//! so that texts are compared with their lengths. Rows are changed by deleting and inserting them in one
//! transaction: its MERGE can do no more.

mod by_key;
mod columns;

use self::by_key::ByKey;
use super::{
    RedshiftError,
    dialect::{self, literal},
    publish::Patience,
    staging::RedshiftStaging,
    transport::{Answer, Batch},
};
use crate::{
    fail_point,
    schema::Layout,
    sql::{Dialect, TableName},
    stage::SharedStage,
    warehouse::{Delta, Increment, Publication, StagingColumn, StagingSpec, Written},
};

/// Bytes of the keys that one statement lists.
const KEYS_BYTES: usize = 60_000;

/// What is found before the batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// How many of the staged rows are late.
    pub(super) late: Option<u64>,
    /// How many rows are gone from the source.
    pub(super) gone: Option<u64>,
    /// How many marked rows a whole load leaves.
    pub(super) kept: u64,
}

/// What must be there before the batch: columns that are new, and the keys of rows that are gone. Finds
/// nothing for loads that take no heed of what is there.
pub(super) async fn prepare(
    staging: &RedshiftStaging,
    publication: &Publication,
) -> Result<Found, RedshiftError> {
    let spec = &staging.spec;
    let added = publication.increment.as_ref().map(|increment| increment.added.as_slice());
    let columns = (spec.columns.as_slice(), added.unwrap_or_default());
    let patience = Some(Patience::of(&staging.cluster, publication));
    columns::fit(&staging.cluster, &spec.table, columns, &format!("{} columns", spec.load), patience).await?;
    let Some(increment) = &publication.increment else { return Ok(Found::default()) };
    let by_key = ByKey::new(&spec.table, &staging.table, spec);
    let mut found = Found { gone: Some(increment.gone.len() as u64), ..Found::default() };
    if increment.is_whole {
        (found.gone, found.kept) = list_not_staged(staging, &by_key).await?;
    } else {
        list_gone(staging, spec, &increment.gone).await?;
    }
    // What is read again for safety's sake is there already: it is neither written nor counted.
    let late = increment.late.as_deref().unwrap_or("false");
    let batch = Batch::new(format!("find what is new for {}", spec.table), format!("{} late", spec.load))
        .then(by_key.delete_known(publication.kind))
        .then(format!("SELECT count(*)::varchar FROM {} WHERE {late}", by_key.from));
    fail_point!("publish.late.before");
    let [_, answer] = staging.cluster.ask(batch).await?;
    fail_point!("publish.late.after");
    Ok(Found { late: answer.number(), ..found })
}

/// Refuses rows that share a key. Redshift holds nobody to it, and the next load that writes by the key would
/// lose all but one.
pub(super) async fn refuse_doubled(staging: &RedshiftStaging) -> Result<(), RedshiftError> {
    let spec = &staging.spec;
    if spec.key.is_empty() {
        return Ok(());
    }
    let by_key = ByKey::new(&spec.table, &staging.table, spec);
    let doing = format!("look whether the key of {} is one", spec.table);
    let batch = Batch::new(doing, format!("{} key", spec.load)).then(by_key.count_doubled());
    let [doubled] = staging.cluster.ask(batch).await?;
    match doubled.number() {
        Some(0) => Ok(()),
        _ => Err(RedshiftError::NotUnique { table: spec.table.clone(), key: spec.key.clone() }),
    }
}

/// Lists all keys that a whole load does not have. Answers how many rows are gone, and how many are marked
/// once these are.
async fn list_not_staged(
    staging: &RedshiftStaging,
    by_key: &ByKey,
) -> Result<(Option<u64>, u64), RedshiftError> {
    let (spec, gone) = (&staging.spec, gone_table(staging));
    make_list(staging, spec).await?;
    let doing = format!("list the rows that are gone from {}", spec.table);
    let batch = Batch::new(doing, format!("{} gone", spec.load))
        .then(by_key.list_gone(&gone))
        .then(format!("SELECT count(*)::varchar FROM {}", dialect::table(&gone)))
        .then(by_key.count_not_staged());
    fail_point!("publish.gone.before");
    let [_, listed, not_staged] = staging.cluster.ask(batch).await?;
    fail_point!("publish.gone.after");
    Ok((listed.number(), not_staged.number().unwrap_or(0)))
}

/// Makes the empty table of the keys of rows that are gone.
async fn make_list(staging: &RedshiftStaging, spec: &StagingSpec) -> Result<(), RedshiftError> {
    let table = gone_table(staging);
    let of = |name: &String| spec.columns.iter().find(|column| column.name == *name).cloned();
    let of_key: Vec<StagingColumn> = spec.key.iter().filter_map(of).collect();
    let doing = format!("list the rows that are gone from {}", spec.table);
    let create = Batch::new(doing, format!("{} gone", spec.load))
        .then(format!("DROP TABLE IF EXISTS {}", dialect::table(&table)))
        .then(dialect::create(&table, &of_key, &Layout::default()));
    fail_point!("publish.list.before");
    staging.cluster.ask::<2>(create).await?;
    fail_point!("publish.list.after");
    Ok(())
}

/// Writes the keys of rows that are gone into a table of their own: they may be too many for a statement.
async fn list_gone(
    staging: &RedshiftStaging,
    spec: &StagingSpec,
    gone: &[Vec<String>],
) -> Result<(), RedshiftError> {
    if gone.is_empty() {
        return Ok(());
    }
    make_list(staging, spec).await?;
    let (cluster, table, name) = (&staging.cluster, gone_table(staging), format!("{} gone", spec.load));
    let doing = format!("list the rows that are gone from {}", spec.table);
    let mut values = String::new();
    for (place, one) in gone.iter().enumerate() {
        let row: Vec<String> = one.iter().map(|value| literal(value)).collect();
        if !values.is_empty() {
            values.push_str(", ");
        }
        values.push_str(&format!("({})", row.join(", ")));
        if values.len() > KEYS_BYTES || place + 1 == gone.len() {
            let sql = format!("INSERT INTO {} VALUES {values}", dialect::table(&table));
            fail_point!("publish.gone.before");
            cluster.ask::<1>(Batch::new(doing.clone(), name.clone()).then(sql)).await?;
            fail_point!("publish.gone.after");
            values.clear();
        }
    }
    Ok(())
}

/// Drops the list of the rows that are gone. What cannot be dropped now is swept by the next run.
pub(super) async fn drop_gone(staging: &RedshiftStaging, publication: &Publication) {
    let lists = |increment: &Increment| increment.is_whole || !increment.gone.is_empty();
    if publication.increment.as_ref().is_some_and(lists) {
        let table = gone_table(staging);
        fail_point!("publish.unlist.before");
        let _ = staging.cluster.drop_table(&table, &format!("{} drop", staging.spec.load)).await;
        fail_point!("publish.unlist.after");
    }
}

fn gone_table(staging: &RedshiftStaging) -> TableName {
    let name = dialect::beside("gone", &staging.cluster.options.ledger_schema, &staging.spec.load);
    TableName::new(&staging.spec.table.schema, name)
}

/// The statements of a publish in place, and whether the first of them count.
pub(super) fn statements(staging: &RedshiftStaging, publication: &Publication) -> (Vec<String>, bool) {
    let spec = &staging.spec;
    let (live, from) = (&spec.table, &staging.table);
    let Some(increment) = &publication.increment else {
        let columns = spec.all_columns(Dialect::Redshift);
        let columns = dialect::names(columns.iter().map(|column| &column.name));
        let (live, from) = (dialect::table(live), dialect::table(from));
        let insert = format!("INSERT INTO {live} ({columns}) SELECT {columns} FROM {from}");
        return (vec![format!("DELETE FROM {live}"), insert], false);
    };
    let by_key = ByKey::new(live, from, spec);
    let gone = (increment.is_whole || !increment.gone.is_empty()).then(|| gone_table(staging));
    let mut statements = vec![
        by_key.count_new(),
        by_key.count_there(publication.kind),
        gone.as_ref().map_or_else(|| "SELECT '0'".to_owned(), |gone| by_key.count_gone(gone)),
    ];
    statements.extend(gone.as_ref().map(|gone| by_key.take_away(gone, "sysdate")));
    statements.extend(by_key.write(publication.kind));
    (statements, true)
}

/// What the counts say that was written.
pub(super) fn written(counts: &[Answer], late: u64) -> Written {
    let count = |place: usize| counts.get(place).and_then(Answer::number).unwrap_or(0);
    Written { inserted: count(0), updated: count(1), deleted: count(2), late }
}

/// Does an earlier load of new rows again upon a staging table.
pub(super) async fn apply(
    staging: &mut RedshiftStaging,
    delta: &Delta,
    stage: &SharedStage,
) -> Result<(), RedshiftError> {
    let (cluster, load) = (staging.cluster.clone(), staging.spec.load.clone());
    let ledger = cluster.options.ledger_schema.clone();
    let name = dialect::beside("delta", &ledger, &load);
    let from = TableName::new(&staging.table.schema, name);
    let spec = StagingSpec {
        columns: delta.columns.clone(),
        key: delta.manifest.key.clone(),
        // Before it was kept, rows were deleted.
        mark: staging.spec.mark.clone().filter(|_| delta.marked_at.is_some()),
        ..staging.spec.clone()
    };
    let doing = format!("apply the load {} to {}", delta.manifest.load, staging.spec.table);
    let create = dialect::create(&from, &delta.columns, &Layout::default());
    let make = Batch::new(doing.clone(), format!("{load} apply")).then(create);
    fail_point!("staging.delta.before");
    cluster.ask::<1>(make).await?;
    fail_point!("staging.delta.after");
    // Nobody else knows this table: there is no lock to wait for.
    let columns = (delta.columns.as_slice(), delta.columns.as_slice());
    columns::fit(&cluster, &staging.table, columns, &format!("{load} columns"), None).await?;
    cluster.copy(&from, &spec, &delta.manifest, stage).await?;
    list_gone(staging, &spec, &delta.manifest.gone).await?;
    let (by_key, gone) = (ByKey::new(&staging.table, &from, &spec), gone_table(staging));
    let mut batch = Batch::new(doing, format!("{load} apply"));
    if !delta.manifest.gone.is_empty() {
        let at =
            delta.marked_at.map(|at| format!("'{}'::timestamptz", at.strftime("%Y-%m-%d %H:%M:%S%.6f+00")));
        batch = batch
            .then(by_key.take_away(&gone, at.as_deref().unwrap_or("sysdate")))
            .then(format!("DROP TABLE {}", dialect::table(&gone)));
    }
    batch.statements.extend(by_key.write(delta.kind));
    fail_point!("staging.apply.before");
    cluster.transport.run(batch).await?;
    fail_point!("staging.apply.after");
    cluster.drop_table(&from, &format!("{load} apply")).await?;
    fail_point!("staging.apply_drop.after");
    Ok(())
}

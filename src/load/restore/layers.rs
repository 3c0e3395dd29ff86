//! What a state is put together of, and whether all of it still lies in the stage.

use std::collections::{BTreeMap, BTreeSet};

use super::Shelf;
use crate::{
    load::{LoadError, chain::chain},
    sql::TableName,
    stage::{LoadPrefix, StageError, manifest::Manifest},
    warehouse::{LedgerRow, Lineage, PublishKind, StagingColumn, State, Warehouse},
};

/// One load of those that a state is put together of.
pub(super) struct Layer {
    pub(super) row: LedgerRow,
    pub(super) manifest: Manifest,
    pub(super) columns: Vec<StagingColumn>,
}

/// The loads that make up the state of `wanted`, the whole one first. Fails with all that is missing.
pub(super) async fn layers(
    shelf: Shelf<'_>,
    table: &TableName,
    rows: &[LedgerRow],
    wanted: &LedgerRow,
) -> Result<Vec<Layer>, LoadError> {
    let by_id: BTreeMap<&str, &LedgerRow> = rows.iter().map(|row| (row.load.as_str(), row)).collect();
    let lineage: Vec<Lineage> = rows.iter().map(LedgerRow::lineage).collect();
    let loads = chain(&lineage, &wanted.load);
    let mut missing = broken(&lineage, &by_id, &loads, &wanted.load);
    let mut layers = Vec::new();
    for load in loads {
        let Some(row) = by_id.get(load) else {
            missing.push(format!("load {load} in the ledger"));
            continue;
        };
        match layer(shelf, table, row, &mut missing).await? {
            Some(layer) => layers.push(layer),
            None if missing.is_empty() => missing.push(format!("load {load}")),
            None => {}
        }
    }
    match missing.is_empty() && !layers.is_empty() {
        true => Ok(layers),
        false => Err(LoadError::NotInStage { table: table.clone(), load: wanted.load.clone(), missing }),
    }
}

/// Which of the loads `wanted` lie in the stage with all that they stand on, as far as names tell: what is
/// in the objects is looked at by who restores. Not the one that the table shows.
pub async fn restorable(
    shelf: Shelf<'_>,
    table: &TableName,
    wanted: &[String],
    warehouse: &dyn Warehouse,
) -> Result<BTreeSet<String>, LoadError> {
    let rows = warehouse.loads(table).await.map_err(LoadError::Warehouse)?;
    let by_id: BTreeMap<&str, &LedgerRow> = rows.iter().map(|row| (row.load.as_str(), row)).collect();
    let lineage: Vec<Lineage> = rows.iter().map(LedgerRow::lineage).collect();
    let prefix = LoadPrefix::new(shelf.project, shelf.mode, table, "");
    let objects = shelf.stage.list(&prefix.table_prefix()).await?;
    let staged: BTreeSet<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    let is_staged = |load: &&str| {
        let manifest = by_id.get(load).and_then(|row| row.manifest.as_deref());
        manifest.is_some_and(|manifest| staged.contains(manifest))
    };
    let is_whole = |load: &&String| {
        let loads = chain(&lineage, load);
        by_id.contains_key(load.as_str())
            && rows.first().is_none_or(|last| last.load != **load)
            && loads.iter().all(is_staged)
            && broken(&lineage, &by_id, &loads, load).is_empty()
    };
    Ok(wanted.iter().filter(is_whole).cloned().collect())
}

/// Where the ledger does not say what followed what up to the state of `wanted`: the first must have brought
/// the whole table, each other one new rows to the state before it.
fn broken(
    lineage: &[Lineage],
    by_id: &BTreeMap<&str, &LedgerRow>,
    loads: &[&str],
    wanted: &str,
) -> Vec<String> {
    let row = |load: &&str| by_id.get(*load);
    let is_whole = |row: &&&LedgerRow| matches!(row.publish, PublishKind::Swap | PublishKind::Replace);
    let mut broken = Vec::new();
    if loads.is_empty() {
        broken.push(format!("the place of load {wanted} in the ledger"));
    }
    if let Some(first) = loads.first().and_then(row).filter(|row| !is_whole(row)) {
        broken.push(format!("load {}, which load {} stands on", first.state.base, first.load));
    }
    if let Some(first) = loads.first().and_then(row).filter(|row| row.state.kept > 0) {
        let State { kept, .. } = first.state;
        broken.push(format!("the {kept} rows marked as deleted that load {} found and left", first.load));
    }
    for pair in loads.windows(2) {
        let [before, after] = pair else { continue };
        let previous = row(after).and_then(|row| row.previous.as_deref());
        let follows = previous.is_some_and(|previous| chain(lineage, previous).last() == Some(before));
        if !follows || row(after).is_some_and(|row| is_whole(&row)) {
            broken.push(format!("what load {after} was added to"));
        }
    }
    broken
}

/// One load, if it lies whole in the stage.
async fn layer(
    shelf: Shelf<'_>,
    table: &TableName,
    row: &LedgerRow,
    missing: &mut Vec<String>,
) -> Result<Option<Layer>, LoadError> {
    let Some(key) = &row.manifest else {
        missing.push(format!("load {}, which took over a table that was there", row.load));
        return Ok(None);
    };
    let manifest = match Manifest::read(shelf.stage, key, row.state.manifest_sha256.as_deref()).await {
        Ok(manifest) => manifest,
        Err(StageError::Missing { key }) => {
            missing.push(key);
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let prefix = LoadPrefix::new(shelf.project, shelf.mode, table, &row.load);
    let there: BTreeMap<String, u64> = shelf
        .stage
        .list(&prefix.prefix())
        .await?
        .into_iter()
        .map(|object| (object.key, object.bytes))
        .collect();
    let before = missing.len();
    for part in &manifest.parts {
        if there.get(&part.key) != Some(&part.bytes) {
            missing.push(part.key.clone());
        }
    }
    if missing.len() > before {
        return Ok(None);
    }
    Ok(columns(row, &manifest).map(|columns| Layer { row: row.clone(), manifest, columns }))
}

/// The columns of its rows; `None` where the manifest does not say what they are.
fn columns(row: &LedgerRow, manifest: &Manifest) -> Option<Vec<StagingColumn>> {
    let is_nullable = |name: &str| {
        let mut columns = row.schema.columns.iter();
        // Some warehouses know lower case alone.
        let column = columns.find(|column| column.name == name || column.name.to_lowercase() == name);
        column.is_none_or(|column| column.nullable)
    };
    let column = |(name, sql_type): (&String, &String)| StagingColumn {
        name: name.clone(),
        sql_type: sql_type.clone(),
        nullable: is_nullable(name),
    };
    (manifest.columns.len() == manifest.types.len())
        .then(|| manifest.columns.iter().zip(&manifest.types).map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::testing;

    /// `(load, previous, base, restored)`; a load that is its own base is a whole one.
    type Row<'a> = (&'a str, Option<&'a str>, &'a str, Option<&'a str>);

    fn broken_in(rows: &[Row<'_>], wanted: &str) -> Vec<String> {
        let row = |(load, previous, base, restored): &Row<'_>| LedgerRow {
            load: (*load).to_owned(),
            previous: previous.map(str::to_owned),
            publish: if load == base { PublishKind::Swap } else { PublishKind::Merge },
            state: State {
                base: (*base).to_owned(),
                restored: restored.map(str::to_owned),
                ..State::default()
            },
            ..testing::ledger_row(&TableName::new("raw", "orders"), &["id"])
        };
        let rows: Vec<LedgerRow> = rows.iter().map(row).collect();
        let by_id: BTreeMap<&str, &LedgerRow> = rows.iter().map(|row| (row.load.as_str(), row)).collect();
        let lineage: Vec<Lineage> = rows.iter().map(LedgerRow::lineage).collect();
        broken(&lineage, &by_id, &chain(&lineage, wanted), wanted)
    }

    #[test]
    fn each_load_must_have_followed_the_one_before() {
        let rows = [
            ("1", None, "1", None),
            ("2", Some("1"), "1", None),
            ("3", Some("2"), "1", None),
            ("4", Some("3"), "4", Some("2")),
            ("5", Some("4"), "4", None),
        ];
        for wanted in ["1", "2", "3", "4", "5"] {
            assert_eq!(broken_in(&rows, wanted), Vec::<String>::new(), "{wanted}");
        }
        let without_2 = [rows[0], rows[2]];
        assert_eq!(broken_in(&without_2, "3"), ["what load 3 was added to"]);
        assert_eq!(broken_in(&rows[1..3], "2"), ["load 1, which load 2 stands on"]);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_no_load_out() {
        let rows = [("5", None, "5", None), ("3", Some("5"), "5", None), ("6", Some("3"), "5", None)];
        // Ids that do not sort by time give a wrong order: it is refused, not taken.
        assert_eq!(broken_in(&rows, "6"), ["what load 6 was added to"]);
        assert_eq!(broken_in(&rows, "3"), Vec::<String>::new());
        assert_eq!(broken_in(&rows, "5"), Vec::<String>::new());
    }

    #[test]
    fn a_ledger_that_goes_round_in_circles_restores_nothing() {
        let rows = [("1", None, "1", Some("2")), ("2", Some("1"), "2", Some("1"))];
        assert_eq!(broken_in(&rows, "2"), ["the place of load 2 in the ledger"]);
    }
}

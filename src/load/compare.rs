//! Source and warehouse side by side: the total of all rows first, and only where it differs more.

use futures_util::TryStreamExt;

use super::{LoadError, marks};
use crate::{
    compare::{Chosen, Detail, Differences, Hash, Look, Side, Total, buckets_for, differing, merge},
    config::LoadSpec,
    schema::{Shape, ShapedColumn},
    source::Snapshot,
    sql::quote_ident,
    warehouse::{LiveTable, Warehouse},
};

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Rows of the source.
    pub source_rows: u64,
    /// Rows of the warehouse.
    pub warehouse_rows: u64,
    /// In what they differ.
    pub differences: Differences,
}

/// One look at the source's table and the one at the warehouse's that corresponds to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// At the source's.
    pub source: Look,
    /// At the warehouse's.
    pub warehouse: Look,
}

impl Looks {
    /// At whole rows, as the loader takes them; not at those that the live table has marked as deleted.
    pub fn rows(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>) -> Self {
        let all: Vec<String> = shape.columns.iter().map(|column| column.source_name.clone()).collect();
        Self::keys(spec, shape, live, &all)
    }

    /// At the keys, and at what `columns` names besides, by their names in the source. A table without a key has all its columns in it.
    pub fn keys(spec: &LoadSpec, shape: &Shape, live: Option<&LiveTable>, columns: &[String]) -> Self {
        let in_key = |column: &&ShapedColumn| shape.key.is_empty() || shape.key.contains(&column.name);
        let compared = shape.columns.iter().filter(|column| column.comparable.is_compared());
        let (key, row): (Vec<&ShapedColumn>, Vec<&ShapedColumn>) = compared.partition(in_key);
        let row: Vec<&ShapedColumn> =
            row.into_iter().filter(|column| columns.contains(&column.source_name)).collect();
        Self::of(spec, marks::there(spec, live), &key, &row)
    }

    fn of(spec: &LoadSpec, mark: Option<&str>, key: &[&ShapedColumn], row: &[&ShapedColumn]) -> Self {
        let source =
            |columns: &[&ShapedColumn]| columns.iter().map(|column| column.compared.clone()).collect();
        let warehouse =
            |columns: &[&ShapedColumn]| columns.iter().map(|column| column.arrived.clone()).collect();
        Self {
            source: Look {
                table: spec.source_table.clone(),
                key: source(key),
                row: source(row),
                condition: spec.condition.clone(),
                newer: None,
            },
            warehouse: Look {
                table: spec.target.clone(),
                key: warehouse(key),
                row: warehouse(row),
                condition: mark.map(|mark| format!("{} IS NULL", quote_ident(mark))),
                newer: None,
            },
        }
    }
}

/// Compares what a snapshot shows with the live table. Up to `limit` keys of each kind of difference are
/// kept. With [`Detail::Columns`] the differences say in which of [`Look::row`] rows differ.
///
/// Both sides are asked at once, each in one transaction: the warehouse's keeps others from publishing to
/// the table until it is done.
pub async fn compare(
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
    looks: &Looks,
    detail: Detail,
    limit: usize,
) -> Result<Comparison, LoadError> {
    let (source, warehouse) = tokio::try_join!(
        async { snapshot.look(looks.source.clone()).await.map_err(LoadError::Source) },
        async { warehouse.look(looks.warehouse.clone()).await.map_err(LoadError::Warehouse) },
    )?;
    let mut both =
        Both { hash: Hash::agreed(source.fingerprint(), warehouse.fingerprint()), source, warehouse };
    let (one, other) = both.totals().await?;
    let differences = match one == other {
        true => Differences::default(),
        false => {
            let chosen = both.differing(buckets_for(one.rows.max(other.rows))).await?;
            both.merged(&chosen, detail, limit).await?
        }
    };
    both.close().await?;
    Ok(Comparison { source_rows: one.rows, warehouse_rows: other.rows, differences })
}

/// The two sides of one comparison.
struct Both {
    hash: Hash,
    source: Box<dyn Side>,
    warehouse: Box<dyn Side>,
}

impl Both {
    async fn totals(&mut self) -> Result<(Total, Total), LoadError> {
        let Self { hash, source, warehouse } = self;
        tokio::try_join!(async { source.total(*hash).await.map_err(LoadError::Source) }, async {
            warehouse.total(*hash).await.map_err(LoadError::Warehouse)
        },)
    }

    /// The buckets in which the sides differ.
    async fn differing(&mut self, of: u32) -> Result<Chosen, LoadError> {
        let Self { hash, source, warehouse } = self;
        let (one, other) =
            tokio::try_join!(async { source.buckets(*hash, of).await.map_err(LoadError::Source) }, async {
                warehouse.buckets(*hash, of).await.map_err(LoadError::Warehouse)
            },)?;
        Ok(differing(of, &one, &other))
    }

    /// The rows of these buckets, compared one by one.
    async fn merged(
        &mut self,
        chosen: &Chosen,
        detail: Detail,
        limit: usize,
    ) -> Result<Differences, LoadError> {
        let Self { hash, source, warehouse } = self;
        let (source, warehouse) = tokio::try_join!(
            async { source.entries(*hash, chosen, detail).await.map_err(LoadError::Source) },
            async { warehouse.entries(*hash, chosen, detail).await.map_err(LoadError::Warehouse) },
        )?;
        merge(source.map_err(LoadError::Source), warehouse.map_err(LoadError::Warehouse), limit).await
    }

    async fn close(self) -> Result<(), LoadError> {
        tokio::try_join!(async { self.source.close().await.map_err(LoadError::Source) }, async {
            self.warehouse.close().await.map_err(LoadError::Warehouse)
        },)?;
        Ok(())
    }
}

//! What of a table can be compared: the columns that source and warehouse both have, in one form.

use super::{
    LoadError,
    decide::{selection, wishes},
};
use crate::{
    config::{LoadSpec, Strategy},
    schema::{self, Comparable, Cursor, Shape, ShapedColumn, TableSchema},
    source::Snapshot,
    warehouse::{LedgerRow, LiveTable, StagingColumn, Warehouse},
};

/// A table's columns that are compared.
pub(super) struct Compared {
    /// The source's schema, as the loader takes it.
    pub(super) schema: TableSchema,
    /// The columns that both sides have, and the key if all of it is among them.
    pub(super) shape: Shape,
    /// The live table.
    pub(super) live: LiveTable,
    /// What is left out although it should be there on both sides alike, in words.
    pub(super) not_compared: Vec<String>,
    /// What is left out because the two servers write it each in its own way, in words.
    pub(super) not_comparable: Vec<String>,
}

/// Looks at both sides as they are now.
pub(super) async fn compared(
    spec: &LoadSpec,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<Compared, LoadError> {
    let found = snapshot.describe(&spec.source_table).await.map_err(LoadError::Source)?;
    let schema = selection(spec).apply(&spec.source_table, &found)?.schema;
    let abilities = warehouse.abilities().await.map_err(LoadError::Warehouse)?;
    let mut shape =
        schema::shape(&spec.source_table, &schema, snapshot.server_version(), &abilities, &wishes(spec))?;
    super::marks::refuse(spec, &shape, None, true)?;
    let live = warehouse.live(&spec.target).await.map_err(LoadError::Warehouse)?;
    let Some(live) = live else { return Err(LoadError::Gone { table: spec.target.clone() }) };
    super::measured::keep_sizes(spec, &mut shape, Some(&live));
    let not_compared = keep_common(&mut shape, &live.columns_but(spec.deletes.mark()));
    let not_comparable = keep_comparable(&mut shape);
    Ok(Compared { schema, shape, live, not_compared, not_comparable })
}

/// Leaves out of `shape` what cannot be compared. Says what.
fn keep_comparable(shape: &mut Shape) -> Vec<String> {
    let mut left_out = Vec::new();
    shape.columns.retain(|column| {
        if let Comparable::Not { why } = column.comparable {
            left_out.push(format!("column `{}` is not compared: {why}", column.name));
        }
        column.comparable.is_compared()
    });
    if unnamed(shape).is_some() {
        shape.key.clear();
    }
    forget_half_a_key(shape);
    left_out
}

/// A column of the key by which rows cannot be named.
pub(super) fn unnamed(shape: &Shape) -> Option<&ShapedColumn> {
    shape
        .columns
        .iter()
        .find(|column| shape.key.contains(&column.name) && column.comparable != Comparable::ByKey)
}

/// Leaves out of `shape` what the live table has in another form or not at all. Says what.
pub(super) fn keep_common(shape: &mut Shape, live: &[StagingColumn]) -> Vec<String> {
    let mut left_out = Vec::new();
    for there in live {
        if !shape.columns.iter().any(|column| column.name == there.name) {
            left_out.push(format!("column `{}` is in the warehouse alone", there.name));
        }
    }
    shape.columns.retain(|column| {
        let why = why_not(column, live);
        let keep = why.is_none();
        left_out.extend(why);
        keep
    });
    forget_half_a_key(shape);
    left_out
}

/// Without all columns of their key rows are told apart by all that is left.
fn forget_half_a_key(shape: &mut Shape) {
    if !shape.key.iter().all(|name| shape.columns.iter().any(|column| column.name == *name)) {
        shape.key.clear();
    }
}

fn why_not(column: &ShapedColumn, live: &[StagingColumn]) -> Option<String> {
    let ShapedColumn { name, sql_type, .. } = column;
    match live.iter().find(|there| there.name == *name) {
        None => Some(format!("column `{name}` is in the source alone")),
        Some(there) if there.sql_type != *sql_type => {
            Some(format!("column `{name}` is {} in the warehouse and arrives as {sql_type}", there.sql_type))
        }
        Some(_) => None,
    }
}

/// Which rows of the source the last load could not have brought, because they are beyond its watermark;
/// `None` where nothing tells.
pub(super) fn newer(spec: &LoadSpec, schema: &TableSchema, last: &LedgerRow) -> Option<String> {
    if spec.strategy == Strategy::Full {
        return None;
    }
    let cursor = Cursor::of(&spec.source_table, schema, spec.cursor.as_ref()?).ok()?;
    // Rows without a place in the order are loaded each time: those of now need not be there.
    Some(format!("{} IS NOT TRUE", cursor.at_most(last.watermark.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::{CsvForm, Format},
        sql::Dialect,
    };

    fn shape(columns: &[(&str, &str)], key: &[&str]) -> Shape {
        let column = |(name, sql_type): &(&str, &str)| ShapedColumn {
            source_name: (*name).to_owned(),
            varchar_bytes: None,
            compared: String::new(),
            name: (*name).to_owned(),
            expression: String::new(),
            arrived: String::new(),
            sql_type: (*sql_type).to_owned(),
            nullable: true,
            comparable: Comparable::ByKey,
        };
        Shape {
            columns: columns.iter().map(column).collect(),
            key: key.iter().map(|name| (*name).to_owned()).collect(),
            format: Format::Csv,
            csv: CsvForm::default(),
            unfit: Vec::new(),
            layout: crate::schema::Layout::default(),
            notes: Vec::new(),
            dialect: Dialect::Postgres,
        }
    }

    fn live(columns: &[(&str, &str)]) -> Vec<StagingColumn> {
        let column = |(name, sql_type): &(&str, &str)| StagingColumn {
            name: (*name).to_owned(),
            sql_type: (*sql_type).to_owned(),
            nullable: false,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn what_one_side_has_alone_or_in_another_form_is_left_out_and_told() {
        let mut shape = shape(&[("id", "bigint"), ("tip", "numeric"), ("note", "text")], &["id"]);
        let left_out =
            keep_common(&mut shape, &live(&[("id", "bigint"), ("note", "bigint"), ("mine", "text")]));
        assert_eq!(
            left_out,
            [
                "column `mine` is in the warehouse alone",
                "column `tip` is in the source alone",
                "column `note` is bigint in the warehouse and arrives as text",
            ]
        );
        assert_eq!((shape.columns.len(), shape.key.len()), (1, 1));
    }

    #[test]
    fn a_key_of_which_a_column_is_left_out_is_none() {
        let mut shape = shape(&[("a", "bigint"), ("b", "text")], &["a", "b"]);
        keep_common(&mut shape, &live(&[("b", "text")]));
        assert_eq!((shape.columns.len(), shape.key.len()), (1, 0));
    }
}

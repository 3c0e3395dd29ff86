//! Columns' names: Redshift folds them to lower case, quoted or not.

use crate::{
    schema::{ShapeError, TableSchema},
    sql::{Dialect, TableName},
};

/// How long a name may be.
const NAME_BYTES_MAX: usize = Dialect::Redshift.name_bytes_max();

/// Columns that each table has by itself.
const SYSTEM_COLUMNS: [&str; 7] = ["ctid", "xmin", "oid", "tableoid", "cmin", "cmax", "xmax"];

/// The name as Redshift keeps it. Letters beyond ASCII are folded here, so that it does not matter
/// whether it folds them too.
pub(in crate::schema) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Refuses names that Redshift cannot keep apart, or cannot keep.
pub(in crate::schema) fn refuse_names(table: &TableName, schema: &TableSchema) -> Result<(), ShapeError> {
    for (at, column) in schema.columns.iter().enumerate() {
        let (name, there) = (&column.name, folded(&column.name));
        if there.len() > NAME_BYTES_MAX {
            let (table, column) = (table.clone(), name.clone());
            return Err(ShapeError::LongName {
                table,
                column,
                bytes: there.len(),
                bytes_max: NAME_BYTES_MAX,
            });
        }
        if SYSTEM_COLUMNS.contains(&there.as_str()) {
            return Err(ShapeError::SystemName { table: table.clone(), column: name.clone() });
        }
        if let Some(other) = schema.columns[..at].iter().find(|other| folded(&other.name) == there) {
            let columns = (other.name.clone(), name.clone());
            return Err(ShapeError::SameName { table: table.clone(), columns });
        }
    }
    Ok(())
}

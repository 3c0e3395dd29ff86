//! Ledger rows and columns for unit tests.

use jiff::Timestamp;

use super::{LedgerRow, PublishKind, StagingColumn, State};
use crate::{
    schema::{Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind},
    sql::TableName,
};

/// The row of a table whose source had these columns.
pub(crate) fn ledger_row(table: &TableName, columns: &[&str]) -> LedgerRow {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        number: 1,
        column_type: ColumnType { sql: "bigint".into(), kind: TypeKind::Builtin { name: "int8".into() } },
        nullable: true,
        generated: Generated::No,
    };
    LedgerRow {
        load: "01LOAD".into(),
        table: table.clone(),
        previous: None,
        project: "shop".into(),
        run: "01RUN".into(),
        strategy: "full".into(),
        publish: PublishKind::Swap,
        source: "shop".into(),
        source_table: TableName::new("public", &table.name),
        system: None,
        lsn: None,
        as_of: Timestamp::UNIX_EPOCH,
        snapshot: "s".into(),
        schema_hash: "v1:0".into(),
        schema: TableSchema {
            kind: RelationKind::Table,
            columns: columns.iter().map(column).collect(),
            key: Vec::new(),
        },
        content_hash: None,
        manifest: None,
        rows: 0,
        bytes: 0,
        watermark: None,
        table_rows: 0,
        late_rows: None,
        deleted_rows: None,
        state: State::default(),
        published_at: None,
    }
}

/// Columns of a staging table by name and type, each of them nullable.
pub(crate) fn staging_columns(columns: &[(&str, &str)]) -> Vec<StagingColumn> {
    let column = |(name, of): &(&str, &str)| StagingColumn {
        name: (*name).to_owned(),
        sql_type: (*of).to_owned(),
        nullable: true,
    };
    columns.iter().map(column).collect()
}

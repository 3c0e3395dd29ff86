//! What the ledger is told of a model.

use jiff::Timestamp;

use super::Attempt;
use crate::{
    clock::{self, Clock},
    config::ModelKind,
    load::Workshop,
    schema::{self, Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind},
    warehouse::{Descriptions, LedgerRow, PublishKind, StagingColumn, State},
};

/// What is decided of an attempt.
pub(super) struct Decision {
    pub(super) load: String,
    pub(super) last: Option<LedgerRow>,
    /// The live table's.
    pub(super) live_columns: Option<Vec<String>>,
    pub(super) columns: Vec<StagingColumn>,
    pub(super) publish: PublishKind,
    /// Whether the whole table is made.
    pub(super) is_whole: bool,
    pub(super) definition: String,
    pub(super) reason: String,
}

/// The row.
pub(super) fn row(
    workshop: &Workshop,
    attempt: &Attempt<'_>,
    decision: &Decision,
    (rows, watermark): (u64, Option<String>),
) -> LedgerRow {
    let schema = table_schema(attempt, &decision.columns);
    let last = decision.last.as_ref();
    LedgerRow {
        load: decision.load.clone(),
        table: attempt.target.clone(),
        previous: last.map(|last| last.load.clone()),
        project: workshop.project.clone(),
        run: workshop.run.clone(),
        strategy: strategy(&attempt.spec.kind).to_owned(),
        publish: decision.publish,
        source: String::new(),
        source_table: attempt.target.clone(),
        system: None,
        lsn: None,
        as_of: as_of(attempt),
        snapshot: String::new(),
        schema_hash: schema::hash(&schema),
        schema,
        content_hash: None,
        manifest: None,
        rows,
        bytes: 0,
        watermark,
        table_rows: match last {
            Some(last) if !decision.is_whole => last.table_rows,
            _ => rows,
        },
        late_rows: None,
        deleted_rows: None,
        state: State {
            strategy: strategy(&attempt.spec.kind).to_owned(),
            definition: decision.definition.clone(),
            base: match last {
                Some(last) if !decision.is_whole => last.state.base.clone(),
                _ => decision.load.clone(),
            },
            inputs: attempt.inputs.clone(),
            sample: attempt.sample_of_rows(),
            ..State::default()
        },
        published_at: None,
    }
}

/// The ledger's word for a view.
pub const VIEW: &str = "view";

/// `model`, `view`, `incremental`: the ledger's word for how the rows came.
pub fn strategy(kind: &ModelKind) -> &'static str {
    match kind {
        ModelKind::Table => "model",
        ModelKind::View => VIEW,
        ModelKind::Incremental { .. } => "incremental",
    }
}

/// The moment of the oldest input; of a model that reads none, now.
pub(super) fn as_of(attempt: &Attempt<'_>) -> Timestamp {
    let oldest = attempt.inputs.values().map(|input| input.as_of).min();
    oldest.unwrap_or_else(|| clock::System.now())
}

/// What its comment says: the description, and which old data it was made of.
pub(super) fn descriptions(attempt: &Attempt<'_>) -> Descriptions {
    let stale: Vec<String> = attempt
        .inputs
        .iter()
        .filter(|(_, input)| input.stale_seconds.is_some())
        .map(|(name, input)| format!("{name} as of {}", input.as_of.strftime("%F %T UTC")))
        .collect();
    let note = (!stale.is_empty()).then(|| format!("Made of older data: {}.", stale.join(", ")));
    let sample = attempt.sample_of_rows().map(|rows| format!("Made of a sample of {rows} rows a table."));
    let text: Vec<String> = attempt.spec.description.iter().cloned().chain(sample).chain(note).collect();
    Descriptions {
        // An empty one takes away what an earlier load said.
        table: Some(text.join("\n")),
        columns: attempt.spec.columns.clone(),
    }
}

fn table_schema(attempt: &Attempt<'_>, columns: &[StagingColumn]) -> TableSchema {
    let column = |(number, column): (usize, &StagingColumn)| Column {
        name: column.name.clone(),
        number: i16::try_from(number + 1).unwrap_or(i16::MAX),
        column_type: ColumnType { sql: column.sql_type.clone(), kind: TypeKind::Other },
        nullable: column.nullable,
        generated: Generated::No,
    };
    TableSchema {
        kind: if attempt.spec.kind == ModelKind::View { RelationKind::View } else { RelationKind::Table },
        columns: columns.iter().enumerate().map(column).collect(),
        key: attempt.spec.key.clone(),
    }
}

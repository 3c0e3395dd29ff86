//! Taking over a table that somebody else made: compared with its source, then written into the ledger as
//! it is. No row of it is read into the stage or written.

mod findings;

pub use self::findings::Adoption;
use self::findings::Wrong;
use super::{
    Attempt, LoadError, Loaded, Workshop,
    attempt::snapshots,
    compare::{Looks, compare},
    compared::keep_common,
    connections::{Held, hold},
    decide::{selection, staging_columns, wishes},
    marks,
    new_rows::{Asked, Brought},
    verify::keeps_deleted,
};
use crate::{
    clock,
    compare::{Detail, Differences},
    config::{LoadSpec, Strategy},
    fail_point,
    schema::{self, Cursor, RelationKind, Shape, TableSchema},
    source::{Position, Snapshot},
    warehouse::{LedgerRow, LiveTable, PublishKind, State, Survey, Warehouse},
};

/// Makes one attempt to take a table over. After `Ok` it stands in the ledger, after `Err` nothing changed.
pub async fn adopt(workshop: &Workshop, attempt: &Attempt, with_rows: bool) -> Result<Loaded, LoadError> {
    let Held { snapshot, connections: _held } = hold(workshop, std::slice::from_ref(attempt)).await?;
    let adopted = tokio::select! {
        biased;
        () = workshop.cancel.cancelled() => Err(LoadError::Cancelled),
        adopted = in_snapshot(workshop, attempt, with_rows, &*snapshot) => adopted,
    };
    if adopted.as_ref().is_err_and(LoadError::is_of_snapshot) {
        snapshots(workshop, attempt)?.give_up(Some(&snapshot.position().snapshot)).await;
    }
    adopted
}

async fn in_snapshot(
    workshop: &Workshop,
    attempt: &Attempt,
    with_rows: bool,
    snapshot: &dyn Snapshot,
) -> Result<Loaded, LoadError> {
    let spec = &attempt.spec;
    let adoption = plan_adopt(spec, with_rows, snapshot, &*workshop.warehouse).await?;
    adoption.refuse()?;
    let (load, task) = (clock::new_id(), spec.target.to_string());
    workshop.control.start_attempt(&workshop.run, &task, attempt.number, &load).await?;
    let row = ledger_row(workshop, spec, &adoption, &load);
    let columns = marks::columns(spec, &adoption.shape, Some(&adoption.live));
    fail_point!("adopt.before");
    workshop.warehouse.adopt(&row, &columns).await.map_err(LoadError::Warehouse)?;
    fail_point!("adopt.after");
    let schema = (&*adoption.schema_hash, &adoption.schema);
    if let Err(error) = workshop.control.record_schema(&spec.target, schema.0, schema.1, &load).await {
        tracing::warn!(%error, "the schema's history was not written");
    }
    Ok(Loaded {
        load,
        reason: adoption.in_words(),
        published: Some(row.publish),
        rows: adoption.rows,
        late_rows: None,
        deleted_rows: None,
        kept_rows: 0,
        read_rows: 0,
        watermark: row.watermark,
        schema_hash: row.schema_hash,
        schema_changes: Vec::new(),
        bytes: 0,
        as_of: row.as_of,
        snapshot: row.snapshot,
        lag_seconds: adoption.position.lag_seconds,
        checks: Vec::new(),
        warnings: adoption.warnings(),
    })
}

/// Looks whether a table can be taken over, and in what it differs from its source. Changes nothing.
pub async fn plan_adopt(
    spec: &LoadSpec,
    with_rows: bool,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<Adoption, LoadError> {
    let table = &spec.target;
    if let Some(last) = warehouse.last_load(table).await.map_err(LoadError::Warehouse)? {
        return Err(LoadError::Adopted { table: table.clone(), load: last.load });
    }
    let live = warehouse.live(table).await.map_err(LoadError::Warehouse)?;
    let live = live.ok_or_else(|| LoadError::Gone { table: table.clone() })?;
    let found = snapshot.describe(&spec.source_table).await.map_err(LoadError::Source)?;
    let schema = selection(spec).apply(&spec.source_table, &found)?.schema;
    let abilities = warehouse.abilities().await.map_err(LoadError::Warehouse)?;
    let mut shape =
        schema::shape(&spec.source_table, &schema, snapshot.server_version(), &abilities, &wishes(spec))?;
    marks::refuse(spec, &shape, None, false)?;
    super::measured::keep_sizes(spec, &mut shape, Some(&live));
    let asked = Asked { spec, full: false, last: None, live: Some(&live), changes: &[] };
    let brought = asked.decide(&schema, &mut shape, snapshot, warehouse).await?;
    let survey = warehouse.survey(table, &shape.key).await.map_err(LoadError::Warehouse)?;
    let survey = survey.ok_or_else(|| LoadError::Gone { table: table.clone() })?;
    let wrong = wrong(spec, &shape, &live, &survey);
    let looking = Looking { spec, snapshot, warehouse, schema: &schema, shape: &shape, live: &live };
    let (rows, watermark, differences) = match wrong.is_empty() {
        true => looking.rows(&brought, with_rows).await?,
        false => (0, None, None),
    };
    Ok(Adoption {
        table: table.clone(),
        position: snapshot.position().clone(),
        schema_hash: schema::hash(&schema),
        notes: notes(&brought),
        state: state(spec, &live, brought.state, differences.as_ref()),
        keeps_deleted: keeps_deleted(spec),
        is_incremental: spec.strategy != Strategy::Full,
        schema,
        shape,
        live,
        survey,
        wrong,
        rows,
        watermark,
        differences,
    })
}

/// Why the table cannot be taken over as it is.
fn wrong(spec: &LoadSpec, shape: &Shape, live: &LiveTable, survey: &Survey) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if live.kind != RelationKind::Table {
        wrong.push(Wrong::new("it is no plain table"));
    }
    let table = spec.target.quoted();
    wrong.extend(
        keep_common(&mut shape.clone(), &live.columns_but(spec.deletes.mark())).into_iter().map(Wrong::new),
    );
    wrong.extend(marks::unfit(spec, shape, live).map(|(what, sql)| Wrong { what, sql: Some(sql) }));
    for column in staging_columns(shape) {
        let there = live.columns.iter().find(|there| there.name == column.name);
        let differs =
            there.is_some_and(|there| there.sql_type == column.sql_type && there.nullable != column.nullable);
        if differs {
            let (verb, what) = if column.nullable { ("DROP", "allows") } else { ("SET", "allows no") };
            let name = crate::sql::quote_ident(&column.name);
            wrong.push(Wrong {
                what: format!(
                    "column `{}` {what} NULL in the source, other than in the warehouse",
                    column.name
                ),
                sql: Some(format!("ALTER TABLE {table} ALTER COLUMN {name} {verb} NOT NULL")),
            });
        }
    }
    if spec.strategy != Strategy::Full && !survey.has_key {
        let key: Vec<String> = shape.key.iter().map(|name| crate::sql::quote_ident(name)).collect();
        wrong.push(Wrong {
            what: format!("no unique index has just its key ({})", shape.key.join(", ")),
            sql: Some(format!("ALTER TABLE {table} ADD PRIMARY KEY ({})", key.join(", "))),
        });
    }
    if !survey.needed.is_empty() {
        wrong.push(Wrong {
            what: format!("it belongs to {}, and barncat's role may not change it", survey.owner),
            sql: Some(survey.needed.join("; ")),
        });
    }
    wrong
}

/// What people should know of the loads to come.
fn notes(brought: &Brought) -> Vec<String> {
    let late_rows = brought.advice.iter().map(|advice| format!("late rows: {}", advice.late_rows));
    late_rows.chain(brought.notes.iter().cloned()).collect()
}

/// What a comparison that found nothing to bring vouches for, the next load need not look at again.
fn state(spec: &LoadSpec, live: &LiveTable, state: State, differences: Option<&Differences>) -> State {
    let is_equal = differences.is_some_and(|found| is_equal(found, keeps_deleted(spec)));
    State {
        strategy: spec.strategy.to_string(),
        compared_as_of: state.compared_as_of.filter(|_| is_equal),
        settled: state.settled && is_equal,
        mark: marks::there(spec, Some(live)).map(str::to_owned),
        ..state
    }
}

fn is_equal(found: &Differences, keeps_deleted: bool) -> bool {
    found.missing == 0 && found.different == 0 && (found.extra == 0 || keeps_deleted)
}

/// The two tables.
struct Looking<'a> {
    spec: &'a LoadSpec,
    snapshot: &'a dyn Snapshot,
    warehouse: &'a dyn Warehouse,
    schema: &'a TableSchema,
    shape: &'a Shape,
    live: &'a LiveTable,
}

impl Looking<'_> {
    /// The warehouse's rows, how far the cursor reaches there, and in what the rows differ if that is asked
    /// for. Rows beyond that place are what the next load brings.
    async fn rows(
        &self,
        brought: &Brought,
        with_rows: bool,
    ) -> Result<(u64, Option<String>, Option<Differences>), LoadError> {
        let spec = self.spec;
        let cursor = match (&spec.cursor, spec.strategy) {
            (Some(column), Strategy::Append | Strategy::Merge) => {
                Some(Cursor::of(&spec.source_table, self.schema, column)?)
            }
            _ => None,
        };
        let there = cursor.as_ref().map(|cursor| self.shape.cursor(cursor));
        let asked = there.as_ref().zip(brought.watermark.as_deref());
        let (rows, watermark) = self
            .warehouse
            .reach(&spec.target, marks::there(spec, Some(self.live)), asked)
            .await
            .map_err(LoadError::Warehouse)?;
        if !with_rows {
            return Ok((rows, watermark, None));
        }
        let mut looks = Looks::rows(spec, self.shape, Some(self.live));
        if let (Some(cursor), Some(watermark)) = (&cursor, &watermark) {
            looks.source.newer = Some(format!("{} IS NOT TRUE", cursor.at_most(watermark)));
        }
        let found = compare(self.snapshot, self.warehouse, &looks, Detail::Columns, 0).await?;
        Ok((found.warehouse_rows, watermark, Some(found.differences)))
    }
}

/// The table's first row in the ledger: nothing lies behind it in the stage.
fn ledger_row(workshop: &Workshop, spec: &LoadSpec, adoption: &Adoption, load: &str) -> LedgerRow {
    let Position { as_of, lsn, system, snapshot, .. } = adoption.position.clone();
    LedgerRow {
        load: load.to_owned(),
        table: spec.target.clone(),
        previous: None,
        project: workshop.project.clone(),
        run: workshop.run.clone(),
        strategy: "adopt".to_owned(),
        publish: PublishKind::Replace,
        source: spec.source.clone(),
        source_table: spec.source_table.clone(),
        system,
        lsn,
        as_of,
        snapshot,
        schema_hash: adoption.schema_hash.clone(),
        schema: adoption.schema.clone(),
        content_hash: None,
        manifest: None,
        rows: adoption.rows,
        bytes: 0,
        watermark: adoption.watermark.clone(),
        table_rows: adoption.rows,
        late_rows: None,
        deleted_rows: None,
        state: State { base: load.to_owned(), ..adoption.state.clone() },
        published_at: None,
    }
}

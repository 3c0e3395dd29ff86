//! The publish: locks, a look at the table's head, the renames or the rows, and last the ledger's row, in one
//! batch.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    Cluster, RedshiftError,
    data_api::STATEMENTS_MAX,
    dialect,
    in_place::{self, Found},
    ledger::moment,
    publish_view,
    staging::RedshiftStaging,
    transport::{Answer, Batch},
    views,
    views_anew::{Anew, anew},
};
use crate::{
    error::{Class, Fault},
    fail_point,
    sql::{Dialect, TableName},
    warehouse::{Descriptions, LedgerRow, Publication, PublishKind, Published, Select, StagingColumn, State},
};

/// The pause between two tries for the locks.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How long locks are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// By one try.
    pub(super) once: Duration,
    /// By all.
    pub(super) in_all: Duration,
}

impl Patience {
    pub(super) fn of(cluster: &Cluster, publication: &Publication) -> Self {
        let once = cluster.transport.locks_within(publication.lock_timeout);
        Self { once, in_all: publication.lock_wait }
    }
}

/// Pieces of a schema that one batch writes: together they stay below the bytes that it may have.
const PIECES_A_BATCH: usize = 4;

/// Makes the staging table's rows the live ones. What is not published is dropped.
pub(super) async fn publish(
    staging: &RedshiftStaging,
    publication: &Publication,
) -> Result<Published, RedshiftError> {
    let published = tries(staging, publication).await;
    match &published {
        // By a swap it is the live one now.
        Ok(Published { kind: PublishKind::Swap, .. }) => {}
        // Perhaps it is in use still: then the next run sweeps it.
        Err(RedshiftError::Unknown { .. }) => {}
        _ => {
            fail_point!("publish.staging.before");
            let _ = staging.cluster.drop_table(&staging.table, &format!("{} drop", staging.spec.load)).await;
            fail_point!("publish.staging.after");
        }
    }
    if !matches!(published, Err(RedshiftError::Unknown { .. })) {
        in_place::drop_gone(staging, publication).await;
    }
    published
}

async fn tries(staging: &RedshiftStaging, publication: &Publication) -> Result<Published, RedshiftError> {
    let cluster = &staging.cluster;
    let found = match publication.kind {
        PublishKind::Swap => Found::default(),
        _ => in_place::prepare(staging, publication).await?,
    };
    until_known(cluster, publication, What::Rows(staging, found)).await
}

/// What is published.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// Rows of a staging table, with what was found before.
    Rows(&'a RedshiftStaging, Found),
    /// A view.
    View(&'a Select),
}

/// Does a publish again until it is known how it ended, or the time for it is used up.
pub(super) async fn until_known(
    cluster: &Cluster,
    publication: &Publication,
    what: What<'_>,
) -> Result<Published, RedshiftError> {
    let (row, begun) = (&publication.ledger, Instant::now());
    cluster.ensure_head(&row.table).await?;
    let pieces = cluster.missing_schema(row).await?;
    for some in pieces.chunks(PIECES_A_BATCH) {
        let doing = format!("write the schema of {}", row.table);
        let batch = Batch { statements: some.to_vec(), ..Batch::new(doing, format!("{} schema", row.load)) };
        fail_point!("publish.schema.before");
        cluster.transport.run(batch).await?;
        fail_point!("publish.schema.after");
    }
    loop {
        let tried = match what {
            What::Rows(staging, found) => once(staging, publication, found).await,
            What::View(select) => publish_view::once(cluster, select, publication).await,
        };
        let error = match tried {
            Ok(published) => return Ok(published),
            Err(error) => error,
        };
        // Whatever it says: only the ledger knows.
        cluster.transport.settle(&row.load).await?;
        if let Some(there) = cluster.load(&row.load).await? {
            return Ok(Published {
                at: there.published_at.unwrap_or(Timestamp::UNIX_EPOCH),
                kind: there.publish,
                written: None,
                warnings: Vec::new(),
            });
        }
        let last = cluster.last_loads(Some(&row.table)).await?.into_iter().next();
        if last.map(|last| last.load) != row.previous {
            return Err(RedshiftError::Superseded { table: row.table.clone() });
        }
        if error.class() != Class::Passing || begun.elapsed() >= publication.lock_wait {
            return Err(error);
        }
        sleep(PAUSE).await;
    }
}

async fn once(
    staging: &RedshiftStaging,
    publication: &Publication,
    found: Found,
) -> Result<Published, RedshiftError> {
    let (cluster, row) = (&staging.cluster, &publication.ledger);
    let kind = publication.kind;
    let (columns, anew) = match kind {
        PublishKind::Swap => along(staging, publication).await?,
        _ => (cluster.columns(&staging.spec.table).await?, Anew::default()),
    };
    if !columns.is_empty() && row.previous.is_none() {
        return Err(RedshiftError::NotOurs { table: row.table.clone() });
    }
    let live = (!columns.is_empty()).then(|| staging.spec.table.clone());
    let batch = begin(cluster, publication, live.as_ref(), &anew.before);
    match kind {
        PublishKind::Swap => swap(staging, publication, live, batch, anew).await,
        PublishKind::Replace | PublishKind::Insert | PublishKind::Merge => {
            let (of_table, of_columns) = publication.descriptions.clone().apart();
            cluster.comment(&staging.spec.table, &of_columns, &row.load).await?;
            let (statements, counts) = in_place::statements(staging, publication);
            let first = batch.statements.len();
            let mut batch = Batch { statements: [batch.statements, statements].concat(), ..batch };
            batch.statements.extend(publish_view::comments(&staging.spec.table, "TABLE", &of_table));
            let Found { late, gone, kept } = found;
            let state = State { kept, ..row.state.clone() };
            let row = LedgerRow { late_rows: late, deleted_rows: gone, state, ..row.clone() };
            batch = batch.then(cluster.write(
                &row,
                kind,
                Some((&staging.spec.table, staging.spec.mark.as_deref())),
            ));
            fail_point!("publish.rows.before");
            let answers = cluster.transport.run(end(cluster, batch, &row.load)).await?;
            fail_point!("publish.rows.after");
            let counted = answers.get(first..).unwrap_or_default();
            let written = counts.then(|| in_place::written(counted, late.unwrap_or(0)));
            Ok(Published { at: published_at(&answers)?, kind, written, warnings: Vec::new() })
        }
    }
}

/// The live table's columns, and how the views that are bound to it go along with a swap.
async fn along(
    staging: &RedshiftStaging,
    publication: &Publication,
) -> Result<(Vec<StagingColumn>, Anew), RedshiftError> {
    let table = &staging.spec.table;
    let (columns, bound) = staging.cluster.columns_and_views(table).await?;
    let mut obstacles = views::obstacles(&bound);
    if let Some(known) = &publication.live_columns {
        let others = columns.iter().filter(|column| !known.contains(&column.name));
        obstacles.extend(others.map(|column| format!("column {}", column.name)));
    }
    if !obstacles.is_empty() {
        return Err(RedshiftError::Bound { table: table.clone(), obstacles });
    }
    let new = staging.spec.all_columns(Dialect::Redshift);
    let along = anew(&bound, &columns, &new, publication.drop_broken_views);
    Ok((columns, along))
}

/// The head's lock, the views', and the table's, in this order everywhere; then the check.
pub(super) fn begin(
    cluster: &Cluster,
    publication: &Publication,
    live: Option<&TableName>,
    views: &[String],
) -> Batch {
    let row = &publication.ledger;
    let mut batch = Batch::new(format!("publish {}", row.table), format!("{} publish", row.load))
        .then(format!("LOCK {}", dialect::table(&cluster.head(&row.table))));
    batch.statements.extend_from_slice(views);
    if let Some(live) = live {
        batch = batch.then(format!("LOCK {}", dialect::table(live)));
    }
    batch.locks = Some((batch.statements.len(), Patience::of(cluster, publication).once));
    batch.statements.extend(cluster.follow(row));
    batch
}

/// When it was published, as the last statement.
pub(super) fn end(cluster: &Cluster, batch: Batch, load: &str) -> Batch {
    batch.then(format!(
        "SELECT {} FROM {}.loads WHERE load = {}",
        moment("published_at"),
        cluster.ledger(),
        dialect::literal(load)
    ))
}

pub(super) fn published_at(answers: &[Answer]) -> Result<Timestamp, RedshiftError> {
    let at = answers.last().and_then(Answer::text).and_then(|text| text.parse().ok());
    at.ok_or_else(|| RedshiftError::Answer {
        doing: "publish".to_owned(),
        what: "no time of the publish".to_owned(),
    })
}

/// The old table is renamed, and dropped by a statement of its own once nobody can find it by its name any
/// more: dropped in the same batch, readers that have just looked it up would fail.
async fn swap(
    staging: &RedshiftStaging,
    publication: &Publication,
    live: Option<TableName>,
    batch: Batch,
    anew: Anew,
) -> Result<Published, RedshiftError> {
    let (cluster, spec) = (&staging.cluster, &staging.spec);
    cluster.carry(&staging.table, live.as_ref(), &publication.grants, &spec.load).await?;
    cluster.comment(&staging.table, &publication.descriptions, &spec.load).await?;
    let old = TableName::new(&spec.table.schema, {
        // Before the name: at its end it could be cut off.
        dialect::beside(&format!("old_{}", spec.table.name), &cluster.options.ledger_schema, &spec.load)
    });
    let row = &publication.ledger;
    let mut batch = batch;
    if live.is_some() {
        batch = batch.then(rename(&spec.table, &old));
    }
    batch = batch.then(rename(&staging.table, &spec.table));
    batch.statements.extend(anew.after);
    batch = batch.then(cluster.write(row, PublishKind::Swap, None));
    fail_point!("publish.swap.before");
    let answers = cluster.transport.run(end(cluster, batch, &publication.ledger.load)).await?;
    fail_point!("publish.swap.after");
    let mut warnings: Vec<String> = anew
        .dropped
        .iter()
        .map(|view| format!("dropped view {view}: the new columns of {} break it", spec.table))
        .collect();
    if live.is_some() {
        fail_point!("publish.drop.before");
        if let Err(error) = cluster.drop_table(&old, &format!("{} drop", spec.load)).await {
            warnings.push(format!("the old table is still there as {old}: {error}"));
        }
        fail_point!("publish.drop.after");
    }
    Ok(Published { at: published_at(&answers)?, kind: PublishKind::Swap, written: None, warnings })
}

impl Cluster {
    /// Describes a table and its columns, in batches of their own: a batch has 40 statements at most.
    async fn comment(
        &self,
        table: &TableName,
        descriptions: &Descriptions,
        load: &str,
    ) -> Result<(), RedshiftError> {
        for some in publish_view::comments(table, "TABLE", descriptions).chunks(STATEMENTS_MAX) {
            let batch = Batch::new(format!("describe {table}"), format!("{load} describe"));
            self.transport.run(Batch { statements: some.to_vec(), ..batch }).await?;
        }
        Ok(())
    }
}

fn rename(from: &TableName, to: &TableName) -> String {
    format!("ALTER TABLE {} RENAME TO {}", dialect::table(from), dialect::ident(&to.name))
}

/// Writes the first row of a table that is taken over, if it still has these columns.
pub(super) async fn adopt(
    cluster: &Cluster,
    row: &LedgerRow,
    columns: &[StagingColumn],
) -> Result<(), RedshiftError> {
    cluster.ensure_head(&row.table).await?;
    if cluster.columns(&row.table).await? != columns {
        return Err(RedshiftError::Superseded { table: row.table.clone() });
    }
    let mut batch = Batch::new(format!("take over {}", row.table), format!("{} adopt", row.load))
        .then(format!("LOCK {}", dialect::table(&cluster.head(&row.table))));
    batch.statements.extend(cluster.follow(row));
    batch.statements.extend(cluster.missing_schema(row).await?);
    let batch = batch.then(cluster.write(row, row.publish, None));
    fail_point!("adopt.ledger.before");
    let adopted = cluster.transport.run(batch).await;
    fail_point!("adopt.ledger.after");
    let Err(error) = adopted else { return Ok(()) };
    cluster.transport.settle(&row.load).await?;
    match cluster.load(&row.load).await? {
        Some(_) => Ok(()),
        None if cluster.last_loads(Some(&row.table)).await?.is_empty() => Err(error),
        None => Err(RedshiftError::Superseded { table: row.table.clone() }),
    }
}

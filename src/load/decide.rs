//! What a load would do, and why: decided from the last published load, the source's schema and the
//! live table, before a row is read.

use super::{
    Advice, LoadError, Repair,
    backfill::Piece,
    marks, measured,
    missed::Missed,
    new_rows::{Asked, NewRows},
    unfit,
    verify::keeps_deleted,
};
use crate::{
    config::{LoadSpec, OnBrokenView, OnSchemaChange, Strategy},
    error::{Class, Fault},
    publish,
    schema::{self, Change, Format, Selection, Shape, TableSchema, Wishes, diff, in_words},
    source::{Position, Snapshot},
    sql::TableName,
    warehouse::{LedgerRow, LiveTable, PublishKind, StagingColumn, State, Warehouse},
};

/// A load, decided upon.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The table's last published load.
    pub last: Option<LedgerRow>,
    /// The live table.
    pub live: Option<LiveTable>,
    /// The source's schema, as the loader takes it.
    pub schema: TableSchema,
    /// Its hash.
    pub schema_hash: String,
    /// What differs from the last published load's schema.
    pub changes: Vec<Change>,
    /// How rows travel.
    pub shape: Shape,
    /// Which rows are brought: those that are new, or all.
    pub new_rows: Option<NewRows>,
    /// Only rows whose keys are listed are brought: a repair.
    pub by_keys: bool,
    /// Only a chunk of a backfill is brought.
    pub piece: Option<Piece>,
    /// How far the cursor reaches; `None` where there is no cursor, or no row.
    pub watermark: Option<String>,
    /// What the next load must remember, but for the load's own id.
    pub state: State,
    /// How it is published.
    pub publish: PublishKind,
    /// Whether the table gets another layout by it.
    pub relaid: bool,
    /// Why it is done in this way.
    pub reason: String,
    /// What is known of the cursor; `None` where all rows are brought each time.
    pub advice: Option<Advice>,
    /// What people should know.
    pub notes: Vec<String>,
    /// How a service's records differ from the columns since the last load, in words.
    pub news: Vec<String>,
    /// Whether rows go that were kept so far: those that are gone from the source.
    pub loses_kept: bool,
    /// The live table's rows, where they were counted to compare them.
    pub counted: Option<u64>,
}

impl Decision {
    /// Whether all rows are brought.
    pub fn is_whole(&self) -> bool {
        self.new_rows.is_none() && !self.by_keys && self.piece.is_none()
    }

    /// The same for some rows of what is published, by their keys: nothing else changes, and the next
    /// load goes on as if it had not been.
    pub(super) fn repairing(mut self, repair: &Repair) -> Self {
        let Some(last) = &self.last else { return self };
        self.new_rows = None;
        self.by_keys = true;
        self.publish = PublishKind::Merge;
        self.watermark = last.watermark.clone();
        self.state = last.state.clone();
        let rows = repair.mend.len() + repair.gone.len();
        self.reason = match rows {
            1 => "repair of 1 row".to_owned(),
            rows => format!("repair of {rows} rows"),
        };
        self
    }

    /// What a load of the whole table, of `now` rows, takes from the readers that was kept so far.
    pub(super) fn went(&self, now: u64) -> Option<String> {
        let before = self.last.as_ref().filter(|_| self.loses_kept && self.is_whole())?.table_rows;
        (before > now).then(|| {
            format!("the table had {before} rows and has {now} now: rows that are gone from the source were kept so far")
        })
    }

    /// The same before it is known how many rows there will be.
    fn goes(&self) -> Option<String> {
        let before = self.last.as_ref().filter(|_| self.loses_kept)?.table_rows;
        Some(format!(
            "all is loaded anew: of the {before} rows that the table has, those that are gone from the source go too"
        ))
    }

    /// The same after the keys were compared: where more was found than one load mends, the next one
    /// compares again.
    pub(super) fn having_found(mut self, missed: &Missed) -> Self {
        self.counted = missed.counted;
        if let (true, Some(last)) = (missed.left > 0, &self.last) {
            self.state.compared_as_of = last.state.compared_as_of;
            self.state.settled = last.state.settled;
            self.state.file = last.state.file;
        }
        self
    }
}

/// A decision with what can be said of its cost: a line of `plan`.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// The decision.
    pub decision: Decision,
    /// Which moment it was decided upon.
    pub position: Position,
    /// In how many parts it would be read.
    pub parts: usize,
    /// About how much would be read, on the source's disk.
    pub bytes_estimate: u64,
}

/// Decides about one table of the project. `full` brings all rows, whatever the strategy.
pub async fn decide(
    project: &str,
    spec: &LoadSpec,
    full: bool,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<Decision, LoadError> {
    let last = warehouse.last_load(&spec.target).await.map_err(LoadError::Warehouse)?;
    let upon = last.as_ref().map(|last| last.load.clone());
    let decided = decide_upon(last, project, spec, full, snapshot, warehouse).await;
    match decided {
        Err(error)
            if error.class() != Class::Passing
                && is_superseded(warehouse, &spec.target, upon.as_deref()).await =>
        {
            Err(LoadError::Superseded { table: spec.target.clone() })
        }
        decided => decided,
    }
}

/// Whether a table's last load is another one than `upon`, which a decision stands on. Ledger and table are
/// read one after the other: by then the table may be that of a later load, and a refusal means nothing.
/// A publish asks the ledger itself.
pub async fn is_superseded(warehouse: &dyn Warehouse, table: &TableName, upon: Option<&str>) -> bool {
    let last = warehouse.last_load(table).await;
    last.is_ok_and(|last| last.as_ref().map(|last| last.load.as_str()) != upon)
}

async fn decide_upon(
    last: Option<LedgerRow>,
    project: &str,
    spec: &LoadSpec,
    full: bool,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<Decision, LoadError> {
    refuse_if_anothers(project, spec, last.as_ref())?;
    refuse_if_behind(spec, last.as_ref(), snapshot.position())?;
    let found = snapshot.describe(&spec.source_table).await.map_err(LoadError::Source)?;
    let selected = selection(spec).apply(&spec.source_table, &found)?;
    let abilities = warehouse.abilities().await.map_err(LoadError::Warehouse)?;
    let mut shape = schema::shape(
        &spec.source_table,
        &selected.schema,
        snapshot.server_version(),
        &abilities,
        &match snapshot.answers() {
            Some(_) => Wishes { format: Some(Format::Csv), ..wishes(spec) },
            None => wishes(spec),
        },
    )?;
    unfit::give_null(&mut shape, &abilities, last.as_ref());
    let live = warehouse.live(&spec.target).await.map_err(LoadError::Warehouse)?;
    measured::keep_sizes(spec, &mut shape, live.as_ref());
    let changes = last.as_ref().map(|last| diff(&last.schema, &selected.schema)).unwrap_or_default();
    marks::refuse(spec, &shape, last.as_ref(), full)?;
    if full || spec.strategy == Strategy::Full {
        refuse_changes(spec, &changes)?;
    }
    let asked = Asked { spec, full, last: last.as_ref(), live: live.as_ref(), changes: &changes };
    let brought = asked.decide(&selected.schema, &mut shape, snapshot, warehouse).await?;
    let changes = [changes, brought.made_anew].concat();
    let mut notes = selected.notes;
    notes.extend(shape.notes.iter().cloned());
    notes.extend(brought.notes);
    notes.extend(spec.sample.iter().flat_map(|sample| sample.notes.iter().cloned()));
    let relaid = relaid(spec, &shape, live.as_ref(), warehouse).await?;
    let publish = match (&brought.new_rows, spec.strategy) {
        (Some(new_rows), Strategy::Append) if !new_rows.rewritten => PublishKind::Insert,
        (Some(_), _) => PublishKind::Merge,
        (None, _) => {
            if live.is_none() {
                refuse_taken_name(spec, warehouse).await?;
            }
            let how = whole(spec, &shape, last.as_ref(), live.as_ref(), !relaid.is_empty())?;
            notes.extend(how.reason);
            if let (PublishKind::Swap, Some(live)) = (how.kind, &live) {
                notes.extend(dropped_views(spec, live, &marks::columns(spec, &shape, Some(live)))?);
            }
            how.kind
        }
    };
    let fields = snapshot.fields(&spec.source_table).await.map_err(LoadError::Source)?;
    let known = last.as_ref().and_then(|last| last.state.fields.clone());
    // Who writes a loader knows the records, but not what comes into them later.
    let news = fields.as_ref().zip(known.as_ref()).map(|(now, before)| now.news(before));
    notes.extend(in_time(&spec.target, &relaid, publish, brought.new_rows.is_none()));
    Ok(Decision {
        relaid: !relaid.is_empty() && publish == PublishKind::Swap,
        schema_hash: schema::hash(&selected.schema),
        schema: selected.schema,
        loses_kept: keeps_deleted(spec) && brought.new_rows.is_none() && last.is_some() && live.is_some(),
        new_rows: brought.new_rows,
        counted: None,
        by_keys: false,
        piece: None,
        watermark: brought.watermark,
        state: State {
            null: given(&shape.csv.null),
            sample: spec.sample.as_ref().map(|sample| sample.rows),
            fields: fields.or(known),
            ..brought.state
        },
        reason: match &spec.sample {
            Some(sample) => format!("a sample of {} rows a table; {}", sample.rows, brought.reason),
            None => brought.reason,
        },
        last,
        live,
        changes,
        shape,
        publish,
        advice: brought.advice,
        notes,
        news: news.unwrap_or_default(),
    })
}

/// How a load of the whole table is published.
fn whole(
    spec: &LoadSpec,
    shape: &Shape,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
    is_relaid: bool,
) -> Result<publish::Decided, LoadError> {
    let decide =
        |choice, columns: &[StagingColumn]| publish::decide(choice, &spec.target, last, live, columns);
    let columns = marks::columns(spec, shape, live);
    if !marks::stay(spec, last, live) {
        // Only another table can be laid out otherwise.
        let choice = match choice(spec) {
            publish::Choice::Auto if is_relaid && live.is_some_and(|live| live.obstacles.is_empty()) => {
                publish::Choice::Swap
            }
            choice => choice,
        };
        return Ok(decide(choice, &columns)?);
    }
    let how = decide(publish::Choice::Replace, &columns);
    let how = how.map_err(|refusal| marks::refused(spec, shape, live, refusal))?;
    marks::need_key(spec, shape, live)?;
    Ok(how)
}

/// In what the live table is laid out otherwise than the loader says.
async fn relaid(
    spec: &LoadSpec,
    shape: &Shape,
    live: Option<&LiveTable>,
    warehouse: &dyn Warehouse,
) -> Result<Vec<String>, LoadError> {
    if shape.layout.is_empty() || live.is_none() {
        return Ok(Vec::new());
    }
    let there = warehouse.layout(&spec.target).await.map_err(LoadError::Warehouse)?;
    Ok(shape.layout.differences(&there))
}

/// What people should know of it, and when it comes.
fn in_time(table: &TableName, relaid: &[String], publish: PublishKind, is_whole: bool) -> Option<String> {
    let differences = relaid.join(", ");
    match (relaid, publish) {
        ([], _) => None,
        (_, PublishKind::Swap) => Some(differences),
        _ if is_whole => Some(format!("{differences}: waits for a load that can swap the table")),
        _ => Some(format!("{differences}: waits for a whole load, `barncat run --full {table}`")),
    }
}

/// Whether a new table can get its name.
async fn refuse_taken_name(spec: &LoadSpec, warehouse: &dyn Warehouse) -> Result<(), LoadError> {
    let table = &spec.target;
    match warehouse.name_taken(table).await.map_err(LoadError::Warehouse)? {
        Some(what) => Err(publish::Refusal::NameTaken { table: table.clone(), what }.into()),
        None => Ok(()),
    }
}

/// The views that a swap drops, where the loader lets it.
fn dropped_views(
    spec: &LoadSpec,
    live: &LiveTable,
    columns: &[StagingColumn],
) -> Result<Option<String>, LoadError> {
    let may_drop = spec.on_broken_view == OnBrokenView::Drop;
    let views = publish::broken(&spec.target, live, columns, may_drop)?;
    Ok((!views.is_empty()).then(|| format!("its new columns break {}: dropped then", views.join(", "))))
}

fn given(null: &str) -> Option<String> {
    (!null.is_empty()).then(|| null.to_owned())
}

pub(super) fn choice(spec: &LoadSpec) -> publish::Choice {
    spec.publish.into()
}

fn refuse_changes(spec: &LoadSpec, changes: &[Change]) -> Result<(), LoadError> {
    match spec.on_schema_change {
        OnSchemaChange::Refuse if !changes.is_empty() => {
            Err(LoadError::SchemaChanged { table: spec.target.clone(), changes: in_words(changes) })
        }
        _ => Ok(()),
    }
}

/// A decision, with the parts that would be read.
pub async fn forecast(
    project: &str,
    spec: &LoadSpec,
    full: bool,
    snapshot: &dyn Snapshot,
    warehouse: &dyn Warehouse,
) -> Result<Forecast, LoadError> {
    let mut decision = decide(project, spec, full, snapshot, warehouse).await?;
    if spec.work().is_some() && !full && decision.last.is_some() && decision.live.is_some() {
        // What is decided for a load of the whole says nothing of a loop: it merges what its work brings.
        decision.publish = PublishKind::Merge;
        decision.reason = "what its `work` gives".to_owned();
    } else {
        decision.notes.extend(decision.goes());
    }
    let since = decision.new_rows.as_ref().map(|new_rows| new_rows.low.as_str());
    decision.notes.extend(snapshot.foreseen(&spec.source_table, since));
    let extraction = super::extract::extraction(spec, &decision, 1);
    let parts = snapshot.plan_parts(&extraction).await.map_err(LoadError::Source)?;
    Ok(Forecast {
        position: snapshot.position().clone(),
        parts: parts.len(),
        bytes_estimate: parts.iter().map(|part| part.bytes_estimate).sum(),
        decision,
    })
}

/// The columns of the staging table.
pub(super) fn staging_columns(shape: &Shape) -> Vec<StagingColumn> {
    let column = |column: &schema::ShapedColumn| StagingColumn {
        name: column.name.clone(),
        sql_type: column.sql_type.clone(),
        nullable: column.nullable,
    };
    shape.columns.iter().map(column).collect()
}

/// How a loader says that its table travels.
pub fn wishes(spec: &LoadSpec) -> Wishes {
    Wishes { format: spec.format, unfit: spec.unfit.clone(), layout: spec.layout.clone() }
}

/// Which columns a loader takes.
pub fn selection(spec: &LoadSpec) -> Selection {
    Selection {
        columns: spec.columns.clone(),
        exclude: spec.exclude.clone(),
        hash: spec.hash.clone(),
        key: spec.key.clone(),
    }
}

/// Two projects that publish one table would take turns in undoing each other's work.
pub(super) fn refuse_if_anothers(
    project: &str,
    spec: &LoadSpec,
    last: Option<&LedgerRow>,
) -> Result<(), LoadError> {
    match last {
        Some(last) if last.project != project => Err(LoadError::OtherProject {
            table: spec.target.clone(),
            other: last.project.clone(),
            project: project.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Another replica, or one after a failover, can stand behind what is published already. Positions
/// compare only within one system, and a snapshot is never behind itself.
pub(super) fn refuse_if_behind(
    spec: &LoadSpec,
    last: Option<&LedgerRow>,
    now: &Position,
) -> Result<(), LoadError> {
    let Some(last) = last else { return Ok(()) };
    if last.source != spec.source || last.system != now.system || last.snapshot == now.snapshot {
        return Ok(());
    }
    match (last.lsn, now.lsn_floor) {
        (Some(published), Some(floor)) if floor < published => {
            Err(LoadError::Behind { table: spec.target.clone() })
        }
        _ => Ok(()),
    }
}

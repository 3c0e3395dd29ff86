//! Whether a load brings new rows alone, and which rows these are.
//!
//! A row can become visible after the watermark has passed it: its cursor's value was drawn before its
//! COMMIT. So a load reads again what lies within `overlap` below the watermark, by the cursor's index;
//! what comes in later than that is found by comparing keys (`compare_every`). Rows that come again are
//! known by their key.

use jiff::Timestamp;

use super::{
    Advice, LoadError, asked,
    compared::unnamed,
    marks,
    schema_change::{self, Answer},
};
use crate::{
    config::{LoadSpec, Strategy},
    fingerprint,
    schema::{Change, Cursor, CursorError, CursorKind, Shape, TableSchema, in_words, made_anew},
    source::{Reach, ReachQuestion, Snapshot},
    warehouse::{LedgerRow, LiveTable, StagingColumn, State, Warehouse},
};

/// Which rows are new.
#[derive(Debug, Clone)]
pub struct NewRows {
    /// By which column.
    pub cursor: Cursor,
    /// The watermark of before: rows at or below it that were not there are late.
    pub watermark: String,
    /// Rows are read from here on.
    pub low: String,
    /// Whether an index answers that.
    pub indexed: bool,
    /// Whether the keys below are compared too.
    pub compare: bool,
    /// Whether whole rows are compared, because the file of the source's rows is another one: one that
    /// was emptied and filled anew can hold other rows under the same keys.
    pub rewritten: bool,
    /// Columns that the live table gets first.
    pub added: Vec<StagingColumn>,
}

/// What is asked for, and what there is.
pub(super) struct Asked<'a> {
    pub(super) spec: &'a LoadSpec,
    pub(super) full: bool,
    pub(super) last: Option<&'a LedgerRow>,
    pub(super) live: Option<&'a LiveTable>,
    pub(super) changes: &'a [Change],
}

/// What is decided of it.
pub(super) struct Brought {
    pub(super) new_rows: Option<NewRows>,
    pub(super) watermark: Option<String>,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) advice: Option<Advice>,
    pub(super) notes: Vec<String>,
    /// Changes that only a table that stayed the same one shows.
    pub(super) made_anew: Vec<Change>,
}

impl Asked<'_> {
    /// Decides. Gives the shape a key where only the cursor can be it.
    pub(super) async fn decide(
        &self,
        schema: &TableSchema,
        shape: &mut Shape,
        snapshot: &dyn Snapshot,
        warehouse: &dyn Warehouse,
    ) -> Result<Brought, LoadError> {
        let definition = definition(self.spec);
        let now = snapshot.position().as_of;
        let cursor = match (&self.spec.cursor, self.spec.strategy) {
            (Some(column), Strategy::Append | Strategy::Merge) => {
                Cursor::of(&self.spec.source_table, schema, column)?
            }
            _ => {
                let state =
                    State { definition, compared_as_of: Some(now), settled: true, ..State::default() };
                let reason =
                    self.why_whole(&state, None).unwrap_or_else(|| "loaded whole each time".to_owned());
                return Ok(Brought {
                    new_rows: None,
                    watermark: None,
                    state,
                    reason,
                    advice: None,
                    notes: Vec::new(),
                    made_anew: Vec::new(),
                });
            }
        };
        let reach = self.reach(&cursor, snapshot).await?;
        if shape.key.is_empty() && reach.unique && !cursor.nullable {
            shape.key = shape.named(&cursor.column);
        }
        if shape.key.is_empty() {
            let (table, column) = (self.spec.source_table.clone(), cursor.column);
            return Err(CursorError::NoKey { table, column }.into());
        }
        if let Some(column) = unnamed(shape) {
            let (column, sql_type) = (column.name.clone(), column.sql_type.clone());
            return Err(LoadError::KeyNotWritten { table: self.spec.target.clone(), column, sql_type });
        }
        let mut state = State {
            definition,
            system: snapshot.position().system.clone(),
            relation: Some(reach.relation),
            file: reach.file,
            base_as_of: Some(now),
            compared_as_of: Some(now),
            // Times have an overlap from the first; of other values there is no telling yet. A service is never compared with.
            settled: cursor.earlier("", 0).is_some() || snapshot.answers().is_some(),
            mark: self.spec.deletes.mark().map(str::to_owned),
            ..State::default()
        };
        let advice = Advice::of(self.spec, &cursor, &reach);
        let notes = advice.notes(self.spec, schema);
        let advice = Some(advice);
        // All rows stand on what came with them, and on nothing where none came.
        let whole = reach.greatest.clone();
        let watermark = whole.clone().or_else(|| self.last.and_then(|last| last.watermark.clone()));
        let made_anew = match self.last {
            Some(last) if last.state.relation == Some(reach.relation) => made_anew(&last.schema, schema),
            _ => Vec::new(),
        };
        let changes: Vec<Change> = self.changes.iter().chain(&made_anew).cloned().collect();
        let new_rows = match self.why_whole(&state, Some(&reach)) {
            Some(reason) => {
                // What changed meanwhile is told beside it.
                let reason = match changes.as_slice() {
                    [] => reason,
                    changes => format!("{reason}; the schema changed: {}", in_words(changes)),
                };
                self.refuse_if_too_large(&reason)?;
                let watermark = whole;
                return Ok(Brought { new_rows: None, watermark, state, reason, advice, notes, made_anew });
            }
            None => {
                let new_rows = self.new_rows(cursor, &reach, shape, (now, &changes), warehouse).await?;
                let never = snapshot.answers().is_some();
                new_rows.map(|new_rows| NewRows { compare: new_rows.compare && !never, ..new_rows })
            }
        };
        let new_rows = match new_rows {
            Ok(new_rows) => new_rows,
            Err(reason) => {
                self.refuse_if_too_large(&reason)?;
                let watermark = whole;
                return Ok(Brought { new_rows: None, watermark, state, reason, advice, notes, made_anew });
            }
        };
        if let Some(last) = self.last {
            state = next_state(state, last, &new_rows, self.spec, now);
        }
        let reason = in_words_of(&new_rows, &state, &changes);
        Ok(Brought { new_rows: Some(new_rows), watermark, state, reason, advice, notes, made_anew })
    }

    async fn reach(&self, cursor: &Cursor, snapshot: &dyn Snapshot) -> Result<Reach, LoadError> {
        let since = self.last.and_then(|last| last.watermark.clone());
        let question = ReachQuestion {
            table: self.spec.source_table.clone(),
            cursor: cursor.clone(),
            condition: self.spec.condition.clone(),
            now: Some(snapshot.position().as_of),
            since: since.map(|watermark| (watermark, self.spec.overlap)),
        };
        let reach = snapshot.reach(&question).await.map_err(LoadError::Source)?;
        let infinite = ["infinity", "Infinity"].contains(&reach.greatest.as_deref().unwrap_or_default());
        if infinite && cursor.kind != CursorKind::Text {
            let (table, column) = (self.spec.source_table.clone(), cursor.column.clone());
            return Err(CursorError::Infinite { table, column }.into());
        }
        Ok(reach)
    }

    /// A large table is made anew only if somebody says so, whatever became of its source.
    fn refuse_if_too_large(&self, why: &str) -> Result<(), LoadError> {
        match !self.full && self.last.is_some() && schema_change::is_too_large(self.spec, self.live) {
            true => Err(LoadError::RebuildLimit { table: self.spec.target.clone(), why: why.to_owned() }),
            false => Ok(()),
        }
    }

    /// Why all rows are brought; `None` where nothing known speaks against new ones alone.
    fn why_whole(&self, now: &State, reach: Option<&Reach>) -> Option<String> {
        let Some(last) = self.last else { return Some("the first load".to_owned()) };
        match self.live {
            None => return Some("the table is gone from the warehouse".to_owned()),
            Some(live) if live.is_empty && last.table_rows > 0 => {
                return Some("somebody emptied the table in the warehouse".to_owned());
            }
            Some(_) => {}
        }
        if self.full && reach.is_some() {
            return Some("asked for whole".to_owned());
        }
        if let Some(reach) = reach {
            if last.loaders_strategy() != self.spec.strategy.to_string() {
                return Some(format!("the strategy was {} before", last.loaders_strategy()));
            }
            if last.state.definition != now.definition {
                let asked = if self.spec.http.is_some() { "what is asked" } else { "`where`" };
                return Some(format!("the loader's `cursor`, `key` or {asked} changed"));
            }
            if last.source != self.spec.source || last.state.system != now.system {
                return Some("the source is another database now".to_owned());
            }
            if last.state.relation != Some(reach.relation) {
                return Some("the source's table was made anew".to_owned());
            }
            if last.watermark.is_none() {
                return Some("there was no row to go on from".to_owned());
            }
            return None;
        }
        match self.changes {
            [] => None,
            changes => Some(format!("the schema changed: {}", in_words(changes))),
        }
    }

    /// New rows, or why there must be all of them after all.
    async fn new_rows(
        &self,
        cursor: Cursor,
        reach: &Reach,
        shape: &Shape,
        (now, changes): (Timestamp, &[Change]),
        warehouse: &dyn Warehouse,
    ) -> Result<Result<NewRows, String>, LoadError> {
        let (Some(last), Some(live)) = (self.last, self.live) else {
            return Ok(Err("the first load".to_owned()));
        };
        let mut names = Vec::new();
        if reach.empty && last.table_rows > 0 && self.spec.shrink_limit < 1.0 {
            let (table, before) = (self.spec.target.clone(), last.table_rows);
            return Err(LoadError::Shrank { table, before, now: 0, loses_kept: false });
        }
        if !changes.is_empty() {
            match schema_change::answer(self.spec, changes, self.live)? {
                Answer::Rebuild => return Ok(Err(format!("the schema changed: {}", in_words(changes)))),
                Answer::Extend(columns) => {
                    names = columns.iter().flat_map(|column| shape.named(column)).collect();
                }
            }
        }
        let mark = marks::to_add(self.spec, shape, self.live);
        names.extend(mark.iter().map(|mark| mark.name.clone()));
        let mut columns = super::decide::staging_columns(shape);
        columns.extend(self.spec.deletes.mark().map(|mark| StagingColumn::mark(mark, shape.dialect)));
        let (added, kept): (Vec<StagingColumn>, Vec<StagingColumn>) =
            columns.into_iter().partition(|column| names.contains(&column.name));
        let is_there = |column: &StagingColumn| live.columns.contains(column);
        let are_there = added.iter().filter(|column| is_there(column)).count();
        if !kept.iter().all(is_there) || live.columns.len() != kept.len() + are_there {
            return Ok(Err("its columns in the warehouse are not those that were published".to_owned()));
        }
        if !live.is_held_to(&shape.key) {
            return Ok(Err(format!("its unique index on ({}) is gone", shape.key.join(", "))));
        }
        let watermark = last.watermark.clone().unwrap_or_default();
        let low = match &reach.low {
            Some(low) => low.clone(),
            None => {
                let overlap = jiff::SignedDuration::try_from(self.spec.overlap).unwrap_or_default();
                let so_old = last.as_of.checked_sub(overlap).unwrap_or(Timestamp::MIN);
                let found = warehouse.watermark_before(&self.spec.target, &last.state.base, so_old).await;
                found.map_err(LoadError::Warehouse)?.unwrap_or_else(|| watermark.clone())
            }
        };
        // What is gone already is to be marked, too.
        let compare =
            is_due(self.spec, &last.state, now) || (mark.is_some() && self.spec.compare_every.is_some());
        let rewritten = last.state.file.is_some() && reach.file.is_some() && last.state.file != reach.file;
        let compare = compare || rewritten;
        Ok(Ok(NewRows { cursor, watermark, low, indexed: reach.indexed, compare, rewritten, added }))
    }
}

/// Whether keys are to be compared now: at the set interval, and once when the transactions that were
/// open at the base load have surely ended. The overlap of a cursor that is no time reaches back to loads,
/// and before the base there is none: there it stands on that one comparison.
fn is_due(spec: &LoadSpec, last: &State, now: Timestamp) -> bool {
    let passed = |since: Option<Timestamp>, span: std::time::Duration| {
        since.is_none_or(|since| now.duration_since(since).unsigned_abs() >= span || now < since)
    };
    let settles = !last.settled && !spec.overlap.is_zero() && passed(last.base_as_of, spec.overlap);
    settles || spec.compare_every.is_some_and(|every| passed(last.compared_as_of, every))
}

fn next_state(
    now_state: State,
    last: &LedgerRow,
    new_rows: &NewRows,
    spec: &LoadSpec,
    now: Timestamp,
) -> State {
    let before = &last.state;
    let mut state = State { base: before.base.clone(), base_as_of: before.base_as_of, ..now_state };
    state.awaiting = before.awaiting.clone();
    let added = new_rows.added.iter().map(|column| column.name.clone());
    state.awaiting.extend(added.filter(|name| spec.deletes.mark() != Some(name)));
    state.compared_as_of = if new_rows.compare { Some(now) } else { before.compared_as_of };
    let is_old = before.base_as_of.is_none_or(|base| now.duration_since(base).unsigned_abs() >= spec.overlap);
    state.settled = before.settled || (new_rows.compare && is_old);
    state
}

fn in_words_of(new_rows: &NewRows, state: &State, changes: &[Change]) -> String {
    let mut words = match (new_rows.rewritten, new_rows.compare) {
        (true, _) => {
            "new rows, and all rows compared: the source's table was rewritten (TRUNCATE, VACUUM FULL, \
                      CLUSTER or an ALTER)"
                .to_owned()
        }
        (false, true) => "new rows, and all keys compared".to_owned(),
        (false, false) => "new rows".to_owned(),
    };
    if let Some(mark) = state.mark.as_ref().filter(|mark| new_rows.added.iter().any(|one| one.name == **mark))
    {
        words = format!("{words}; rows that are gone are marked in `{mark}` from now on");
    }
    if !changes.is_empty() {
        words = format!("{words}; the schema changed: {}", in_words(changes));
    }
    match state.awaiting.as_slice() {
        [] => words,
        columns => format!("{words}; rows of before await a backfill of {}", columns.join(", ")),
    }
}

/// What decides which rows are loaded and how they are known again: if it changes, rows that are there
/// need not be those that would be loaded.
pub(super) fn definition(spec: &LoadSpec) -> String {
    let own = [spec.cursor.as_deref(), spec.condition.as_deref()].map(Option::unwrap_or_default);
    let asked = spec.http.as_deref().map(asked::written).unwrap_or_default();
    let key = spec.key.iter().map(String::as_str);
    fingerprint::of(own.into_iter().chain(key).chain(asked.iter().map(String::as_str)))
}

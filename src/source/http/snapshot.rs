//! A service's tables at one moment: before anything is asked, or one of them as it is in collections.

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{OnceCell, Semaphore};

use super::{
    Given, Piece, ServiceError, ServiceTable,
    collect::{AnswerPart, CollectionManifest, Failed},
    records::Duplicates,
    rows::{AnswerPlace, Looked, Reject, Rejects, RowsStream, look, turns},
    service::Shared,
    values::{cut, earlier, greatest, is_before, is_credible, is_value, written},
};
use crate::{
    clock::{self, Clock, System},
    compare::{self, Side},
    event::Tier,
    schema::{CursorRange, Fields, TableSchema},
    source::{
        Answers, AnswersPart, Extraction, LeftOut, LeftRecord, LeftRequest, LongestQuestion, PartOf,
        PartPlan, PartStream, Position, RangeQuestion, Reach, ReachQuestion, Slice, SliceQuestion, Snapshot,
        SourceError, Stride,
    },
    sql::TableName,
    stage::{CollectionPrefix, SharedStage},
};

/// How many bytes of answers one part is made of, before compression.
const PART_BYTES: u64 = 64 << 20;

/// What a table's collections hold.
pub(super) struct Collected {
    pub(super) table: Arc<ServiceTable>,
    pub(super) stage: SharedStage,
    /// All answers, in their order.
    pub(super) answers: Vec<AnswerPlace>,
    /// How many records each query has, where the service said so.
    pub(super) totals: BTreeMap<u64, u64>,
    /// What becomes of records of one key.
    pub(super) duplicates: Duplicates,
    since: Option<String>,
    pub(super) as_of: Timestamp,
    id: String,
    named: Vec<crate::stage::manifest::CollectionRef>,
    looked: OnceCell<Looked>,
    rejects: Mutex<Rejects>,
    failed: Vec<(String, Failed)>,
    unled: Option<String>,
    /// How many answers are taken apart at once.
    pub(super) turns: Arc<Semaphore>,
}

impl Collected {
    pub(super) fn new(
        table: Arc<ServiceTable>,
        stage: SharedStage,
        collections: Vec<(CollectionPrefix, CollectionManifest)>,
    ) -> Self {
        let (mut answers, mut totals, mut queries) = (Vec::new(), BTreeMap::new(), 0);
        for (_, manifest) in &collections {
            let told = manifest.totals.iter().filter(|_| !manifest.is_cut);
            totals.extend(told.map(|(query, total)| (queries + query, *total)));
            answers.extend(manifest.answers.iter().map(|answer| (queries + answer.query, answer.clone())));
            queries += manifest.queries;
        }
        let first = collections.first().map(|(_, manifest)| manifest);
        let last = collections.last().map(|(_, manifest)| manifest);
        Self {
            // A later collection has newer records of the same key.
            duplicates: if collections.len() > 1 { Duplicates::Last } else { table.rows.duplicates },
            totals,
            since: first.and_then(|first| first.since.clone()),
            as_of: last.map_or_else(|| System.now(), |last| last.begun_at),
            id: last.map_or_else(clock::new_id, |last| last.collection.clone()),
            named: collections.iter().map(|(_, manifest)| manifest.named()).collect(),
            failed: collections.iter().flat_map(|(_, manifest)| failed(manifest)).collect(),
            unled: last.and_then(|last| last.unled.clone()),
            answers: places(answers.into_iter()),
            looked: OnceCell::new(),
            rejects: Mutex::default(),
            turns: turns(),
            table,
            stage,
        }
    }

    /// Keeps what a part left out.
    pub(super) fn reject(&self, rejects: Rejects) {
        self.rejects.lock().unwrap_or_else(PoisonError::into_inner).extend(rejects);
    }

    /// What all records tell together; they are gone through once.
    async fn looked(&self, body_bytes_max: u64) -> Result<&Looked, ServiceError> {
        self.looked.get_or_try_init(|| look(self, body_bytes_max)).await
    }
}

fn failed(manifest: &CollectionManifest) -> impl Iterator<Item = (String, Failed)> {
    manifest.failed.iter().map(|failed| (manifest.collection.clone(), failed.clone()))
}

/// Each answer has numbers enough for all records that it may have: how many there are follows from what the row says
/// now, which need not be what it said when they were counted.
fn places(answers: impl Iterator<Item = (u64, AnswerPart)>) -> Vec<AnswerPlace> {
    let place = |(number, (query, answer)): (u64, (u64, AnswerPart))| AnswerPlace {
        first: number << 32,
        query,
        part: answer.part,
    };
    (0..).zip(answers).map(place).collect()
}

/// A service's tables at one moment.
pub(super) struct ServiceSnapshot {
    shared: Arc<Shared>,
    position: Position,
    answers: Answers,
    collected: Option<Arc<Collected>>,
}

impl ServiceSnapshot {
    pub(super) fn unasked(shared: Arc<Shared>) -> Self {
        let position = position(&shared, clock::new_id(), System.now());
        Self { shared, position, answers: Answers::default(), collected: None }
    }

    pub(super) fn collected(shared: Arc<Shared>, collected: Collected) -> Self {
        let position = position(&shared, collected.id.clone(), collected.as_of);
        let answers = Answers { collections: collected.named.clone(), since: collected.since.clone() };
        Self { shared, position, answers, collected: Some(Arc::new(collected)) }
    }

    fn refuse(&self, table: &TableName, what: &'static str, instead: &'static str) -> SourceError {
        Box::new(ServiceError::NotOfServices { table: table.clone(), what, instead })
    }

    fn body_bytes_max(&self) -> u64 {
        self.shared.settings.body_bytes_max
    }

    /// The collection, if it is one of this table.
    fn of(&self, table: &TableName) -> Result<&Arc<Collected>, SourceError> {
        let of_table = self.collected.as_ref().filter(|collected| collected.table.asked.name == *table);
        of_table.ok_or_else(|| {
            self.refuse(table, "read before it is asked", "a load asks it; `barncat run` loads the table")
        })
    }
}

fn position(shared: &Shared, snapshot: String, as_of: Timestamp) -> Position {
    Position {
        snapshot,
        as_of,
        lsn_floor: None,
        lsn: None,
        system: Some(shared.settings.place.clone()),
        lag_seconds: None,
    }
}

#[async_trait]
impl Snapshot for ServiceSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn is_alive(&self) -> bool {
        // Each load asks anew.
        true
    }

    fn server_version(&self) -> u32 {
        // Its types are those of the oldest Postgres that is read.
        100_000
    }

    fn is_reserved(&self) -> bool {
        false
    }

    fn for_tier(self: Arc<Self>, _: Tier) -> Arc<dyn Snapshot> {
        self
    }

    fn answers(&self) -> Option<&Answers> {
        Some(&self.answers)
    }

    fn foreseen(&self, table: &TableName, since: Option<&str>) -> Option<String> {
        let table = self.shared.table(table).ok()?;
        Some(table.asked.in_words(since, self.position.as_of))
    }

    async fn rows(&self, table: &TableName) -> Result<Option<u64>, SourceError> {
        Ok(Some(self.of(table)?.looked(self.body_bytes_max()).await?.rows))
    }

    async fn fields(&self, table: &TableName) -> Result<Option<Fields>, SourceError> {
        match &self.collected {
            None => Ok(None),
            Some(_) => Ok(self.of(table)?.looked(self.body_bytes_max()).await?.fields.clone()),
        }
    }

    fn left_out(&self) -> LeftOut {
        let Some(collected) = &self.collected else { return LeftOut::default() };
        let rejects = collected.rejects.lock().unwrap_or_else(PoisonError::into_inner);
        let record = |reject: &Reject| LeftRecord {
            answer: reject.key.clone(),
            record: reject.record,
            reason: reject.reason.clone(),
        };
        let request = |(collection, failed): &(String, Failed)| LeftRequest {
            collection: collection.clone(),
            query: failed.number,
            request: serde_json::to_value(&failed.query).unwrap_or_default(),
            failure: failed.failure.clone(),
        };
        LeftOut {
            count: rejects.count,
            records: rejects.told.iter().map(record).collect(),
            requests: collected.failed.iter().map(request).collect(),
            unled: collected.unled.clone(),
        }
    }

    async fn describe(&self, table: &TableName) -> Result<TableSchema, SourceError> {
        Ok(self.shared.table(table)?.rows.schema())
    }

    async fn reach(&self, question: &ReachQuestion) -> Result<Reach, SourceError> {
        let kind = question.cursor.kind;
        // All of it was asked for: what it stood on before is nothing that these rows know of.
        let is_whole = self.collected.as_ref().is_some_and(|collected| collected.since.is_none());
        let before = question.since.as_ref().filter(|_| !is_whole).map(|(watermark, _)| watermark.clone());
        let seen = match &self.collected {
            None => None,
            Some(collected) => {
                let looked = collected.looked(self.body_bytes_max()).await?;
                looked.greatest.get(&question.cursor.column).cloned()
            }
        };
        let credible = seen.filter(|seen| question.now.is_none_or(|now| is_credible(kind, seen, now)));
        Ok(Reach {
            // The service answered from the watermark on, and perhaps nothing.
            greatest: greatest(kind, credible, before.clone()),
            low: question.since.as_ref().map(|(watermark, overlap)| earlier(kind, watermark, *overlap)),
            // What is new is what is asked for.
            indexed: true,
            unique: false,
            set_by: None,
            relation: 0,
            file: None,
            empty: false,
        })
    }

    async fn longest(&self, question: &LongestQuestion) -> Result<Vec<u64>, SourceError> {
        Err(self.refuse(&question.table, "measured", "`varchar` takes a size for all columns"))
    }

    async fn range(&self, question: &RangeQuestion) -> Result<Option<CursorRange>, SourceError> {
        let kind = question.cursor.kind;
        let no_value = |value: &String| is_value(kind, value);
        if ![&question.from, &question.to].into_iter().flatten().all(no_value) {
            let what = "backfilled from or to what is no value of its cursor";
            return Err(self.refuse(
                &question.table,
                what,
                "a day is written 2026-11-29, a moment 2026-11-29T08:00:00Z",
            ));
        }
        let watermark = question.watermark.clone();
        let (to, to_included) = match &question.to {
            Some(to) if is_before(kind, to, &watermark) => (to.clone(), false),
            _ => (watermark, true),
        };
        let is_empty = match &question.from {
            Some(from) if to_included => is_before(kind, &to, from),
            Some(from) => !is_before(kind, from, &to),
            None => false,
        };
        Ok((!is_empty).then(|| CursorRange { from: question.from.clone(), to, to_included }))
    }

    fn stride(&self) -> Stride {
        Stride::Seconds(NonZeroU64::new(30 * 24 * 60 * 60).expect("it is not zero"))
    }

    async fn slices(&self, question: &SliceQuestion) -> Result<Vec<Slice>, SourceError> {
        let Stride::Seconds(seconds) = question.stride else {
            return Err(self.refuse(&question.table, "cut by rows", "`--chunk 7d` cuts by time"));
        };
        let (range, kind) = (&question.range, question.cursor.kind);
        let from = range.from.clone().or_else(|| {
            let from = self.shared.table(&question.table).ok()?.asked.from?;
            Some(written(kind, from))
        });
        let Some(from) = from else {
            return Err(self.refuse(&question.table, "cut from where nothing begins", "`--from` says where"));
        };
        Ok(cut(kind, &from, range, seconds, question.slices_max))
    }

    async fn plan_parts(&self, extraction: &Extraction) -> Result<Vec<PartPlan>, SourceError> {
        let answers = match &self.collected {
            None => Vec::new(),
            Some(_) => parts(&self.of(&extraction.table)?.answers),
        };
        let plan = |(number, (answers, bytes_estimate)): (usize, (std::ops::Range<usize>, u64))| PartPlan {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            table: extraction.table.clone(),
            what: PartOf::Answers(Arc::new(AnswersPart {
                answers,
                columns: extraction.columns.clone(),
                hashed: extraction.hashed.clone(),
                arrive_as: extraction.arrive_as.clone(),
            })),
            format: extraction.format,
            csv: extraction.csv.clone(),
            counted: extraction.counted,
            bytes_estimate,
        };
        Ok(answers.into_iter().enumerate().map(plan).collect())
    }

    async fn read(&self, part: &PartPlan) -> Result<Box<dyn PartStream>, SourceError> {
        let collected = self.of(&part.table)?;
        collected.looked(self.body_bytes_max()).await?;
        let stream = RowsStream::begin(collected.clone(), part, self.body_bytes_max())?;
        Ok(Box::new(stream))
    }

    async fn look(&self, look: compare::Look) -> Result<Box<dyn Side>, SourceError> {
        Err(self.refuse(&look.table, "compared row by row", "`barncat verify` counts what a service has"))
    }
}

impl Collected {
    /// What was found when all records were gone through; `None` before.
    pub(super) fn found(&self) -> Option<&Looked> {
        self.looked.get()
    }
}

/// The answers of each part, and their bytes. There is one part at least.
fn parts(answers: &[AnswerPlace]) -> Vec<(std::ops::Range<usize>, u64)> {
    let (mut parts, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, answer) in answers.iter().enumerate() {
        if bytes > 0 && bytes + answer.part.raw_bytes > PART_BYTES {
            parts.push((begin..at, bytes));
            (begin, bytes) = (at, 0);
        }
        bytes += answer.part.raw_bytes;
    }
    parts.push((begin..answers.len(), bytes));
    parts
}

/// What stands in a column that comes from the request.
pub(super) fn of_request(piece: &Piece, given: &Given) -> Option<String> {
    piece.value(given).ok().flatten()
}

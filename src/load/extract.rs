//! Reading a table's parts into the stage.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_postgres::types::PgLsn;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Decision, LoadError, Workshop,
    backfill::{Chunk, Pace},
    missed::Missed,
    progress::Progress,
    unfit,
};
use crate::{
    clock,
    config::LoadSpec,
    control::{FailedRequest, RejectedRecord},
    event::Step,
    fail_point,
    schema::{Column, TypeKind, Unfit},
    source::{Extraction, LeftOut, LeftRecord, LeftRequest, PartPlan, Snapshot},
    stage::{
        LoadPrefix, PartWriter, SharedStage,
        manifest::{CollectionRef, Compression, Format, Manifest, Part},
    },
    warehouse::Fill,
};

/// How much of a relation one part covers.
const PART_BYTES: u64 = 64 << 20;

/// How many parts of one table are read side by side.
pub(super) const PARTS_AT_ONCE: usize = 4;

/// What is to be read. A later attempt reads smaller parts: a shorter read is less likely to be
/// cancelled by a standby.
pub(super) fn extraction(spec: &LoadSpec, decision: &Decision, attempt: u32) -> Extraction {
    let columns = decision.shape.columns.iter();
    let new_rows = decision.new_rows.as_ref();
    Extraction {
        table: spec.source_table.clone(),
        columns: columns.clone().map(|column| column.source_name.clone()).collect(),
        expressions: columns.map(|column| column.expression.clone()).collect(),
        hashed: hashed(decision),
        arrive_as: decision.shape.columns.iter().map(|column| column.sql_type.clone()).collect(),
        condition: both(
            spec.condition.as_deref(),
            new_rows.map(|new_rows| new_rows.cursor.at_least(&new_rows.low)).as_deref(),
        ),
        format: decision.shape.format,
        csv: decision.shape.csv.clone(),
        counted: decision.shape.unfit.len(),
        // Of a sample the condition would be asked again for each part.
        by_index: new_rows.is_some_and(|new_rows| new_rows.indexed) || spec.sample.is_some(),
        part_bytes: (PART_BYTES >> attempt.saturating_sub(1).min(5)).max(1 << 20),
    }
}

/// The columns of which only the SHA-256 is carried.
fn hashed(decision: &Decision) -> Vec<String> {
    let is_hashed = |column: &&Column| matches!(column.column_type.kind, TypeKind::Hashed { .. });
    decision.schema.columns.iter().filter(is_hashed).map(|column| column.name.clone()).collect()
}

/// Two conditions as one.
pub(super) fn both(one: Option<&str>, other: Option<&str>) -> Option<String> {
    match (one, other) {
        // The line break ends a comment that the condition may end in.
        (Some(one), Some(other)) => Some(format!("({one}\n) AND {other}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

/// One load being extracted.
pub(super) struct Extract<'a> {
    pub(super) workshop: &'a Workshop,
    pub(super) spec: &'a LoadSpec,
    pub(super) decision: &'a Decision,
    pub(super) missed: &'a Missed,
    pub(super) chunk: Option<&'a Chunk>,
    pub(super) load: &'a str,
    pub(super) attempt: u32,
    pub(super) progress: Progress,
}

impl Extract<'_> {
    /// Reads all parts, `PARTS_AT_ONCE` side by side, then writes the manifest. Each part goes to
    /// `filling` as soon as it is whole in the stage. The snapshot is let go when the last part is read.
    pub(super) async fn run(
        self,
        snapshot: Arc<dyn Snapshot>,
        plans: Vec<PartPlan>,
        filling: Option<&mpsc::Sender<Fill>>,
    ) -> Result<Manifest, LoadError> {
        let position = snapshot.position().clone();
        let collections = snapshot.answers().map(|answers| answers.collections.clone()).unwrap_or_default();
        self.note(&collections).await?;
        let (parts, counts) = self.read_parts(snapshot.clone(), plans, filling).await?;
        self.keep(snapshot.left_out(), &collections).await?;
        drop(snapshot);
        let mut manifest = Manifest {
            version: Manifest::VERSION,
            load: self.load.to_owned(),
            table: self.spec.target.clone(),
            source: self.spec.source.clone(),
            source_table: self.spec.source_table.clone(),
            as_of: position.as_of,
            lsn: position.lsn.map(|lsn| PgLsn::from(lsn).to_string()),
            format: self.decision.shape.format,
            compression: self.compression(),
            columns: self.decision.shape.columns.iter().map(|column| column.name.clone()).collect(),
            types: self.decision.shape.columns.iter().map(|column| column.sql_type.clone()).collect(),
            key: self.decision.shape.key.clone(),
            schema: self.decision.schema.clone(),
            schema_hash: self.decision.schema_hash.clone(),
            parts,
            gone: self.missed.gone(self.decision),
            null: self.decision.state.null.clone(),
            unfit: unfit::uses(&self.decision.shape.unfit, &counts),
            collections,
            sha256: String::new(),
        };
        manifest.write(&*self.workshop.stage, &self.prefix()).await?;
        self.progress.tell(Step::Filling);
        Ok(manifest)
    }

    /// Notes beside the load's parts which collections it is made of: for as long as it is there, they stay.
    async fn note(&self, collections: &[CollectionRef]) -> Result<(), LoadError> {
        for collection in collections {
            fail_point!("extract.note.before");
            let mut note = self.workshop.stage.put(&self.prefix().collection(&collection.id)).await?;
            note.write(Bytes::from_static(b"{}\n")).await?;
            note.finish().await?;
            fail_point!("extract.note.after");
        }
        Ok(())
    }

    /// Writes down what is left out, before the load exists.
    async fn keep(&self, left: LeftOut, collections: &[CollectionRef]) -> Result<(), LoadError> {
        let (control, run) = (&self.workshop.control, &self.workshop.run);
        let task = self.spec.target.to_string();
        let collection = collections.last().map(|last| last.id.clone()).unwrap_or_default();
        let record = |left: LeftRecord| RejectedRecord {
            answer: left.answer,
            record: left.record,
            reason: left.reason,
        };
        let records: Vec<RejectedRecord> = left.records.into_iter().map(record).collect();
        control.keep_rejected((run, &task), (self.load, &collection), &records).await?;
        let request = |left: LeftRequest| FailedRequest {
            id: clock::new_id(),
            task: task.clone(),
            source: self.spec.source.clone(),
            collection: left.collection,
            query: left.query,
            request: left.request,
            failed: left.failure,
        };
        let requests: Vec<FailedRequest> = left.requests.into_iter().map(request).collect();
        Ok(control.keep_failed(run, &requests).await?)
    }

    /// All parts: those of the rows that are asked for, then those that mend what was missed.
    pub(super) async fn plan(&self, snapshot: &dyn Snapshot) -> Result<Vec<PartPlan>, LoadError> {
        let asked = extraction(self.spec, self.decision, self.attempt);
        let mut plans = Vec::new();
        if let Some(piece) = &self.decision.piece {
            for range in &piece.parts {
                let condition = both(asked.condition.as_deref(), Some(range));
                let part = Extraction { condition, by_index: piece.by_index, ..asked.clone() };
                plans.extend(snapshot.plan_parts(&part).await.map_err(LoadError::Source)?);
            }
        } else if !self.decision.by_keys {
            plans = snapshot.plan_parts(&asked).await.map_err(LoadError::Source)?;
        }
        for condition in self.missed.conditions(self.spec, self.decision) {
            let mending = Extraction { condition: Some(condition), by_index: true, ..asked.clone() };
            plans.extend(snapshot.plan_parts(&mending).await.map_err(LoadError::Source)?);
        }
        for (number, plan) in plans.iter_mut().enumerate() {
            plan.number = u32::try_from(number).unwrap_or(u32::MAX);
        }
        Ok(plans)
    }

    async fn read_parts(
        &self,
        snapshot: Arc<dyn Snapshot>,
        plans: Vec<PartPlan>,
        filling: Option<&mpsc::Sender<Fill>>,
    ) -> Result<(Vec<Part>, Vec<Vec<u64>>), LoadError> {
        let table = &self.spec.target;
        let at_once = self.chunk.map_or(PARTS_AT_ONCE, |chunk| chunk.parts);
        let at_once = Arc::new(Semaphore::new(at_once.max(1)));
        // Dropping the set ends its tasks: a load that failed reads no further.
        let mut reading = JoinSet::new();
        let total = plans.len();
        for plan in plans {
            let part = self.part(plan, snapshot.clone());
            let at_once = at_once.clone();
            let read = async move {
                let turn = at_once.acquire_owned().await;
                let number = part.plan.number;
                (number, part.read().await, turn)
            };
            reading.spawn(read.in_current_span());
        }
        drop(snapshot);
        let mut parts: Vec<Option<Part>> = vec![None; total];
        let mut counted = Vec::with_capacity(total);
        while let Some(read) = reading.join_next().await {
            let lost = |_| LoadError::PartLost { table: table.clone(), part: 0 };
            let (number, part, turn) = read.map_err(lost)?;
            let (part, counts) = part?;
            counted.push(counts);
            if let Some(filling) = filling {
                // The next part is read only when this one has its place in the queue: a source that
                // runs far ahead takes what the warehouse needs where they share a machine or a network.
                let _ = filling.send(Fill::Part(part.clone())).await;
            }
            drop(turn);
            if let Some(place) = parts.get_mut(number as usize) {
                *place = Some(part);
            }
        }
        let lost = |number: usize| LoadError::PartLost {
            table: table.clone(),
            part: u32::try_from(number).unwrap_or(u32::MAX),
        };
        let parts = parts.into_iter().enumerate().map(|(number, part)| part.ok_or_else(|| lost(number)));
        Ok((parts.collect::<Result<_, _>>()?, counted))
    }

    fn part(&self, plan: PartPlan, snapshot: Arc<dyn Snapshot>) -> ReadPart {
        let format: Format = self.decision.shape.format;
        ReadPart {
            key: self.prefix().part(plan.number, format, self.compression()),
            compression: self.compression(),
            spec: self.spec.clone(),
            unfit: self.decision.shape.unfit.clone(),
            plan,
            snapshot,
            stage: self.workshop.stage.clone(),
            progress: self.progress.clone(),
            pace: self.chunk.and_then(|chunk| chunk.pace.clone()),
            cancel: self.workshop.cancel.clone(),
        }
    }

    fn compression(&self) -> Compression {
        self.spec.compression.unwrap_or(self.workshop.publishing.compression)
    }

    fn prefix(&self) -> LoadPrefix {
        LoadPrefix::new(&self.workshop.project, &self.workshop.mode, &self.spec.target, self.load)
    }
}

/// One part on its way from the source to the stage.
struct ReadPart {
    plan: PartPlan,
    spec: LoadSpec,
    unfit: Vec<Unfit>,
    snapshot: Arc<dyn Snapshot>,
    stage: SharedStage,
    key: String,
    compression: Compression,
    progress: Progress,
    pace: Option<Arc<Pace>>,
    cancel: CancellationToken,
}

impl ReadPart {
    /// The part, and what its expressions counted.
    async fn read(self) -> Result<(Part, Vec<u64>), LoadError> {
        let cancel = self.cancel.clone();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(LoadError::Cancelled),
            part = self.copy() => part,
        }
    }

    async fn copy(self) -> Result<(Part, Vec<u64>), LoadError> {
        fail_point!("extract.part.before");
        let mut stream = self.snapshot.read(&self.plan).await.map_err(LoadError::Source)?;
        let mut writer = PartWriter::create(&self.stage, self.key, self.compression).await?;
        loop {
            match stream.next().await {
                Ok(Some(chunk)) => {
                    self.progress.add(chunk.rows, chunk.bytes.len() as u64);
                    writer.write(&chunk.bytes, chunk.rows).await?;
                    if let Some(pace) = &self.pace {
                        pace.take(chunk.rows).await;
                    }
                }
                // The true end: the source has vouched for every row.
                Ok(None) => break,
                Err(error) => {
                    writer.abort().await;
                    return Err(LoadError::Source(error));
                }
            }
        }
        let counts = stream.counts().to_vec();
        if let Err(error) = unfit::refuse(&self.spec, &self.unfit, &counts) {
            writer.abort().await;
            return Err(error);
        }
        let part = writer.finish().await?;
        fail_point!("extract.part.after");
        Ok((part, counts))
    }
}

//! A part's rows, on their way.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{AnswerPlace, Failed, Reader, Rejects, RowColumn};
use crate::source::{
    AnswersPart, Chunk, PartOf, PartPlan, PartStream, SourceError,
    http::{
        ServiceError,
        collect::{Envelope, read_answer},
        records::{ColumnSpec, RowWriter},
        snapshot::Collected,
    },
};

/// How many answers of a table are taken apart at once: each can take some megabytes.
pub(in crate::source::http) fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(2))
}

/// Rows are handed on in chunks of about this size.
const CHUNK_BYTES: usize = 48 * 1024;

/// A part's rows, on their way.
pub(in crate::source::http) struct RowsStream {
    collected: Arc<Collected>,
    body_bytes_max: u64,
    reader: Option<Reader>,
    /// The next answer, and the one before which the part ends.
    next: usize,
    end: usize,
    ready: VecDeque<Chunk>,
    /// Held for as long as rows of an answer are in memory.
    turn: Option<OwnedSemaphorePermit>,
    counts: Vec<u64>,
}

impl RowsStream {
    pub(in crate::source::http) fn begin(
        collected: Arc<Collected>,
        part: &PartPlan,
        body_bytes_max: u64,
    ) -> Result<Self, ServiceError> {
        let table = collected.table.clone();
        let PartOf::Answers(answers) = &part.what else {
            return Err(ServiceError::Lost { table: table.asked.name.clone() });
        };
        let AnswersPart { answers, columns, hashed, arrive_as } = &**answers;
        let columns: Vec<RowColumn> = columns
            .iter()
            .filter_map(|name| table.rows.columns.iter().find(|column| column.spec.name == *name))
            .map(|column| {
                let hash = hashed.contains(&column.spec.name);
                RowColumn { spec: ColumnSpec { hash, ..column.spec.clone() }, ..column.clone() }
            })
            .collect();
        let specs: Vec<ColumnSpec> = columns.iter().map(|column| column.spec.clone()).collect();
        let writer = RowWriter::new(&specs, arrive_as, &part.csv, part.counted);
        let reader = Some(Reader { table, columns, writer, rejects: Rejects::default(), seen: None });
        let (next, end, ready) = (answers.start, answers.end, VecDeque::new());
        Ok(Self { collected, body_bytes_max, reader, next, end, ready, turn: None, counts: Vec::new() })
    }

    /// The rows of the next answer.
    async fn answer(&mut self) -> Result<(), ServiceError> {
        let lost = || ServiceError::Lost { table: self.collected.table.asked.name.clone() };
        let place = self.collected.answers.get(self.next).cloned().ok_or_else(lost)?;
        self.next += 1;
        self.turn = self.collected.turns.clone().acquire_owned().await.ok();
        let answer =
            read_answer(&self.collected.stage, &place.part.key, Some(&place.part), self.body_bytes_max);
        let (envelope, body, _) = answer.await?;
        let (collected, mut reader) = (self.collected.clone(), self.reader.take().ok_or_else(lost)?);
        let made = tokio::task::spawn_blocking(move || {
            let made = rows(&collected, &mut reader, &place, (&envelope, &body));
            let made = made.map_err(|failed| failed.at(&reader.table.asked.name, &envelope));
            made.map(|chunks| (reader, chunks))
        });
        let (reader, chunks) = made.await.map_err(|_| lost())??;
        reader.rejects.refuse(&reader.table)?;
        self.reader = Some(reader);
        self.ready = chunks;
        Ok(())
    }
}

fn rows(
    collected: &Collected,
    reader: &mut Reader,
    place: &AnswerPlace,
    answer: (&Envelope, &[u8]),
) -> Result<VecDeque<Chunk>, Failed> {
    let doubles = collected.found().and_then(|found| found.doubles.as_ref());
    let (mut chunks, mut bytes, mut rows) = (VecDeque::new(), Vec::with_capacity(CHUNK_BYTES + 4096), 0);
    let name = reader.table.asked.name.clone();
    reader.each(place, answer, |writer, (number, cells)| {
        if doubles.is_some_and(|doubles| doubles.drop.binary_search(&number).is_ok()) {
            return Ok(());
        }
        writer.line(cells, &mut bytes).map_err(|rejected| {
            Failed::Other(ServiceError::Row { table: name.clone(), reason: rejected.to_string() })
        })?;
        rows += 1;
        if bytes.len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut bytes, Vec::with_capacity(CHUNK_BYTES + 4096));
            chunks.push_back(Chunk { bytes: Bytes::from(full), rows });
            rows = 0;
        }
        Ok(())
    })?;
    if rows > 0 {
        chunks.push_back(Chunk { bytes: Bytes::from(bytes), rows });
    }
    Ok(chunks)
}

#[async_trait]
impl PartStream for RowsStream {
    async fn next(&mut self) -> Result<Option<Chunk>, SourceError> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            self.turn = None;
            if self.next < self.end {
                self.answer().await?;
                continue;
            }
            if let Some(reader) = self.reader.take() {
                self.counts = reader.writer.counts().to_vec();
                self.collected.reject(reader.rejects);
            }
            return Ok(None);
        }
    }

    fn counts(&self) -> &[u64] {
        &self.counts
    }
}

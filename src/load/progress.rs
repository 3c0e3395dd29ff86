//! How far a load has got, told now and then.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use crate::event::{Event, Step};

/// A line on a screen needs no more.
const EVERY: Duration = Duration::from_millis(100);

/// Counts what a load's parts have read.
#[derive(Clone)]
pub(super) struct Progress(Arc<Counts>);

struct Counts {
    task: String,
    events: mpsc::Sender<Event>,
    rows: AtomicU64,
    bytes: AtomicU64,
    told: Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(task: String, events: mpsc::Sender<Event>) -> Self {
        let (rows, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Counts { task, events, rows, bytes, told: Mutex::new(Instant::now()) }))
    }

    /// Counts a chunk.
    pub(super) fn add(&self, rows: u64, bytes: u64) {
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let due = {
            let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
            let due = told.elapsed() >= EVERY;
            if due {
                *told = Instant::now();
            }
            due
        };
        if due {
            self.tell(Step::Extracting);
        }
    }

    /// Tells what the load does now.
    pub(super) fn tell(&self, step: Step) {
        // A full channel means that nobody reads as fast as we tell: the next event says more.
        let _ = self.0.events.try_send(Event::TaskProgress {
            task: self.0.task.clone(),
            step,
            rows: self.0.rows.load(Ordering::Relaxed),
            bytes: self.0.bytes.load(Ordering::Relaxed),
        });
    }
}

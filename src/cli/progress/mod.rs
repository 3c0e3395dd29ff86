//! Shows a run while it goes: one live line a task on a terminal, log lines elsewhere.
//!
//! Consumes events and nothing else, so it can neither hold a run up nor change it.

use std::time::Duration;

use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::screen::Screen;
use crate::{control::Tick, event::Event};

mod line;
mod live;
mod log_lines;

/// How a run is shown.
pub(super) enum Progress {
    /// On a terminal.
    Live(live::Live),
    /// Elsewhere.
    LogLines(log_lines::LogLines),
}

impl Progress {
    /// Live lines if `live`, else log lines.
    pub(super) fn new(live: bool, screen: &Screen) -> Self {
        if live {
            Self::Live(live::Live::new(screen.clone()))
        } else {
            Self::LogLines(log_lines::LogLines::default())
        }
    }

    /// Log lines of a run that goes on beside others: each says which run it is of.
    pub(super) fn of_a_tick(tick: &Tick) -> Self {
        Self::LogLines(log_lines::LogLines::of_a_tick(tick))
    }

    /// Shows events until their channel closes.
    pub(super) async fn follow(mut self, mut events: mpsc::Receiver<Event>) {
        // Rates and times left move on between events, but not faster than eyes do.
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(&event),
                    None => return,
                },
                _ = tick.tick() => self.refresh(),
            }
        }
    }

    fn take(&mut self, event: &Event) {
        match self {
            Self::Live(live) => live.take(event),
            Self::LogLines(lines) => lines.take(event),
        }
    }

    fn refresh(&mut self) {
        if let Self::Live(live) = self {
            live.refresh();
        }
    }
}

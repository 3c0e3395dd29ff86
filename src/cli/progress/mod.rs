//! Shows a run while it goes: one live line a task on a terminal, log lines elsewhere; with `--output jsonl` events on
//! stdout beside them.
//!
//! Consumes events and nothing else, so it can neither hold a run up nor change it.

use std::time::Duration;

use tokio::{sync::mpsc, time::MissedTickBehavior};

use super::output::Output;
use crate::{control::Tick, event::Event};

mod event_lines;
mod line;
mod live;
mod log_lines;

/// How a run is shown.
pub(super) struct Progress {
    shown: Shown,
    /// For programs.
    events: Option<event_lines::EventLines>,
}

/// How it is shown to people.
enum Shown {
    /// On a terminal.
    Live(live::Live),
    /// Elsewhere.
    LogLines(log_lines::LogLines),
}

impl Progress {
    /// Live lines if `live`, else log lines.
    pub(super) fn new(live: bool, output: &Output) -> Self {
        let shown = match live {
            true => Shown::Live(live::Live::new(output.screen().clone())),
            false => Shown::LogLines(log_lines::LogLines::default()),
        };
        Self { shown, events: events(output, None) }
    }

    /// Log lines of a run that a service goes on with beside others.
    pub(super) fn of_a_tick(tick: &Tick, output: &Output) -> Self {
        let shown = Shown::LogLines(log_lines::LogLines::of_a_tick(tick));
        Self { shown, events: events(output, Some(tick)) }
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
        if let Some(events) = &mut self.events {
            events.take(event);
        }
        match &mut self.shown {
            Shown::Live(live) => live.take(event),
            Shown::LogLines(lines) => lines.take(event),
        }
    }

    fn refresh(&mut self) {
        if let Shown::Live(live) = &mut self.shown {
            live.refresh();
        }
    }
}

fn events(output: &Output, tick: Option<&Tick>) -> Option<event_lines::EventLines> {
    output.is_json_lines().then(|| event_lines::EventLines::new(output.clone(), tick))
}

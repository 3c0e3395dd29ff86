//! SIGINT and SIGTERM: the first one asks the command to stop, the second ends it at once.

use std::{io, sync::OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;

/// The signals that stop a command.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// What a command sees of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// Cancelled by the first signal.
    pub(super) token: CancellationToken,
    status: std::sync::Arc<OnceLock<Exit>>,
    ends_well: std::sync::Arc<OnceLock<()>>,
}

impl Stop {
    /// The exit status of the signal that came; `None` where none did, or where the command's own counts.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.status.get().copied().filter(|_| self.ends_well.get().is_none())
    }

    /// The command goes on until it is stopped: then it has done what it should.
    pub(super) fn ends_well(&self) {
        let _ = self.ends_well.set(());
    }
}

impl Signals {
    /// Takes the signals over. Must be called inside the runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Cancels `stop` upon the first signal, calls `told`, and returns upon the second.
    pub(super) async fn attend(mut self, stop: Stop, told: impl FnOnce()) -> Exit {
        let exit = self.next().await;
        stop.status.get_or_init(|| exit);
        stop.token.cancel();
        told();
        self.next().await
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

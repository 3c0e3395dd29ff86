//! Connections that were dropped in the middle of a statement: their cancel requests are on their
//! way for a moment longer.

use std::{future::Future, sync::LazyLock, time::Duration};

use tokio_util::task::TaskTracker;

/// One for the process: a connection is dropped in places that cannot wait.
static UNDER_WAY: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Does something after a drop, in the background.
pub(super) fn later(work: impl Future<Output = ()> + Send + 'static) {
    // Without a runtime the process is ending, and its sockets close by themselves.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        UNDER_WAY.spawn_on(work, &runtime);
    }
}

/// Waits until the statements of dropped connections are cancelled, at most `limit`. Called before
/// the process ends.
pub async fn settle(limit: Duration) {
    UNDER_WAY.close();
    let _ = tokio::time::timeout(limit, UNDER_WAY.wait()).await;
    UNDER_WAY.reopen();
}

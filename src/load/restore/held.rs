//! The hold of a table that is restored: the next run would bring it up to its source again.
//!
//! It is placed before the publish. Whoever kills the process afterwards leaves a table on hold that shows
//! one state or the other; never one that is restored and let go.

use crate::{
    control::{self, ControlError, PlacedHold},
    load::Workshop,
    sql::TableName,
};

/// Puts the table on hold, under its lock.
pub(super) async fn place(
    workshop: &Workshop,
    table: &TableName,
    load: &str,
) -> Result<Vec<PlacedHold>, ControlError> {
    let by = format!("{}@{}", control::user_name(), control::host_name());
    let reason = format!("restore of load {load}");
    workshop.control.hold(&[table.to_string()], None, &by, Some(&reason)).await
}

/// Takes the hold away again, or puts the one of before back, if `load` is surely not published. Answers
/// nothing: a hold that stays keeps the last good rows, and says why it is there.
pub(super) async fn take_back(workshop: &Workshop, load: &str, placed: &[PlacedHold]) {
    if workshop.warehouse.is_published(load).await.unwrap_or(true) {
        return;
    }
    for placed in placed {
        if let Err(error) = workshop.control.take_back(placed).await {
            let task = &placed.hold.task;
            tracing::warn!(task, %error, "the table is still on hold, although it was not restored");
        }
    }
}

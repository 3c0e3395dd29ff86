//! What a test of the surroundings asks about.

use std::{collections::BTreeSet, time::Duration};

use crate::sql::TableName;

/// What a run would ask of the warehouse.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The schemas that tables are published to.
    pub schemas: BTreeSet<String>,
    /// The tables.
    pub tables: Vec<TableName>,
    /// The roles that get rights on new tables.
    pub grantees: BTreeSet<String>,
    /// How long one wait for a lock may take.
    pub lock_timeout: Duration,
}

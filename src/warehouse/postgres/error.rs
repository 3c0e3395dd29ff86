//! What can go wrong in a Postgres warehouse.

use crate::{
    error::{Class, Fault},
    pg::{PgError, ServerError},
    sql::TableName,
    stage::StageError,
    warehouse::WarehouseError,
};

/// An error of a Postgres warehouse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresWarehouseError {
    /// The connection or a statement.
    #[error(transparent)]
    Server(#[from] PgError),
    /// A SELECT of the project.
    #[error("{place}: the warehouse cannot run it")]
    Select {
        /// File and line.
        place: String,
        /// Why.
        source: Box<ServerError>,
    },
    /// A part could not be read back.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A value that the table cannot hold. The value itself is not shown.
    #[error("the warehouse's table {table} cannot hold a value of the source")]
    Value {
        /// The table.
        table: TableName,
        /// What the server says: line and column, where it knows them.
        source: Box<PgError>,
    },
    /// A row without a value in its key.
    #[error("{table}: a row of the source has NULL in the key's column `{column}`")]
    NullInKey {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// All of the key's columns.
        key: Vec<String>,
    },
    /// Several rows of the source have the same key.
    #[error("{table}: the source has several rows of the same key ({})", key.join(", "))]
    NotUnique {
        /// The table.
        table: TableName,
        /// The key's columns.
        key: Vec<String>,
    },
    /// Rows that a unique index or constraint of the live table forbids.
    #[error("{table}: the source has several rows of the same values where {object} of the table allows one")]
    NotUniqueBy {
        /// The table.
        table: TableName,
        /// The index or constraint, with its kind.
        object: String,
    },
    /// A row of the ledger that this version cannot read.
    #[error("the ledger's row of load {load} cannot be read: {what}")]
    Ledger {
        /// The load.
        load: String,
        /// What is wrong with it.
        what: String,
    },
    /// The parts stopped coming before the manifest was written.
    #[error("the load of {table} was given up before its manifest was written")]
    NoManifest {
        /// The table.
        table: TableName,
    },
    /// What was filled is not what the manifest lists.
    #[error("the parts filled into the staging table of {table} are not those of its manifest")]
    NotTheManifest {
        /// The table.
        table: TableName,
    },
    /// The warehouse counts other rows than the source.
    #[error("{object} has {expected} rows, the warehouse took in {taken}")]
    Count {
        /// A part's key, or the staging table's name.
        object: String,
        /// The rows that it should have.
        expected: u64,
        /// The rows that the warehouse counts.
        taken: u64,
    },
    /// Another load was published since this one was decided upon.
    #[error("{table} is superseded: another load of it was published since this one was decided upon")]
    Superseded {
        /// The table.
        table: TableName,
    },
    /// There is a relation of the table's name that the ledger knows nothing of.
    #[error("{table} is there already, neither created nor adopted by barncat")]
    NotOurs {
        /// The table.
        table: TableName,
    },
    /// Views that the new columns break.
    #[error("the new columns of {table} break {}", views.join(", "))]
    BrokenViews {
        /// The table.
        table: TableName,
        /// The views, with those upon them; outermost first.
        views: Vec<String>,
    },
    /// Policies and triggers that read a column that is gone.
    #[error("{table} loses a column that is needed by {}", needed_by.join(", "))]
    ColumnNeeded {
        /// The table.
        table: TableName,
        /// What needs it.
        needed_by: Vec<String>,
    },
    /// Since it was decided to swap, something came to depend on the table.
    #[error("a swap of {table} would by now lose {}", obstacles.join(", "))]
    Bound {
        /// The table.
        table: TableName,
        /// What would be lost.
        obstacles: Vec<String>,
    },
    /// A table that is to be dropped, and that something else is made of.
    #[error("{table} is needed by {}", needed_by.join(", "))]
    Needed {
        /// The table.
        table: TableName,
        /// What needs it.
        needed_by: Vec<String>,
    },
    /// Others held locks on the table or its views for all the time that was given.
    #[error("{table} and its views could not be locked together within {waited_ms} ms: {}", blockers.join(", "))]
    Locked {
        /// The table.
        table: TableName,
        /// For how long it was tried, in milliseconds.
        waited_ms: u128,
        /// Who held the locks: pid, user, application, state.
        blockers: Vec<String>,
    },
    /// Readers with older snapshots would find the new table empty, and the table is too large to
    /// have its rows replaced in place.
    #[error("readers of {table} keep snapshots older than its new rows: {}", sessions.join(", "))]
    OlderReaders {
        /// The table.
        table: TableName,
        /// Who they are: pid, user, application.
        sessions: Vec<String>,
    },
    /// Rows cannot be told apart by the key.
    #[error("{table} has no unique index on its key ({})", key.join(", "))]
    NoKey {
        /// The table.
        table: TableName,
        /// The key's columns.
        key: Vec<String>,
    },
    /// A row cannot be deleted without rows of other tables.
    #[error("rows of {table} cannot be deleted: foreign keys of {} would delete or change rows there", followers.join(", "))]
    Cascades {
        /// The table.
        table: TableName,
        /// The tables whose foreign keys cascade.
        followers: Vec<String>,
    },
    /// The live table is not the one any more whose rows were to be replaced.
    #[error("{table} was changed since it was decided to replace its rows in place")]
    Changed {
        /// The table.
        table: TableName,
    },
    /// Foreign keys point at the table, and nothing tells its rows apart.
    #[error("{table} is referred to by foreign keys, and the load has no key to replace its rows one by one")]
    ReferredTo {
        /// The table.
        table: TableName,
    },
    /// A constraint of the live table, or one that points at it, forbids the new rows.
    #[error("the new rows of {table} break a constraint that it has in the warehouse")]
    Forbidden {
        /// The table.
        table: TableName,
        /// Which one.
        source: PgError,
    },
    /// Triggers of the live table could write other values than the source has.
    #[error("{table} has triggers that change rows before they are written: {}", triggers.join(", "))]
    Meddled {
        /// The table.
        table: TableName,
        /// Their names.
        triggers: Vec<String>,
    },
    /// After the replace the table has other rows than were written.
    #[error("{table} had {found} rows after a replace with {expected}")]
    Interfered {
        /// The table.
        table: TableName,
        /// The rows of the load.
        expected: u64,
        /// The rows that the warehouse counts.
        found: i64,
    },
    /// The connection broke at COMMIT, and nobody could be asked in time how it ended.
    #[error("whether load {load} of {table} was published is not known: the answer to its COMMIT was lost")]
    Unknown {
        /// The table.
        table: TableName,
        /// The load.
        load: String,
        /// Why the ledger gave no answer.
        source: PgError,
    },
    /// Somebody kept on changing what belongs to the table while it was carried over.
    #[error("what belongs to {table} kept changing for {waited_ms} ms")]
    Unsteady {
        /// The table.
        table: TableName,
        /// For how long, in milliseconds.
        waited_ms: u128,
    },
}

impl PostgresWarehouseError {
    /// The error of a COPY into the staging table of `table`.
    pub(super) fn of_copy(table: &TableName, key: &[String], error: PgError) -> Self {
        let column = error.server().and_then(|error| error.column.clone());
        match error.code() {
            Some("23502") if column.as_ref().is_some_and(|column| key.contains(column)) => {
                let (table, column) = (table.clone(), column.unwrap_or_default());
                Self::NullInKey { table, column, key: key.to_vec() }
            }
            // Data exceptions, and values against NOT NULL, a check, a key.
            Some(code) if code.starts_with("22") || code.starts_with("23") => {
                Self::Value { table: table.clone(), source: Box::new(error) }
            }
            _ => Self::Server(error),
        }
    }

    /// The error of the statement that builds the key of what was filled.
    pub(super) fn of_key(table: &TableName, key: &[String], error: PgError) -> Self {
        match error.code() {
            Some("23505") => Self::NotUnique { table: table.clone(), key: key.to_vec() },
            _ => Self::Server(error),
        }
    }

    /// The error of a statement that replaces rows of `table`.
    pub(super) fn of_replace(table: &TableName, error: PgError) -> Self {
        match error.code() {
            Some(code) if code.starts_with("23") => Self::Forbidden { table: table.clone(), source: error },
            _ => Self::Server(error),
        }
    }
}

impl Fault for PostgresWarehouseError {
    fn class(&self) -> Class {
        match self {
            Self::Server(error) => error.class(),
            Self::Select { source, .. } => source.class(),
            Self::Stage(error) => error.class(),
            Self::NoManifest { .. }
            | Self::Superseded { .. }
            | Self::Bound { .. }
            | Self::Locked { .. }
            | Self::OlderReaders { .. }
            | Self::Changed { .. }
            | Self::Unknown { .. }
            | Self::Unsteady { .. } => Class::Passing,
            Self::Value { .. }
            | Self::NullInKey { .. }
            | Self::NotUnique { .. }
            | Self::NotUniqueBy { .. }
            | Self::Ledger { .. }
            | Self::NotOurs { .. }
            | Self::BrokenViews { .. }
            | Self::ReferredTo { .. }
            | Self::NoKey { .. }
            | Self::Cascades { .. }
            | Self::Forbidden { .. }
            | Self::Interfered { .. }
            | Self::Meddled { .. }
            | Self::Needed { .. }
            | Self::ColumnNeeded { .. } => Class::Lasting,
            Self::NotTheManifest { .. } | Self::Count { .. } => Class::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Select { source, .. } => source.hint(),
            Self::Stage(error) => error.hint(),
            Self::Value { .. } => Some(
                "its types differ from the source's: compare the two by `barncat plan`, or leave the column out by `exclude`"
                    .to_owned(),
            ),
            Self::NullInKey { key, .. } => Some(format!(
                "a key needs a value in each of its columns ({}): name others by `key = […]`, or leave such rows out by `where`",
                key.join(", ")
            )),
            Self::NotUnique { key, .. } => Some(format!(
                "rows are told apart by ({}): name columns by `key = […]` that no two rows have in common",
                key.join(", ")
            )),
            Self::NotUniqueBy { object, .. } => {
                Some(format!("somebody made {object} in the warehouse: drop it, or mend the source's rows"))
            }
            Self::Ledger { .. } => Some("was it written by a newer barncat?".to_owned()),
            Self::Superseded { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::NotOurs { table } => Some(format!(
                "rename or drop it, or give the loader another name for the table: `as = \"{}_loaded\"`",
                table.name
            )),
            Self::BrokenViews { .. } => {
                Some("change the views, or let them be dropped by `on_broken_view = \"drop\"`".to_owned())
            }
            Self::ColumnNeeded { .. } => Some("change or drop them, then run again".to_owned()),
            Self::Needed { .. } => Some("drop or change these first".to_owned()),
            Self::Bound { .. } | Self::Changed { .. } => Some("the next load is decided upon anew".to_owned()),
            Self::Cascades { .. } => Some(
                "drop these foreign keys' ON DELETE, or keep the rows: `deletes = \"mark\"` or \"ignore\"".to_owned(),
            ),
            Self::NoKey { .. } => Some("`barncat run --full` builds it anew with its key".to_owned()),
            Self::ReferredTo { .. } => Some("name the table's key by `key = […]`".to_owned()),
            Self::Forbidden { .. } => Some(
                "the source has no such constraint, or other rows in the referring tables: drop it, or change those rows"
                    .to_owned(),
            ),
            Self::Meddled { table, .. } => Some(format!(
                "its rows are replaced in place: drop the triggers, or ALTER TABLE {} DISABLE TRIGGER …",
                table.quoted()
            )),
            Self::Interfered { .. } => Some("a rule or trigger of the table keeps rows away or adds some: drop it".to_owned()),
            Self::Unknown { .. } => Some("the next run asks the ledger, and goes on from what it says".to_owned()),
            Self::Locked { .. } => {
                Some("long transactions that read the table hold such locks until they end".to_owned())
            }
            Self::OlderReaders { .. } => Some(
                "let these transactions end, give `snapshot_wait` more time, or set `fill_jobs = 1`, which needs no wait"
                    .to_owned(),
            ),
            Self::Unsteady { .. } | Self::NoManifest { .. } | Self::NotTheManifest { .. } | Self::Count { .. } => None,
        }
    }
}

impl From<PostgresWarehouseError> for WarehouseError {
    fn from(error: PostgresWarehouseError) -> Self {
        Box::new(error)
    }
}

//! A snapshot exported by one session and joined by the others.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Options, PostgresSourceError, catalog, longest, look, parts, reach,
    readers::{Reader, Readers},
    slices, stream,
};
use crate::{
    compare::{Look, Side},
    event::Tier,
    pg::{Connection, PgError, set_application_name},
    schema::{CursorRange, RelationKind, TableSchema},
    source::{
        Extraction, LongestQuestion, PartPlan, PartStream, Position, RangeQuestion, Reach, ReachQuestion,
        Slice, SliceQuestion, Slot, Slots, Snapshot, SourceError,
    },
    sql::{TableName, quote_literal},
};

/// An open snapshot, as tasks of one tier read it. Dropping the last ends the exporting transaction; streams
/// that have begun go on.
pub(super) struct PostgresSnapshot {
    opened: Arc<Opened>,
    tier: Tier,
}

/// What all tiers share.
struct Opened {
    options: Arc<Options>,
    holder: Connection,
    _holder_slot: Option<Slot>,
    /// Whether one of the slots that it keeps is for critical tasks.
    is_reserved: bool,
    exported: String,
    identity: Identity,
    position: Position,
    version: u32,
    pin: Option<IpAddr>,
    readers: Arc<Readers>,
    /// A statement of the holder failed: its transaction, and so the snapshot, is at its end.
    is_broken: AtomicBool,
}

/// What tells one server, and one snapshot of it, from another.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    started_at: Timestamp,
    snapshot: String,
    /// Settings as the transaction has them: a pooler by transaction loses those of the session.
    settings: String,
}

impl PostgresSnapshot {
    pub(super) async fn open(
        options: Arc<Options>,
        slots: Arc<dyn Slots>,
        (mut taken, tier): (Vec<Slot>, Tier),
    ) -> Result<Self, PostgresSourceError> {
        let holder = options.connect(None, "snapshot").await?;
        let pin = holder.address();
        let (version, in_recovery) = check_server(&options, &holder).await?;
        let floor = log_position(&holder, in_recovery).await?;
        holder.run("open a snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let exported: String = one(&holder, "export a snapshot", "SELECT pg_export_snapshot()").await?.get(0);
        let identity = identity(&holder).await?;
        let position = position(&holder, in_recovery, &identity, floor).await?;
        if let (Some(lag_seconds), Some(max)) = (position.lag_seconds, options.max_lag)
            && lag_seconds > max.as_secs_f64()
        {
            let source_name = options.name.clone();
            return Err(PostgresSourceError::Lag { source_name, lag_seconds, max_seconds: max.as_secs() });
        }
        let_go(&holder).await?;
        let is_reserved = taken.iter().any(Slot::is_reserved);
        let holder_slot = taken.pop();
        let readers = Readers::new(slots, taken);
        tracing::debug!(source = options.name, snapshot = position.snapshot, as_of = %position.as_of, "snapshot.opened");
        let opened = Opened {
            options,
            holder,
            _holder_slot: holder_slot,
            is_reserved,
            exported,
            identity,
            position,
            version,
            pin,
            readers,
            is_broken: AtomicBool::new(false),
        };
        Ok(Self { opened: Arc::new(opened), tier })
    }

    /// A session in this snapshot.
    async fn join(&self, table: &TableName) -> Result<Reader, SourceError> {
        let mut reader = self.opened.readers.take(self.tier).await?;
        let connection = match reader.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self
                .opened
                .options
                .connect(self.opened.pin, &table.to_string())
                .await
                .map_err(PostgresSourceError::from)?,
        };
        self.enter(&connection, table).await?;
        reader.connection = Some(connection);
        Ok(reader)
    }

    /// Joins it once by a new session that is closed again: whether reading could work.
    pub(super) async fn try_join(&self, what: &str) -> Result<(), PostgresSourceError> {
        let connection = self.opened.options.connect(self.opened.pin, what).await?;
        self.enter(&connection, &TableName::new("pg_catalog", "pg_class")).await
    }

    async fn enter(&self, connection: &Connection, table: &TableName) -> Result<(), PostgresSourceError> {
        let sql = format!(
            "{}; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            set_application_name(&format!("barncat {} {table}", self.opened.options.run)),
            quote_literal(&self.opened.exported)
        );
        if let Err(error) = connection.run("join the snapshot", &sql).await {
            // invalid_parameter_value (from 17 on undefined_object): there is no such snapshot. Either
            // this is another server, or the holder was ended, of which we may not have heard yet.
            return Err(match error.code() {
                Some("22023" | "42704") => {
                    match self.opened.holder.run("look after the snapshot", "SELECT").await {
                        Ok(()) => {
                            self.not_one_server("a snapshot exported by one session is unknown to the next")
                        }
                        Err(ended) => read_error(ended, table),
                    }
                }
                _ => read_error(error, table),
            });
        }
        let joined = identity(connection).await.map_err(|error| read_error(error, table))?;
        if joined.started_at != self.opened.identity.started_at {
            return Err(self.not_one_server("two sessions reached two servers"));
        }
        if joined != self.opened.identity {
            return Err(self.not_one_server("a session did not keep its settings or its snapshot"));
        }
        Ok(())
    }

    fn not_one_server(&self, what: &str) -> PostgresSourceError {
        PostgresSourceError::NotOneServer {
            source_name: self.opened.options.name.clone(),
            place: self.opened.options.endpoint.place(),
            what: what.to_owned(),
        }
    }

    async fn plan(&self, extraction: &Extraction) -> Result<Vec<PartPlan>, PostgresSourceError> {
        let table = &extraction.table;
        let relation = self.relation(table).await?;
        if self.opened.position.lag_seconds.is_some()
            && let Some(table) = catalog::unlogged(&self.opened.holder, table, relation.oid).await?
        {
            return Err(PostgresSourceError::Unlogged { table });
        }
        let role = || self.opened.holder.user().unwrap_or_default().to_owned();
        if catalog::hides_rows(&self.opened.holder, table, relation.oid).await? {
            return Err(PostgresSourceError::RowSecurity { table: table.clone(), role: role() });
        }
        let (whole, each) =
            catalog::privileges(&self.opened.holder, table, relation.oid, &extraction.columns).await?;
        let denied: Vec<String> =
            each.iter().filter(|(_, may)| !**may).map(|(name, _)| name.clone()).collect();
        if !whole && (!denied.is_empty() || each.is_empty()) {
            let columns = if denied.len() == each.len() { Vec::new() } else { denied };
            return Err(PostgresSourceError::Privilege { table: table.clone(), columns, role: role() });
        }
        // A range of ctid needs the privilege on the whole table, and is only fast from 14 on.
        let by_ctid = whole
            && !extraction.by_index
            && self.opened.version >= 140_000
            && !matches!(relation.kind, RelationKind::View | RelationKind::Foreign);
        parts::plan(&self.opened.holder, extraction, &relation, by_ctid).await
    }

    async fn relation(&self, table: &TableName) -> Result<catalog::Relation, PostgresSourceError> {
        catalog::relation(&self.opened.holder, table).await?.ok_or_else(|| PostgresSourceError::NoTable {
            source_name: self.opened.options.name.clone(),
            table: table.clone(),
        })
    }

    async fn schema(&self, table: &TableName) -> Result<TableSchema, PostgresSourceError> {
        catalog::describe(&self.opened.holder, table, &self.relation(table).await?).await
    }

    /// After all that the holder was asked about a table.
    async fn answered<T>(
        &self,
        table: &TableName,
        answer: Result<T, PostgresSourceError>,
    ) -> Result<T, SourceError> {
        let answer = match answer {
            Err(PostgresSourceError::Server(error)) => Err(error),
            // A refusal of ours is an answer too.
            answer => let_go(&self.opened.holder).await.map(|()| answer),
        };
        Ok(answer.map_err(|error| {
            self.opened.is_broken.store(true, Ordering::Release);
            read_error(error, table)
        })??)
    }
}

/// The server keeps a query's portal until the transaction's next one, and with it pins on pages of
/// the catalog. Replay would wait for them as long as this session has nothing else to do.
pub(super) async fn let_go(holder: &Connection) -> Result<(), PgError> {
    holder.run("end a query", "SELECT").await
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn position(&self) -> &Position {
        &self.opened.position
    }

    fn is_alive(&self) -> bool {
        !self.opened.holder.is_closed() && !self.opened.is_broken.load(Ordering::Acquire)
    }

    fn server_version(&self) -> u32 {
        self.opened.version
    }

    fn is_reserved(&self) -> bool {
        self.opened.is_reserved
    }

    fn for_tier(self: Arc<Self>, tier: Tier) -> Arc<dyn Snapshot> {
        match self.tier == tier {
            true => self,
            false => Arc::new(Self { opened: self.opened.clone(), tier }),
        }
    }

    async fn describe(&self, table: &TableName) -> Result<TableSchema, SourceError> {
        let schema = self.schema(table).await;
        self.answered(table, schema).await
    }

    async fn reach(&self, question: &ReachQuestion) -> Result<Reach, SourceError> {
        let relation = self.relation(&question.table).await;
        let relation = self.answered(&question.table, relation).await?;
        let reader = self.join(&question.table).await?;
        Ok(reach::reach(reader, &relation, question).await?)
    }

    async fn longest(&self, question: &LongestQuestion) -> Result<Vec<u64>, SourceError> {
        let relation = self.relation(&question.table).await;
        let relation = self.answered(&question.table, relation).await?;
        let reader = self.join(&question.table).await?;
        Ok(longest::longest(reader, &relation, question).await?)
    }

    async fn range(&self, question: &RangeQuestion) -> Result<Option<CursorRange>, SourceError> {
        let reader = self.join(&question.table).await?;
        Ok(slices::range(reader, question).await?)
    }

    async fn slices(&self, question: &SliceQuestion) -> Result<Vec<Slice>, SourceError> {
        let relation = self.relation(&question.table).await;
        let relation = self.answered(&question.table, relation).await?;
        let reader = self.join(&question.table).await?;
        Ok(slices::slices(reader, &relation, question).await?)
    }

    async fn plan_parts(&self, extraction: &Extraction) -> Result<Vec<PartPlan>, SourceError> {
        let plans = self.plan(extraction).await;
        self.answered(&extraction.table, plans).await
    }

    async fn read(&self, part: &PartPlan) -> Result<Box<dyn PartStream>, SourceError> {
        let reader = self.join(&part.table).await?;
        Ok(Box::new(stream::CopyStream::begin(reader, part.clone()).await?))
    }

    async fn look(&self, look: Look) -> Result<Box<dyn Side>, SourceError> {
        let relation = self.relation(&look.table).await;
        let relation = self.answered(&look.table, relation).await?;
        let reader = self.join(&look.table).await?;
        Ok(Box::new(look::SourceSide::begin(reader, look, &relation).await?))
    }
}

/// Refuses a server that cannot be read safely; answers its version and whether it is a standby.
async fn check_server(options: &Options, holder: &Connection) -> Result<(u32, bool), PostgresSourceError> {
    let sql = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('server_encoding')";
    let row = one(holder, "look at the server", sql).await?;
    let (source_name, place) = (options.name.clone(), options.endpoint.place());
    let in_recovery: bool = row.get(1);
    if !in_recovery && !options.allow_primary {
        return Err(PostgresSourceError::Primary { source_name, place });
    }
    if row.get::<_, &str>(2) == "SQL_ASCII" {
        return Err(PostgresSourceError::SqlAscii { source_name, place });
    }
    Ok((row.get::<_, i32>(0).try_into().unwrap_or(0), in_recovery))
}

async fn identity(connection: &Connection) -> Result<Identity, PgError> {
    let sql = "
        SELECT pg_postmaster_start_time(), pg_current_snapshot()::text,
               concat_ws('|', current_setting('DateStyle'), current_setting('TimeZone'), current_setting('IntervalStyle'),
                   current_setting('extra_float_digits'), current_setting('bytea_output'), current_setting('row_security'),
                   current_setting('search_path'), current_setting('transaction_isolation'))";
    let row = one(connection, "look at the session", sql).await?;
    Ok(Identity { started_at: row.get(0), snapshot: row.get(1), settings: row.get(2) })
}

/// How far the log is replayed (standby) or written (primary).
async fn log_position(connection: &Connection, in_recovery: bool) -> Result<Option<u64>, PgError> {
    let sql = if in_recovery {
        "SELECT (pg_last_wal_replay_lsn() - '0/0')::text"
    } else {
        "SELECT (pg_current_wal_insert_lsn() - '0/0')::text"
    };
    let lsn: Option<String> = one(connection, "read the log position", sql).await?.get(0);
    Ok(lsn.and_then(|lsn| lsn.parse().ok()))
}

async fn position(
    holder: &Connection,
    in_recovery: bool,
    identity: &Identity,
    lsn_floor: Option<u64>,
) -> Result<Position, PgError> {
    // A standby that has replayed all it received, and still receives, shows the present; the age
    // of its last commit grows on an idle primary too.
    let sql = "
        SELECT now(), (SELECT system_identifier::text FROM pg_control_system()),
               CASE WHEN NOT pg_is_in_recovery()
                      OR (pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_last_wal_replay_lsn()
                          AND EXISTS (SELECT FROM pg_stat_get_wal_receiver() WHERE pid IS NOT NULL))
                    THEN now() ELSE coalesce(pg_last_xact_replay_timestamp(), now()) END";
    let row = one(holder, "read the position", sql).await?;
    let (now, as_of): (Timestamp, Timestamp) = (row.get(0), row.get(2));
    let system: Option<String> = row.get(1);
    let lsn = log_position(holder, in_recovery).await?;
    let lag_seconds = in_recovery.then(|| now.duration_since(as_of).as_secs_f64().max(0.0));
    let snapshot = format!(
        "{}/{}/{}",
        system.as_deref().unwrap_or("?"),
        lsn.map_or_else(|| "?".to_owned(), |lsn| format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)),
        identity.snapshot
    );
    Ok(Position { snapshot, as_of, lsn_floor, lsn, system, lag_seconds })
}

async fn one(connection: &Connection, doing: &str, sql: &str) -> Result<tokio_postgres::Row, PgError> {
    connection.query_one(sql, &[]).await.map_err(|error| connection.error(doing, &error))
}

/// The error of a session that reads: 40001 is a recovery conflict whatever its (localised) text
/// says, and so is the end of the session by the server.
pub(super) fn read_error(error: PgError, table: &TableName) -> PostgresSourceError {
    let table = || table.clone();
    match error.code() {
        Some("40001" | "57P01") => PostgresSourceError::Conflict { table: table() },
        // in_failed_sql_transaction: what another table asked the holder has failed.
        Some("25P02") => PostgresSourceError::SnapshotLost { table: table() },
        // undefined_table, undefined_column, undefined_object: there when the snapshot was taken.
        Some("42P01" | "42703" | "42704") => PostgresSourceError::Moved { table: table() },
        _ => PostgresSourceError::Server(error),
    }
}

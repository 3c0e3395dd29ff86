//! A table of a snapshot, hashed where it is.

use async_trait::async_trait;
use futures_util::stream;

use super::{
    PostgresSourceError,
    catalog::Relation,
    readers::Reader,
    snapshot::{let_go, read_error},
    stream::is_intact,
};
use crate::{
    compare::{
        Bucket, Chosen, Detail, Entries, Hash, Look, Side, SideError, Total,
        postgres::{Question, fingerprint},
    },
    pg::{Connection, PgError},
    schema::RelationKind,
};

/// A session in the snapshot that answers about one table. It reads what a load would: the rows of a
/// plain table alone, those of partitions by way of their parent.
pub(super) struct SourceSide {
    reader: Reader,
    look: Look,
    oid: u32,
    only: bool,
    fingerprint: Option<i64>,
}

impl SourceSide {
    pub(super) async fn begin(
        reader: Reader,
        look: Look,
        relation: &Relation,
    ) -> Result<Self, PostgresSourceError> {
        let only = relation.kind == RelationKind::Table;
        let mut side = Self { reader, look, oid: relation.oid, only, fingerprint: None };
        let known = fingerprint(side.connection()?, &side.look.table).await;
        side.fingerprint = known.map_err(|error| side.error(error))?;
        Ok(side)
    }

    fn connection(&self) -> Result<&Connection, PostgresSourceError> {
        let none = || PostgresSourceError::SnapshotLost { table: self.look.table.clone() };
        self.reader.connection.as_ref().ok_or_else(none)
    }

    fn question(&self) -> Result<Question<'_>, PostgresSourceError> {
        Ok(Question { connection: self.connection()?, look: &self.look, only: self.only })
    }

    fn error(&self, error: PgError) -> PostgresSourceError {
        read_error(error, &self.look.table)
    }

    /// After each answer: the locks that it took are still held, so nothing can change in between.
    async fn vouch(&self) -> Result<(), PostgresSourceError> {
        let (connection, table) = (self.connection()?, &self.look.table);
        if !is_intact(connection, table, self.oid).await? {
            return Err(PostgresSourceError::Moved { table: table.clone() });
        }
        // Until the next question, pages of the catalog would stay pinned.
        let_go(connection).await.map_err(|error| self.error(error))
    }
}

#[async_trait]
impl Side for SourceSide {
    fn fingerprint(&self) -> Option<i64> {
        self.fingerprint
    }

    async fn total(&mut self, hash: Hash) -> Result<Total, SideError> {
        let total = self.question()?.total(hash).await.map_err(|error| self.error(error))?;
        self.vouch().await?;
        Ok(total)
    }

    async fn buckets(&mut self, hash: Hash, of: u32) -> Result<Vec<Bucket>, SideError> {
        let buckets = self.question()?.buckets(hash, of).await.map_err(|error| self.error(error))?;
        self.vouch().await?;
        Ok(buckets)
    }

    async fn entries(
        &mut self,
        hash: Hash,
        chosen: &Chosen,
        detail: Detail,
    ) -> Result<Entries<'_>, SideError> {
        let side: &Self = self;
        let rows = side.question()?.entries(hash, chosen, detail).await;
        let rows = rows.map_err(|error| side.error(error))?;
        Ok(Box::pin(stream::try_unfold(rows, async move |mut rows| {
            let next = rows.next(side.connection()?, &side.look.table).await;
            match next.map_err(|error| side.error(error))? {
                Some(entry) => Ok(Some((entry, rows))),
                None => side.vouch().await.map(|()| None).map_err(SideError::from),
            }
        })))
    }

    async fn close(self: Box<Self>) -> Result<(), SideError> {
        // Out of the transaction, so that a session that waits for other work holds no lock.
        let ended = self.connection()?.run("end a comparison", "COMMIT").await;
        ended.map_err(|error| self.error(error))?;
        self.reader.give_back();
        Ok(())
    }
}

//! A published table, hashed where it is.

use async_trait::async_trait;
use futures_util::stream;

use super::{PostgresWarehouseError, Server, live, sessions::InUse};
use crate::{
    compare::{
        Bucket, Chosen, Detail, Entries, Hash, Look, Side, SideError, Total,
        postgres::{Question, fingerprint},
    },
    pg::PgError,
    schema::RelationKind,
};

/// A transaction that shows one moment of one table, and keeps others from replacing the table as
/// long as it is open.
pub(super) struct WarehouseSide {
    connection: InUse,
    look: Look,
    only: bool,
    fingerprint: Option<i64>,
}

impl WarehouseSide {
    pub(super) async fn begin(server: &Server, look: Look) -> Result<Self, PostgresWarehouseError> {
        let connection = server.connect(&format!("compare {}", look.table)).await?;
        let found = live::find(&connection, &look.table).await?;
        let only = found.is_none_or(|relation| relation.kind == RelationKind::Table);
        // The lock comes before the snapshot: a table swapped in between would look empty.
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {}{} IN ACCESS SHARE MODE",
            if only { "ONLY " } else { "" },
            look.table.quoted()
        );
        connection.set_busy(true);
        connection.run(&format!("compare {}", look.table), &sql).await?;
        let fingerprint = fingerprint(&connection, &look.table).await?;
        connection.set_busy(false);
        Ok(Self { connection, look, only, fingerprint })
    }

    fn question(&self) -> Question<'_> {
        Question { connection: &self.connection, look: &self.look, only: self.only }
    }
}

#[async_trait]
impl Side for WarehouseSide {
    fn fingerprint(&self) -> Option<i64> {
        self.fingerprint
    }

    async fn total(&mut self, hash: Hash) -> Result<Total, SideError> {
        Ok(self.question().total(hash).await.map_err(failed)?)
    }

    async fn buckets(&mut self, hash: Hash, of: u32) -> Result<Vec<Bucket>, SideError> {
        Ok(self.question().buckets(hash, of).await.map_err(failed)?)
    }

    async fn entries(
        &mut self,
        hash: Hash,
        chosen: &Chosen,
        detail: Detail,
    ) -> Result<Entries<'_>, SideError> {
        let side: &Self = self;
        let rows = side.question().entries(hash, chosen, detail).await.map_err(failed)?;
        Ok(Box::pin(stream::try_unfold(rows, async move |mut rows| {
            let next = rows.next(&side.connection, &side.look.table).await.map_err(failed)?;
            Ok(next.map(|entry| (entry, rows)))
        })))
    }

    async fn close(self: Box<Self>) -> Result<(), SideError> {
        let done = self.connection.run("end a comparison", "COMMIT").await;
        Ok(self.connection.rest_after(done).await.map_err(failed)?)
    }
}

fn failed(error: PgError) -> PostgresWarehouseError {
    error.into()
}

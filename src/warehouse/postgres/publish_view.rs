//! A view that is published: replaced where it is, so that there is no moment without it, in one
//! transaction with the ledger's row.

use super::{
    PostgresWarehouseError, Server, commit,
    ledger::{self, Entry},
    live,
    locks::{self, Patience},
    prepare, select, views, views_anew,
};
use crate::{
    fail_point,
    pg::{Connection, END_IF_SILENT, PgError},
    schema::RelationKind,
    sql::{TableName, quote_ident, quote_literal},
    warehouse::{Descriptions, Publication, PublishKind, Published, Select},
};

/// Publishes it.
pub(super) async fn publish(
    server: &Server,
    select: &Select,
    publication: &Publication,
) -> Result<Published, PostgresWarehouseError> {
    let row = &publication.ledger;
    let connection = server.connect(&row.table.to_string()).await?;
    prepare::ensure_schema(&connection, &row.table.schema).await?;
    connection.set_busy(true);
    let view = PublishedView { connection: &connection, select, publication };
    view.run("begin a publish", &format!("BEGIN; {END_IF_SILENT}")).await?;
    fail_point!("publish.ledger.before");
    let kind = PublishKind::Replace;
    let at = match ledger::write(&connection, &server.options.ledger_schema, row, kind).await? {
        Entry::Written(at) => at,
        // Nobody else has this load's id: each try has its own.
        Entry::There | Entry::Superseded => {
            return Err(PostgresWarehouseError::Superseded { table: row.table.clone() });
        }
    };
    fail_point!("publish.ledger.after");
    let warnings = view.replace().await?;
    describe(&connection, &row.table, "VIEW", &publication.descriptions).await?;
    let done = commit::commit_load(server, &connection, &row.table, &row.load, publication.lock_wait).await;
    connection.rest_after(done).await?;
    Ok(Published { at, kind, written: None, warnings })
}

/// Writes comments on a relation and its columns.
pub(super) async fn describe(
    connection: &Connection,
    table: &TableName,
    kind: &str,
    descriptions: &Descriptions,
) -> Result<(), PgError> {
    let name = table.quoted();
    let of_table = descriptions.table.iter();
    let of_table = of_table.map(|text| format!("COMMENT ON {kind} {name} IS {}", quote_literal(text)));
    let of_columns = descriptions.columns.iter().map(|(column, text)| {
        format!("COMMENT ON COLUMN {name}.{} IS {}", quote_ident(column), quote_literal(text))
    });
    let all: Vec<String> = of_table.chain(of_columns).collect();
    match all.is_empty() {
        true => Ok(()),
        false => connection.run(&format!("describe {table}"), &all.join("; ")).await,
    }
}

struct PublishedView<'a> {
    connection: &'a Connection,
    select: &'a Select,
    publication: &'a Publication,
}

impl PublishedView<'_> {
    /// Tries until its lock is had or the time for it is used up.
    async fn replace(&self) -> Result<Vec<String>, PostgresWarehouseError> {
        let table = &self.publication.ledger.table;
        let mut patience = Patience::new(self.publication.lock_wait);
        loop {
            patience.begin();
            self.run("keep what is written", "SAVEPOINT barncat_view_publish").await?;
            let refused = match self.once().await {
                Err(error) if locks::is_refused(&error) => error,
                other => return other,
            };
            self.run("give the locks up", "ROLLBACK TO SAVEPOINT barncat_view_publish").await?;
            if let Some(there) = live::find(self.connection, table).await? {
                patience.note_blockers(locks::blockers(self.connection, table, there.oid).await?);
            }
            if !patience.wait().await {
                let (table, waited_ms) = (table.clone(), patience.waited_ms());
                tracing::debug!(%refused, "view.locked");
                return Err(PostgresWarehouseError::Locked {
                    table,
                    waited_ms,
                    blockers: patience.blockers(),
                });
            }
        }
    }

    async fn once(&self) -> Result<Vec<String>, PostgresWarehouseError> {
        let table = &self.publication.ledger.table;
        self.run("bound the waits", &locks::set_timeout(self.publication.lock_timeout)).await?;
        fail_point!("publish.views.before");
        let warnings = match live::find(self.connection, table).await? {
            None => {
                self.create("CREATE VIEW").await?;
                self.grant().await?;
                Vec::new()
            }
            Some(_) if self.publication.previous.is_none() => {
                return Err(PostgresWarehouseError::NotOurs { table: table.clone() });
            }
            Some(there) if there.kind != RelationKind::View => {
                return Err(PostgresWarehouseError::Changed { table: table.clone() });
            }
            Some(there) => self.exchange(there.oid).await?,
        };
        fail_point!("publish.views.after");
        Ok(warnings)
    }

    /// In place where the columns allow that; else it is made anew, with the views upon it.
    async fn exchange(&self, oid: u32) -> Result<Vec<String>, PostgresWarehouseError> {
        self.run("keep the view", "SAVEPOINT barncat_view_kept").await?;
        match self.create("CREATE OR REPLACE VIEW").await {
            // invalid_table_definition: other columns than before.
            Err(PostgresWarehouseError::Select { source, .. }) if source.code.code() == "42P16" => {}
            other => return other.map(|()| Vec::new()),
        }
        self.run("keep the view", "ROLLBACK TO SAVEPOINT barncat_view_kept").await?;
        let (connection, table) = (self.connection, &self.publication.ledger.table);
        let upon = views::read_locked(connection, table, oid).await?;
        let own = views::View::of(connection, table, &self.select.sql).await?;
        let all: Vec<views::View> = upon.into_iter().chain([own]).collect();
        self.run("find functions", "SET LOCAL search_path = public").await?;
        let gone = views_anew::remake(connection, table, &all).await;
        self.run("find nothing", "SET LOCAL search_path = ''").await?;
        let gone: Vec<String> = gone?.iter().map(|view| view.name.to_string()).collect();
        if gone.contains(&table.to_string()) || (!gone.is_empty() && !self.publication.drop_broken_views) {
            return Err(PostgresWarehouseError::BrokenViews { table: table.clone(), views: gone });
        }
        Ok(gone
            .iter()
            .map(|view| format!("dropped view {view}: the new columns of {table} break it"))
            .collect())
    }

    async fn create(&self, create: &str) -> Result<(), PostgresWarehouseError> {
        self.run("find functions", "SET LOCAL search_path = public").await?;
        let head = format!("{create} {} AS ", self.publication.ledger.table.quoted());
        select::execute(self.connection, self.select, &head, "").await?;
        Ok(self.run("find nothing", "SET LOCAL search_path = ''").await?)
    }

    async fn grant(&self) -> Result<(), PgError> {
        let name = self.publication.ledger.table.quoted();
        for (privilege, roles) in &self.publication.grants {
            for role in roles {
                let sql = format!("GRANT {privilege} ON {name} TO {}", quote_ident(role));
                self.run("grant privileges", &sql).await?;
            }
        }
        Ok(())
    }

    async fn run(&self, doing: &str, sql: &str) -> Result<(), PgError> {
        self.connection.run(&format!("{doing} of {}", self.publication.ledger.table), sql).await
    }
}

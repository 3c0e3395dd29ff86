//! Views: bound to what they read, or late-binding (§3).

use super::{error::SqlError, session::Session};
use crate::sql::{define::CreateView, literal, quoted};

impl Session {
    /// A bound view is one of Postgres: it follows its tables by their OID, as Redshift's does.
    pub(super) async fn create_view(&self, view: &CreateView) -> Result<(), SqlError> {
        let kind = match (view.is_materialized, view.or_replace) {
            (true, _) => "CREATE MATERIALIZED VIEW",
            (false, true) => "CREATE OR REPLACE VIEW",
            (false, false) => "CREATE VIEW",
        };
        let names: Vec<_> = view.columns.iter().map(|name| quoted(name)).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let sql = if view.is_late_binding {
            self.late_view(kind, view).await?
        } else {
            format!("{kind} {}{names} AS {}", view.name, view.query.sql)
        };
        Ok(self.client.batch_execute(&sql).await?)
    }

    /// Its columns are those of now, as Redshift shows them; its rows come by a query that is read anew
    /// each time. What it reads must be there, which Redshift does not ask for.
    async fn late_view(&self, kind: &str, view: &CreateView) -> Result<String, SqlError> {
        let prepared = self.client.prepare(&view.query.sql).await?;
        let mut columns = Vec::new();
        for (at, column) in prepared.columns().iter().enumerate() {
            let name = view.columns.get(at).map_or(column.name(), String::as_str);
            let sql = "SELECT format_type($1, $2)";
            let row = self.client.query_one(sql, &[&column.type_().oid(), &column.type_modifier()]).await?;
            columns.push(format!("{} {}", quoted(name), row.get::<_, String>(0)));
        }
        let definition = literal(&view.query.sql);
        Ok(format!(
            "{kind} {} AS SELECT * FROM redshift_double.late({definition}) AS late ({});
             INSERT INTO redshift_double.late_views VALUES ({}::regclass, {definition})
             ON CONFLICT (relid) DO UPDATE SET definition = excluded.definition",
            view.name,
            columns.join(", "),
            view.name.literal(),
        ))
    }
}

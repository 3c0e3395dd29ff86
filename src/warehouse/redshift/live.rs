//! The table that readers see.

use super::{
    Cluster, RedshiftError,
    dialect::{self, folded, ident, literal},
    transport::Batch,
};
use crate::{
    schema::{Cursor, RelationKind},
    sql::TableName,
    warehouse::{LiveTable, StagingColumn, Survey},
};

impl Cluster {
    /// The live table with all that a decision needs.
    pub(super) async fn live(&self, table: &TableName) -> Result<Option<LiveTable>, RedshiftError> {
        let of = of(table);
        let batch = Batch::new(format!("look up {table}"), "catalog")
            .then(format!(
                "SELECT c.relkind::varchar FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE {of} AND c.relkind IN ('r', 'v', 'm')"
            ))
            .then(columns_sql(&of))
            .then(views_sql(&of));
        let [kind, columns, views] = self.ask(batch).await?;
        let Some(kind) = kind.text() else { return Ok(None) };
        let views: Vec<String> =
            views.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        let obstacles = match views.as_slice() {
            [] => Vec::new(),
            views => vec![format!("views that are bound to it: {}", views.join(", "))],
        };
        Ok(Some(LiveTable {
            kind: if kind == "r" { RelationKind::Table } else { RelationKind::View },
            columns: columns.rows.into_iter().filter_map(column).collect(),
            bytes: self.bytes(table).await,
            keys: None,
            obstacles,
            views,
            // A view that is bound to it is an obstacle already.
            needs: Vec::new(),
        }))
    }

    /// Its size; nothing where it cannot be seen: it is for people.
    async fn bytes(&self, table: &TableName) -> u64 {
        let sql = format!(
            "SELECT size::varchar FROM svv_table_info WHERE \"schema\" = {} AND \"table\" = {}",
            literal(&folded(&table.schema)),
            literal(&folded(&table.name))
        );
        let asked = self.ask::<1>(Batch::new(format!("measure {table}"), "catalog").then(sql)).await;
        // In blocks of 1 MB.
        asked.ok().and_then(|[answer]| answer.number()).unwrap_or(0) << 20
    }

    /// What must be known of a table before it is taken over.
    pub(super) async fn survey(&self, table: &TableName) -> Result<Option<Survey>, RedshiftError> {
        let sql = format!(
            "SELECT pg_get_userbyid(c.relowner)::varchar, (pg_get_userbyid(c.relowner) = current_user)::int::varchar
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {} AND c.relkind = 'r'",
            of(table)
        );
        let [answer] = self.ask(Batch::new(format!("look at {table}"), "catalog").then(sql)).await?;
        let Some([Some(owner), Some(is_ours)]) = answer.rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let mut needed = Vec::new();
        if is_ours != "1" {
            needed.push(format!("ALTER TABLE {} OWNER TO barncat;", dialect::table(table)));
        }
        let grants = self.grants(table).await?;
        let grants = grants.iter().map(|grant| format!("{} to {}", grant.privilege, grant.to)).collect();
        Ok(Some(Survey { owner: owner.clone(), needed, grants, has_key: true }))
    }

    /// Rows, and the greatest value of a cursor that is no greater than the one given.
    pub(super) async fn reach(
        &self,
        table: &TableName,
        mark: Option<&str>,
        cursor: Option<(&Cursor, &str)>,
    ) -> Result<(u64, Option<String>), RedshiftError> {
        let greatest = match cursor {
            None => "NULL::varchar".to_owned(),
            Some((cursor, most)) => {
                let column = ident(&cursor.column);
                format!("max(CASE WHEN {} THEN {column} END)::varchar", cursor.at_most(most))
            }
        };
        let marked = mark.map(|mark| format!(" WHERE {} IS NULL", ident(mark))).unwrap_or_default();
        let sql = format!("SELECT count(*)::varchar, {greatest} FROM {}{marked}", dialect::table(table));
        let [answer] = self.ask(Batch::new(format!("look at {table}"), "reach").then(sql)).await?;
        let greatest = answer.rows.first().and_then(|row| row.get(1).cloned().flatten());
        Ok((answer.number().unwrap_or(0), greatest))
    }

    /// A table's columns in their order.
    pub(super) async fn columns(&self, table: &TableName) -> Result<Vec<StagingColumn>, RedshiftError> {
        let batch =
            Batch::new(format!("look at the columns of {table}"), "catalog").then(columns_sql(&of(table)));
        let [answer] = self.ask(batch).await?;
        Ok(answer.rows.into_iter().filter_map(column).collect())
    }
}

/// A condition on `pg_class c` and `pg_namespace n`.
pub(super) fn of(table: &TableName) -> String {
    let (schema, name) = (literal(&folded(&table.schema)), literal(&folded(&table.name)));
    format!("n.nspname = {schema} AND c.relname = {name}")
}

fn columns_sql(of: &str) -> String {
    format!(
        "SELECT a.attname::varchar, format_type(a.atttypid, a.atttypmod)::varchar, (NOT a.attnotnull)::int::varchar
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {of} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

/// Views that are bound to it. Those without schema binding do not depend on it, and find whatever has
/// its name.
fn views_sql(of: &str) -> String {
    format!(
        "SELECT DISTINCT vn.nspname::varchar || '.' || v.relname::varchar
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_depend d ON d.refobjid = c.oid
         JOIN pg_rewrite r ON r.oid = d.objid
         JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> c.oid
         JOIN pg_namespace vn ON vn.oid = v.relnamespace
         WHERE {of} ORDER BY 1"
    )
}

fn column(row: Vec<Option<String>>) -> Option<StagingColumn> {
    let [Some(name), Some(sql_type), Some(nullable)] = row.as_slice() else { return None };
    Some(StagingColumn { name: name.clone(), sql_type: short(sql_type), nullable: nullable == "1" })
}

/// A type as the type mapping writes it: the catalog has the long names of the standard.
fn short(sql_type: &str) -> String {
    const NAMES: [(&str, &str); 5] = [
        ("character varying", "varchar"),
        ("binary varying", "varbyte"),
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
        ("character", "char"),
    ];
    let found = NAMES.iter().find_map(|(long, name)| Some(format!("{name}{}", sql_type.strip_prefix(long)?)));
    found.unwrap_or_else(|| sql_type.to_owned())
}

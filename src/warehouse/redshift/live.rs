//! The table that readers see.

use super::{
    Cluster, RedshiftError,
    dialect::{self, folded, ident, literal},
    transport::Batch,
    views::{self, BoundView},
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
            .then(views::dependents_sql(&of));
        let [kind, columns, dependents] = self.ask(batch).await?;
        let Some(kind) = kind.text() else { return Ok(None) };
        let bound = self.bound_views(table, dependents).await?;
        let (mut obstacles, needs) = (views::obstacles(&bound), views::needs(&bound));
        let all: Vec<&TableName> = [table].into_iter().chain(bound.iter().map(|view| &view.name)).collect();
        let attached = self.attached(&all).await?;
        obstacles.extend(attached.obstacles);
        let names: Vec<String> = bound.iter().rev().map(|view| view.name.to_string()).collect();
        Ok(Some(LiveTable {
            kind: if kind == "r" { RelationKind::Table } else { RelationKind::View },
            columns: columns.rows.into_iter().filter_map(column).collect(),
            bytes: attached.bytes,
            // Sizes are told in blocks of 1 MB, and of empty tables not at all, at times.
            is_empty: false,
            keys: None,
            obstacles,
            rebound: names.clone(),
            views: names,
            needs,
        }))
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

impl Cluster {
    /// A table's columns in their order, and the views that are bound to it, innermost first.
    pub(super) async fn columns_and_views(
        &self,
        table: &TableName,
    ) -> Result<(Vec<StagingColumn>, Vec<BoundView>), RedshiftError> {
        let of = of(table);
        let batch = Batch::new(format!("look at the columns and views of {table}"), "catalog")
            .then(columns_sql(&of))
            .then(views::dependents_sql(&of));
        let [columns, dependents] = self.ask(batch).await?;
        let columns = columns.rows.into_iter().filter_map(column).collect();
        Ok((columns, self.bound_views(table, dependents).await?))
    }
}

/// A condition on `pg_class c` and `pg_namespace n`.
pub(super) fn of(table: &TableName) -> String {
    let (schema, name) = (literal(&folded(&table.schema)), literal(&folded(&table.name)));
    format!("n.nspname = {schema} AND c.relname = {name}")
}

pub(super) fn columns_sql(of: &str) -> String {
    format!(
        "SELECT a.attname::varchar, format_type(a.atttypid, a.atttypmod)::varchar, (NOT a.attnotnull)::int::varchar
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {of} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
}

pub(super) fn column(row: Vec<Option<String>>) -> Option<StagingColumn> {
    let [Some(name), Some(sql_type), Some(nullable)] = row.as_slice() else { return None };
    Some(StagingColumn { name: name.clone(), sql_type: short(sql_type), nullable: nullable == "1" })
}

/// A type as the type mapping writes it: the catalog has the long names of the standard.
pub(super) fn short(sql_type: &str) -> String {
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

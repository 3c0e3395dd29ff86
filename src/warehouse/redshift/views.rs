//! Views that are bound to a table: they follow it by its OID, wherever it is renamed to. Those `WITH NO
//! SCHEMA BINDING` depend on nothing and find whatever has its name.
//!
//! A swap makes bound views anew upon the new table, so that the old one can be dropped. What each of them
//! needs is found by its columns, through other views too.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cluster, RedshiftError,
    belongings::{Grant, among, comments_of, comments_sql, grants_of, grants_sql},
    data_api::STATEMENTS_MAX,
    dialect,
    transport::{Answer, Batch},
};
use crate::{sql::TableName, warehouse::ColumnNeed};

/// How many views upon views are followed.
const DEPTH_MAX: usize = 50;

/// Bytes of a definition that is read: an answer's row has 64 KB by the Data API.
const DEFINITION_BYTES_MAX: usize = 30_000;

/// Bytes of all definitions, each sent twice: whether 100 KB is the most of a statement or of a batch is
/// said nowhere.
const ALL_BYTES_MAX: usize = 30_000;

/// Statements of a swap beside those of the views.
const OTHER_STATEMENTS: usize = 8;

/// A view that is bound to the table, itself or by another one.
#[derive(Debug, Clone)]
pub(super) struct BoundView {
    pub(super) name: TableName,
    /// How many views at most lie between it and the table, and itself.
    depth: usize,
    /// The table's columns that it needs.
    pub(super) needs: BTreeSet<String>,
    /// Its query; `None` where it is no plain view, or too long.
    pub(super) query: Option<String>,
    /// Why it cannot be made anew, in words.
    pub(super) obstacle: Option<String>,
    /// The statements that give it its grants and comments.
    pub(super) belongings: Vec<String>,
}

impl BoundView {
    pub(super) fn new(name: TableName) -> Self {
        // Until it is described. One whose name has capital letters is not found by it: they are folded.
        let obstacle = Some(format!("the view {name}, which cannot be looked at"));
        Self { name, depth: 0, needs: BTreeSet::new(), query: None, obstacle, belongings: Vec::new() }
    }
}

/// The relations that are bound to others, by one column each.
pub(super) fn dependents_sql(of: &str) -> String {
    format!(
        "SELECT DISTINCT n.nspname::varchar, c.relname::varchar, vn.nspname::varchar, v.relname::varchar, a.attname::varchar
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_depend d ON d.refobjid = c.oid
         JOIN pg_rewrite r ON r.oid = d.objid
         JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> c.oid
         JOIN pg_namespace vn ON vn.oid = v.relnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
         WHERE {of} ORDER BY 1, 2, 3, 4, 5"
    )
}

impl Cluster {
    /// The views that are bound to a table, innermost first; `first` is what [`dependents_sql`] answers of it.
    pub(super) async fn bound_views(
        &self,
        table: &TableName,
        first: Answer,
    ) -> Result<Vec<BoundView>, RedshiftError> {
        let (mut found, mut next) = (BTreeMap::new(), first);
        for depth in 1..=DEPTH_MAX {
            let seen = follow(&mut found, next, depth);
            if seen.is_empty() {
                break;
            }
            let names: Vec<&TableName> = seen.iter().collect();
            let sql = dependents_sql(&format!("({})", among("n.nspname", "c.relname", &names)));
            let batch = Batch::new(format!("look at the views of {table}"), "catalog").then(sql);
            [next] = self.ask(batch).await?;
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        self.describe(table, &mut found).await?;
        let mut views: Vec<BoundView> = found.into_values().collect();
        views.sort_by(|one, other| (one.depth, &one.name).cmp(&(other.depth, &other.name)));
        Ok(views)
    }

    async fn describe(
        &self,
        table: &TableName,
        found: &mut BTreeMap<TableName, BoundView>,
    ) -> Result<(), RedshiftError> {
        let names: Vec<TableName> = found.keys().cloned().collect();
        let names: Vec<&TableName> = names.iter().collect();
        let described = format!(
            "SELECT n.nspname::varchar, c.relname::varchar, c.relkind::varchar, pg_get_userbyid(c.relowner)::varchar,
                 (pg_get_userbyid(c.relowner) = current_user)::int::varchar,
                 CASE WHEN octet_length(pg_get_viewdef(c.oid)) <= {DEFINITION_BYTES_MAX} THEN pg_get_viewdef(c.oid)::varchar END
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE ({}) ORDER BY 1, 2",
            among("n.nspname", "c.relname", &names)
        );
        let batch = Batch::new(format!("look at the views of {table}"), "catalog")
            .then(described)
            .then(grants_sql(&names))
            .then(comments_sql(&names));
        let [described, grants, comments] = self.ask(batch).await?;
        for row in described.rows {
            let [Some(schema), Some(name), Some(kind), Some(owner), Some(is_ours), query] = row.as_slice()
            else {
                continue;
            };
            let Some(view) = found.get_mut(&TableName::new(schema, name)) else { continue };
            view.query = query.as_deref().and_then(plain_query).filter(|_| kind == "v");
            view.obstacle = obstacle(view, query.as_deref(), kind, (is_ours != "1").then_some(owner));
        }
        for (name, Grant { privilege, to }) in grants_of(grants) {
            if let Some(view) = found.get_mut(&name) {
                view.belongings.push(format!("GRANT {privilege} ON {} TO {to}", dialect::table(&name)));
            }
        }
        for (name, column, text) in comments_of(comments) {
            if let Some(view) = found.get_mut(&name) {
                view.belongings.push(dialect::comment(
                    "VIEW",
                    &dialect::table(&name),
                    column.as_deref(),
                    &text,
                ));
            }
        }
        Ok(())
    }
}

/// Notes the views of one step, with what they need. Answers with their names.
fn follow(found: &mut BTreeMap<TableName, BoundView>, step: Answer, depth: usize) -> BTreeSet<TableName> {
    let mut seen = BTreeSet::new();
    for row in step.rows {
        let [Some(of_schema), Some(of_name), Some(schema), Some(name), column] = row.as_slice() else {
            continue;
        };
        let needs = match depth {
            1 => column.iter().cloned().collect(),
            // Through another view whatever that one needs.
            _ => found
                .get(&TableName::new(of_schema, of_name))
                .map(|view| view.needs.clone())
                .unwrap_or_default(),
        };
        let name = TableName::new(schema, name);
        let view = found.entry(name.clone()).or_insert_with(|| BoundView::new(name.clone()));
        view.depth = depth;
        view.needs.extend(needs);
        seen.insert(name);
    }
    seen
}

/// A view's query, if this is one: of a materialized view the catalog may have the statement that makes it.
fn plain_query(definition: &str) -> Option<String> {
    let query = definition.trim().trim_end_matches(';').trim_end();
    let word = query.trim_start_matches('(').split_whitespace().next().unwrap_or_default().to_lowercase();
    matches!(word.as_str(), "select" | "with").then(|| query.to_owned())
}

fn obstacle(view: &BoundView, query: Option<&str>, kind: &str, owner: Option<&String>) -> Option<String> {
    let name = &view.name;
    match (query, owner) {
        _ if kind != "v" => Some(format!("the materialized view {name}")),
        (Some(text), _) if view.query.is_none() => Some(match text.to_lowercase().contains("materialized") {
            true => format!("the materialized view {name}"),
            false => format!("the view {name}, whose query the catalog does not tell"),
        }),
        (None, _) => Some(format!("the view {name}, whose query has more than {DEFINITION_BYTES_MAX} bytes")),
        (_, Some(owner)) => Some(format!("the view {name}, which belongs to {owner}")),
        _ => None,
    }
}

/// What a swap cannot take along of these.
pub(super) fn obstacles(views: &[BoundView]) -> Vec<String> {
    let obstacles: Vec<String> = views.iter().rev().filter_map(|view| view.obstacle.clone()).collect();
    let statements: usize = views.iter().map(|view| 2 + view.belongings.len()).sum();
    let bytes: usize = views.iter().filter_map(|view| view.query.as_ref()).map(String::len).sum();
    match obstacles.is_empty() && (statements > STATEMENTS_MAX - OTHER_STATEMENTS || bytes > ALL_BYTES_MAX) {
        true => vec![format!("{} views, which are more than one batch can make anew", views.len())],
        false => obstacles,
    }
}

/// Which columns are needed by which view, outermost first.
pub(super) fn needs(views: &[BoundView]) -> Vec<ColumnNeed> {
    let of = |view: &BoundView| {
        let needed_by = view.name.to_string();
        let need = move |column: &String| ColumnNeed {
            column: column.clone(),
            needed_by: needed_by.clone(),
            is_view: true,
        };
        view.needs.iter().map(need).collect::<Vec<_>>()
    };
    views.iter().rev().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[[&str; 5]]) -> Answer {
        let rows =
            rows.iter().map(|row| row.iter().map(|value| Some((*value).to_owned())).collect()).collect();
        Answer { rows }
    }

    fn view(name: &str, needs: &[&str]) -> BoundView {
        BoundView {
            needs: needs.iter().map(ToString::to_string).collect(),
            query: Some(format!("SELECT {name}")),
            obstacle: None,
            ..BoundView::new(TableName::new("bi", name))
        }
    }

    #[test]
    fn a_view_needs_what_those_need_that_it_reads_and_lies_outside_of_all_of_them() {
        let mut found = BTreeMap::new();
        let first =
            [["raw", "t", "bi", "a", "id"], ["raw", "t", "bi", "a", "fee"], ["raw", "t", "bi", "c", "note"]];
        assert_eq!(follow(&mut found, answer(&first), 1).len(), 2);
        follow(&mut found, answer(&[["bi", "a", "bi", "b", "id"]]), 2);
        let last = follow(&mut found, answer(&[["bi", "b", "bi", "c", "id"]]), 3);
        assert_eq!(last.into_iter().map(|name| name.name).collect::<Vec<_>>(), ["c"]);
        assert_eq!(
            obstacles(&[found[&TableName::new("bi", "a")].clone()]),
            ["the view bi.a, which cannot be looked at"]
        );
        let of = |name: &str| &found[&TableName::new("bi", name)];
        assert_eq!((of("a").depth, of("b").depth, of("c").depth), (1, 2, 3));
        assert_eq!(of("c").needs.iter().map(String::as_str).collect::<Vec<_>>(), ["fee", "id", "note"]);
    }

    #[test]
    fn only_a_query_is_taken_for_one_and_too_many_are_an_obstacle() {
        assert_eq!(plain_query(" SELECT 1; ").as_deref(), Some("SELECT 1"));
        assert_eq!(plain_query("(SELECT 1) UNION SELECT 2;").as_deref(), Some("(SELECT 1) UNION SELECT 2"));
        assert_eq!(plain_query("create materialized view m as select 1"), None);
        let views: Vec<BoundView> = (0..17).map(|n| view(&format!("v{n}"), &[])).collect();
        assert_eq!(obstacles(&views[..16]), [""; 0]);
        assert_eq!(obstacles(&views), ["17 views, which are more than one batch can make anew"]);
    }
}

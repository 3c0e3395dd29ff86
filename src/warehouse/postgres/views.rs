//! Views that read a table: they are bound to the table itself, not to its name, so each is replaced
//! by its own definition once another table has the name.

use std::collections::BTreeSet;

use super::{PostgresWarehouseError, live, views_anew};
use crate::{
    pg::{Connection, PgError},
    sql::TableName,
};

/// The views that read the table `$1`, directly or through other views, with how far they are from
/// it. Needs `WITH RECURSIVE`. The depth is bounded because views may read each other in a circle.
pub(super) const READERS: &str = "
    reads(oid, depth) AS (
        SELECT $1::oid, 0
        UNION
        SELECT r.ev_class, reads.depth + 1
        FROM reads
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reads.oid
             AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite r ON r.oid = d.objid AND r.rulename = '_RETURN' AND r.ev_class <> reads.oid
        JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
        WHERE reads.depth < 100),
    readers AS (
        SELECT oid, max(depth) AS depth, min(depth) = 1 AS is_direct FROM reads WHERE depth > 0 GROUP BY oid)";

/// Of `pg_class v`: who owns it, and its options.
const OWNER: &str = "quote_ident(pg_get_userbyid(v.relowner))";
const OPTIONS: &str = "coalesce((SELECT string_agg(format('%I = %L', split_part(option, '=', 1),
    substr(option, strpos(option, '=') + 1)), ', ') FROM unnest(v.reloptions) AS option), '')";

/// A view that reads the table.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Its name, for people.
    pub(super) name: TableName,
    /// Who owns it.
    owner: String,
    /// Its options, as `CREATE VIEW … WITH (…)` takes them; empty where it has none.
    options: String,
    /// The SELECT, with the table's name as it is called now. `None` for a view that reads other
    /// views only: it keeps on reading those.
    definition: Option<String>,
}

impl View {
    /// A view as it stands, but with this SELECT.
    pub(super) async fn of(
        connection: &Connection,
        name: &TableName,
        definition: &str,
    ) -> Result<Self, PgError> {
        let sql = format!("SELECT {OWNER}, {OPTIONS} FROM pg_class v WHERE v.oid = to_regclass($1)");
        let row = connection.query_one(&sql, &[&name.quoted()]).await;
        let row = row.map_err(|error| connection.error(format!("look at the view {name}"), &error))?;
        let definition = Some(definition.to_owned());
        Ok(Self { name: name.clone(), owner: row.get(0), options: row.get(1), definition })
    }

    /// Takes the exclusive lock on the view alone. `LOCK TABLE` would lock what it reads too, in
    /// an order that deadlocks with readers.
    pub(super) fn lock_sql(&self) -> String {
        format!("ALTER VIEW {} OWNER TO {}", self.name.quoted(), self.owner)
    }

    /// Binds the view to what now has the table's name. Its oid, owner, grants, comments and the
    /// views upon it stay; its options would go if they were not repeated.
    fn replace_sql(&self) -> Option<String> {
        Some(self.create_sql("CREATE OR REPLACE VIEW", self.definition()?))
    }

    /// Makes it, by this definition.
    pub(super) fn create_sql(&self, create: &str, definition: &str) -> String {
        let options = match self.options.as_str() {
            "" => String::new(),
            options => format!(" WITH ({options})"),
        };
        format!("{create} {}{options} AS {}", self.name.quoted(), definition.trim_end_matches(';'))
    }

    /// Its SELECT; see [`read_locked`].
    pub(super) fn definition(&self) -> Option<&str> {
        self.definition.as_deref()
    }

    /// Drops it, and nothing with it.
    pub(super) fn drop_sql(&self) -> String {
        format!("DROP VIEW {}", self.name.quoted())
    }
}

/// The views that read the table with this oid, outermost first: none is read by one after it. Their
/// definitions are left out, because asking for one locks all that the view reads, until the end of
/// the transaction.
pub(super) async fn read(connection: &Connection, table: &TableName, oid: u32) -> Result<Vec<View>, PgError> {
    read_with(connection, table, oid, false).await
}

/// The same with definitions: when the views are locked already.
pub(super) async fn read_locked(
    connection: &Connection,
    table: &TableName,
    oid: u32,
) -> Result<Vec<View>, PgError> {
    read_with(connection, table, oid, true).await
}

async fn read_with(
    connection: &Connection,
    table: &TableName,
    oid: u32,
    defined: bool,
) -> Result<Vec<View>, PgError> {
    let sql = format!(
        "WITH RECURSIVE {READERS}
         SELECT n.nspname::text, v.relname::text, {OWNER}, {OPTIONS},
                CASE WHEN r.is_direct AND $2 THEN pg_get_viewdef(v.oid) END
         FROM readers r JOIN pg_class v ON v.oid = r.oid JOIN pg_namespace n ON n.oid = v.relnamespace
         ORDER BY r.depth DESC, v.oid DESC"
    );
    let rows = connection
        .query_again(&sql, &[&oid, &defined])
        .await
        .map_err(|error| connection.error(format!("look at the views of {table}"), &error))?;
    let view = |row: &tokio_postgres::Row| View {
        name: TableName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        owner: row.get(2),
        options: row.get(3),
        definition: row.get(4),
    };
    Ok(rows.iter().map(view).collect())
}

/// Whether the two are of the same views in the same order.
pub(super) fn are_same(one: &[View], other: &[View]) -> bool {
    one.iter().map(|view| &view.name).eq(other.iter().map(|view| &view.name))
}

/// Binds all views to the new table; innermost first, so that each finds what it reads. Answers with
/// warnings: the views that were made anew, or dropped because they cannot be kept.
pub(super) async fn replace(
    connection: &Connection,
    table: &TableName,
    views: &[View],
    drop_broken: bool,
) -> Result<Vec<String>, PostgresWarehouseError> {
    let all: Vec<String> = views.iter().rev().filter_map(View::replace_sql).collect();
    connection.run("keep the views", "SAVEPOINT barncat_views").await?;
    match connection.run(&format!("replace the views of {table}"), &all.join("; ")).await {
        Ok(()) => return Ok(Vec::new()),
        Err(error) if is_broken(&error) => {
            connection.run("keep the views", "ROLLBACK TO SAVEPOINT barncat_views").await?;
        }
        Err(error) => return Err(error.into()),
    }
    let broken = replace_one_by_one(connection, views).await?;
    let upon = upon(connection, table, views, &broken).await?;
    let gone = match views_anew::remake(connection, table, &upon).await {
        // Something depends on one of them that is no view.
        Err(error) if error.code() == Some("2BP01") && !drop_broken => upon.clone(),
        remade => remade?,
    };
    if !gone.is_empty() && !drop_broken {
        let views = gone.iter().map(|view| view.name.to_string()).collect();
        return Err(PostgresWarehouseError::BrokenViews { table: table.clone(), views });
    }
    let is_gone = |view: &View| gone.iter().any(|gone| gone.name == view.name);
    let warning = |view: &View| match is_gone(view) {
        true => format!("dropped view {}: the new columns of {table} break it", view.name),
        false => format!("made view {} anew: columns of {table} have other types", view.name),
    };
    Ok(upon.iter().map(warning).collect())
}

/// Whether the view does not fit the new columns: an error of names or types, but not of rights.
pub(super) fn is_broken(error: &PgError) -> bool {
    error.code().is_some_and(|code| code.starts_with("42") && code != "42501")
}

/// The views that cannot be replaced; the others are.
async fn replace_one_by_one(connection: &Connection, views: &[View]) -> Result<Vec<View>, PgError> {
    let mut broken = Vec::new();
    for view in views.iter().rev() {
        let Some(sql) = view.replace_sql() else { continue };
        connection.run("keep the views", "SAVEPOINT barncat_view").await?;
        match connection.run(&format!("replace the view {}", view.name), &sql).await {
            Ok(()) => connection.run("keep the views", "RELEASE SAVEPOINT barncat_view").await?,
            Err(error) if is_broken(&error) => {
                connection.run("keep the views", "ROLLBACK TO SAVEPOINT barncat_view").await?;
                broken.push(view.clone());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(broken)
}

/// Of the table's views these and those upon them, outermost first.
async fn upon(
    connection: &Connection,
    table: &TableName,
    views: &[View],
    broken: &[View],
) -> Result<Vec<View>, PgError> {
    let mut names: BTreeSet<TableName> = broken.iter().map(|view| view.name.clone()).collect();
    for view in broken {
        let oid = live::find(connection, &view.name).await?.map_or(0, |relation| relation.oid);
        names.extend(read(connection, table, oid).await?.into_iter().map(|view| view.name));
    }
    Ok(views.iter().filter(|view| names.contains(&view.name)).cloned().collect())
}

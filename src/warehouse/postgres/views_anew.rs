//! Views whose columns would get other types: those cannot be replaced, only dropped and made anew,
//! together with the views upon them.

use super::{
    belongings,
    views::{View, is_broken},
};
use crate::{
    pg::{Connection, PgError},
    sql::TableName,
};

/// A view with all that brings it back.
struct Remade {
    view: View,
    definition: String,
    /// Comments, defaults, owner and grants.
    restore: Vec<String>,
}

/// Drops these views, outermost first, and makes them anew. Answers with those that are gone now
/// because the new columns do not serve them. Drops nothing else: where something but a view depends
/// on one of them this is an error (2BP01).
pub(super) async fn remake(
    connection: &Connection,
    table: &TableName,
    views: &[View],
) -> Result<Vec<View>, PgError> {
    let mut remade = Vec::new();
    for view in views {
        remade.push(read(connection, table, view).await?);
    }
    for view in views {
        connection.run(&format!("drop the view {}", view.name), &view.drop_sql()).await?;
    }
    let mut gone = Vec::new();
    for (view, remade) in views.iter().zip(remade).rev() {
        let made = match remade {
            Some(remade) => create(connection, &remade).await?,
            None => false,
        };
        if !made {
            gone.insert(0, view.clone());
        }
    }
    Ok(gone)
}

/// Whether it could be made.
async fn create(connection: &Connection, remade: &Remade) -> Result<bool, PgError> {
    let name = &remade.view.name;
    connection.run("keep the views", "SAVEPOINT barncat_view").await?;
    let create = remade.view.create_sql("CREATE VIEW", &remade.definition);
    match connection.run(&format!("make the view {name} anew"), &create).await {
        Ok(()) => {}
        Err(error) if is_broken(&error) => {
            connection.run("keep the views", "ROLLBACK TO SAVEPOINT barncat_view").await?;
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let restore = format!("{}; RELEASE SAVEPOINT barncat_view", remade.restore.join("; "));
    connection.run(&format!("give the view {name} what belonged to it"), &restore).await?;
    Ok(true)
}

/// `None` for a view that has triggers, rules or labels: those would be lost.
async fn read(connection: &Connection, table: &TableName, view: &View) -> Result<Option<Remade>, PgError> {
    let fail =
        |error: tokio_postgres::Error| connection.error(format!("look at the views of {table}"), &error);
    let row = connection
        .query_again(
            "SELECT v.oid, pg_get_viewdef(v.oid),
                    EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = v.oid)
                    OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN')
                    OR EXISTS (SELECT FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass AND l.objoid = v.oid)
             FROM pg_class v WHERE v.oid = to_regclass($1)",
            &[&view.name.quoted()],
        )
        .await
        .map_err(fail)?;
    let Some(row) = row.first().filter(|row| !row.get::<_, bool>(2)) else { return Ok(None) };
    // That of a view that reads the table was taken when the table had its name still.
    let definition = view.definition().map_or_else(|| row.get(1), str::to_owned);
    let oid: u32 = row.get(0);
    let rows = connection.query_again(&restore_sql(), &[&oid]).await.map_err(fail)?;
    let restore = rows.iter().map(|row| row.get(0)).collect();
    Ok(Some(Remade { view: view.clone(), definition, restore }))
}

/// The statements that restore a view's belongings. The owner comes before the grants, which are
/// the owner's then.
fn restore_sql() -> String {
    format!(
        "WITH live AS (
             SELECT c.*, format('%I.%I', n.nspname, c.relname) AS name
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1)
         SELECT sql FROM (
             SELECT 1, CASE d.objsubid WHEN 0 THEN format('COMMENT ON VIEW %s IS %L', t.name, d.description)
                       ELSE format('COMMENT ON COLUMN %s.%I IS %L', t.name, a.attname, d.description) END
             FROM live t JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid
             LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.objsubid
             UNION ALL
             SELECT 2, format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', t.name, a.attname,
                              pg_get_expr(d.adbin, d.adrelid))
             FROM live t JOIN pg_attrdef d ON d.adrelid = t.oid
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.adnum
             UNION ALL
             SELECT 3, format('ALTER VIEW %s OWNER TO %I', t.name, pg_get_userbyid(t.relowner)) FROM live t
             UNION ALL
             SELECT 4, sql FROM ({revokes}) AS r(about, columns, sql)
             UNION ALL
             SELECT 5, sql FROM ({grants}) AS g(about, columns, sql)) AS restore(step, sql)
         ORDER BY step, sql",
        revokes = belongings::revokes("t.name", "true"),
        grants = belongings::grants("t.name", "true"),
    )
}

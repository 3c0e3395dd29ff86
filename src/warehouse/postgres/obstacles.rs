//! What a swap cannot carry over.

use super::belongings::CARRIED_DEPENDENTS;
use crate::{
    pg::{Connection, PgError},
    sql::TableName,
};

/// Objects that depend on the table `$1` or on its row type, and would be lost with it or keep it
/// from being dropped: all of `pg_depend` but what the table itself is made of, what is carried over,
/// and views, which are replaced.
const DEPENDENTS: &str = "
    SELECT CASE WHEN r.ev_class <> t.oid AND r.rulename = '_RETURN'
                THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END
    FROM live t
    JOIN pg_type row_type ON row_type.oid = t.reltype
    JOIN pg_depend d
      ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
      OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (row_type.oid, row_type.typarray))
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
    WHERE NOT (d.classid = 'pg_class'::regclass AND d.objid IN (t.oid, t.reltoastrelid))
      AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (row_type.oid, row_type.typarray))
      AND NOT (r.oid IS NOT NULL AND v.relkind = 'v' AND r.rulename = '_RETURN')
      AND NOT EXISTS (
          SELECT FROM carried c WHERE c.classid = d.classid AND c.objid = d.objid)";

/// What no dependency tells: properties of the table that another one, made anew, would not have,
/// and things that the publishing role may not do.
const PROPERTIES: &[&str] = &[
    "SELECT 'its parent ' || pg_describe_object('pg_class'::regclass, i.inhparent, 0)
     FROM live t JOIN pg_inherits i ON i.inhrelid = t.oid",
    "SELECT 'its type ' || format_type(t.reloftype, NULL) FROM live t WHERE t.reloftype <> 0",
    "SELECT 'that it is unlogged' FROM live t WHERE t.relpersistence <> 'p'",
    "SELECT format('its access method %s', m.amname) FROM live t JOIN pg_am m ON m.oid = t.relam
     WHERE m.amname <> current_setting('default_table_access_method')",
    "SELECT 'its part in ' || pg_describe_object(d.refclassid, d.refobjid, 0)
     FROM live t JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e'",
    // Whoever decided knew of none that is not among these.
    "SELECT format('column %s', a.attname) FROM live t JOIN pg_attribute a ON a.attrelid = t.oid
     WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ($2::text[])",
    "SELECT format('generated column %s', a.attname) FROM live t JOIN pg_attribute a ON a.attrelid = t.oid
     WHERE a.attgenerated <> '' AND NOT a.attisdropped",
    "SELECT format('the collation of column %s', a.attname)
     FROM live t JOIN pg_attribute a ON a.attrelid = t.oid JOIN pg_type y ON y.oid = a.atttypid
     WHERE a.attcollation <> y.typcollation AND a.attnum > 0 AND NOT a.attisdropped",
    "SELECT format('security label of %s', l.provider) FROM live t JOIN pg_seclabel l
     ON l.classoid = 'pg_class'::regclass AND l.objoid = t.oid",
    // One that names it is known by what depends on it.
    "SELECT 'its place in publication ' || p.pubname FROM live t JOIN pg_namespace n ON n.oid = t.relnamespace
     JOIN pg_publication_tables p ON p.schemaname = n.nspname AND p.tablename = t.relname
     WHERE NOT EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication q ON q.oid = r.prpubid
                       WHERE r.prrelid = t.oid AND q.pubname = p.pubname)",
    "SELECT 'a subscription that fills it' FROM live t JOIN pg_subscription_rel s ON s.srrelid = t.oid",
    // A column's name in front of whole rows and sub-selects is that of the table as it is called now.
    "SELECT pg_describe_object('pg_constraint'::regclass, k.oid, 0) || ', which reads whole rows'
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
     WHERE k.conbin::text LIKE '%:varattno 0 %'",
    "SELECT format('its owner %s, of which %s is no member', pg_get_userbyid(t.relowner), current_user)
     FROM live t WHERE NOT pg_has_role(t.relowner, 'USAGE')",
    "SELECT format('its owner %s, who may not create in schema %s', pg_get_userbyid(t.relowner), t.relnamespace::regnamespace)
     FROM live t WHERE t.relowner <> current_user::regrole
       AND NOT has_schema_privilege(t.relowner, t.relnamespace, 'CREATE')",
    "SELECT format('%s, owned by %s, of which %s is no member',
                   pg_describe_object('pg_statistic_ext'::regclass, x.oid, 0), pg_get_userbyid(x.stxowner), current_user)
     FROM live t JOIN pg_statistic_ext x ON x.stxrelid = t.oid WHERE NOT pg_has_role(x.stxowner, 'USAGE')",
    "SELECT format('its tablespace %s, where %s may not create', s.spcname, current_user)
     FROM live t JOIN pg_tablespace s ON s.oid = t.reltablespace
     WHERE NOT has_tablespace_privilege(s.oid, 'CREATE')",
    "SELECT pg_describe_object('pg_trigger'::regclass, g.oid, 0) || format(', whose function %s may not execute', current_user)
     FROM live t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
     WHERE NOT has_function_privilege(g.tgfoid, 'EXECUTE')",
    "SELECT pg_describe_object('pg_constraint'::regclass, k.oid, 0) || format(', for which %s has no REFERENCES', current_user)
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
     WHERE NOT has_any_column_privilege(k.confrelid, 'REFERENCES')
        OR NOT has_schema_privilege((SELECT relnamespace FROM pg_class WHERE oid = k.confrelid), 'USAGE')",
    "SELECT format('view %s, owned by %s, of which %s is no member', v.oid::regclass, pg_get_userbyid(v.relowner), current_user)
     FROM readers r JOIN pg_class v ON v.oid = r.oid WHERE NOT pg_has_role(v.relowner, 'USAGE')",
    "SELECT format('view %s, in whose schema %s may not create', v.oid::regclass, current_user)
     FROM readers r JOIN pg_class v ON v.oid = r.oid
     WHERE r.is_direct AND NOT has_schema_privilege(v.relnamespace, 'CREATE')",
];

/// What a swap of the table with this oid would lose, in words for people. Empty: a swap is safe. Where its
/// columns are `known`, it may have no others.
pub(super) async fn obstacles(
    connection: &Connection,
    table: &TableName,
    oid: u32,
    known: Option<&[String]>,
) -> Result<Vec<String>, PgError> {
    let all: Vec<&str> = std::iter::once(&DEPENDENTS).chain(PROPERTIES).copied().collect();
    let sql = format!(
        "WITH RECURSIVE live AS (SELECT * FROM pg_class WHERE oid = $1),
              carried(classid, objid) AS ({CARRIED_DEPENDENTS}), {readers}
         SELECT DISTINCT words FROM ({all}) AS obstacle(words) ORDER BY 1",
        readers = super::views::READERS,
        all = all.join(" UNION ALL "),
    );
    let rows = connection
        .query_again(&sql, &[&oid, &known])
        .await
        .map_err(|error| connection.error(format!("look at what depends on {table}"), &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

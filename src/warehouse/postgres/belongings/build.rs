//! What takes time, or needs the rows: made on the filled staging table before the first lock.
//!
//! Names of indexes and statistics are unique within a schema, and the old ones are there still: so
//! each has a name of the load's own until the old table is gone.

use super::{Kind, Loss, shape};

/// The indexes of the live table, with what makes the same on the staging table under the name
/// `temporary`. `pg_get_indexdef` leaves the tablespace out. The staging table has a plain primary key
/// already, if the source has one: the live table's only gives it its name (`stands_for_key`), unless it
/// is of the same columns but no plain one (`replaces_key`).
pub(super) const INDEXES: &str = "
    SELECT x.*, i.relname, i.reloptions, k.oid AS conoid, k.conname, k.contype,
           CASE WHEN k.oid IS NULL THEN format('index %s', i.relname)
                ELSE format('constraint %s', k.conname) END AS about,
           coalesce(nk.columns, nx.columns) AS columns,
           format('%s_%s', t.load, i.oid) AS temporary,
           CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
           || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferrable,
           format('SET LOCAL default_tablespace = %L; ', coalesce(s.spcname, '')) AS in_tablespace,
           format('CREATE %sINDEX %I ON %s ', u.is_unique, format('%s_%s', t.load, i.oid), t.staging)
           || substr(pg_get_indexdef(i.oid),
                     length(format('CREATE %sINDEX %I ON %s ', u.is_unique, i.relname, t.name)) + 1) AS create_sql,
           k.contype = 'p' AND cardinality(t.key) > 0 AND keyed.is_same AND NOT keyed.is_plain AS replaces_key,
           k.contype = 'p' AND cardinality(t.key) > 0 AND (keyed.is_plain OR NOT keyed.is_same) AS stands_for_key
    FROM live t
    JOIN pg_index x ON x.indrelid = t.oid
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_am m ON m.oid = i.relam
    CROSS JOIN LATERAL (SELECT CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END) AS u(is_unique)
    LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
    LEFT JOIN pg_constraint k ON k.conindid = i.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
    LEFT JOIN needs nk ON nk.classid = 'pg_constraint'::regclass AND nk.objid = k.oid
    LEFT JOIN needs nx ON nx.classid = 'pg_class'::regclass AND nx.objid = i.oid
    CROSS JOIN LATERAL (
        SELECT coalesce((SELECT array_agg(a.attname::text ORDER BY a.attname)
                         FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (k.conkey))
                        = (SELECT array_agg(name ORDER BY name COLLATE \"C\") FROM unnest(t.key) AS name), false),
               coalesce(i.reloptions IS NULL AND i.reltablespace = 0 AND pg_get_constraintdef(k.oid) = format(
                   'PRIMARY KEY (%s)', (SELECT string_agg(quote_ident(name), ', ' ORDER BY number)
                                        FROM unnest(t.key) WITH ORDINALITY AS key(name, number))), false)
    ) AS keyed(is_same, is_plain)
    WHERE x.indisvalid";

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = shape::kinds();
    kinds.extend([
        Kind::new(Loss::Warn, default_values()),
        Kind::new(Loss::Warn, indexes()),
        Kind::new(Loss::Warn, unique_constraints()),
        Kind::new(Loss::Warn, exclusion_constraints()),
        Kind::new(Loss::Warn, index_statistics()),
        Kind::new(Loss::Warn, checks()),
        Kind::new(Loss::Warn, extended_statistics()),
        Kind::new(Loss::Silent, analyze()),
        Kind::new(Loss::Silent, comments()),
        Kind::new(Loss::Silent, object_comments()),
        // They lock what they refer to: late.
        Kind::new(Loss::Warn, foreign_keys()),
        // The owner's own rights may go with them: last.
        Kind::new(Loss::Silent, revokes("t.staging", "t.is_ours")),
        Kind::new(Loss::Silent, grants("t.staging", "t.is_ours")),
    ]);
    kinds
}

fn default_values() -> &'static str {
    "SELECT format('the default of column %s', a.attname), ARRAY[a.attname::text],
            format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', t.staging, a.attname,
                   pg_get_expr(d.adbin, d.adrelid))
     FROM live t JOIN pg_attrdef d ON d.adrelid = t.oid
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.adnum
     WHERE a.attgenerated = ''"
}

fn indexes() -> &'static str {
    "SELECT about, columns, in_tablespace || create_sql FROM indexes WHERE conoid IS NULL"
}

/// By their indexes, which have parameters that the constraint's own definition leaves out.
fn unique_constraints() -> &'static str {
    "SELECT i.about, i.columns,
            CASE WHEN i.replaces_key THEN format('ALTER TABLE %s DROP CONSTRAINT %s; ', t.staging, t.key_name)
                 ELSE '' END
            || format('%s%s; ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I%s', i.in_tablespace, i.create_sql,
                      t.staging, i.temporary, CASE i.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, i.temporary, i.deferrable)
     FROM live t CROSS JOIN indexes i
     WHERE i.contype IN ('p', 'u') AND NOT i.indisexclusion AND i.stands_for_key IS NOT TRUE"
}

fn exclusion_constraints() -> String {
    format!(
        "SELECT i.about, i.columns, format('%sALTER TABLE %s ADD CONSTRAINT %I %s', i.in_tablespace,
                t.staging, i.temporary, pg_get_constraintdef(i.conoid))
                || coalesce(format('; ALTER INDEX %s.%I SET (', t.staging_schema, i.temporary) || {options} || ')', '')
         FROM live t CROSS JOIN indexes i WHERE i.indisexclusion AND i.stands_for_key IS NOT TRUE",
        options = shape::options("i.reloptions"),
    )
}

fn index_statistics() -> &'static str {
    "SELECT i.about, i.columns, format('ALTER INDEX %s.%I ALTER COLUMN %s SET STATISTICS %s',
            t.staging_schema, i.temporary, a.attnum, a.attstattarget)
     FROM live t CROSS JOIN indexes i JOIN pg_attribute a ON a.attrelid = i.indexrelid
     WHERE a.attstattarget >= 0 AND i.stands_for_key IS NOT TRUE"
}

fn checks() -> &'static str {
    "SELECT format('constraint %s', k.conname), n.columns,
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.staging, k.conname, pg_get_constraintdef(k.oid))
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'c'
     LEFT JOIN needs n ON n.classid = 'pg_constraint'::regclass AND n.objid = k.oid"
}

fn foreign_keys() -> &'static str {
    "SELECT format('constraint %s', k.conname), n.columns,
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.staging, k.conname, pg_get_constraintdef(k.oid))
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.confrelid <> t.oid
     LEFT JOIN needs n ON n.classid = 'pg_constraint'::regclass AND n.objid = k.oid"
}

/// The definition between its own name and the table's.
fn extended_statistics() -> &'static str {
    "SELECT format('statistics object %s', s.stxname), n.columns,
            format('CREATE STATISTICS %s.%I%s FROM %s', t.staging_schema, format('%s_%s', t.load, s.oid),
                   substr(left(d.definition, -length(format(' FROM %s', t.name))),
                          length(format('CREATE STATISTICS %I.%I', h.nspname, s.stxname)) + 1), t.staging)
            || CASE WHEN s.stxstattarget >= 0
                    THEN format('; ALTER STATISTICS %s.%I SET STATISTICS %s', t.staging_schema,
                                format('%s_%s', t.load, s.oid), s.stxstattarget) ELSE '' END
     FROM live t JOIN pg_statistic_ext s ON s.stxrelid = t.oid
     JOIN pg_namespace h ON h.oid = s.stxnamespace
     CROSS JOIN LATERAL (SELECT pg_get_statisticsobjdef(s.oid)) AS d(definition)
     LEFT JOIN needs n ON n.classid = 'pg_statistic_ext'::regclass AND n.objid = s.oid"
}

/// Once more, where there is more to be gathered than when the fill ended.
fn analyze() -> &'static str {
    "SELECT 'the planner''s figures', NULL::text[], format('ANALYZE %s', t.staging) FROM live t
     WHERE EXISTS (SELECT FROM pg_statistic_ext s WHERE s.stxrelid = t.oid)
        OR EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid AND x.indexprs IS NOT NULL)"
}

fn comments() -> &'static str {
    "SELECT 'its comment', NULL::text[], format('COMMENT ON TABLE %s IS %L', t.staging, d.description)
     FROM live t JOIN pg_description d
       ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid AND d.objsubid = 0
     UNION ALL
     SELECT format('the comment of column %s', a.attname), ARRAY[a.attname::text],
            format('COMMENT ON COLUMN %s.%I IS %L', t.staging, a.attname, d.description)
     FROM live t JOIN pg_description d
       ON d.classoid = 'pg_class'::regclass AND d.objoid = t.oid AND d.objsubid > 0
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.objsubid"
}

/// Of indexes, constraints and statistics; what is called by a name of the load's own goes by it.
fn object_comments() -> &'static str {
    "SELECT i.about, i.columns,
            format('COMMENT ON INDEX %s.%s IS %L', t.staging_schema,
                   CASE WHEN i.stands_for_key THEN t.key_name ELSE quote_ident(i.temporary) END, d.description)
     FROM live t CROSS JOIN indexes i JOIN pg_description d
       ON d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid AND d.objsubid = 0
     UNION ALL
     SELECT coalesce(i.about, format('constraint %s', k.conname)), n.columns,
            format('COMMENT ON CONSTRAINT %s ON %s IS %L',
                   CASE WHEN i.stands_for_key THEN t.key_name
                        ELSE quote_ident(coalesce(i.temporary, k.conname)) END, t.staging, d.description)
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x', 'c')
     JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid
     LEFT JOIN indexes i ON i.conoid = k.oid
     LEFT JOIN needs n ON n.classid = 'pg_constraint'::regclass AND n.objid = k.oid
     UNION ALL
     SELECT format('statistics object %s', s.stxname), n.columns,
            format('COMMENT ON STATISTICS %s.%I IS %L', t.staging_schema, format('%s_%s', t.load, s.oid),
                   d.description)
     FROM live t JOIN pg_statistic_ext s ON s.stxrelid = t.oid
     JOIN pg_description d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = s.oid
     LEFT JOIN needs n ON n.classid = 'pg_statistic_ext'::regclass AND n.objid = s.oid"
}

/// What default privileges gave is taken away, and the owner's own rights where they were set by hand.
pub(in super::super) fn revokes(target: &str, condition: &str) -> String {
    format!(
        "SELECT 'its grants', NULL::text[], format('REVOKE ALL ON %s FROM %s', {target}, {ROLE})
         FROM live t JOIN pg_default_acl d ON d.defaclrole = current_user::regrole AND d.defaclobjtype = 'r'
         CROSS JOIN LATERAL aclexplode(d.defaclacl) AS acl
         WHERE {condition} AND grantee <> t.relowner
         UNION
         SELECT 'its grants', NULL, format('REVOKE ALL ON %s FROM %I', {target}, pg_get_userbyid(t.relowner))
         FROM live t WHERE {condition} AND t.relacl IS NOT NULL"
    )
}

/// Rights on the table and on columns. All are granted by the owner, whoever did before.
pub(in super::super) fn grants(target: &str, condition: &str) -> String {
    let option = "CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END";
    format!(
        "SELECT 'its grants', NULL::text[],
                format('GRANT %s ON %s TO %s%s', string_agg(DISTINCT privilege_type, ', '), {target}, {ROLE}, {option})
         FROM live t CROSS JOIN LATERAL aclexplode(t.relacl) AS acl
         WHERE {condition} GROUP BY {target}, grantee, is_grantable
         UNION ALL
         SELECT format('the grants of column %s', a.attname), ARRAY[a.attname::text],
                format('GRANT %s ON %s TO %s%s', string_agg(DISTINCT format('%s (%I)', privilege_type, a.attname), ', '),
                       {target}, {ROLE}, {option})
         FROM live t JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped
         CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
         WHERE {condition} GROUP BY {target}, a.attname, grantee, is_grantable"
    )
}

const ROLE: &str = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END";

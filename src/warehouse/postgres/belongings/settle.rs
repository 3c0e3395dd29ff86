//! What needs the table's own name: a matter of moments, done under the locks when the old table is gone.

use super::{Kind, Loss, build};

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        Kind::new(Loss::Silent, key_name()),
        Kind::new(Loss::Silent, index_names()),
        Kind::new(Loss::Silent, statistics_names()),
        Kind::new(Loss::Silent, index_marks()),
        Kind::new(Loss::Silent, foreign_key_comments()),
        Kind::new(Loss::Refuse, triggers()),
        Kind::new(Loss::Refuse, policies()),
        Kind::new(Loss::Silent, row_security()),
        Kind::new(Loss::Silent, owner()),
        Kind::new(Loss::Silent, build::revokes("t.name", "NOT t.is_ours")),
        Kind::new(Loss::Silent, build::grants("t.name", "NOT t.is_ours")),
    ]
}

fn key_name() -> &'static str {
    "SELECT i.about, NULL::text[], format('ALTER TABLE %s RENAME CONSTRAINT %s TO %I', t.name, t.key_name, i.conname)
     FROM live t CROSS JOIN indexes i WHERE i.stands_for_key"
}

fn index_names() -> &'static str {
    "SELECT i.about, i.columns, format('ALTER INDEX %I.%I RENAME TO %I', t.nspname, i.temporary, i.relname)
     FROM live t CROSS JOIN indexes i WHERE i.stands_for_key IS NOT TRUE"
}

/// First into its schema, then to its name: in the staging schema another load may do the same.
fn statistics_names() -> &'static str {
    "SELECT format('statistics object %s', s.stxname), n.columns,
            format('ALTER STATISTICS %s.%I SET SCHEMA %I; ALTER STATISTICS %I.%I RENAME TO %I',
                   t.staging_schema, temporary, h.nspname, h.nspname, temporary, s.stxname)
            || CASE WHEN s.stxowner <> current_user::regrole
                    THEN format('; ALTER STATISTICS %I.%I OWNER TO %I', h.nspname, s.stxname,
                                pg_get_userbyid(s.stxowner)) ELSE '' END
     FROM live t JOIN pg_statistic_ext s ON s.stxrelid = t.oid
     JOIN pg_namespace h ON h.oid = s.stxnamespace
     CROSS JOIN LATERAL (SELECT format('%s_%s', t.load, s.oid)) AS name(temporary)
     LEFT JOIN needs n ON n.classid = 'pg_statistic_ext'::regclass AND n.objid = s.oid"
}

/// The index that CLUSTER goes by, and the replica identity.
fn index_marks() -> &'static str {
    "SELECT i.about, i.columns, format('ALTER TABLE %s CLUSTER ON %I', t.name, i.relname)
     FROM live t CROSS JOIN indexes i WHERE i.indisclustered
     UNION ALL
     SELECT i.about, i.columns, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', t.name, i.relname)
     FROM live t CROSS JOIN indexes i WHERE t.relreplident = 'i' AND i.indisreplident
     UNION ALL
     SELECT 'its replica identity', NULL, format('ALTER TABLE %s REPLICA IDENTITY %s', t.name,
            CASE t.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
     FROM live t WHERE t.relreplident IN ('f', 'n')"
}

fn foreign_key_comments() -> &'static str {
    "SELECT format('constraint %s', k.conname), n.columns,
            format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, t.name, d.description)
     FROM live t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
     JOIN pg_description d ON d.classoid = 'pg_constraint'::regclass AND d.objoid = k.oid
     LEFT JOIN needs n ON n.classid = 'pg_constraint'::regclass AND n.objid = k.oid"
}

fn triggers() -> &'static str {
    "SELECT format('trigger %s', g.tgname), n.columns,
            pg_get_triggerdef(g.oid)
            || CASE g.tgenabled WHEN 'O' THEN ''
                    ELSE format('; ALTER TABLE %s %s TRIGGER %I', t.name,
                                CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
                                                 ELSE 'ENABLE ALWAYS' END, g.tgname) END
            || coalesce(format('; COMMENT ON TRIGGER %I ON %s IS ', g.tgname, t.name) || quote_literal(d.description), '')
     FROM live t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
     CROSS JOIN LATERAL (SELECT obj_description(g.oid, 'pg_trigger')) AS d(description)
     LEFT JOIN needs n ON n.classid = 'pg_trigger'::regclass AND n.objid = g.oid"
}

fn policies() -> &'static str {
    "SELECT format('policy %s', p.polname), n.columns,
            format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, t.name,
                   CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                   CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                 WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                   (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ')
                    FROM unnest(p.polroles) AS role))
            || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
            || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
            || coalesce(format('; COMMENT ON POLICY %I ON %s IS ', p.polname, t.name) || quote_literal(d.description), '')
     FROM live t JOIN pg_policy p ON p.polrelid = t.oid
     CROSS JOIN LATERAL (SELECT obj_description(p.oid, 'pg_policy')) AS d(description)
     LEFT JOIN needs n ON n.classid = 'pg_policy'::regclass AND n.objid = p.oid"
}

fn row_security() -> &'static str {
    "SELECT 'its row security', NULL::text[], format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name)
     FROM live t WHERE t.relrowsecurity
     UNION ALL
     SELECT 'its row security', NULL, format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name)
     FROM live t WHERE t.relforcerowsecurity"
}

fn owner() -> &'static str {
    "SELECT 'its owner', NULL::text[], format('ALTER TABLE %s OWNER TO %I', t.name, pg_get_userbyid(t.relowner))
     FROM live t WHERE NOT t.is_ours"
}

//! What rows are written by: set before the fill.

use super::{Kind, Loss};

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        Kind::new(Loss::Silent, tablespace()),
        Kind::new(Loss::Silent, storage_parameters()),
        Kind::new(Loss::Silent, column_storage()),
        Kind::new(Loss::Silent, column_compression()),
        Kind::new(Loss::Silent, column_statistics()),
        Kind::new(Loss::Silent, column_options()),
    ]
}

/// `k = 'v', …` of an array of `k=v`, as the catalog keeps options.
pub(super) fn options(array: &str) -> String {
    format!(
        "(SELECT string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ' ORDER BY n)
          FROM unnest({array}) WITH ORDINALITY AS option(o, n))"
    )
}

fn tablespace() -> &'static str {
    "SELECT 'its tablespace', NULL::text[], format('ALTER TABLE %s SET TABLESPACE %I', t.staging, s.spcname)
     FROM live t JOIN pg_tablespace s ON s.oid = t.reltablespace
     WHERE has_tablespace_privilege(s.oid, 'CREATE')"
}

fn storage_parameters() -> String {
    format!(
        "SELECT 'its storage parameters', NULL::text[], format('ALTER TABLE %s SET (%s)', t.staging, {own})
         FROM live t WHERE t.reloptions IS NOT NULL
         UNION ALL
         SELECT 'its storage parameters', NULL, format('ALTER TABLE %s SET (%s)', t.staging,
             {toast})
         FROM live t JOIN pg_class toast ON toast.oid = t.reltoastrelid
         WHERE toast.reloptions IS NOT NULL",
        own = options("t.reloptions"),
        toast = options("toast.reloptions").replace("%I", "toast.%I"),
    )
}

/// A setting of columns that are there with the same type on both sides.
fn of_column(set: &str, condition: &str) -> String {
    format!(
        "SELECT format('column %s', a.attname), ARRAY[a.attname::text],
                format('ALTER TABLE %s ALTER COLUMN %I SET ', t.staging, a.attname) || {set}
         FROM live t
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_type y ON y.oid = a.atttypid
         JOIN pg_attribute s ON s.attrelid = to_regclass(t.staging) AND s.attname = a.attname
              AND s.atttypid = a.atttypid AND NOT s.attisdropped
         WHERE {condition}"
    )
}

fn column_storage() -> String {
    of_column(
        "'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                                         WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END",
        "a.attstorage <> y.typstorage",
    )
}

/// As JSON, because servers before 14 have no such column.
fn column_compression() -> String {
    of_column(
        "'COMPRESSION ' || CASE to_jsonb(a.*) ->> 'attcompression' WHEN 'l' THEN 'lz4' ELSE 'pglz' END",
        "to_jsonb(a.*) ->> 'attcompression' IN ('l', 'p')",
    )
}

/// No target is -1, and NULL from 17 on.
fn column_statistics() -> String {
    of_column("format('STATISTICS %s', a.attstattarget)", "a.attstattarget >= 0")
}

fn column_options() -> String {
    of_column(&format!("format('(%s)', {})", options("a.attoptions")), "a.attoptions IS NOT NULL")
}

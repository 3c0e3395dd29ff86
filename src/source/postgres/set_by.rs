//! Who sets a column, as far as a catalog tells. Asked in the statements that look at columns
//! anyway: [`JOIN`] belongs behind `pg_class c` and `pg_attribute a`, [`COLUMNS`] among what is
//! selected.

use tokio_postgres::Row;

use crate::source::SetBy;

/// The likeliest trigger that sets the column of a row: its function's text assigns the column of NEW or
/// names it in quotes, or its arguments name it (`moddatetime`). A guess, as text is not understood.
///
/// `tgtype` has 1 for each row, 2 before, 4 insert, 16 update; `tgattr` lists the columns of
/// `UPDATE OF`.
pub(super) const JOIN: &str = r#"
    LEFT JOIN LATERAL (
        SELECT t.tgname::text AS name, t.tgtype & 16 = 0 AS on_insert,
               pg_catalog.cardinality(t.tgattr::pg_catalog.int2[]) > 0 AS of_some
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        CROSS JOIN LATERAL (SELECT pg_catalog.regexp_replace(a.attname::text, '(\W)', '\\\1', 'g') AS name) AS quoted
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
          AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0
          AND (p.prosrc ~* pg_catalog.replace(
                   'new\s*\.\s*"?COLUMN"?\s*:?=|into\s+new\s*\.\s*"?COLUMN\M|[''"]COLUMN[''"]', 'COLUMN', quoted.name)
               OR pg_catalog.replace(pg_catalog.encode(t.tgargs, 'escape'), '\000', ' ') ~ ('\m' || quoted.name || '\M'))
        ORDER BY on_insert, of_some, name
        LIMIT 1) AS setter ON true"#;

/// What [`read`] reads. NULL for what is no table: nobody knows who sets a view's column.
pub(super) const COLUMNS: &str = "
    CASE WHEN c.relkind NOT IN ('r', 'p') THEN NULL
         WHEN a.attgenerated <> '' THEN 'generated'
         WHEN NOT setter.on_insert AND NOT setter.of_some THEN 'trigger'
         WHEN NOT setter.on_insert THEN 'trigger_of_some'
         WHEN a.atthasdef OR a.attidentity <> '' OR setter.on_insert THEN 'default'
         ELSE 'writer'
    END AS set_by,
    setter.name AS set_by_trigger";

/// Reads [`COLUMNS`].
pub(super) fn read(row: &Row) -> Option<SetBy> {
    let word: Option<String> = row.get("set_by");
    let trigger = row.get::<_, Option<String>>("set_by_trigger").unwrap_or_default();
    Some(match word?.as_str() {
        "generated" => SetBy::Generated,
        "trigger" => SetBy::Trigger(trigger),
        "trigger_of_some" => SetBy::TriggerOfSome(trigger),
        "default" => SetBy::Default,
        _ => SetBy::Writer,
    })
}

//! What a column's type is made of, down to its base types.

use std::collections::{BTreeMap, BTreeSet};

use super::PostgresSourceError;
use crate::{
    pg::Connection,
    schema::{ColumnType, TypeKind},
    sql::TableName,
};

/// `pg_type` rows by oid, as far as the columns of one table reach.
pub(super) type TypeInfos = BTreeMap<u32, TypeInfo>;

/// One row of `pg_type` with what hangs on it.
pub(super) struct TypeInfo {
    name: String,
    builtin: bool,
    kind: String,
    /// The element of a true array (not of `int2vector` and its like), else 0.
    element: u32,
    base: (u32, String),
    /// The subtype of a range or of a multirange's range, else 0.
    subtype: (u32, String),
    element_sql: String,
    labels: Vec<String>,
    attributes: Vec<(String, u32, String)>,
    extension: Option<String>,
}

const SQL: &str = "
    SELECT t.oid, t.typname::text, n.nspname = 'pg_catalog', t.typtype::text,
           CASE WHEN e.typarray = t.oid THEN t.typelem ELSE 0 END,
           t.typbasetype, coalesce(format_type(nullif(t.typbasetype, 0), t.typtypmod), ''),
           coalesce(r.rngsubtype, 0), coalesce(format_type(r.rngsubtype, NULL), ''),
           coalesce(format_type(nullif(t.typelem, 0), NULL), ''),
           ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder),
           ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typtype = 'c'
                   AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
           ARRAY(SELECT atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typtype = 'c'
                   AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
           ARRAY(SELECT format_type(atttypid, atttypmod) FROM pg_attribute a WHERE a.attrelid = t.typrelid
                   AND t.typtype = 'c' AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
           (SELECT x.extname::text FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
             WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
               AND d.refclassid = 'pg_extension'::regclass)
    FROM pg_type t
    JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_type e ON e.oid = t.typelem
    LEFT JOIN pg_range r ON r.rngtypid = t.oid
    WHERE t.oid = ANY ($1)";

/// Reads the types and, round by round, all that they are made of.
pub(super) async fn read(
    connection: &Connection,
    table: &TableName,
    oids: Vec<u32>,
) -> Result<TypeInfos, PostgresSourceError> {
    let mut infos = TypeInfos::new();
    let mut wanted: BTreeSet<u32> = oids.into_iter().collect();
    while !wanted.is_empty() {
        let oids: Vec<u32> = wanted.iter().copied().collect();
        let rows = connection
            .query(SQL, &[&oids])
            .await
            .map_err(|error| connection.error(format!("read the types of {table}"), &error))?;
        for row in &rows {
            let names: Vec<String> = row.get(11);
            let types: Vec<u32> = row.get(12);
            let sqls: Vec<String> = row.get(13);
            let info = TypeInfo {
                name: row.get(1),
                builtin: row.get(2),
                kind: row.get(3),
                element: row.get(4),
                base: (row.get(5), row.get(6)),
                subtype: (row.get(7), row.get(8)),
                element_sql: row.get(9),
                labels: row.get(10),
                attributes: names.into_iter().zip(types).zip(sqls).map(|((n, t), s)| (n, t, s)).collect(),
                extension: row.get(14),
            };
            infos.insert(row.get(0), info);
        }
        wanted = infos.values().flat_map(TypeInfo::made_of).filter(|oid| !infos.contains_key(oid)).collect();
        if rows.is_empty() {
            break; // A type that vanished under our feet: it is `Other` below.
        }
    }
    Ok(infos)
}

impl TypeInfo {
    fn made_of(&self) -> Vec<u32> {
        let mut oids: Vec<u32> = self.attributes.iter().map(|(_, oid, _)| *oid).collect();
        oids.extend([self.element, self.base.0]);
        if !self.builtin {
            oids.push(self.subtype.0);
        }
        oids.retain(|oid| *oid != 0);
        oids
    }
}

/// Puts a column's type together. `sql` is its `format_type` with the modifier.
pub(super) fn column_type(infos: &TypeInfos, oid: u32, sql: String) -> ColumnType {
    let Some(info) = infos.get(&oid) else {
        return ColumnType { sql, kind: TypeKind::Other };
    };
    let made_of = |oid: u32, sql: &str| Box::new(column_type(infos, oid, sql.to_owned()));
    let kind = if info.element != 0 {
        // A modifier stands on the array as a whole: `numeric(8,2)[]`.
        let element = sql.strip_suffix("[]").unwrap_or(&info.element_sql);
        TypeKind::Array { element: made_of(info.element, element) }
    } else if info.kind == "e" {
        TypeKind::Enum { labels: info.labels.clone() }
    } else if info.kind == "d" {
        TypeKind::Domain { base: made_of(info.base.0, &info.base.1) }
    } else if info.kind == "c" {
        let attribute = |(name, oid, sql): &(String, u32, String)| (name.clone(), *made_of(*oid, sql));
        TypeKind::Composite { attributes: info.attributes.iter().map(attribute).collect() }
    } else if info.builtin {
        TypeKind::Builtin { name: info.name.clone() }
    } else if let Some(extension) = &info.extension {
        TypeKind::Extension { extension: extension.clone(), name: info.name.clone() }
    } else if info.kind == "r" {
        TypeKind::Range { element: made_of(info.subtype.0, &info.subtype.1) }
    } else {
        // A multirange made by CREATE TYPE too: its values travel as text, whatever is in it.
        TypeKind::Other
    };
    ColumnType { sql, kind }
}

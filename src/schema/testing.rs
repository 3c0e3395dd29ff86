//! Schemas for the tests of this module.

use super::{Column, ColumnType, Generated, RelationKind, TableSchema, TypeKind};

pub(crate) fn builtin(name: &str, sql: &str) -> ColumnType {
    ColumnType { sql: sql.to_owned(), kind: TypeKind::Builtin { name: name.to_owned() } }
}

pub(crate) fn array(element: ColumnType) -> ColumnType {
    ColumnType { sql: format!("{}[]", element.sql), kind: TypeKind::Array { element: Box::new(element) } }
}

pub(crate) fn domain(sql: &str, base: ColumnType) -> ColumnType {
    ColumnType { sql: sql.to_owned(), kind: TypeKind::Domain { base: Box::new(base) } }
}

pub(crate) fn mood(labels: &[&str]) -> ColumnType {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    ColumnType { sql: "public.mood".to_owned(), kind: TypeKind::Enum { labels } }
}

pub(crate) fn extension(extension: &str, name: &str, sql: &str) -> ColumnType {
    let kind = TypeKind::Extension { extension: extension.to_owned(), name: name.to_owned() };
    ColumnType { sql: sql.to_owned(), kind }
}

pub(crate) fn composite() -> ColumnType {
    ColumnType {
        sql: "public.place".to_owned(),
        kind: TypeKind::Composite { attributes: vec![("x".to_owned(), builtin("int4", "integer"))] },
    }
}

pub(crate) fn range() -> ColumnType {
    let element = Box::new(builtin("float8", "double precision"));
    ColumnType { sql: "public.floats".to_owned(), kind: TypeKind::Range { element } }
}

pub(crate) fn other() -> ColumnType {
    ColumnType { sql: "public.byhand".to_owned(), kind: TypeKind::Other }
}

pub(crate) fn column(number: i16, name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), number, column_type, nullable: true, generated: Generated::No }
}

pub(crate) fn table(key: &[&str], columns: Vec<Column>) -> TableSchema {
    let key = key.iter().map(|name| (*name).to_owned()).collect();
    TableSchema { kind: RelationKind::Table, columns, key }
}

/// A column of each kind of type, of each kind of generation, of both nullabilities.
pub(crate) fn one_of_each() -> TableSchema {
    let bigint = builtin("int8", "bigint");
    let hashed = ColumnType {
        sql: "sha256(text)".to_owned(),
        kind: TypeKind::Hashed { of: Box::new(builtin("text", "text")) },
    };
    let mut schema = table(
        &["id"],
        vec![
            column(1, "id", bigint.clone()),
            column(2, "fee", builtin("numeric", "numeric(12,2)")),
            column(4, "mood", mood(&["calm", "hungry"])),
            column(5, "moods", array(mood(&["calm", "hungry"]))),
            column(6, "share", domain("public.share", builtin("numeric", "numeric(5,4)"))),
            column(7, "place", composite()),
            column(8, "span", range()),
            column(9, "extra", extension("hstore", "hstore", "public.hstore")),
            column(10, "odd", other()),
            column(11, "email", hashed),
            column(12, "twice \"it\"", bigint),
        ],
    );
    schema.columns[0].nullable = false;
    schema.columns[0].generated = Generated::Identity;
    schema.columns[10].generated = Generated::Stored;
    schema
}

//! Tables as Postgres can hold them: the SQL for `CREATE TABLE` and `ALTER TABLE`. A text of several
//! statements is one transaction of Postgres when no block is open.

use super::error::SqlError;
use crate::sql::{
    alter::{Action, AlterTable},
    create::{Body, ColumnDefinition, CreateTable, Key, Layout},
    literal,
    names::Name,
    quoted,
    types::ColumnType,
};

fn oid_of(name: &Name) -> String {
    format!("{}::regclass", name.literal())
}

fn array(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| literal(name)).collect();
    format!("ARRAY[{}]::text[]", names.join(","))
}

/// Makes the table, and writes down what Postgres' catalog has no place for. A table that was there
/// already keeps what is written of it.
pub(super) fn create(create: &CreateTable) -> String {
    let kind = if create.is_temporary { "TEMP TABLE" } else { "TABLE" };
    let exists = if create.if_not_exists { " IF NOT EXISTS" } else { "" };
    let head = format!("CREATE {kind}{exists} {}", create.name);
    let oid = oid_of(&create.name);
    match &create.body {
        Body::Like(parent, defaults) => {
            let defaults = if *defaults { " INCLUDING DEFAULTS" } else { "" };
            format!(
                "{head} (LIKE {parent} INCLUDING CONSTRAINTS{defaults});
                 SELECT redshift_double.copy_layout({oid}, {})",
                oid_of(parent)
            )
        }
        Body::Query(names, query) => {
            let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            let names = if names.is_empty() { String::new() } else { format!("({})", names.join(",")) };
            format!(
                "{head} {names} AS {}; SELECT redshift_double.adopt_columns({oid}); {}",
                query.sql,
                layout(&oid, &create.layout)
            )
        }
        Body::Columns(columns, keys) => {
            let mut parts: Vec<_> = columns.iter().map(|column| definition(column, keys)).collect();
            for (number, column) in columns.iter().enumerate() {
                parts.extend(rules(column, &number.to_string()));
            }
            let mut sql = vec![format!("{head} ({})", parts.join(", ")), layout(&oid, &create.layout)];
            sql.extend(columns.iter().map(|column| {
                let is_sort_key = create.layout.sortkey.contains(&column.name);
                note_column(&oid, column, is_sort_key)
            }));
            sql.extend(keys.iter().map(|key| note_key(&oid, &create.name, key)));
            sql.join("; ")
        }
    }
}

fn definition(column: &ColumnDefinition, keys: &[Key]) -> String {
    let mut sql = format!("{} {}", quoted(&column.name), column.type_.postgres());
    if let Some((seed, step, by_default)) = column.identity {
        let how = if by_default { "BY DEFAULT" } else { "ALWAYS" };
        sql.push_str(&format!(" GENERATED {how} AS IDENTITY (START WITH {seed} INCREMENT BY {step})"));
    }
    if let Some(default) = &column.default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    // The columns of a primary key are not null, although it is not enforced.
    let is_primary = keys.iter().any(|key| key.kind == 'p' && key.columns.contains(&column.name));
    if column.not_null || is_primary {
        sql.push_str(" NOT NULL");
    }
    sql
}

fn rules(column: &ColumnDefinition, suffix: &str) -> Vec<String> {
    let rules = column.type_.rules(&quoted(&column.name)).into_iter();
    rules
        .map(|rule| format!("CONSTRAINT redshift_double_{}_{suffix} CHECK ({})", rule.kind, rule.expression))
        .collect()
}

fn layout(oid: &str, layout: &Layout) -> String {
    let style = layout.diststyle.as_deref().unwrap_or(if layout.distkey.is_some() { "key" } else { "auto" });
    let distkey = match &layout.distkey {
        Some(column) => format!("redshift_double.number({oid}, {})", literal(column)),
        None => "NULL".to_owned(),
    };
    format!(
        "INSERT INTO redshift_double.tables SELECT {oid}, '{style}', {distkey},
             redshift_double.numbers({oid}, {}), {}, {} ON CONFLICT DO NOTHING",
        array(&layout.sortkey),
        layout.is_interleaved,
        layout.backup.unwrap_or(true),
    )
}

fn note_column(oid: &str, column: &ColumnDefinition, is_sort_key: bool) -> String {
    let encoding = column.encoding.as_deref().unwrap_or(column.type_.encoding(is_sort_key));
    let encoding = if encoding == "raw" { "none" } else { encoding };
    let length = match column.type_ {
        ColumnType::Varbyte(length) => length.to_string(),
        _ => "NULL".to_owned(),
    };
    format!(
        "INSERT INTO redshift_double.columns SELECT {oid}, redshift_double.number({oid}, {}), '{encoding}', \
         {length} ON CONFLICT DO NOTHING",
        literal(&column.name)
    )
}

fn note_key(oid: &str, table: &Name, key: &Key) -> String {
    let name = key.name.clone().unwrap_or_else(|| match key.kind {
        'p' => format!("{}_pkey", table.name),
        'u' => format!("{}_{}_key", table.name, key.columns.join("_")),
        _ => format!("{}_{}_fkey", table.name, key.columns.join("_")),
    });
    format!(
        "INSERT INTO redshift_double.keys SELECT {oid}, {}, '{}', redshift_double.numbers({oid}, {}) \
         ON CONFLICT DO NOTHING",
        literal(&name),
        key.kind,
        array(&key.columns)
    )
}

/// Changes the table.
pub(super) fn alter(alter: &AlterTable) -> Result<String, SqlError> {
    let (table, oid) = (&alter.table, oid_of(&alter.table));
    Ok(match &alter.action {
        Action::RenameTo(name) => format!("ALTER TABLE {table} RENAME TO {}", quoted(name)),
        Action::RenameColumn(old, new) => {
            format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quoted(old), quoted(new))
        }
        Action::AddColumn(column) => add_column(table, &oid, column),
        Action::DropColumn(name, cascade) => format!(
            "SELECT redshift_double.check_drop({oid}, {}); ALTER TABLE {table} DROP COLUMN {}{}",
            literal(name),
            quoted(name),
            if *cascade { " CASCADE" } else { "" }
        ),
        Action::Type(column, type_) => resize(&oid, column, type_),
        Action::Encode(column, encoding) => format!(
            "UPDATE redshift_double.columns SET encoding = '{encoding}' \
             WHERE relid = {oid} AND attnum = redshift_double.number({oid}, {})",
            literal(column)
        ),
        Action::Distribution(style, key) => {
            let key = key.as_ref().map_or_else(
                || "NULL".to_owned(),
                |key| format!("redshift_double.number({oid}, {})", literal(key)),
            );
            format!(
                "UPDATE redshift_double.tables SET diststyle = '{style}', distkey = {key} WHERE relid = {oid}"
            )
        }
        Action::SortKey(columns) => format!(
            "UPDATE redshift_double.tables SET sortkey = redshift_double.numbers({oid}, {}) \
             WHERE relid = {oid}",
            array(columns)
        ),
        Action::AddKey(key) => note_key(&oid, table, key),
        Action::DropKey(name) => format!("SELECT redshift_double.drop_key({oid}, {})", literal(name)),
        Action::Owner(user) => format!("ALTER TABLE {table} OWNER TO {}", quoted(user)),
        Action::AppendFrom(source) => {
            format!("INSERT INTO {table} SELECT * FROM {source}; TRUNCATE {source}")
        }
    })
}

fn add_column(table: &Name, oid: &str, column: &ColumnDefinition) -> String {
    // A name for each rule, whatever was added and dropped before.
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let mut sql = vec![format!("ALTER TABLE {table} ADD COLUMN {}", definition(column, &[]))];
    sql.extend(rules(column, &suffix).into_iter().map(|rule| format!("ALTER TABLE {table} ADD {rule}")));
    sql.push(note_column(oid, column, false));
    sql.join("; ")
}

fn resize(oid: &str, column: &str, type_: &ColumnType) -> String {
    let (kind, bytes) = match type_ {
        ColumnType::Varchar(bytes) => ("varchar", *bytes),
        ColumnType::Varbyte(bytes) => ("varbyte", *bytes),
        _ => ("other", 0),
    };
    format!("SELECT redshift_double.resize({oid}, {}, '{kind}', {bytes})", literal(column))
}

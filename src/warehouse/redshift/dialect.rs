//! Redshift's SQL: what differs from Postgres', in one place.

use super::layout;
use crate::{
    schema::Layout,
    sql::{Dialect, TableName, quote_ident},
    stage::manifest::Compression,
    warehouse::StagingColumn,
};

const NAME_BYTES_MAX: usize = Dialect::Redshift.name_bytes_max();

/// A name in double quotes. Redshift folds it to lower case all the same; written folded, the catalog is
/// asked for the same name that was made.
pub(super) fn ident(name: &str) -> String {
    quote_ident(&folded(name))
}

/// A name as Redshift keeps it.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// `"schema"."table"`.
pub(super) fn table(name: &TableName) -> String {
    format!("{}.{}", ident(&name.schema), ident(&name.name))
}

/// A string.
pub(super) fn literal(text: &str) -> String {
    Dialect::Redshift.literal(text)
}

/// A string, or NULL.
pub(super) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}

/// Names in SQL's list form.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ")
}

/// The statement that makes a table.
pub(super) fn create(name: &TableName, columns: &[StagingColumn], layout: &Layout) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            let encoding = layout::of_column(layout, &column.name);
            format!("{} {}{encoding}{null}", ident(&column.name), column.sql_type)
        })
        .collect();
    format!("CREATE TABLE {} ({}){}", table(name), columns.join(", "), layout::of_table(layout))
}

/// The statement that says something of a relation `on`, or of one of its columns.
pub(super) fn comment(kind: &str, on: &str, column: Option<&str>, text: &str) -> String {
    match column {
        None => format!("COMMENT ON {kind} {on} IS {}", literal(text)),
        Some(column) => format!("COMMENT ON COLUMN {on}.{} IS {}", ident(column), literal(text)),
    }
}

/// What COPY needs beside the table.
pub(super) struct Copy<'a> {
    /// The table, for SQL.
    pub(super) into: String,
    /// Its columns, in the order of each row's fields.
    pub(super) columns: &'a [String],
    /// The manifest in Redshift's form, as a url.
    pub(super) manifest: &'a str,
    /// How the parts are compressed.
    pub(super) compression: Compression,
    /// The text that stands for NULL.
    pub(super) null: &'a str,
    /// The role that reads the stage: an ARN, several in a chain, or `default`.
    pub(super) role: &'a str,
    /// The bucket's region, where it is not the cluster's.
    pub(super) region: Option<&'a str>,
}

/// The COPY. Nothing is repaired in silence: no EMPTYASNULL, BLANKSASNULL, TRUNCATECOLUMNS or
/// ACCEPTINVCHARS, and the first row that does not fit ends it.
pub(super) fn copy(copy: &Copy<'_>) -> String {
    let compression = match copy.compression {
        Compression::Zstd => "ZSTD",
        Compression::Gzip => "GZIP",
    };
    let role = match copy.role {
        "default" => "default".to_owned(),
        arn => literal(arn),
    };
    let region = copy.region.map(|region| format!(" REGION {}", literal(region))).unwrap_or_default();
    format!(
        "COPY {} ({}) FROM {} IAM_ROLE {role} MANIFEST{region} FORMAT AS CSV {compression} NULL AS {} \
         TIMEFORMAT 'auto' DATEFORMAT 'auto' MAXERROR 0 COMPUPDATE OFF STATUPDATE OFF",
        copy.into,
        names(copy.columns),
        literal(copy.manifest),
        literal(copy.null),
    )
}

/// A table of a load beside the table it is for: its name as far as it fits, then `__`, the ledger's
/// schema, `_` and the load. What is left of a crash is known by it.
pub(super) fn beside(table: &str, ledger: &str, load: &str) -> String {
    let end = format!("__{ledger}_{}", folded(load));
    let mut name = folded(table);
    while name.len() + end.len() > NAME_BYTES_MAX {
        name.pop();
    }
    name + &end
}

/// The load that such a name holds.
pub(super) fn load_of(name: &str, ledger: &str) -> Option<String> {
    let (_, load) = name.rsplit_once(&format!("__{ledger}_"))?;
    let load = load.to_ascii_uppercase();
    ulid::Ulid::from_string(&load).ok().map(|_| load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_survive_backslashes_and_quotes() {
        assert_eq!(literal(r"a\N'b"), r"'a\\N''b'");
    }

    #[test]
    fn a_name_beside_a_table_fits_and_holds_its_load() {
        let load = "01JD3Z6Q7V5X8Y9ABCDEFGHJKM";
        for table in ["Orders", "a__barncat_b", &"ä".repeat(60)] {
            let name = beside(table, "barncat", load);
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
            assert_eq!(load_of(&name, "barncat").as_deref(), Some(load));
            assert_eq!(load_of(&name, "barncat_test"), None);
        }
        assert_eq!(load_of("orders__barncat_backup", "barncat"), None);
        let of_test = beside("orders", "barncat_test", load);
        assert_eq!(load_of(&of_test, "barncat"), None);
    }

    #[test]
    fn a_copy_repairs_nothing_in_silence() {
        let into = TableName::new("raw", "Orders");
        let sql = copy(&Copy {
            into: table(&into),
            columns: &["id".to_owned(), "Note".to_owned()],
            manifest: "s3://b/k",
            compression: Compression::Zstd,
            null: "@NULL_1@",
            role: "arn:aws:iam::1:role/r",
            region: Some("eu-west-1"),
        });
        assert_eq!(
            sql,
            "COPY \"raw\".\"orders\" (\"id\", \"note\") FROM 's3://b/k' IAM_ROLE 'arn:aws:iam::1:role/r' MANIFEST \
             REGION 'eu-west-1' FORMAT AS CSV ZSTD NULL AS '@NULL_1@' TIMEFORMAT 'auto' DATEFORMAT 'auto' MAXERROR 0 \
             COMPUPDATE OFF STATUPDATE OFF"
        );
    }
}

//! The statements that write the live table's rows.
//!
//! Whether a row differs is asked of its bytes (`*<>`, PostgreSQL's documentation, "Composite Type
//! Comparison"), never of its types' own equality: by that `1.0` and `1.00`, `-0` and `0`, or two
//! boxes of one area are equal, and `json`, `xml` and `point` have none.

use jiff::Timestamp;

use super::key::Key;

use crate::{
    sql::{TableName, quote_ident, quote_literal},
    warehouse::StagingColumn,
};

/// Live and staging table, as SQL writes them, and the columns of both.
pub(super) struct Sql {
    live: String,
    staging: String,
    columns: Vec<String>,
    mark: Option<Mark>,
}

/// How rows that are gone are marked: the live table's column, and since when, as SQL writes them.
struct Mark {
    column: String,
    at: String,
}

impl Sql {
    pub(super) fn new(live: &TableName, staging: &TableName, columns: &[StagingColumn]) -> Self {
        let columns = columns.iter().map(|column| quote_ident(&column.name)).collect();
        Self { live: live.quoted(), staging: staging.quoted(), columns, mark: None }
    }

    /// Rows that are gone are not deleted but marked, if there is a column for it.
    pub(super) fn marking(self, column: Option<&str>, at: Timestamp) -> Self {
        let at = format!("{}::timestamptz", quote_literal(&at.to_string()));
        Self { mark: column.map(|column| Mark { column: quote_ident(column), at }), ..self }
    }

    pub(super) fn delete_all(&self) -> String {
        format!("DELETE FROM ONLY {}", self.live)
    }

    pub(super) fn insert_all(&self) -> String {
        match self.columns.as_slice() {
            // `()` is no list of columns.
            [] => format!("INSERT INTO {} SELECT FROM {}", self.live, self.staging),
            _ => self.insert(),
        }
    }

    /// Rows whose key is in the staging table no more.
    pub(super) fn delete_gone(&self, key: &Key) -> String {
        self.take_away(None, &format!("NOT EXISTS ({})", self.of_key(key, "l", "s")))
    }

    /// Deletes or marks some of the live rows. One that is marked stays as it is.
    fn take_away(&self, by: Option<&str>, condition: &str) -> String {
        let live = &self.live;
        match &self.mark {
            None => {
                let using = by.map(|by| format!(" USING {by}")).unwrap_or_default();
                format!("DELETE FROM ONLY {live} AS l{using} WHERE {condition}")
            }
            Some(Mark { column, at }) => {
                let from = by.map(|by| format!(" FROM {by}")).unwrap_or_default();
                format!(
                    "UPDATE ONLY {live} AS l SET {column} = {at}{from} WHERE l.{column} IS NULL AND {condition}"
                )
            }
        }
    }

    /// Marked rows that come again: they become those of the staging table. `None`: none is marked.
    pub(super) fn revive(&self, key: &Key) -> Option<String> {
        let Mark { column, .. } = self.mark.as_ref()?;
        let mut set: Vec<String> = self.written(key).map(|name| format!("{name} = s.{name}")).collect();
        set.push(format!("{column} = NULL"));
        Some(format!(
            "UPDATE ONLY {} AS l SET {} FROM {} AS s WHERE l.{column} IS NOT NULL AND {}",
            self.live,
            set.join(", "),
            self.staging,
            equal(key, "l", "s")
        ))
    }

    /// The same; answers how many come again, none, and how many of them are late.
    pub(super) fn revive_some(&self, key: &Key, late: &str) -> Option<String> {
        Some(format!(
            "WITH written AS ({} RETURNING l.*)
             SELECT count(*), 0::bigint, count(*) FILTER (WHERE {late}) FROM written",
            self.revive(key)?
        ))
    }

    /// How many rows are not marked, and how many are. `None`: none is marked.
    pub(super) fn count_marked(&self) -> Option<String> {
        let Mark { column, .. } = self.mark.as_ref()?;
        Some(format!("SELECT count(*) - count({column}), count({column}) FROM ONLY {}", self.live))
    }

    /// New rows, and those that differ.
    pub(super) fn upsert(&self, key: &Key) -> String {
        let conflict = format!("{} ON CONFLICT ({})", self.insert(), arbiter(key));
        let set: Vec<String> = self.written(key).map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        match set.is_empty() {
            true => format!("{conflict} DO NOTHING"),
            false => {
                format!("{conflict} DO UPDATE SET {} WHERE {}", set.join(", "), self.differ("l", "EXCLUDED"))
            }
        }
    }

    /// Rows that are not in the staging table just as they are.
    pub(super) fn delete_changed(&self, key: &Key) -> String {
        let same = format!("{} AND NOT {}", self.of_key(key, "l", "s"), self.differ("l", "s"));
        format!("DELETE FROM ONLY {} AS l WHERE NOT EXISTS ({same})", self.live)
    }

    pub(super) fn insert_missing(&self, key: &Key) -> String {
        let equal = equal(key, "l", "s");
        format!("{} WHERE NOT EXISTS (SELECT FROM ONLY {} AS l WHERE {equal})", self.insert(), self.live)
    }

    /// Rows whose key is new; answers how many were inserted, updated (none) and late.
    pub(super) fn insert_new(&self, key: &Key, late: &str) -> String {
        counted(&self.insert_absent(key), late)
    }

    /// Rows whose key is new.
    pub(super) fn insert_absent(&self, key: &Key) -> String {
        format!("{} ON CONFLICT ({}) DO NOTHING", self.insert(), arbiter(key))
    }

    /// New rows, and those that differ; answers how many were inserted, updated and late.
    pub(super) fn upsert_some(&self, key: &Key, late: &str) -> String {
        counted(&self.upsert(key), late)
    }

    /// Rows that the staging table has too, and that differ there.
    pub(super) fn delete_changed_some(&self, key: &Key) -> String {
        format!(
            "DELETE FROM ONLY {} AS l USING {} AS s WHERE {} AND {}",
            self.live,
            self.staging,
            equal(key, "l", "s"),
            self.differ("l", "s")
        )
    }

    /// Rows whose keys are the parameters: one array of texts a column.
    pub(super) fn delete_listed(&self, key: &Key) -> String {
        let arrays: Vec<String> = (1..=key.columns.len()).map(|place| format!("${place}::text[]")).collect();
        let names: Vec<String> = (1..=key.columns.len()).map(|place| format!("k{place}")).collect();
        let equal = key.columns.iter().zip(&names).map(|(column, name)| {
            format!("l.{} {} g.{name}::{}", quote_ident(&column.name), column.equals, column.sql_type)
        });
        let listed = format!("unnest({}) AS g({})", arrays.join(", "), names.join(", "));
        self.take_away(Some(&listed), &equal.collect::<Vec<_>>().join(" AND "))
    }

    /// How many of the staging table's keys the live table does not have, and how many there are.
    pub(super) fn count_absent(&self, key: &Key) -> String {
        format!(
            "SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT FROM ONLY {} AS l WHERE {})), count(*) FROM {} AS s",
            self.live,
            equal(key, "l", "s"),
            self.staging
        )
    }

    fn insert(&self) -> String {
        let columns = self.columns.join(", ");
        let (live, staging) = (&self.live, &self.staging);
        // An identity column that numbers rows by itself takes ours all the same.
        format!(
            "INSERT INTO {live} AS l ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {staging} AS s"
        )
    }

    /// The columns that an update writes: of the key only those whose values can be equal and differ.
    /// To write the others would lock out whoever refers to the row.
    fn written(&self, key: &Key) -> impl Iterator<Item = &String> {
        let exact: Vec<String> = key
            .columns
            .iter()
            .filter(|column| column.is_exact)
            .map(|column| quote_ident(&column.name))
            .collect();
        self.columns.iter().filter(move |name| !exact.contains(name))
    }

    fn of_key(&self, key: &Key, one: &str, other: &str) -> String {
        format!("SELECT FROM {} AS {other} WHERE {}", self.staging, equal(key, one, other))
    }

    fn differ(&self, one: &str, other: &str) -> String {
        let row = |of: &str| {
            let columns: Vec<String> = self.columns.iter().map(|name| format!("{of}.{name}")).collect();
            // Without the cast the operator would be looked for column by column.
            format!("ROW({})::record", columns.join(", "))
        };
        format!("{} OPERATOR(pg_catalog.*<>) {}", row(one), row(other))
    }
}

fn arbiter(key: &Key) -> String {
    key.columns.iter().map(|column| quote_ident(&column.name)).collect::<Vec<_>>().join(", ")
}

/// Counts what an INSERT into the live table writes: rows that are new, that were there, that are late.
fn counted(insert: &str, late: &str) -> String {
    // A row that is new has no other transaction in its `xmax`, one that was updated has ours.
    format!(
        "WITH written AS ({insert} RETURNING (l.xmax = 0) AS is_new, coalesce({late}, false) AS is_late)
         SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new), count(*) FILTER (WHERE is_late)
         FROM written"
    )
}

fn equal(key: &Key, one: &str, other: &str) -> String {
    let columns = key.columns.iter().map(|column| {
        let name = quote_ident(&column.name);
        format!("{one}.{name} {} {other}.{name}", column.equals)
    });
    columns.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::{super::key::KeyColumn, *};

    fn sql(names: &[&str]) -> Sql {
        let column = |name: &&str| StagingColumn {
            name: (*name).to_owned(),
            sql_type: "bigint".into(),
            nullable: false,
        };
        let columns: Vec<StagingColumn> = names.iter().map(column).collect();
        Sql::new(&TableName::new("raw", "t"), &TableName::new("staging", "01_t"), &columns)
    }

    fn key(is_exact: bool) -> Key {
        let equals = "OPERATOR(pg_catalog.=)".into();
        Key { columns: vec![KeyColumn { name: "id".into(), sql_type: "bigint".into(), equals, is_exact }] }
    }

    #[test]
    fn a_key_is_written_only_where_equal_values_can_differ() {
        assert!(sql(&["id", "fee"]).upsert(&key(true)).contains(r#"SET "fee" = EXCLUDED."fee" WHERE"#));
        assert!(sql(&["id", "fee"]).upsert(&key(false)).contains(r#"SET "id" = EXCLUDED."id", "fee""#));
        assert!(sql(&["id"]).upsert(&key(true)).ends_with("DO NOTHING"));
    }
}

//! How tables are laid out: what the catalog says of one, and the SQL for another.
//!
//! Sources: "CREATE TABLE", `PG_CLASS_INFO`, `SVV_TABLE_INFO` and `SVV_REDSHIFT_COLUMNS` in the Database
//! Developer Guide. Whether a table is part of backups is told by none of them.

use std::collections::BTreeMap;

use super::{
    Cluster, RedshiftError,
    belongings::among,
    dialect::{ident, names},
    live::short,
    transport::Answer,
};
use crate::{
    schema::{Dist, Layout, Sort},
    sql::TableName,
    warehouse::StagingColumn,
};

/// A live table's layout.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// As far as it is known.
    pub(super) layout: Layout,
    /// Whether Redshift itself chooses the encodings: then none is written.
    is_auto_encoded: bool,
    /// The columns' types.
    types: BTreeMap<String, String>,
}

impl Cluster {
    /// How a live table is laid out. What this user may not read is left open.
    pub(super) async fn layout(&self, table: &TableName) -> Result<Found, RedshiftError> {
        let columns = format!(
            "SELECT column_name::varchar, data_type::varchar, encoding::varchar, distkey::int::varchar, sortkey::varchar
             FROM svv_redshift_columns WHERE {} AND database_name = current_database() ORDER BY ordinal_position",
            among("schema_name", "table_name", &[table])
        );
        let style = format!(
            "SELECT c.releffectivediststyle::varchar FROM pg_class_info c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE {}",
            among("n.nspname", "c.relname", &[table])
        );
        let chosen = format!(
            "SELECT diststyle::varchar, sortkey1::varchar, encoded::varchar FROM svv_table_info WHERE {}",
            among("\"schema\"", "\"table\"", &[table])
        );
        let queries =
            vec![("svv_redshift_columns", columns), ("pg_class_info", style), ("svv_table_info", chosen)];
        let mut seen = self.ask_readable(&format!("look at the layout of {table}"), queries).await?;
        let mut take = |view| seen.remove(view).unwrap_or_default();
        Ok(found(take("svv_redshift_columns"), &take("pg_class_info"), take("svv_table_info")))
    }
}

fn found(columns: Answer, style: &Answer, chosen: Answer) -> Found {
    // Of an empty table, and to a user without rights on it, this is not told.
    let chosen = chosen.rows.into_iter().next().unwrap_or_default();
    let is_auto = |number: usize| {
        chosen.get(number).and_then(Option::as_deref).is_some_and(|text| text.to_uppercase().contains("AUTO"))
    };
    let mut found = Found { is_auto_encoded: is_auto(2), ..Found::default() };
    let (mut key, mut sorted) = (None, Vec::new());
    for row in columns.rows {
        let [Some(name), Some(sql_type), encoding, distkey, sortkey] = row.as_slice() else { continue };
        found.types.insert(name.clone(), short(sql_type));
        if let Some(encoding) = encoding {
            let encoding = if encoding == "none" { "raw" } else { encoding };
            found.layout.encode.insert(name.clone(), encoding.to_owned());
        }
        if distkey.as_deref() == Some("1") {
            key = Some(Dist::Key(name.clone()));
        }
        match sortkey.as_deref().and_then(|text| text.parse::<i32>().ok()) {
            None | Some(0) => {}
            Some(place) => sorted.push((place, name.clone())),
        }
    }
    if found.types.is_empty() {
        return found;
    }
    found.layout.dist = match style.number() {
        _ if is_auto(0) => Some(Dist::Auto),
        Some(0) => Some(Dist::Even),
        Some(8) => Some(Dist::All),
        // 10, 11, 12: whatever it is at the moment.
        Some(9..) => Some(Dist::Auto),
        _ => key,
    };
    sorted.sort_by_key(|(place, _)| place.abs());
    // Of an interleaved key every other column has a negative place.
    let is_interleaved = sorted.iter().any(|(place, _)| *place < 0);
    let sorted: Vec<String> = sorted.into_iter().map(|(_, name)| name).collect();
    found.layout.sort = Some(match sorted.is_empty() || is_auto(1) {
        true => Sort::Auto,
        false if is_interleaved => Sort::Interleaved(sorted),
        false => Sort::Compound(sorted),
    });
    found
}

impl Found {
    /// What of it a table of these columns can keep. Encodings that Redshift would choose by itself are not
    /// written: one that is ends its choosing.
    pub(super) fn kept(&self, columns: &[StagingColumn]) -> Layout {
        let type_of =
            |name: &String| columns.iter().find(|column| column.name == *name).map(|one| base(&one.sql_type));
        let can_be_key = |name: &String| type_of(name).is_some_and(|of| of != "super");
        let sort = self.layout.sort.clone().map(|sort| {
            let left: Vec<String> = sort.columns().iter().filter(|name| can_be_key(name)).cloned().collect();
            match sort {
                _ if left.is_empty() => Sort::Auto,
                Sort::Interleaved(_) => Sort::Interleaved(left),
                _ => Sort::Compound(left),
            }
        });
        let is_kept = |name: &String, encoding: &String| {
            let before = self.types.get(name).map(|of| base(of));
            let is_sorted = self.layout.sort.as_ref().is_some_and(|sort| sort.columns().contains(name));
            !self.is_auto_encoded
                && before.is_some()
                && before == type_of(name)
                && before.is_some_and(|of| default_encoding(of, is_sorted) != encoding)
        };
        let encode = self.layout.encode.iter().filter(|(name, encoding)| is_kept(name, encoding));
        Layout {
            dist: self.layout.dist.clone().filter(|dist| match dist {
                Dist::Key(name) => can_be_key(name),
                _ => true,
            }),
            sort,
            encode: encode.map(|(name, encoding)| (name.clone(), encoding.clone())).collect(),
            backup: None,
        }
    }
}

/// A type without its length.
fn base(sql_type: &str) -> &str {
    sql_type.split('(').next().unwrap_or_default().trim()
}

/// The encoding that a column gets where none is written ("Compression encodings").
fn default_encoding(base: &str, is_sorted: bool) -> &'static str {
    match base {
        _ if is_sorted => "raw",
        "boolean" | "real" | "double precision" => "raw",
        "super" => "zstd",
        text if text.contains("char") || text == "varbyte" => "lzo",
        _ => "az64",
    }
}

/// What stands behind a column's type.
pub(super) fn of_column(layout: &Layout, column: &str) -> String {
    layout
        .encode
        .get(column)
        .map(|encoding| format!(" ENCODE {}", encoding.to_uppercase()))
        .unwrap_or_default()
}

/// What stands behind the columns. What Redshift chooses where nothing is written is not written.
pub(super) fn of_table(layout: &Layout) -> String {
    let mut sql = String::new();
    match layout.backup {
        None => {}
        Some(true) => sql.push_str(" BACKUP YES"),
        Some(false) => sql.push_str(" BACKUP NO"),
    }
    match &layout.dist {
        None | Some(Dist::Auto) => {}
        Some(Dist::Even) => sql.push_str(" DISTSTYLE EVEN"),
        Some(Dist::All) => sql.push_str(" DISTSTYLE ALL"),
        Some(Dist::Key(column)) => sql.push_str(&format!(" DISTSTYLE KEY DISTKEY ({})", ident(column))),
    }
    match &layout.sort {
        None | Some(Sort::Auto) => {}
        Some(Sort::Compound(columns)) => sql.push_str(&format!(" COMPOUND SORTKEY ({})", names(columns))),
        Some(Sort::Interleaved(columns)) => {
            sql.push_str(&format!(" INTERLEAVED SORTKEY ({})", names(columns)));
        }
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::testing::staging_columns;

    fn answer(rows: &[&[&str]]) -> Answer {
        let rows =
            rows.iter().map(|row| row.iter().map(|value| Some((*value).to_owned())).collect()).collect();
        Answer { rows }
    }

    fn columns() -> Answer {
        answer(&[
            &["id", "bigint", "none", "1", "2"],
            &["at", "timestamp with time zone", "none", "0", "-1"],
            &["note", "character varying(64)", "zstd", "0", "0"],
            &["fee", "numeric(9,2)", "az64", "0", "0"],
        ])
    }

    #[test]
    fn a_table_keeps_what_its_new_columns_can_have() {
        let there = found(columns(), &answer(&[&["1"]]), Answer::default());
        assert_eq!(there.layout.dist, Some(Dist::Key("id".into())));
        assert_eq!(there.layout.sort, Some(Sort::Interleaved(vec!["at".into(), "id".into()])));
        let all = staging_columns(&[
            ("id", "bigint"),
            ("at", "timestamptz"),
            ("note", "varchar(128)"),
            ("new", "integer"),
        ]);
        let kept = there.kept(&all);
        assert_eq!(of_table(&kept), " DISTSTYLE KEY DISTKEY (\"id\") INTERLEAVED SORTKEY (\"at\", \"id\")");
        let encodings: Vec<String> = all.iter().map(|column| of_column(&kept, &column.name)).collect();
        assert_eq!(encodings, ["", "", " ENCODE ZSTD", ""], "Redshift's own choice is not written");
        let other =
            there.kept(&staging_columns(&[("id", "super"), ("at", "timestamptz"), ("note", "bigint")]));
        assert_eq!((of_table(&other).as_str(), other.encode.len()), (" INTERLEAVED SORTKEY (\"at\")", 0));
    }

    #[test]
    fn what_is_left_to_redshift_stays_so() {
        let chosen = answer(&[&["AUTO(KEY(id))", "AUTO(SORTKEY(at))", "Y, AUTO(ENCODE)"]]);
        let there = found(columns(), &answer(&[&["12"]]), chosen);
        assert_eq!((&there.layout.dist, &there.layout.sort), (&Some(Dist::Auto), &Some(Sort::Auto)));
        let kept = there.kept(&staging_columns(&[("id", "bigint"), ("note", "varchar(64)")]));
        assert_eq!((of_table(&kept), kept.encode.len()), (String::new(), 0));
    }

    #[test]
    fn of_what_cannot_be_read_nothing_is_said() {
        let there = found(Answer::default(), &Answer::default(), Answer::default());
        assert!(there.layout.is_empty() && there.kept(&staging_columns(&[("id", "bigint")])).is_empty());
    }
}

//! The statements that write rows of one table into another by their key.
//!
//! Rows that are marked as deleted stand in the way of none: one whose key comes again is deleted and
//! inserted, without a mark.

use crate::{
    sql::TableName,
    warehouse::{
        PublishKind, StagingColumn, StagingSpec,
        redshift::dialect::{self, ident},
    },
};

/// Rows of one table written into another by their key.
pub(super) struct ByKey {
    into: String,
    pub(super) from: String,
    columns: Vec<Compared>,
    key: Vec<Compared>,
    /// The column of the first in which rows are marked as deleted.
    mark: Option<String>,
}

/// A column, and how two of its values are found to be the same.
#[derive(Clone)]
struct Compared {
    name: String,
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// By the type's own equality.
    Equal,
    /// And by their lengths: blanks at the end do not count for equality.
    Text,
    /// And by their texts: 0 equals -0.
    Float,
    /// By their JSON: there is no equality.
    Super,
}

impl Compared {
    fn new(column: &StagingColumn) -> Self {
        let sql_type = column.sql_type.to_lowercase();
        let how = match sql_type.as_str() {
            text if text.contains("char") => How::Text,
            "real" | "double precision" => How::Float,
            "super" => How::Super,
            _ => How::Equal,
        };
        Self { name: ident(&column.name), how }
    }

    fn equal(&self, one: &str, other: &str) -> String {
        let (one, other) = (format!("{one}.{}", self.name), format!("{other}.{}", self.name));
        match self.how {
            How::Equal => format!("{one} = {other}"),
            How::Text => format!("{one} = {other} AND octet_length({one}) = octet_length({other})"),
            How::Float => format!("{one} = {other} AND {one}::varchar = {other}::varchar"),
            How::Super => format!("json_serialize({one}) = json_serialize({other})"),
        }
    }

    fn same(&self, one: &str, other: &str) -> String {
        let name = &self.name;
        format!("({} OR ({one}.{name} IS NULL AND {other}.{name} IS NULL))", self.equal(one, other))
    }
}

impl ByKey {
    pub(super) fn new(into: &TableName, from: &TableName, spec: &StagingSpec) -> Self {
        let of = |name: &String| spec.columns.iter().find(|column| column.name == *name).map(Compared::new);
        Self {
            into: dialect::table(into),
            from: dialect::table(from),
            columns: spec.columns.iter().map(Compared::new).collect(),
            key: spec.key.iter().filter_map(of).collect(),
            mark: spec.mark.as_deref().map(ident),
        }
    }

    /// That a row is not marked, or that it is: `AND …`, empty where none can be.
    fn and_mark(&self, of: &str, is: &str) -> String {
        self.mark.as_ref().map(|mark| format!(" AND {of}.{mark} IS {is}")).unwrap_or_default()
    }

    fn names(&self, of: &str) -> String {
        let name = |column: &Compared| match of {
            "" => column.name.clone(),
            of => format!("{of}.{}", column.name),
        };
        self.columns.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn equal(&self, one: &str, other: &str) -> String {
        self.key.iter().map(|column| column.equal(one, other)).collect::<Vec<_>>().join(" AND ")
    }

    /// How many keys several of the rows have that are to be written.
    pub(super) fn count_doubled(&self) -> String {
        let told_by = |column: &Compared| {
            let name = &column.name;
            match column.how {
                How::Equal => name.clone(),
                How::Text => format!("{name}, octet_length({name})"),
                How::Float => format!("{name}, {name}::varchar"),
                How::Super => format!("json_serialize({name})"),
            }
        };
        let key: Vec<String> = self.key.iter().map(told_by).collect();
        format!(
            "SELECT count(*)::varchar FROM (SELECT count(*) AS rows FROM {} GROUP BY {} HAVING count(*) > 1) AS doubled",
            self.from,
            key.join(", ")
        )
    }

    /// Staged rows that are there already: by an insert whatever else they hold, by a merge just as they
    /// are.
    pub(super) fn delete_known(&self, kind: PublishKind) -> String {
        let (into, from) = (&self.into, &self.from);
        let mut conditions = vec![self.equal(into, from)];
        if kind != PublishKind::Insert {
            conditions.extend(self.columns.iter().map(|column| column.same(into, from)));
        }
        format!(
            "DELETE FROM {from} USING {into} WHERE {}{}",
            conditions.join(" AND "),
            self.and_mark(into, "NULL")
        )
    }

    /// A column of the key: NULL where an outer join found nothing.
    fn first(&self) -> &str {
        self.key.first().map(|column| column.name.as_str()).unwrap_or_default()
    }

    fn new_rows(&self) -> String {
        format!(
            "FROM {} s LEFT JOIN {} l ON {}{} WHERE l.{} IS NULL",
            self.from,
            self.into,
            self.equal("l", "s"),
            self.and_mark("l", "NULL"),
            self.first()
        )
    }

    pub(super) fn count_new(&self) -> String {
        format!("SELECT count(*)::varchar {}", self.new_rows())
    }

    pub(super) fn count_there(&self, kind: PublishKind) -> String {
        match kind {
            PublishKind::Insert => "SELECT '0'".to_owned(),
            _ => format!(
                "SELECT count(*)::varchar FROM {} s JOIN {} l ON {}{}",
                self.from,
                self.into,
                self.equal("l", "s"),
                self.and_mark("l", "NULL")
            ),
        }
    }

    pub(super) fn count_gone(&self, gone: &TableName) -> String {
        let gone = dialect::table(gone);
        format!(
            "SELECT count(*)::varchar FROM {} l JOIN {gone} g ON {}{}",
            self.into,
            self.equal("l", "g"),
            self.and_mark("l", "NULL")
        )
    }

    /// The keys that the staging table does not have, of rows that are not marked: into a table of keys.
    pub(super) fn list_gone(&self, gone: &TableName) -> String {
        let names = |of: &str| {
            self.key.iter().map(|column| format!("{of}{}", column.name)).collect::<Vec<_>>().join(", ")
        };
        format!(
            "INSERT INTO {} ({}) SELECT {} {}{}",
            dialect::table(gone),
            names(""),
            names("l."),
            self.not_staged(),
            self.and_mark("l", "NULL")
        )
    }

    /// How many rows the staging table does not have, marked ones too.
    pub(super) fn count_not_staged(&self) -> String {
        format!("SELECT count(*)::varchar {}", self.not_staged())
    }

    fn not_staged(&self) -> String {
        format!(
            "FROM {} l LEFT JOIN {} s ON {} WHERE s.{} IS NULL",
            self.into,
            self.from,
            self.equal("l", "s"),
            self.first()
        )
    }

    /// Takes the rows of these keys away; `at` is when, in SQL, for those that are marked.
    pub(super) fn take_away(&self, gone: &TableName, at: &str) -> String {
        let (into, gone) = (&self.into, dialect::table(gone));
        let equal = self.equal(into, &gone);
        match &self.mark {
            None => format!("DELETE FROM {into} USING {gone} WHERE {equal}"),
            Some(mark) => {
                let unmarked = self.and_mark(into, "NULL");
                format!("UPDATE {into} SET {mark} = {at} FROM {gone} WHERE {equal}{unmarked}")
            }
        }
    }

    pub(super) fn write(&self, kind: PublishKind) -> Vec<String> {
        let (into, from, names) = (&self.into, &self.from, self.names(""));
        // The target of a DELETE can have no alias.
        let delete = format!("DELETE FROM {into} USING {from} WHERE {}", self.equal(into, from));
        match kind {
            PublishKind::Insert => {
                let insert =
                    format!("INSERT INTO {into} ({names}) SELECT {} {}", self.names("s"), self.new_rows());
                let marked = self.mark.is_some().then(|| delete + &self.and_mark(into, "NOT NULL"));
                marked.into_iter().chain([insert]).collect()
            }
            _ => vec![delete, format!("INSERT INTO {into} ({names}) SELECT {names} FROM {from}")],
        }
    }
}

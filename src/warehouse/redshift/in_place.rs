//! Rows written into the live table: all of them anew, or some by their key.
//!
//! Redshift holds nobody to a key and takes two texts for equal that differ in blanks at their end alone,
//! so that texts are compared with their lengths. Rows are changed by deleting and inserting them in one
//! transaction: its MERGE can do no more.

use super::{
    RedshiftError,
    dialect::{self, ident, literal},
    staging::RedshiftStaging,
    transport::{Answer, Batch},
};
use crate::{
    sql::TableName,
    stage::SharedStage,
    warehouse::{Delta, Publication, PublishKind, StagingColumn, StagingSpec, Written},
};

/// Bytes of the keys that one statement lists.
const KEYS_BYTES: usize = 60_000;

/// What must be there before the batch: columns that are new, and the keys of rows that are gone. Gives how
/// many of the staged rows are late; `None` for whole loads.
pub(super) async fn prepare(
    staging: &RedshiftStaging,
    publication: &Publication,
) -> Result<Option<u64>, RedshiftError> {
    let (spec, Some(increment)) = (&staging.spec, &publication.increment) else { return Ok(None) };
    add_columns(staging, &increment.added).await?;
    list_gone(staging, &spec.load, &spec.columns, &spec.key, &increment.gone).await?;
    // What is read again for safety's sake is there already: it is neither written nor counted.
    let late = increment.late.as_deref().unwrap_or("false");
    let by_key = ByKey::new(&spec.table, &staging.table, spec);
    let batch = Batch::new(format!("find what is new for {}", spec.table), format!("{} late", spec.load))
        .then(by_key.delete_known(publication.kind))
        .then(format!("SELECT count(*)::varchar FROM {} WHERE {late}", by_key.from));
    let [_, answer] = staging.cluster.ask(batch).await?;
    Ok(answer.number())
}

async fn add_columns(staging: &RedshiftStaging, added: &[StagingColumn]) -> Result<(), RedshiftError> {
    let (cluster, table) = (&staging.cluster, &staging.spec.table);
    if added.is_empty() {
        return Ok(());
    }
    let there = cluster.columns(table).await?;
    for column in added.iter().filter(|column| !there.iter().any(|other| other.name == column.name)) {
        let sql = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            dialect::table(table),
            ident(&column.name),
            column.sql_type
        );
        let batch =
            Batch::new(format!("add columns to {table}"), format!("{} add", staging.spec.load)).then(sql);
        cluster.ask::<1>(batch).await?;
    }
    Ok(())
}

/// Writes the keys of rows that are gone into a table of their own: they may be too many for a statement.
async fn list_gone(
    staging: &RedshiftStaging,
    load: &str,
    columns: &[StagingColumn],
    key: &[String],
    gone: &[Vec<String>],
) -> Result<(), RedshiftError> {
    if gone.is_empty() {
        return Ok(());
    }
    let cluster = &staging.cluster;
    let table = gone_table(staging, load);
    let of_key: Vec<StagingColumn> =
        key.iter().filter_map(|name| columns.iter().find(|column| column.name == *name).cloned()).collect();
    let name = format!("{load} gone");
    let doing = format!("list the rows that are gone from {}", staging.spec.table);
    let create = Batch::new(doing.clone(), name.clone())
        .then(format!("DROP TABLE IF EXISTS {}", dialect::table(&table)))
        .then(dialect::create(&table, &of_key));
    cluster.ask::<2>(create).await?;
    let mut values = String::new();
    for (place, one) in gone.iter().enumerate() {
        let row: Vec<String> = one.iter().map(|value| literal(value)).collect();
        if !values.is_empty() {
            values.push_str(", ");
        }
        values.push_str(&format!("({})", row.join(", ")));
        if values.len() > KEYS_BYTES || place + 1 == gone.len() {
            let sql = format!("INSERT INTO {} VALUES {values}", dialect::table(&table));
            cluster.ask::<1>(Batch::new(doing.clone(), name.clone()).then(sql)).await?;
            values.clear();
        }
    }
    Ok(())
}

/// Drops the list of the rows that are gone. What cannot be dropped now is swept by the next run.
pub(super) async fn drop_gone(staging: &RedshiftStaging, publication: &Publication) {
    let is_listed = publication.increment.as_ref().is_some_and(|increment| !increment.gone.is_empty());
    if is_listed {
        let table = gone_table(staging, &staging.spec.load);
        let _ = staging.cluster.drop_table(&table, &format!("{} drop", staging.spec.load)).await;
    }
}

fn gone_table(staging: &RedshiftStaging, load: &str) -> TableName {
    let name = dialect::beside("gone", &staging.cluster.options.ledger_schema, load);
    TableName::new(&staging.spec.table.schema, name)
}

/// The statements of a publish in place, and whether the first of them count.
pub(super) fn statements(staging: &RedshiftStaging, publication: &Publication) -> (Vec<String>, bool) {
    let spec = &staging.spec;
    let (live, from) = (&spec.table, &staging.table);
    let Some(increment) = &publication.increment else {
        let columns = dialect::names(spec.columns.iter().map(|column| &column.name));
        let (live, from) = (dialect::table(live), dialect::table(from));
        let insert = format!("INSERT INTO {live} ({columns}) SELECT {columns} FROM {from}");
        return (vec![format!("DELETE FROM {live}"), insert], false);
    };
    let by_key = ByKey::new(live, from, spec);
    let gone = (!increment.gone.is_empty()).then(|| gone_table(staging, &spec.load));
    let mut statements = vec![
        by_key.count_new(),
        by_key.count_there(publication.kind),
        gone.as_ref().map_or_else(|| "SELECT '0'".to_owned(), |gone| by_key.count_gone(gone)),
    ];
    statements.extend(gone.as_ref().map(|gone| by_key.delete_gone(gone)));
    statements.extend(by_key.write(publication.kind));
    (statements, true)
}

/// What the counts say that was written.
pub(super) fn written(counts: &[Answer], late: u64) -> Written {
    let count = |place: usize| counts.get(place).and_then(Answer::number).unwrap_or(0);
    Written { inserted: count(0), updated: count(1), deleted: count(2), late }
}

/// Does an earlier load of new rows again upon a staging table.
pub(super) async fn apply(
    staging: &mut RedshiftStaging,
    delta: &Delta,
    stage: &SharedStage,
) -> Result<(), RedshiftError> {
    let (cluster, load) = (staging.cluster.clone(), staging.spec.load.clone());
    let ledger = cluster.options.ledger_schema.clone();
    let name = dialect::beside(&format!("delta_{}", dialect::folded(&delta.manifest.load)), &ledger, &load);
    let from = TableName::new(&staging.table.schema, name);
    let spec = StagingSpec {
        columns: delta.columns.clone(),
        key: delta.manifest.key.clone(),
        ..staging.spec.clone()
    };
    let doing = format!("apply the load {} to {}", delta.manifest.load, staging.spec.table);
    let make =
        Batch::new(doing.clone(), format!("{load} apply")).then(dialect::create(&from, &delta.columns));
    cluster.ask::<1>(make).await?;
    cluster.copy(&from, &spec, &delta.manifest, stage).await?;
    list_gone(staging, &load, &spec.columns, &spec.key, &delta.manifest.gone).await?;
    let by_key = ByKey::new(&staging.table, &from, &spec);
    let mut batch = Batch::new(doing, format!("{load} apply"));
    if !delta.manifest.gone.is_empty() {
        batch = batch.then(by_key.delete_gone(&gone_table(staging, &load)));
    }
    batch.statements.extend(by_key.write(delta.kind));
    cluster.transport.run(batch).await?;
    cluster.drop_table(&from, &format!("{load} apply")).await
}

/// Rows of one table written into another by their key.
struct ByKey {
    into: String,
    from: String,
    columns: Vec<Compared>,
    key: Vec<Compared>,
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
    fn new(into: &TableName, from: &TableName, spec: &StagingSpec) -> Self {
        let of = |name: &String| spec.columns.iter().find(|column| column.name == *name).map(Compared::new);
        Self {
            into: dialect::table(into),
            from: dialect::table(from),
            columns: spec.columns.iter().map(Compared::new).collect(),
            key: spec.key.iter().filter_map(of).collect(),
        }
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

    /// Staged rows that are there already: by an insert whatever else they hold, by a merge just as they
    /// are.
    fn delete_known(&self, kind: PublishKind) -> String {
        let (into, from) = (&self.into, &self.from);
        let mut conditions = vec![self.equal(into, from)];
        if kind != PublishKind::Insert {
            conditions.extend(self.columns.iter().map(|column| column.same(into, from)));
        }
        format!("DELETE FROM {from} USING {into} WHERE {}", conditions.join(" AND "))
    }

    /// A column of the key: NULL where an outer join found nothing.
    fn first(&self) -> &str {
        self.key.first().map(|column| column.name.as_str()).unwrap_or_default()
    }

    fn new_rows(&self) -> String {
        format!(
            "FROM {} s LEFT JOIN {} l ON {} WHERE l.{} IS NULL",
            self.from,
            self.into,
            self.equal("l", "s"),
            self.first()
        )
    }

    fn count_new(&self) -> String {
        format!("SELECT count(*)::varchar {}", self.new_rows())
    }

    fn count_there(&self, kind: PublishKind) -> String {
        match kind {
            PublishKind::Insert => "SELECT '0'".to_owned(),
            _ => format!(
                "SELECT count(*)::varchar FROM {} s JOIN {} l ON {}",
                self.from,
                self.into,
                self.equal("l", "s")
            ),
        }
    }

    fn count_gone(&self, gone: &TableName) -> String {
        let gone = dialect::table(gone);
        format!("SELECT count(*)::varchar FROM {} l JOIN {gone} g ON {}", self.into, self.equal("l", "g"))
    }

    fn delete_gone(&self, gone: &TableName) -> String {
        let gone = dialect::table(gone);
        format!("DELETE FROM {} USING {gone} WHERE {}", self.into, self.equal(&self.into, &gone))
    }

    fn write(&self, kind: PublishKind) -> Vec<String> {
        let (into, from, names) = (&self.into, &self.from, self.names(""));
        match kind {
            PublishKind::Insert => {
                vec![format!("INSERT INTO {into} ({names}) SELECT {} {}", self.names("s"), self.new_rows())]
            }
            // The target of a DELETE can have no alias.
            _ => vec![
                format!("DELETE FROM {into} USING {from} WHERE {}", self.equal(into, from)),
                format!("INSERT INTO {into} ({names}) SELECT {names} FROM {from}"),
            ],
        }
    }
}

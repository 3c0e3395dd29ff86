//! A sample of a source's tables whose rows still match: which rows of each, as a SQL condition.
//!
//! Each table gives its first rows by key, and a table that refers to another one the first rows whose parents
//! are among that one's. Rows of several parents rarely have all of them there: so a table gives, beside its
//! first rows, also all that its children's rows refer to. The condition names no value: the source looks the
//! rows up, and in one snapshot the same rows each time.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::{Deletes, LoadSpec, Sample, Strategy},
    schema::RelationKind,
    source::{ForeignKey, Related},
    sql::{TableName, quote_ident as quoted},
};

use super::extract::both;

/// Makes loads of whole tables into loads of samples, `rows` a table.
pub fn sample<'a>(loads: impl Iterator<Item = &'a mut LoadSpec>, related: &[Related], rows: u32) {
    let mut loads: Vec<&mut LoadSpec> = loads.collect();
    for spec in loads.iter_mut().filter(|spec| spec.http.is_some()) {
        // A service has no keys that lead from table to table: no more is asked when there is enough.
        whole(spec, Sample { rows, notes: Vec::new() });
    }
    let mut tables = BTreeMap::new();
    for found in related {
        let Some(spec) = loads.iter().find(|spec| spec.source_table == found.table) else { continue };
        tables.insert(found.table.clone(), Table::of(spec, found));
    }
    let sampled = Sampled { order: in_order(&mut tables), tables, rows };
    let conditions: BTreeMap<TableName, String> =
        sampled.tables.iter().map(|(name, table)| (name.clone(), sampled.condition(name, table))).collect();
    for spec in &mut loads {
        let Some(condition) = conditions.get(&spec.source_table) else { continue };
        spec.condition = both(spec.condition.as_deref(), Some(condition));
        let notes = sampled.tables[&spec.source_table].notes.clone();
        whole(spec, Sample { rows, notes });
    }
}

/// All of the sample each time, however much was there before.
fn whole(spec: &mut LoadSpec, sample: Sample) {
    spec.sample = Some(sample);
    spec.strategy = Strategy::Full;
    spec.cursor = None;
    spec.deletes = Deletes::Ignore;
    spec.shrink_limit = 1.0;
}

/// What must be known of a table.
struct Table {
    kind: RelationKind,
    /// SQL over its own row: what tells its rows apart.
    key: Vec<String>,
    condition: Option<String>,
    references: Vec<ForeignKey>,
    /// What people should know.
    notes: Vec<String>,
}

impl Table {
    fn of(spec: &LoadSpec, found: &Related) -> Self {
        let names = if spec.key.is_empty() { &found.key } else { &spec.key };
        let has_places = matches!(found.kind, RelationKind::Table | RelationKind::Partitioned);
        let key = match names.as_slice() {
            // Where a row lies; of what has no places the row itself, as text.
            [] if has_places => vec!["tableoid".to_owned(), "ctid".to_owned()],
            [] => vec![format!("({}.*)::text", quoted(&found.table.name))],
            names => names.iter().map(|name| quoted(name)).collect(),
        };
        Self {
            kind: found.kind,
            key,
            condition: spec.condition.clone(),
            references: found.references.clone(),
            notes: names.is_empty().then(|| NO_KEY.to_owned()).into_iter().collect(),
        }
    }
}

/// What is said of a table without a primary key.
const NO_KEY: &str = "the sample is of rows as they lie: the table has no primary key";

/// Parents before their children. References that lead in a circle are not followed, and taken away.
fn in_order(tables: &mut BTreeMap<TableName, Table>) -> Vec<TableName> {
    let mut order = Vec::new();
    let names: Vec<TableName> = tables.keys().cloned().collect();
    let (mut done, mut way) = (BTreeSet::new(), BTreeSet::new());
    for name in names {
        visit(&name, tables, &mut done, &mut way, &mut order);
    }
    order
}

fn visit(
    name: &TableName,
    tables: &mut BTreeMap<TableName, Table>,
    done: &mut BTreeSet<TableName>,
    way: &mut BTreeSet<TableName>,
    order: &mut Vec<TableName>,
) {
    if done.contains(name) {
        return;
    }
    way.insert(name.clone());
    let references = tables.get(name).map(|table| table.references.clone()).unwrap_or_default();
    let (back, ahead): (Vec<_>, Vec<_>) =
        references.into_iter().partition(|reference| way.contains(&reference.parent));
    for reference in &ahead {
        visit(&reference.parent, tables, done, way, order);
    }
    if let Some(table) = tables.get_mut(name) {
        table.references.retain(|reference| !back.contains(reference));
        table.notes.extend(back.iter().map(|reference| {
            let (columns, parent) = (reference.columns.join(", "), &reference.parent);
            format!("the sample does not follow ({columns}) to {parent}: the reference leads in a circle")
        }));
    }
    way.remove(name);
    done.insert(name.clone());
    order.push(name.clone());
}

struct Sampled {
    tables: BTreeMap<TableName, Table>,
    order: Vec<TableName>,
    rows: u32,
}

impl Sampled {
    /// Which rows of a table: over its own columns.
    fn condition(&self, name: &TableName, table: &Table) -> String {
        // Only what the table's rows depend on: its descendants, and all their ancestors.
        let below = self.below(name);
        let mut needed: BTreeSet<&TableName> = below.clone();
        for table in self.order.iter().rev() {
            if needed.contains(table) {
                needed.extend(self.tables[table].references.iter().map(|reference| &reference.parent));
            }
        }
        let first = self.order.iter().filter(|table| needed.contains(table)).map(|table| self.first(table));
        let taken = self.order.iter().rev().filter(|table| below.contains(table));
        let steps: Vec<String> = first.chain(taken.map(|table| self.taken(table))).collect();
        format!(
            "({}) IN (WITH {} SELECT {} FROM {})",
            table.key.join(", "),
            steps.join(",\n"),
            keys(table),
            self.step("taken", name)
        )
    }

    /// The table, and those that refer to it, by way of others too.
    fn below(&self, name: &TableName) -> BTreeSet<&TableName> {
        let mut below = BTreeSet::new();
        for table in &self.order {
            let refers = self.tables[table].references.iter().any(|to| below.contains(&to.parent));
            if table == name || refers {
                below.insert(table);
            }
        }
        below
    }

    /// The table's first rows, whose parents are among the first rows of theirs.
    fn first(&self, name: &TableName) -> String {
        let table = &self.tables[name];
        let mut conditions: Vec<String> = table.condition.iter().map(|own| format!("({own}\n)")).collect();
        // One parent decides: rows that have all of several among the first would be few.
        let references = &table.references;
        if let Some(parent) = references.iter().find(|reference| reference.always).or(references.first()) {
            let columns = listed(&parent.columns);
            let missing: Vec<String> =
                parent.columns.iter().map(|column| format!("{} IS NULL", quoted(column))).collect();
            let among = format!(
                "({columns}) IN (SELECT {} FROM {})",
                listed(&parent.parent_columns),
                self.step("first", &parent.parent)
            );
            conditions.push(match parent.always {
                true => among,
                false => format!("({} OR {among})", missing.join(" OR ")),
            });
        }
        format!(
            "{} AS (SELECT {} FROM {}{} ORDER BY {} LIMIT {})",
            self.step("first", name),
            self.columns(name),
            from(name, table),
            if conditions.is_empty() {
                String::new()
            } else {
                format!(" WHERE {}", conditions.join(" AND "))
            },
            table.key.join(", "),
            self.rows
        )
    }

    /// The table's first rows, and those that its children's rows refer to.
    fn taken(&self, name: &TableName) -> String {
        let (table, columns) = (&self.tables[name], self.columns(name));
        let own = table.condition.iter().map(|own| format!("({own}\n) AND ")).collect::<String>();
        let mut selects = vec![format!("SELECT * FROM {}", self.step("first", name))];
        for child in &self.order {
            let to_it = self.tables[child].references.iter().filter(|reference| reference.parent == *name);
            selects.extend(to_it.map(|reference| {
                format!(
                    "SELECT {columns} FROM {} WHERE {own}({}) IN (SELECT {} FROM {})",
                    from(name, table),
                    listed(&reference.parent_columns),
                    listed(&reference.columns),
                    self.step("taken", child)
                )
            }));
        }
        format!("{} AS ({})", self.step("taken", name), selects.join("\nUNION "))
    }

    /// What a step must give of a table: its key, and all columns that references lead from or to.
    fn columns(&self, name: &TableName) -> String {
        let table = &self.tables[name];
        let mut columns: Vec<String> =
            table.key.iter().enumerate().map(|(place, key)| format!("{key} AS \"key {place}\"")).collect();
        let from = table.references.iter().flat_map(|reference| &reference.columns);
        let all = self.tables.values().flat_map(|table| &table.references);
        let to = all.filter(|reference| reference.parent == *name).flat_map(|to| &to.parent_columns);
        let linked: BTreeSet<&String> = from.chain(to).collect();
        columns.extend(linked.into_iter().map(|column| quoted(column)));
        columns.join(", ")
    }

    /// The name of a step: by the table's place, for names may be as long as they like.
    fn step(&self, what: &str, name: &TableName) -> String {
        let place = self.order.iter().position(|table| table == name).unwrap_or_default();
        format!("\"{what} {place}\"")
    }
}

fn keys(table: &Table) -> String {
    let keys: Vec<String> = (0..table.key.len()).map(|place| format!("\"key {place}\"")).collect();
    keys.join(", ")
}

fn listed(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

/// A table's own rows alone, as loads bring them.
fn from(name: &TableName, table: &Table) -> String {
    let only = if table.kind == RelationKind::Table { "ONLY " } else { "" };
    format!("{only}{}", name.quoted())
}

//! What was found when a table was looked at that is to be taken over.

use crate::{
    compare::Differences,
    load::LoadError,
    schema::{Shape, ShapedColumn, TableSchema},
    source::Position,
    sql::TableName,
    warehouse::{LiveTable, State, Survey},
};

/// A table that is to be taken over, and what was found.
pub struct Adoption {
    /// The table.
    pub table: TableName,
    /// The moment of the source that it was compared with.
    pub position: Position,
    /// The live table.
    pub live: LiveTable,
    /// Its owner, its grants.
    pub survey: Survey,
    /// Why it cannot be taken over as it is; empty: it can.
    pub wrong: Vec<Wrong>,
    /// Its rows.
    pub rows: u64,
    /// From where the next load goes on.
    pub watermark: Option<String>,
    /// In what its rows differ from the source's; `None` where they were not compared.
    pub differences: Option<Differences>,
    pub(super) schema: TableSchema,
    pub(super) schema_hash: String,
    pub(super) shape: Shape,
    pub(super) state: State,
    pub(super) notes: Vec<String>,
    pub(super) keeps_deleted: bool,
    pub(super) is_incremental: bool,
}

/// One thing that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What.
    pub what: String,
    /// SQL that mends it.
    pub sql: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), sql: None }
    }
}

impl Adoption {
    /// An error if something is in the way.
    pub fn refuse(&self) -> Result<(), LoadError> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        let sql: Vec<&str> = self.wrong.iter().filter_map(|wrong| wrong.sql.as_deref()).collect();
        Err(LoadError::NotAdoptable {
            table: self.table.clone(),
            why: self.wrong.iter().map(|wrong| wrong.what.clone()).collect(),
            sql: (!sql.is_empty()).then(|| sql.join("; ")),
        })
    }

    /// The columns that tell rows apart.
    pub fn key(&self) -> &[String] {
        &self.shape.key
    }

    /// What the comparison of rows came to.
    pub fn in_words(&self) -> String {
        let Some(found) = &self.differences else { return "taken over, its rows not compared".to_owned() };
        let differing = self.differing(found);
        match differing.is_empty() {
            true => "taken over, equal to its source".to_owned(),
            false => format!("taken over although {}", differing.join(", ")),
        }
    }

    /// In what the rows differ, in words.
    pub fn differing(&self, found: &Differences) -> Vec<String> {
        let columns = self.differing_columns(found);
        let columns = if columns.is_empty() { String::new() } else { format!(" in {}", columns.join(", ")) };
        let extra = if self.keeps_deleted { 0 } else { found.extra };
        [
            (found.missing, "is", "are", " missing"),
            (extra, "is", "are", " in the warehouse alone"),
            (found.different, "differs", "differ", columns.as_str()),
        ]
        .into_iter()
        .filter(|(rows, ..)| *rows > 0)
        .map(|(rows, one, many, what)| match rows {
            1 => format!("1 row {one}{what}"),
            rows => format!("{rows} rows {many}{what}"),
        })
        .collect()
    }

    fn differing_columns(&self, found: &Differences) -> Vec<&str> {
        let in_row = |column: &&ShapedColumn| !self.shape.key.contains(&column.name);
        let columns = self.shape.columns.iter().filter(in_row).zip(&found.differing);
        columns.filter(|(_, rows)| **rows > 0).map(|(column, _)| column.name.as_str()).collect()
    }

    /// What people should know, whatever they answer.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        if self.is_incremental && self.watermark.is_none() {
            warnings.push(
                "its rows give no place to go on from: the next load brings the whole table".to_owned(),
            );
        }
        if let Some(found) = &self.differences {
            if !self.differing(found).is_empty() {
                let table = &self.table;
                warnings.push(format!(
                    "rows differ from the source: `barncat verify {table} --repair` mends what loads do not"
                ));
            }
            if self.keeps_deleted && found.extra > 0 {
                warnings.push(format!("{} gone from the source, and kept", rows(found.extra)));
            }
            if found.newer > 0 {
                warnings.push(format!("{} newer, which the next run brings", rows(found.newer)));
            }
        }
        if !self.live.obstacles.is_empty() {
            let obstacles = self.live.obstacles.join(", ");
            warnings.push(format!("whole loads replace its rows in place: a swap would lose {obstacles}"));
        }
        warnings
    }
}

fn rows(number: u64) -> String {
    match number {
        1 => "1 row is".to_owned(),
        number => format!("{number} rows are"),
    }
}

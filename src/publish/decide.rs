//! Swap, replace, or not at all.

use serde::{Deserialize, Serialize};

use crate::{
    config::PublishChoice,
    error::{Class, Fault},
    schema::{RelationKind, widenings},
    sql::TableName,
    warehouse::{LedgerRow, LiveTable, PublishKind, StagingColumn},
};

/// The setting `publish`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Swap; replace where a swap would lose something that cannot be carried.
    #[default]
    Auto,
    /// Always swap, or refuse.
    Swap,
    /// Always replace, or refuse.
    Replace,
}

impl From<PublishChoice> for Choice {
    fn from(choice: PublishChoice) -> Self {
        match choice {
            PublishChoice::Auto => Self::Auto,
            PublishChoice::Swap => Self::Swap,
            PublishChoice::Replace => Self::Replace,
        }
    }
}

/// How a table will be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Swap or replace.
    pub kind: PublishKind,
    /// Why it is not what people expect; `None` where it is.
    pub reason: Option<String>,
}

/// Why a table cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is a relation of that name, and no load of it in the ledger.
    #[error("{table} is there already, neither created nor adopted by barncat")]
    NotOurs {
        /// The table.
        table: TableName,
    },
    /// What stands under the name is no plain table any more.
    #[error("{table} is a {what}, which cannot be published to")]
    NoTable {
        /// The table.
        table: TableName,
        /// What it is.
        what: &'static str,
    },
    /// Columns that somebody else added would be lost.
    #[error("{table} has columns that barncat did not make: {}", columns.join(", "))]
    ForeignColumns {
        /// The table.
        table: TableName,
        /// Their names.
        columns: Vec<String>,
    },
    /// A swap was asked for, and would lose something.
    #[error("a swap of {table} would lose {}", obstacles.join(", "))]
    SwapLoses {
        /// The table.
        table: TableName,
        /// What would be lost.
        obstacles: Vec<String>,
    },
    /// The columns changed, so that only a swap serves, which would lose something.
    #[error("the columns of {table} changed, and a swap would lose {}", obstacles.join(", "))]
    ChangedAndBound {
        /// The table.
        table: TableName,
        /// What would be lost.
        obstacles: Vec<String>,
    },
    /// Something else than a table has the name.
    #[error("{table} cannot be made: a {what} of that name is there")]
    NameTaken {
        /// The table.
        table: TableName,
        /// What it is.
        what: String,
    },
    /// Views that the new columns break.
    #[error("the new columns of {table} break {}", views.join(", "))]
    BreaksViews {
        /// The table.
        table: TableName,
        /// The views, outermost first.
        views: Vec<String>,
    },
    /// Policies and triggers that read a column that is gone.
    #[error("{table} loses a column that is needed by {}", needed_by.join(", "))]
    ColumnNeeded {
        /// The table.
        table: TableName,
        /// What needs it.
        needed_by: Vec<String>,
    },
    /// A replace was asked for, and the columns changed.
    #[error("the columns of {table} changed, so its rows cannot be replaced in place")]
    ReplaceChanged {
        /// The table.
        table: TableName,
    },
}

impl Fault for Refusal {
    fn class(&self) -> Class {
        Class::Lasting
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotOurs { table } => format!(
                "`barncat adopt {table}` takes it over; or rename it (ALTER TABLE {} RENAME TO …), drop it, or \
                 set `as` for another name",
                table.quoted()
            ),
            Self::NoTable { table, .. } => {
                format!("rename or drop {}, or give the task's table another name", table.quoted())
            }
            Self::ForeignColumns { .. } => {
                "keep them in a table or view of their own, then drop them here".to_owned()
            }
            Self::SwapLoses { .. } => "`publish = \"replace\"` keeps them".to_owned(),
            Self::ChangedAndBound { .. } => {
                "drop them, run again, and make them anew on the new columns".to_owned()
            }
            Self::NameTaken { table, what } => {
                format!("rename the {what} {}, or set `as` for another name", table.quoted())
            }
            Self::BreaksViews { .. } => {
                "change the views, or let them be dropped by `on_broken_view = \"drop\"`".to_owned()
            }
            Self::ColumnNeeded { .. } => "change or drop them, then run again".to_owned(),
            Self::ReplaceChanged { .. } => "`publish = \"auto\"` swaps the table then".to_owned(),
        })
    }
}

/// Decides how staging `columns` become the live rows of `table`, whose last published load is
/// `last`, and which stands as `live`.
pub fn decide(
    choice: Choice,
    table: &TableName,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
    columns: &[StagingColumn],
) -> Result<Decided, Refusal> {
    // Where there is no table there are no rows to replace either.
    let Some(live) = live else { return Ok(Decided { kind: PublishKind::Swap, reason: None }) };
    let Some(last) = last else { return Err(Refusal::NotOurs { table: table.clone() }) };
    if let Some(what) = no_table(live.kind) {
        return Err(Refusal::NoTable { table: table.clone(), what });
    }
    let foreign = foreign_columns(last, live, columns);
    if !foreign.is_empty() {
        return Err(Refusal::ForeignColumns { table: table.clone(), columns: foreign });
    }
    let (equal, obstacles) = (are_equal(&live.columns, columns), live.obstacles.clone());
    match choice {
        Choice::Replace if equal => Ok(Decided { kind: PublishKind::Replace, reason: None }),
        Choice::Replace => Err(Refusal::ReplaceChanged { table: table.clone() }),
        Choice::Auto if equal && obstacles.is_empty() && !live.rebound.is_empty() => Ok(Decided {
            kind: PublishKind::Replace,
            reason: Some(format!(
                "in place it keeps the views that are bound to it: {}",
                live.rebound.join(", ")
            )),
        }),
        Choice::Auto | Choice::Swap if obstacles.is_empty() => Ok(Decided {
            kind: PublishKind::Swap,
            reason: (!live.rebound.is_empty()).then(|| {
                format!("the views that are bound to it are made anew: {}", live.rebound.join(", "))
            }),
        }),
        Choice::Auto if equal => Ok(Decided {
            kind: PublishKind::Replace,
            reason: Some(format!("a swap would lose {}", obstacles.join(", "))),
        }),
        Choice::Swap if equal => Err(Refusal::SwapLoses { table: table.clone(), obstacles }),
        Choice::Auto | Choice::Swap => Err(Refusal::ChangedAndBound { table: table.clone(), obstacles }),
    }
}

/// What a swap to these columns breaks. With `drop_broken` views may be broken: answers with those that
/// will be dropped.
pub fn broken(
    table: &TableName,
    live: &LiveTable,
    columns: &[StagingColumn],
    drop_broken: bool,
) -> Result<Vec<String>, Refusal> {
    let is_gone = |name: &String| columns.iter().all(|column| column.name != *name);
    let (mut views, mut needed_by) = (Vec::new(), Vec::new());
    for need in live.needs.iter().filter(|need| is_gone(&need.column)) {
        match need.is_view {
            true if views.contains(&need.needed_by) => {}
            true => views.push(need.needed_by.clone()),
            false => needed_by.push(format!("{} (column {})", need.needed_by, need.column)),
        }
    }
    if !needed_by.is_empty() {
        return Err(Refusal::ColumnNeeded { table: table.clone(), needed_by });
    }
    match drop_broken || views.is_empty() {
        true => Ok(views),
        false => Err(Refusal::BreaksViews { table: table.clone(), views }),
    }
}

fn no_table(kind: RelationKind) -> Option<&'static str> {
    match kind {
        RelationKind::Table => None,
        RelationKind::Partitioned => Some("partitioned table"),
        RelationKind::View => Some("view"),
        RelationKind::MaterializedView => Some("materialized view"),
        RelationKind::Foreign => Some("foreign table"),
    }
}

/// Live columns that neither the last load brought or made nor this one brings.
fn foreign_columns(last: &LedgerRow, live: &LiveTable, columns: &[StagingColumn]) -> Vec<String> {
    let is_known = |name: &str| {
        last.schema.columns.iter().any(|column| column.name == name)
            || columns.iter().any(|column| column.name == name)
            || last.state.mark.as_deref() == Some(name)
    };
    live.columns.iter().map(|column| column.name.clone()).filter(|name| !is_known(name)).collect()
}

/// Whether rows of the one fit into the other, or will once its texts are widened in place, as Redshift
/// does; the columns' order is of no matter.
fn are_equal(live: &[StagingColumn], staging: &[StagingColumn]) -> bool {
    fn types(columns: &[StagingColumn]) -> Vec<(&str, &str)> {
        columns.iter().map(|column| (column.name.as_str(), column.sql_type.as_str())).collect()
    }
    let has_nulls = |name: &str| live.iter().find(|column| column.name == name).map(|column| column.nullable);
    widenings(&types(live), &types(staging)).is_some()
        && staging.iter().all(|column| has_nulls(&column.name) == Some(column.nullable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warehouse::ColumnNeed;

    fn table() -> TableName {
        TableName::new("raw", "orders")
    }

    fn column(name: &str, sql_type: &str) -> StagingColumn {
        StagingColumn { name: name.into(), sql_type: sql_type.into(), nullable: true }
    }

    fn live(columns: &[StagingColumn], obstacles: &[&str]) -> LiveTable {
        LiveTable {
            keys: None,
            kind: RelationKind::Table,
            columns: columns.to_vec(),
            bytes: 0,
            is_empty: false,
            obstacles: obstacles.iter().map(ToString::to_string).collect(),
            views: Vec::new(),
            rebound: Vec::new(),
            needs: Vec::new(),
        }
    }

    fn last(names: &[&str]) -> LedgerRow {
        crate::warehouse::testing::ledger_row(&table(), names)
    }

    fn kind(choice: Choice, live: &LiveTable, columns: &[StagingColumn]) -> Result<PublishKind, String> {
        let last = last(&["id", "fee"]);
        decide(choice, &table(), Some(&last), Some(live), columns)
            .map(|decided| decided.kind)
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_new_table_is_swapped_in_whatever_is_chosen() {
        for choice in [Choice::Auto, Choice::Swap, Choice::Replace] {
            let decided = decide(choice, &table(), None, None, &[]).unwrap();
            assert_eq!(decided, Decided { kind: PublishKind::Swap, reason: None });
        }
    }

    #[test]
    fn a_table_that_the_ledger_does_not_know_is_left_alone() {
        let refusal = decide(Choice::Auto, &table(), None, Some(&live(&[], &[])), &[]).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "raw.orders is there already, neither created nor adopted by barncat"
        );
        assert_eq!(refusal.class(), Class::Lasting);
    }

    #[test]
    fn auto_swaps_unless_that_loses_something() {
        let columns = [column("id", "bigint"), column("fee", "numeric")];
        let bound = live(&columns, &["materialized view raw.totals"]);
        assert_eq!(kind(Choice::Auto, &live(&columns, &[]), &columns), Ok(PublishKind::Swap));
        assert_eq!(kind(Choice::Auto, &bound, &columns), Ok(PublishKind::Replace));
        assert_eq!(
            kind(Choice::Swap, &bound, &columns),
            Err("a swap of raw.orders would lose materialized view raw.totals".to_owned())
        );
    }

    #[test]
    fn auto_leaves_a_table_where_views_are_bound_to_it_unless_its_columns_change() {
        let columns = [column("id", "bigint"), column("fee", "numeric")];
        let bound = LiveTable { rebound: vec!["bi.ids".into()], ..live(&columns, &[]) };
        let decided = |choice, columns: &[StagingColumn]| {
            let last = last(&["id", "fee"]);
            decide(choice, &table(), Some(&last), Some(&bound), columns).map(|one| (one.kind, one.reason))
        };
        let kept = "in place it keeps the views that are bound to it: bi.ids".to_owned();
        let anew = "the views that are bound to it are made anew: bi.ids".to_owned();
        assert_eq!(decided(Choice::Auto, &columns), Ok((PublishKind::Replace, Some(kept))));
        assert_eq!(decided(Choice::Swap, &columns), Ok((PublishKind::Swap, Some(anew.clone()))));
        assert_eq!(decided(Choice::Auto, &columns[..1]), Ok((PublishKind::Swap, Some(anew))));
    }

    #[test]
    fn changed_columns_need_a_swap() {
        let old = [column("id", "integer"), column("fee", "numeric")];
        let new = [column("id", "bigint"), column("fee", "numeric")];
        assert_eq!(kind(Choice::Auto, &live(&old, &[]), &new), Ok(PublishKind::Swap));
        assert!(kind(Choice::Replace, &live(&old, &[]), &new).is_err());
        assert_eq!(
            kind(Choice::Auto, &live(&old, &["rule r"]), &new),
            Err("the columns of raw.orders changed, and a swap would lose rule r".to_owned())
        );
    }

    #[test]
    fn what_reads_a_column_that_is_gone_is_named_and_only_views_may_be_dropped() {
        let need = |column: &str, needed_by: &str, is_view| ColumnNeed {
            column: column.into(),
            needed_by: needed_by.into(),
            is_view,
        };
        let columns = [column("id", "bigint")];
        let mut table_of_two = live(&columns, &[]);
        table_of_two.needs =
            vec![need("tip", "bi.top", true), need("fee", "bi.top", true), need("id", "bi.ids", true)];
        let broken = |live: &LiveTable, drop| {
            broken(&table(), live, &columns, drop).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(broken(&table_of_two, true), Ok(vec!["bi.top".to_owned()]));
        assert_eq!(
            broken(&table_of_two, false),
            Err("the new columns of raw.orders break bi.top".to_owned())
        );
        table_of_two.needs.push(need("fee", "policy p", false));
        assert_eq!(
            broken(&table_of_two, true),
            Err("raw.orders loses a column that is needed by policy p (column fee)".to_owned())
        );
    }

    #[test]
    fn the_order_of_columns_is_no_change() {
        let (id, fee) = (column("id", "bigint"), column("fee", "numeric"));
        let live = live(&[id.clone(), fee.clone()], &[]);
        assert_eq!(kind(Choice::Replace, &live, &[fee, id]), Ok(PublishKind::Replace));
    }

    #[test]
    fn a_column_that_somebody_added_is_not_dropped_in_silence() {
        let (id, note) = (column("id", "bigint"), column("note", "text"));
        let live = live(&[id.clone(), note], &[]);
        let error = "raw.orders has columns that barncat did not make: note";
        assert_eq!(kind(Choice::Auto, &live, &[id]), Err(error.to_owned()));
    }

    #[test]
    fn a_column_that_the_source_dropped_goes() {
        let (id, fee) = (column("id", "bigint"), column("fee", "numeric"));
        assert_eq!(kind(Choice::Auto, &live(&[id.clone(), fee], &[]), &[id]), Ok(PublishKind::Swap));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let view = LiveTable { kind: RelationKind::View, ..live(&[], &[]) };
        assert_eq!(
            kind(Choice::Auto, &view, &[]),
            Err("raw.orders is a view, which cannot be published to".into())
        );
    }
}

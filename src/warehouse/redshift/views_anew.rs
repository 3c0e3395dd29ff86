//! The statements by which a swap takes the views along that are bound to the table.

use super::{dialect, views::BoundView};
use crate::warehouse::StagingColumn;

/// How a swap takes the views along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Anew {
    /// Statements before the table is locked. Whoever reads a view locks it first and the table then, so
    /// that the other order would be a deadlock.
    pub(super) before: Vec<String>,
    /// Statements after the renames.
    pub(super) after: Vec<String>,
    /// The views that are not made anew.
    pub(super) dropped: Vec<String>,
}

/// How views go from a table of `live` columns to one of `new` ones. Where no column that they need changes
/// its type they are replaced, which keeps what hangs on them; else they are dropped and made, as a view's
/// columns keep their types ("CREATE VIEW" in the Database Developer Guide).
pub(super) fn anew(
    views: &[BoundView],
    live: &[StagingColumn],
    new: &[StagingColumn],
    may_drop: bool,
) -> Anew {
    let in_new = |name: &String| new.iter().find(|column| column.name == *name);
    let is_gone = |name: &String| in_new(name).is_none();
    let is_other = |name: &String| {
        let before = live.iter().find(|column| column.name == *name).map(|column| &column.sql_type);
        in_new(name).map(|column| &column.sql_type) != before
    };
    if views.is_empty() {
        return Anew::default();
    }
    let create = |view: &BoundView| {
        let query = view.query.as_deref().unwrap_or_default();
        format!("CREATE OR REPLACE VIEW {} AS {query}", dialect::table(&view.name))
    };
    let before = match views.iter().any(|view| view.needs.iter().any(is_other)) {
        // As they are: it takes their locks.
        false => views.iter().rev().map(create).collect(),
        true => {
            let names: Vec<String> = views.iter().rev().map(|view| dialect::table(&view.name)).collect();
            vec![format!("DROP VIEW {}", names.join(", "))]
        }
    };
    let mut anew = Anew { before, ..Anew::default() };
    for view in views {
        match may_drop && view.needs.iter().any(is_gone) {
            true => anew.dropped.push(view.name.to_string()),
            false => {
                anew.after.push(create(view));
                // Whether replacing keeps them is not confirmed; given twice they are the same.
                anew.after.extend(view.belongings.iter().cloned());
            }
        }
    }
    anew
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sql::TableName, warehouse::testing::staging_columns};

    fn view(name: &str, needs: &[&str]) -> BoundView {
        let mut view = BoundView::new(TableName::new("bi", name));
        view.needs = needs.iter().map(ToString::to_string).collect();
        view.query = Some(format!("SELECT {name}"));
        view.obstacle = None;
        view
    }

    #[test]
    fn views_are_replaced_unless_a_column_that_they_need_becomes_another() {
        let views = [view("inner", &["id"]), view("outer", &["id", "note"])];
        let live = staging_columns(&[("id", "bigint"), ("note", "varchar(9)"), ("fee", "integer")]);
        let create = |name: &str| format!("CREATE OR REPLACE VIEW \"bi\".\"{name}\" AS SELECT {name}");
        let same = anew(
            &views,
            &live,
            &staging_columns(&[("id", "bigint"), ("note", "varchar(9)"), ("fee", "bigint")]),
            false,
        );
        assert_eq!(same.before, [create("outer"), create("inner")], "locks, outermost first");
        assert_eq!(same.after, [create("inner"), create("outer")]);
        let other = staging_columns(&[("id", "bigint"), ("note", "varchar(99)")]);
        let other = anew(&views, &live, &other, false);
        assert_eq!(other.before, ["DROP VIEW \"bi\".\"outer\", \"bi\".\"inner\""]);
        assert_eq!(other.after, [create("inner"), create("outer")]);
        let gone = anew(&views, &live, &staging_columns(&[("id", "bigint")]), true);
        assert_eq!((gone.after, gone.dropped), (vec![create("inner")], vec!["bi.outer".to_owned()]));
    }
}

//! SELECTs that answer one row whatever the tables hold.

use sqlparser::ast::{Expr, GroupByExpr, Query, Select, SelectItem, SetExpr};

/// The usual ones; of others nobody says that they are aggregates.
const AGGREGATES: [&str; 10] =
    ["count", "sum", "min", "max", "avg", "bool_and", "bool_or", "every", "array_agg", "string_agg"];

/// Whether it does, as far as can be seen.
pub(super) fn is_always_one_row(query: &Query) -> bool {
    let is_cut = query.limit_clause.is_some() || query.fetch.is_some();
    matches!(query.body.as_ref(), SetExpr::Select(select) if !is_cut && is_aggregate(select))
}

fn is_aggregate(select: &Select) -> bool {
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    let all = select.projection.iter().all(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => is_call(expr),
        _ => false,
    });
    !has_groups && select.having.is_none() && !select.projection.is_empty() && all
}

fn is_call(expr: &Expr) -> bool {
    match expr {
        Expr::Function(call) => {
            let name = call.name.to_string().to_lowercase();
            call.over.is_none() && AGGREGATES.contains(&name.as_str())
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_call(expr),
        _ => false,
    }
}

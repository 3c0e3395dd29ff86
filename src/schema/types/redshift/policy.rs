//! Which policy each column has, and whether it can have it.

use super::{Arrival, Case, arrival, arrival_as_text};
use crate::{
    schema::{Column, ShapeError, TableSchema, Unfit, UnfitPolicies, UnfitPolicy, selection::nearest},
    sql::TableName,
};

/// How each column arrives, with its policy, in the table's order.
pub(in crate::schema) fn policies(
    table: &TableName,
    schema: &TableSchema,
    source_version: u32,
    wanted: &UnfitPolicies,
) -> Result<Vec<(Arrival, UnfitPolicy)>, ShapeError> {
    if let Some(column) = wanted.columns.keys().find(|name| schema.column(name).is_none()) {
        return Err(ShapeError::UnfitUnknown {
            table: table.clone(),
            column: column.clone(),
            nearest: nearest(column, schema),
        });
    }
    let of = |column: &Column| {
        let natural = arrival(&column.column_type, source_version);
        let is_key = schema.key.contains(&column.name);
        let allowed = allowed(&natural, column, is_key);
        let policy = match wanted.columns.get(&column.name) {
            Some(policy) if !allowed.contains(policy) => {
                return Err(ShapeError::UnfitRefused {
                    table: table.clone(),
                    column: column.name.clone(),
                    sql_type: column.column_type.sql.clone(),
                    policy: *policy,
                    is_key,
                    allowed,
                });
            }
            Some(policy) => *policy,
            // What is said of the whole table holds where it can.
            None if allowed.contains(&wanted.all) => wanted.all,
            None => UnfitPolicy::Fail,
        };
        Ok(match policy {
            UnfitPolicy::Text => (arrival_as_text(&natural), UnfitPolicy::Fail),
            policy => (natural, policy),
        })
    };
    schema.columns.iter().map(of).collect()
}

impl Arrival {
    /// The kinds of value that do not fit, with what becomes of each.
    pub(in crate::schema) fn unfit(
        &self,
        column: &Column,
        policy: UnfitPolicy,
        key: &[String],
    ) -> Vec<Unfit> {
        let unfit = |case: &Case| Unfit {
            column: column.name.clone(),
            sql_type: column.column_type.sql.clone(),
            kind: case.kind,
            policy: case.policy(policy),
            allowed: allowed(self, column, key.contains(&column.name))
                .into_iter()
                .filter(|policy| case.policy(*policy) != UnfitPolicy::Fail || *policy == UnfitPolicy::Text)
                .collect(),
        };
        self.cases.iter().map(unfit).collect()
    }
}

fn allowed(arrival: &Arrival, column: &Column, is_key: bool) -> Vec<UnfitPolicy> {
    arrival.allowed().into_iter().filter(|policy| suits(*policy, column, is_key)).collect()
}

/// A key must not become that of another row, and what is never NULL must not become it.
fn suits(policy: UnfitPolicy, column: &Column, is_key: bool) -> bool {
    match policy {
        UnfitPolicy::Fail | UnfitPolicy::Text => true,
        UnfitPolicy::Null => column.nullable && !is_key,
        UnfitPolicy::Clamp | UnfitPolicy::Truncate => !is_key,
    }
}

//! Whether there is anything to do.

use super::Attempt;
use crate::{
    config::{ModelKind, ModelSpec},
    fingerprint,
    schema::RelationKind,
    warehouse::{InputUsed, LedgerRow, LiveTable, Select},
};

/// SHA-256 over all that decides what a model's table is: its SQL with the names written out, and the
/// settings that shape the table.
pub(super) fn definition(spec: &ModelSpec, select: &Select) -> String {
    let kind = match &spec.kind {
        ModelKind::Table => "table".to_owned(),
        ModelKind::View => "view".to_owned(),
        ModelKind::Incremental { cursor, since } => format!("incremental {cursor:?} {since:?}"),
    };
    let described: Vec<String> =
        spec.columns.iter().map(|(name, text)| format!("{name:?} {text:?}")).collect();
    let (key, description) = (format!("{:?}", spec.key), format!("{:?}", spec.description));
    fingerprint::of([&kind, &key, &description, &described.join(" "), &select.sql])
}

/// Why nothing needs to be done; `None`: it must be made.
pub(super) fn why(
    attempt: &Attempt<'_>,
    last: Option<&LedgerRow>,
    live: Option<&LiveTable>,
    definition: &str,
) -> Option<&'static str> {
    let (last, live) = (last?, live?);
    if attempt.full || last.state.definition != definition {
        return None;
    }
    if attempt.spec.kind == ModelKind::View {
        return (live.kind == RelationKind::View).then_some("the view is as it is written");
    }
    let same_loads = last.state.inputs.len() == attempt.inputs.len()
        && attempt.inputs.iter().all(|(name, input)| {
            // What was stale and is known to be right by now is said no more: that takes another publish.
            let is_same = |before: &InputUsed| {
                before.load == input.load && (before.stale_seconds.is_none() || input.stale_seconds.is_some())
            };
            last.state.inputs.get(name).is_some_and(is_same)
        });
    let is_same = live.kind == RelationKind::Table
        && same_loads
        && !attempt.inputs.is_empty()
        && !attempt.reads_others
        && !asks_for_the_moment(attempt.spec);
    is_same.then_some("neither its SQL nor what it reads has changed")
}

/// Words of functions and values that are another thing at another time, or each time.
const OF_THE_MOMENT: &[&str] = &[
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "getdate",
    "sysdate",
    "today",
    "tomorrow",
    "yesterday",
    "random",
    "random_normal",
    "rand",
    "tablesample",
    "gen_random_uuid",
    "gen_random_bytes",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "nextval",
    "currval",
    "current_setting",
    "current_user",
    "session_user",
    "age",
];

/// Whether its SQL may give other rows of the same tables: it asks for the time or for chance, or calls a
/// function of somebody's schema.
pub fn asks_for_the_moment(spec: &ModelSpec) -> bool {
    let sql = spec.statement.sql.to_lowercase();
    let mut words = sql.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    spec.statement.query.is_none() || words.any(|word| OF_THE_MOMENT.contains(&word)) || calls_by_schema(&sql)
}

/// `schema.name(`: what it does nobody knows.
fn calls_by_schema(sql: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '"';
    sql.match_indices('(').any(|(at, _)| {
        let before = sql[..at].trim_end();
        let name = before.trim_end_matches(is_name);
        name.len() < before.len() && name.ends_with('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_a_schema_is_known_by_its_dot() {
        for (sql, calls) in [
            ("select bi.f(a) from t", true),
            ("select bi.\"F\" (a) from t", true),
            ("select f(a.b), count(*) from t", false),
            ("select a.b from (select 1) as a", false),
        ] {
            assert_eq!(calls_by_schema(sql), calls, "{sql}");
        }
    }
}

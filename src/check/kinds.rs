//! The built-in kinds as SQL, and what its answers mean. The SQL is the same for both dialects but for how names
//! and literals are written. Pure.
//!
//! What counts rows of one table by a condition is counted by one scan of it, whatever the number of checks;
//! what must group them is a statement of its own.

mod judge;

use jiff::Timestamp;

pub(super) use self::judge::Judged;
use super::anomaly::{Counted, Grounds};
use crate::{
    config::{Anomaly, BuiltIn, CheckKind, Literal, Measured},
    sql::{Dialect, TableName},
    warehouse::TextRows,
};

/// A check, and what its names mean in this mode.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The check.
    pub check: BuiltIn,
    /// The other table, of a relationship.
    pub other: Option<TableName>,
}

/// The rows that are looked at.
#[derive(Debug, Clone)]
pub(super) struct Looked<'a> {
    pub(super) dialect: Dialect,
    /// Their table.
    pub(super) table: &'a TableName,
    /// Rows with a value in it are gone from the source.
    pub(super) mark: Option<&'a str>,
    /// The table into which they are going to be written, and the key by which they take rows' places there.
    pub(super) beside: Option<(&'a TableName, &'a [String])>,
    /// The time.
    pub(super) now: Timestamp,
}

/// What is known beside the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The moment that the published rows show.
    pub(super) as_of: Option<Timestamp>,
    /// How many rows the loads before had, the newest first.
    pub(super) before: Vec<u64>,
    /// What its measures are held against, where any is.
    pub(super) grounds: Option<Grounds>,
}

/// Statements that answer all checks of one table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Questions {
    pub(super) statements: Vec<String>,
    /// By check: where its answers stand.
    places: Vec<Places>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Places {
    /// The rows that it looks at: a column of the scan.
    of: Option<usize>,
    /// Those that fail: statement and column.
    failing: Option<(usize, usize)>,
    /// What is measured beside the rows: columns of the scan.
    measured: Vec<usize>,
}

impl Looked<'_> {
    fn ident(&self, name: &str) -> String {
        self.dialect.ident(name)
    }

    fn idents(&self, names: &[String], of: &str) -> Vec<String> {
        names.iter().map(|name| format!("{of}{}", self.ident(name))).collect()
    }

    fn literal(&self, literal: &Literal) -> String {
        match literal {
            Literal::Number(number) => number.clone(),
            Literal::Text(text) => self.dialect.literal(text),
        }
    }

    fn is_unmarked(&self) -> Option<String> {
        self.mark.map(|mark| format!("{} IS NULL", self.ident(mark)))
    }

    /// Those of a table that a check looks at.
    fn rows_of(&self, table: &TableName, check: &BuiltIn, also: &[String]) -> String {
        let own = check.options.condition.iter().map(|condition| format!("({condition}\n)"));
        let all: Vec<String> =
            self.is_unmarked().into_iter().chain(own).chain(also.iter().cloned()).collect();
        let condition = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
        format!("{}{condition}", self.dialect.table(table))
    }

    /// The condition of a failing row, where it can be told by itself.
    fn fails(&self, kind: &CheckKind) -> Option<String> {
        Some(match kind {
            CheckKind::NotNull(column) => format!("{} IS NULL", self.ident(column)),
            CheckKind::AcceptedValues { column, values } => {
                // As texts, so that a value that an enum does not have is no error.
                let are_texts = values.iter().any(|value| matches!(value, Literal::Text(_)));
                let one = |value: &Literal| match value {
                    Literal::Number(number) if are_texts => self.dialect.literal(number),
                    value => self.literal(value),
                };
                let list: Vec<String> = values.iter().map(one).collect();
                let column = self.ident(column);
                let value = if are_texts { format!("cast({column} AS varchar)") } else { column };
                format!("{value} NOT IN ({})", list.join(", "))
            }
            CheckKind::Range { column, min, max } => {
                let column = self.ident(column);
                let below = min.as_ref().map(|min| format!("{column} < {}", self.literal(min)));
                let above = max.as_ref().map(|max| format!("{column} > {}", self.literal(max)));
                format!("({})", below.into_iter().chain(above).collect::<Vec<_>>().join(" OR "))
            }
            _ => return None,
        })
    }

    /// The condition of a row that is young enough.
    fn is_fresh(&self, kind: &CheckKind) -> Option<String> {
        let CheckKind::Freshness { column: Some(column), max } = kind else { return None };
        let since = self.now - jiff::SignedDuration::try_from(*max).unwrap_or(jiff::SignedDuration::MAX);
        let since = self.dialect.literal(&since.to_string());
        Some(format!("{} >= cast({since} AS timestamptz)", self.ident(column)))
    }

    /// What a measure needs beside the number of rows.
    fn measured(&self, anomaly: &Anomaly, own: Option<&str>) -> Vec<String> {
        match (anomaly.of, &anomaly.column) {
            (Measured::Nulls, _) => {
                let is_null = |column: &String| {
                    let is_null = format!("{} IS NULL", self.ident(column));
                    counted(Some(
                        own.iter()
                            .map(|own| (*own).to_owned())
                            .chain([is_null])
                            .collect::<Vec<_>>()
                            .join(" AND "),
                    ))
                };
                anomaly.columns.iter().map(is_null).collect()
            }
            (Measured::Freshness, Some(column)) => {
                let column = self.ident(column);
                let value = own.map_or(column.clone(), |own| format!("CASE WHEN {own} THEN {column} END"));
                vec![format!("extract(epoch FROM max({value}))")]
            }
            _ => Vec::new(),
        }
    }

    /// The values that several rows have, as `columns`, `barncat_n` rows of them, `barncat_staged` of these looked at: no names that
    /// columns have.
    fn doubled(&self, check: &BuiltIn, columns: &[String]) -> String {
        let listed = self.idents(columns, "").join(", ");
        let known: Vec<String> =
            self.idents(columns, "").iter().map(|column| format!("{column} IS NOT NULL")).collect();
        let own = self.rows_of(self.table, check, &known);
        let Some((live, key)) = self.beside.filter(|(_, key)| !is_held_to(columns, key)) else {
            return format!(
                "SELECT {listed}, count(*) AS barncat_n, count(*) AS barncat_staged FROM {own} GROUP BY {listed} HAVING count(*) > 1"
            );
        };
        let there = self.rows_of(live, check, &known);
        let keys = self.idents(key, "");
        let same: Vec<String> = keys.iter().map(|key| format!("k.{key} = l.{key}")).collect();
        let qualified = self.idents(columns, "l.").join(", ");
        // Without a key no row there is replaced.
        let left = match keys.first() {
            Some(first) => format!(
                "(SELECT * FROM {there}) AS l LEFT JOIN {} AS k ON {} WHERE k.{first} IS NULL",
                self.dialect.table(self.table),
                same.join(" AND ")
            ),
            None => format!("(SELECT * FROM {there}) AS l"),
        };
        format!(
            "SELECT {listed}, count(*) AS barncat_n, sum(barncat_is_staged) AS barncat_staged \
             FROM (SELECT {listed}, 1 AS barncat_is_staged FROM {own} \
             UNION ALL SELECT {qualified}, 0 AS barncat_is_staged FROM {left}) AS both_sides GROUP BY {listed} \
             HAVING count(*) > 1 AND sum(barncat_is_staged) > 0"
        )
    }

    /// What to ask.
    pub(super) fn questions(&self, checks: &[Resolved]) -> Questions {
        let mut scan: Vec<String> = Vec::new();
        let mut places = vec![Places::default(); checks.len()];
        let mut column = |counted: String| {
            scan.iter().position(|other| *other == counted).unwrap_or_else(|| {
                scan.push(counted);
                scan.len() - 1
            })
        };
        for (place, Resolved { check, .. }) in places.iter_mut().zip(checks) {
            if !is_of_rows(&check.kind) {
                continue;
            }
            let own = check.options.condition.as_ref().map(|condition| format!("({condition}\n)"));
            place.of = Some(column(counted(own.clone())));
            if let CheckKind::Anomaly(anomaly) = &check.kind {
                place.measured =
                    self.measured(anomaly, own.as_deref()).into_iter().map(&mut column).collect();
            }
            if let Some(told) = self.fails(&check.kind).or(self.is_fresh(&check.kind)) {
                let both = own.into_iter().chain([told]).collect::<Vec<_>>().join(" AND ");
                place.failing = Some((0, column(counted(Some(both)))));
            }
        }
        let mut statements = Vec::new();
        if !scan.is_empty() {
            let counts: Vec<String> = scan.iter().map(|count| format!("{count}::varchar")).collect();
            let of = self.is_unmarked().map(|unmarked| format!(" WHERE {unmarked}")).unwrap_or_default();
            let table = self.dialect.table(self.table);
            statements.push(format!("SELECT {} FROM {table}{of}", counts.join(", ")));
        }
        for (place, check) in places.iter_mut().zip(checks) {
            if let Some(statement) = self.grouped(check) {
                place.failing = Some((statements.len(), 0));
                statements.push(statement);
            }
        }
        Questions { statements, places }
    }

    fn grouped(&self, Resolved { check, other }: &Resolved) -> Option<String> {
        match &check.kind {
            CheckKind::Unique(columns) => Some(format!(
                "SELECT coalesce(sum(barncat_staged), 0)::varchar FROM ({}) AS doubled",
                self.doubled(check, columns)
            )),
            CheckKind::Relationship { column, to, .. } => {
                let column = self.ident(column);
                let own = self.rows_of(self.table, check, &[format!("{column} IS NOT NULL")]);
                Some(format!(
                    "SELECT coalesce(sum(g.n), 0)::varchar FROM (SELECT {column} AS value, count(*) AS n FROM {own} \
                     GROUP BY {column}) AS g LEFT JOIN ({}) AS o ON o.value = g.value WHERE o.value IS NULL",
                    self.values_of(other.as_ref()?, to)
                ))
            }
            _ => None,
        }
    }

    fn values_of(&self, other: &TableName, column: &str) -> String {
        format!("SELECT DISTINCT {} AS value FROM {}", self.ident(column), self.dialect.table(other))
    }

    /// The failing rows, as `t`: what follows the columns in a SELECT. `None`: it finds no rows.
    pub(super) fn failing_rows(&self, Resolved { check, other }: &Resolved) -> Option<String> {
        match &check.kind {
            CheckKind::Unique(columns) => {
                let own = self.rows_of(self.table, check, &[]);
                let columns_of = |of: &str| self.idents(columns, of);
                let same: Vec<String> = columns_of("d.")
                    .iter()
                    .zip(columns_of("t."))
                    .map(|(of_doubled, own)| format!("{of_doubled} = {own}"))
                    .collect();
                let doubled = self.doubled(check, columns);
                Some(format!(
                    "FROM (SELECT * FROM {own}) AS t JOIN ({doubled}) AS d ON {}",
                    same.join(" AND ")
                ))
            }
            CheckKind::Relationship { column, to, .. } => {
                let column = self.ident(column);
                let own = self.rows_of(self.table, check, &[format!("{column} IS NOT NULL")]);
                let values = self.values_of(other.as_ref()?, to);
                Some(format!(
                    "FROM (SELECT * FROM {own}) AS t LEFT JOIN ({values}) AS o ON o.value = t.{column} \
                     WHERE o.value IS NULL"
                ))
            }
            kind => {
                let fails = self.fails(kind)?;
                Some(format!("FROM (SELECT * FROM {}) AS t", self.rows_of(self.table, check, &[fails])))
            }
        }
    }
}

/// Whether a check is answered by rows of the table.
fn is_of_rows(kind: &CheckKind) -> bool {
    match kind {
        CheckKind::MatchSource { .. } | CheckKind::Freshness { column: None, .. } => false,
        CheckKind::Anomaly(Anomaly { of, column, .. }) => {
            of.is_of_rows() || (*of == Measured::Freshness && column.is_some())
        }
        _ => true,
    }
}

fn counted(condition: Option<String>) -> String {
    match condition {
        Some(condition) => format!("count(CASE WHEN {condition} THEN 1 END)"),
        None => "count(*)".to_owned(),
    }
}

/// Rows that take each other's places by their key cannot share these values once they are published.
fn is_held_to(columns: &[String], key: &[String]) -> bool {
    !key.is_empty() && key.iter().all(|of_key| columns.contains(of_key))
}

impl Questions {
    fn answer<T: std::str::FromStr>(answers: &[TextRows], (statement, column): (usize, usize)) -> Option<T> {
        answers.get(statement)?.first()?.get(column)?.as_deref()?.parse().ok()
    }

    fn number(answers: &[TextRows], place: (usize, usize)) -> u64 {
        Self::answer(answers, place).unwrap_or(0)
    }

    /// What the answers mean to each check, in their order.
    pub(super) fn judge(
        &self,
        checks: &[Resolved],
        answers: &[TextRows],
        known: &Known,
        now: Timestamp,
    ) -> Vec<Judged> {
        let judged = |(resolved, places): (&Resolved, &Places)| {
            let of = places.of.map(|column| Self::number(answers, (0, column)));
            if let CheckKind::Anomaly(anomaly) = &resolved.check.kind {
                let counted = Counted {
                    rows: of.unwrap_or(0),
                    nulls: places.measured.iter().map(|column| Self::number(answers, (0, *column))).collect(),
                    newest: places.measured.first().and_then(|column| Self::answer(answers, (0, *column))),
                };
                return judge::measured(&resolved.check, anomaly, &counted, known);
            }
            let failing = places.failing.map(|place| Self::number(answers, place));
            judge::judge(resolved, (of, failing), known, now)
        };
        checks.iter().zip(&self.places).map(judged).collect()
    }
}

#[cfg(test)]
mod tests;

//! What people should know of a loader that brings new rows alone: what its cursor is worth, and how
//! rows are caught that the watermark has passed.

use std::{fmt, time::Duration};

use crate::{
    config::{LoadSpec, Strategy},
    schema::{Cursor, CursorKind, TableSchema, promises_changes},
    source::{Reach, SetBy},
};

/// What is known of a loader of new rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Its cursor's column.
    pub cursor: String,
    /// Whether an index answers what is new.
    pub indexed: bool,
    /// Whether no two rows have one value.
    pub unique: bool,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// Who sets it; `None`: not known.
    pub set_by: Option<SetBy>,
    /// How late rows are caught.
    pub late_rows: LateRows,
}

/// How rows are caught that became visible after the watermark had passed them. Shown as a sentence
/// that says what is guaranteed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LateRows {
    /// How far before the watermark rows are read again.
    pub overlap: Duration,
    /// Whether the overlap goes by the cursor's own time, not by that of the loads.
    pub by_time: bool,
    /// How often all keys are compared; zero: at each load.
    pub compare_every: Option<Duration>,
}

impl Advice {
    /// Looks at a loader's cursor, as far as it reaches.
    pub(super) fn of(spec: &LoadSpec, cursor: &Cursor, reach: &Reach) -> Self {
        Self {
            cursor: cursor.column.clone(),
            indexed: reach.indexed,
            unique: reach.unique,
            nullable: cursor.nullable,
            set_by: reach.set_by.clone(),
            late_rows: LateRows {
                overlap: spec.overlap,
                by_time: cursor.earlier("", 0).is_some(),
                compare_every: spec.compare_every,
            },
        }
    }

    /// What should be mended, or borne in mind.
    pub(super) fn notes(&self, spec: &LoadSpec, schema: &TableSchema) -> Vec<String> {
        let cursor = &self.cursor;
        let mut notes = Vec::new();
        match (self.indexed, &self.set_by) {
            (true, _) => {}
            (false, Some(_)) => notes
                .push(format!("no index serves the cursor `{cursor}`: the whole table is read for new rows")),
            (false, None) => notes.push(format!(
                "no index on the cursor `{cursor}` is to be seen, as it is no table: unless one below serves it, \
                 everything is read for new rows"
            )),
        }
        if self.nullable {
            notes.push(format!("rows whose `{cursor}` is NULL are loaded each time"));
        }
        if let Some(mark) = spec.deletes.mark() {
            notes.push(format!("rows that are gone from the source stay, marked in `{mark}`"));
        }
        match spec.strategy {
            Strategy::Append => notes.extend(self.of_inserts(schema)),
            Strategy::Merge => notes.extend(self.of_changes()),
            Strategy::Full => {}
        }
        notes
    }

    fn of_inserts(&self, schema: &TableSchema) -> Vec<String> {
        let cursor = &self.cursor;
        let mut notes = Vec::new();
        if self.set_by == Some(SetBy::Writer) {
            let found = match self.late_rows.compare_every {
                None => "lost: keys are never compared",
                Some(_) => "found when the keys are compared",
            };
            notes.push(format!(
                "only the application sets `{cursor}`, no default or trigger: a row that it inserts far below the \
                 watermark is {found}"
            ));
        }
        notes.extend(changed_at(schema).map(|column| {
            format!("it has `{column}`, and `append` brings no changes: if rows change, `merge` by it does")
        }));
        notes
    }

    /// Which changes the cursor may not tell of.
    fn of_changes(&self) -> Option<String> {
        let cursor = &self.cursor;
        let found = "is found by `verify` alone";
        Some(match &self.set_by {
            Some(SetBy::Trigger(_)) => return None,
            Some(SetBy::TriggerOfSome(trigger)) => format!(
                "the trigger {trigger} sets `{cursor}` when some columns are updated: a change of others {found}"
            ),
            Some(SetBy::Default | SetBy::Writer) => format!(
                "only the application moves `{cursor}` when a row changes, no trigger: a change that leaves it as it \
                 is {found}"
            ),
            Some(SetBy::Generated) | None => format!("a change that leaves `{cursor}` as it is {found}"),
        })
    }
}

/// A time that tells of changes.
fn changed_at(schema: &TableSchema) -> Option<&str> {
    let is_time = |column: &&crate::schema::Column| {
        matches!(Cursor::kind_of(&column.column_type), Some(CursorKind::Moment | CursorKind::LocalTime))
    };
    let mut columns = schema.columns.iter().filter(|column| promises_changes(&column.name));
    columns.find(is_time).map(|column| column.name.as_str())
}

impl fmt::Display for LateRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overlap = span(self.overlap);
        match (self.overlap.is_zero(), self.by_time) {
            (true, _) => f.write_str("nothing below the watermark is read again; ")?,
            (false, true) => {
                write!(f, "what is committed within {overlap} of its cursor's time is read again; ")?
            }
            (false, false) => write!(
                f,
                "what is committed within {overlap} of drawing its cursor's value is read again (not where a \
                 sequence has a cache); "
            )?,
        }
        match self.compare_every {
            None => f.write_str("keys are never compared: what comes later is lost"),
            Some(every) if every.is_zero() => {
                f.write_str("each load compares all keys, which finds what came later")
            }
            Some(every) => {
                write!(f, "all keys are compared every {}, which finds what came later", span(every))
            }
        }
    }
}

fn span(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration).map_or_else(|_| "ever".to_owned(), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::{builtin, column, table};

    fn advice(set_by: Option<SetBy>) -> Advice {
        Advice {
            cursor: "updated_at".into(),
            indexed: true,
            unique: false,
            nullable: false,
            set_by,
            late_rows: late(3600, true, Some(86_400)),
        }
    }

    fn late(overlap_seconds: u64, by_time: bool, compare_every_seconds: Option<u64>) -> LateRows {
        LateRows {
            overlap: Duration::from_secs(overlap_seconds),
            by_time,
            compare_every: compare_every_seconds.map(Duration::from_secs),
        }
    }

    fn schema(columns: &[(&str, &str)]) -> TableSchema {
        let columns = columns.iter().zip(1..);
        table(&[], columns.map(|((name, of), number)| column(number, name, builtin(of, of))).collect())
    }

    #[test]
    fn the_guarantee_is_said_of_every_mechanism() {
        assert_eq!(
            late(3600, true, Some(86_400)).to_string(),
            "what is committed within 1h of its cursor's time is read again; all keys are compared every 24h, \
             which finds what came later"
        );
        assert_eq!(
            late(60, false, Some(0)).to_string(),
            "what is committed within 1m of drawing its cursor's value is read again (not where a sequence has \
             a cache); each load compares all keys, which finds what came later"
        );
        assert_eq!(
            late(0, true, None).to_string(),
            "nothing below the watermark is read again; keys are never compared: what comes later is lost"
        );
    }

    #[test]
    fn a_trigger_leaves_nothing_to_be_said_and_an_application_does() {
        assert_eq!(advice(Some(SetBy::Trigger("touch".into()))).of_changes(), None);
        let said = |set_by| advice(set_by).of_changes().expect("something is said");
        assert!(said(Some(SetBy::Default)).starts_with("only the application moves `updated_at`"));
        assert!(said(Some(SetBy::TriggerOfSome("touch".into()))).starts_with("the trigger touch sets"));
        for set_by in [None, Some(SetBy::Writer), Some(SetBy::Generated)] {
            assert!(said(set_by).ends_with("is found by `verify` alone"));
        }
    }

    #[test]
    fn appended_rows_that_may_change_and_cursors_that_may_step_back_are_told() {
        let told = |set_by, columns: &[(&str, &str)]| advice(Some(set_by)).of_inserts(&schema(columns));
        assert_eq!(told(SetBy::Default, &[("id", "int8"), ("updated_by", "text")]), [""; 0]);
        let notes = told(SetBy::Writer, &[("id", "int8"), ("updatedAt", "timestamp")]);
        assert!(notes[0].starts_with("only the application sets"), "{notes:?}");
        assert!(notes[0].ends_with("found when the keys are compared"), "{notes:?}");
        assert!(notes[1].starts_with("it has `updatedAt`"), "{notes:?}");
        let mut never = advice(Some(SetBy::Writer));
        never.late_rows.compare_every = None;
        assert!(never.of_inserts(&schema(&[]))[0].ends_with("lost: keys are never compared"));
    }
}

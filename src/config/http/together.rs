//! What of a service's row does not go together.

use super::{HttpPiece, HttpSettings, HttpType, HttpValue, OnNotFound};
use crate::config::{Keys, LoadSpec, Strategy, mistake::did_you_mean};

impl HttpSettings {
    /// Tells every contradiction; what follows from other keys is filled in.
    pub(super) fn hold_together(&self, keys: &Keys<'_>, spec: &mut LoadSpec) {
        if keys.has("work") && !self.has_strategy {
            // A batch of work is never the whole table.
            spec.strategy = Strategy::Merge;
        }
        self.names(keys, spec);
        self.increments(keys, spec);
        self.times(keys, spec);
        self.works(keys, spec);
    }

    /// `key` and `cursor` are columns.
    fn names(&self, keys: &Keys<'_>, spec: &LoadSpec) {
        if self.columns.is_empty() {
            return;
        }
        let known = || self.columns.iter().map(|column| column.name.as_str());
        for name in &spec.key {
            if !known().any(|column| column == name) {
                let hint =
                    did_you_mean(name, known()).unwrap_or_else(|| "`columns` says what there is".to_owned());
                keys.wrong_with_hint("key", format_args!("names `{name}`, which is no column"), hint);
            }
        }
        let Some(cursor) = &spec.cursor else { return };
        match self.columns.iter().find(|column| column.name == *cursor) {
            None => {
                let hint = did_you_mean(cursor, known())
                    .unwrap_or_else(|| "`columns` says what there is".to_owned());
                keys.wrong_with_hint("cursor", format_args!("is `{cursor}`, which is no column"), hint);
            }
            Some(column) => {
                let orders = matches!(
                    column.kind,
                    HttpType::Smallint
                        | HttpType::Integer
                        | HttpType::Bigint
                        | HttpType::Date
                        | HttpType::Timestamp
                        | HttpType::Timestamptz
                        | HttpType::Epoch
                        | HttpType::EpochMs
                        | HttpType::Text
                );
                if !orders {
                    keys.wrong(
                        "cursor",
                        "is a column that orders no rows: one of numbers, times or texts does",
                    );
                }
            }
        }
    }

    /// `append` and `merge` know rows by their keys, and what is new by the cursor.
    fn increments(&self, keys: &Keys<'_>, spec: &LoadSpec) {
        if spec.strategy == Strategy::Full {
            if spec.cursor.is_some() && keys.has("cursor") {
                keys.wrong("cursor", "is for `append` and `merge`: `full` asks for everything");
            }
            return;
        }
        if spec.key.is_empty() {
            keys.missing("key", "the columns by which a row that comes again is known: key = [\"id\"]");
        }
        // Without one nothing would tell what is new: what came would be taken for the whole table.
        if !keys.has("work") && spec.cursor.is_none() {
            keys.missing(
                "cursor",
                "the column by which rows are in order, whose greatest value is `{since}` the next time: `updated_at`, `id`",
            );
        }
    }

    /// `{since}`, `{date}`, `windows`, `from`.
    fn times(&self, keys: &Keys<'_>, spec: &LoadSpec) {
        let asked = self.asked();
        let asks = |is: fn(&HttpPiece) -> bool| asked.iter().any(|pattern| pattern.has(is));
        let of_columns = |is: fn(&HttpPiece) -> bool| {
            self.columns.iter().any(|column| matches!(&column.from, HttpValue::Asked(piece) if is(piece)))
        };
        match &self.windows {
            None => {
                if asks(HttpPiece::is_date) || of_columns(HttpPiece::is_date) {
                    keys.missing(
                        "windows",
                        "`{date}` is the day of a window: windows = \"1d\", from = \"2024-01-01\"",
                    );
                }
                if asks(HttpPiece::is_since) && spec.strategy == Strategy::Full {
                    let hint = "strategy = \"merge\", or `windows` and `from`".to_owned();
                    keys.wrong_with_hint("strategy", "is `full`, which has no `{since}`", hint);
                }
            }
            Some(windows) => {
                if self.from.is_none() {
                    keys.missing("from", "where the first window begins: from = \"2024-01-01\"");
                }
                if !asks(HttpPiece::is_window) {
                    let hint =
                        "parameters = { from = \"{since}\", to = \"{until}\" }, or path = \"/rates/{date}\"";
                    keys.wrong_with_hint("windows", "cut time, and no request asks for one", hint.to_owned());
                }
                let whole_days =
                    windows.length.as_secs().is_multiple_of(86_400) && windows.length.subsec_nanos() == 0;
                if asks(HttpPiece::is_date) && !whole_days {
                    keys.wrong("windows", "are no whole days, and `{date}` is the day of one");
                }
            }
        }
        if self.from.is_some() && keys.has("from") && self.windows.is_none() && !asks(HttpPiece::is_since) {
            keys.wrong("from", "is for `windows` and `{since}`");
        }
    }

    /// `work` and what is asked about it.
    fn works(&self, keys: &Keys<'_>, spec: &LoadSpec) {
        let is_asked = self.asked().iter().any(|pattern| pattern.has(HttpPiece::is_work));
        let in_columns =
            self.columns.iter().any(|column| matches!(&column.from, HttpValue::Asked(HttpPiece::Work(_))));
        if !keys.has("work") {
            if is_asked || in_columns {
                keys.missing(
                    "work",
                    "`{work.…}` is a column of its rows: work = \"select id, address from …\"",
                );
            }
            if self.on_not_found == OnNotFound::Row && keys.has("on_not_found") {
                keys.wrong("on_not_found", "is `row`, which is for `work`: of what else would it be");
            }
            return;
        }
        if !is_asked && keys.has("path") {
            let hint = "parameters = { q = \"{work.address}\" }".to_owned();
            keys.wrong_with_hint("work", "has rows, and no request asks about one", hint);
        }
        if spec.strategy == Strategy::Full {
            let hint = "strategy = \"merge\": a batch of work is never the whole table".to_owned();
            keys.wrong_with_hint("strategy", "is `full`, beside `work`", hint);
        }
        if self.windows.is_some() {
            keys.wrong("work", "is beside `windows`: the query says what is asked");
        }
        if self.on_not_found == OnNotFound::Row {
            let must = self.columns.iter().find(|column| {
                !matches!(column.from, HttpValue::Asked(_))
                    && (!column.nullable || spec.key.contains(&column.name))
            });
            if let Some(column) = must {
                let what = format!("is `row`, and `{}` may not be NULL", column.name);
                keys.wrong_with_hint(
                    "on_not_found",
                    what,
                    "bigint {work.id} takes it from the work".to_owned(),
                );
            }
        }
    }
}

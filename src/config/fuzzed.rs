//! What the fuzz tests ask of this module.

use super::{Mistakes, ModelSpec, header::SqlFile, mistake::Collector, model};
use crate::sql::Dialect;

/// A model's file, taken apart.
pub(crate) struct Apart {
    pub(crate) settings: String,
    pub(crate) sql: String,
    /// The line on which the SQL begins.
    pub(crate) line: usize,
}

/// A model's file, taken apart and read; `None`: its settings are no TOML.
pub(crate) fn model(name: &str, raw: &str) -> (Option<Apart>, Result<ModelSpec, Mistakes>) {
    let mistakes = Collector::default();
    let file = SqlFile::of(name, raw, &mistakes);
    let apart = file.as_ref().map(|file| Apart {
        settings: file.settings.document.raw().to_owned(),
        sql: file.sql.clone(),
        line: file.line,
    });
    let model = file.and_then(|file| model::read(&file, "analytics", Dialect::Postgres, &mistakes));
    (apart, mistakes.into_result(model))
}

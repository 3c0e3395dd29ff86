//! What the fuzz tests ask of this module.

use super::{Mistakes, ModelSpec, header::SqlFile, mistake::Collector, model};
use crate::sql::Dialect;

/// A model's file as it is taken apart: its settings' text, its SQL and the line on which that begins. And the model.
pub(crate) fn model(name: &str, raw: &str) -> (Option<(String, String, usize)>, Result<ModelSpec, Mistakes>) {
    let mistakes = Collector::default();
    let file = SqlFile::of(name, raw, &mistakes);
    let apart =
        file.as_ref().map(|file| (file.settings.document.raw().to_owned(), file.sql.clone(), file.line));
    let model = file.and_then(|file| model::read(&file, "analytics", Dialect::Postgres, &mistakes));
    (apart, mistakes.into_result(model))
}

//! `validate`: every mistake of the project, without a connection or a variable.

use serde::Serialize;

use super::{
    Context,
    complaint::{Complaint, JsonMistake},
    exit::Exit,
    quantity,
};
use crate::{config::Mistakes, dag};

#[derive(Debug, Serialize)]
struct Validation<'a> {
    mistakes: Vec<JsonMistake<'a>>,
}

/// Reads the project.
pub(super) fn validate(context: &Context) -> Result<Exit, Complaint> {
    let read = dag::read(&context.project, context.env.as_deref());
    if context.output.is_json() {
        let mistakes = read.as_ref().err().map_or(&[][..], |Mistakes(mistakes)| mistakes);
        context.output.json(&Validation { mistakes: mistakes.iter().map(Into::into).collect() })?;
        return Ok(if mistakes.is_empty() { Exit::Done } else { Exit::Usage });
    }
    let project = read?;
    let sources = quantity::count(project.sources.len(), "source");
    let files = quantity::count(project.loaders.len(), "file");
    let models = match project.models.len() {
        0 => String::new(),
        number => format!(", {}", quantity::count(number, "model")),
    };
    context.output.say(&format!("no mistakes in {sources} and {files} of loaders/{models}"));
    if project.loaders.is_empty() {
        context.output.say("hint: nothing is loaded yet; `barncat discover SOURCE --write` writes the rows");
    }
    Ok(Exit::Done)
}

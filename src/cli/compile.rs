//! `compile`: the SQL that a model or check becomes.

use serde::Serialize;

use super::{Context, args::Mode, complaint::Complaint, exit::Exit};
use crate::run;

#[derive(Serialize)]
struct Json<'a> {
    name: &'a str,
    file: &'a str,
    sql: &'a str,
}

/// Prints it.
pub(super) async fn compile(context: &Context, name: &str, mode: Mode) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let Some(select) = run::compile(&project, &environment, mode.into(), name).await? else {
        return Err(Complaint::usage(
            format!("`{name}` is neither a model nor a check"),
            Some("`barncat graph` shows what each task is".to_owned()),
        ));
    };
    if context.output.is_json() {
        context.output.json(&Json { name, file: &select.file, sql: &select.sql })?;
    } else {
        context.output.data(&format!("{};\n", select.sql))?;
    }
    Ok(Exit::Done)
}

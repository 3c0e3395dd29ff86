//! `graph`: what needs what.

use super::{
    Context,
    args::{OutputFormat, Selection},
    complaint::Complaint,
    exit::Exit,
};
use crate::{
    dag::render::{self, View},
    run,
};

/// Prints the graph of a selection.
pub(super) async fn graph(context: &Context, selection: Selection) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let request = run::Request {
        select: selection.select,
        exclude: selection.exclude,
        ..run::Request::of(run::Mode::Production)
    };
    let drawn = run::graph(&project, &environment, &request).await?;
    let view = View::new(&drawn.graph, &drawn.selected, &drawn.expected, &drawn.results)
        .with_unreachable(&drawn.unreachable);
    match context.output.format() {
        OutputFormat::Json => context.output.json(&render::json(&view))?,
        // The last is refused before.
        OutputFormat::Text | OutputFormat::Jsonl => context.output.data(&render::text(&view))?,
        OutputFormat::Mermaid => context.output.data(&render::mermaid(&view))?,
        OutputFormat::Dot => context.output.data(&render::dot(&view))?,
    }
    Ok(Exit::Done)
}

//! `backfill`: bring a range of a table's cursor again, chunk by chunk.

use std::num::NonZeroU64;

use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    Context, args::BackfillArgs, columns, complaint::Complaint, exit::Exit, progress::Progress, quantity,
    run::EVENTS_WAITING, style, summary,
};
use crate::{
    config,
    event::{BackfillOutcome, ChunkOutcome, TaskStatus},
    load::Wish,
    run::{self, BackfillRequest, Begin, PlannedBackfill},
    schema::CursorRange,
    source::Stride,
};

/// How many parts of a chunk are read at once, unless `--jobs` says otherwise.
pub(super) const PARTS: u32 = 4;

/// Up to so many chunks the summary tells one by one.
const CHUNKS_SHOWN: usize = 20;

/// What `--dry-run --output json` prints.
#[derive(Debug, Serialize)]
struct Json<'a> {
    task: String,
    place: &'a str,
    delete: bool,
    key: &'a [String],
    chunks: Vec<JsonChunk<'a>>,
    notes: Vec<String>,
}

/// A chunk of it.
#[derive(Debug, Serialize)]
struct JsonChunk<'a> {
    number: usize,
    #[serde(flatten)]
    range: &'a CursorRange,
    rows_expected: u64,
    condition: String,
}

/// Does a backfill, or shows what it would do.
pub(super) async fn backfill(context: &Context, args: BackfillArgs) -> Result<Exit, Complaint> {
    let stride = args.chunk.as_deref().map(stride).transpose()?;
    let wish = Wish { from: args.from, to: args.to, stride, delete: args.delete };
    let mode = args.mode.into();
    if args.dry_run {
        return dry_run(context, mode, &args.table, &wish).await;
    }
    let begin = match (args.resume, args.restart) {
        (true, _) => Begin::Resume,
        (_, true) => Begin::Restart(wish),
        _ => Begin::Anew(wish),
    };
    let request = BackfillRequest {
        table: args.table,
        mode,
        begin,
        parts: args.jobs as usize,
        rows_per_second: args.rows_per_second.and_then(NonZeroU64::new),
    };
    let (project, environment) = context.read()?;
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    let shown = tokio::spawn(Progress::new(context.live, &context.output).follow(receiver));
    let stop = context.stop.token.clone();
    let done = run::backfill(&project, &environment, &request, sender, stop).await;
    // The last lines are shown before anything else is written.
    let _ = shown.await;
    // Stopped before it began: the status is the signal's.
    let Some(outcome) = done? else { return Ok(Exit::Failed) };
    match context.output.is_json() {
        true => context.output.json(&outcome)?,
        false => context.output.data(&text(&outcome))?,
    }
    if let Some(error) = &outcome.error {
        context.output.error(&error.message, None, error.hint.as_deref());
    }
    if outcome.status != TaskStatus::Succeeded {
        let hint = style::paint(style::HINT, "hint:");
        let task = &outcome.task;
        context.output.say(&format!("{hint} `barncat backfill {task} --resume` goes on with it"));
    }
    Ok(match outcome.status {
        TaskStatus::Succeeded => Exit::Done,
        TaskStatus::Held => Exit::Held,
        _ => Exit::Failed,
    })
}

/// Rows, or a span of time.
fn stride(text: &str) -> Result<Stride, Complaint> {
    let rows = text.parse().ok().map(Stride::Rows);
    let seconds = || {
        let span = config::duration(text).filter(|span| span.subsec_nanos() == 0)?;
        NonZeroU64::new(span.as_secs()).map(Stride::Seconds)
    };
    rows.or_else(seconds).ok_or_else(|| {
        let hint = "`--chunk 100000` or `--chunk 1d`".to_owned();
        Complaint::usage(
            format!("`{text}` is neither a number of rows nor a span of whole seconds"),
            Some(hint),
        )
    })
}

async fn dry_run(context: &Context, mode: run::Mode, table: &str, wish: &Wish) -> Result<Exit, Complaint> {
    let (project, environment) = context.read()?;
    let planned = tokio::select! {
        biased;
        () = context.stop.token.cancelled() => return Ok(Exit::Failed),
        planned = run::plan_backfill(&project, &environment, mode, table, wish) => planned?,
    };
    match context.output.is_json() {
        true => context.output.json(&json(&planned))?,
        false => context.output.data(&planned_text(&planned))?,
    }
    Ok(Exit::Done)
}

fn notes(planned: &PlannedBackfill) -> Vec<String> {
    let mut notes = planned.plan.notes.clone();
    if let Some((_, chunks)) = &planned.unfinished {
        let done = chunks.iter().filter(|chunk| chunk.done.is_some()).count();
        notes.push(format!(
            "an earlier one is not finished, {done} of its {} chunks are done: `--resume` or `--restart`",
            chunks.len()
        ));
    }
    notes
}

fn json(planned: &PlannedBackfill) -> Json<'_> {
    let PlannedBackfill { spec, place, plan, .. } = planned;
    let chunks = plan.slices.iter().enumerate().map(|(place, slice)| JsonChunk {
        number: place + 1,
        range: &slice.range,
        rows_expected: slice.rows,
        condition: plan.condition(spec, &slice.range),
    });
    Json {
        task: spec.target.to_string(),
        place,
        delete: plan.wanted.delete,
        key: &plan.key,
        chunks: chunks.collect(),
        notes: notes(planned),
    }
}

fn planned_text(planned: &PlannedBackfill) -> String {
    let PlannedBackfill { spec, place, plan, .. } = planned;
    let chunks = plan.slices.iter().enumerate().map(|(place, slice)| {
        let condition = plan.condition(spec, &slice.range);
        vec![(place + 1).to_string(), quantity::exact(slice.rows), condition.replace('\n', " ")]
    });
    let mut text = columns::lay(&[">chunk", ">rows", "read WHERE"], chunks);
    let rows: u64 = plan.slices.iter().map(|slice| slice.rows).sum();
    let extra = match plan.wanted.delete {
        true if spec.deletes.mark().is_some() => "rows that the source does not have are marked as deleted",
        true => "rows that the source does not have are deleted",
        false => "rows that the source does not have are counted and stay (`--delete` takes them away)",
    };
    text.push_str(&format!(
        "\n{} of {}.{} in {}, merged into {} on {place} by ({}); {extra}\n",
        quantity::count(usize::try_from(rows).unwrap_or(usize::MAX), "row"),
        spec.source,
        spec.source_table,
        quantity::count(plan.slices.len(), "chunk"),
        spec.target,
        plan.key.join(", "),
    ));
    for note in notes(planned) {
        text.push_str(&format!("{} {note}\n", style::paint(style::WARNING, "!")));
    }
    text
}

/// What a backfill came to, as text for people.
fn text(outcome: &BackfillOutcome) -> String {
    let mut text = String::new();
    let done: Vec<&ChunkOutcome> = outcome.chunks.iter().filter_map(|chunk| chunk.done.as_ref()).collect();
    if outcome.chunks.len() <= CHUNKS_SHOWN && !done.is_empty() {
        let known = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), quantity::exact);
        let rows = outcome.chunks.iter().filter_map(|chunk| {
            let done = chunk.done.as_ref()?;
            Some(vec![
                chunk.number.to_string(),
                in_words(&chunk.range),
                known(done.rows_read),
                known(done.rows_written),
                known(done.rows_deleted),
                done.seconds.map_or_else(|| "?".to_owned(), quantity::duration),
            ])
        });
        text = columns::lay(&[">chunk", "cursor", ">read", ">written", ">deleted", ">time"], rows);
        text.push('\n');
    }
    let sum = |what: fn(&ChunkOutcome) -> Option<u64>| -> String {
        quantity::exact(done.iter().filter_map(|done| what(done)).sum())
    };
    for warning in &outcome.warnings {
        text.push_str(&format!("{} {warning}\n", style::paint(style::WARNING, "warning:")));
    }
    text.push_str(&format!(
        "backfill of {} {}: {} of {}, {} rows read, {} written, {} deleted in {}\n",
        outcome.task,
        summary::task_status_word(outcome.status),
        done.len(),
        quantity::count(outcome.chunks.len(), "chunk"),
        sum(|done| done.rows_read),
        sum(|done| done.rows_written),
        sum(|done| done.rows_deleted),
        quantity::duration(outcome.seconds),
    ));
    text
}

fn in_words(range: &CursorRange) -> String {
    let from = range.from.as_deref().map_or_else(String::new, |from| format!("from {from} "));
    let to = if range.to_included { "to" } else { "below" };
    format!("{from}{to} {}", range.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BackfilledChunk;

    #[test]
    fn a_chunk_is_a_number_of_rows_or_a_span() {
        let is = |text: &str| stride(text).ok();
        assert_eq!(is("100000"), NonZeroU64::new(100_000).map(Stride::Rows));
        assert_eq!(is("1d"), NonZeroU64::new(86_400).map(Stride::Seconds));
        assert!(["0", "-1", "0s", "10ms", "1.5s", "x", ""].into_iter().all(|text| is(text).is_none()));
    }

    #[test]
    fn what_a_dead_process_knew_is_a_question_mark() {
        let range = |from: Option<&str>, to: &str, to_included| CursorRange {
            from: from.map(str::to_owned),
            to: to.to_owned(),
            to_included,
        };
        let done = ChunkOutcome {
            load: "01L".to_owned(),
            rows_read: Some(500_000),
            rows_written: Some(12),
            rows_deleted: Some(1),
            rows_kept: Some(0),
            seconds: Some(4.2),
        };
        let chunk = |number, range, done| BackfilledChunk { number, range, rows_expected: 500_000, done };
        let dead = ChunkOutcome { rows_written: None, seconds: None, ..done.clone() };
        let outcome = BackfillOutcome {
            run: "01R".to_owned(),
            backfill: "01B".to_owned(),
            mode: "production".to_owned(),
            task: "raw_shop.orders".to_owned(),
            status: TaskStatus::Cancelled,
            chunks: vec![
                chunk(1, range(None, "500001", false), Some(dead)),
                chunk(2, range(Some("500001"), "1000001", false), Some(done)),
                chunk(3, range(Some("1000001"), "1200000", true), None),
            ],
            seconds: 4.5,
            warnings: vec!["1 row that the source does not have was left".to_owned()],
            error: None,
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&text(&outcome)).to_string());
    }
}

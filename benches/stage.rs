//! Extract and stage of one table, and no more: what a warehouse's way of writing rows costs.
//!
//! `stage postgres|redshift URL SCHEMA.TABLE FOLDER` reads the table as CSV for that warehouse into a stage in
//! the folder, and prints `wall seconds, own CPU seconds, peak memory in bytes`, separated by tabs. The
//! servers' share is measured by scripts/bench.sh, which calls this.

#![expect(clippy::print_stdout, reason = "its figures are read by a script")]

use std::{env, error::Error, fs, path::PathBuf, sync::Arc, time::Instant};

use barncat::{
    pg::{Endpoint, TlsSettings},
    schema::{Abilities, Format, PostgresAbilities, Selection, Shape, Wishes, shape},
    secret::Secret,
    source::{
        Extraction, LocalSlots, PartPlan, Snapshot, Source,
        postgres::{Options, PostgresSource},
    },
    sql::TableName,
    stage::{self, LoadPrefix, PartWriter, SharedStage, manifest::Compression},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// As the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As a load reads them.
const PARTS_AT_ONCE: usize = 4;
const PART_BYTES: u64 = 64 << 20;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [warehouse, url, table, folder] = &arguments[..] else {
        return Err(
            "usage: stage postgres|redshift URL SCHEMA.TABLE FOLDER (see scripts/bench.sh --stage)".into()
        );
    };
    let (schema, name) = table.split_once('.').ok_or("the table is written SCHEMA.TABLE")?;
    let table = TableName::new(schema, name);
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), ".".as_ref())?;
    let options =
        Options { name: "bench".into(), endpoint, allow_primary: false, max_lag: None, run: "bench".into() };
    let source = PostgresSource::new(options, Arc::new(LocalSlots::new(6)));
    let started = Instant::now();
    extract(&source, &table, warehouse, stage::local(PathBuf::from(folder))).await?;
    let wall = started.elapsed().as_secs_f64();
    println!("{wall:.2}\t{:.2}\t{}", cpu_seconds()?, peak_memory_bytes()?);
    Ok(())
}

async fn extract(
    source: &PostgresSource,
    table: &TableName,
    warehouse: &str,
    stage: SharedStage,
) -> Result<(), Failed> {
    let snapshot = source.open_snapshot().await.map_err(|error| error.to_string())?;
    let shape = shape_for(warehouse, &*snapshot, table).await?;
    let extraction = Extraction {
        table: table.clone(),
        columns: shape.columns.iter().map(|column| column.source_name.clone()).collect(),
        expressions: shape.columns.iter().map(|column| column.expression.clone()).collect(),
        condition: None,
        format: shape.format,
        csv: shape.csv.clone(),
        counted: shape.unfit.len(),
        by_index: false,
        part_bytes: PART_BYTES,
    };
    let plans = snapshot.plan_parts(&extraction).await.map_err(|error| error.to_string())?;
    let at_once = Arc::new(Semaphore::new(PARTS_AT_ONCE));
    let prefix = LoadPrefix::new("bench", "production", table, warehouse);
    let mut reading = JoinSet::new();
    for plan in plans {
        let key = prefix.part(plan.number, shape.format, Compression::Zstd);
        let (at_once, snapshot, stage) = (at_once.clone(), snapshot.clone(), stage.clone());
        reading.spawn(async move {
            let _turn = at_once.acquire_owned().await?;
            part(&*snapshot, plan, &stage, key).await
        });
    }
    while let Some(read) = reading.join_next().await {
        read??;
    }
    Ok(())
}

async fn shape_for(warehouse: &str, snapshot: &dyn Snapshot, table: &TableName) -> Result<Shape, Failed> {
    let schema = snapshot.describe(table).await.map_err(|error| error.to_string())?;
    let selected = Selection::default().apply(table, &schema)?;
    let version = snapshot.server_version();
    let abilities = match warehouse {
        "postgres" => Abilities::Postgres(PostgresAbilities { version, ..PostgresAbilities::default() }),
        "redshift" => Abilities::Redshift,
        other => return Err(format!("{other} is neither postgres nor redshift").into()),
    };
    let wishes = Wishes { format: Some(Format::Csv), ..Wishes::default() };
    Ok(shape(table, &selected.schema, version, &abilities, &wishes)?)
}

async fn part(
    snapshot: &dyn Snapshot,
    plan: PartPlan,
    stage: &SharedStage,
    key: String,
) -> Result<(), Failed> {
    let mut stream = snapshot.read(&plan).await.map_err(|error| error.to_string())?;
    let mut writer = PartWriter::create(stage, key, Compression::Zstd).await?;
    while let Some(chunk) = stream.next().await.map_err(|error| error.to_string())? {
        writer.write(&chunk.bytes, chunk.rows).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// What this process has used, from `/proc/self/stat`: user and system time, in ticks of which a second has 100.
fn cpu_seconds() -> Result<f64, Failed> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| {
        fields.get(at).and_then(|field| field.parse::<f64>().ok()).ok_or("no time in /proc/self/stat")
    };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn peak_memory_bytes() -> Result<u64, Failed> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

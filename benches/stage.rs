//! Extract and stage of one table, and no more: what a warehouse's way of writing rows costs.
//!
//! `stage postgres|redshift URL SCHEMA.TABLE ENDPOINT` reads the table as CSV for that warehouse into the bucket
//! `stage` of an S3 server, and prints `wall seconds, own CPU seconds, peak memory in bytes`, separated by tabs.
//! The servers' share is measured by scripts/bench.sh, which calls this. `stage serve FOLDER` is the S3 server,
//! in a process of its own; it prints its address.

#![expect(clippy::print_stdout, reason = "its figures are read by a script")]
#![expect(clippy::disallowed_methods, reason = "the S3 server's credentials are in the environment")]

use std::{env, error::Error, fs, io::Write, sync::Arc, time::Instant};

use barncat::{
    aws::{Access, Patience, S3Access},
    pg::{Endpoint, TlsSettings},
    schema::{Abilities, Format, PostgresAbilities, Selection, Shape, Wishes, shape},
    secret::Secret,
    source::{
        Extraction, LocalSlots, PartPlan, Snapshot, Source,
        postgres::{Options, PostgresSource},
    },
    sql::TableName,
    stage::{self, Encryption, LoadPrefix, PartWriter, SharedStage, manifest::Compression},
};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

/// As the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As a load reads them.
const PARTS_AT_ONCE: usize = 4;
const BUCKET: &str = "stage";
const NULL: &str = "~P5";
const PART_BYTES: u64 = 64 << 20;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [serve, folder] = &arguments[..]
        && serve == "serve"
    {
        return serve_s3(folder).await;
    }
    let [warehouse, url, table, endpoint_of_s3] = &arguments[..] else {
        return Err(
            "usage: stage postgres|redshift URL SCHEMA.TABLE ENDPOINT (see scripts/bench.sh --stage)".into(),
        );
    };
    let (schema, name) = table.split_once('.').ok_or("the table is written SCHEMA.TABLE")?;
    let table = TableName::new(schema, name);
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), ".".as_ref())?;
    let options =
        Options { name: "bench".into(), endpoint, allow_primary: false, max_lag: None, run: "bench".into() };
    let source = PostgresSource::new(options, Arc::new(LocalSlots::new(6)));
    let started = Instant::now();
    extract(&source, &table, warehouse, stage_in(endpoint_of_s3).await).await?;
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
    let snapshot =
        source.open_snapshot(barncat::event::Tier::Optional).await.map_err(|error| error.to_string())?;
    let shape = shape_for(warehouse, &*snapshot, table).await?;
    let extraction = Extraction {
        table: table.clone(),
        columns: shape.columns.iter().map(|column| column.source_name.clone()).collect(),
        expressions: shape.columns.iter().map(|column| column.expression.clone()).collect(),
        hashed: Vec::new(),
        arrive_as: Vec::new(),
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
    let mut shape = shape(table, &selected.schema, version, &abilities, &wishes)?;
    if warehouse == "redshift" {
        // A text of the load's own, as a load has it.
        shape.csv.null = NULL.to_owned();
    }
    Ok(shape)
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

async fn stage_in(endpoint: &str) -> SharedStage {
    let access = Access {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        patience: Patience::default(),
    };
    stage::s3(&S3Access { access, path_style: true }, BUCKET, "bench", Encryption::Bucket).await
}

/// Serves until it is killed.
async fn serve_s3(folder: &str) -> Result<(), Failed> {
    fs::create_dir_all(format!("{folder}/{BUCKET}"))?;
    let mut builder =
        S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).map_err(|error| format!("{error:?}"))?);
    builder.set_auth(SimpleAuth::from_single(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
    ));
    let service = builder.build();
    // One line a request, for whoever counts them; appended, so that the file may be emptied meanwhile.
    let requests = fs::OpenOptions::new().create(true).append(true).open(format!("{folder}/requests"))?;
    let requests = Arc::new(requests);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let (service, requests) = (service.clone(), requests.clone());
        let noted = service_fn(move |request: Request<Incoming>| {
            // In one write: other connections write too.
            let line = format!("{} {}\n", request.method(), request.uri());
            let _ = (&*requests).write_all(line.as_bytes());
            Service::call(&service, request)
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), noted));
    }
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

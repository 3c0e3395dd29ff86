//! The dashboard, the API and the metrics, on a control database that real runs have filled.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::service::{Answer, Service};
use crate::support::project::{Project, on_primary};

const SOURCE: &str = r#"CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 1000) n;
    CREATE TABLE fx (currency text PRIMARY KEY); INSERT INTO fx VALUES ('EUR');
    CREATE TABLE "<script>alert(1)</script>" (id int PRIMARY KEY);
    CREATE TABLE old_name (id int PRIMARY KEY);
    CREATE TABLE secret (id int PRIMARY KEY); REVOKE SELECT ON secret FROM barncat_source;"#;

const LOADERS: &str = r#"
[tables]
"*" = "full"
old_name = { strategy = "full", as = "new_name" }
orders = { strategy = "append", cursor = "id", compare_every = "0s", on_schema_change = "extend", checks = { row_count = { min = 1 }, not_null = ["note"] } }
"#;

const MODEL: &str = "/* barncat\ndeadline = \"23:59\"\nkey = [\"id\"]\nsoft = { fx = \"24h\" }\n*/\nselect o.id from orders o cross join fx f";

/// A project that ran three times: the schema changed in between, and one table cannot be read.
async fn scene() -> Project {
    let project = Project::new(SOURCE, LOADERS).await;
    // The deadline is near enough to be met.
    project.set_hour(18);
    project.write("sql/models/paid.sql", MODEL);
    project.write("sql/checks/never.sql", "select 1 where false");
    let (status, outcome) = project.try_run(&[]).await;
    assert_eq!(status, Some(0), "critical tasks are done: {outcome:#}");
    on_primary(&project, "ALTER TABLE orders ADD tip int; INSERT INTO orders VALUES (1001, NULL, 1)").await;
    project.try_run(&["--full"]).await;
    on_primary(&project, "INSERT INTO orders VALUES (1002, 'new', 1), (0, 'late', 2)").await;
    project.try_run(&[]).await;
    project
}

async fn ready(service: &Service) {
    service.until_ready("ready", |answer| answer.status == 200).await;
}

/// Asks until it is answered so.
async fn until(service: &Service, path: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = service.get(path).await;
        if is_it(&answer) {
            return answer;
        }
        assert!(Instant::now() < limit, "{path}: {}\n{}", answer.head, answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_page_shows_what_the_command_line_does() {
    let project = scene().await;
    let service = Service::start(&project, &[], &[]);
    ready(&service).await;
    let page = async |path: &str| {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.head.contains("content-type: text/html; charset=utf-8"), "{path}: {}", answer.head);
        assert_eq!(answer.text.matches("<script").count(), 1, "{path}: a name is no markup");
        // Where a name's line may break.
        answer.text.replace("<wbr>", "")
    };
    let today = page("/").await;
    for shown in ["raw.paid", "Deadlines", "raw.secret", "Incidents", "barncat why raw.secret"] {
        assert!(today.contains(shown), "{shown}: {today}");
    }
    let graph = page("/graph").await;
    assert!(graph.contains("class=\"edge soft\"") || graph.contains("class=\"edge soft path\""), "{graph}");
    assert!(graph.contains("Critical path"), "{graph}");
    let tables = page("/tables").await;
    assert!(tables.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "what a wildcard stands for: {tables}");
    assert!(tables.contains("/tables/raw.new_name") && !tables.contains("old_name"), "{tables}");
    assert!(page("/tables?q=ORD").await.contains("raw.orders"));
    assert!(!page("/tables?status=failed").await.contains("raw.orders"));
    let table = page("/tables/raw.orders").await;
    for shown in
        ["barncat restore raw.orders --load", "column `tip` was added", "Late rows", "row_count", "Over time"]
    {
        assert!(table.contains(shown), "{shown}: {table}");
    }
    page("/tables/raw.%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    let checks = page("/checks").await;
    assert!(checks.contains("not_null (note)") && checks.contains("1 of"), "{checks}");
    let runs = page("/runs").await;
    let run = runs
        .split("/runs/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a run is listed")
        .to_owned();
    let run = page(&format!("/runs/{run}")).await;
    for shown in ["Did not end well", "raw.secret", "may not read any column", "Timeline", "Compared with"] {
        assert!(run.contains(shown), "{shown}: {run}");
    }
    for (path, status) in [
        ("/runs/01NOTHING", 404),
        ("/tables/raw.nothing", 404),
        ("/graph?select=nothing", 404),
        ("/pages", 404),
    ] {
        assert_eq!(service.get(path).await.status, status, "{path}");
    }
    let style = service.get("/assets/dashboard.css").await;
    assert!(style.head.contains("immutable") && style.head.contains("text/css"), "{}", style.head);
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_answers_as_it_is_described() {
    let project = scene().await;
    let service = Service::start(&project, &[], &[]);
    ready(&service).await;
    let described = service.get("/api/v1/openapi.json").await.body;
    let run =
        service.get("/api/v1/runs?limit=1").await.body["runs"][0]["run"].as_str().expect("a run").to_owned();
    let mut asked = 0;
    for path in described["paths"].as_object().expect("paths").keys() {
        let address = path.replace("{run}", &run).replace("{name}", "raw.orders");
        let answer = service.get(&address).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.text);
        holds(&described, path, "200", &answer.body);
        asked += 1;
    }
    assert_eq!(asked, 9);
    for (address, path, status) in [
        ("/api/v1/runs?limit=0", "/api/v1/runs", 400),
        ("/api/v1/tasks?limit=many", "/api/v1/tasks", 400),
        ("/api/v1/runs/nothing", "/api/v1/runs/{run}", 404),
        ("/api/v1/runs/%00", "/api/v1/runs/{run}", 404),
        ("/api/v1/tables/raw.nothing", "/api/v1/tables/{name}", 404),
        ("/api/v1/graph?select=nothing", "/api/v1/graph", 404),
        ("/api/v1/graph?select=state:changed", "/api/v1/graph", 404),
    ] {
        let answer = service.get(address).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text);
        holds(&described, path, &status.to_string(), &answer.body);
    }
    // Page by page there is each once.
    let (mut names, mut offset) = (Vec::new(), Some(0));
    while let Some(at) = offset {
        let part = service.get(&format!("/api/v1/tasks?limit=2&offset={at}")).await.body;
        let tasks = part["tasks"].as_array().expect("tasks").clone();
        names.extend(tasks.iter().map(|task| task["task"].as_str().expect("a name").to_owned()));
        offset = part["next"].as_u64();
    }
    let whole = service.get("/api/v1/tasks").await.body;
    let whole: Vec<&str> =
        whole["tasks"].as_array().expect("tasks").iter().filter_map(|task| task["task"].as_str()).collect();
    assert_eq!(names, whole);
    let (mut runs, mut before) = (0, String::new());
    loop {
        let part = service.get(&format!("/api/v1/runs?limit=1{before}")).await.body;
        runs += part["runs"].as_array().map_or(0, Vec::len);
        match part["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(runs, 3);
    assert_eq!(service.stop().await, Some(0));
}

/// Fails unless an answer is as it is described.
fn holds(described: &Value, path: &str, status: &str, answer: &Value) {
    let schema =
        &described["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path}: {status} is not described");
    let mut whole = schema.clone();
    whole["components"] = described["components"].clone();
    let validator = jsonschema::draft202012::new(&whole).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{path}: {wrong:#?}\n{answer:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_agree_with_the_control_database() {
    let project = scene().await;
    let service = Service::start(&project, &[], &[]);
    ready(&service).await;
    let first = service.get("/metrics").await;
    assert!(first.head.contains("openmetrics-text"), "{}", first.head);
    let sql = "SELECT count(*)::text FROM control.check_results";
    assert_ne!(super::control(&project, sql).await, ["0"]);
    for line in [
        "barncat_control_up 1.0",
        "barncat_task_state{kind=\"load\",tier=\"optional\",status=\"failed\"} 1.0",
        "barncat_table_load_rows{table=\"raw.fx\",tier=\"optional\"} 1.0",
        "barncat_deadline_state{task=\"raw.paid\",state=\"met\"} 1.0",
        "barncat_incidents_open{tier=\"optional\",kind=\"failed\"} 1.0",
        "barncat_runs_running 0.0",
    ] {
        assert!(first.text.contains(line), "{line}\n{}", first.text);
    }
    project.try_run(&[]).await;
    let counted = |answer: &Answer| answer.text.contains("barncat_runs_total{status=\"failed\"} 1");
    let after = until(&service, "/metrics", counted).await;
    let of = |name: &str| -> f64 {
        let lines = after.text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    let last = "(SELECT run FROM control.runs ORDER BY started_at DESC LIMIT 1)";
    let in_database =
        super::control(&project, &format!("SELECT count(*)::text FROM control.tasks WHERE run = {last}"))
            .await;
    assert_eq!(in_database, [format!("{}", of("barncat_tasks_total"))], "{}", after.text);
    let rows = format!(
        "SELECT coalesce(sum(rows), 0)::text FROM control.tasks WHERE run = {last} AND status = 'succeeded'"
    );
    assert_eq!(
        super::control(&project, &rows).await,
        [format!("{}", of("barncat_rows_total"))],
        "{}",
        after.text
    );
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_hears_that_something_happened() {
    let project = scene().await;
    let service = Service::start(&project, &[], &[]);
    ready(&service).await;
    let mut stream = TcpStream::connect(service.address().await).await.expect("it listens");
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    heard(&mut stream, "event: pulse").await;
    let hold = project.barncat(&["hold", "orders", "--for", "1h"], &[]).await;
    assert!(hold.status.success(), "{hold:?}");
    heard(&mut stream, "event: pulse").await;
    let table = until(&service, "/tables/raw.orders", |answer| answer.text.contains("on hold since")).await;
    assert!(table.text.contains("barncat release raw.orders"), "{}", table.text);
    assert_eq!(service.stop().await, Some(0));
}

async fn heard(stream: &mut TcpStream, what: &str) {
    let mut text = String::new();
    let heard = async {
        let mut buffer = [0; 4096];
        while !text.contains(what) {
            let read = stream.read(&mut buffer).await.expect("the stream goes on");
            assert_ne!(read, 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard).await.unwrap_or_else(|_| panic!("no `{what}`"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_run_each_page_says_what_to_do() {
    let project = Project::new(SOURCE, LOADERS).await;
    let service = Service::start(&project, &[], &[]);
    ready(&service).await;
    for (path, said) in [
        ("/", "Nothing has run yet"),
        ("/graph", "raw.orders"),
        ("/tables", "never run"),
        ("/tables/raw.orders", "It has not run yet"),
        ("/runs", "Nothing has run yet"),
        ("/checks", "No check has been asked yet"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.contains(said), "{path}: {}", answer.text);
    }
    assert_eq!(service.stop().await, Some(0));
}

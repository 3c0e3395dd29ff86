//! Projects with services: what is read of them, and every mistake with its place.

use std::{fs, time::Duration};

use crate::config::{
    LoadSpec, Project, Strategy,
    http::{
        HttpAuth, HttpFormat, HttpMethod, HttpPageSize, HttpPages, HttpPiece, HttpTime, HttpType, HttpValue,
        OnNotFound,
    },
    read,
};

const BASE: &str = "[project]
name = \"deliveries\"

[stage]
url = \"file:./stage\"

[warehouse]
kind = \"postgres\"
url = \"${WAREHOUSE_URL}\"
schema = \"analytics\"

[sources.fx]
kind = \"http\"
";

const URL: &str = "url = \"https://api.fx.example/v1\"\n";

fn project(source: &str, loader: &str) -> Result<Project, String> {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("barncat.toml", &format!("{BASE}{source}"));
    write("mock/rates.json", "[]");
    write("sql/work/todo.sql", "select id, address\nfrom todo where not id in (select id from geo)");
    if !loader.is_empty() {
        write("loaders/fx.toml", loader);
    }
    read(dir.path(), None).map_err(|mistakes| mistakes.to_string())
}

fn loads(rows: &str) -> Result<Vec<LoadSpec>, String> {
    let loader = format!("source = \"fx\"\ninto = \"raw_fx\"\n[tables]\n{rows}");
    project(URL, &loader).map(|project| project.named_loads())
}

#[test]
fn a_service_is_read_with_what_holds_where_nothing_is_said() {
    let plain = project(URL, "").unwrap();
    let source = &plain.sources["fx"];
    let service = source.service().unwrap();
    assert_eq!((source.connections, service.attempts, service.response_limit), (4, 4, 8 << 20));
    assert!(service.auth.is_none() && service.mock.is_none() && !service.limits.is_any());
    assert!(!service.allow_http && !service.allow_private);
    let all = "url = \"http://127.0.0.1:${PORT}/\"\nallow_http = true\nallow_private = true\nconnections = 1
auth = { header = { name = \"X-Key\", value = \"${KEY}\" } }
headers = { Accept-Language = \"en\" }
limits = { second = 5, day = 1000 }\nlimits_timezone = \"America/New_York\"
redirects = [\"CDN.fx.example\"]\nerror_when = \"$.error\"\nprobe = \"/ping\"\nresponse_limit = \"1 MB\"
mock = { \"/rates/{day}\" = \"mock/{day}.json\", \"/items?page=2\" = \"mock/rates.json\" }";
    let all = project(all, "").unwrap();
    let service = all.sources["fx"].service().unwrap();
    assert!(matches!(&service.auth, Some(HttpAuth::Header { name, .. }) if name == "X-Key"));
    assert_eq!(service.headers[0].0, "accept-language");
    assert_eq!(service.limits.in_words(), "5 a second, 1000 a day (America/New_York)");
    assert_eq!(
        (service.redirects[0].as_str(), service.error_when.as_deref()),
        ("cdn.fx.example", Some("$.error"))
    );
    assert_eq!(service.mock.as_ref().unwrap().len(), 2);
}

#[test]
fn what_is_wrong_with_a_service_is_told_all_at_once() {
    let source = "url = \"http://user:hunter2@api.fx.example/v1?key=1\"
auth = { bearer = \"${T}\", query = { name = \"key\" } }
headers = { Host = \"x\", \"a b\" = \"c\" }
limits = { minute = 60, hour = 10, weak = 1 }
limits_timezone = \"New York\"
read_timeout = \"10m\"
response_limit = \"2 GB\"
redirects = [\"https://cdn.fx.example\"]
error_when = \"error\"
probe = \"ping\"
conections = 3
mock = { rates = \"mock/rates.json\", \"/a\" = \"mock/none.json\", \"/b/{day}\" = \"mock/{date}.json\" }
";
    let told = project(source, "").unwrap_err();
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn a_table_is_read_with_what_its_file_says_for_all() {
    let loader = "source = \"fx\"
into = \"raw_fx\"
[defaults]
paging = { page = \"page\", size = { parameter = \"per_page\", records = 100 } }
parameters = { base = \"EUR\", limit = 10 }
[tables]
rates = { path = \"/rates/{date}\", records = \"$.rates[*]\", columns = { day = \"date {date}\", code = \"text\", rate = \"numeric(18, 8) $.mid\" }, key = [\"day\", \"code\"], strategy = \"merge\", cursor = \"day\", windows = \"1d\", from = \"2024-01-01\" }
found = { path = \"/search\", parameters = { limit = 20 }, body = { query = \"since {since.unix}\", tags = [\"a\", 1] }, format = \"ndjson\", columns = { id = \"bigint\", at = \"timestamptz epoch_ms $.t\" }, key = [\"id\"], strategy = \"append\", cursor = \"at\", paging = { link = true } }
all = { path = \"/all\", as = \"everything\", columns = { id = { type = \"uuid\", null = false }, doc = \"jsonb $\" } }
old = \"skip\"
";
    let project = project(URL, loader).unwrap();
    assert_eq!(project.loaders[0].schema, "fx");
    let loads = project.named_loads();
    let names: Vec<String> =
        loads.iter().map(|load| format!("{} {}", load.source_table, load.target)).collect();
    assert_eq!(names, ["fx.rates raw_fx.rates", "fx.found raw_fx.found", "fx.all raw_fx.everything"]);
    let of = |number: usize| loads[number].http.as_ref().unwrap();
    let rates = of(0);
    assert_eq!(rates.request.path.pieces[1], HttpPiece::Date);
    assert_eq!(rates.columns[0].from, HttpValue::Asked(HttpPiece::Date));
    assert_eq!(rates.columns[1].from, HttpValue::Path("$.code".to_owned()));
    assert_eq!(rates.columns[2].kind, HttpType::Numeric(Some((18, 8))));
    assert_eq!(rates.columns.iter().map(|column| column.nullable).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(rates.windows.as_ref().unwrap().length, Duration::from_secs(86_400));
    assert_eq!(rates.from.unwrap().to_string(), "2024-01-01T00:00:00Z");
    let size = Some(HttpPageSize { parameter: Some("per_page".to_owned()), records: 100 });
    assert_eq!(rates.paging.way, HttpPages::Page { parameter: "page".to_owned(), first: 1, size });
    let found = of(1);
    assert_eq!((found.request.method, found.format), (HttpMethod::Post, HttpFormat::Ndjson));
    let parameters: Vec<_> =
        found.request.parameters.iter().map(|(name, value)| (name.as_str(), value.text.as_str())).collect();
    assert_eq!(parameters, [("base", "EUR"), ("limit", "20")]);
    let body = found.request.body.as_ref().unwrap();
    assert!(body.patterns().iter().any(|text| text.pieces.contains(&HttpPiece::Since(HttpTime::Unix))));
    assert_eq!(found.paging.way, HttpPages::Link);
    assert_eq!((of(2).records.as_str(), of(2).columns[0].nullable), ("$[*]", false));
    assert_eq!(loads[2].strategy, Strategy::Full);
}

#[test]
fn work_is_read_from_the_row_or_from_a_file() {
    let rows = "geo = { work = \"sql/work/todo.sql\", path = \"/geocode\", parameters = { q = \"{work.address}\" }, records = \"$\", columns = { id = \"bigint {work.id}\", lat = \"double precision\" }, key = [\"id\"], on_not_found = \"row\", repeat = \"until empty\", rounds = 7 }
one = { work = \"select id from todo;\", path = \"/one/{work.id}\", columns = { id = \"bigint\" }, key = [\"id\"] }
";
    let loads = loads(rows).unwrap();
    let geo = loads[0].http.as_ref().unwrap();
    let work = geo.work.as_ref().unwrap();
    assert_eq!((work.rounds, work.until_empty, work.repeat_for), (7, true, Duration::from_secs(1800)));
    assert_eq!((work.statement.file.as_str(), work.statement.line), ("sql/work/todo.sql", 1));
    let read: Vec<_> =
        work.statement.query.as_ref().unwrap().tables().map(|table| table.name.as_str()).collect();
    assert_eq!(read, ["todo", "geo"]);
    assert_eq!((geo.on_not_found, loads[0].strategy), (OnNotFound::Row, Strategy::Merge));
    let one = loads[1].work().unwrap();
    assert_eq!(
        (one.sql.as_str(), one.file.as_str(), one.line),
        ("select id from todo", "loaders/fx.toml", 5)
    );
}

#[test]
fn what_is_for_replicas_is_refused_with_what_to_write_instead() {
    let loader = "source = \"fx\"
schema = \"public\"
consistent = [[\"a\", \"b\"]]
[defaults]
where = \"a > 1\"
[tables]
\"*\" = \"full\"
a = \"full\"
b = { path = \"/b\", columns = { id = \"bigint\" }, deletes = \"detect\", compare_every = \"1h\", exclude = [\"c\"], varchar = \"measured\" }
";
    insta::assert_snapshot!(project(URL, loader).unwrap_err());
}

#[test]
fn what_is_wrong_with_a_table_is_told_all_at_once() {
    let rows = "no_path = { columns = { id = \"bigint\" } }
no_columns = { path = \"/a\" }
unknown = { path = \"/a/{dat}?x=1\", columns = { id = \"bigin\", b = 3, c = \"text a.b\", d = { type = \"text $.d\", paht = \"$.x\" } }, parametres = {} }
no_key = { path = \"/a\", columns = { id = \"bigint\", at = \"timestamptz\" }, strategy = \"merge\", parameters = { after = \"{since}\" } }
wrong_key = { path = \"/a\", columns = { id = \"bigint\", doc = \"jsonb\" }, strategy = \"append\", key = [\"idd\"], cursor = \"doc\" }
two_ways = { path = \"/a\", columns = { id = \"bigint\" }, paging = { link = true, page = \"p\", parameter = \"x\" } }
no_way = { path = \"/a\", columns = { id = \"bigint\" }, paging = \"link\" }
since_full = { path = \"/a\", columns = { id = \"bigint\" }, parameters = { after = \"{since}\" }, records = \"data[*]\" }
no_window = { path = \"/a/{date}\", columns = { id = \"bigint\" } }
unasked = { path = \"/a\", columns = { id = \"bigint\" }, windows = \"1h\", from = \"yesterday\" }
body = { path = \"/a\", columns = { id = \"bigint\" }, method = \"GET\", body = { a = \"{b}\" }, form = { a = \"1\" } }
";
    insta::assert_snapshot!(loads(rows).unwrap_err());
}

#[test]
fn what_is_wrong_with_work_is_told_all_at_once() {
    let rows = "no_work = { path = \"/a/{work.id}\", columns = { id = \"bigint\" }, rounds = 3, on_not_found = \"row\" }
unasked = { work = \"select id from todo\", path = \"/a\", columns = { id = \"bigint\" }, key = [\"id\"], rounds = 3 }
no_select = { work = \"delete from todo\", path = \"/a/{work.id}\", columns = { id = \"bigint\" }, key = [\"id\"] }
no_file = { work = \"sql/work/none.sql\", path = \"/a/{work.id}\", columns = { id = \"bigint\" }, key = [\"id\"] }
whole = { work = \"select id from todo\", path = \"/a/{work.id}\", columns = { id = \"bigint\" }, strategy = \"full\" }
no_row = { work = \"select id from todo\", path = \"/a/{work.id}\", columns = { id = \"bigint\" }, key = [\"id\"], on_not_found = \"row\" }
";
    insta::assert_snapshot!(loads(rows).unwrap_err());
}

#[test]
fn a_file_of_a_misspelt_service_is_read_as_one_of_a_service() {
    let loader = "source = \"fxx\"\n[tables]\nrates = { path = \"/rates\", columns = { day = \"date\" } }\n";
    let told = project(URL, loader).unwrap_err();
    assert_eq!(told, "error: there is no source `fxx`\n  loaders/fx.toml:1:1\nhint: did you mean `fx`?");
}

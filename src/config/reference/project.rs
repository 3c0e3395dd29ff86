//! Projects that have something of everything, so that every key is asked for.

use std::{fs, path::Path};

use crate::config::read as read_project;

pub(super) const WAREHOUSES: [&str; 4] = [
    "kind = \"postgres\"\nurl = \"${W}\"\n[warehouse.tls]\nmode = \"require\"\n",
    "kind = \"redshift\"\nworkgroup = \"w\"\ndatabase = \"d\"\ncopy_role = \"default\"\n",
    "kind = \"redshift\"\ntransport = \"wire\"\nurl = \"postgres://u:p@h/d\"\ncopy_role = \"default\"\n",
    "kind = \"redshift\"\ntransport = \"wire\"\nhost = \"h\"\ncluster = \"c\"\ndatabase = \"d\"\ncopy_role = \"default\"\n",
];

const SLACKS: [&str; 2] = ["token = \"t\"\nchannel = \"c\"", "webhook = \"https://x\""];

/// `#…` marks where a line of a section may be put.
const PROJECT: &str = r##"[project]
name = "p"
#[project]
[sources.NAME]
kind = "postgres"
url = "${S}"
#[sources.NAME]
[sources.NAME.tls]
mode = "require"
#tls
[sources.SERVICE]
kind = "http"
url = "https://api.x"
#[sources.SERVICE]
[sources.SERVICE.auth.basic]
user = "u"
password = "p"
[sources.SERVICE.tls]
ca = "ca.pem"
[sources.SERVICE.limits]
second = 1
[sources.OTHER]
kind = "http"
url = "https://api.x"
[sources.OTHER.auth.header]
name = "n"
value = "v"
[sources.ANOTHER]
kind = "http"
url = "https://api.x"
[sources.ANOTHER.auth.query]
name = "n"
value = "v"
[stage]
url = "s3://bucket/stage"
#[stage]
[stage.keep]
#keep
[warehouse]
#[warehouse]
WAREHOUSE
[control]
url = "${C}"
[control.tls]
mode = "require"
[tasks.NAME]
command = ["true"]
#[tasks.NAME]
[hooks.NAME]
on = ["task.failed"]
command = ["true"]
#[hooks.NAME]
[schedules.NAME]
cron = "0 1 * * *"
#[schedules.NAME]
[history]
#[history]
[alerts]
#[alerts]
[alerts.slack]
SLACK
[alerts.pagerduty]
key = "k"
[alerts.webhook]
url = "https://x"
[alerts.routes.NAME]
tag = "x"
"##;

const LOADER: &str = r##"source = "NAME"
#A loader's file
[tables]
t = "full"
[defaults]
tags = ["x"]
[tables.TABLE]
#A table's row
[tables.TABLE.deadline]
at = "06:00"
days = ["mon"]
#deadline
[tables.TABLE.redshift]
dist = "all"
#redshift
[tables.TABLE.checks]
not_null = { columns = ["COLUMN"] }
accepted_values = { COLUMN = { values = ["a"] } }
relationship = { COLUMN = { to = "t.id" } }
range = { COLUMN = { min = 1 } }
freshness = { max = "1h" }
match_source = { by = "count" }
#Of each kind, and of all beside them
[tables.TABLE.checks.unique]
columns = ["COLUMN"]
[tables.TABLE.checks.row_count]
min = 1
#row_count
[tables.TABLE.checks.anomalies]
of = ["rows", "nulls", "freshness"]
#anomalies
[tables.MARKED]
strategy = "merge"
cursor = "id"
deletes = "mark"
[tables.MARKED.redshift]
sort = "auto"
[tables.MARKED.checks]
unique = ["a"]
"##;

const SERVICE: &str = r##"source = "SERVICE"
[tables.ASKED]
path = "/a"
parameters = { since = "{since}" }
key = ["a"]
strategy = "merge"
cursor = "a"
#A service's table
[tables.ASKED.columns]
a = "bigint"
[tables.ASKED.columns.COLUMN]
type = "text"
#columns
[tables.ASKED.paging]
page = "p"
#paging
[tables.ASKED.paging.size]
records = 1
[tables.CUT]
path = "/{date}"
from = "2024-01-01"
key = ["a"]
strategy = "merge"
cursor = "a"
columns = { a = "date" }
[tables.CUT.windows]
length = "1d"
#windows
[tables.WORKED]
work = "select a from t"
repeat = "until empty"
path = "/{work.a}"
key = ["a"]
columns = { a = "bigint" }
#work
"##;

const MODEL: &str = "/* barncat
needs = []
#Of models, checks and commands
#Of models
[deadline]
at = \"06:00\"
[redshift]
dist = \"all\"
[checks]
unique = [\"a\"]
*/
select a from t
";

const GROWING: &str = "/* barncat
kind = \"incremental\"
key = [\"a\"]
cursor = \"a\"
since = \"0\"
*/
select a from t where a > :since
";

const CHECK: &str = "/* barncat
on = [\"t\"]
#Of checks
*/
select 1 from t
";

/// One of them.
#[derive(Default)]
pub(super) struct Variant {
    pub(super) warehouse: usize,
    pub(super) slack: usize,
    /// A line is put where this is marked.
    pub(super) marker: &'static str,
    pub(super) line: String,
}

/// The mark of a section, if there is one.
pub(super) fn marker(title: &'static str) -> Option<&'static str> {
    let is_there = |text: &&str| text.contains(&format!("#{title}\n"));
    [PROJECT, LOADER, SERVICE, MODEL, CHECK].iter().any(is_there).then_some(title)
}

/// Reads all of them: mistakes do not matter here, keys are asked for all the same.
pub(super) fn read_all() {
    for warehouse in 0..WAREHOUSES.len() {
        for slack in 0..SLACKS.len() {
            let variant = Variant { warehouse, slack, ..Default::default() };
            let _ = with(&variant, |folder| read_project(folder, None));
        }
    }
}

/// What is read of one, without places; or its mistakes.
pub(super) fn read(variant: &Variant) -> Result<String, String> {
    let project = with(variant, |folder| read_project(folder, None));
    let mut project = project.map_err(|mistakes| mistakes.to_string())?;
    project.dir = "folder".into();
    Ok(without_places(&format!("{project:?}")))
}

/// Lines and columns, and where templates stand, are others once a line is put in.
fn without_places(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = ["line: ", "column: ", "Template("].iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, behind) = rest.split_at(at);
        let end = behind.find([',', ')', '}']).unwrap_or(behind.len());
        kept.push_str(before);
        rest = &behind[end..];
    }
    kept + rest
}

fn with<T>(variant: &Variant, read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let text = text
            .replace("WAREHOUSE\n", WAREHOUSES[variant.warehouse])
            .replace("SLACK\n", &format!("{}\n", SLACKS[variant.slack]))
            .replace(&format!("#{}\n", variant.marker), &format!("{}\n", variant.line));
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("barncat.toml", PROJECT);
    write("loaders/shop.toml", LOADER);
    write("loaders/service.toml", SERVICE);
    write("sql/models/MODEL.sql", MODEL);
    write("sql/models/GROWING.sql", GROWING);
    write("sql/checks/CHECK.sql", CHECK);
    read(folder.path())
}

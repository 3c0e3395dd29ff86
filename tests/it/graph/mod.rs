//! Models, checks and commands in one graph with loads, by the built binary.

mod changed;
mod commands;
mod hooks;
mod models;
mod removed;
mod resumed;
mod sample;
mod soft;
mod starvation;
mod test_mode;
mod unreachable;

use serde_json::Value;

use crate::support::project::Project;

/// Three tables to make models of.
const SOURCE: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, rider_id int, fee numeric(9,2), at timestamptz NOT NULL);
    INSERT INTO orders SELECT n, n % 7, n / 4.0, '2026-01-01Z'::timestamptz + n * INTERVAL '1 s' FROM generate_series(1, 500) n;
    CREATE TABLE riders (id int PRIMARY KEY, name text);
    INSERT INTO riders SELECT n, 'rider ' || n FROM generate_series(0, 6) n;
    CREATE TABLE rates (currency text PRIMARY KEY, rate numeric(9,4));
    INSERT INTO rates VALUES ('EUR', 1.1), ('GBP', 1);";

const LOADERS: &str = "[tables]\norders = \"full\"\nriders = \"full\"\nrates = \"full\"\n";

/// A task's status by its name without the schema.
fn status<'a>(outcome: &'a Value, name: &str) -> &'a str {
    let tasks = outcome["tasks"].as_array().expect("a run has tasks");
    let is_its =
        |task: &&Value| task["task"].as_str().is_some_and(|full| full.rsplit('.').next() == Some(name));
    let task = tasks.iter().find(is_its).unwrap_or_else(|| panic!("no {name} in {outcome:#}"));
    task["status"].as_str().expect("a task has a status")
}

fn model(project: &Project, name: &str, sql: &str) {
    project.write(&format!("sql/models/{name}.sql"), sql);
}

/// A table, a table of it, a view, and one that grows.
fn write_models(project: &Project) {
    model(
        project,
        "fees",
        "/* barncat\nkey = [\"rider_id\"]\ndescription = \"What riders got\"\ncolumns = { owed = \"in pounds\" }\n*/\n\
         select o.rider_id, count(*) as deliveries, sum(o.fee) as owed from orders o group by o.rider_id;\n",
    );
    model(
        project,
        "named",
        "select r.name, f.owed from fees f join raw.riders r on r.id = f.rider_id -- by name\n",
    );
    model(project, "best", "/* barncat\nkind = \"view\"\n*/ select name from named where owed > 100");
    model(
        project,
        "grown",
        "/* barncat\nkind = \"incremental\"\nkey = [\"id\"]\ncursor = \"at\"\nsince = \"1970-01-01\"\n*/\n\
         select id, fee, at from orders where at > :since",
    );
}

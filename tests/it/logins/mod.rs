//! Logins that are fetched or made anew each time: `password_secret` and `auth = "iam"`.

mod iam;
mod rotation;

use crate::support::{project::Project, variable};

/// What a program of AWS finds its credentials by.
fn credentials() -> [(&'static str, String); 4] {
    [
        ("AWS_ACCESS_KEY_ID", variable("AWS_ACCESS_KEY_ID")),
        ("AWS_SECRET_ACCESS_KEY", variable("AWS_SECRET_ACCESS_KEY")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ]
}

/// Tables, and one that takes its time: its parts are read while others come and go.
const SOURCE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    INSERT INTO orders SELECT n, 'is ' || n FROM generate_series(1, 1000) n;
    CREATE TABLE riders (id int PRIMARY KEY); INSERT INTO riders SELECT generate_series(1, 50);
    CREATE FUNCTION slowly(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; END';
    CREATE VIEW slow_one AS SELECT slowly(id) AS id FROM generate_series(1, 20) id;
    CREATE VIEW slow_two AS SELECT slowly(id) AS id FROM generate_series(1, 20) id;
    CREATE VIEW slow_three AS SELECT slowly(id) AS id FROM generate_series(1, 20) id;";

const LOADERS: &str = "[tables]\nslow_one = \"full\"\nslow_two = \"full\"\nslow_three = \"full\"\norders = \"full\"\nriders = \"full\"\n";

const TABLES: [&str; 5] = ["orders", "riders", "slow_one", "slow_two", "slow_three"];

/// The project's file, with what is said of each server.
fn write(project: &Project, source: &str, warehouse: &str, control: &str) {
    project.write(
        "barncat.toml",
        &format!(
            "[project]\nname = \"tests\"\n\n[sources.shop]\nkind = \"postgres\"\n{source}\n\n[stage]\nurl = \"file:./stage\"\n\n\
             [warehouse]\nkind = \"postgres\"\nschema = \"raw\"\n{warehouse}\n\n[control]\n{control}\n"
        ),
    );
}

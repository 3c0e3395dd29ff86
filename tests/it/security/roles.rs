//! The roles that `barncat doctor --roles` prints, made by psql from what is printed, and used to do harm.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use tokio_postgres::Client;

use crate::support::{
    connect_to, new_name,
    project::{INTO, Project, on_primary},
    variable,
    warehouse::Database,
};

/// A password for roles of these tests alone.
const PASSWORD: &str = "hunter2-of-the-tests";

/// What no role of barncat's may do to the server, whatever it may do to its own tables.
const ON_THE_SERVER: &[&str] = &[
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/barncat-was-here'",
    "SELECT * FROM pg_authid",
    "SELECT passwd FROM pg_shadow",
    "CREATE ROLE barncat_intruder",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE postgres PASSWORD 'x'",
    "GRANT pg_read_all_data TO CURRENT_USER",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "GRANT pg_execute_server_program TO CURRENT_USER",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "CREATE DATABASE barncat_intruder",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_physical_replication_slot('barncat_intruder')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres' AND datname = current_database()",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE internal AS 'int4pl'",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS 'x', 'y'",
    "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE TABLE public.barncat_intruder (id int)",
    "UPDATE pg_catalog.pg_class SET relname = relname",
    "SET session_replication_role = 'replica'",
];

fn url_as(role: &str, url: &str) -> String {
    let (_, place) = url.rsplit_once('@').expect("an address names its role");
    format!("postgres://{role}:{PASSWORD}@{place}")
}

/// What `doctor --roles` prints for one part.
async fn printed(project: &Project, part: &str, variables: &[(&str, &str)]) -> String {
    let output = project.barncat(&["doctor", "--roles", "--output", "json"], variables).await;
    let roles: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut all = roles["roles"].as_array().expect("a list").iter();
    let script = all.find(|script| script["part"] == part).unwrap_or_else(|| panic!("no {part}: {roles:#}"));
    script["sql"].as_str().expect("a script").to_owned()
}

/// Runs a script as people would, and gives the role its password.
async fn made(admin: &str, role: &str, script: &str) {
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", admin])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql is on the PATH, as scripts/test.sh sets it");
    let stdin = child.stdin.take();
    stdin.expect("stdin is piped").write_all(script.as_bytes()).expect("psql reads");
    assert!(child.wait().expect("psql ends").success(), "{script}");
    let password = format!("ALTER ROLE \"{role}\" PASSWORD '{PASSWORD}'");
    connect_to(admin).await.batch_execute(&password).await.expect("it is a role now");
}

/// Tries each, and fails where the server lets one through, or refuses it for another reason than a missing right.
async fn are_refused(client: &Client, attacks: &[String]) {
    let mut wrong = String::new();
    for attack in attacks {
        let said = match client.batch_execute(attack).await {
            Ok(()) => "was done".to_owned(),
            Err(error) => match error.as_db_error() {
                Some(error) => format!("{} {}", error.code().code(), error.message()),
                None => format!("{error:?}"),
            },
        };
        if !said.starts_with("42501 ") {
            wrong += &format!("\n{attack}\n  {said}");
        }
        client.batch_execute("ROLLBACK").await.expect("the session is there still");
    }
    assert!(wrong.is_empty(), "not refused for want of a right:{wrong}");
}

fn all(on_the_server: &[&str], more: &[String]) -> Vec<String> {
    on_the_server.iter().map(|attack| (*attack).to_owned()).chain(more.iter().cloned()).collect()
}

/// On the primary, where the role exists too and no standby's own refusal of writes stands before its rights.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_a_source_reads_one_schema_and_does_nothing_else() {
    let project = Project::new(
        "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 5);
         CREATE SEQUENCE numbers",
        "[tables]\norders = \"full\"\n",
    )
    .await;
    let (schema, role, other) = (project.source.name(), new_name(), new_name());
    let replica = url_as(&role, &variable("BARNCAT_REPLICA_URL"));
    let variables = [("SHOP_URL", replica.as_str())];
    let script = printed(&project, "source shop", &variables).await.replace("CHANGE_ME", "postgres");
    let admin = variable("BARNCAT_PRIMARY_ADMIN_URL");
    made(&admin, &role, &script).await;
    // A table that is made after the role was, and what is none of its business.
    on_primary(
        &project,
        &format!(
            "CREATE TABLE late (id int); CREATE SCHEMA {other}; CREATE TABLE {other}.secret (id int);
             INSERT INTO {other}.secret VALUES (1)"
        ),
    )
    .await;
    let run = project.barncat(&["run"], &variables).await;
    assert_eq!(run.status.code(), Some(0), "what it needs it may: {}", String::from_utf8_lossy(&run.stderr));

    let client = connect_to(&url_as(&role, &admin)).await;
    for may in [format!("SELECT * FROM {schema}.orders"), format!("SELECT * FROM {schema}.late")] {
        client.batch_execute(&may).await.unwrap_or_else(|error| panic!("{may}: {error:?}"));
    }
    let attacks = [
        format!("INSERT INTO {schema}.orders VALUES (6)"),
        format!("UPDATE {schema}.orders SET id = id"),
        format!("DELETE FROM {schema}.orders"),
        format!("TRUNCATE {schema}.orders"),
        format!("SELECT * FROM {schema}.orders FOR UPDATE"),
        format!("SELECT * FROM {schema}.orders FOR KEY SHARE"),
        format!("BEGIN; LOCK TABLE {schema}.orders IN SHARE MODE"),
        format!("COPY {schema}.orders FROM STDIN"),
        format!("DROP TABLE {schema}.orders"),
        format!("ALTER TABLE {schema}.orders ADD COLUMN x int"),
        format!("CREATE INDEX ON {schema}.orders (id)"),
        format!("CREATE TABLE {schema}.intruder (id int)"),
        format!("CREATE VIEW {schema}.intruder AS SELECT 1"),
        format!("SELECT nextval('{schema}.numbers')"),
        format!("DROP SCHEMA {schema} CASCADE"),
        format!("SELECT * FROM {other}.secret"),
        format!("CREATE TABLE {other}.intruder (id int)"),
        "CREATE SCHEMA barncat_intruder".to_owned(),
        format!("COPY {other}.secret TO STDOUT"),
    ];
    are_refused(&client, &all(ON_THE_SERVER, &attacks)).await;
    // What others run is theirs.
    let row = client
        .query_one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'postgres' AND query <> '<insufficient privilege>'", &[])
        .await
        .expect("it answers");
    assert_eq!(row.get::<_, i64>(0), 0);
    // Whoever may not grant is warned, not refused.
    client.batch_execute(&format!("GRANT SELECT ON {schema}.orders TO PUBLIC")).await.expect("a warning");
    let left = format!(
        "SELECT count(*) FROM {schema}.orders WHERE NOT has_table_privilege('pg_monitor', '{schema}.orders', 'SELECT')"
    );
    let row = connect_to(&admin).await.query_one(&left, &[]).await.expect("it is there");
    assert_eq!(row.get::<_, i64>(0), 5, "all rows, and nobody else may read them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_of_the_warehouse_owns_what_it_makes_and_touches_nothing_else() {
    let project = Project::new(
        "CREATE TABLE orders (id int PRIMARY KEY, at timestamptz DEFAULT now()); INSERT INTO orders SELECT generate_series(1, 5)",
        "[tables]\norders = { strategy = \"merge\", cursor = \"at\", deletes = \"detect\" }\n",
    )
    .await;
    project.write("sql/models/totals.sql", "select count(*) as orders from orders");
    let (role, owner, database) = (new_name(), new_name(), Database::empty().await);
    let admin = database.admin_url();
    // Somebody else's schema in the same database, and a table of theirs that bears one of our names.
    database
        .run(&format!(
            "CREATE ROLE {owner}; CREATE SCHEMA finance AUTHORIZATION {owner}; SET ROLE {owner};
             CREATE TABLE finance.salaries (id int PRIMARY KEY, salary int); INSERT INTO finance.salaries VALUES (1, 2);
             CREATE VIEW finance.all_of_it AS SELECT * FROM finance.salaries;
             CREATE FUNCTION finance.as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT salary FROM finance.salaries'"
        ))
        .await;
    let url = url_as(&role, &admin);
    let variables = [("WAREHOUSE_URL", url.as_str())];
    made(&admin, &role, &printed(&project, "warehouse", &variables).await).await;
    for arguments in [&["run"][..], &["run", "--full"], &["doctor"]] {
        let output = project.barncat(arguments, &variables).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "what it needs it may: {arguments:?}: {told}");
    }
    assert_eq!(database.text(&format!("SELECT orders::text FROM {INTO}.totals")).await, "5");

    let client = connect_to(&url).await;
    let name = admin.rsplit_once('/').expect("an address ends in its database's name").1;
    let attacks = [
        "SELECT * FROM finance.salaries".to_owned(),
        "SELECT * FROM finance.all_of_it".to_owned(),
        "SELECT finance.as_owner()".to_owned(),
        "INSERT INTO finance.salaries VALUES (2, 3)".to_owned(),
        "DELETE FROM finance.salaries".to_owned(),
        "DROP TABLE finance.salaries".to_owned(),
        "DROP SCHEMA finance CASCADE".to_owned(),
        "ALTER TABLE finance.salaries SET SCHEMA barncat_staging".to_owned(),
        "ALTER TABLE finance.salaries OWNER TO CURRENT_USER".to_owned(),
        "ALTER SCHEMA finance RENAME TO mine".to_owned(),
        "CREATE TABLE finance.intruder (id int)".to_owned(),
        format!("CREATE TABLE {INTO}.reads (id int REFERENCES finance.salaries)"),
        format!("SET ROLE {owner}"),
        format!("ALTER TABLE {INTO}.orders OWNER TO {owner}"),
        format!("DROP OWNED BY {owner}"),
        format!("DROP DATABASE {name}"),
        format!("ALTER DATABASE {name} OWNER TO CURRENT_USER"),
        format!("ALTER DATABASE {name} SET search_path = x"),
    ];
    // Whose session they may not end.
    let other = database.connect().await;
    are_refused(&client, &all(ON_THE_SERVER, &attacks)).await;
    other.batch_execute("SELECT 1").await.expect("it lives");
    // Whoever may not grant is warned, not refused.
    client.batch_execute(&format!("GRANT CREATE ON DATABASE {name} TO PUBLIC")).await.expect("a warning");
    let granted = "SELECT count(*)::text FROM pg_database, aclexplode(datacl) AS acl
                   WHERE datname = current_database() AND acl.grantee = 0 AND acl.privilege_type = 'CREATE'";
    assert_eq!(database.text(granted).await, "0", "nobody else may make schemas");
    assert_eq!(database.text("SELECT salary::text FROM finance.salaries").await, "2");
}

#[tokio::test]
async fn the_role_of_the_control_database_has_its_two_schemas_alone() {
    let (role, database) = (new_name(), Database::empty().await);
    database.run("CREATE SCHEMA finance; CREATE TABLE finance.salaries (id int)").await;
    let project = Project::new("CREATE TABLE orders (id int)", "[tables]\norders = \"full\"\n").await;
    project.write("barncat.own.toml", "[control]\nurl = \"${CONTROL_URL}\"\n");
    let url = url_as(&role, &database.admin_url());
    let output = project
        .barncat(&["doctor", "--roles", "--output", "json", "--env", "own"], &[("CONTROL_URL", &url)])
        .await;
    let roles: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut scripts = roles["roles"].as_array().expect("a list").iter();
    let script = scripts.find(|script| script["part"] == "control database").expect("one of its own");
    made(&database.admin_url(), &role, script["sql"].as_str().expect("SQL")).await;
    let run = project.barncat(&["run", "--env", "own"], &[("CONTROL_URL", &url)]).await;
    assert_eq!(run.status.code(), Some(0), "what it needs it may: {}", String::from_utf8_lossy(&run.stderr));
    let client = connect_to(&url).await;
    client.batch_execute("SELECT * FROM barncat_control.runs").await.expect("its own");
    let attacks = [
        "SELECT * FROM finance.salaries",
        "DROP TABLE finance.salaries",
        "CREATE TABLE finance.intruder (id int)",
        "CREATE SCHEMA intruder",
        "DROP SCHEMA barncat_control CASCADE",
        "ALTER SCHEMA barncat_control OWNER TO CURRENT_USER",
        "GRANT USAGE ON SCHEMA finance TO CURRENT_USER",
    ]
    .map(str::to_owned);
    let _other = database.connect().await;
    are_refused(&client, &all(ON_THE_SERVER, &attacks)).await;
}

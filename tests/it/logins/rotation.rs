//! `password_secret`: passwords that are read at each login, and change meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use barncat::{
    aws::{Access, SecretPassword},
    pg::{self, Endpoint, TlsSettings},
    secret::Secret,
};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{LOADERS, SOURCE, TABLES, credentials, write};
use crate::support::{
    connect, new_name,
    project::{Project, task},
    secrets::SecretServer,
    variable, wait_until_replayed,
};

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:etl/shop-AbCdEf";

/// How long the password of the database and that of the secret differ in a rotation.
const BETWEEN: Duration = Duration::from_millis(300);

/// Two roles of a test's own, on the source and on the warehouse, each with its secret.
struct Roles {
    secrets: Arc<SecretServer>,
    source: String,
    warehouse: String,
    rotations: Arc<AtomicUsize>,
}

impl Roles {
    async fn new(project: &Project) -> Self {
        let (source, warehouse) = (new_name(), new_name());
        let primary = connect("BARNCAT_PRIMARY_ADMIN_URL").await;
        let sql = format!("CREATE ROLE {source} LOGIN; GRANT barncat_source TO {source}");
        primary.batch_execute(&sql).await.expect("a role is made");
        project
            .database
            .run(&format!(
                "CREATE ROLE {warehouse} LOGIN;
                 DO $$ BEGIN EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO {warehouse}', current_database()); END $$"
            ))
            .await;
        let rotations = Arc::new(AtomicUsize::new(0));
        let roles = Self { secrets: Arc::new(SecretServer::start().await), source, warehouse, rotations };
        roles.rotate(project.database.connect().await).await;
        roles
    }

    /// The password of each in the database, then in its secret.
    async fn rotate(&self, warehouse: tokio_postgres::Client) {
        let password = new_name();
        let alter = |role: &str| format!("ALTER ROLE {role} PASSWORD '{password}'");
        connect("BARNCAT_PRIMARY_ADMIN_URL")
            .await
            .batch_execute(&alter(&self.source))
            .await
            .expect("it is altered");
        wait_until_replayed().await;
        warehouse.batch_execute(&alter(&self.warehouse)).await.expect("it is altered");
        tokio::time::sleep(BETWEEN).await;
        // One as RDS writes it, one as a person does.
        let of_rds =
            json!({"engine": "postgres", "username": self.source, "password": password, "port": 5432});
        self.secrets.put(ARN, &of_rds.to_string());
        self.secrets.put("etl/warehouse", &password);
        self.rotations.fetch_add(1, Ordering::Relaxed);
    }

    /// Until it is dropped: a rotation after the other.
    fn keep_rotating(self: &Arc<Self>, project: &Project) -> JoinHandle<()> {
        let (roles, url) = (self.clone(), project.database.admin_url());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(900)).await;
                roles.rotate(crate::support::connect_to(&url).await).await;
            }
        })
    }
}

/// The place of an address: what follows its login.
fn place(url: &str) -> &str {
    url.split_once('@').expect("an address with a user").1
}

async fn project(roles_too: bool) -> (Project, Option<Arc<Roles>>) {
    let variables = credentials();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let project = Project::with_stage(SOURCE, LOADERS, "url = \"file:./stage\"", &variables).await;
    let roles = match roles_too {
        true => Some(Arc::new(Roles::new(&project).await)),
        false => None,
    };
    (project, roles)
}

/// Source, warehouse and control database by secrets; the source's names its user.
fn write_for(project: &Project, roles: &Roles) {
    let (replica, database) = (variable("BARNCAT_REPLICA_URL"), project.database.url());
    let endpoint = roles.secrets.url();
    let source = format!(
        "url = \"postgres://{}\"\npassword_secret = \"{ARN}\"\nendpoint = \"{endpoint}\"",
        place(&replica)
    );
    let warehouse = format!(
        "url = \"postgres://{}@{}\"\npassword_secret = \"${{SECRET:-etl/warehouse}}\"\nendpoint = \"{endpoint}\"",
        roles.warehouse,
        place(&database)
    );
    write(project, &source, &warehouse, &warehouse);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotations_in_the_middle_of_a_run_harm_nothing() {
    let (project, roles) = project(true).await;
    let roles = roles.expect("they are made");
    write_for(&project, &roles);
    let rotating = roles.keep_rotating(&project);
    let before = roles.rotations.load(Ordering::Relaxed);
    let outcome = project.run(&["--jobs", "1"]).await;
    rotating.abort();
    let rotations = roles.rotations.load(Ordering::Relaxed) - before;
    assert!(rotations >= 2, "the run saw {rotations} rotations");
    for table in TABLES {
        let task = task(&outcome, &format!("raw.{table}"));
        assert_eq!((&task["status"], &task["attempts"]), (&json!("succeeded"), &json!(1)), "{task:#}");
    }
    project.assert_equal(&["orders", "riders"]).await;
    let asked = roles.secrets.asked();
    assert!(asked.iter().all(|asked| asked.authorization.contains("/eu-west-1/secretsmanager/aws4_request")));
}

#[tokio::test]
async fn a_secret_is_read_for_many_logins_at_once_and_anew_after_a_refusal() {
    let (project, roles) = project(true).await;
    let roles = roles.expect("they are made");
    let access = Access {
        endpoint: Some(roles.secrets.url()),
        region: Some("eu-west-1".to_owned()),
        ..Access::default()
    };
    let url = format!("postgres://{}@{}", roles.warehouse, place(&project.database.url()));
    let endpoint = Endpoint::parse(&Secret::new(url), &TlsSettings::default(), project.dir())
        .expect("an endpoint")
        .with_logins(Arc::new(SecretPassword::new("etl/warehouse", access)));
    let four = || futures_util::future::join_all((0..4).map(|_| pg::connect_bare(&endpoint)));
    for opened in four().await {
        assert_eq!(opened.expect("it is logged in to").user(), Some(roles.warehouse.as_str()));
    }
    assert_eq!(roles.secrets.asked().len(), 1);
    roles.rotate(project.database.connect().await).await;
    for opened in four().await {
        opened.expect("it is logged in to");
    }
    assert_eq!(roles.secrets.asked().len(), 2, "one reading serves all that were refused");
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_one_clear_error() {
    let (project, roles) = project(true).await;
    let roles = roles.expect("they are made");
    write_for(&project, &roles);
    let told = async |variables: &[(&str, &str)]| {
        let output = project.barncat(&["run", "-v"], variables).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains(&roles.secrets.text("etl/warehouse")), "{told}");
        told
    };
    let missing = told(&[("SECRET", "etl/nothing")]).await;
    assert!(
        missing.contains(&format!(
            "no login for {}: secretsmanager refused: Secrets Manager can't find the specified secret. (ResourceNotFoundException)",
            place(&project.database.url())
        )),
        "{missing}"
    );
    roles.secrets.refuse(&[(400, "AccessDeniedException")]);
    let denied = told(&[]).await;
    assert!(
        denied.contains("(AccessDeniedException)\nhint: `barncat doctor --roles` prints the policy"),
        "{denied}"
    );
    roles.secrets.put("etl/json", "{\"pass\": \"hunter2\"}");
    let json = told(&[("SECRET", "etl/json")]).await;
    assert!(
        json.contains("for etl/json has JSON without a `password`") && !json.contains("hunter2"),
        "{json}"
    );
    roles.secrets.put("etl/old", "hunter2");
    let old = told(&[("SECRET", "etl/old")]).await;
    assert!(old.contains("password authentication failed") && !old.contains("hunter2"), "{old}");
    assert!(old.contains("hint: is the secret of `password_secret` the one of this server's user?"), "{old}");
}

#[tokio::test]
async fn contradictions_are_told_with_their_place_before_anything_is_reached() {
    let (project, _) = project(false).await;
    let url = "url = \"${U}\"";
    for (source, variable, expected) in [
        (
            "password_secret = \"etl\"",
            "postgres://u:hunter2@127.0.0.1:1/db",
            "error: the url at barncat.toml:6:7 holds a password, and `password_secret` says where it is",
        ),
        (
            "auth = \"iam\"\nregion = \"eu-west-1\"",
            "postgres://u:hunter2@h.internal/db",
            "error: the url at barncat.toml:6:7 holds a password, and with `auth = \"iam\"` there is none",
        ),
        (
            "auth = \"iam\"",
            "postgres://h.internal/db",
            "error: the url at barncat.toml:6:7 names no user, and with `auth = \"iam\"` nothing else does",
        ),
        (
            "auth = \"iam\"",
            "postgres://u@h.internal/db?sslmode=disable",
            "error: the url at barncat.toml:6:7 leads there without TLS, and `auth = \"iam\"` sends no token in the clear",
        ),
    ] {
        write(
            &project,
            &format!("{url}\n{source}"),
            "url = \"${WAREHOUSE_URL}\"",
            "url = \"${WAREHOUSE_URL}\"",
        );
        let output = project.barncat(&["run"], &[("U", variable)]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(expected) && !told.contains("hunter2"), "{told}");
        assert_eq!((output.status.code(), told.matches("error:").count()), (Some(2), 1), "{told}");
    }
}

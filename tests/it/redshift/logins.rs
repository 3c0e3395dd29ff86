//! Logins by wire that IAM gives: asked for once, again before they end, and again where they are refused.

use std::{sync::Arc, time::Duration};

use barncat::{
    aws::{Access, LoginTarget, RedshiftLogins},
    error::{Class, Failure},
    pg::{Endpoint, TlsMode, TlsSettings},
    warehouse::{RedshiftWarehouse, Warehouse, redshift::Options},
};

use super::faults::{DIGEST, SOURCE};
use crate::support::{
    logins::{LoginServer, USER},
    redshift::{OnRedshift, Way},
};

const HOUR: i64 = 3600;

async fn server(on: &OnRedshift, logins: usize, valid_seconds: i64) -> LoginServer {
    let give = |_| on.double.give_login(USER, None, Duration::from_secs(3600));
    LoginServer::start((0..logins).map(give).collect(), valid_seconds).await
}

async fn warehouse(on: &OnRedshift, server: &LoginServer, target: LoginTarget) -> RedshiftWarehouse {
    let tls = TlsSettings {
        mode: Some(TlsMode::VerifyFull),
        ca: Some("redshift.pem".into()),
        ..TlsSettings::default()
    };
    let endpoint =
        Endpoint::at("localhost", on.double.wire_port(), "dev", &tls, on.project.dir()).expect("an endpoint");
    let access =
        Access { endpoint: Some(server.url()), region: Some("eu-west-1".to_owned()), ..Access::default() };
    let logins = RedshiftLogins::new(target, "dev".to_owned(), &access).await;
    let (ledger_schema, copy_role) = ("barncat".to_owned(), "default".to_owned());
    let endpoint = endpoint.with_logins(Arc::new(logins));
    RedshiftWarehouse::by_wire(endpoint, Options { ledger_schema, copy_role, stage_region: None })
}

fn workgroup() -> LoginTarget {
    LoginTarget::Workgroup { workgroup: "double".to_owned() }
}

/// Sessions at rest end, so that the next statement needs a login.
async fn end_sessions(on: &OnRedshift) {
    on.double.knobs().end_idle();
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_signed_for_its_service_and_made_once() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    let cluster = |user: Option<&str>| LoginTarget::Cluster {
        cluster: "etl".to_owned(),
        user: user.map(str::to_owned),
    };
    let query = |action: &str, more: &str| {
        format!(
            "Action={action}&Version=2012-12-01&DurationSeconds=3600&ClusterIdentifier=etl&DbName=dev{more}"
        )
    };
    for (target, service, name, body) in [
        (cluster(Some("a b")), "redshift", "", query("GetClusterCredentials", "&DbUser=a%20b")),
        (cluster(None), "redshift", "", query("GetClusterCredentialsWithIAM", "")),
        (
            workgroup(),
            "redshift-serverless",
            "RedshiftServerless.GetCredentials",
            "{\"workgroupName\":\"double\",\"dbName\":\"dev\",\"durationSeconds\":3600}".to_owned(),
        ),
    ] {
        let server = server(&on, 1, HOUR).await;
        let warehouse = warehouse(&on, &server, target).await;
        for _ in 0..2 {
            warehouse.last_loads().await.expect("it is reached");
            end_sessions(&on).await;
        }
        let asked = server.asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        assert_eq!((asked[0].body.as_str(), asked[0].target.as_str()), (body.as_str(), name));
        let scope = format!("/eu-west-1/{service}/aws4_request");
        assert!(asked[0].authorization.contains(&scope), "{asked:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_ends_soon_or_is_refused_is_asked_for_anew() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    let soon = server(&on, 2, 60).await;
    let by_soon = warehouse(&on, &soon, workgroup()).await;
    for calls in 1..3 {
        by_soon.last_loads().await.expect("it is reached");
        end_sessions(&on).await;
        assert_eq!(soon.asked().len(), calls);
    }
    // One that the server does not know any more, though it should be good still.
    let known = server(&on, 1, HOUR).await;
    let warehouse = warehouse(&on, &known, workgroup()).await;
    warehouse.last_loads().await.expect("it is reached");
    on.double.end_logins();
    warehouse.last_loads().await.expect("sessions outlive logins");
    end_sessions(&on).await;
    let error = warehouse.last_loads().await.expect_err("the one that is given is refused too");
    assert!(Failure::of(&*error).message.starts_with("cannot log in to localhost:"), "{error}");
    assert_eq!(known.asked().len(), 2, "it was asked for once more, and not for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_and_what_passes_is_tried_again() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    for target in [workgroup(), LoginTarget::Cluster { cluster: "etl".to_owned(), user: None }] {
        let server = server(&on, 1, HOUR).await;
        let warehouse = warehouse(&on, &server, target).await;
        server.refuse(&[(403, "AccessDeniedException")]);
        let error = warehouse.last_loads().await.expect_err("it is refused");
        let Failure { class, message, hint } = Failure::of(&*error);
        assert_eq!(class, Class::Lasting);
        assert!(message.ends_with(" refused: no (AccessDeniedException)"), "{message}");
        assert!(hint.is_some_and(|hint| hint.contains("doctor --roles")));
        server.refuse(&[(500, "InternalFailure"), (400, "ThrottlingException")]);
        warehouse.last_loads().await.expect("the third try is answered");
        assert_eq!(server.asked().len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_logs_in_by_iam() {
    let on = OnRedshift::by(Way::Wire, SOURCE, "[tables]\norders = \"full\"\n").await;
    let server = server(&on, 1, HOUR).await;
    let file = on.project.dir().join("barncat.toml");
    let text = std::fs::read_to_string(&file).expect("the project's file");
    let by_iam = format!(
        "host = \"localhost\"\nport = {}\nworkgroup = \"double\"\ndatabase = \"dev\"\nregion = \"eu-west-1\"\nendpoint = \"{}\"",
        on.double.wire_port(),
        server.url()
    );
    let text = text.replace("url = \"${REDSHIFT_URL}\"", &by_iam);
    on.project.write("barncat.toml", &text);
    on.project.run(&[]).await;
    on.assert_same("orders", DIGEST).await;
    assert_eq!(server.asked().len(), 1);
}

//! Servers that are away: at the start, and when a run should begin.

use std::time::Duration;

use super::{
    LOADERS, SOURCE, add, control, project,
    service::{Answer, Service},
    ticks, until,
};
use crate::support::{
    connect,
    project::Project,
    proxy::{Proxy, Trick},
    variable,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_databases_that_are_down_and_says_so() {
    let project = project("[schedules]\nhot = { every = \"1s\", select = \"orders\" }").await;
    let (source, source_url) = Proxy::before(&variable("BARNCAT_REPLICA_URL"), Trick::Pass).await;
    let (warehouse, warehouse_url) = Proxy::before(&project.database.url(), Trick::Pass).await;
    source.refuse(true);
    warehouse.refuse(true);
    let service =
        Service::start(&project, &[], &[("SHOP_URL", &source_url), ("WAREHOUSE_URL", &warehouse_url)]);
    service.says("waits for the control database").await;
    service.says("waits for source shop").await;
    let ready = service
        .until_ready("waiting for both", |answer| {
            answer.body["waits"].as_object().is_some_and(|waits| waits.len() == 2)
        })
        .await;
    assert_eq!((ready.status, &ready.body["role"]), (503, &"starting".into()), "{:#}", ready.body);
    assert_eq!(service.get("/healthz").await.status, 200, "to start it anew would not help");
    // It keeps trying, and says it once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = service.said();
    let told = told.iter().filter(|line| line["message"] == "waits for the control database").count();
    assert_eq!(told, 1);
    warehouse.refuse(false);
    source.refuse(false);
    service.until_ready("ready", |answer| answer.status == 200).await;
    service.says("waits no more for the control database").await;
    until("it ticks", async || ticks(&project, "hot", "succeeded").await > 0).await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn today_stays_with_its_schedules_while_the_control_database_is_away() {
    let project = project("[schedules]\nnightly = { cron = \"0 1 * * *\", select = \"orders\" }").await;
    let service = Service::start(&project, &[], &[]);
    service.until_ready("ready", |answer| answer.status == 200).await;
    let is_next = |answer: &Answer| answer.text.contains("nightly") && answer.text.contains("next at");
    let now = service.get("/").await;
    assert!(now.status == 200 && is_next(&now) && !now.text.contains("This is how it was"), "{}", now.text);
    let url = project.database.url();
    let (_, name) = url.rsplit_once('/').expect("an address ends in its database's name");
    let admin = connect("BARNCAT_WAREHOUSE_ADMIN_URL").await;
    for away in [
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        admin.batch_execute(&away).await.expect("a database goes away");
    }
    until("the picture is an old one", async || {
        let page = service.get("/").await;
        assert!(page.status == 200 && is_next(&page), "{}", page.text);
        page.text.contains("This is how it was")
    })
    .await;
    admin.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await.expect("it is back");
    until("it is of now", async || !service.get("/").await.text.contains("This is how it was")).await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_begin_is_an_incident_and_begins_when_it_can() {
    let project = Project::new(SOURCE, LOADERS).await;
    let (warehouse, warehouse_url) = Proxy::before(&project.database.url(), Trick::Pass).await;
    add(
        &project,
        "[control]\nurl = \"${CONTROL_URL}\"\n[schedules]\nhot = { every = \"2s\", select = \"orders\" }",
    );
    warehouse.refuse(true);
    let own = project.database.url();
    let variables = [("WAREHOUSE_URL", warehouse_url.as_str()), ("CONTROL_URL", own.as_str())];
    let service = Service::start(&project, &[], &variables);
    service.says("waits for the run of hot").await;
    service
        .until_ready("waiting", |answer| {
            answer.status == 503 && answer.body["waits"]["the run of hot"].is_string()
        })
        .await;
    until("others are skipped meanwhile", async || ticks(&project, "hot", "skipped").await > 0).await;
    let open = control(&project, "SELECT alarm->>'what' FROM control.incidents WHERE state = 'open'").await;
    assert_eq!(open, ["a run could not begin"]);
    let waiting = control(&project, "SELECT tick::text FROM control.ticks WHERE ended_at IS NULL").await;
    warehouse.refuse(false);
    until("it begins", async || ticks(&project, "hot", "succeeded").await > 0).await;
    let first = control(
        &project,
        "SELECT tick::text FROM control.ticks WHERE status = 'succeeded' ORDER BY tick LIMIT 1",
    );
    assert_eq!(first.await, waiting, "the tick was not lost");
    service.until_ready("ready", |answer| answer.status == 200).await;
    until("the incident is over", async || {
        control(&project, "SELECT 'x' FROM control.incidents WHERE state = 'open'").await.is_empty()
    })
    .await;
    assert_eq!(service.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_schedules_selection_is_an_incident() {
    // A wildcard may stand for it, as far as is known without the source.
    let project = Project::new(SOURCE, "[tables]\n\"*\" = \"full\"\n").await;
    add(&project, "[schedules]\nhot = { every = \"1s\", select = \"ordes\" }");
    let service = Service::start(&project, &[], &[]);
    until("a tick failed", async || ticks(&project, "hot", "failed").await > 0).await;
    let why = control(&project, "SELECT why FROM control.ticks WHERE status = 'failed' LIMIT 1").await;
    assert!(why[0].contains("it could not begin") && why[0].contains("ordes"), "{why:?}");
    until("people are told", async || {
        control(&project, "SELECT 'x' FROM control.incidents WHERE state = 'open'").await.len() == 1
    })
    .await;
    assert_eq!(service.stop().await, Some(0));
}

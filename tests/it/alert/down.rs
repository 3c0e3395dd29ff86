//! Every incident arrives once, in order, with its recovery: whatever Slack, the network and the processes do.

use std::{path::Path, time::Duration};

use alert_double::Fault;
use barncat::{
    alert::{Did, deliver, deliver_next},
    control::Next,
};

use super::*;
use crate::support::project::Project;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn slack_is_down_for_an_hour_then_throttles_and_two_services_send() {
    let scene = Scene::new(BOT).await;
    let control = scene.control().await;
    scene.double.knobs().plan("slack", Fault::Down, u32::MAX);
    for task in ["raw.a", "raw.b"] {
        scene.see(&control, task, true).await;
    }
    let channels = scene.channels();
    assert_eq!(deliver(&control, &channels, Duration::from_secs(3)).await.unwrap().sent, 0);
    scene.see(&control, "raw.a", false).await;
    scene.see(&control, "raw.c", true).await;
    scene.hours_later().await;
    assert_eq!(deliver(&control, &channels, Duration::from_secs(2)).await.unwrap().sent, 0);
    let waiting = control.waiting_messages("tests").await.unwrap();
    assert_eq!((waiting.len(), waiting[0].messages), (1, 4));
    assert!(waiting[0].error.as_ref().unwrap().contains("503"), "{waiting:?}");

    // An hour later it is there again, and wants to be left alone at first.
    scene.double.knobs().clear();
    scene.double.knobs().plan("slack", Fault::Throttle(2), 2);
    scene.hours_later().await;
    let others: Vec<_> = [scene.control().await, scene.control().await].into_iter().collect();
    let services = others.iter().map(|control| deliver(control, &channels, LIMIT));
    let sent: u32 = futures_util::future::join_all(services).await.into_iter().map(|d| d.unwrap().sent).sum();
    assert_eq!(sent, 4, "each once, whoever sent it");

    nothing_refused(&scene.double);
    let told = told(&scene.double);
    assert_eq!(told.len(), 4, "{told:#?}");
    let place = |text: &str| {
        told.iter().position(|told| told.contains(text)).unwrap_or_else(|| panic!("no {text}: {told:#?}"))
    };
    assert!(place("raw.a failed") < place("raw.a recovered"), "{told:#?}");
    assert_eq!(told.iter().filter(|text| text.contains("raw.b")).count(), 1);
    assert_eq!(told.iter().filter(|text| text.contains("raw.c")).count(), 1);
    let kept = scene.double.knobs().kept_by("slack");
    let opened = kept.iter().find(|kept| kept.before.len() == 1).expect("the opening was changed");
    let recovered =
        kept.iter().find(|kept| headline(kept).contains("recovered") && kept.thread_ts.is_some()).unwrap();
    assert_eq!(recovered.thread_ts, opened.ts, "it stands below its opening");
    assert!(headline(opened).contains("recovered"), "which says that it is over: {}", headline(opened));
    let pauses = kept.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at));
    assert!(pauses.min().unwrap() >= Duration::from_secs(1), "one message a second over all processes");
    assert_eq!(scene.double.knobs().throttled(), 0, "nobody came too early");
}

/// A project of one table that has run, whose people are told by the double.
async fn told_of_one_table() -> (Project, AlertDouble, Control, Channels) {
    let project = Project::new("CREATE TABLE t (id int PRIMARY KEY)", "[tables]\nt = \"full\"\n").await;
    let double = AlertDouble::start().await.unwrap();
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{config}\n[alerts]\n{}\n", with_addresses(BOT, &double)));
    project.run(&[]).await;
    let control = control_of(&project).await;
    let read = config::read(project.dir(), None).unwrap();
    let channels = Channels::of(&read, &Environment::of([]));
    (project, double, control, channels)
}

/// Two processes by the built binary, which see the same outbox.
#[tokio::test]
async fn two_processes_send_the_same_outbox_once() {
    let (project, double, control, channels) = told_of_one_table().await;
    for number in 0..4 {
        let task = format!("raw.t{number}");
        for observation in [wrong(&task, Tier::Critical), well(&task)] {
            control.observe("tests", &observation, |notice| channels.router.route(notice)).await.unwrap();
            if number > 1 {
                break;
            }
        }
    }
    let send = || project.barncat(&["alert", "send", "--output", "json"], &[]);
    let (first, second) = tokio::join!(send(), send());
    for output in [&first, &second] {
        eprintln!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    nothing_refused(&double);
    let mut told = told(&double);
    assert_eq!(told.len(), 6, "{told:#?}");
    for number in 0..4 {
        let of: Vec<&String> = told.iter().filter(|text| text.contains(&format!("raw.t{number}"))).collect();
        assert_eq!(of.len(), if number > 1 { 1 } else { 2 }, "{of:#?}");
        assert!(of[0].contains("failed"), "{of:#?}");
    }
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 6);
}

/// All of it in one: down for an hour, throttled, an answer lost, one process killed before it sends and one after, then
/// two at once.
#[tokio::test]
async fn every_incident_arrives_once_in_order_with_its_recovery_whatever_happens() {
    let (project, double, control, channels) = told_of_one_table().await;
    let see = async |task: &str, is_wrong: bool| {
        let observation = if is_wrong { wrong(task, Tier::Critical) } else { well(task) };
        control.observe("tests", &observation, |notice| channels.router.route(notice)).await.unwrap();
    };
    let hour_later = async || {
        let sql =
            "UPDATE barncat_control.outbox SET due_at = due_at - interval '1 hour' WHERE sent_at IS NULL;
                   UPDATE barncat_control.alert_places SET not_before = not_before - interval '1 hour'";
        project.database.connect().await.batch_execute(sql).await.unwrap();
    };
    let killed = async |point: &str| {
        let points = [("BARNCAT_FAILPOINTS", &*format!("{point}=kill"))];
        let output = project.barncat(&["alert", "send"], &points).await;
        assert_eq!(output.status.code(), None, "{point}: {}", String::from_utf8_lossy(&output.stderr));
    };

    double.knobs().plan("slack", Fault::Down, u32::MAX);
    for task in ["raw.a", "raw.b", "raw.c"] {
        see(task, true).await;
    }
    assert_eq!(deliver(&control, &channels, Duration::from_secs(2)).await.unwrap().sent, 0);
    see("raw.b", false).await;
    hour_later().await;
    double.knobs().clear();
    double.knobs().plan("slack", Fault::Throttle(1), 2);
    double.knobs().plan("slack", Fault::DoAndCut, 1);
    killed("alert.send.before").await;
    see("raw.a", false).await;
    hour_later().await;
    killed("alert.send.after").await;
    until("all is sent", async || {
        hour_later().await;
        let send = || project.barncat(&["alert", "send"], &[]);
        let (first, second) = tokio::join!(send(), send());
        for output in [first, second] {
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        control.waiting_messages("tests").await.unwrap().is_empty()
    })
    .await;

    nothing_refused(&double);
    let told = told(&double);
    let places = |text: &str| -> Vec<usize> {
        let all = told.iter().enumerate();
        all.filter(|(_, told)| told.contains(text)).map(|(place, _)| place).collect()
    };
    for (task, is_over) in [("raw.a", true), ("raw.b", true), ("raw.c", false)] {
        let (opened, over) = (places(&format!("{task} failed")), places(&format!("{task} recovered")));
        assert_eq!((opened.len(), over.len()), (1, usize::from(is_over)), "{task}: {told:#?}");
        assert!(over.iter().all(|over| *over > opened[0]), "{task}: {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}

/// What was claimed by a process that died is sent by the next one, and what it had sent already not again.
#[tokio::test]
async fn a_process_is_killed_before_and_after_it_sends() {
    let project = crate::support::project::Project::new(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "[tables]\nt = \"full\"\ngone = { strategy = \"full\", tier = \"critical\" }\n",
    )
    .await;
    let double = AlertDouble::start().await.unwrap();
    let config = std::fs::read_to_string(project.dir().join("barncat.toml")).unwrap();
    project.write("barncat.toml", &format!("{config}\n[alerts]\n{}\n", with_addresses(BOT, &double)));
    let killed = async |point: &str| {
        let output = project.barncat(&["run"], &[("BARNCAT_FAILPOINTS", &format!("{point}=kill"))]).await;
        assert_eq!(output.status.code(), None, "{point}: {}", String::from_utf8_lossy(&output.stderr));
    };
    // Not yet recorded: the next run sees the same.
    killed("control.incident.before").await;
    // Recorded, and not sent.
    killed("control.incident.after").await;
    assert_eq!(told(&double), [""; 0]);
    let sent = async || {
        let output = project.barncat(&["alert", "send"], &[]).await;
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    sent().await;
    assert_eq!(told(&double).len(), 1, "{:#?}", told(&double));
    // Well again: its end is recorded, claimed, and not sent; sent, and not marked.
    project.write_loaders("[tables]\nt = \"full\"\n");
    crate::support::project::on_primary(&project, "CREATE TABLE gone (id int PRIMARY KEY)").await;
    project.write_loaders("[tables]\nt = \"full\"\ngone = { strategy = \"full\", tier = \"critical\" }\n");
    killed("alert.send.before").await;
    assert_eq!(told(&double).len(), 1);
    let output =
        project.barncat(&["alert", "send"], &[("BARNCAT_FAILPOINTS", "alert.send.after=kill")]).await;
    assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told(&double).len(), 2, "it was sent, and nobody wrote that down");
    sent().await;
    sent().await;
    let told = told(&double);
    assert_eq!(told.len(), 2, "who sends it again looks first: {told:#?}");
    assert!(told[0].contains("raw.gone failed") && told[1].contains("raw.gone recovered"), "{told:#?}");
    nothing_refused(&double);
}

#[tokio::test]
async fn an_answer_that_got_lost_makes_no_second_message() {
    let scene = Scene::new(BOT).await;
    let (control, channels) = (scene.control().await, scene.channels());
    scene.see(&control, "raw.a", true).await;
    scene.double.knobs().plan("slack", Fault::DoAndCut, 1);
    assert_eq!(deliver_next(&control, &channels).await.unwrap(), Did::Failed);
    scene.hours_later().await;
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 1);
    assert_eq!(told(&scene.double).len(), 1);
    scene.see(&control, "raw.a", false).await;
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 1);
    let kept = scene.double.knobs().kept_by("slack");
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1].thread_ts, kept[0].ts, "and the thread is found");
}

#[tokio::test]
async fn what_is_over_when_it_is_told_calls_nobody() {
    let scene = Scene::new(BOT).await;
    let (control, channels) = (scene.control().await, scene.channels());
    scene.see(&control, "raw.a", true).await;
    scene.see(&control, "raw.a", false).await;
    scene.see(&control, "raw.b", true).await;
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 3);
    let calls = |text: &str| {
        let kept = scene.double.knobs().kept_by("slack");
        let of = kept.iter().flat_map(|kept| kept.before.iter().chain([&kept.body]));
        of.filter(|body| all_text(body).contains(text)).any(|body| all_text(body).contains("<!here>"))
    };
    assert!(!calls("raw.a failed") && !calls("raw.a recovered") && calls("raw.b failed"));
    nothing_refused(&scene.double);
}

#[tokio::test]
async fn what_cannot_wait_does_not_come_before_its_beginning() {
    let scene = Scene::new(&format!("{BOT}\ndigest = \"09:00\"")).await;
    let (control, channels) = (scene.control().await, scene.channels());
    let route = |notice: &_| channels.router.route(notice);
    control.observe("tests", &wrong("raw.a", Tier::Optional), route).await.unwrap();
    control.observe("tests", &wrong("raw.b", Tier::Optional), route).await.unwrap();
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 0, "it waits for its hour");
    control.observe("tests", &wrong("raw.a", Tier::Critical), route).await.unwrap();
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 2);
    let at_once = told(&scene.double);
    assert!(
        at_once[0].contains("raw.a failed") && at_once[1].contains("worse: raw.a failed"),
        "{at_once:#?}"
    );
    control.observe("tests", &well("raw.b"), route).await.unwrap();
    scene.sql("UPDATE control.outbox SET due_at = clock_timestamp() WHERE sent_at IS NULL").await;
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 1);
    let digest = scene.double.knobs().kept_by("slack").pop().unwrap();
    assert_eq!(headline(&digest), "tests: 0 open, 1 recovered");
    nothing_refused(&scene.double);
}

#[tokio::test]
async fn many_at_once_are_one_message() {
    let scene = Scene::new(BOT).await;
    let (control, channels) = (scene.control().await, scene.channels());
    for number in 0..30 {
        scene.see(&control, &format!("raw.t{number}"), true).await;
    }
    assert_eq!(deliver(&control, &channels, LIMIT).await.unwrap().sent, 1);
    let kept = scene.double.knobs().kept_by("slack");
    assert_eq!(headline(&kept[0]), "tests: 30 open, 0 recovered");
    assert!(kept[0].body["text"].as_str().unwrap().starts_with("<!here> "));
    scene.see(&control, "raw.t7", false).await;
    deliver(&control, &channels, LIMIT).await.unwrap();
    let kept = scene.double.knobs().kept_by("slack");
    assert!(
        kept.len() == 2 && kept[0].before.is_empty(),
        "what is told of many is not changed for one of them"
    );
    nothing_refused(&scene.double);
}

#[tokio::test]
async fn a_channel_that_lets_nobody_in_keeps_the_others_from_nothing_and_loses_nothing() {
    let alerts =
        "slack = { token = \"xoxb-wrong\", channel = \"C1\", api = \"API\" }\nwebhook.url = \"WEBHOOK\"";
    let scene = Scene::new(alerts).await;
    let (control, channels) = (scene.control().await, scene.channels());
    scene.see(&control, "raw.a", true).await;
    let delivered = deliver(&control, &channels, LIMIT).await.unwrap();
    assert_eq!((delivered.sent, delivered.failed), (1, 1));
    let [sent] = scene.double.knobs().kept_by("webhook").try_into().unwrap_or_else(|_| panic!("one message"));
    assert_eq!(sent.body["event"], "incident_opened");
    assert_eq!((&sent.body["task"], &sent.body["tier"]), (&"raw.a".into(), &"critical".into()));
    let waiting = control.waiting_messages("tests").await.unwrap();
    assert_eq!(waiting[0].error.as_deref(), Some("Slack refuses: invalid_auth"));
}

#[tokio::test]
async fn only_a_deadline_pages_and_its_end_resolves_it() {
    let scene =
        Scene::new("pagerduty = { key = \"0123456789abcdef0123456789abcdef\", url = \"PAGER\" }").await;
    let (control, channels) = (scene.control().await, scene.channels());
    let route = |notice: &_| channels.router.route(notice);
    scene.see(&control, "raw.a", true).await;
    let mut late = wrong("raw.pay", Tier::Critical);
    let alarm =
        Alarm::of_task(AlarmKind::Deadline, Tier::Critical, "raw.pay", "raw.pay will miss 06:00 by 12 min");
    late.cause.clone_from(&alarm.cause);
    late.seen = Seen::Wrong(Box::new(alarm.clone()));
    control.observe("tests", &late, route).await.unwrap();
    scene.double.knobs().plan("pagerduty", Fault::DoAndCut, 1);
    deliver(&control, &channels, Duration::from_secs(5)).await.unwrap();
    let id = control.incidents("tests", false, 10).await.unwrap();
    let id = id.iter().find(|kept| kept.incident.alarm.cause == alarm.cause).unwrap().incident.id.clone();
    assert!(control.acknowledge("tests", &id, "ana@here", route).await.unwrap());
    assert!(!control.acknowledge("tests", &id, "ben@here", route).await.unwrap());
    let over = Observation { cause: alarm.cause, seen: Seen::Well, part_of: Vec::new() };
    control.observe("tests", &over, route).await.unwrap();
    scene.hours_later().await;
    deliver(&control, &channels, LIMIT).await.unwrap();
    let sent = scene.double.knobs().kept_by("pagerduty");
    let actions: Vec<&str> = sent.iter().map(|kept| kept.body["event_action"].as_str().unwrap()).collect();
    // The first answer got lost: PagerDuty tells by the key that it is the same.
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
    assert!(sent.iter().all(|kept| kept.body["dedup_key"] == id.as_str()));
    nothing_refused(&scene.double);
}

#[tokio::test]
async fn a_claim_ends_with_its_process_and_two_claims_never_overlap() {
    let scene = Scene::new(BOT).await;
    let (first, second) = (scene.control().await, scene.control().await);
    scene.see(&first, "raw.a", true).await;
    scene.see(&first, "raw.a", false).await;
    let Next::Send(claimed) = first.claim_message("tests", &["slack"]).await.unwrap() else {
        panic!("one waits")
    };
    assert!(!claimed.doubtful);
    scene.hours_later_for_places().await;
    assert!(
        matches!(second.claim_message("tests", &["slack"]).await.unwrap(), Next::Wait(_)),
        "neither it nor its end"
    );
    first.close().await.unwrap();
    scene.hours_later_for_places().await;
    until("the claim is free", async || match second.claim_message("tests", &["slack"]).await.unwrap() {
        Next::Send(again) => {
            assert!(again.doubtful, "it may have been sent");
            assert_eq!(again.messages, claimed.messages);
            true
        }
        _ => false,
    })
    .await;
}

/// One process' view of a project's control database.
async fn control_of(project: &Project) -> Control {
    let url = Secret::new(project.database.url());
    let endpoint = Endpoint::parse(&url, &TlsSettings::default(), Path::new(".")).unwrap();
    Control::open_with(&endpoint, "barncat_control", QUICK).await.unwrap()
}

impl Scene {
    async fn hours_later_for_places(&self) {
        self.sql("UPDATE control.alert_places SET not_before = not_before - interval '2 hours'").await;
    }
}

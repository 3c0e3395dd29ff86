//! Notices for the tests: a usual one, and any.

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{
    config::Severity,
    event::Tier,
    incident::{Affected, Alarm, AlarmKind, Effect, Notice, Telling},
};

/// A usual one.
pub(in crate::alert) fn notice(event: Telling) -> Notice {
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    let recovered = (event == Telling::Recovered).then(|| time("2026-11-22T05:31:00Z"));
    Notice {
        event,
        at: recovered.unwrap_or(time("2026-11-22T04:02:00Z")),
        project: "deliveries".to_owned(),
        incident: "01JD0000000000000000000001".to_owned(),
        opened_at: time("2026-11-22T04:02:00Z"),
        recovered_at: recovered,
        times: 1,
        acknowledged_by: (event == Telling::Acknowledged).then(|| "ana@loader-1".to_owned()),
        alarm: Alarm {
            owner: Some("logistics".to_owned()),
            tags: vec!["hot".to_owned()],
            why: Some("the server answered 503 (passing)".to_owned()),
            hint: Some("`barncat run orders` tries it again".to_owned()),
            data_as_of: Some(time("2026-11-21T04:00:00Z")),
            effect: Effect {
                critical: vec![Affected {
                    task: "analytics.rider_payments".to_owned(),
                    deadline: Some("06:00".to_owned()),
                }],
                others: 2,
            },
            ..Alarm::of_task(
                AlarmKind::Failed,
                Tier::Critical,
                "raw_shop.orders",
                "raw_shop.orders failed 3 times",
            )
        },
    }
}

/// Names as nobody would give them, and some would.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<!channel> & <https://evil|click>".to_owned()),
        Just("&".repeat(10_000)),
        Just("`*_~".repeat(100)),
        Just("🐈‍⬛👩‍👩‍👧‍👦".repeat(1_000)),
        Just("\u{202e}תלוש\u{2066}راتب".to_owned()),
        Just(String::new()),
        Just("\n\n \u{0}\u{7}".to_owned()),
        Just("x".repeat(10_000)),
        ".{0,80}",
    ]
}

/// Any notice.
pub(in crate::alert) fn any_notice() -> impl Strategy<Value = Notice> {
    let events = prop_oneof![
        Just(Telling::Opened),
        Just(Telling::Reopened),
        Just(Telling::Flapping),
        Just(Telling::Updated),
        Just(Telling::Acknowledged),
        Just(Telling::Recovered),
        Just(Telling::Test),
    ];
    let texts = prop::collection::vec(any_text(), 9);
    let affected = prop::collection::vec(any_text(), 0..80);
    (events, texts, affected, any::<bool>(), any::<bool>(), 0i64..4_000_000_000, 0u32..9).prop_map(
        |(event, texts, affected, is_critical, is_error, seconds, others)| {
            let at = Timestamp::from_second(seconds).expect("a time of this century");
            let effect = Effect {
                critical: affected
                    .iter()
                    .map(|task| Affected { task: task.clone(), deadline: Some(texts[8].clone()) })
                    .collect(),
                others,
            };
            let mut notice = notice(event);
            notice.at = at;
            notice.project = texts[0].clone();
            notice.incident = format!("{event:?}{seconds}");
            notice.opened_at = at;
            notice.acknowledged_by = Some(texts[1].clone());
            notice.alarm = Alarm {
                tier: if is_critical { Tier::Critical } else { Tier::Optional },
                severity: if is_error { Severity::Error } else { Severity::Warn },
                task: Some(texts[2].clone()),
                owner: Some(texts[3].clone()),
                what: texts[4].clone(),
                why: Some(texts[5].clone()),
                hint: Some(texts[6].clone()),
                command: texts[7].clone(),
                effect,
                ..notice.alarm
            };
            notice
        },
    )
}

//! PagerDuty, by its Events API v2 (developer.pagerduty.com, "Send an Alert Event"): one alert an incident, told
//! apart by its dedup key, so that a message that comes twice makes no second one.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AlertError, Channel, Message};
use crate::{
    config::Severity,
    http::{Call, Http, Method},
    incident::{Notice, Telling},
    secret::Secret,
};

/// The channel.
pub(super) struct PagerDuty {
    pub(super) http: Http,
    pub(super) url: Secret,
    pub(super) key: Secret,
    pub(super) dashboard: Option<String>,
}

const NAME: &str = "PagerDuty";

/// "The maximum permitted length of this property is 1024 characters."
const SUMMARY_CHARACTERS_MAX: usize = 1024;

/// An event has 512 KB at most; its texts stay far below.
const TEXT_CHARACTERS_MAX: usize = 8_000;

/// Names of tasks in one event.
const TASKS_MAX: usize = 50;

#[async_trait]
impl Channel for PagerDuty {
    async fn send(&self, message: &Message<'_>) -> Result<Option<Value>, AlertError> {
        for notice in message.notices {
            let body = event(notice, self.key.expose(), self.dashboard.as_deref()).to_string();
            let call = Call {
                method: Method::POST,
                service: NAME,
                url: &self.url,
                bearer: None,
                headers: &[],
                body: Some(body),
            };
            let answer = self.http.call(call).await?;
            if !answer.is_done() {
                return Err(AlertError::of(NAME, &answer, self.said(&answer.body)));
            }
        }
        Ok(None)
    }
}

impl PagerDuty {
    /// Its own words, without the key.
    fn said(&self, body: &str) -> String {
        let said: Value = serde_json::from_str(body).unwrap_or_default();
        let errors = said["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<&str> = said["message"].as_str().into_iter().chain(errors).collect();
        let words = if words.is_empty() { "no reason was given".to_owned() } else { words.join("; ") };
        cut(&words.replace(self.key.expose(), "***"), 300)
    }
}

fn event(notice: &Notice, key: &str, dashboard: Option<&str>) -> Value {
    let action = match notice.event {
        Telling::Acknowledged => "acknowledge",
        Telling::Recovered => "resolve",
        _ => "trigger",
    };
    let event = json!({"routing_key": key, "event_action": action, "dedup_key": notice.incident});
    if action != "trigger" {
        return event;
    }
    let alarm = &notice.alarm;
    let severity = match alarm.severity {
        Severity::Error => "critical",
        Severity::Warn => "warning",
    };
    let named = |affected: &crate::incident::Affected| cut(&affected.task, 300);
    let affected: Vec<String> = alarm.effect.critical.iter().take(TASKS_MAX).map(named).collect();
    let long = |text: &Option<String>| text.as_deref().map(|text| cut(text, TEXT_CHARACTERS_MAX));
    let mut event = event;
    event["client"] = json!("barncat");
    event["payload"] = json!({
        "summary": cut(&format!("{}: {}", notice.project, alarm.what), SUMMARY_CHARACTERS_MAX),
        "source": cut(alarm.task.as_deref().unwrap_or(&notice.project), 300),
        "severity": severity,
        "timestamp": notice.opened_at.to_string(),
        "component": cut(&notice.project, 300),
        "class": alarm.kind,
        "custom_details": {
            "why": long(&alarm.why),
            "hint": long(&alarm.hint),
            "command": cut(&alarm.command, TEXT_CHARACTERS_MAX),
            "critical tasks affected": affected,
            "owner": long(&alarm.owner),
            "published data as of": alarm.data_as_of.map(|at| at.to_string()),
        },
    });
    if let Some(dashboard) = dashboard {
        event["client_url"] = json!(dashboard);
        event["links"] = json!([{"href": dashboard, "text": "dashboard"}]);
    }
    event
}

/// At most so many characters, by whoever counts them: in UTF-16 there are more than in Unicode.
fn cut(text: &str, most: usize) -> String {
    let mut cut = String::new();
    let mut units = 0;
    for char in text.chars() {
        units += char.len_utf16();
        if units >= most {
            cut.push('…');
            break;
        }
        cut.push(char);
    }
    // An empty one is refused.
    if cut.trim().is_empty() { "-".to_owned() } else { cut }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alert::slack::examples::{any_notice, notice};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_deadline_triggers_and_its_recovery_resolves() {
        for (name, telling) in [
            ("trigger", Telling::Opened),
            ("acknowledge", Telling::Acknowledged),
            ("resolve", Telling::Recovered),
        ] {
            insta::assert_json_snapshot!(
                name,
                event(&notice(telling), KEY, Some("https://barncat.internal"))
            );
        }
    }

    proptest! {
        #[test]
        fn pagerduty_takes_every_event(notice in any_notice()) {
            let event = event(&notice, KEY, Some("https://barncat.internal"));
            prop_assert_eq!(alert_double::pagerduty_refuses(&event), None, "{}", event);
        }
    }
}

//! What PagerDuty's Events API v2 says of an event.

use serde_json::Value;

/// Why PagerDuty would refuse an event.
pub fn refuses(event: &Value) -> Option<String> {
    check(event).err()
}

fn check(event: &Value) -> Result<(), String> {
    if event.to_string().len() > 512 << 10 {
        return Err("an event has 512 KB at most".to_owned());
    }
    let keys =
        ["routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"];
    only(event, &keys)?;
    let key = event["routing_key"].as_str().unwrap_or_default();
    if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("'routing_key' is invalid".to_owned());
    }
    let dedup_key = event["dedup_key"].as_str();
    if dedup_key.is_some_and(|key| key.is_empty() || key.chars().count() > 255) {
        return Err("'dedup_key' is longer than 255 characters, or empty".to_owned());
    }
    match event["event_action"].as_str() {
        Some("trigger") => payload(&event["payload"])?,
        Some("acknowledge" | "resolve") if dedup_key.is_some() => {}
        Some("acknowledge" | "resolve") => return Err("'dedup_key' is missing".to_owned()),
        _ => return Err("'event_action' is invalid".to_owned()),
    }
    for link in event["links"].as_array().into_iter().flatten() {
        only(link, &["href", "text"])?;
        if !link["href"].as_str().is_some_and(|url| url.starts_with("http")) {
            return Err("'links' has no href".to_owned());
        }
    }
    Ok(())
}

fn payload(payload: &Value) -> Result<(), String> {
    only(
        payload,
        &["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"],
    )?;
    for key in ["summary", "source", "component", "group", "class"] {
        let is_required = ["summary", "source"].contains(&key);
        match payload.get(key) {
            None if !is_required => {}
            Some(Value::String(text)) if !text.trim().is_empty() && text.encode_utf16().count() <= 1024 => {}
            _ => return Err(format!("'payload.{key}' is missing, empty or longer than 1024 characters")),
        }
    }
    if !matches!(payload["severity"].as_str(), Some("critical" | "error" | "warning" | "info")) {
        return Err("'payload.severity' is invalid".to_owned());
    }
    let is_time = |text: &str| text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z');
    if payload.get("timestamp").is_some_and(|time| !time.as_str().is_some_and(is_time)) {
        return Err("'payload.timestamp' is not in ISO 8601".to_owned());
    }
    if payload.get("custom_details").is_some_and(|details| !details.is_object()) {
        return Err("'payload.custom_details' is not an object".to_owned());
    }
    Ok(())
}

fn only(object: &Value, keys: &[&str]) -> Result<(), String> {
    let object = object.as_object().ok_or("not an object")?;
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("'{key}' is unknown")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_pagerduty_refuses_is_refused() {
        let key = "0123456789abcdef0123456789abcdef";
        let good = json!({
            "routing_key": key, "event_action": "trigger", "dedup_key": "k",
            "payload": {"summary": "s", "source": "x", "severity": "critical", "timestamp": "2026-11-22T05:00:00Z"},
        });
        assert_eq!(refuses(&good), None);
        for (path, value) in [
            ("/routing_key", json!("short")),
            ("/event_action", json!("shout")),
            ("/dedup_key", json!("k".repeat(256))),
            ("/payload/summary", json!("s".repeat(1025))),
            ("/payload/summary", json!("")),
            ("/payload/severity", json!("fatal")),
            ("/payload/timestamp", json!("yesterday")),
            ("/payload", json!({"source": "x"})),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            assert!(refuses(&bad).is_some(), "{path}");
        }
        assert_eq!(refuses(&json!({"routing_key": key, "event_action": "resolve", "dedup_key": "k"})), None);
        assert!(refuses(&json!({"routing_key": key, "event_action": "resolve"})).is_some());
        let mut large = good;
        large["payload"]["custom_details"] = json!({"x": "x".repeat(600_000)});
        assert!(refuses(&large).is_some());
    }
}

//! What Slack says of a message: `None`, or the error's name with what is wrong.

use serde_json::Value;

const BLOCKS_MAX: usize = 50;

/// Why Slack would refuse a message.
pub fn refuses(message: &Value) -> Option<String> {
    check(message).err()
}

fn check(message: &Value) -> Result<(), String> {
    let text = message["text"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err("no_text".to_owned());
    }
    // "For best results, limit the number of characters in the text field to 4,000".
    length("text", text, 4_000).map_err(|what| format!("msg_too_long: {what}"))?;
    markup(text).map_err(|what| format!("text: {what}"))?;
    let Some(blocks) = message.get("blocks") else { return Ok(()) };
    let blocks = blocks.as_array().ok_or("invalid_blocks_format")?;
    if blocks.is_empty() || blocks.len() > BLOCKS_MAX {
        return Err(format!("invalid_blocks: {} blocks", blocks.len()));
    }
    let at =
        |(place, block)| self::block(block).map_err(|what| format!("invalid_blocks: block {place}: {what}"));
    blocks.iter().enumerate().try_for_each(at)
}

fn block(block: &Value) -> Result<(), String> {
    match block["type"].as_str() {
        Some("header") => {
            only(block, &["type", "text", "block_id"])?;
            object(&block["text"], &["plain_text"], 150)
        }
        Some("section") => {
            only(block, &["type", "text", "fields", "accessory", "block_id", "expand"])?;
            let fields = block["fields"].as_array();
            if block["text"].is_null() && fields.is_none() {
                return Err("neither text nor fields".to_owned());
            }
            if !block["text"].is_null() {
                object(&block["text"], &["plain_text", "mrkdwn"], 3_000)?;
            }
            let fields = fields.map_or(&[][..], Vec::as_slice);
            if fields.len() > 10 {
                return Err(format!("{} fields", fields.len()));
            }
            fields.iter().try_for_each(|field| object(field, &["plain_text", "mrkdwn"], 2_000))
        }
        Some("context") => {
            only(block, &["type", "elements", "block_id"])?;
            let elements = block["elements"].as_array().ok_or("no elements")?;
            if elements.is_empty() || elements.len() > 10 {
                return Err(format!("{} elements", elements.len()));
            }
            elements.iter().try_for_each(|element| object(element, &["plain_text", "mrkdwn"], 2_000))
        }
        Some("divider") => only(block, &["type", "block_id"]),
        other => Err(format!("the type {other:?} is unknown here")),
    }
}

/// A text object.
fn object(object: &Value, types: &[&str], most: usize) -> Result<(), String> {
    only(object, &["type", "text", "emoji", "verbatim"])?;
    let kind = object["type"].as_str().unwrap_or_default();
    if !types.contains(&kind) {
        return Err(format!("a text of type {kind:?}"));
    }
    if object.get("emoji").is_some() && kind != "plain_text" {
        return Err("emoji of a text that is not plain".to_owned());
    }
    let text = object["text"].as_str().ok_or("no text")?;
    // "Minimum length … is 1".
    if text.trim().is_empty() {
        return Err("an empty text".to_owned());
    }
    length("text", text, most)?;
    markup(text)
}

fn length(name: &str, text: &str, most: usize) -> Result<(), String> {
    match text.encode_utf16().count() {
        more if more > most => Err(format!("{name} has {more} characters, {most} are the most")),
        _ => Ok(()),
    }
}

fn only(object: &Value, keys: &[&str]) -> Result<(), String> {
    let object = object.as_object().ok_or("not an object")?;
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key}")),
        None => Ok(()),
    }
}

/// `&`, `<` and `>` stand for something: an entity, a mention, a date, a link.
fn markup(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>']) {
        let (control, after) = rest[at..].split_at(1);
        rest = match control {
            "&" => {
                let entity = ["amp;", "lt;", "gt;"].iter().find(|entity| after.starts_with(**entity));
                &after[entity.ok_or("an & that is not escaped")?.len()..]
            }
            "<" => {
                let end = after.find('>').ok_or("a < that is not escaped")?;
                reference(&after[..end])?;
                &after[end + 1..]
            }
            _ => return Err("a > that is not escaped".to_owned()),
        };
    }
    Ok(())
}

/// What stands between `<` and `>`.
fn reference(inner: &str) -> Result<(), String> {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_right = match inner.split_at_checked(1) {
        Some(("!", "here" | "channel" | "everyone")) => true,
        Some(("!", special)) if special.starts_with("subteam^") => is_id(&special[8..]),
        Some(("!", special)) if special.starts_with("date^") => is_date(&special[5..]),
        Some(("@" | "#", id)) => is_id(id),
        _ => {
            let url = inner.split('|').next().unwrap_or_default();
            ["https://", "http://", "mailto:"].iter().any(|start| url.starts_with(start))
                && !url.contains(' ')
        }
    };
    if is_right { Ok(()) } else { Err(format!("<{inner}> is nothing that Slack knows")) }
}

/// `<seconds>^<{tokens}>|<fallback>`.
fn is_date(date: &str) -> bool {
    let Some((seconds, rest)) = date.split_once('^') else { return false };
    let Some((tokens, fallback)) = rest.split_once('|') else { return false };
    seconds.parse::<i64>().is_ok() && tokens.contains('{') && !fallback.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(blocks: Value) -> Option<String> {
        refuses(&json!({"text": "x", "blocks": blocks}))
    }

    #[test]
    fn what_slack_refuses_is_refused() {
        let section = |text: &str| json!([{"type": "section", "text": {"type": "mrkdwn", "text": text}}]);
        for text in [
            "a &amp; b",
            "<!here> <@U1> <!date^1^{time}|x> <https://x|y>",
            "&lt;!channel&gt;",
            &"x".repeat(3_000),
        ] {
            assert_eq!(of(section(text)), None, "{text}");
        }
        for text in
            ["a & b", "a < b", "a > b", "<!nobody>", "<x>", "<!date^x^y>", "", " ", &"x".repeat(3_001)]
        {
            assert!(of(section(text)).is_some(), "{text}");
        }
        let header = |text: &str| json!([{"type": "header", "text": {"type": "plain_text", "text": text}}]);
        assert_eq!(of(header(&"x".repeat(150))), None);
        assert!(of(header(&"x".repeat(151))).is_some());
        assert!(of(header(&"🐈".repeat(76))).is_some(), "two units a cat");
        assert!(of(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])).is_some());
        let divider = json!({"type": "divider"});
        assert_eq!(of(json!(vec![divider.clone(); 50])), None);
        assert!(of(json!(vec![divider; 51])).is_some());
        let field = json!({"type": "mrkdwn", "text": "x"});
        assert!(of(json!([{"type": "section", "fields": vec![field.clone(); 11]}])).is_some());
        assert!(of(json!([{"type": "context", "elements": vec![field; 11]}])).is_some());
        assert!(of(json!([{"type": "section", "txt": 1}])).is_some());
        assert!(of(json!([])).is_some());
        assert!(refuses(&json!({"blocks": []})).is_some());
    }
}

//! `[alerts]` of `barncat.toml`: the channels, and which of them is told what.

use super::{Environment, Keys, Severity, Template, mistake::Place};
use crate::{event::Tier, secret::Secret};

/// Who is told.
#[derive(Debug, Clone, Default)]
pub struct AlertsConfig {
    /// Where the dashboard is, for links.
    pub dashboard: Option<Template>,
    /// Called after each good pass.
    pub heartbeat: Option<Template>,
    /// When what can wait is told, in the project's time zone; `None`: at once.
    pub digest: Option<jiff::civil::Time>,
    /// Slack.
    pub slack: Option<SlackConfig>,
    /// PagerDuty.
    pub pagerduty: Option<PagerDutyConfig>,
    /// A webhook of one's own.
    pub webhook: Option<Template>,
    /// What goes elsewhere; the first that fits counts.
    pub routes: Vec<Route>,
}

/// How Slack is written to.
#[derive(Debug, Clone)]
pub struct SlackConfig {
    /// As whom.
    pub way: SlackWay,
    /// Who is called by name when it is loud.
    pub mention: Option<Mention>,
    /// Another server than Slack's own: `https://slack-gov.com/api`.
    pub api: Option<Template>,
}

impl SlackConfig {
    /// Where it is written.
    pub fn place(&self) -> &Place {
        match &self.way {
            SlackWay::Webhook { url, .. } => url.place(),
            SlackWay::Bot { token, .. } => token.place(),
        }
    }
}

/// As whom Slack is written to.
#[derive(Debug, Clone)]
pub enum SlackWay {
    /// By an incoming webhook: no threads, and nothing is changed afterwards.
    Webhook {
        /// Its url.
        url: Template,
        /// Of what can wait.
        low: Option<Template>,
    },
    /// By a bot.
    Bot {
        /// Its token.
        token: Template,
        /// The channel's id, or its name.
        channel: Template,
        /// Of what can wait.
        low: Option<String>,
    },
}

/// How PagerDuty is reached.
#[derive(Debug, Clone)]
pub struct PagerDutyConfig {
    /// The integration's routing key.
    pub key: Template,
    /// Another server: `https://events.eu.pagerduty.com`.
    pub url: Option<Template>,
}

/// Who is called by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// Who is there just now.
    Here,
    /// Everybody in the channel.
    Channel,
    /// One person, by the id.
    User(String),
    /// A group, by the id.
    Group(String),
}

/// Where some incidents go.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Only of this tier.
    pub tier: Option<Tier>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Only of this owner.
    pub owner: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// The channels; `None`: all.
    pub to: Option<Vec<ChannelName>>,
    /// Another channel of Slack, which takes a bot.
    pub channel: Option<String>,
}

/// A kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChannelName {
    /// Slack.
    Slack,
    /// PagerDuty.
    PagerDuty,
    /// A webhook of one's own.
    Webhook,
}

impl ChannelName {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] =
        [("slack", Self::Slack), ("pagerduty", Self::PagerDuty), ("webhook", Self::Webhook)];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }

    /// The channel of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == name).map(|(_, channel)| *channel)
    }
}

/// A setting of a channel, as the environment has it: one whose variable is missing or empty is off.
pub fn on(template: &Template, environment: &Environment) -> Option<Secret> {
    template.resolve(environment).ok().filter(|text| !text.expose().trim().is_empty())
}

/// Reads the section.
pub(super) fn read(file: &Keys<'_>) -> AlertsConfig {
    let Some(keys) = file.table("alerts") else { return AlertsConfig::default() };
    let digest = keys.string("digest").and_then(|text| {
        let time = text.parse().ok();
        if time.is_none() {
            keys.wrong("digest", "is not a time of day like `09:00`");
        }
        time
    });
    let slack = keys.table("slack").and_then(slack);
    let webhook = keys.table("webhook").and_then(|table| {
        let url = url(&table, "url");
        if !table.has("url") {
            table.missing("url", "webhook.url = \"${ALERT_WEBHOOK:-}\"");
        }
        table.finish();
        url
    });
    let config = AlertsConfig {
        dashboard: url(&keys, "dashboard"),
        heartbeat: url(&keys, "heartbeat"),
        digest,
        pagerduty: keys.table("pagerduty").and_then(pagerduty),
        webhook,
        routes: routes(&keys, slack.as_ref()),
        slack,
    };
    keys.finish();
    config
}

fn slack(table: Keys<'_>) -> Option<SlackConfig> {
    let mention = mention(&table);
    let api = url(&table, "api");
    let way = match (table.has("webhook"), table.has("token")) {
        (true, true) => {
            table.wrong("webhook", "and `token` are two ways to do the same; a bot's token can do more");
            None
        }
        (true, false) => webhook_way(&table),
        (false, true) => bot_way(&table),
        (false, false) => {
            table.missing(
                "webhook",
                "slack.webhook = \"${SLACK_WEBHOOK:-}\", or slack.token and slack.channel",
            );
            None
        }
    };
    for key in ["webhook", "token", "channel", "low_channel", "low_webhook"] {
        table.know(key);
    }
    table.finish();
    Some(SlackConfig { way: way?, mention, api })
}

fn webhook_way(table: &Keys<'_>) -> Option<SlackWay> {
    for key in ["channel", "low_channel"] {
        if table.has(key) {
            let hint =
                "a webhook writes to the channel that it was made for; slack.low_webhook is another one";
            table.wrong_with_hint(key, "takes `token`", hint.to_owned());
        }
    }
    Some(SlackWay::Webhook { url: url(table, "webhook")?, low: url(table, "low_webhook") })
}

fn bot_way(table: &Keys<'_>) -> Option<SlackWay> {
    if table.has("low_webhook") {
        let hint = "slack.low_channel = \"#data-quiet\"".to_owned();
        table.wrong_with_hint("low_webhook", "takes `webhook`", hint);
    }
    if !table.has("channel") {
        table.missing("channel", "slack.channel = \"C0123456789\"");
    }
    let (token, channel) = (table.template("token"), table.template("channel"));
    Some(SlackWay::Bot { token: token?, channel: channel?, low: table.string("low_channel") })
}

fn pagerduty(table: Keys<'_>) -> Option<PagerDutyConfig> {
    let url = url(&table, "url");
    let key = table.template("key");
    if !table.has("key") {
        table.missing("key", "pagerduty.key = \"${PAGERDUTY_KEY:-}\"");
    }
    table.finish();
    Some(PagerDutyConfig { key: key?, url })
}

/// A url whose beginning is known must be one.
fn url(keys: &Keys<'_>, key: &'static str) -> Option<Template> {
    let template = keys.template(key)?;
    if !["https://", "http://"].iter().any(|start| template.may_start_with(start)) {
        keys.wrong(key, "is no url that begins with `https://`");
        return None;
    }
    Some(template)
}

/// `@here`, `@channel`, or the id of a person or a group: Slack knows no names here.
fn mention(keys: &Keys<'_>) -> Option<Mention> {
    let text = keys.string("mention")?;
    let is_id = |text: &str| {
        text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    match text.as_str() {
        "@here" => Some(Mention::Here),
        "@channel" => Some(Mention::Channel),
        id if is_id(id) && id.starts_with(['U', 'W']) => Some(Mention::User(text)),
        id if is_id(id) && id.starts_with('S') => Some(Mention::Group(text)),
        _ => {
            let hint = "a profile's menu has `Copy member ID`: `U0123456789`; a group's id begins with `S`";
            keys.wrong_with_hint("mention", "is none of `@here`, `@channel`, or an id", hint.to_owned());
            None
        }
    }
}

fn routes(keys: &Keys<'_>, slack: Option<&SlackConfig>) -> Vec<Route> {
    let has_bot = slack.is_none_or(|slack| matches!(slack.way, SlackWay::Bot { .. }));
    let read = |(name, place, item): (String, Place, &toml_edit::Item)| {
        let keys = Keys::new(keys.text, item, format!("route `{name}`"), place, keys.mistakes)?;
        let route = Route {
            tier: keys.choice("tier", &[("critical", Tier::Critical), ("optional", Tier::Optional)]),
            severity: keys.choice("severity", &[("error", Severity::Error), ("warn", Severity::Warn)]),
            owner: keys.string("owner"),
            tag: keys.string("tag"),
            to: to(&keys),
            channel: keys.string("channel"),
            name,
        };
        if route.tier.is_none() && route.severity.is_none() && route.owner.is_none() && route.tag.is_none() {
            keys.missing("tier", "or `severity`, `owner`, `tag`: which incidents are meant");
        }
        if route.channel.is_some() && !has_bot {
            let hint = "slack.token and slack.channel instead of slack.webhook".to_owned();
            keys.wrong_with_hint("channel", "takes a bot", hint);
        }
        keys.finish();
        Some(route)
    };
    keys.named("routes").into_iter().filter_map(read).collect()
}

fn to(keys: &Keys<'_>) -> Option<Vec<ChannelName>> {
    let names = keys.strings_or_none("to")?;
    let mut channels = Vec::new();
    for name in &names {
        match ChannelName::of(name) {
            Some(channel) => channels.push(channel),
            None => keys.wrong(
                "to",
                format_args!("names `{name}`, which is none of `slack`, `pagerduty`, `webhook`"),
            ),
        }
    }
    Some(channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Project;

    fn read(alerts: &str) -> Result<Project, String> {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "[project]\nname = \"p\"\n[sources.s]\nkind = \"postgres\"\nurl = \"u\"\n[stage]\nurl = \"file:./s\"\n\
             [warehouse]\nkind = \"postgres\"\nurl = \"u\"\n[alerts]\n{alerts}\n"
        );
        std::fs::write(dir.path().join("barncat.toml"), text).unwrap();
        crate::config::read(dir.path(), None).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn channels_and_routes_are_read_and_an_empty_variable_turns_one_off() {
        let alerts = "digest = \"09:30\"\nslack.token = \"${TOKEN:-}\"\nslack.channel = \"C1\"\nslack.mention = \"U1\"\n\
                      pagerduty.key = \"${KEY}\"\n[alerts.routes]\n\
                      finance = { owner = \"finance\", channel = \"#finance\" }\nnoise = { tag = \"x\", to = [\"webhook\"] }";
        let config = read(alerts).unwrap().alerts;
        assert_eq!(config.digest, Some(jiff::civil::time(9, 30, 0, 0)));
        let slack = config.slack.unwrap();
        assert_eq!(slack.mention, Some(Mention::User("U1".to_owned())));
        let SlackWay::Bot { token, .. } = &slack.way else { panic!("a bot") };
        assert!(on(token, &Environment::of([])).is_none());
        let set = Environment::of([("TOKEN".to_owned(), "xoxb-1".to_owned())]);
        assert_eq!(on(token, &set).unwrap().expose(), "xoxb-1");
        assert!(on(&config.pagerduty.unwrap().key, &set).is_none(), "a missing one is off too");
        let names: Vec<&str> = config.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["finance", "noise"]);
        assert_eq!(config.routes[1].to, Some(vec![ChannelName::Webhook]));
    }

    #[test]
    fn each_mistake_is_told() {
        for (alerts, part) in [
            ("digest = \"nine\"", "`digest` of [alerts] is not a time of day like `09:00`"),
            ("slack = {}", "`slack` of [alerts] needs `webhook`"),
            ("slack = { webhook = \"https://x\", token = \"x\" }", "are two ways to do the same"),
            ("slack = { webhook = \"x\" }", "is no url that begins with `https://`"),
            (
                "slack = { webhook = \"https://x\", low_channel = \"#l\" }",
                "`low_channel` of `slack` of [alerts] takes `token`",
            ),
            ("slack = { token = \"x\" }", "needs `channel`"),
            (
                "slack = { webhook = \"https://x\", mention = \"@ana\" }",
                "is none of `@here`, `@channel`, or an id",
            ),
            ("slack = { webhok = \"https://x\" }", "did you mean `webhook`?"),
            ("pagerduty = {}", "needs `key`"),
            ("webhook = {}", "needs `url`"),
            ("routes.a = {}", "route `a` needs `tier`"),
            ("routes.a = { tag = \"x\", to = [\"slak\"] }", "names `slak`, which is none of"),
            ("slack.webhook = \"https://x\"\nroutes.a = { tag = \"x\", channel = \"#a\" }", "takes a bot"),
            ("heartbeat = \"nowhere\"", "is no url"),
        ] {
            let mistakes = read(alerts).expect_err(alerts);
            assert!(mistakes.contains(part), "{alerts}: {mistakes}");
        }
    }

    #[test]
    fn no_mistake_shows_a_secret() {
        let mistakes = read(
            "slack = { webhook = \"hooks/hunter2\", token = \"xoxb-hunter2\" }\nheartbeat = \"hunter2\"",
        );
        assert!(!mistakes.expect_err("three mistakes").contains("hunter2"));
    }
}

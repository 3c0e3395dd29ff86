//! From a project's text to its channels.

use std::collections::BTreeMap;

use super::{
    Channel, Router,
    heartbeat::Heartbeat,
    pagerduty::PagerDuty,
    slack::{Slack, Way},
    webhook::Webhook,
};
use crate::{
    config::{ChannelName, Environment, Project, SlackConfig, SlackWay, Template, on},
    http::{Http, Patience},
    secret::Secret,
};

/// The channels of a project that are on.
pub struct Channels {
    /// The project's name.
    pub project: String,
    /// Which of them is told what.
    pub router: Router,
    /// The heartbeat, if it is on.
    pub heartbeat: Option<Heartbeat>,
    /// What is off though the project names it.
    pub off: Vec<Off>,
    on: BTreeMap<&'static str, Box<dyn Channel>>,
}

/// Something that is off, because its variable is missing or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Off {
    /// `slack`, `heartbeat`, …
    pub name: &'static str,
    /// Where it is written.
    pub place: String,
}

impl Channels {
    /// Those that a project names and the environment turns on. Connects to nothing.
    pub fn of(project: &Project, environment: &Environment) -> Self {
        let (config, http) = (&project.alerts, Http::new(Patience::default()));
        let mut off = Vec::new();
        let mut resolved = |name: &'static str, template: &Option<Template>| {
            let template = template.as_ref()?;
            let found = on(template, environment);
            if found.is_none() {
                off.push(Off { name, place: template.place().to_string() });
            }
            found
        };
        let dashboard = resolved("dashboard", &config.dashboard);
        let dashboard = dashboard.map(|url| url.expose().trim_end_matches('/').to_owned());
        let heartbeat =
            resolved("heartbeat", &config.heartbeat).map(|url| Heartbeat { http: http.clone(), url });
        let mut channels: BTreeMap<&'static str, Box<dyn Channel>> = BTreeMap::new();
        if let Some(url) = resolved("webhook", &config.webhook) {
            channels.insert(ChannelName::Webhook.as_str(), Box::new(Webhook { http: http.clone(), url }));
        }
        if let Some(pagerduty) = &config.pagerduty
            && let Some(key) = resolved("pagerduty", &Some(pagerduty.key.clone()))
        {
            let url = server(&pagerduty.url, environment, PAGERDUTY);
            let url = Secret::new(format!("{url}/v2/enqueue"));
            let channel = PagerDuty { http: http.clone(), url, key, dashboard: dashboard.clone() };
            channels.insert(ChannelName::PagerDuty.as_str(), Box::new(channel));
        }
        let mut has_low = false;
        if let Some(slack) = &config.slack {
            let way = way(slack, environment);
            if way.is_none() {
                off.push(Off { name: "slack", place: slack.place().to_string() });
            }
            if let Some(way) = way {
                has_low = way.has_low();
                let (mention, api) = (slack.mention.clone(), server(&slack.api, environment, SLACK_API));
                channels.insert(
                    ChannelName::Slack.as_str(),
                    Box::new(Slack { http, way, mention, api, dashboard }),
                );
            }
        }
        let router = Router {
            on: channels.keys().filter_map(|name| ChannelName::of(name)).collect(),
            has_low,
            digest: config.digest,
            timezone: project.zone(),
            routes: config.routes.clone(),
        };
        Self { project: project.name.clone(), router, heartbeat, off, on: channels }
    }

    /// The names of those that are on.
    pub fn names(&self) -> Vec<&'static str> {
        self.on.keys().copied().collect()
    }

    /// The channel of a name, if it is on.
    pub fn get(&self, name: &str) -> Option<&dyn Channel> {
        self.on.get(name).map(AsRef::as_ref)
    }
}

const SLACK_API: &str = "https://slack.com/api";
const PAGERDUTY: &str = "https://events.pagerduty.com";

/// Another server, where one is said.
fn server(other: &Option<Template>, environment: &Environment, usual: &str) -> String {
    let other = other.as_ref().and_then(|other| on(other, environment));
    other.as_ref().map_or(usual, |other| other.expose()).trim_end_matches('/').to_owned()
}

fn way(slack: &SlackConfig, environment: &Environment) -> Option<Way> {
    Some(match &slack.way {
        SlackWay::Webhook { url, low } => Way::Webhook {
            url: on(url, environment)?,
            low: low.as_ref().and_then(|low| on(low, environment)),
        },
        SlackWay::Bot { token, channel, low } => Way::Bot {
            token: on(token, environment)?,
            channel: on(channel, environment)?.expose().to_owned(),
            low: low.clone(),
        },
    })
}

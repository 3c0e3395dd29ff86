//! Which channel is told what, and when. Pure.

use jiff::{Timestamp, ToSpan, civil::Time, tz::TimeZone};

use crate::{
    config::{ChannelName, Route},
    control::{Delivery, Due},
    incident::{Alarm, Notice, Telling},
};

/// The place that is meant unless something says otherwise.
pub(super) const MAIN: &str = "main";

/// Slack's place for what can wait.
pub(super) const LOW: &str = "low";

/// Decides where a notice goes.
#[derive(Debug, Clone)]
pub struct Router {
    /// The channels that are on.
    pub(super) on: Vec<ChannelName>,
    /// Whether Slack has a place for what can wait.
    pub(super) has_low: bool,
    /// When what can wait is told.
    pub(super) digest: Option<Time>,
    /// Where that time is.
    pub(super) timezone: TimeZone,
    /// What goes elsewhere.
    pub(super) routes: Vec<Route>,
}

impl Router {
    /// Where a notice goes.
    pub fn route(&self, notice: &Notice) -> Vec<Delivery> {
        let route = self.routes.iter().find(|route| fits(route, &notice.alarm));
        let is_meant = |channel: &&ChannelName| {
            route.and_then(|route| route.to.as_ref()).is_none_or(|to| to.contains(channel))
        };
        let delivery = |channel: &ChannelName| match channel {
            ChannelName::Slack => Some(self.slack(notice, route)),
            // Nobody is woken for less, whatever a route says.
            ChannelName::PagerDuty => notice.alarm.pages().then(|| at_once(*channel)),
            ChannelName::Webhook => Some(at_once(*channel)),
        };
        self.on.iter().filter(is_meant).filter_map(delivery).collect()
    }

    fn slack(&self, notice: &Notice, route: Option<&Route>) -> Delivery {
        let channel = route.and_then(|route| route.channel.clone());
        let main = channel.clone().unwrap_or_else(|| MAIN.to_owned());
        let quiet = Delivery { loud: false, address: main, ..at_once(ChannelName::Slack) };
        if !notice.alarm.can_wait() {
            let loud = !matches!(notice.event, Telling::Acknowledged | Telling::Recovered);
            return Delivery { loud, ..quiet };
        }
        match (self.has_low && channel.is_none(), self.digest) {
            (true, _) => Delivery { address: LOW.to_owned(), ..quiet },
            (false, Some(time)) => {
                Delivery { due: Due::Gathered(next(time, &self.timezone, notice.at)), ..quiet }
            }
            (false, None) => quiet,
        }
    }
}

fn at_once(channel: ChannelName) -> Delivery {
    Delivery { channel: channel.as_str(), address: MAIN.to_owned(), loud: true, due: Due::Now }
}

fn fits(route: &Route, alarm: &Alarm) -> bool {
    route.tier.is_none_or(|tier| tier == alarm.tier)
        && route.severity.is_none_or(|severity| severity == alarm.severity)
        && route.owner.as_ref().is_none_or(|owner| alarm.owner.as_ref() == Some(owner))
        && route.tag.as_ref().is_none_or(|tag| alarm.tags.contains(tag))
}

/// When it is this time of day next. A time that a day does not have is as much later.
fn next(time: Time, timezone: &TimeZone, after: Timestamp) -> Timestamp {
    let today = after.to_zoned(timezone.clone()).date();
    let days = [Some(today), today.checked_add(1.day()).ok(), today.checked_add(2.days()).ok()];
    let at =
        |day: jiff::civil::Date| Some(day.to_datetime(time).to_zoned(timezone.clone()).ok()?.timestamp());
    days.into_iter().flatten().filter_map(at).find(|at| *at > after).unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::slack::examples::notice, config::Severity, event::Tier, incident::AlarmKind};

    fn router() -> Router {
        Router {
            on: vec![ChannelName::Slack, ChannelName::PagerDuty, ChannelName::Webhook],
            has_low: false,
            digest: None,
            timezone: TimeZone::get("Europe/London").unwrap(),
            routes: Vec::new(),
        }
    }

    /// Channel, place, `!` where somebody is called, `…` where it waits.
    fn routed(router: &Router, notice: &Notice) -> Vec<String> {
        let words = |delivery: Delivery| {
            let loud = if delivery.loud { "!" } else { "" };
            let due = if delivery.due == Due::Now { "" } else { "…" };
            format!("{} {}{loud}{due}", delivery.channel, delivery.address)
        };
        router.route(notice).into_iter().map(words).collect()
    }

    fn of(tier: Tier, kind: AlarmKind) -> Notice {
        let mut notice = notice(Telling::Opened);
        notice.alarm.tier = tier;
        notice.alarm.kind = kind;
        notice.alarm.effect.critical.clear();
        notice
    }

    #[test]
    fn what_can_wait_does_and_only_deadlines_wake_somebody() {
        use AlarmKind::{Deadline, Failed};
        let (mut router, critical, optional) =
            (router(), of(Tier::Critical, Failed), of(Tier::Optional, Failed));
        assert_eq!(routed(&router, &critical), ["slack main!", "webhook main!"]);
        assert_eq!(routed(&router, &optional), ["slack main", "webhook main!"]);
        let deadline = of(Tier::Critical, Deadline);
        assert_eq!(routed(&router, &deadline), ["slack main!", "pagerduty main!", "webhook main!"]);
        router.digest = Some(jiff::civil::time(9, 0, 0, 0));
        assert_eq!(routed(&router, &optional), ["slack main…", "webhook main!"]);
        router.has_low = true;
        assert_eq!(routed(&router, &optional), ["slack low", "webhook main!"]);
        let mut over = critical;
        over.event = Telling::Recovered;
        assert_eq!(routed(&router, &over), ["slack main", "webhook main!"]);
    }

    #[test]
    fn the_first_route_that_fits_counts() {
        let route = |name: &str| Route { name: name.to_owned(), ..Route::default() };
        let router = Router {
            routes: vec![
                Route {
                    owner: Some("finance".to_owned()),
                    tier: Some(Tier::Critical),
                    channel: Some("#finance".to_owned()),
                    ..route("finance")
                },
                Route { tag: Some("hot".to_owned()), to: Some(vec![ChannelName::Webhook]), ..route("hot") },
                Route { severity: Some(Severity::Error), to: Some(Vec::new()), ..route("none") },
            ],
            ..router()
        };
        let mut notice = of(Tier::Critical, AlarmKind::Failed);
        notice.alarm.owner = Some("finance".to_owned());
        notice.alarm.tags = vec!["hot".to_owned()];
        assert_eq!(routed(&router, &notice), ["slack #finance!", "webhook main!"]);
        notice.alarm.owner = None;
        assert_eq!(routed(&router, &notice), ["webhook main!"]);
        notice.alarm.tags.clear();
        assert_eq!(routed(&router, &notice), [""; 0]);
        notice.alarm.severity = Severity::Warn;
        assert_eq!(routed(&router, &notice), ["slack main", "webhook main!"]);
    }

    #[test]
    fn the_digest_is_at_its_hour_across_the_change_of_clocks() {
        let timezone = TimeZone::get("Europe/London").unwrap();
        let next = |hour, minute, after: &str| {
            next(jiff::civil::time(hour, minute, 0, 0), &timezone, after.parse().unwrap()).to_string()
        };
        assert_eq!(next(9, 0, "2026-03-28T08:59:59Z"), "2026-03-28T09:00:00Z");
        assert_eq!(next(9, 0, "2026-03-28T09:00:00Z"), "2026-03-29T08:00:00Z");
        assert_eq!(next(1, 30, "2026-03-29T00:00:00Z"), "2026-03-29T01:30:00Z", "there is no half past one");
        assert_eq!(next(9, 0, "2026-10-24T08:30:00Z"), "2026-10-25T09:00:00Z");
    }
}

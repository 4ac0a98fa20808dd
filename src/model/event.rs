//! What happened in a root, in the shape of Docker's events.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `container`, `image`, `network`, `volume`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What happened to it: `start`, `die`, `exec_create: /bin/true`.
    #[serde(rename = "Action")]
    pub action: String,
    /// What it happened to.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// Always `local`.
    #[serde(default)]
    pub scope: String,
    /// UTC, seconds.
    pub time: i64,
    /// UTC, nanoseconds; never less than that of the event before.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
    /// Counts the events of a root from 1, without a gap.
    pub seq: u64,
}

/// What an event happened to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The id; for a pull, the reference.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name, its image, its labels, and what belongs to the action.
    #[serde(rename = "Attributes", default)]
    pub attributes: BTreeMap<String, String>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// From this time on.
    pub since: Option<jiff::Timestamp>,
    /// Before this time.
    pub before: Option<jiff::Timestamp>,
    /// Of these.
    pub filter: EventFilter,
    /// Go on as they happen, until `before`. Without `since`, past ones are left out.
    pub follow: bool,
}

/// What wanted events are about. Lists that are empty let everything through; of the others one entry must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Types of what it happened to.
    pub kinds: Vec<String>,
    /// Actions: `health_status` also means `health_status: healthy`.
    pub actions: Vec<String>,
    /// Names of containers or beginnings of their ids.
    pub containers: Vec<String>,
    /// Images, by reference, name or beginning of the id; also means events of their containers.
    pub images: Vec<String>,
    /// Names of networks or beginnings of their ids.
    pub networks: Vec<String>,
    /// Names of volumes.
    pub volumes: Vec<String>,
    /// Labels that must all be there; an empty value fits any.
    pub labels: Vec<(String, String)>,
}

impl Event {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.actor.attributes.get(name).map(String::as_str)
    }

    /// When it happened.
    pub fn timestamp(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(self.time_nano.into()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    fn is_of(&self, kind: &str, text: &str) -> bool {
        let id = self.actor.id.strip_prefix("sha256:").unwrap_or(&self.actor.id);
        let text_id = text.strip_prefix("sha256:").unwrap_or(text);
        self.kind == kind
            && !text.is_empty()
            && (self.actor.id == text || id.starts_with(text_id) || self.attribute("name") == Some(text))
    }

    fn is_of_image(&self, text: &str) -> bool {
        let fits =
            |name: &str| name == text || name.strip_prefix(text).is_some_and(|rest| rest.starts_with([':', '@']));
        match self.kind.as_str() {
            "image" => self.is_of("image", text) || fits(&self.actor.id) || self.attribute("name").is_some_and(fits),
            _ => self.attribute("image").is_some_and(fits),
        }
    }
}

impl EventFilter {
    /// Whether it wants the event.
    pub fn wants(&self, event: &Event) -> bool {
        let any = |list: &[String], fits: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|text| fits(text));
        let action = event.action.split_once(':').map_or(event.action.as_str(), |(action, _)| action);
        any(&self.kinds, &|kind| event.kind == kind)
            && any(&self.actions, &|wanted| event.action == wanted || action == wanted)
            && any(&self.containers, &|text| {
                // What happens to a network names the container that it happens with.
                event.is_of("container", text)
                    || event.attribute("container").is_some_and(|id| !text.is_empty() && id.starts_with(text))
            })
            && any(&self.images, &|text| event.is_of_image(text))
            && any(&self.networks, &|text| event.is_of("network", text))
            && any(&self.volumes, &|text| event.kind == "volume" && event.actor.id == text)
            && self
                .labels
                .iter()
                .all(|(key, value)| event.attribute(key).is_some_and(|found| value.is_empty() || found == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_choose_by_what_it_happened_to() {
        let attributes = [("name", "web"), ("image", "node:18"), ("app", "shop")];
        let event = |kind: &str, action: &str, id: &str| Event {
            kind: kind.into(),
            action: action.into(),
            actor: Actor {
                id: id.into(),
                attributes: attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            },
            scope: "local".into(),
            time: 0,
            time_nano: 0,
            seq: 1,
        };
        let container = event("container", "health_status: healthy", "c0ffee");
        let list = |text: &str| vec!["other".to_owned(), text.to_owned()];
        for (filter, wanted) in [
            (EventFilter::default(), true),
            (EventFilter { kinds: list("container"), ..EventFilter::default() }, true),
            (EventFilter { kinds: list("image"), ..EventFilter::default() }, false),
            (EventFilter { actions: list("health_status"), ..EventFilter::default() }, true),
            (EventFilter { actions: list("health_status: unhealthy"), ..EventFilter::default() }, false),
            (EventFilter { containers: list("web"), ..EventFilter::default() }, true),
            (EventFilter { containers: list("c0f"), ..EventFilter::default() }, true),
            (EventFilter { containers: list("we"), ..EventFilter::default() }, false),
            (EventFilter { images: list("node"), ..EventFilter::default() }, true),
            (EventFilter { images: list("node:18"), ..EventFilter::default() }, true),
            (EventFilter { images: list("node:1"), ..EventFilter::default() }, false),
            (EventFilter { labels: vec![("app".into(), String::new())], ..EventFilter::default() }, true),
            (EventFilter { labels: vec![("app".into(), "x".into())], ..EventFilter::default() }, false),
            (EventFilter { networks: list("web"), ..EventFilter::default() }, false),
        ] {
            assert_eq!(filter.wants(&container), wanted, "{filter:?}");
        }
        let pull = event("image", "pull", "busybox:1");
        assert!(EventFilter { images: list("busybox"), ..EventFilter::default() }.wants(&pull));
        assert!(!EventFilter { images: list("busy:1"), ..EventFilter::default() }.wants(&pull));
    }
}

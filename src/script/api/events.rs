//! `events()`: what happened, and what happens.

use crate::engine::{self, EventQuery};
use crate::error::{Error, Result};
use crate::model::EventFilter;
use crate::script::api::shown;
use crate::script::api::values::{Labels, OneOrMany};
use crate::script::binding::{Call, Callback, IntoScript, Object, Options, api};
use rhai::Dynamic;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What happened to a container, an image, a network.
#[derive(Clone, Object)]
pub struct Event(Arc<engine::Event>);

#[api]
impl Event {
    /// When it happened.
    #[get(column)]
    pub fn time(&self) -> jiff::Timestamp {
        self.0.timestamp()
    }

    /// What it happened to: `container`, `image`, `network`, `volume`.
    #[get(column)]
    pub fn r#type(&self) -> String {
        self.0.kind.clone()
    }

    /// What happened: `start`, `die`, `exec_create: /bin/true`; the words are Docker's.
    #[get(column)]
    pub fn action(&self) -> String {
        self.0.action.clone()
    }

    /// Id of what it happened to; of a pull, the reference.
    #[get(column, shown = shown::id)]
    pub fn id(&self) -> String {
        self.0.actor.id.clone()
    }

    /// Name of what it happened to.
    #[get(column)]
    pub fn name(&self) -> Option<String> {
        self.0.attribute("name").map(str::to_owned)
    }

    /// Name, image and labels of what it happened to, and what belongs to the action: `exitCode`, `signal`.
    #[get]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        self.0.actor.attributes.clone()
    }

    /// Counts the events from 1, without a gap.
    #[get]
    pub fn seq(&self) -> u64 {
        self.0.seq
    }

    /// The event in Docker's shape: a map with `Type`, `Action`, `Actor`, `time`, `timeNano`, `scope`, `seq`.
    ///
    /// # Example (engine)
    /// for e in events() { print(e.inspect().Actor.Attributes) }
    pub fn inspect(&self) -> Result<Value> {
        serde_json::to_value(&*self.0).map_err(|error| Error::invalid(format!("an event is no JSON: {error}")))
    }
}

/// Options of `events`.
#[derive(Default, Options)]
pub struct EventsOptions {
    /// Events from this time on, such as `"10m"` ago. With a callback and without it, only those that happen from now on.
    pub since: Option<jiff::Timestamp>,
    /// Events before this time; following ends when it has come.
    #[option(alias = "until")]
    pub before: Option<jiff::Timestamp>,
    /// What they are about: `#{ type: "container", action: ["start", "die"], container: "web" }`.
    pub filter: FilterOptions,
    /// `false`: calls the callback for what is there, and does not wait for more.
    pub follow: Option<bool>,
    /// Fails with `timeout` after this time.
    pub timeout: Option<Duration>,
}

/// The keys of `filter`: one text or several, of which one must fit; of different keys, all must.
#[derive(Default, Options)]
pub struct FilterOptions {
    /// `"container"`, `"image"`, `"network"`, `"volume"`.
    pub r#type: OneOrMany,
    /// What happened: `"start"`, `"die"`.
    #[option(alias = "event")]
    pub action: OneOrMany,
    /// Name of a container or the beginning of its id.
    pub container: OneOrMany,
    /// An image or one of its containers: `"node"`, `"node:18"`.
    pub image: OneOrMany,
    /// Name of a network or the beginning of its id.
    pub network: OneOrMany,
    /// Name of a volume.
    pub volume: OneOrMany,
    /// Labels that must all be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
}

/// What happened, oldest first, as an array; or, with a callback, each event as it happens, from now on or from `since`
/// on, until `before` or until the callback returns `false`. All processes write in one order. What is older than the
/// last ten to twenty megabytes is forgotten.
///
/// # Example (engine)
/// for e in events(#{ since: "10m", filter: #{ type: "container" } }) { print(e) }
/// events(#{ filter: #{ action: "die" } }, |e| { print(`${e.name}: ${e.attributes.exitCode}`); false });
///
/// # Errors
/// `timeout`, and what the callback throws.
#[api]
pub fn events(call: &Call, options: EventsOptions, on_event: Option<Callback>) -> Result<Dynamic> {
    let cx = call.context().with_timeout(options.timeout);
    let query = EventQuery {
        since: options.since,
        before: options.before,
        follow: options.follow.unwrap_or(on_event.is_some()),
        filter: options.filter.into(),
    };
    let Some(on_event) = on_event else {
        if query.follow {
            return Err(Error::invalid("`follow` needs a callback")
                .hint("give it one: `events(#{ follow: true }, |e| print(e))`"));
        }
        let mut found = Vec::new();
        call.engine()?.events(&cx, &query, &mut |event| {
            found.push(Event(Arc::new(event)));
            Ok(true)
        })?;
        return found.into_script();
    };
    call.engine()?.events(&cx, &query, &mut |event| {
        on_event.call_until_false(call, vec![Event(Arc::new(event)).into_script()?])
    })?;
    Ok(Dynamic::UNIT)
}

impl From<FilterOptions> for EventFilter {
    fn from(options: FilterOptions) -> Self {
        Self {
            kinds: options.r#type.0,
            actions: options.action.0,
            containers: options.container.0,
            images: options.image.0,
            networks: options.network.0,
            volumes: options.volume.0,
            labels: options.label.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn events_are_an_array_or_come_one_by_one() {
        let engine = RecordingEngine::default();
        let printed = engine.eval(
            r#"let all = events(#{ filter: #{ type: "container", event: ["start", "die"], label: "app=shop" } });
               print(`${all.len} ${all[0].type} ${all[0].action} ${all[0].name} ${all[1].attributes.exitCode}`);
               print(all[1].inspect().Actor.Attributes.name);
               events(#{ since: "2026-01-31T12:00:00Z" }, |e| { print(e.seq); e.action != "start" });
               events(#{ "until": now(), follow: false }, |e| print(e.action));"#,
        );
        assert_eq!(printed.unwrap(), "2 container start web 3\nweb\n1\nstart\ndie");
        let calls = engine.with(|recording| recording.calls.clone());
        assert_eq!(
            calls,
            [
                r#"events ["container"] ["start", "die"] [("app", "shop")] since false before false follow false"#,
                "events [] [] [] since true before false follow true",
                "events [] [] [] since false before true follow false",
            ]
        );
        for script in ["events(#{ follow: true })", "events(#{ filter: #{ typ: 1 } })", "events(#{ since: 1 })"] {
            assert!(engine.eval(script).expect_err(script).is(ErrorKind::Invalid), "{script}");
        }
    }
}

//! `container.stats()`: what it uses, once or again and again.

use super::Container;
use crate::error::{Error, Result};
use crate::model::ContainerStats;
use crate::script::binding::{Call, Callback, IntoScript, Options, api};
use rhai::Dynamic;
use std::time::Duration;

/// Between the two looks of a single answer. The kernel counts the time of what runs at this moment too, so that a
/// fifth of a second is exact enough; Docker takes one to two seconds.
const ONE_LOOK: Duration = Duration::from_millis(200);
/// Between two calls of the callback, as `docker stats` does.
const STREAM: Duration = Duration::from_secs(1);

/// Options of `stats`.
#[derive(Default, Options)]
pub struct StatsOptions {
    /// Time that the load of the processors is measured over: 200 ms; with a callback the time between two calls, 1 s.
    pub interval: Option<Duration>,
    /// Fails with `timeout` after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Container {
    /// What it uses, as `docker stats` computes it: a map with `cpu_percent` (of one processor), `cpu_seconds`,
    /// `memory` and `memory_limit` in bytes, `memory_percent`, `network_rx`, `network_tx`, `block_read`, `block_write`,
    /// `pids`, `time`, `id`, `name`. With a callback: again and again, until it returns `false` or the container ends.
    ///
    /// # Example (engine)
    /// print(container("web").stats().memory);
    /// container("web").stats(#{ interval: "2s" }, |s| { print(s.cpu_percent); s.cpu_percent < 90.0 });
    ///
    /// # Errors
    /// `conflict` when it does not run, `not_found`, `timeout`, and what the callback throws.
    pub fn stats(&self, call: &Call, options: StatsOptions, on_stats: Option<Callback>) -> Result<Dynamic> {
        let cx = call.context().with_timeout(options.timeout);
        let interval = options.interval.unwrap_or(if on_stats.is_some() { STREAM } else { ONE_LOOK });
        if interval.is_zero() {
            return Err(Error::invalid("option `interval` takes a time above 0"));
        }
        let mut found = Dynamic::UNIT;
        call.engine()?.stats(&cx, self.reference(), interval, &mut |stats| {
            let stats = to_script(stats)?;
            if let Some(on_stats) = &on_stats {
                return on_stats.call_until_false(call, vec![stats]);
            }
            found = stats;
            Ok(false)
        })?;
        Ok(found)
    }
}

fn to_script(stats: ContainerStats) -> Result<Dynamic> {
    let time = stats.time.into_script()?;
    let value = serde_json::to_value(stats).map_err(|error| Error::invalid(format!("stats are no JSON: {error}")))?;
    let mut map = value.into_script()?;
    if let Some(mut map) = map.write_lock::<rhai::Map>() {
        map.insert("time".into(), time);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn stats_are_one_map_or_a_stream_of_them() {
        let engine = RecordingEngine::default();
        let printed = engine.eval(
            r#"let s = container("web").stats();
               print(`${s.cpu_percent} ${s.memory} ${s.pids} ${type_of(s.time)}`);
               container("web").stats(#{ interval: "2s" }, |s| { print(`${this.name} ${s.pids}`); s.pids < 3 });"#,
        );
        assert_eq!(printed.unwrap(), "12.5 1024 1 Time\nweb 1\nweb 2\nweb 3");
        assert_eq!(engine.with(|recording| recording.calls.clone()), ["stats web 200ms", "stats web 2s"]);
        let error = engine.eval(r#"container("web").stats(#{ interval: 0 })"#).expect_err("no time");
        assert!(error.is(ErrorKind::Invalid));
    }
}

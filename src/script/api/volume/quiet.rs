//! Containers that write nothing while their volume is read: paused or stopped, and brought back in any case.

use crate::context::Context;
use crate::engine::{Engine, Held};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerFilter, ContainerInfo, Status, label};
use crate::script::binding::{FromScript, Refusal};
use rhai::Dynamic;
use std::sync::Arc;

/// Which of the containers that have a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// None of them.
    #[default]
    None,
    /// All that run.
    All,
    /// Those with this label; an empty value fits any.
    Labelled(String, String),
}

impl FromScript for Which {
    fn type_name() -> String {
        "bool or label".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_bool() || value.is_string()
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        match value.as_bool() {
            Ok(true) => Ok(Self::All),
            Ok(false) => Ok(Self::None),
            Err(_) => Ok(label::parse(&value.to_string()).map(|(key, value)| Self::Labelled(key, value))?),
        }
    }
}

impl Which {
    fn means(&self, container: &ContainerInfo) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Labelled(key, value) => {
                container.labels.get(key).is_some_and(|found| value.is_empty() || found == value)
            }
        }
    }
}

/// Containers that are quiet. Dropped, they go on, and what fails then is only warned of.
pub struct Quiet {
    engine: Arc<dyn Engine>,
    held: Vec<Box<dyn Held>>,
    stopped: Vec<String>,
}

impl Quiet {
    /// Brings containers of a volume to rest; when one cannot be, the others go on.
    pub fn begin(engine: &Arc<dyn Engine>, cx: &Context, volume: &str, pause: &Which, stop: &Which) -> Result<Self> {
        let mut quiet = Self { engine: engine.clone(), held: Vec::new(), stopped: Vec::new() };
        if *pause == Which::None && *stop == Which::None {
            return Ok(quiet);
        }
        let users = engine.volume_users(cx, volume)?;
        for container in engine.containers(cx, &ContainerFilter::default())? {
            if !users.contains(&container.id) {
                continue;
            }
            if stop.means(&container) {
                quiet.stop(cx, &container)?;
            } else if pause.means(&container) && container.status == Status::Running {
                quiet.pause(cx, &container)?;
            }
        }
        Ok(quiet)
    }

    fn stop(&mut self, cx: &Context, container: &ContainerInfo) -> Result<()> {
        let inspected = self.engine.inspect_container(cx, &container.id)?;
        if inspected["HostConfig"]["AutoRemove"] == true {
            return Err(Error::conflict(format!("container `{}` is removed when it stops", container.name))
                .hint("use `pause`, or make the container without `remove: true`"));
        }
        // Before it is asked to: also one that was not waited for is started again.
        self.stopped.push(container.id.clone());
        self.engine.stop(cx, &container.id, None)
    }

    fn pause(&mut self, cx: &Context, container: &ContainerInfo) -> Result<()> {
        match self.engine.hold(cx, &container.id) {
            Ok(held) => self.held.push(held),
            // It has ended or was paused meanwhile: it writes nothing.
            Err(error) if error.is(ErrorKind::Conflict) || error.is(ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Lets all of them go on; the first failure is told.
    pub fn end(mut self) -> Result<()> {
        self.let_go_on()
    }

    fn let_go_on(&mut self) -> Result<()> {
        let mut failures = Vec::new();
        for held in self.held.drain(..) {
            failures.extend(held.end().err());
        }
        // Those that others depend on were stopped last. Not even Ctrl-C keeps them from it.
        for container in self.stopped.drain(..).rev() {
            failures.extend(self.engine.start(&Context::background(), &container).err());
        }
        failures.into_iter().next().map_or(Ok(()), Err)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Err(error) = self.let_go_on() {
            tracing::warn!(%error, "a container does not go on after the backup");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Status;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn labels_choose_who_is_paused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        for (options, expected) in [
            ("pause: \"app=shop\"", true),
            ("pause: \"app\"", true),
            ("pause: \"app=x\"", false),
            ("pause: false", false),
        ] {
            let engine = RecordingEngine::in_states(&[(Status::Running, None)]);
            engine.eval(&format!("volume(`data`).backup(`{}`, #{{ {options} }})", path.display())).unwrap();
            let calls = engine.with(|recording| recording.calls.clone());
            let held = calls.iter().position(|call| call.starts_with("hold"));
            let read = calls.iter().position(|call| call.starts_with("export")).unwrap();
            assert_eq!(held.is_some_and(|held| held < read), expected, "{options}: {calls:?}");
            assert_eq!(calls.get(read + 1).is_some_and(|call| call == "let go on"), expected, "{options}: {calls:?}");
        }
    }
}

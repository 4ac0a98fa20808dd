//! What a monitor writes down as events of its container: after it has answered, several in one write.

use super::watch::Monitor;
use crate::events::{self, Occurrence};

/// Events that are not written down yet.
#[derive(Default)]
pub(super) struct Pending {
    occurrences: Vec<Occurrence>,
    /// A stop was asked for: the end that comes is followed by `stop`.
    stop_asked: bool,
}

impl Monitor {
    /// Something has happened to the container; it is written down at the end of this turn.
    pub fn happened(&mut self, action: impl Into<String>, attributes: &[(&str, &str)]) {
        let launch = &self.container.launch;
        let occurrence = Occurrence::container(action, launch.id.as_str(), &launch.name, &launch.image, &launch.labels);
        let occurrence = attributes.iter().fold(occurrence, |occurrence, (name, value)| occurrence.with(name, value));
        self.events.occurrences.push(occurrence);
    }

    /// A stop was asked for.
    pub fn stop_was_asked(&mut self) {
        self.events.stop_asked = true;
    }

    /// The program was executed for the first time.
    pub fn started(&mut self) {
        self.networks_happened("connect");
        self.volumes_mounted();
        self.happened("start", &[]);
        if self.container.launch.is_restart {
            self.happened("restart", &[]);
        }
    }

    /// It was connected to its networks, or is not any more.
    fn networks_happened(&mut self, action: &str) {
        let launch = &self.container.launch;
        for link in launch.network.bridge().iter().flat_map(|plan| &plan.links) {
            let occurrence = Occurrence::network(action, &link.network, &link.network_name, "bridge");
            self.events.occurrences.push(occurrence.with("container", &launch.id));
        }
    }

    /// The program has ended.
    pub fn died(&mut self, code: i32) {
        self.happened("die", &[("exitCode", &code.to_string())]);
        let launch = &self.container.launch;
        let unmounted = launch
            .volumes
            .iter()
            .map(|volume| Occurrence::volume("unmount", &volume.name).with("container", &launch.id));
        self.events.occurrences.extend(unmounted);
    }

    /// Its volumes are mounted: comes before its start.
    pub fn volumes_mounted(&mut self) {
        let launch = &self.container.launch;
        let mounted = launch.volumes.iter().map(|volume| {
            Occurrence::volume("mount", &volume.name)
                .with("container", &launch.id)
                .with("destination", volume.target.display())
                .with("propagation", "")
                .with("read/write", !volume.read_only)
        });
        self.events.occurrences.extend(mounted);
    }

    /// It will not be started again by this monitor.
    pub fn ended_for_good(&mut self) {
        if std::mem::take(&mut self.events.stop_asked) {
            self.happened("stop", &[]);
        }
        self.networks_happened("disconnect");
        self.write_events();
    }

    /// Writes them down.
    pub fn write_events(&mut self) {
        if !self.events.occurrences.is_empty() {
            let occurrences = std::mem::take(&mut self.events.occurrences);
            // On a full disk there are none.
            let _ = events::append(&self.container.launch.root, &occurrences);
        }
    }
}

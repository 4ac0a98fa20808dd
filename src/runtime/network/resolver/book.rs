//! The zone as the files say it now.

use super::directory::Directory;
use super::plan::{ResolverNetwork, ResolverPlan};
use super::replaced::Watched;
use super::zone::Zone;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// The plan and the names files that it names. Each is looked at before an answer, and read when it was replaced.
pub struct Book {
    plan: Watched<ResolverPlan>,
    networks: Vec<(String, Watched<Arc<Directory>>)>,
    zone: Arc<Zone>,
}

impl Book {
    /// By the plan in a file.
    pub fn new(plan: &Path) -> Self {
        let parse = |text: &[u8]| serde_json::from_slice(text).ok();
        Self { plan: Watched::new(plan, parse), networks: Vec::new(), zone: Arc::default() }
    }

    /// What can be looked up now.
    pub fn zone(&mut self) -> Arc<Zone> {
        let mut changed = self.plan.refresh();
        if changed {
            self.follow_plan();
        }
        for (_, names) in &mut self.networks {
            changed |= names.refresh();
        }
        if changed {
            let plan = self.plan.value();
            let networks = self.networks.iter().map(|(name, names)| (name.clone(), Arc::clone(names.value())));
            self.zone = Arc::new(Zone::new(&plan.hosts, networks.collect(), plan.forwards));
        }
        Arc::clone(&self.zone)
    }

    /// The servers that the container has of its own.
    pub fn servers(&self) -> &[IpAddr] {
        &self.plan.value().servers
    }

    fn follow_plan(&mut self) {
        let mut before = std::mem::take(&mut self.networks);
        for ResolverNetwork { name, names } in &self.plan.value().networks {
            let known = before.iter().position(|(_, watched)| watched.path() == names);
            let watched = match known {
                Some(index) => before.swap_remove(index).1,
                None => Watched::new(names, |text| Directory::parse(text).map(Arc::new)),
            };
            self.networks.push((name.clone(), watched));
        }
    }
}

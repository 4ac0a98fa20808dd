//! The container's networks while it lives: the resolver of its names, and links that come and go.

use super::watch::Monitor;
use crate::error::{Error, Result};
use crate::runtime::launch::Launch;
use crate::runtime::network::{self, BridgePlan, NetworkPlan, proxy, resolver};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Opens the sockets on which the container asks for names, where it does.
pub fn open_resolver(launch: &Launch, netns: BorrowedFd<'_>) -> Result<Vec<OwnedFd>> {
    let Some(plan) = launch.network.bridge().and_then(|bridge| bridge.resolver.as_ref()) else {
        return Ok(Vec::new());
    };
    plan.write(&plan_file(launch))?;
    network::open_resolver(netns)
}

fn plan_file(launch: &Launch) -> PathBuf {
    launch.run_dir.join("resolver.json")
}

impl Monitor {
    /// Serves what came in on a published port, where the packet filter does not.
    pub fn start_proxy(&mut self) {
        let Some(plan) = self.container.launch.network.bridge() else { return };
        let home = network::kept();
        let targets: Vec<_> = match &home {
            // Nothing else leads to an address of IPv6.
            Some(_) => plan.targets(),
            None => plan.target().into_iter().collect(),
        };
        if targets.is_empty() {
            return;
        }
        let sockets: Vec<_> = self.container.ports.iter().map(AsFd::as_fd).collect();
        match proxy::start(&targets, &plan.ports, &sockets, home.as_ref().map(AsFd::as_fd)) {
            Ok(pid) => self.proxy = Some(pid),
            // Watching on would find the same connection again and again: rather serve none.
            Err(_) => self.container.ports.clear(),
        }
    }

    /// Answers questions for names from now on.
    pub fn start_resolver(&mut self) {
        let sockets: Vec<_> = self.container.questions.iter().map(AsFd::as_fd).collect();
        match resolver::start(&plan_file(&self.container.launch), &sockets) {
            Ok(pid) => self.resolver = Some(pid),
            Err(_) => self.container.questions.clear(),
        }
    }

    /// Ends what serves the container's network.
    pub fn stop_serving(&mut self) {
        self.container.ports.clear();
        self.container.questions.clear();
        end(self.proxy.take());
        end(self.resolver.take());
    }

    /// Others find the container by its names, or do not while its program does not run. A failure is nobody's to hear,
    /// and the next command sweeps.
    pub fn show_names(&self, shown: bool) {
        let _ = network::show_names(&self.container.launch.network, shown);
    }

    /// It has another name.
    pub fn rename(&mut self, name: String) {
        if let NetworkPlan::Bridge(plan) = &mut self.container.launch.network {
            for names in plan.links.iter_mut().filter_map(|link| link.names.as_mut()) {
                if let Some(own) = names.names.first_mut() {
                    own.clone_from(&name);
                }
            }
        }
        self.container.launch.name = name;
        if self.container.init.is_some() {
            self.show_names(true);
        }
    }

    /// Connects it as the plan says: links that it does not name go, those that are new come.
    pub fn reconnect(&mut self, wanted: NetworkPlan) -> Result<()> {
        let (NetworkPlan::Bridge(now), NetworkPlan::Bridge(wanted)) = (&self.container.launch.network, wanted) else {
            return Err(Error::conflict("the container has no network of its own to be changed"));
        };
        let Some(netns) = self.remains.network() else {
            return Err(Error::conflict("the container is not running"));
        };
        let changed = network::change(now, &wanted, netns.as_fd());
        if changed.is_err() && now.links.len() < wanted.links.len() {
            // What is new of it is taken back; what was there is there still.
            let _ = network::change(&wanted, now, netns.as_fd());
            return changed;
        }
        let moved = now.target() != wanted.target();
        self.take_plan(wanted);
        if moved {
            // It leads to where the container was: the next connection starts another.
            end(self.proxy.take());
        }
        changed.and(self.serve_names(netns.as_fd()))
    }

    fn take_plan(&mut self, plan: BridgePlan) {
        let plan = NetworkPlan::Bridge(plan);
        self.remains.set_network(plan.clone());
        self.container.launch.network = plan;
    }

    fn serve_names(&mut self, netns: BorrowedFd<'_>) -> Result<()> {
        let plan = self.container.launch.network.bridge().and_then(|bridge| bridge.resolver.as_ref());
        match plan {
            // Its process sees the new file.
            Some(plan) if !self.container.questions.is_empty() => plan.write(&plan_file(&self.container.launch)),
            Some(_) => {
                self.container.questions = open_resolver(&self.container.launch, netns)?;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn end(process: Option<Pid>) {
    if let Some(process) = process {
        let _ = kill(process, Signal::SIGKILL);
        let _ = waitpid(process, None);
    }
}

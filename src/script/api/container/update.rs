//! `container.update()`.

use super::Container;
use crate::error::{Error, Result};
use crate::model::{ContainerUpdate, ResourceLimits};
use crate::script::api::values::{Restart, Swap};
use crate::script::binding::{Call, Options, Size, api};

/// Options of `update`: what is not given stays as it is.
#[derive(Default, Options)]
pub struct UpdateOptions {
    /// Processor limit: `1.5` is one and a half; 0 takes it away.
    pub cpus: Option<f64>,
    /// Relative weight of processor time, 2 to 262144; 0: the default, 1024.
    pub cpu_shares: Option<u64>,
    /// Processors to run on: `"0-3,5"`.
    #[option(alias = "cpuset_cpus")]
    pub cpuset: Option<String>,
    /// Memory limit: `"512m"`; 0 takes it away.
    #[option(alias = "mem_limit")]
    pub memory: Option<Size>,
    /// Memory and swap together: `"1g"`; -1: no limit.
    #[option(alias = "memswap_limit")]
    pub memory_swap: Option<Swap>,
    /// Soft memory limit; 0 takes it away.
    #[option(alias = "mem_reservation")]
    pub memory_reservation: Option<Size>,
    /// Most processes; 0 or -1 takes the limit away.
    #[option(alias = "pids_limit")]
    pub pids: Option<i64>,
    /// Block I/O weight, 10 to 1000.
    #[option(alias = "blkio_weight")]
    pub io_weight: Option<u16>,
    /// What happens when it ends: `"no"`, `"on-failure:3"`, `"always"`, `"unless-stopped"`.
    #[option(alias = "restart_policy")]
    pub restart: Option<Restart>,
}

#[api]
impl Container {
    /// Changes its limits and its restart policy; a running one has them at once. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").update(#{ memory: "256m", cpus: 0.5, restart: "always" });
    ///
    /// # Errors
    /// `not_found`, `invalid` when limits do not fit together, `conflict` when it uses more than it is to have,
    /// `unsupported` when this machine cannot limit it.
    pub fn update(&self, call: &Call, options: UpdateOptions) -> Result<Container> {
        if let Some(cpus) = options.cpus.filter(|cpus| !cpus.is_finite() || *cpus < 0.0) {
            return Err(
                Error::invalid(format!("`{cpus}` is not a number of processors")).hint("write it as `cpus: 1.5`")
            );
        }
        let changes = ContainerUpdate {
            limits: ResourceLimits {
                cpus: options.cpus,
                cpu_shares: options.cpu_shares,
                cpuset: options.cpuset,
                memory: options.memory.map(|Size(bytes)| bytes),
                memory_swap: options.memory_swap.map(|Swap(bytes)| bytes),
                memory_reservation: options.memory_reservation.map(|Size(bytes)| bytes),
                pids: options.pids.map(|count| u64::try_from(count).unwrap_or(0)),
                io_weight: options.io_weight,
            },
            restart: options.restart.map(|Restart(policy)| policy),
        };
        if changes == ContainerUpdate::default() {
            return Err(Error::invalid("it is not said what to change").hint("give `memory`, `cpus`, `restart`, …"));
        }
        call.engine()?.update(&call.context(), self.reference(), &changes)?;
        Ok(Self::new(self.reference()))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn options_become_changes() {
        let engine = RecordingEngine::default();
        engine.eval(r#"container("web").update(#{ mem_limit: "1k", pids: -1, restart: "always" })"#).unwrap();
        let call = engine.with(|recording| recording.calls.remove(0));
        for part in ["update web", "memory: Some(1024)", "pids: Some(0)", "restart: Some(Always)", "cpus: None"] {
            assert!(call.contains(part), "{part}: {call}");
        }
        for options in ["", "cpus: -1", "memory: []", "nam: 1"] {
            let error = engine.eval(&format!("container(`web`).update(#{{ {options} }})")).expect_err(options);
            assert!(error.is(ErrorKind::Invalid), "{options}: {error:?}");
        }
    }
}

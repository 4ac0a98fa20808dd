//! Which process it is: a pid alone is reused, a pid with its start time and the boot is not.

use super::process_stat::ProcessStat;
use crate::error::{IoContext, Result};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// One process for all time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The boot it belongs to.
    pub boot_id: String,
    /// Its process id.
    pub pid: i32,
    /// Clock ticks from boot to its start: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

impl ProcessIdentity {
    /// Of this process.
    pub fn current() -> Result<Self> {
        let pid = nix::unistd::getpid().as_raw();
        Ok(Self { boot_id: boot_id()?.to_owned(), pid, start_time: start_time(pid)? })
    }

    /// Whether it still runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        boot_id().is_ok_and(|boot_id| boot_id == self.boot_id)
            && ProcessStat::of(self.pid).is_ok_and(|stat| stat.start_time == self.start_time && !stat.has_ended())
    }
}

/// Clock ticks from boot to the start of this process.
pub fn start_time(pid: i32) -> Result<u64> {
    Ok(ProcessStat::of(pid).doing(|| format!("cannot look at process {pid}"))?.start_time)
}

/// The id that the kernel gave this boot.
pub fn boot_id() -> Result<&'static str> {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    if let Some(boot_id) = BOOT_ID.get() {
        return Ok(boot_id);
    }
    let path = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(path).doing(|| format!("cannot read `{path}`"))?;
    Ok(BOOT_ID.get_or_init(|| text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ended_is_not_alive() {
        let me = ProcessIdentity::current().unwrap();
        assert!(me.is_alive() && me.start_time > 0);
        assert!(!ProcessIdentity { start_time: me.start_time + 1, ..me.clone() }.is_alive());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let identity =
            ProcessIdentity { pid: child.id() as i32, start_time: start_time(child.id() as i32).unwrap(), ..me };
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }
}

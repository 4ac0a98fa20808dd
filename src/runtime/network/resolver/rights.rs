//! A process that only answers questions keeps no rights.

use crate::error::{IoContext, Result};
use crate::sys::capability;
use nix::sys::prctl;

/// Gives up every capability of this thread for good, before others are started. What is left is the user: the files
/// of names and `/etc/resolv.conf` belong to it, or are everybody's to read.
pub fn give_up() -> Result<()> {
    prctl::set_no_new_privs().doing(|| "cannot set no_new_privs")?;
    // Without `CAP_SETPCAP` these stay; nothing can be gained from them after the step before.
    for capability in 0..=capability::LAST {
        let _ = capability::drop_bounding(capability);
    }
    let _ = capability::clear_ambient();
    capability::set(0, 0, 0).doing(|| "cannot give up capabilities")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn who_gave_up_its_rights_has_none_and_reads_what_the_resolver_needs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("names.json");
        fs::write(&file, "{}").unwrap();
        // Capabilities belong to a thread.
        std::thread::spawn(move || {
            give_up().unwrap();
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(line(set), "0000000000000000", "{set}");
            }
            assert_eq!(line("NoNewPrivs:"), "1");
            fs::read(&file).unwrap();
            fs::metadata(super::super::HOST_RESOLV_CONF).unwrap();
        })
        .join()
        .unwrap();
    }
}

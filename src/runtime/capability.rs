//! Capabilities by name (capabilities(7)).

use crate::sys::capability::CapSet;
use oci_spec::runtime::Capability;

/// Names in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// What a container has by default: Docker's fourteen.
pub const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The set with this one capability; the name with or without `CAP_`, in any case.
pub fn bit(name: &str) -> Option<CapSet> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    NAMES.iter().position(|known| *known == name).map(|number| 1 << number)
}

/// All capabilities that this binary knows.
pub const ALL: CapSet = (1 << NAMES.len()) - 1;

/// The set of these.
pub fn set<'a>(capabilities: impl IntoIterator<Item = &'a Capability>) -> CapSet {
    capabilities.into_iter().filter_map(|capability| bit(&capability.to_string())).fold(0, |set, bit| set | bit)
}

/// Names of a set, without `CAP_`.
pub fn names(set: CapSet) -> impl Iterator<Item = &'static str> {
    NAMES.iter().enumerate().filter(move |(number, _)| set >> number & 1 == 1).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::capability::LAST;

    #[test]
    fn names_have_their_kernel_numbers() {
        for (name, number) in [("CHOWN", 0), ("cap_sys_admin", 21), ("CAP_MKNOD", 27), ("CHECKPOINT_RESTORE", LAST)] {
            assert_eq!(bit(name), Some(1 << number), "{name}");
        }
        assert_eq!(bit("SYS_ADMINISTRATOR"), None);
    }

    #[test]
    fn dockers_default_set_is_the_one_that_proc_shows() {
        let set = DEFAULT.iter().filter_map(|name| bit(name)).fold(0, |set, bit| set | bit);
        assert_eq!(set, 0x0000_0000_a804_25fb);
    }

    #[test]
    fn the_specs_names_are_known() {
        assert_eq!(set(&[Capability::NetBindService, Capability::Bpf]), 1 << 10 | 1 << 39);
    }
}

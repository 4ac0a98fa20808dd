//! Kernel parameters that a container may have of its own.

use crate::error::{Error, Result};

/// Parameters of the IPC namespace (`ipc_namespaces(7)`), beside `fs.mqueue.*`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Which namespace a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SysctlNamespace {
    /// `net.*`
    Network,
    /// `kernel.shm*`, `kernel.msg*`, `kernel.sem`, `fs.mqueue.*`
    Ipc,
    /// `kernel.domainname`
    Uts,
}

/// The namespace of a parameter, with dots or slashes in its name.
///
/// Fails with `invalid` for one that is the whole machine's.
pub fn namespace(name: &str) -> Result<SysctlNamespace> {
    // As sysctl(8): what comes first of both separates.
    let dotted = match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'/' => name.replace('/', "."),
        _ => name.to_owned(),
    };
    if dotted.starts_with("net.") {
        return Ok(SysctlNamespace::Network);
    }
    if IPC.contains(&dotted.as_str()) || dotted.starts_with("fs.mqueue.") {
        return Ok(SysctlNamespace::Ipc);
    }
    match dotted.as_str() {
        "kernel.domainname" => Ok(SysctlNamespace::Uts),
        "kernel.hostname" => {
            Err(Error::invalid("the kernel parameter `kernel.hostname` is an option of its own").hint("use `hostname`"))
        }
        _ => Err(Error::invalid(format!("the kernel parameter `{name}` is not of the container alone"))
            .hint("set it on the host: `sysctl -w`")),
    }
}

/// Its path below `/proc/sys`.
pub fn path(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'/' => name.to_owned(),
        // A name may hold a dot where the path has a slash, such as that of a VLAN link.
        _ => name.replace('.', "\u{0}").replace('/', ".").replace('\u{0}', "/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_a_namespace_are_taken() {
        for (name, expected) in [
            ("net.ipv4.ip_forward", Some(SysctlNamespace::Network)),
            ("net/ipv4/ip_forward", Some(SysctlNamespace::Network)),
            ("kernel.shmmax", Some(SysctlNamespace::Ipc)),
            ("fs.mqueue.msg_max", Some(SysctlNamespace::Ipc)),
            ("kernel.domainname", Some(SysctlNamespace::Uts)),
            ("kernel.hostname", None),
            ("kernel.shm", None),
            ("kernel.panic", None),
            ("vm.swappiness", None),
            ("network", None),
        ] {
            assert_eq!(namespace(name).ok(), expected, "{name}");
        }
    }

    #[test]
    fn names_have_dots_or_slashes() {
        for (name, expected) in [
            ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("kernel.sem", "kernel/sem"),
        ] {
            assert_eq!(path(name), expected);
        }
    }
}

//! Whose namespaces a container is in, and which options do not go together.

use super::row::Row;
use super::{ids, keep_id, lookup, monitor, oci_runtime, state};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ContainerSpec, IdMaps, IdRange, NamespaceMode, NetworkAttachment, Status, UsernsSpec, sysctl};
use crate::privilege::Privilege;
use crate::runtime::capability;
use crate::runtime::network::NetworkPlan;
use crate::runtime::spec::{self, Namespace, Shm};
use crate::store::Store;
use crate::sys::capability::{self as sys_capability, CapSet};
use crate::sys::lock::FileLock;
use std::path::PathBuf;

/// Prefix of a network that is another container's.
pub const CONTAINER: &str = "container:";

/// Where a container is not alone.
#[derive(Debug, Default)]
pub struct Sharing {
    /// Its network namespace.
    pub network: Namespace,
    /// Its pid namespace.
    pub pid: Namespace,
    /// Its IPC namespace.
    pub ipc: Namespace,
    /// Its `/dev/shm`.
    pub shm: Shm,
    /// Whose network it is: the folder of its `/etc/hosts` and the like, and its host name.
    pub network_of: Option<(PathBuf, String)>,
}

/// What cannot be, whatever the machine is like.
pub fn check(spec: &ContainerSpec) -> Result<()> {
    for name in spec.sysctls.keys() {
        sysctl::namespace(name)?;
    }
    if spec.init && spec.runtime.as_deref().is_some_and(|runtime| runtime != oci_runtime::OWN) {
        return Err(Error::unsupported("`init` is a part of the runtime `shanty`, and another one is asked for")
            .hint("leave one of `init` and `runtime` out"));
    }
    if let Some(mount) = spec.mounts.iter().find(|mount| mount.subpath.is_some())
        && spec.runtime.as_deref().is_some_and(|runtime| runtime != oci_runtime::OWN)
    {
        return Err(Error::unsupported(format!(
            "the `subpath` of `{}` is a part of the runtime `shanty`, and another one is asked for",
            mount.target.display()
        ))
        .hint("leave one of `subpath` and `runtime` out"));
    }
    if spec.userns != UsernsSpec::Host {
        check_whose_ids(spec)?;
        check_with_userns(spec)?;
    } else if let Some(mount) = spec.mounts.iter().find(|mount| mount.idmap) {
        let target = mount.target.display();
        return Err(Error::invalid(format!(
            "the owners in `{target}` cannot be mapped: the container has the host's ids"
        ))
        .hint("leave `idmap` out of the mount, or set `userns`"));
    }
    if !spec.networks.iter().any(|wanted| wanted.network.starts_with(CONTAINER)) {
        return Ok(());
    }
    // Docker's list: all of them are the other container's.
    let conflicts = [
        ("hostname", spec.hostname.is_some()),
        ("dns", !spec.dns.is_empty()),
        ("dns_search", !spec.dns_search.is_empty()),
        ("extra_hosts", !spec.extra_hosts.is_empty()),
        ("ports", !spec.ports.is_empty()),
        ("expose", !spec.expose.is_empty()),
    ];
    match conflicts.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::invalid(format!("`{name}` cannot be set in the network of another container"))
            .hint(format!("set `{name}` on that container"))),
        None => Ok(()),
    }
}

/// Which ids can be mapped by whom. Files are shown with other owners through mounts that only the machine's root makes of
/// its file systems (mount_setattr(2), "ID-mapped mounts"): for others layers are copied.
fn check_whose_ids(spec: &ContainerSpec) -> Result<()> {
    let privilege = Privilege::current();
    if !privilege.is_rootless() {
        return match spec.userns {
            UsernsSpec::KeepId => {
                Err(Error::invalid("`userns: \"keep-id\"` is for ordinary users: root's own number is 0")
                    .hint("leave it out, or choose `auto`"))
            }
            _ => Ok(()),
        };
    }
    if spec.mounts.iter().any(|mount| mount.idmap) {
        return Err(Error::unsupported("`idmap` needs root: the kernel maps owners of a disk's files for nobody else")
            .hint("`userns: \"keep-id\"` gives you your own number in the container; or run as root"));
    }
    match &spec.userns {
        UsernsSpec::Host | UsernsSpec::KeepId => Ok(()),
        _ if !privilege.has_many_ids() => {
            Err(Error::unsupported("`userns` with other ids needs more ids than your own").hint(
                "have root give you some: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME`; \
                 `userns: \"keep-id\"` needs none",
            ))
        }
        UsernsSpec::Auto => Ok(()),
        UsernsSpec::Maps(maps) => {
            check_outside("uid", &maps.uid, privilege.uid_count())?;
            check_outside("gid", &maps.gid, privilege.gid_count())
        }
    }
}

/// Whether ids outside are of the user's namespace.
fn check_outside(option: &str, ranges: &[IdRange], count: u32) -> Result<()> {
    match ranges.iter().find(|range| range.outside.checked_add(range.count).is_none_or(|end| end > count)) {
        Some(range) => Err(Error::invalid(format!(
            "you have no `{option}` {} to {}",
            range.outside,
            u64::from(range.outside) + u64::from(range.count) - 1
        ))
        .hint(format!("the ids outside are those of your own namespace: 0 is you, 1 to {} your ranges", count - 1))),
        None => Ok(()),
    }
}

/// Docker's list of what is incompatible with user namespaces, and what this version cannot do in one.
fn check_with_userns(spec: &ContainerSpec) -> Result<()> {
    let network = |wanted: &str| spec.networks.iter().any(|asked| asked.network.starts_with(wanted));
    let shares = |mode: &NamespaceMode| matches!(mode, NamespaceMode::Container(_));
    let conflicts = [
        ("privileged: true", spec.privileged),
        ("network: \"host\"", network("host")),
        ("pid: \"host\"", spec.pid == NamespaceMode::Host),
        ("ipc: \"host\"", spec.ipc == NamespaceMode::Host),
        ("network: \"container:…\"", network(CONTAINER)),
        ("pid: \"container:…\"", shares(&spec.pid)),
        ("ipc: \"container:…\"", shares(&spec.ipc)),
    ];
    if let Some((option, _)) = conflicts.iter().find(|(_, given)| *given) {
        // The namespace of somebody else is owned by another user namespace: nobody inside could use it as root.
        return Err(Error::invalid(format!("`{option}` is incompatible with a user namespace of its own"))
            .hint("leave one of them out: `userns: \"host\"` is the default"));
    }
    if spec.runtime.as_deref().is_some_and(|runtime| runtime != oci_runtime::OWN) {
        return Err(Error::unsupported("`userns` is a part of the runtime `shanty`, and another one is asked for")
            .hint("leave one of `userns` and `runtime` out"));
    }
    Ok(())
}

/// Ids of a container with a user namespace of its own, and the lock to be held until its bundle is written.
pub fn id_maps(store: &Store, row: &Row) -> Result<(Option<IdMaps>, Option<FileLock>)> {
    if let Some(mapped) = &row.plan.mapped {
        return Ok((Some(mapped.maps.clone()), None));
    }
    match &row.spec.userns {
        UsernsSpec::Host => Ok((None, None)),
        UsernsSpec::Maps(maps) => Ok((Some(maps.clone()), None)),
        UsernsSpec::KeepId => Ok((Some(keep_id::maps(Privilege::current())), None)),
        UsernsSpec::Auto => {
            let (range, lock) = ids::choose(store.run_dir().parent().unwrap_or(store.run_dir()), &row.id)?;
            Ok((Some(IdMaps { uid: vec![range], gid: vec![range] }), Some(lock)))
        }
    }
}

/// The capabilities of a container.
///
/// Fails with `denied` when one that is asked for by name is not ours to give: without it, it would fail later and
/// elsewhere.
pub fn capabilities(spec: &ContainerSpec) -> Result<CapSet> {
    let missing = spec.cap_add.iter().find(|name| {
        let bit = capability::bit(name);
        bit.is_some_and(|bit| sys_capability::in_bounding(bit.trailing_zeros() as u8) != Some(true))
    });
    match missing {
        Some(name) => Err(Error::new(
            ErrorKind::Denied,
            format!("the capability `{name}` cannot be given: this process does not have it"),
        )
        .hint(format!("leave `{name}` out of `cap_add`, or run shanty where root has it"))),
        None => spec::capabilities(&spec.cap_add, &spec.cap_drop),
    }
}

/// The preference of the OOM killer: Docker's default is 0, not the caller's.
pub fn oom_score_adj(spec: &ContainerSpec) -> Option<i32> {
    spec.oom_score_adj.or_else(|| {
        let own: i32 = std::fs::read_to_string("/proc/self/oom_score_adj").ok()?.trim().parse().ok()?;
        // Raising is always allowed; lowering needs a capability.
        let resource = capability::bit("SYS_RESOURCE")?.trailing_zeros() as u8;
        (own < 0 || own > 0 && sys_capability::in_bounding(resource) == Some(true)).then_some(0)
    })
}

/// The same with ids in place of the names of other containers, which may be renamed.
pub fn by_id(store: &Store, spec: &ContainerSpec) -> Result<ContainerSpec> {
    let id = |name: &str| Ok::<_, Error>(store.read(|db| lookup::find(db, name))?.id.to_string());
    let mut spec = spec.clone();
    for mode in [&mut spec.pid, &mut spec.ipc] {
        if let NamespaceMode::Container(name) = mode {
            *name = id(name)?;
        }
    }
    for NetworkAttachment { network, .. } in &mut spec.networks {
        if let Some(name) = network.strip_prefix(CONTAINER) {
            *network = format!("{CONTAINER}{}", id(name)?);
        }
    }
    Ok(spec)
}

/// Finds the namespaces that a container shares; those of other containers must run.
pub fn sharing(store: &Store, row: &Row) -> Result<Sharing> {
    let mut sharing = Sharing::default();
    match &row.plan.network {
        NetworkPlan::Host => sharing.network = Namespace::Host,
        NetworkPlan::Joined => {
            let of =
                row.spec.networks.iter().find_map(|wanted| wanted.network.strip_prefix(CONTAINER)).unwrap_or_default();
            let other = Other::find(store, row, of, "network")?;
            sharing.network = other.namespace("net");
            sharing.network_of = Some((monitor::run_dir(store, &other.row.id), other.row.plan.hostname.clone()));
        }
        NetworkPlan::None | NetworkPlan::Bridge(_) => {}
    }
    match &row.spec.pid {
        NamespaceMode::Host => sharing.pid = Namespace::Host,
        NamespaceMode::Container(of) => sharing.pid = Other::find(store, row, of, "processes")?.namespace("pid"),
        _ => {}
    }
    match &row.spec.ipc {
        NamespaceMode::Host => (sharing.ipc, sharing.shm) = (Namespace::Host, Shm::Of(PathBuf::from("/dev/shm"))),
        NamespaceMode::None => sharing.shm = Shm::None,
        NamespaceMode::Container(of) => {
            let other = Other::find(store, row, of, "IPC")?;
            if matches!(other.row.spec.ipc, NamespaceMode::Private | NamespaceMode::None) {
                return Err(Error::invalid(format!("the IPC of container `{}` cannot be shared", other.row.name))
                    .hint("make that container with `ipc: \"shareable\"`"));
            }
            sharing.ipc = other.namespace("ipc");
            sharing.shm = Shm::Of(PathBuf::from(format!("/proc/{}/root/dev/shm", other.pid)));
        }
        NamespaceMode::Private | NamespaceMode::Shareable => {}
    }
    Ok(sharing)
}

/// Another container, which runs.
struct Other {
    row: Row,
    pid: i32,
}

impl Other {
    fn find(store: &Store, joiner: &Row, name: &str, what: &str) -> Result<Self> {
        let mut row = store.read(|db| lookup::find(db, name))?;
        if row.id == joiner.id {
            return Err(Error::invalid(format!("a container cannot share the {what} with itself")));
        }
        let state = state::refresh(store, &mut row)?;
        let process = state.filter(|_| row.state.status != Status::Restarting).and_then(|state| state.process);
        match process {
            Some(process) => Ok(Self { row, pid: process.pid }),
            None => {
                Err(Error::conflict(format!("cannot share the {what} of container `{}`: it is not running", row.name))
                    .hint(format!("start it: `container(\"{}\").start()`", row.name)))
            }
        }
    }

    fn namespace(&self, kind: &str) -> Namespace {
        Namespace::Of(PathBuf::from(format!("/proc/{}/ns/{kind}", self.pid)))
    }
}

//! Makes OCI runtime specifications that are as tight as Docker's default.

mod defaults;
mod devices;
mod mounts;
mod resources;
pub mod seccomp;

pub use defaults::{masked_paths, read_only_paths};
pub use devices::Devices;
pub use mounts::{bind, overlay, tmpfs, with_mapped_ids, with_subpath};
pub use resources::changed_limits;

use super::bundle::{GROUPS_ANNOTATION, INIT_ANNOTATION, SECCOMP_ANNOTATION, USER_ANNOTATION};
use super::capability;
use crate::error::{Error, Result};
use crate::model::{IdMaps, IdRange, ResourceLimits, SeccompProfile, Ulimit};
use crate::privilege::{Ids, Privilege};
use crate::sys::capability::CapSet;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Capabilities, Capability, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxIdMapping, LinuxIdMappingBuilder,
    LinuxNamespaceBuilder, LinuxNamespaceType, Mount, PosixRlimit, PosixRlimitBuilder, PosixRlimitType, ProcessBuilder,
    RootBuilder, Spec, SpecBuilder, UserBuilder,
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Search path of programs when the image sets none: Docker's.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Size of `/dev/shm`, bytes, when nothing is asked for.
pub const DEFAULT_SHM_SIZE: u64 = 64 << 20;

/// Whose namespace a container is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespace {
    /// One of its own.
    #[default]
    New,
    /// The host's.
    Host,
    /// The one that this file stands for.
    Of(PathBuf),
}

/// What is at `/dev/shm`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shm {
    /// Memory of its own.
    #[default]
    Own,
    /// Nothing.
    None,
    /// What is at this path.
    Of(PathBuf),
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Seccomp {
    /// Those of Docker's default profile; privileged containers all.
    #[default]
    Default,
    /// All.
    Unconfined,
    /// Those of this profile.
    Profile(Box<SeccompProfile>),
}

/// What a container is to be like; `Default` is Docker's default container without a command.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Environment, in order; later ones win. `PATH`, `HOSTNAME` and `TERM` are added where missing, `HOME` when
    /// it starts.
    pub env: Vec<(String, String)>,
    /// Working directory; created when it is missing.
    pub cwd: PathBuf,
    /// `user`, `user:group`, `uid`, `uid:gid`, looked up in the image; empty: root.
    pub user: String,
    /// Additional groups, looked up in the image.
    pub groups: Vec<String>,
    /// Host name.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: Option<String>,
    /// Mount point of the root: `RootfsPlan::merged`.
    pub root: PathBuf,
    /// The root is not writable.
    pub read_only: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// What it may do; see [`capabilities`].
    pub capabilities: CapSet,
    /// Its system call filter.
    pub seccomp: Seccomp,
    /// Set `no_new_privs`.
    pub no_new_privileges: bool,
    /// Nothing is hidden or read-only, all devices may be used.
    pub privileged: bool,
    /// On top of the standard ones: see [`bind`] and [`tmpfs`].
    pub mounts: Vec<Mount>,
    /// Size of `/dev/shm`, bytes.
    pub shm_size: u64,
    /// Limits of its control groups.
    pub limits: ResourceLimits,
    /// Resource limits of the process; the others are the monitor's.
    pub ulimits: Vec<Ulimit>,
    /// The kernel's preference to kill it, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// Namespaced kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Its network namespace.
    pub network: Namespace,
    /// Its pid namespace.
    pub pid: Namespace,
    /// Its IPC namespace.
    pub ipc: Namespace,
    /// Its `/dev/shm`.
    pub shm: Shm,
    /// Devices of the host, beside the standard ones.
    pub devices: Devices,
    /// Ids of users and groups in its own user namespace; `None`: it is in the host's.
    pub id_maps: Option<IdMaps>,
    /// An init as the first process, which forwards signals and reaps.
    pub init: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            user: String::new(),
            groups: Vec::new(),
            hostname: String::new(),
            domainname: None,
            root: PathBuf::from("/"),
            read_only: false,
            tty: false,
            capabilities: defaults::capabilities(),
            seccomp: Seccomp::Default,
            no_new_privileges: false,
            privileged: false,
            mounts: Vec::new(),
            shm_size: DEFAULT_SHM_SIZE,
            limits: ResourceLimits::default(),
            ulimits: Vec::new(),
            oom_score_adj: None,
            sysctls: BTreeMap::new(),
            network: Namespace::New,
            pid: Namespace::New,
            ipc: Namespace::New,
            shm: Shm::Own,
            devices: Devices::default(),
            id_maps: None,
            init: false,
        }
    }
}

/// The default capabilities with some added and dropped, by name; `ALL` is all of them, as in Docker.
///
/// Fails with `invalid` on a name that is none.
pub fn capabilities(add: &[String], drop: &[String]) -> Result<CapSet> {
    let of = |names: &[String]| {
        names.iter().try_fold(0, |set, name| {
            if name.eq_ignore_ascii_case("ALL") {
                return Ok(capability::ALL);
            }
            let bit = capability::bit(name).ok_or_else(|| {
                Error::invalid(format!("there is no capability `{name}`"))
                    .hint("see capabilities(7), for example `NET_ADMIN`")
            })?;
            Ok::<CapSet, Error>(set | bit)
        })
    };
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let (added, dropped) = (of(add)?, of(drop)?);
    // Docker: dropping all and adding some leaves those; adding all and dropping some leaves the rest.
    Ok(if all(drop) { added } else { (defaults::capabilities() | added) & !dropped })
}

/// The specification of such a container.
pub fn build(options: &Options) -> Result<Spec> {
    try_build(options).map_err(|error| Error::invalid(format!("cannot make the runtime specification: {error}")))
}

fn try_build(options: &Options) -> Result<Spec, OciSpecError> {
    let has = |name: &str| options.env.iter().any(|(known, _)| known == name);
    let mut env: Vec<String> = Vec::new();
    if !has("PATH") {
        env.push(format!("PATH={DEFAULT_PATH}"));
    }
    if !has("HOSTNAME") {
        env.push(format!("HOSTNAME={}", options.hostname));
    }
    if options.tty && !has("TERM") {
        env.push("TERM=xterm".to_owned());
    }
    let last_wins = |index: usize, name: &str| !options.env[index + 1..].iter().any(|(later, _)| later == name);
    let own = options.env.iter().enumerate().filter(|(index, (name, _))| last_wins(*index, name));
    env.extend(own.map(|(_, (name, value))| format!("{name}={value}")));

    let mut annotations = HashMap::from([(USER_ANNOTATION.to_owned(), options.user.clone())]);
    if !options.groups.is_empty() {
        annotations.insert(GROUPS_ANNOTATION.to_owned(), options.groups.join(","));
    }
    if options.init {
        annotations.insert(INIT_ANNOTATION.to_owned(), "true".to_owned());
    }
    if matches!(options.seccomp, Seccomp::Default) && !options.privileged {
        annotations.insert(SECCOMP_ANNOTATION.to_owned(), "default".to_owned());
    }
    let capabilities = if options.privileged { capability::ALL } else { options.capabilities };
    let filter = match &options.seccomp {
        Seccomp::Profile(profile) => Some(seccomp::resolve(profile, &seccomp::Here::new(capabilities))?),
        Seccomp::Default | Seccomp::Unconfined => None,
    };
    let capabilities = capability_set(capabilities);
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(capabilities.clone())
        .effective(capabilities.clone())
        .permitted(capabilities)
        .inheritable(Capabilities::new())
        .ambient(Capabilities::new())
        .build()?;
    let rlimits = options.ulimits.iter().map(rlimit).collect::<Result<Vec<_>, _>>()?;
    let mut process = ProcessBuilder::default()
        .terminal(options.tty)
        .user(UserBuilder::default().build()?)
        .args(options.args.clone())
        .env(env)
        .cwd(options.cwd.clone())
        .capabilities(capabilities)
        .no_new_privileges(options.no_new_privileges)
        .rlimits(rlimits)
        .build()?;
    process.set_oom_score_adj(options.oom_score_adj);

    let user = if options.id_maps.is_some() { Namespace::New } else { Namespace::Host };
    let kinds = [
        (LinuxNamespaceType::User, &user),
        (LinuxNamespaceType::Mount, &Namespace::New),
        (LinuxNamespaceType::Pid, &options.pid),
        (LinuxNamespaceType::Uts, &Namespace::New),
        (LinuxNamespaceType::Ipc, &options.ipc),
        (LinuxNamespaceType::Cgroup, &Namespace::New),
        (LinuxNamespaceType::Network, &options.network),
    ];
    let namespaces = kinds
        .into_iter()
        .filter(|(_, whose)| **whose != Namespace::Host)
        .map(|(kind, whose)| {
            let builder = LinuxNamespaceBuilder::default().typ(kind);
            match whose {
                Namespace::Of(path) => builder.path(path.clone()),
                Namespace::New | Namespace::Host => builder,
            }
            .build()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let hidden = |paths: Vec<String>| if options.privileged { Vec::new() } else { paths };
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces)
        .resources(resources::of(&options.limits, options.privileged, &options.devices.rules)?)
        .masked_paths(hidden(defaults::masked_paths()))
        .readonly_paths(hidden(defaults::read_only_paths()))
        .devices(options.devices.nodes.clone())
        .build()?;
    linux.set_seccomp(filter);
    if let Some(maps) = &options.id_maps {
        linux.set_uid_mappings(Some(id_mappings(&maps.uid)?));
        linux.set_gid_mappings(Some(id_mappings(&maps.gid)?));
    }
    let sysctls = sysctls(options);
    if !sysctls.is_empty() {
        linux.set_sysctl(Some(sysctls));
    }

    let mut spec = SpecBuilder::default()
        .version("1.2.0")
        .root(RootBuilder::default().path(options.root.clone()).readonly(options.read_only).build()?)
        .mounts(mounts::all(options)?)
        .process(process)
        .hostname(options.hostname.clone())
        .linux(linux)
        .annotations(annotations)
        .build()?;
    spec.set_domainname(options.domainname.clone());
    Ok(spec)
}

/// Those that are asked for, and Docker's own: ports below 1024 and pings need no capability in a network of its own.
/// All groups: `2147483647` is the highest that the kernel takes, and it takes none that the user namespace does not have.
fn ping_groups() -> &'static str {
    match Privilege::current().ids() {
        Ids::All => "0 2147483647",
        Ids::Ranges => "0 65535",
        Ids::Single => "0 0",
    }
}

fn sysctls(options: &Options) -> HashMap<String, String> {
    let mut sysctls: HashMap<String, String> = options.sysctls.clone().into_iter().collect();
    if options.network == Namespace::New {
        // The second one takes groups that the user namespace has; there the capability for pings is a real one.
        let own = [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", ping_groups())];
        for (name, value) in own.into_iter().take(if options.id_maps.is_some() { 1 } else { 2 }) {
            sysctls.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    sysctls
}

/// Ranges of ids as the specification has them.
pub fn id_mappings(ranges: &[IdRange]) -> Result<Vec<LinuxIdMapping>, OciSpecError> {
    let mapping = |range: &IdRange| {
        let builder = LinuxIdMappingBuilder::default().container_id(range.inside);
        builder.host_id(range.outside).size(range.count).build()
    };
    ranges.iter().map(mapping).collect()
}

fn capability_set(set: CapSet) -> Capabilities {
    capability::names(set).filter_map(|name| name.parse::<Capability>().ok()).collect()
}

fn rlimit(ulimit: &Ulimit) -> Result<PosixRlimit, OciSpecError> {
    let name = format!("RLIMIT_{}", ulimit.name.to_ascii_uppercase());
    let kind: PosixRlimitType = name.parse().map_err(|_| OciSpecError::Other(format!("unknown limit {name}")))?;
    PosixRlimitBuilder::default().typ(kind).soft(ulimit.soft).hard(ulimit.hard).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_added_and_dropped_as_docker_does() {
        let set = |add: &[&str], drop: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
            capabilities(&owned(add), &owned(drop))
        };
        assert_eq!(set(&[], &[]).unwrap(), 0xa804_25fb);
        assert_eq!(set(&["CAP_NET_ADMIN"], &["mknod"]).unwrap(), 0xa004_35fb);
        assert_eq!(set(&["KILL"], &["ALL"]).unwrap(), 1 << 5);
        assert_eq!(set(&["ALL"], &["SYS_ADMIN"]).unwrap(), capability::ALL & !(1 << 21));
        assert!(set(&["NET_ADMIM"], &[]).is_err());
    }

    #[test]
    fn every_capability_has_a_name_in_the_specification() {
        assert_eq!(capability_set(capability::ALL).len(), 41);
    }

    #[test]
    fn the_environment_gets_what_is_missing_and_the_last_value_wins() {
        let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = Options {
            env: vec![env("A", "1"), env("PATH", "/bin"), env("A", "2")],
            hostname: "h".to_owned(),
            tty: true,
            ..Options::default()
        };
        let spec = build(&options).unwrap();
        let built = spec.process().as_ref().unwrap().env().as_ref().unwrap();
        assert_eq!(built, &["HOSTNAME=h", "TERM=xterm", "PATH=/bin", "A=2"]);
    }

    #[test]
    fn a_built_specification_reads_back_the_same() {
        let spec = build(&Options::default()).unwrap();
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&text).unwrap(), spec);
    }
}

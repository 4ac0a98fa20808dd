//! What there is on this machine, as it is read without any rights.

use crate::privilege;
use crate::runtime::cgroup::{self, Place};
use crate::sys::clone;
use nix::fcntl::{OFlag, open};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::sys::stat::Mode;
use nix::sys::statvfs::statvfs;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, Uid, User};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where cgroup2 is on a machine that has it alone.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Who asks, when it is not root.
#[derive(Clone, Debug)]
pub struct Person {
    pub uid: u32,
    pub gid: u32,
    /// `None` without an entry in `/etc/passwd`.
    pub name: Option<String>,
}

/// A program that needs rights of its own.
#[derive(Clone, Debug)]
pub enum Tool {
    Missing,
    /// It is there, and would be refused.
    WithoutRights(String),
    Usable,
}

/// Where control groups of containers are.
#[derive(Clone, Debug)]
pub enum Groups {
    /// In the group that is the person's.
    Delegated(Vec<String>),
    /// In scopes of the person's systemd; whether that stays without a login.
    Systemd(Vec<String>, bool),
}

/// All of them. What cannot be read is `None`.
#[derive(Clone, Debug)]
pub struct Facts {
    pub person: Option<Person>,
    pub kernel: String,
    pub overlay: bool,
    pub max_user_namespaces: Option<u64>,
    pub unprivileged_userns_clone: Option<u64>,
    pub apparmor_restricts: Option<u64>,
    /// Whether making a user namespace works, else why not.
    pub user_namespace: Result<(), String>,
    pub newuidmap: Tool,
    pub newgidmap: Tool,
    /// The lines of `/etc/subuid`: who, the first id, how many.
    pub subuids: Vec<(String, u64, u64)>,
    pub subgids: Vec<(String, u64, u64)>,
    pub pasta: bool,
    pub tun: Result<(), String>,
    pub first_port: Option<u64>,
    pub ping_groups: Option<(u64, u64)>,
    pub netfilter: bool,
    pub cgroup1: bool,
    /// Those of cgroup2, where it is alone.
    pub cgroup_controllers: Option<Vec<String>>,
    /// Where those of the person's containers are, with the controllers; else why not.
    pub groups: Result<Groups, String>,
    pub systemd: bool,
    pub root: PathBuf,
    pub free_space: Option<u64>,
    pub most_files: u64,
}

impl Facts {
    /// Of this machine and this process.
    pub fn gather(root: Option<&Path>) -> Self {
        let (uid, gid) = privilege::caller();
        let name = || User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        let person = (uid != 0).then(|| Person { uid, gid, name: name() });
        let root = root.map_or_else(privilege::default_root, Path::to_owned);
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let open_tun = open("/dev/net/tun", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
        Self {
            person,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            overlay: text("/proc/filesystems").lines().any(|line| line.trim_start_matches("nodev").trim() == "overlay"),
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            user_namespace: make_user_namespace(),
            newuidmap: tool("newuidmap"),
            newgidmap: tool("newgidmap"),
            subuids: ranges(&text("/etc/subuid")),
            subgids: ranges(&text("/etc/subgid")),
            pasta: find("pasta").is_some(),
            tun: open_tun.map(drop).map_err(|errno| errno.desc().to_lowercase()),
            first_port: number("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
            ping_groups: pair(&text("/proc/sys/net/ipv4/ping_group_range")),
            netfilter: socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkNetFilter,
            )
            .is_ok(),
            cgroup1: text("/proc/self/mountinfo").lines().any(|line| line.contains(" - cgroup ")),
            cgroup_controllers: words(&Path::new(CGROUPS).join("cgroup.controllers")),
            groups: groups(&text("/proc/self/cgroup"), uid),
            systemd: Path::new("/run/systemd/system").is_dir(),
            free_space: free_space(&root),
            root,
            most_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
        }
    }
}

fn number<T: FromStr>(path: &str) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn pair(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn words(path: &Path) -> Option<Vec<String>> {
    Some(fs::read_to_string(path).ok()?.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The lines of subuid(5).
fn ranges(text: &str) -> Vec<(String, u64, u64)> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let whose = fields.next()?.to_owned();
        let (start, count) = (fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
        Some((whose, start.into(), count.into()))
    };
    text.lines().filter_map(range).collect()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether a program has what it needs: it is setuid, or has file capabilities.
fn tool(program: &str) -> Tool {
    let Some(path) = find(program) else { return Tool::Missing };
    let is_setuid = fs::metadata(&path).is_ok_and(|metadata| metadata.mode() & 0o4000 != 0 && metadata.uid() == 0);
    let attributes = crate::sys::xattr::list(&path).unwrap_or_default();
    if is_setuid || attributes.iter().any(|(name, _)| name.as_bytes() == b"security.capability") {
        return Tool::Usable;
    }
    Tool::WithoutRights(path.to_string_lossy().into_owned())
}

fn make_user_namespace() -> Result<(), String> {
    let child = clone::spawn(CloneFlags::CLONE_NEWUSER, None, || 0).map_err(|errno| errno.desc().to_lowercase())?;
    let _ = waitpid(Pid::from_raw(child.pid), None);
    Ok(())
}

fn groups(own: &str, uid: u32) -> Result<Groups, String> {
    match cgroup::place(Path::new(CGROUPS), own, uid) {
        Place::Delegated { group, .. } => Ok(Groups::Delegated(cgroup::controllers(&group))),
        Place::Systemd { manager } => Ok(Groups::Systemd(cgroup::controllers(&manager), is_lingering(uid))),
        Place::Nowhere { reason } => Err(reason),
    }
}

/// Whether a user's systemd stays when its last login ends (loginctl(1), `enable-linger`).
fn is_lingering(uid: u32) -> bool {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.is_some_and(|user| Path::new("/var/lib/systemd/linger").join(user.name).exists())
}

/// Bytes that are free where the root is or would be.
fn free_space(root: &Path) -> Option<u64> {
    let there = root.ancestors().find(|folder| folder.exists())?;
    let found = statvfs(there).ok()?;
    Some(found.blocks_available() * found.fragment_size())
}

//! The mounts of a container, each attached to a descriptor inside the root.

use super::cgroup::Group;
use super::copy_up;
use super::labels::{self, Labelled};
use super::namespaces::Namespaces;
use super::overlay_mount;
use super::rootfs::{Missing, Root, is_kind};
use super::subpath;
use super::userns;
use crate::error::{Error, IoContext, Result};
use crate::privilege::Privilege;
use crate::sys::mount::{FsContext, MountAttrs, Propagation, attach, c_path, clone_tree, set_attributes};
use crate::sys::xattr;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use oci_spec::runtime::Mount;
use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The sources of mounts that are opened early, by their target.
pub type Shared = HashMap<PathBuf, OwnedFd>;

/// Opens the sources of mounts whose events are to spread: from a mount namespace that has been cut off from the host's
/// it would be too late. With a user namespace all of them: its root may not go to every place of the host. And those
/// whose owners are mapped, which takes the host's rights.
pub fn open_early(mounts: &[Mount], namespaces: &Namespaces) -> Result<Shared> {
    let mut shared = Shared::new();
    for mount in mounts {
        let (target, mut options) =
            (mount.destination(), Options::parse(mount.options().as_deref().unwrap_or_default()));
        let is_bind = options.bind || mount.typ().as_deref().is_none_or(|kind| kind == "bind");
        if userns::maps_of_mount(mount).is_some() {
            options.maps_ids.get_or_insert(IdMapping::Top);
        }
        let spreads = matches!(options.propagation, Some(Propagation::Shared | Propagation::Slave));
        if is_bind && (spreads && options.bind || options.maps_ids.is_some() || namespaces.user().is_some()) {
            let tree = open_source(mount, &options)?;
            if let Some(mapping) = options.maps_ids {
                let user = namespaces.user_of_mount(target).ok_or_else(|| cannot_be_mapped(target))?;
                let name = mount.source().as_deref().unwrap_or(Path::new("")).display().to_string();
                userns::map_ids(&tree, user, mapping == IdMapping::Recursive, &name)?;
            }
            shared.insert(target.clone(), tree);
        } else if options.maps_ids.is_some() {
            return Err(Error::unsupported(format!(
                "the owners in `{}` cannot be mapped: it is no bind",
                target.display()
            ))
            .hint("leave `idmap` and `uidMappings` out of the mount"));
        }
    }
    Ok(shared)
}

fn cannot_be_mapped(target: &Path) -> Error {
    Error::invalid(format!(
        "the owners in `{}` cannot be mapped: the container has no user namespace of its own",
        target.display()
    ))
    .hint("leave `idmap` out of the mount, or set `userns`")
}

/// Opens the container's control groups: the ways to them are barred to the root of a user namespace.
pub fn open_groups(group: &Group<'_>, shared: &mut Shared) -> Result<()> {
    for hierarchy in group.hierarchies.all() {
        let dir = hierarchy.dir(group.path);
        let tree = clone_tree(AT_FDCWD, &dir, false).doing(|| format!("cannot open `{}`", dir.display()))?;
        shared.insert(dir, tree);
    }
    Ok(())
}

/// What of the options of a mount changes nothing, though it says something.
pub fn without_effect(mount: &Mount) -> Vec<String> {
    let options = Options::parse(mount.options().as_deref().unwrap_or_default());
    let kind = mount.typ().as_deref().unwrap_or("bind");
    let (bind, cgroup) = (options.bind || kind == "bind", matches!(kind, "cgroup" | "cgroup2"));
    // Those of a file system that is there already, or of one that takes none.
    let mut without = if bind || cgroup { options.data } else { Vec::new() };
    if options.copies_up && (bind || kind != "tmpfs") {
        without.push("tmpcopyup".to_owned());
    }
    if cgroup && !bind && options.propagation.is_some_and(|propagation| propagation != Propagation::Private) {
        without.push("shared, slave or unbindable".to_owned());
    }
    without
}

/// Attaches one mount of the spec; `label` is that of what is made anew, `mount_point` where the root is mounted.
pub fn mount(
    root: &Root,
    mount: &Mount,
    group: &Group<'_>,
    shared: &mut Shared,
    label: Option<&str>,
    mount_point: &Path,
) -> Result<()> {
    let target = mount.destination();
    let options = Options::parse(mount.options().as_deref().unwrap_or_default());
    let kind = mount.typ().as_deref().unwrap_or("bind");
    if options.bind || kind == "bind" {
        return bind(root, mount, &options, shared.remove(target));
    }
    if kind == "overlay"
        && let Some(folders) = overlay_mount::Folders::of(&options.data)
    {
        return folders.mount(root, target, options.subpath.as_deref(), options.attrs, mount_point);
    }
    let mut options = options;
    let label = label.map(|label| (label, labels::way_of(kind)));
    if let Some((label, Labelled::ByOption)) = label {
        options.data.push(format!("context={label}"));
    }
    if kind == "tmpfs" && !options.data.iter().any(|option| option.starts_with("mode=")) {
        // As runc: a directory of the image keeps its mode.
        let there = root.open(target, OFlag::O_PATH).and_then(|dir| fstat(&dir)).ok();
        options.data.extend(there.map(|stat| format!("mode={:o}", stat.st_mode & 0o7777)));
    }
    let place = match kind {
        "proc" | "sysfs" => plain_directory(root, target)?,
        _ => root.open_or_create(target, Missing::Directory)?,
    };
    let doing = || format!("cannot mount {kind} on `{}`", target.display());
    let made = match kind {
        "cgroup" | "cgroup2" => {
            return cgroups(&place, group, &options, shared, label.map(|(label, _)| label)).doing(doing);
        }
        _ => new_file_system(kind, mount.source().as_deref(), &options)
            .or_else(|errno| of_machine(kind, &options, errno))
            .doing(doing)?,
    };
    if let Some((label, Labelled::ByAttribute)) = label {
        xattr::set_open(made.as_fd(), c"security.selinux", label.as_bytes()).doing(doing)?;
    }
    if let Some(propagation) = options.propagation {
        set_attributes(&made, MountAttrs::empty(), Some(propagation), false).doing(doing)?;
    }
    if options.copies_up && kind == "tmpfs" {
        let before = root.open(target, OFlag::O_RDONLY | OFlag::O_DIRECTORY).doing(doing)?;
        copy_up::copy(before.as_fd(), made.as_fd()).doing(|| format!("cannot copy `{}`", target.display()))?;
    }
    stay_out_of_proc(&made, &place, target)?;
    attach(&made, &place).doing(doing)
}

/// Refuses a mount inside `/proc`: it would catch what is written there to set kernel parameters
/// (CVE-2025-52881). The place itself is looked at, since links of the image may lead there.
fn stay_out_of_proc(made: &OwnedFd, place: &OwnedFd, target: &Path) -> Result<()> {
    let doing = || format!("cannot look at `{}`", target.display());
    let is_proc = |fd: &OwnedFd| Ok::<_, Error>(fstatfs(fd).doing(doing)?.filesystem_type() == PROC_SUPER_MAGIC);
    if !is_proc(place)? || is_proc(made)? || LXCFS.iter().any(|file| target == Path::new(file)) {
        return Ok(());
    }
    Err(Error::invalid(format!("`{}` is inside `/proc`, where nothing can be mounted", target.display()))
        .hint("choose another target"))
}

/// What LXCFS shows containers of their own limits, as runc has the list.
const LXCFS: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// The options that `Options::parse` knows; others are handed to the file system.
pub const OPTIONS: [&str; 53] = [
    "async",
    "atime",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "idmap",
    "lazytime",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "rexec",
    "ridmap",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "slave",
    "strictatime",
    "suid",
    "symfollow",
    "tmpcopyup",
    "unbindable",
];

/// In which mounts owners are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdMapping {
    /// The one that is named.
    Top,
    /// Those below it, too.
    Recursive,
}

/// What the options of a mount mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    attrs: MountAttrs,
    bind: bool,
    recursive: bool,
    /// Owners are shown as a user namespace has them.
    maps_ids: Option<IdMapping>,
    propagation: Option<Propagation>,
    /// What is there already is copied into it.
    copies_up: bool,
    /// The part of the source that is meant.
    subpath: Option<String>,
    /// What the file system itself takes.
    data: Vec<String>,
}

impl Options {
    fn parse(options: &[String]) -> Self {
        let mut parsed = Self::default();
        for option in options {
            match option.as_str() {
                // The last one counts.
                "ro" | "rro" => parsed.attrs |= MountAttrs::READ_ONLY,
                "rw" | "rrw" => parsed.attrs -= MountAttrs::READ_ONLY,
                "nosuid" | "rnosuid" => parsed.attrs |= MountAttrs::NO_SUID,
                "suid" | "rsuid" => parsed.attrs -= MountAttrs::NO_SUID,
                "nodev" | "rnodev" => parsed.attrs |= MountAttrs::NO_DEV,
                "dev" | "rdev" => parsed.attrs -= MountAttrs::NO_DEV,
                "noexec" | "rnoexec" => parsed.attrs |= MountAttrs::NO_EXEC,
                "exec" | "rexec" => parsed.attrs -= MountAttrs::NO_EXEC,
                "nodiratime" | "rnodiratime" => parsed.attrs |= MountAttrs::NO_DIR_ATIME,
                "diratime" | "rdiratime" => parsed.attrs -= MountAttrs::NO_DIR_ATIME,
                // One of three (mount_setattr(2)).
                "noatime" | "rnoatime" => {
                    parsed.attrs = (parsed.attrs - MountAttrs::STRICT_ATIME) | MountAttrs::NO_ATIME;
                }
                "strictatime" | "rstrictatime" => {
                    parsed.attrs = (parsed.attrs - MountAttrs::NO_ATIME) | MountAttrs::STRICT_ATIME;
                }
                "relatime" | "atime" | "nostrictatime" | "norelatime" | "rrelatime" | "ratime" | "rnostrictatime"
                | "rnorelatime" => {
                    parsed.attrs -= MountAttrs::NO_ATIME | MountAttrs::STRICT_ATIME;
                }
                "bind" => parsed.bind = true,
                "rbind" => (parsed.bind, parsed.recursive) = (true, true),
                "idmap" => parsed.maps_ids = Some(IdMapping::Top),
                "ridmap" => parsed.maps_ids = Some(IdMapping::Recursive),
                "private" | "rprivate" => parsed.propagation = Some(Propagation::Private),
                "slave" | "rslave" => parsed.propagation = Some(Propagation::Slave),
                "shared" | "rshared" => parsed.propagation = Some(Propagation::Shared),
                "unbindable" | "runbindable" => parsed.propagation = Some(Propagation::Unbindable),
                "nosymfollow" | "rnosymfollow" => parsed.attrs |= MountAttrs::NO_SYM_FOLLOW,
                "symfollow" | "rsymfollow" => parsed.attrs -= MountAttrs::NO_SYM_FOLLOW,
                "tmpcopyup" => parsed.copies_up = true,
                "async" | "defaults" | "notmpcopyup" | "silent" | "loud" | "" => {}
                data => match data.strip_prefix(subpath::OPTION) {
                    Some(below) => parsed.subpath = Some(below.to_owned()),
                    None => parsed.data.push(data.to_owned()),
                },
            }
        }
        parsed
    }
}

fn open_source(mount: &Mount, options: &Options) -> Result<OwnedFd> {
    let (target, none) = (mount.destination(), PathBuf::new());
    let source = mount.source().as_ref().unwrap_or(&none);
    let doing = || format!("cannot mount `{}` on `{}`", source.display(), target.display());
    if let Some((pid, path)) = of_other_process(source) {
        return clone_of_other(pid, path).doing(doing);
    }
    let cloned = match &options.subpath {
        Some(below) => subpath::clone(source, below, options.recursive),
        None => clone_tree(AT_FDCWD, source, options.recursive),
    };
    match cloned {
        Err(Errno::ENOENT) => Err(Error::not_found(format!("{}: the source does not exist", doing()))
            .hint("create it, or set `create: true` on the mount")),
        other => other.doing(doing),
    }
}

/// `/proc/PID/root/PATH`: what another process has at that path.
fn of_other_process(source: &Path) -> Option<(i32, &Path)> {
    let (pid, rest) = source.to_str()?.strip_prefix("/proc/")?.split_once("/root/")?;
    Some((pid.parse().ok()?, Path::new(rest)))
}

/// A copy of a mount of another mount namespace, which can be made from inside only (open_tree(2)).
fn clone_of_other(pid: i32, path: &Path) -> nix::Result<OwnedFd> {
    let namespace =
        |of: &str| open(format!("/proc/{of}/ns/mnt").as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    let (own, other) = (namespace("self")?, namespace(&pid.to_string())?);
    setns(&other, CloneFlags::CLONE_NEWNS)?;
    // The root is theirs now: links of theirs lead nowhere else, and none is followed anyway.
    let tree = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).and_then(|root| {
        let place = Root::new(root).open_without_links(path, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        clone_tree(place.as_fd(), Path::new(""), false)
    });
    setns(&own, CloneFlags::CLONE_NEWNS)?;
    tree
}

fn bind(root: &Root, mount: &Mount, options: &Options, shared: Option<OwnedFd>) -> Result<()> {
    let target = mount.destination();
    let doing = || format!("cannot mount on `{}`", target.display());
    let tree = match shared {
        Some(tree) => tree,
        None => open_source(mount, options)?,
    };
    let missing = if is_kind(&fstat(&tree).doing(doing)?, SFlag::S_IFDIR) { Missing::Directory } else { Missing::File };
    let place = root.open_or_create(target, missing)?;
    // The host's mount may be shared: what the container mounts below must not come back to the host,
    // unless that was asked for.
    let propagation = options.propagation.unwrap_or(Propagation::Private);
    set_attributes(&tree, options.attrs, Some(propagation), true).doing(doing)?;
    stay_out_of_proc(&tree, &place, target)?;
    attach(&tree, &place).doing(doing)
}

fn new_file_system(kind: &str, source: Option<&Path>, options: &Options) -> nix::Result<OwnedFd> {
    let text = |text: &str| CString::new(text).map_err(|_| Errno::EINVAL);
    let context = FsContext::open(&text(kind)?)?;
    context.set(c"source", &c_path(source.unwrap_or(Path::new(kind)))?)?;
    for option in &options.data {
        match option.split_once('=') {
            Some((key, value)) => context.set(&text(key)?, &text(value)?)?,
            None => context.set_flag(&text(option)?)?,
        }
    }
    context.mount(options.attrs)
}

/// What the machine has mounted of a kind that shows a namespace which is the machine's here, and not ours to show anew.
fn of_machine(kind: &str, options: &Options, errno: Errno) -> nix::Result<OwnedFd> {
    let source = match kind {
        "proc" => "/proc",
        "sysfs" => "/sys",
        "mqueue" => "/dev/mqueue",
        _ => return Err(errno),
    };
    if errno != Errno::EPERM || !Privilege::current().is_rootless() {
        return Err(errno);
    }
    let tree = clone_tree(AT_FDCWD, Path::new(source), true).map_err(|_| errno)?;
    set_attributes(&tree, options.attrs, Some(Propagation::Private), true)?;
    Ok(tree)
}

/// A directory that no link leads to: `/proc` and `/sys` elsewhere would leave the masks without effect.
fn plain_directory(root: &Root, path: &Path) -> Result<OwnedFd> {
    let place = match root.open_without_links(path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
        Err(Errno::ENOENT) => return root.open_or_create(path, Missing::Directory),
        Err(Errno::ELOOP | Errno::ENOTDIR) => {
            return Err(Error::invalid(format!("`{}` of the image is no directory", path.display()))
                .hint("the image is broken or hostile: do not run it"));
        }
        other => other,
    };
    place.doing(|| format!("cannot open `{}` of the image", path.display()))
}

/// The container's own groups: the one of cgroup2, or a directory with one of each v1 hierarchy.
fn cgroups(
    place: &OwnedFd,
    group: &Group<'_>,
    options: &Options,
    shared: &mut Shared,
    label: Option<&str>,
) -> nix::Result<()> {
    let attrs = options.attrs;
    let mut part = |dir: PathBuf| -> nix::Result<OwnedFd> {
        let tree = match shared.remove(&dir) {
            Some(tree) => tree,
            None => clone_tree(AT_FDCWD, &dir, false)?,
        };
        set_attributes(&tree, attrs, Some(Propagation::Private), false)?;
        Ok(tree)
    };
    if group.hierarchies.v1.is_empty() {
        let Some(unified) = &group.hierarchies.unified else { return Ok(()) };
        return attach(part(unified.dir(group.path))?, place);
    }
    let context = FsContext::open(c"tmpfs")?;
    context.set(c"mode", c"755")?;
    if let Some(label) = label {
        context.set(c"context", &CString::new(label).map_err(|_| Errno::EINVAL)?)?;
    }
    let writable = attrs.difference(MountAttrs::READ_ONLY);
    let top = context.mount(writable)?;
    attach(&top, place)?;
    for hierarchy in group.hierarchies.all() {
        let name = hierarchy.mount_point.file_name().unwrap_or_default();
        mkdirat(&top, name, Mode::from_bits_truncate(0o755))?;
        let below = nix::fcntl::openat(&top, name, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        attach(part(hierarchy.dir(group.path))?, below)?;
    }
    set_attributes(top.as_fd(), attrs, None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_mounts_and_of_file_systems_are_told_apart() {
        let options: Vec<String> =
            ["rw", "nosuid", "rbind", "rslave", "mode=1777", "newinstance", "ro", "relatime"].map(str::to_owned).into();
        let expected = Options {
            attrs: MountAttrs::READ_ONLY | MountAttrs::NO_SUID,
            bind: true,
            recursive: true,
            maps_ids: None,
            propagation: Some(Propagation::Slave),
            copies_up: false,
            subpath: None,
            data: vec!["mode=1777".to_owned(), "newinstance".to_owned()],
        };
        assert_eq!(Options::parse(&options), expected);
    }

    #[test]
    fn options_that_change_nothing_are_known() {
        for (kind, options, without) in [
            ("bind", &["rbind", "ro", "rprivate", "async"][..], &[][..]),
            ("bind", &["rbind", "size=1m", "z"], &["size=1m", "z"]),
            ("none", &["bind", "tmpcopyup"], &["tmpcopyup"]),
            ("tmpfs", &["tmpcopyup", "size=1m", "rshared"], &[]),
            ("proc", &["tmpcopyup"], &["tmpcopyup"]),
            ("cgroup", &["ro", "relatime", "rprivate"], &[]),
            ("cgroup", &["name=x", "rslave"], &["name=x", "shared, slave or unbindable"]),
        ] {
            let mount = serde_json::json!({ "destination": "/x", "type": kind, "options": options });
            let mount: Mount = serde_json::from_value(mount).unwrap();
            assert_eq!(without_effect(&mount), without, "{kind} {options:?}");
        }
    }
}

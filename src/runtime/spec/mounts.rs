//! The mounts of a specification: the standard ones, and those that are asked for.

use super::{Options, Shm};
use crate::privilege::Privilege;
use crate::runtime::{overlay_mount, subpath};
use oci_spec::OciSpecError;
use oci_spec::runtime::{Mount, MountBuilder};
use std::path::{Path, PathBuf};

/// A file or directory of the host. `propagation` as in Docker: `rprivate` when `None`.
pub fn bind(source: &Path, target: &Path, read_only: bool, propagation: Option<&str>) -> Mount {
    let mut options = vec!["rbind".to_owned(), propagation.unwrap_or("rprivate").to_owned()];
    if read_only {
        options.push("ro".to_owned());
    }
    made(mount(target, "bind", source, options))
}

/// The same mount with its owners mapped as the container's user namespace has them: root's files are root's inside.
pub fn with_mapped_ids(mut mount: Mount) -> Mount {
    let mut options = mount.options().clone().unwrap_or_default();
    options.push("ridmap".to_owned());
    mount.set_options(Some(options));
    mount
}

/// The same mount of what is at a path inside its source.
pub fn with_subpath(mut mount: Mount, below: &str) -> Mount {
    let mut options = mount.options().clone().unwrap_or_default();
    options.push(format!("{}{below}", subpath::OPTION));
    mount.set_options(Some(options));
    mount
}

/// Memory; `size` in bytes, `mode` such as 0o1777, and options on top of `nosuid`, `nodev`, `noexec`. Without a mode it has
/// that of the directory of the image, else 1777.
pub fn tmpfs(target: &Path, size: Option<u64>, mode: Option<u32>, read_only: bool, more: &[String]) -> Mount {
    let mut options = ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
    options.extend(size.map(|size| format!("size={size}")));
    options.extend(mode.map(|mode| format!("mode={mode:o}")));
    options.extend_from_slice(more);
    if read_only {
        options.push("ro".to_owned());
    }
    made(mount(target, "tmpfs", Path::new("tmpfs"), options))
}

/// Folders as one, the topmost first; without folders for changes and to work in, it is read-only. `below`: only what is
/// at this path in them.
pub fn overlay(lower: &[PathBuf], changes: Option<(&Path, &Path)>, below: Option<&str>, target: &Path) -> Mount {
    let mut options = overlay_mount::Folders::options(lower, changes);
    options.extend(below.map(|below| format!("{}{below}", subpath::OPTION)));
    if changes.is_none() {
        options.push("ro".to_owned());
    }
    made(mount(target, "overlay", Path::new("overlay"), options))
}

/// The group of terminals; where there is one group only, they have that.
const TERMINALS: &str = "gid=5";

/// All mounts of a container: whatever is asked for comes over the standard ones.
pub fn all(options: &Options) -> Result<Vec<Mount>, OciSpecError> {
    let shm = format!("size={}", options.shm_size);
    let sys = if options.privileged { "rw" } else { "ro" };
    let standard: [(&str, &str, &[&str]); 7] = [
        ("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        ("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", TERMINALS]),
        ("/sys", "sysfs", &["nosuid", "noexec", "nodev", sys]),
        ("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", sys]),
        ("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        ("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &shm]),
    ];
    let own = |target: &str| options.mounts.iter().any(|mount| mount.destination() == Path::new(target));
    let mut mounts = standard
        .into_iter()
        .filter(|(target, ..)| !own(target))
        .map(|(target, kind, list)| {
            let known = list.iter().filter(|option| **option != TERMINALS || Privilege::current().has_many_ids());
            mount(Path::new(target), kind, Path::new(kind), known.map(ToString::to_string).collect())
        })
        .collect::<Result<Vec<_>, _>>()?;
    if options.shm != Shm::Own {
        mounts.retain(|mount| mount.destination() != Path::new("/dev/shm"));
    }
    if let Shm::Of(source) = &options.shm
        && !own("/dev/shm")
    {
        let flags = ["bind", "rprivate", "nosuid", "noexec", "nodev"].map(str::to_owned).to_vec();
        mounts.push(mount(Path::new("/dev/shm"), "bind", source, flags)?);
    }
    let mut asked = options.mounts.clone();
    // A mount below another one comes after it.
    asked.sort_by_key(|mount| mount.destination().components().count());
    mounts.extend(asked);
    Ok(mounts)
}

fn mount(target: &Path, kind: &str, source: &Path, options: Vec<String>) -> Result<Mount, OciSpecError> {
    MountBuilder::default().destination(target).typ(kind).source(source).options(options).build()
}

fn made(mount: Result<Mount, OciSpecError>) -> Mount {
    mount.expect("all fields of a mount have values or defaults")
}

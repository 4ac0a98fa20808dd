//! Devices of the host as the specification has them: nodes, and rules about their use.

use super::defaults::rule;
use crate::error::{Error, IoContext, Result};
use crate::model::DeviceSpec;
use crate::runtime::rootfs::is_kind;
use nix::sys::stat::{FileStat, SFlag, major, minor, stat};
use oci_spec::OciSpecError;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceType};
use std::path::{Path, PathBuf};

/// Folders of `/dev` that are a container's own, and what must not be replaced there: Docker's list.
const OWN: [&str; 9] = ["pts", "ptmx", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"];
/// A folder of devices is not deeper.
const DEEPEST: u32 = 16;

/// Nodes, and rules for their use.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// What is made in the container.
    pub nodes: Vec<LinuxDevice>,
    /// What may be done with it.
    pub rules: Vec<LinuxDeviceCgroup>,
}

impl Devices {
    /// Looks the devices up on the host. A folder stands for all devices in it.
    ///
    /// # Errors
    /// `not_found` when there is no such file, `invalid` when it is no device.
    pub fn of_host(specs: &[DeviceSpec]) -> Result<Self> {
        let mut devices = Self::default();
        for spec in specs {
            let doing = || format!("cannot use the device `{}`", spec.source.display());
            let source = spec.source.canonicalize().doing(doing)?;
            let node = stat(&source).doing(doing)?;
            let mut found = Vec::new();
            if is_kind(&node, SFlag::S_IFDIR) {
                collect(&source, &spec.target, 0, &mut found).doing(doing)?;
            } else {
                found.push((spec.target.clone(), node));
            }
            let before = devices.nodes.len();
            for (target, node) in found {
                devices.push(&target, &node, Some(&spec.access)).map_err(|error| Error::invalid(error.to_string()))?;
            }
            if devices.nodes.len() == before {
                return Err(Error::invalid(format!("`{}` is no device", spec.source.display()))
                    .hint("mount files with `volumes`"));
            }
        }
        Ok(devices)
    }

    /// All devices of the host, for a privileged container; rules are not needed there.
    pub fn all_of_host() -> Result<Self> {
        let mut devices = Self::default();
        let mut found = Vec::new();
        collect(Path::new("/dev"), Path::new("/dev"), 0, &mut found).doing(|| "cannot read `/dev`")?;
        for (target, node) in found {
            devices.push(&target, &node, None).map_err(|error| Error::invalid(error.to_string()))?;
        }
        Ok(devices)
    }

    /// Adds others; of two with the same path the last one counts.
    pub fn add(&mut self, others: Self) {
        for node in others.nodes {
            self.nodes.retain(|known| known.path() != node.path());
            self.nodes.push(node);
        }
        self.rules.extend(others.rules);
    }

    fn push(&mut self, target: &Path, node: &FileStat, access: Option<&str>) -> Result<(), OciSpecError> {
        let kind = if is_kind(node, SFlag::S_IFBLK) {
            LinuxDeviceType::B
        } else if is_kind(node, SFlag::S_IFCHR) {
            LinuxDeviceType::C
        } else {
            return Ok(());
        };
        let numbers = (major(node.st_rdev) as i64, minor(node.st_rdev) as i64);
        if let Some(access) = access {
            self.rules.push(rule(true, Some(kind), Some(numbers.0), Some(numbers.1), access)?);
        }
        // The standard nodes are made anyway.
        self.nodes.retain(|known| known.path() != target);
        self.nodes.push(
            LinuxDeviceBuilder::default()
                .path(target)
                .typ(kind)
                .major(numbers.0)
                .minor(numbers.1)
                .file_mode(node.st_mode & 0o7777)
                .uid(node.st_uid)
                .gid(node.st_gid)
                .build()?,
        );
        Ok(())
    }
}

/// The files below a folder, as they are named in the container. What goes meanwhile is left out.
fn collect(dir: &Path, target: &Path, depth: u32, found: &mut Vec<(PathBuf, FileStat)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if dir == Path::new("/dev") && OWN.iter().any(|own| name == *own) {
            continue;
        }
        let kind = entry.file_type()?;
        let target = target.join(&name);
        if kind.is_dir() && depth < DEEPEST {
            collect(&entry.path(), &target, depth + 1, found)?;
        } else if !kind.is_symlink()
            && !kind.is_dir()
            && let Ok(node) = stat(&entry.path())
        {
            found.push((target, node));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn devices_are_looked_up_with_their_numbers_and_access() {
        let of = |text: &str| Devices::of_host(&[text.parse().unwrap()]);
        let devices = of("/dev/null:/dev/nothing:r").unwrap();
        let node = &devices.nodes[0];
        assert_eq!(
            (node.path().as_path(), node.major(), node.minor(), node.typ()),
            (Path::new("/dev/nothing"), 1, 3, LinuxDeviceType::C)
        );
        assert_eq!(devices.rules[0].access().as_deref(), Some("r"));
        assert!(of("/dev/no-such-device").unwrap_err().is(ErrorKind::NotFound));
        assert!(of("/etc/passwd").unwrap_err().is(ErrorKind::Invalid));
    }

    #[test]
    fn a_folder_stands_for_the_devices_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("below")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("link")).unwrap();
        let path = dir.path().join("below/node");
        let made = nix::sys::stat::mknod(
            &path,
            SFlag::S_IFCHR,
            nix::sys::stat::Mode::from_bits_truncate(0o600),
            nix::sys::stat::makedev(1, 3),
        );
        if made.is_err() {
            return;
        }
        let spec = DeviceSpec::new(dir.path().to_str().unwrap(), "/dev/all", "rw").unwrap();
        let devices = Devices::of_host(&[spec]).unwrap();
        let paths: Vec<_> = devices.nodes.iter().map(|node| node.path().clone()).collect();
        assert_eq!(paths, [PathBuf::from("/dev/all/below/node")]);
    }
}

//! The bundle of an engine, with what every runtime adds to it.

use super::arguments::Options;
use super::fields;
use crate::error::{Error, IoContext, Result};
use crate::runtime::bundle;
use oci_spec::runtime::{Linux, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, Spec};
use std::path::{Component, Path, PathBuf};

/// Parent of the control groups of containers whose bundle names none.
const DEFAULT_PARENT: &str = "shanty-oci";

/// A bundle that was read.
#[derive(Debug)]
pub struct Bundle {
    /// Its directory.
    pub dir: PathBuf,
    /// What to make of it.
    pub spec: Spec,
    /// Its root file system.
    pub rootfs: PathBuf,
    /// Its control group, below the root of each hierarchy.
    pub cgroup: PathBuf,
    /// What of it changes nothing.
    pub warnings: Vec<String>,
}

impl Bundle {
    /// Reads a bundle for a container.
    ///
    /// # Errors
    /// `unsupported` for what this runtime cannot do, `invalid` for what makes no sense.
    pub fn read(options: &Options, dir: &Path, id: &str) -> Result<Self> {
        if options.systemd_cgroup {
            return Err(Error::unsupported("`--systemd-cgroup`: this runtime makes control groups itself")
                .hint("choose the driver `cgroupfs` in the engine's configuration"));
        }
        Self::of(dir, id)
    }

    /// The same, whatever the options are. Nothing is changed by it.
    pub fn of(dir: &Path, id: &str) -> Result<Self> {
        let dir = dir.canonicalize().doing(|| format!("cannot find the bundle `{}`", dir.display()))?;
        let mut spec = bundle::read(&dir)?;
        let warnings = fields::check(&spec)?;
        let process = spec.process().as_ref().ok_or_else(|| Error::invalid("the bundle has no `process`"))?;
        if !process.cwd().is_absolute() {
            return Err(Error::invalid(format!("the working directory `{}` is not absolute", process.cwd().display()))
                .hint("begin `process.cwd` with `/`"));
        }
        let root = spec.root().as_ref().ok_or_else(|| Error::invalid("the bundle has no `root`"))?;
        let rootfs = dir.join(root.path());
        let rootfs = rootfs.canonicalize().doing(|| format!("cannot find the root `{}`", rootfs.display()))?;
        let mut linux = spec.linux().clone().unwrap_or_default();
        add_device_rules(&mut linux)?;
        let cgroup = cgroup(linux.cgroups_path().as_deref(), id)?;
        spec.set_linux(Some(linux));
        Ok(Self { dir, spec, rootfs, cgroup, warnings })
    }
}

/// What the specification says is always there must be usable as well, whatever the engine forbids: runc adds the same.
/// Without any rule everything else is forbidden.
fn add_device_rules(linux: &mut Linux) -> Result<()> {
    let mut resources = linux.resources().clone().unwrap_or_default();
    let mut rules = vec![rule(false, LinuxDeviceType::A, None, None, "rwm")?];
    rules.extend(resources.devices().clone().unwrap_or_default());
    for kind in [LinuxDeviceType::C, LinuxDeviceType::B] {
        rules.push(rule(true, kind, None, None, "m")?);
    }
    // null zero full random urandom tty ptmx; the terminals of devpts; tun.
    let numbers = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)].map(|(major, minor)| (major, Some(minor)));
    for (major, minor) in numbers.into_iter().chain([(136, None), (10, Some(200))]) {
        rules.push(rule(true, LinuxDeviceType::C, Some(major), minor, "rwm")?);
    }
    resources.set_devices(Some(rules));
    linux.set_resources(Some(resources));
    Ok(())
}

fn rule(
    allow: bool,
    kind: LinuxDeviceType,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> Result<LinuxDeviceCgroup> {
    let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
    if let Some(major) = major {
        rule = rule.major(major);
    }
    if let Some(minor) = minor {
        rule = rule.minor(minor);
    }
    rule.build().map_err(|error| Error::invalid(format!("cannot write a device rule: {error}")))
}

/// An absolute path counts from the root of each hierarchy; where a relative one begins is up to the runtime.
fn cgroup(path: Option<&Path>, id: &str) -> Result<PathBuf> {
    let path = path.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(id));
    if path.components().any(|component| component == Component::ParentDir) {
        return Err(Error::invalid(format!("the control group `{}` leads upwards", path.display()))
            .hint("leave `..` out of `linux.cgroupsPath`"));
    }
    match path.strip_prefix("/") {
        Ok(rest) if rest.as_os_str().is_empty() => {
            Err(Error::invalid("a container cannot be in the root control group").hint("name one: `/containers/x`"))
        }
        Ok(rest) => Ok(rest.to_owned()),
        Err(_) => Ok(Path::new(DEFAULT_PARENT).join(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_is_named_from_the_root_or_below_our_own() {
        for (path, expected) in [
            (Some("/docker/abc"), Some("docker/abc")),
            (Some("abc/d"), Some("shanty-oci/abc/d")),
            (None, Some("shanty-oci/id")),
            (Some(""), Some("shanty-oci/id")),
            (Some("/"), None),
            (Some("/a/../../b"), None),
        ] {
            let found = cgroup(path.map(Path::new), "id");
            assert_eq!(found.ok(), expected.map(PathBuf::from), "{path:?}");
        }
    }

    #[test]
    fn devices_are_denied_first_and_the_usual_ones_allowed_last() {
        let mut linux = Linux::default();
        add_device_rules(&mut linux).unwrap();
        let resources = linux.resources().clone().unwrap();
        let rules = resources.devices().clone().unwrap();
        assert!(!rules[0].allow() && rules[1..].iter().all(LinuxDeviceCgroup::allow));
        assert!(rules.iter().any(|rule| rule.major() == Some(136) && rule.minor().is_none()));
    }
}

//! The bundle of a container: `config.json` in its directory.

use crate::error::{Error, IoContext, Result};
use oci_spec::runtime::{LinuxMemory, LinuxResources, Spec};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Name of the OCI runtime specification in the container's directory.
pub const CONFIG_NAME: &str = "config.json";
/// Annotation with the user as text (`user:group`), to be looked up in the image's `/etc/passwd` when the
/// container starts: the specification knows numbers only.
pub const USER_ANNOTATION: &str = "dev.shanty.user";
/// Annotation with additional groups, separated by commas.
pub const GROUPS_ANNOTATION: &str = "dev.shanty.groups";
/// Annotation that asks for the built-in system call filter: `default`. Written out in `linux.seccomp`, its
/// 400 names would be read at each start.
pub const SECCOMP_ANNOTATION: &str = "dev.shanty.seccomp";
/// Annotation that asks for an init as the first process: it forwards signals and reaps.
pub const INIT_ANNOTATION: &str = "dev.shanty.init";

/// Larger ones are refused.
const LARGEST: u64 = 16 << 20;

/// Reads the specification.
pub fn read(container_dir: &Path) -> Result<Spec> {
    let path = container_dir.join(CONFIG_NAME);
    let doing = || format!("cannot read `{}`", path.display());
    let mut text = Vec::new();
    File::open(&path).doing(doing)?.take(LARGEST).read_to_end(&mut text).doing(doing)?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::corrupt(format!("`{}` is not an OCI runtime specification: {error}", path.display())))
}

/// Writes the specification.
pub fn write(container_dir: &Path, spec: &Spec) -> Result<()> {
    let path = container_dir.join(CONFIG_NAME);
    let text = serde_json::to_vec(spec)
        .map_err(|error| Error::invalid(format!("cannot write `{}`: {error}", path.display())))?;
    std::fs::write(&path, text).doing(|| format!("cannot write `{}`", path.display()))
}

/// Replaces the limits that are given, for the next process that is made from the bundle.
pub fn set_limits(container_dir: &Path, limits: &LinuxResources) -> Result<()> {
    let mut spec = read(container_dir)?;
    let mut linux = spec.linux().clone().unwrap_or_default();
    let mut resources = linux.resources().clone().unwrap_or_default();
    if let Some(new) = limits.memory() {
        let mut memory = *resources.memory().as_ref().unwrap_or(&LinuxMemory::default());
        if new.limit().is_some() || new.swap().is_some() {
            memory.set_limit(new.limit());
            memory.set_swap(new.swap());
        }
        memory.set_reservation(new.reservation().or(memory.reservation()));
        resources.set_memory(Some(memory));
    }
    if let Some(new) = limits.cpu() {
        let mut cpu = resources.cpu().clone().unwrap_or_default();
        cpu.set_shares(new.shares().or(cpu.shares()));
        cpu.set_quota(new.quota().or(cpu.quota()));
        cpu.set_period(new.period().or(cpu.period()));
        cpu.set_cpus(new.cpus().clone().or_else(|| cpu.cpus().clone()));
        resources.set_cpu(Some(cpu));
    }
    if limits.pids().is_some() {
        resources.set_pids(*limits.pids());
    }
    if limits.block_io().is_some() {
        resources.set_block_io(limits.block_io().clone());
    }
    linux.set_resources(Some(resources));
    spec.set_linux(Some(linux));
    write(container_dir, &spec)
}

/// An annotation of the specification.
pub fn annotation<'a>(spec: &'a Spec, name: &str) -> Option<&'a str> {
    spec.annotations().as_ref()?.get(name).map(String::as_str)
}

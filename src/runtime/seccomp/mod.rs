//! The system call filter of a container: Docker's default profile, compiled by ourselves.

mod call;
mod compile;
mod profile;
mod syscalls;

use super::bundle::{self, SECCOMP_ANNOTATION};
use crate::error::{Error, Result};
use crate::sys::capability::CapSet;
use crate::sys::seccomp::Instruction;
use oci_spec::runtime::Spec;
use profile::{Arch, default_ranges};

/// The filter that a bundle asks for, for a program with these capabilities; `None`: unconfined.
pub fn of(spec: &Spec, capabilities: CapSet) -> Result<Option<Vec<Instruction>>> {
    let own = spec.linux().as_ref().is_some_and(|linux| linux.seccomp().is_some());
    match bundle::annotation(spec, SECCOMP_ANNOTATION) {
        _ if own => Err(Error::unsupported("profiles of system calls other than the default one cannot be loaded yet")
            .hint("leave `seccomp` out, or set it to `unconfined`")),
        None => Ok(None),
        Some("default") => Ok(Some(docker_default(capabilities))),
        Some(other) => Err(Error::invalid(format!("there is no system call filter `{other}`"))),
    }
}

/// Docker's default filter for the programs that this machine runs.
pub fn docker_default(capabilities: CapSet) -> Vec<Instruction> {
    let architectures: &[Arch] =
        if cfg!(target_arch = "x86_64") { &[Arch::X86_64, Arch::X86, Arch::X32] } else { &[Arch::Aarch64] };
    let ranges: Vec<_> = architectures.iter().map(|arch| (*arch, default_ranges(*arch, capabilities))).collect();
    compile::compile(&ranges)
}

//! The system call filter of a container: Docker's default profile, or the bundle's own, compiled by ourselves.

mod call;
mod compile;
mod oci;
pub mod owners;
mod profile;
mod syscalls;
mod written;

use super::bundle::{self, SECCOMP_ANNOTATION};
use crate::error::{Error, IoContext, Result};
use crate::sys::capability::CapSet;
use crate::sys::fd_passing;
use crate::sys::seccomp::{FilterFlags, Instruction, load_asking, load_with};
use nix::sys::socket::MsgFlags;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag, Spec};
use profile::{Arch, default_ranges};
use std::os::fd::{AsFd, RawFd};
pub use written::docker_default as written_default;

/// The architecture of this program.
const NATIVE: Arch = if cfg!(target_arch = "x86_64") { Arch::X86_64 } else { Arch::Aarch64 };
/// Longest filter that the kernel takes (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;

/// A filter that is ready to be loaded.
#[derive(Clone, Debug)]
pub struct Filter {
    program: Vec<Instruction>,
    flags: FilterFlags,
}

impl Filter {
    /// Filters all later system calls of this process. Needs `no_new_privs` or `CAP_SYS_ADMIN`.
    pub fn load(&self) -> Result<()> {
        load_with(&self.program, self.flags).doing(|| "cannot load the system call filter")
    }

    /// Whether a process that has loaded it can still make another one, which then becomes a program.
    pub fn lets_start(&self) -> bool {
        let makes = (libc::CLONE_PARENT | libc::SIGCHLD) as u64;
        let calls = [
            ("clone", makes),
            ("setsid", 0),
            ("prctl", 1),
            ("write", 3),
            ("ioctl", 0),
            ("execve", 0),
            ("exit_group", 0),
        ];
        calls.into_iter().all(|(name, argument)| {
            let call = syscalls::SYSCALLS.iter().find(|call| call.name == name);
            let number = call.map_or(u32::MAX, |call| u32::from(call.numbers[NATIVE as usize]));
            let arguments = [argument, 0, 0, 0, 0, 0];
            compile::interpreter::run(&self.program, NATIVE.audit(), number, arguments).0 == compile::ALLOW
        })
    }
}

/// Has changes of owners by this process and its children wait for an answer, and sends what they are answered at over a socket.
/// Nothing is changed where that cannot be: on this kernel, or in a container whose programs somebody listens to already. Needs what
/// [`Filter::load`] needs.
pub fn listen_to_owners(socket: RawFd) -> Result<()> {
    let Ok(listener) = load_asking(&owners::filter()) else { return Ok(()) };
    fd_passing::send(socket, b"l", &[listener.as_fd()], MsgFlags::empty())
        .map(drop)
        .doing(|| "cannot send a descriptor to the monitor")
}

/// The filter that a bundle asks for, for a program with these capabilities; `None`: unconfined.
pub fn of(spec: &Spec, capabilities: CapSet) -> Result<Option<Filter>> {
    if let Some(profile) = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref()) {
        return own(profile).map(Some);
    }
    match bundle::annotation(spec, SECCOMP_ANNOTATION) {
        None => Ok(None),
        Some("default") => Ok(Some(Filter { program: docker_default(capabilities), flags: FilterFlags::empty() })),
        Some(other) => Err(Error::invalid(format!("there is no system call filter `{other}`"))),
    }
}

fn own(profile: &LinuxSeccomp) -> Result<Filter> {
    let program = compile::compile(&oci::ranges(profile)?);
    if program.len() > LONGEST {
        return Err(Error::invalid(format!(
            "the system call filter has {} instructions, and the kernel takes {LONGEST}",
            program.len()
        ))
        .hint("give it fewer conditions on arguments"));
    }
    let mut flags = FilterFlags::empty();
    for flag in profile.flags().iter().flatten() {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => FilterFlags::LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => FilterFlags::SPEC_ALLOW,
            // There is one thread, and no listener to wait for.
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync
            | LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => FilterFlags::empty(),
        };
    }
    Ok(Filter { program, flags })
}

/// Docker's default filter for the programs that this machine runs.
pub fn docker_default(capabilities: CapSet) -> Vec<Instruction> {
    let architectures: &[Arch] =
        if cfg!(target_arch = "x86_64") { &[Arch::X86_64, Arch::X86, Arch::X32] } else { &[Arch::Aarch64] };
    let ranges: Vec<_> = architectures.iter().map(|arch| (*arch, default_ranges(*arch, capabilities))).collect();
    compile::compile(&ranges)
}

#[cfg(test)]
mod tests;

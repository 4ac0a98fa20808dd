//! A profile in Docker's format as the specification has it: rules about other machines and containers are left out.

use crate::model::{Circumstances, KernelVersion, SeccompProfile, SyscallRule};
use crate::runtime::capability;
use crate::sys::capability::CapSet;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder, LinuxSyscall, LinuxSyscallBuilder,
};

/// Where a container is made.
pub struct Here {
    /// Its bounding set.
    pub capabilities: CapSet,
    /// The machine's kernel.
    pub kernel: KernelVersion,
}

/// The machine's architecture, in Go's words and libseccomp's.
const ARCHITECTURE: (&str, &str) =
    if cfg!(target_arch = "x86_64") { ("amd64", "SCMP_ARCH_X86_64") } else { ("arm64", "SCMP_ARCH_AARCH64") };

impl Here {
    /// On this machine.
    pub fn new(capabilities: CapSet) -> Self {
        let release = nix::sys::utsname::uname().ok().and_then(|names| names.release().to_str().map(str::to_owned));
        // Every kernel that we run on is newer than what profiles ask for.
        let kernel = release.and_then(|text| text.try_into().ok()).unwrap_or(KernelVersion(5, 14));
        Self { capabilities, kernel }
    }

    /// Docker's rule: of each kind that is listed, one architecture must be this one, and all capabilities there.
    fn includes(&self, what: &Circumstances) -> bool {
        (what.arches.is_empty() || what.arches.iter().any(|arch| arch == ARCHITECTURE.0))
            && what.caps.iter().all(|name| self.has(name))
            && what.min_kernel.is_none_or(|kernel| self.kernel >= kernel)
    }

    fn excludes(&self, what: &Circumstances) -> bool {
        what.arches.iter().any(|arch| arch == ARCHITECTURE.0)
            || what.caps.iter().any(|name| self.has(name))
            || what.min_kernel.is_some_and(|kernel| self.kernel >= kernel)
    }

    fn has(&self, name: &str) -> bool {
        capability::bit(name).is_some_and(|bit| self.capabilities & bit != 0)
    }
}

/// What of a profile holds here.
pub fn resolve(profile: &SeccompProfile, here: &Here) -> Result<LinuxSeccomp, OciSpecError> {
    let mapped = profile.arch_map.iter().find(|entry| entry.architecture == ARCHITECTURE.1);
    let mapped =
        mapped.into_iter().flat_map(|entry| std::iter::once(&entry.architecture).chain(&entry.sub_architectures));
    // Names of architectures that are new to us are not this machine's.
    let architectures: Vec<Arch> = profile.architectures.iter().chain(mapped).filter_map(|name| known(name)).collect();
    let holds = |rule: &&SyscallRule| here.includes(&rule.includes) && !here.excludes(&rule.excludes);
    let syscalls = profile.syscalls.iter().filter(holds).map(syscall).collect::<Result<Vec<_>, _>>()?;
    let mut seccomp = LinuxSeccompBuilder::default()
        .default_action(profile.default_action)
        .architectures(architectures)
        .flags(profile.flags.clone())
        .syscalls(syscalls)
        .build()?;
    seccomp.set_default_errno_ret(profile.default_errno_ret);
    Ok(seccomp)
}

fn known(name: &str) -> Option<Arch> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn syscall(rule: &SyscallRule) -> Result<LinuxSyscall, OciSpecError> {
    let args = rule
        .args
        .iter()
        .map(|argument| {
            LinuxSeccompArgBuilder::default()
                .index(argument.index)
                .value(argument.value)
                .value_two(argument.value_two)
                .op(argument.op)
                .build()
        })
        .collect::<Result<Vec<LinuxSeccompArg>, _>>()?;
    let names: Vec<String> = rule.name.iter().chain(&rule.names).cloned().collect();
    let mut syscall = LinuxSyscallBuilder::default().names(names).action(rule.action).args(args).build()?;
    syscall.set_errno_ret(rule.errno_ret);
    Ok(syscall)
}

//! Docker's default profile written out, for runtimes that know it only from a bundle.

use super::profile::Rule;
use super::syscalls::SYSCALLS;
use crate::sys::capability::CapSet;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

const SYS_ADMIN: CapSet = 1 << 21;

/// The profile as `linux.seccomp`, for a container with these capabilities.
pub fn docker_default(capabilities: CapSet) -> Result<LinuxSeccomp, OciSpecError> {
    let named = |wanted: &dyn Fn(Rule) -> bool| -> Vec<String> {
        SYSCALLS.iter().filter(|call| wanted(call.rule)).map(|call| call.name.to_owned()).collect()
    };
    let admin = capabilities & SYS_ADMIN != 0;
    let always = named(&|rule| match rule {
        Rule::Allow => true,
        Rule::With(any) => capabilities & any != 0,
        Rule::Clone | Rule::Clone3 => admin,
        _ => false,
    });
    let mut calls = vec![allowed(always, None)?];
    let mut when = |rule: Rule, condition: LinuxSeccompArg| -> Result<(), OciSpecError> {
        calls.push(allowed(named(&|other| other == rule), Some(condition))?);
        Ok(())
    };
    // All address families but 38 and 40: one rule a side, because conditions on one argument cannot be joined.
    when(Rule::Socket, argument(LinuxSeccompOperator::ScmpCmpLt, 38, None)?)?;
    when(Rule::Socket, argument(LinuxSeccompOperator::ScmpCmpEq, 39, None)?)?;
    when(Rule::Socket, argument(LinuxSeccompOperator::ScmpCmpGt, 40, None)?)?;
    for personality in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        when(Rule::Personality, argument(LinuxSeccompOperator::ScmpCmpEq, personality, None)?)?;
    }
    if !admin {
        when(Rule::Clone, argument(LinuxSeccompOperator::ScmpCmpMaskedEq, 0x7e02_0000, Some(0))?)?;
        calls.push(
            LinuxSyscallBuilder::default()
                .names(named(&|rule| rule == Rule::Clone3))
                .action(LinuxSeccompAction::ScmpActErrno)
                .errno_ret(libc::ENOSYS as u32)
                .build()?,
        );
    }
    let architectures = if cfg!(target_arch = "x86_64") {
        vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32]
    } else {
        vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm]
    };
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(libc::EPERM as u32)
        .architectures(architectures)
        .syscalls(calls)
        .build()
}

fn allowed(names: Vec<String>, condition: Option<LinuxSeccompArg>) -> Result<LinuxSyscall, OciSpecError> {
    let call = LinuxSyscallBuilder::default().names(names).action(LinuxSeccompAction::ScmpActAllow);
    match condition {
        Some(condition) => call.args(vec![condition]).build(),
        None => call.build(),
    }
}

/// A condition on the first argument; for the masked comparison `value` is the mask.
fn argument(op: LinuxSeccompOperator, value: u64, second: Option<u64>) -> Result<LinuxSeccompArg, OciSpecError> {
    let argument = LinuxSeccompArgBuilder::default().index(0usize).value(value).op(op);
    match second {
        Some(second) => argument.value_two(second).build(),
        None => argument.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_may_is_in_the_list_and_the_rest_is_not() {
        let names = |capabilities: CapSet| -> Vec<String> {
            let profile = docker_default(capabilities).unwrap();
            profile.syscalls().as_ref().unwrap()[0].names().clone()
        };
        let (plain, admin) = (names(0), names(SYS_ADMIN));
        let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
        assert!(has(&plain, "openat") && !has(&plain, "mount") && !has(&plain, "clone3"));
        assert!(has(&admin, "mount") && has(&admin, "clone3") && !has(&admin, "kexec_load"));
    }
}

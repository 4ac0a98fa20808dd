//! The filter that a bundle spells out (`linux.seccomp` of the OCI runtime specification), with the meaning that
//! libseccomp and runc give it.

use super::NATIVE;
use super::call::{NONE, Syscall};
use super::compile::{Action, Condition, Ranges, Test, Verdict, errno};
use super::profile::Arch;
use super::syscalls::SYSCALLS;
use crate::error::{Error, Result};
use oci_spec::runtime::{
    Arch as SpecArch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};
use std::collections::BTreeMap;

const EPERM: u32 = libc::EPERM as u32;

/// What the profile says about every number, for each architecture that it names and this machine runs.
///
/// Fails with `unsupported` for what needs another process (`SCMP_ACT_NOTIFY`).
pub fn ranges(profile: &LinuxSeccomp) -> Result<Vec<(Arch, Ranges)>> {
    let default = action(profile.default_action(), profile.default_errno_ret())?;
    let rules = rules(profile, default)?;
    Ok(architectures(profile).into_iter().map(|arch| (arch, ranges_of(arch, &rules, default, profile))).collect())
}

/// By name of a call: what is said about it, in order.
type Rules<'a> = BTreeMap<&'a str, Vec<(Vec<Condition>, Action)>>;

fn rules(profile: &LinuxSeccomp, default: Action) -> Result<Rules<'_>> {
    let mut rules = Rules::new();
    for rule in profile.syscalls().iter().flatten() {
        let action = action(rule.action(), rule.errno_ret())?;
        // As runc does: what happens anyway needs no rule.
        if action == default {
            // A name with nothing but the default is still known, and so not newer than the profile.
            for name in rule.names() {
                rules.entry(name.as_str()).or_default();
            }
            continue;
        }
        let alternatives = alternatives(rule)?;
        for name in rule.names() {
            let known = rules.entry(name.as_str()).or_default();
            known.extend(alternatives.iter().map(|conditions| (conditions.clone(), action)));
        }
    }
    Ok(rules)
}

/// All conditions of a rule must hold, but as runc does: several about one argument are alternatives.
fn alternatives(rule: &LinuxSyscall) -> Result<Vec<Vec<Condition>>> {
    let arguments = rule.args().as_deref().unwrap_or_default();
    let conditions = arguments.iter().map(|it| condition(rule, it)).collect::<Result<Vec<_>>>()?;
    let repeated = (0..6).any(|index| conditions.iter().filter(|it| it.argument == index).count() > 1);
    Ok(if repeated { conditions.into_iter().map(|it| vec![it]).collect() } else { vec![conditions] })
}

fn condition(rule: &LinuxSyscall, argument: &LinuxSeccompArg) -> Result<Condition> {
    let index = u8::try_from(argument.index()).ok().filter(|index| *index < 6).ok_or_else(|| {
        let name = rule.names().first().map_or("?", String::as_str);
        Error::invalid(format!("the system call filter asks for argument {} of `{name}`", argument.index()))
            .hint("system calls have the arguments 0 to 5")
    })?;
    let value = argument.value();
    let test = match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => Test::NotEqual(value),
        LinuxSeccompOperator::ScmpCmpLt => Test::Less(value),
        LinuxSeccompOperator::ScmpCmpLe => Test::LessOrEqual(value),
        LinuxSeccompOperator::ScmpCmpEq => Test::Equal(value),
        LinuxSeccompOperator::ScmpCmpGe => Test::GreaterOrEqual(value),
        LinuxSeccompOperator::ScmpCmpGt => Test::Greater(value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => Test::MaskedEqual(value, argument.value_two().unwrap_or(0) & value),
    };
    Ok(Condition { argument: index, test })
}

fn action(action: LinuxSeccompAction, number: Option<u32>) -> Result<Action> {
    match action {
        LinuxSeccompAction::ScmpActNotify => {
            Err(Error::unsupported("the system call filter asks another process (`SCMP_ACT_NOTIFY`)")
                .hint("use `SCMP_ACT_ERRNO` instead"))
        }
        // The lower sixteen bits are the number.
        action => Ok(action.as_u32(Some(number.unwrap_or(EPERM) & 0xffff))),
    }
}

/// Those that this machine runs; without any its own.
fn architectures(profile: &LinuxSeccomp) -> Vec<Arch> {
    let here: &[(Arch, SpecArch)] = if cfg!(target_arch = "x86_64") {
        &[
            (Arch::X86_64, SpecArch::ScmpArchX86_64),
            (Arch::X86, SpecArch::ScmpArchX86),
            (Arch::X32, SpecArch::ScmpArchX32),
        ]
    } else {
        &[(Arch::Aarch64, SpecArch::ScmpArchAarch64)]
    };
    let named = profile.architectures().as_deref().unwrap_or_default();
    here.iter()
        // libseccomp begins with the machine's own architecture, whatever is added.
        .filter(|(arch, spec)| *arch == NATIVE || named.contains(spec))
        .map(|(arch, _)| *arch)
        .collect()
}

fn ranges_of(arch: Arch, rules: &Rules<'_>, default: Action, profile: &LinuxSeccomp) -> Ranges {
    let number = |call: &Syscall| call.numbers[arch as usize];
    let mut calls: Vec<&Syscall> = SYSCALLS.iter().filter(|call| number(call) != NONE).collect();
    calls.sort_unstable_by_key(|call| number(call));
    let mut ranges = Ranges::new(Verdict::always(default));
    let mut last = None;
    for call in calls {
        let Some(rules) = rules.get(call.name) else { continue };
        ranges.set(u32::from(number(call)), verdict(rules, default));
        last = Some(u32::from(number(call)));
    }
    // As runc does: what is newer than the profile does not exist. Programs try new calls and fall back on ENOSYS,
    // but take EPERM for an answer.
    let lets = matches!(
        profile.default_action(),
        LinuxSeccompAction::ScmpActAllow | LinuxSeccompAction::ScmpActLog | LinuxSeccompAction::ScmpActTrace
    );
    match last {
        Some(last) if !lets => ranges.set_from(last + 1, Verdict::always(errno(libc::ENOSYS as u16))),
        last => ranges.set_from(last.map_or(0, |last| last + 1), Verdict::always(default)),
    }
    ranges
}

/// One without conditions covers those with (as libseccomp has it), else they count in order.
fn verdict(rules: &[(Vec<Condition>, Action)], default: Action) -> Verdict {
    match rules.iter().find(|(conditions, _)| conditions.is_empty()) {
        Some((_, action)) => Verdict::always(*action),
        None => Verdict { rules: rules.to_vec(), otherwise: default },
    }
}

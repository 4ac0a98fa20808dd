//! Docker's default profile: which calls a container with certain capabilities may make.

use super::call::{NONE, Syscall};
use super::compile::{ALLOW, Condition, Ranges, Test, Verdict, X32_BIT, errno};
use super::syscalls::SYSCALLS;
use crate::sys::capability::CapSet;

/// What the default profile says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anybody may.
    Allow,
    /// Nobody may.
    Deny,
    /// Who has one of these capabilities may.
    With(CapSet),
    /// All address families but AF_ALG and AF_VSOCK: the host's crypto engine and hypervisor.
    Socket,
    /// The personalities that programs set for themselves.
    Personality,
    /// New processes and threads, but new namespaces with SYS_ADMIN only.
    Clone,
    /// With SYS_ADMIN; else ENOSYS, so that the C library falls back to `clone`: a filter cannot read the
    /// flags of clone3, which are in memory.
    Clone3,
}

/// The ways that a system call comes in. The order is that of [`Syscall::numbers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit programs on it.
    X86,
    /// Its rarely enabled 32-bit-pointer form.
    X32,
    /// 64-bit ARM.
    Aarch64,
}

impl Arch {
    /// `AUDIT_ARCH_*`, by which the kernel names it to a filter.
    pub fn audit(self) -> u32 {
        match self {
            // x32 comes in as x86-64, with a bit in the number.
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    /// The way that a call of this number has come in.
    pub fn of(audit: u32, number: u32) -> Option<Self> {
        let arch = [Self::X86_64, Self::X86, Self::Aarch64].into_iter().find(|arch| arch.audit() == audit)?;
        Some(if arch == Self::X86_64 && number >= X32_BIT { Self::X32 } else { arch })
    }
}

/// `CLONE_NEW*` but `CLONE_NEWTIME`, which no flag of clone is: namespaces, for which SYS_ADMIN is needed.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;
const SYS_ADMIN: CapSet = 1 << 21;
const EPERM: u16 = libc::EPERM as u16;
const ENOSYS: u16 = libc::ENOSYS as u16;

/// What the profile says about every number of an architecture, for a container with these capabilities.
pub fn default_ranges(arch: Arch, capabilities: CapSet) -> Ranges {
    let number = |call: &Syscall| call.numbers[arch as usize];
    let mut calls: Vec<&Syscall> = SYSCALLS.iter().filter(|call| number(call) != NONE).collect();
    calls.sort_unstable_by_key(|call| number(call));
    let mut ranges = Ranges::new(Verdict::always(errno(EPERM)));
    let mut last = 0;
    for call in calls {
        let number = u32::from(number(call));
        ranges.set(number, verdict(call.rule, capabilities));
        if call.rule != Rule::Deny {
            last = number;
        }
    }
    // What is newer than the profile does not exist: programs try new calls and fall back on ENOSYS, but
    // take EPERM for an answer.
    ranges.set_from(last + 1, Verdict::always(errno(ENOSYS)));
    ranges
}

fn verdict(rule: Rule, capabilities: CapSet) -> Verdict {
    let (allow, deny) = (Verdict::always(ALLOW), Verdict::always(errno(EPERM)));
    // The arguments are ints: the kernel does not look at their upper halves, so the filter must not either.
    let when = |test| Condition { argument: 0, test };
    match rule {
        Rule::Allow => allow,
        Rule::With(any) if capabilities & any != 0 => allow,
        Rule::Deny | Rule::With(_) => deny,
        Rule::Socket => Verdict::when_any([38, 40].map(|it| when(Test::LowEqual(it))), errno(EPERM), ALLOW),
        Rule::Personality => {
            let allowed = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];
            Verdict::when_any(allowed.map(|it| when(Test::LowEqual(it))), ALLOW, errno(EPERM))
        }
        Rule::Clone | Rule::Clone3 if capabilities & SYS_ADMIN != 0 => allow,
        Rule::Clone => Verdict::when_any([when(Test::LowAnyBit(NAMESPACE_FLAGS))], errno(EPERM), ALLOW),
        Rule::Clone3 => Verdict::always(errno(ENOSYS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_sorted_and_no_number_is_given_twice() {
        assert!(SYSCALLS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for arch in 0..4 {
            // The one pair of names for one call, on arm64.
            let mut numbers: Vec<_> = SYSCALLS
                .iter()
                .filter(|call| !(arch == 3 && call.name == "sync_file_range2"))
                .map(|call| call.numbers[arch])
                .filter(|number| *number != NONE)
                .collect();
            numbers.sort_unstable();
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{arch}");
        }
    }

    #[test]
    fn this_architectures_numbers_are_the_c_librarys() {
        let column = if cfg!(target_arch = "x86_64") { Arch::X86_64 } else { Arch::Aarch64 };
        for (name, number) in [
            ("read", libc::SYS_read),
            ("openat", libc::SYS_openat),
            ("clone3", libc::SYS_clone3),
            ("unshare", libc::SYS_unshare),
            ("bpf", libc::SYS_bpf),
            ("newfstatat", libc::SYS_newfstatat),
            ("landlock_create_ruleset", 444),
        ] {
            let call = SYSCALLS.iter().find(|call| call.name == name).unwrap();
            assert_eq!(i64::from(call.numbers[column as usize]), number, "{name}");
        }
    }
}

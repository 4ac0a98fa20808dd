//! The filter that asks about changes of owners, and what such a call is.

use super::compile::{self, ALLOW, Ranges, Verdict};
use super::profile::Arch;
use super::syscalls::SYSCALLS;
use crate::sys::seccomp::Instruction;
use crate::sys::seccomp_notify::Call;
use std::os::fd::RawFd;

/// `SECCOMP_RET_USER_NOTIF`.
const ASK: compile::Action = 0x7fc0_0000;
/// Calls that are asked about: their arguments.
const CALLS: [(&str, Form); 7] = [
    ("chown", Form::Path { follow: true }),
    ("lchown", Form::Path { follow: false }),
    ("fchown", Form::Open),
    ("chown32", Form::Path { follow: true }),
    ("lchown32", Form::Path { follow: false }),
    ("fchown32", Form::Open),
    ("fchownat", Form::At),
];
/// Those whose ids have 16 bits on 32-bit x86.
const SHORT: [&str; 3] = ["chown", "lchown", "fchown"];

#[derive(Clone, Copy)]
enum Form {
    Path { follow: bool },
    Open,
    At,
}

/// A change of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of what.
    pub file: Named,
    /// The new user; `None`: as it is.
    pub uid: Option<u32>,
    /// The new group; `None`: as it is.
    pub gid: Option<u32>,
}

/// How the caller names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It has it open.
    Open(RawFd),
    /// By a path in its memory, from an open folder or its working directory.
    Path {
        /// The folder; `None`: the working directory.
        folder: Option<RawFd>,
        /// Where the path is.
        address: u64,
        /// Whether a link at its end is followed.
        follow: bool,
        /// Whether an empty path is the folder itself.
        may_be_empty: bool,
    },
    /// With flags that there are not.
    Wrongly,
}

/// The filter: everything else is allowed.
pub fn filter() -> Vec<Instruction> {
    let architectures: &[Arch] =
        if cfg!(target_arch = "x86_64") { &[Arch::X86_64, Arch::X86, Arch::X32] } else { &[Arch::Aarch64] };
    let ranges = |arch: Arch| {
        let mut ranges = Ranges::new(Verdict::always(ALLOW));
        let mut numbers: Vec<_> = CALLS.iter().filter_map(|(name, _)| number(name, arch)).collect();
        numbers.sort_unstable();
        for number in &numbers {
            ranges.set(*number, Verdict::always(ASK));
        }
        ranges.set_from(numbers.last().map_or(0, |last| last + 1), Verdict::always(ALLOW));
        ranges
    };
    let mut program = compile::compile(&architectures.iter().map(|arch| (*arch, ranges(*arch))).collect::<Vec<_>>());
    // The way of other architectures: the filter of the container decides about them.
    if let Some(last) = program.last_mut() {
        last.k = ALLOW;
    }
    program
}

fn number(name: &str, arch: Arch) -> Option<u32> {
    let call = SYSCALLS.iter().find(|call| call.name == name)?;
    Some(call.numbers[arch as usize]).filter(|number| *number != super::call::NONE).map(u32::from)
}

/// What a call that was asked about is to change.
pub fn change(call: &Call) -> Option<Change> {
    let arch = Arch::of(call.arch, call.number)?;
    let wanted = if arch == Arch::X32 { call.number - compile::X32_BIT } else { call.number };
    let (name, form) = CALLS.iter().find(|(name, _)| number(name, arch) == Some(wanted))?;
    let is_short = arch == Arch::X86 && SHORT.contains(name);
    let argument = |index: usize| call.arguments[index];
    let fd = |index: usize| (argument(index) as u32).cast_signed();
    let id = |index: usize| {
        let id = argument(index) as u32;
        let (id, none) = if is_short { (id & 0xffff, 0xffff) } else { (id, u32::MAX) };
        (id != none).then_some(id)
    };
    let path = |folder, address, follow, may_be_empty| Named::Path { folder, address, follow, may_be_empty };
    Some(match *form {
        Form::Path { follow } => Change { file: path(None, argument(0), follow, false), uid: id(1), gid: id(2) },
        Form::Open => Change { file: Named::Open(fd(0)), uid: id(1), gid: id(2) },
        Form::At => {
            let flags = fd(4);
            let is_known = flags & !(libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) == 0;
            let folder = Some(fd(0)).filter(|folder| *folder != libc::AT_FDCWD);
            let (follow, may_be_empty) = (flags & libc::AT_SYMLINK_NOFOLLOW == 0, flags & libc::AT_EMPTY_PATH != 0);
            let file = if is_known { path(folder, argument(1), follow, may_be_empty) } else { Named::Wrongly };
            Change { file, uid: id(2), gid: id(3) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::seccomp::NATIVE;

    fn call(name: &str, arch: Arch, arguments: [u64; 6]) -> Call {
        let number = number(name, arch).unwrap() + if arch == Arch::X32 { compile::X32_BIT } else { 0 };
        Call { id: 1, pid: 1, arch: arch.audit(), number, arguments }
    }

    #[test]
    fn changes_of_owners_are_asked_about_and_nothing_else() {
        let program = filter();
        let asks = |name: &str| {
            let number = number(name, NATIVE).unwrap();
            compile::interpreter::run(&program, NATIVE.audit(), number, [0; 6]).0 == ASK
        };
        assert!(asks("fchownat") && asks("fchown"));
        assert!(!asks("fchmodat") && !asks("openat") && !asks("read") && !asks("clone3"));
        // Programs of another architecture are not killed by this one.
        assert_eq!(compile::interpreter::run(&program, 0x4000_0028, 1, [0; 6]).0, ALLOW);
    }

    #[test]
    fn arguments_are_those_of_each_architecture() {
        let nobody = u64::from(u32::MAX);
        let at = (libc::AT_FDCWD as u32).into();
        let found = change(&call("fchownat", NATIVE, [at, 4096, 1000, nobody, libc::AT_SYMLINK_NOFOLLOW as u64, 0]));
        let file = Named::Path { folder: None, address: 4096, follow: false, may_be_empty: false };
        assert_eq!(found, Some(Change { file, uid: Some(1000), gid: None }));
        let found = change(&call("fchownat", NATIVE, [3, 0, 1, 2, 1, 0]));
        assert_eq!(found.unwrap().file, Named::Wrongly);
        if NATIVE == Arch::X86_64 {
            let found = change(&call("chown", Arch::X86, [4096, 0xffff, 0x1_0021, 0, 0, 0]));
            let file = Named::Path { folder: None, address: 4096, follow: true, may_be_empty: false };
            assert_eq!(found, Some(Change { file, uid: None, gid: Some(0x21) }));
            let found = change(&call("fchown32", Arch::X86, [7, 70_000, nobody, 0, 0, 0]));
            assert_eq!(found, Some(Change { file: Named::Open(7), uid: Some(70_000), gid: None }));
            assert_eq!(change(&call("lchown", Arch::X32, [4096, 1, 2, 0, 0, 0])).unwrap().gid, Some(2));
        }
    }
}

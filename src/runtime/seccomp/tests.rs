//! The built-in profile against Moby's table, and profiles of others against what libseccomp makes of them.

use super::call::NONE;
use super::compile::{Ranges, compile, interpreter::run};
use super::profile::{Arch, default_ranges};
use super::syscalls::SYSCALLS;
use super::{docker_default, oci, own};
use crate::model::{KernelVersion, SeccompProfile};
use crate::runtime::capability;
use crate::runtime::spec::seccomp::{Here, resolve};
use crate::sys::seccomp::Instruction;
use oci_spec::runtime::LinuxSeccomp;

/// Of moby/profiles (Apache-2.0), `seccomp/default.json`, without the architectures that we do not run on.
const MOBY: &str = include_str!("moby.json");
const DEFAULT_CAPS: u64 = 0xa804_25fb;
const ARCHES: [(Arch, u32, u32); 3] =
    [(Arch::X86_64, 0xc000_003e, 0), (Arch::X86, 0x4000_0003, 0), (Arch::X32, 0xc000_003e, 0x4000_0000)];
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

fn resolved(text: &str, capabilities: u64) -> LinuxSeccomp {
    let profile = SeccompProfile::parse("test", text).unwrap();
    resolve(&profile, &Here { capabilities, kernel: KernelVersion(6, 1) }).unwrap()
}

fn compiled(text: &str, capabilities: u64) -> Vec<Instruction> {
    own(&resolved(text, capabilities)).unwrap().program
}

fn number(name: &str) -> u32 {
    u32::from(SYSCALLS.iter().find(|call| call.name == name).unwrap().numbers[0])
}

/// What x86-64 gets for a call with these arguments.
fn answer(program: &[Instruction], name: &str, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    run(program, 0xc000_003e, number(name), all).0
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_built_in_profile_is_mobys_for_every_call_and_capability() {
    let arguments: [u64; 14] =
        [0, 1, 2, 8, 16, 38, 39, 40, 0x2_0000, 0x2_0008, 0x1000_0000, 0x4000_0000, 0x7e02_0000, 0xffff_ffff];
    let sets = (0..41).map(|number| DEFAULT_CAPS ^ 1 << number).chain([DEFAULT_CAPS, 0, capability::ALL]);
    for capabilities in sets {
        let (mobys, ours) = (compiled(MOBY, capabilities), docker_default(capabilities));
        for (column, (arch, audit, bit)) in ARCHES.into_iter().enumerate() {
            for call in SYSCALLS.iter().filter(|call| call.numbers[column] != NONE) {
                let number = u32::from(call.numbers[column]) | bit;
                for argument in arguments {
                    let run = |program| run(program, audit, number, [argument, 0, 0, 0, 0, 0]).0;
                    let (expected, got) = (run(&mobys), run(&ours));
                    // Beyond the last call that this container may make Docker answers ENOSYS, we beyond the last that
                    // any container may.
                    let beyond = expected == ERRNO + 38 && got == ERRNO + 1;
                    assert!(
                        got == expected || beyond,
                        "{} of {arch:?} with {argument:#x} and {capabilities:#x}: {got:#x}, not {expected:#x}",
                        call.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_known_to_break_out_is_refused_by_default() {
    let program = docker_default(DEFAULT_CAPS);
    for (name, arguments, expected) in [
        ("clone3", &[][..], ERRNO + 38),
        ("unshare", &[0x1000_0000], ERRNO + 1),
        ("mount", &[], ERRNO + 1),
        ("bpf", &[], ERRNO + 1),
        ("keyctl", &[], ERRNO + 1),
        ("userfaultfd", &[], ERRNO + 1),
        ("io_uring_setup", &[], ERRNO + 1),
        ("perf_event_open", &[], ERRNO + 1),
        ("open_by_handle_at", &[], ERRNO + 1),
        ("kexec_load", &[], ERRNO + 1),
        ("socket", &[38], ERRNO + 1),
        ("socket", &[40], ERRNO + 1),
        ("socket", &[2], ALLOW),
        ("ptrace", &[], ALLOW),
    ] {
        assert_eq!(answer(&program, name, arguments), expected, "{name}{arguments:?}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn rules_of_a_profile_are_taken_as_libseccomp_takes_them() {
    let allow = |rules: &str| compiled(&format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rules}]}}"#), 0);
    let program = allow(
        r#"{"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22},
           {"names": ["chmod"], "action": "SCMP_ACT_ERRNO"},
           {"names": ["kill"], "action": "SCMP_ACT_KILL_PROCESS",
            "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 9, "op": "SCMP_CMP_GE"}]},
           {"names": ["dup2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3,
            "args": [{"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}]},
           {"names": ["open"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4,
            "args": [{"index": 1, "value": 3, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}]},
           {"names": ["read"], "action": "SCMP_ACT_ERRNO", "excludes": {"arches": ["amd64"]}},
           {"names": ["write"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.0"}},
           {"names": ["close"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}"#,
    );
    for (name, arguments, expected) in [
        ("mkdir", &[][..], ERRNO + 22),
        ("chmod", &[], ERRNO + 1),
        ("kill", &[1, 9], KILL_PROCESS),
        ("kill", &[1, 8], ALLOW),
        ("kill", &[2, 9], ALLOW),
        ("kill", &[0x1_0000_0001, 9], ALLOW),
        ("dup2", &[5], ERRNO + 3),
        ("dup2", &[7], ERRNO + 3),
        ("dup2", &[6], ALLOW),
        ("open", &[0, 5], ERRNO + 4),
        ("open", &[0, 2], ALLOW),
        ("read", &[], ALLOW),
        ("write", &[], ALLOW),
        ("close", &[], ALLOW),
    ] {
        assert_eq!(answer(&program, name, arguments), expected, "{name}{arguments:?}");
    }
    // A profile that names no other architecture lets nothing through by their numbers.
    assert_eq!(run(&program, 0x4000_0003, 39, [0; 6]).0, KILL_PROCESS);
    assert_eq!(run(&program, 0xc000_003e, 0x4000_0000 | 0x53, [0; 6]).0, KILL_PROCESS);
    // Newer calls are only unknown to a profile that forbids by default.
    assert_eq!(run(&program, 0xc000_003e, 5000, [0; 6]).0, ALLOW);
    let strict = compiled(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"}]}"#,
        0,
    );
    assert_eq!(run(&strict, 0xc000_003e, 5000, [0; 6]).0, ERRNO + 38);
}

#[test]
fn a_filter_of_a_profile_is_a_tree_too() {
    let ranges: Vec<(Arch, Ranges)> = oci::ranges(&resolved(MOBY, DEFAULT_CAPS)).unwrap();
    let native = ranges[0].0;
    let own = compile(&ranges[..1]);
    let built_in = compile(&[(native, default_ranges(native, DEFAULT_CAPS))]);
    assert!(own.len() < built_in.len() + 80, "{} and {}", own.len(), built_in.len());
}

#[test]
fn it_is_known_whether_a_filter_lets_programs_be_started() {
    let lets = |text: &str| own(&resolved(text, DEFAULT_CAPS)).unwrap().lets_start();
    assert!(lets(MOBY));
    assert!(lets(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#));
    assert!(!lets(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "clone", "action": "SCMP_ACT_ERRNO"}]}"#
    ));
    assert!(!lets(
        r#"{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"name": "execve", "action": "SCMP_ACT_ALLOW"}]}"#
    ));
}

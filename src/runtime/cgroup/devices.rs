//! Which devices a container may use: rules of the v1 `devices` controller, or a program on cgroup2.

use super::{Group, write};
use crate::error::{IoContext, Result};
use crate::privilege::Privilege;
use crate::sys::bpf::{Instruction, attach_device_program};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// The warning after which a container must not have `MKNOD`: it starts with this text.
pub const NO_DEVICE_RULES: &str = "device rules cannot be enforced here";

/// Sets the rules. Gives a warning where neither way is open: then the container must not make device nodes.
pub fn apply(group: &Group<'_>, rules: &[LinuxDeviceCgroup]) -> Result<Option<String>> {
    // In a user's namespace the kernel makes and opens no device node at all, but those of the machine.
    if rules.is_empty() || Privilege::current().is_rootless() {
        return Ok(None);
    }
    if let Some(devices) = group.hierarchies.of("devices") {
        let dir = devices.dir(group.path);
        for rule in rules {
            let file = if rule.allow() { "devices.allow" } else { "devices.deny" };
            write(&dir.join(file), &v1_rule(rule))?;
        }
        return Ok(None);
    }
    let failure = match &group.hierarchies.unified {
        None => "there is no control group hierarchy for them".to_owned(),
        Some(unified) => {
            let dir = unified.dir(group.path);
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let dir = open(&dir, flags, Mode::empty()).doing(|| format!("cannot open `{}`", dir.display()))?;
            match attach_device_program(&dir, &program(rules)) {
                Ok(()) => return Ok(None),
                Err(errno) => errno_text(errno),
            }
        }
    };
    Ok(Some(format!("{NO_DEVICE_RULES} ({failure}): the container has no MKNOD capability")))
}

fn errno_text(errno: Errno) -> String {
    format!("the kernel refused the program: {}", errno.desc())
}

fn v1_rule(rule: &LinuxDeviceCgroup) -> String {
    let kind = match rule.typ() {
        Some(LinuxDeviceType::B) => "b",
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => "c",
        // `a` takes no numbers: it means everything.
        _ => return "a".to_owned(),
    };
    let number = |number: Option<i64>| number.filter(|n| *n >= 0).map_or("*".to_owned(), |n| n.to_string());
    let access = rule.access().as_deref().unwrap_or("rwm");
    format!("{kind} {}:{} {access}", number(rule.major()), number(rule.minor()))
}

/// Bits of `bpf_cgroup_dev_ctx.access_type`: the kind of device below, the access above.
const KIND_BLOCK: i32 = 1;
const KIND_CHARACTER: i32 = 2;
const ACCESS_MKNOD: i32 = 1;
const ACCESS_READ: i32 = 2;
const ACCESS_WRITE: i32 = 4;

/// The rules as a program. The last rule that matches counts, so the last one is asked first; what no
/// rule matches is denied.
fn program(rules: &[LinuxDeviceCgroup]) -> Vec<Instruction> {
    // r2: kind, r3: access, r4: major, r5: minor; r1 points to the context.
    let mut code =
        vec![load_word(2, 0), and(2, 0xffff), load_word(3, 0), shift_right(3, 16), load_word(4, 4), load_word(5, 8)];
    for rule in rules.iter().rev() {
        let mut conditions: Vec<Vec<Instruction>> = Vec::new();
        let all = match rule.typ() {
            Some(LinuxDeviceType::B) => {
                conditions.push(vec![jump_unless_equal(2, KIND_BLOCK)]);
                false
            }
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => {
                conditions.push(vec![jump_unless_equal(2, KIND_CHARACTER)]);
                false
            }
            _ => true,
        };
        if !all {
            let access = access_bits(rule.access().as_deref().unwrap_or("rwm"));
            if access != ACCESS_MKNOD | ACCESS_READ | ACCESS_WRITE {
                // Some access that is not in the rule: the rule does not match.
                conditions.push(vec![copy(6, 3), and(6, !access), jump_unless_equal(6, 0)]);
            }
            for (register, number) in [(4, rule.major()), (5, rule.minor())] {
                if let Some(number) = number.filter(|number| *number >= 0) {
                    conditions.push(vec![jump_unless_equal(register, number as i32)]);
                }
            }
        }
        let always = conditions.is_empty();
        let mut block: Vec<Instruction> = conditions.into_iter().flatten().collect();
        block.push(set(0, i32::from(rule.allow())));
        block.push(exit());
        let length = block.len();
        for (at, instruction) in block.iter_mut().enumerate() {
            if instruction.code == JUMP_UNLESS_EQUAL {
                instruction.offset = (length - at - 1) as i16;
            }
        }
        code.extend(block);
        if always {
            // The verifier refuses what can never be reached.
            return code;
        }
    }
    code.extend([set(0, 0), exit()]);
    code
}

fn access_bits(access: &str) -> i32 {
    access.chars().fold(0, |bits, letter| match letter {
        'm' => bits | ACCESS_MKNOD,
        'r' => bits | ACCESS_READ,
        'w' => bits | ACCESS_WRITE,
        _ => bits,
    })
}

// Instructions on 32-bit words (the kernel's Documentation/bpf/standardization/instruction-set.rst).

const JUMP_UNLESS_EQUAL: u8 = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

/// Loads a word of the context.
fn load_word(register: u8, offset: i16) -> Instruction {
    instruction(0x61, register, 1, offset, 0)
}

fn and(register: u8, mask: i32) -> Instruction {
    instruction(0x54, register, 0, 0, mask)
}

fn shift_right(register: u8, bits: i32) -> Instruction {
    instruction(0x74, register, 0, 0, bits)
}

fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbc, to, from, 0, 0)
}

fn set(register: u8, value: i32) -> Instruction {
    instruction(0xb4, register, 0, 0, value)
}

/// Jumps over the rest of its rule; the distance is filled in when that is known.
fn jump_unless_equal(register: u8, value: i32) -> Instruction {
    instruction(JUMP_UNLESS_EQUAL, register, 0, 0, value)
}

fn exit() -> Instruction {
    instruction(0x95, 0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::LinuxDeviceCgroupBuilder;

    fn rule(allow: bool, kind: Option<LinuxDeviceType>, numbers: (i64, i64), access: &str) -> LinuxDeviceCgroup {
        let mut builder = LinuxDeviceCgroupBuilder::default().allow(allow).access(access);
        if let Some(kind) = kind {
            builder = builder.typ(kind);
        }
        if numbers.0 >= 0 {
            builder = builder.major(numbers.0);
        }
        if numbers.1 >= 0 {
            builder = builder.minor(numbers.1);
        }
        builder.build().unwrap()
    }

    /// What the kernel would say: runs the program on one request.
    fn run(program: &[Instruction], kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let context = [access << 16 | kind, major, minor];
        let mut registers = [0i32; 10];
        let mut at = 0usize;
        loop {
            let Instruction { code, registers: used, offset, immediate } = program[at];
            let (to, from) = (usize::from(used & 15), usize::from(used >> 4));
            at += 1;
            match code {
                0x61 => registers[to] = context[usize::try_from(offset / 4).unwrap()],
                0x54 => registers[to] &= immediate,
                0x74 => registers[to] = ((registers[to] as u32) >> immediate) as i32,
                0xbc => registers[to] = registers[from],
                0xb4 => registers[to] = immediate,
                JUMP_UNLESS_EQUAL if registers[to] != immediate => at += usize::try_from(offset).unwrap(),
                JUMP_UNLESS_EQUAL => {}
                0x95 => return registers[0] == 1,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn the_last_rule_that_matches_counts() {
        let c = Some(LinuxDeviceType::C);
        let rules = [
            rule(false, None, (-1, -1), "rwm"),
            rule(true, c, (-1, -1), "m"),
            rule(true, c, (1, 3), "rwm"),
            rule(true, c, (136, -1), "rw"),
            rule(false, c, (136, 9), "rw"),
        ];
        let program = program(&rules);
        let (m, r, w) = (ACCESS_MKNOD, ACCESS_READ, ACCESS_WRITE);
        for (kind, access, major, minor, allowed) in [
            (KIND_CHARACTER, r | w, 1, 3, true),
            (KIND_CHARACTER, m, 10, 200, true),
            (KIND_CHARACTER, r | m, 10, 200, false),
            (KIND_CHARACTER, r, 10, 200, false),
            (KIND_CHARACTER, r | w, 136, 5, true),
            (KIND_CHARACTER, r, 136, 9, false),
            (KIND_BLOCK, r, 1, 3, false),
            (KIND_BLOCK, m, 8, 0, false),
        ] {
            assert_eq!(run(&program, kind, access, major, minor), allowed, "{kind} {access} {major}:{minor}");
        }
    }

    #[test]
    fn nothing_is_unreachable_which_the_kernel_refuses() {
        let null = rule(true, Some(LinuxDeviceType::C), (1, 3), "rw");
        for rules in [vec![], vec![null.clone()], vec![rule(false, None, (-1, -1), "rwm"), null]] {
            let program = program(&rules);
            let (mut reached, mut todo) = (vec![false; program.len()], vec![0]);
            while let Some(at) = todo.pop() {
                if !std::mem::replace(&mut reached[at], true) && program[at] != exit() {
                    todo.push(at + 1);
                    if program[at].code == JUMP_UNLESS_EQUAL {
                        todo.push(at + 1 + usize::try_from(program[at].offset).unwrap());
                    }
                }
            }
            assert!(reached.iter().all(|reached| *reached), "{reached:?}");
        }
    }

    #[test]
    fn rules_are_written_as_v1_reads_them() {
        let c = Some(LinuxDeviceType::C);
        assert_eq!(v1_rule(&rule(false, None, (-1, -1), "rwm")), "a");
        assert_eq!(v1_rule(&rule(true, c, (136, -1), "rw")), "c 136:* rw");
        assert_eq!(v1_rule(&rule(true, Some(LinuxDeviceType::B), (8, 1), "m")), "b 8:1 m");
    }
}

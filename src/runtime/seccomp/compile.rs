//! From verdicts about system call numbers to a filter in classic BPF.
//!
//! A list of comparisons would cost every system call of the container up to 400 of them. Neighbouring
//! numbers with the same verdict are one range instead, and a binary search over the ranges finds it with
//! seven or eight.

use super::profile::Arch;
use crate::sys::seccomp::Instruction;

/// What the kernel does with a call: a return value of a filter (seccomp(2)).
pub type Action = u32;

/// It is made.
pub const ALLOW: Action = 0x7fff_0000;
const ERRNO: Action = 0x0005_0000;
/// The whole process ends.
pub const KILL_PROCESS: Action = 0x8000_0000;

/// It fails with this error number.
pub fn errno(number: u16) -> Action {
    ERRNO | u32::from(number)
}

/// What happens to a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first whose conditions all hold counts.
    pub rules: Vec<(Vec<Condition>, Action)>,
    /// When none does.
    pub otherwise: Action,
}

impl Verdict {
    /// The same whatever the arguments are.
    pub fn always(action: Action) -> Self {
        Self { rules: Vec::new(), otherwise: action }
    }

    /// `action` when one of the conditions holds.
    pub fn when_any(conditions: impl IntoIterator<Item = Condition>, action: Action, otherwise: Action) -> Self {
        Self { rules: conditions.into_iter().map(|condition| (vec![condition], action)).collect(), otherwise }
    }
}

/// A question about an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0.
    pub argument: u8,
    /// What about it.
    pub test: Test,
}

/// The question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// Are the lower 32 bits these?
    LowEqual(u32),
    /// Is one of these bits set in the lower 32?
    LowAnyBit(u32),
    /// Is it this?
    Equal(u64),
    /// Is it another?
    NotEqual(u64),
    /// Is it less?
    Less(u64),
    /// Is it less or the same?
    LessOrEqual(u64),
    /// Is it greater?
    Greater(u64),
    /// Is it greater or the same?
    GreaterOrEqual(u64),
    /// Are the bits of the mask (first) these (second)?
    MaskedEqual(u64, u64),
}

/// A verdict for every number from 0 on.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// First number of each range, ascending; the first is 0.
    starts: Vec<(u32, Verdict)>,
    default: Verdict,
    next: u32,
}

impl Ranges {
    /// The same verdict for all.
    pub fn new(default: Verdict) -> Self {
        Self { starts: Vec::new(), default, next: 0 }
    }

    /// The verdict for one number. Numbers come in ascending order.
    pub fn set(&mut self, number: u32, verdict: Verdict) {
        if number > self.next {
            let default = self.default.clone();
            self.begin(self.next, default);
        }
        self.begin(number, verdict);
        self.next = number + 1;
    }

    /// The verdict for all numbers from this one on; nothing is set after it.
    pub fn set_from(&mut self, number: u32, verdict: Verdict) {
        self.starts.retain(|(start, _)| *start < number);
        if number > self.next {
            let default = self.default.clone();
            self.begin(self.next, default);
        }
        self.begin(number, verdict);
    }

    fn begin(&mut self, number: u32, verdict: Verdict) {
        if self.starts.last().is_none_or(|(_, last)| *last != verdict) {
            self.starts.push((number, verdict));
        }
    }
}

/// The filter for programs of these architectures; a call that comes in another way kills the process, as
/// with libseccomp: its numbers mean something else.
pub fn compile(architectures: &[(Arch, Ranges)]) -> Vec<Instruction> {
    let ranges = |wanted: Arch| architectures.iter().find(|(arch, _)| *arch == wanted).map(|(_, ranges)| ranges);
    let mut code = vec![load(ARCH_OFFSET)];
    for (arch, audit) in
        [(Arch::X86_64, AUDIT_ARCH_X86_64), (Arch::X86, AUDIT_ARCH_I386), (Arch::Aarch64, AUDIT_ARCH_AARCH64)]
    {
        let Some(own) = ranges(arch) else { continue };
        let mut block = vec![load(NUMBER_OFFSET)];
        match ranges(Arch::X32).filter(|_| arch == Arch::X86_64) {
            // x32 comes in as x86-64, with a bit in the number.
            None if arch == Arch::X86_64 => {
                block.extend(branch(X32_BIT, search(&own.starts, 0), vec![give(KILL_PROCESS)]));
            }
            None => block.extend(search(&own.starts, 0)),
            Some(x32) => block.extend(branch(X32_BIT, search(&own.starts, 0), search(&x32.starts, X32_BIT))),
        }
        code.push(jump(JUMP_EQUAL, audit, 1, 0));
        code.push(jump_over(block.len()));
        code.extend(block);
    }
    code.push(give(KILL_PROCESS));
    code
}

/// Binary search for the range of the number in the accumulator.
fn search(ranges: &[(u32, Verdict)], base: u32) -> Vec<Instruction> {
    match ranges {
        [] => vec![give(KILL_PROCESS)],
        [(_, verdict)] => decide(verdict),
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            branch(base + high[0].0, search(low, base), search(high, base))
        }
    }
}

/// `low` for numbers below `number`, else `high`.
fn branch(number: u32, low: Vec<Instruction>, high: Vec<Instruction>) -> Vec<Instruction> {
    let mut code = match u8::try_from(low.len()) {
        Ok(length) => vec![jump(JUMP_GREATER_OR_EQUAL, number, length, 0)],
        // A conditional jump reaches 255 instructions only.
        Err(_) => vec![jump(JUMP_GREATER_OR_EQUAL, number, 0, 1), jump_over(low.len())],
    };
    code.extend(low);
    code.extend(high);
    code
}

fn decide(verdict: &Verdict) -> Vec<Instruction> {
    let mut code = Vec::new();
    for (conditions, action) in &verdict.rules {
        // Backwards: each test that fails jumps over all that follows it.
        let mut rule = vec![give(*action)];
        for condition in conditions.iter().rev() {
            let mut test = ask(condition, rule.len() as u8);
            test.append(&mut rule);
            rule = test;
        }
        code.append(&mut rule);
    }
    code.push(give(verdict.otherwise));
    code
}

/// Goes on when the condition holds, else jumps over `rest` instructions more: at most one call's six conditions.
fn ask(condition: &Condition, rest: u8) -> Vec<Instruction> {
    let offset = ARGUMENTS_OFFSET + 8 * u32::from(condition.argument);
    let (load_low, load_high) = (load(offset), load(offset + 4));
    let low = |value: u64| value as u32;
    let high = |value: u64| (value >> 32) as u32;
    // Which half is compared how: an order is decided by the upper half unless those are equal.
    let at_least = |value: u64, last: u16| {
        vec![
            load_high,
            jump(JUMP_GREATER, high(value), 3, 0),
            jump(JUMP_EQUAL, high(value), 0, rest + 2),
            load_low,
            jump(last, low(value), 0, rest),
        ]
    };
    let at_most = |value: u64, last: u16| {
        vec![
            load_high,
            jump(JUMP_GREATER, high(value), rest + 3, 0),
            jump(JUMP_EQUAL, high(value), 0, 2),
            load_low,
            jump(last, low(value), rest, 0),
        ]
    };
    match condition.test {
        Test::LowEqual(value) => vec![load_low, jump(JUMP_EQUAL, value, 0, rest)],
        Test::LowAnyBit(bits) => vec![load_low, jump(JUMP_ANY_BIT, bits, 0, rest)],
        Test::Equal(value) => {
            vec![load_high, jump(JUMP_EQUAL, high(value), 0, rest + 2), load_low, jump(JUMP_EQUAL, low(value), 0, rest)]
        }
        Test::NotEqual(value) => {
            vec![load_high, jump(JUMP_EQUAL, high(value), 0, 2), load_low, jump(JUMP_EQUAL, low(value), rest, 0)]
        }
        Test::GreaterOrEqual(value) => at_least(value, JUMP_GREATER_OR_EQUAL),
        Test::Greater(value) => at_least(value, JUMP_GREATER),
        Test::Less(value) => at_most(value, JUMP_GREATER_OR_EQUAL),
        Test::LessOrEqual(value) => at_most(value, JUMP_GREATER),
        Test::MaskedEqual(mask, value) => vec![
            load_high,
            keep_bits(high(mask)),
            jump(JUMP_EQUAL, high(value), 0, rest + 3),
            load_low,
            keep_bits(low(mask)),
            jump(JUMP_EQUAL, low(value), 0, rest),
        ],
    }
}

// Offsets in `struct seccomp_data` (seccomp(2)). Lower halves of arguments come first: both architectures
// are little-endian.
const NUMBER_OFFSET: u32 = 0;
const ARCH_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;
/// `__X32_SYSCALL_BIT`.
pub const X32_BIT: u32 = 0x4000_0000;

const LOAD_WORD: u16 = 0x20;
const JUMP_ALWAYS: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const JUMP_GREATER: u16 = 0x25;
const JUMP_ANY_BIT: u16 = 0x45;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD_WORD, jt: 0, jf: 0, k: offset }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn jump_over(instructions: usize) -> Instruction {
    Instruction { code: JUMP_ALWAYS, jt: 0, jf: 0, k: instructions as u32 }
}

fn keep_bits(bits: u32) -> Instruction {
    Instruction { code: AND, jt: 0, jf: 0, k: bits }
}

fn give(verdict: Action) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k: verdict }
}

/// The kernel's side.
pub mod interpreter {
    use super::{
        AND, ARCH_OFFSET, ARGUMENTS_OFFSET, Instruction, JUMP_ALWAYS, JUMP_ANY_BIT, JUMP_EQUAL, JUMP_GREATER,
        JUMP_GREATER_OR_EQUAL, KILL_PROCESS, LOAD_WORD, NUMBER_OFFSET, RETURN,
    };

    /// What the kernel would do, and how many instructions that took.
    pub fn run(program: &[Instruction], arch: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
        let (mut at, mut accumulator, mut steps) = (0usize, 0u32, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            steps += 1;
            let jump = |yes: bool| usize::from(if yes { jt } else { jf });
            match code {
                LOAD_WORD => {
                    accumulator = match k {
                        NUMBER_OFFSET => number,
                        ARCH_OFFSET => arch,
                        offset if offset % 8 == 0 => arguments[((offset - ARGUMENTS_OFFSET) / 8) as usize] as u32,
                        offset => (arguments[((offset - ARGUMENTS_OFFSET) / 8) as usize] >> 32) as u32,
                    };
                }
                JUMP_ALWAYS => at += k as usize,
                JUMP_EQUAL => at += jump(accumulator == k),
                JUMP_GREATER_OR_EQUAL => at += jump(accumulator >= k),
                JUMP_GREATER => at += jump(accumulator > k),
                JUMP_ANY_BIT => at += jump(accumulator & k != 0),
                AND => accumulator &= k,
                RETURN => return (k, steps),
                // No other is ever made here.
                _ => return (KILL_PROCESS, steps),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::NONE;
    use super::super::profile::{Rule, default_ranges};
    use super::super::syscalls::SYSCALLS;
    use super::interpreter::run;
    use super::*;
    use proptest::prelude::*;

    const DEFAULT_CAPS: u64 = 0xa804_25fb;
    const EPERM: u32 = ERRNO + 1;
    const ENOSYS: u32 = ERRNO + 38;

    fn docker(capabilities: u64) -> Vec<Instruction> {
        let archs = [Arch::X86_64, Arch::X86, Arch::X32, Arch::Aarch64];
        compile(&archs.map(|arch| (arch, default_ranges(arch, capabilities))))
    }

    #[test]
    fn every_call_of_every_architecture_gets_its_rule() {
        let program = docker(DEFAULT_CAPS);
        let ways =
            [(AUDIT_ARCH_X86_64, 0), (AUDIT_ARCH_I386, 0), (AUDIT_ARCH_X86_64, X32_BIT), (AUDIT_ARCH_AARCH64, 0)];
        for (column, (arch, bit)) in ways.into_iter().enumerate() {
            for call in SYSCALLS.iter().filter(|call| call.numbers[column] != NONE) {
                let number = u32::from(call.numbers[column]) | bit;
                let expected = match call.rule {
                    Rule::Allow | Rule::Socket | Rule::Personality | Rule::Clone => ALLOW,
                    Rule::With(any) if any & DEFAULT_CAPS != 0 => ALLOW,
                    // Newer than the last call that the profile knows; x32 has more numbers above it.
                    Rule::Deny if call.numbers[column] > 462 && column != 2 => ENOSYS,
                    Rule::Deny | Rule::With(_) => EPERM,
                    Rule::Clone3 => ENOSYS,
                };
                let (verdict, _) = run(&program, arch, number, [0; 6]);
                assert_eq!(verdict, expected, "{} on {column}", call.name);
            }
        }
    }

    #[test]
    fn arguments_are_looked_at_as_the_kernel_does() {
        let program = docker(DEFAULT_CAPS);
        let number = |name: &str| u32::from(SYSCALLS.iter().find(|call| call.name == name).unwrap().numbers[0]);
        for (name, argument, expected) in [
            ("socket", 2, ALLOW),
            ("socket", 38, EPERM),
            ("socket", 39, ALLOW),
            ("socket", 40, EPERM),
            ("socket", 0x1_0000_0028, EPERM),
            ("clone", 0x0001_0f00, ALLOW),
            ("clone", 0x1000_0000, EPERM),
            ("personality", 8, ALLOW),
            ("personality", 0x004_0000, EPERM),
            ("personality", 0xffff_ffff, ALLOW),
        ] {
            let (verdict, _) = run(&program, AUDIT_ARCH_X86_64, number(name), [argument, 0, 0, 0, 0, 0]);
            assert_eq!(verdict, expected, "{name}({argument:#x})");
        }
    }

    #[test]
    fn capabilities_open_what_belongs_to_them() {
        let number = |name: &str| u32::from(SYSCALLS.iter().find(|call| call.name == name).unwrap().numbers[0]);
        let of = |capabilities, name| run(&docker(capabilities), AUDIT_ARCH_X86_64, number(name), [0x1000_0000; 6]).0;
        let (admin, bpf) = (1 << 21, 1 << 39);
        assert_eq!((of(DEFAULT_CAPS, "mount"), of(DEFAULT_CAPS | admin, "mount")), (EPERM, ALLOW));
        assert_eq!((of(DEFAULT_CAPS, "clone3"), of(DEFAULT_CAPS | admin, "clone3")), (ENOSYS, ALLOW));
        assert_eq!((of(DEFAULT_CAPS | bpf, "bpf"), of(DEFAULT_CAPS | admin, "clone")), (ALLOW, ALLOW));
        assert_eq!(of(DEFAULT_CAPS & !(1 << 18), "chroot"), EPERM);
    }

    #[test]
    fn other_architectures_are_killed_and_unknown_calls_do_not_exist() {
        let program = docker(DEFAULT_CAPS);
        assert_eq!(run(&program, 0x4000_0028, 1, [0; 6]).0, KILL_PROCESS);
        assert_eq!(run(&program, AUDIT_ARCH_X86_64, 5000, [0; 6]).0, ENOSYS);
    }

    #[test]
    fn a_call_costs_a_handful_of_instructions() {
        let program = compile(&[(Arch::X86_64, default_ranges(Arch::X86_64, DEFAULT_CAPS))]);
        assert!(program.len() <= 170, "{}", program.len());
        let most = (0..500).map(|number| run(&program, AUDIT_ARCH_X86_64, number, [0; 6]).1).max();
        assert!(most.unwrap() <= 24, "{most:?}");
    }

    proptest! {
        #[test]
        fn tests_of_arguments_are_those_of_the_whole_64_bits(
            argument in prop_oneof![0u64..4, any::<u64>(), (0u64..3).prop_map(|low| low | 1 << 32)],
            value in prop_oneof![0u64..4, any::<u64>(), (0u64..3).prop_map(|low| low | 1 << 32)],
            mask in prop_oneof![Just(u64::MAX), any::<u64>()],
            second in 0u64..4,
        ) {
            for (test, expected) in [
                (Test::Equal(value), argument == value),
                (Test::NotEqual(value), argument != value),
                (Test::Less(value), argument < value),
                (Test::LessOrEqual(value), argument <= value),
                (Test::Greater(value), argument > value),
                (Test::GreaterOrEqual(value), argument >= value),
                (Test::MaskedEqual(mask, value & mask), argument & mask == value & mask),
            ] {
                // Together with one that holds and one about another argument, and before a rule that always holds.
                let on = |argument, test| Condition { argument, test };
                let both = vec![on(1, Test::Equal(second)), on(0, test), on(1, Test::LowEqual(2))];
                let verdict = Verdict { rules: vec![(both, errno(7)), (vec![on(0, test)], errno(8))], otherwise: ALLOW };
                let mut ranges = Ranges::new(Verdict::always(KILL_PROCESS));
                ranges.set(0, verdict);
                let program = compile(&[(Arch::X86_64, ranges)]);
                let got = run(&program, AUDIT_ARCH_X86_64, 0, [argument, 2, 0, 0, 0, 0]).0;
                let wanted = match (expected, second == 2) {
                    (true, true) => errno(7),
                    (true, false) => errno(8),
                    (false, _) => ALLOW,
                };
                prop_assert_eq!(got, wanted, "{:?} of {:#x}", test, argument);
            }
        }

        #[test]
        fn ranges_of_any_size_are_searched_right(verdicts in prop::collection::vec(prop::option::of(0u16..4), 1..600)) {
            let mut ranges = Ranges::new(Verdict::always(errno(100)));
            for (number, verdict) in verdicts.iter().enumerate() {
                if let Some(errno) = verdict {
                    ranges.set(number as u32, Verdict::always(super::errno(*errno)));
                }
            }
            ranges.set_from(verdicts.len() as u32, Verdict::always(ALLOW));
            let program = compile(&[(Arch::X86_64, ranges)]);
            for (number, verdict) in verdicts.iter().enumerate() {
                let expected = ERRNO | u32::from(verdict.unwrap_or(100));
                prop_assert_eq!(run(&program, AUDIT_ARCH_X86_64, number as u32, [0; 6]).0, expected);
            }
            prop_assert_eq!(run(&program, AUDIT_ARCH_X86_64, verdicts.len() as u32, [0; 6]).0, ALLOW);
        }
    }
}

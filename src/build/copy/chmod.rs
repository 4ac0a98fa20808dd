//! `--chmod`: a number, or what chmod(1) takes: `u=rwX,go=rX`.

use crate::error::{Error, Result};

/// What becomes of a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chmod {
    /// These bits, setuid, setgid and sticky with them.
    Exact(u32),
    /// Changes, in order.
    Symbolic(Vec<Change>),
}

/// One change: whose bits, how, which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Classes that it is about, as bits of a mode: `u`, `g`, `o`.
    who: u32,
    operator: char,
    /// `r`, `w`, `x` in the lowest three bits.
    bits: u32,
    /// `x` where somebody may execute already, and for folders.
    x_if: bool,
    setid: bool,
    sticky: bool,
    /// Bits are copied from this class.
    copied: Option<u32>,
}

impl Chmod {
    /// Reads a mode.
    pub fn parse(text: &str) -> Result<Self> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(Self::Exact).ok_or_else(|| refused(text));
        }
        let changes = text.split(',').map(|change| parse_change(change).ok_or_else(|| refused(text)));
        Ok(Self::Symbolic(changes.collect::<Result<Vec<_>>>()?.concat()))
    }

    /// The mode that comes of `mode`.
    pub fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        match self {
            Self::Exact(exact) => *exact,
            Self::Symbolic(changes) => changes.iter().fold(mode, |mode, change| change.apply(mode, is_folder)),
        }
    }
}

const CLASSES: [(char, u32); 4] = [('u', 0o700), ('g', 0o070), ('o', 0o007), ('a', 0o777)];

fn parse_change(text: &str) -> Option<Vec<Change>> {
    let mut rest = text.chars().peekable();
    let mut who = 0;
    while let Some((_, bits)) = rest.peek().and_then(|char| CLASSES.iter().find(|(class, _)| class == char)) {
        who |= bits;
        rest.next();
    }
    let who = if who == 0 { 0o777 } else { who };
    let mut changes = Vec::new();
    while let Some(operator) = rest.next() {
        if !matches!(operator, '+' | '-' | '=') {
            return None;
        }
        let mut change = Change { who, operator, bits: 0, x_if: false, setid: false, sticky: false, copied: None };
        while let Some(char) = rest.next_if(|char| !matches!(char, '+' | '-' | '=')) {
            match char {
                'r' => change.bits |= 4,
                'w' => change.bits |= 2,
                'x' => change.bits |= 1,
                'X' => change.x_if = true,
                's' => change.setid = true,
                't' => change.sticky = true,
                'u' => change.copied = Some(6),
                'g' => change.copied = Some(3),
                'o' => change.copied = Some(0),
                _ => return None,
            }
        }
        changes.push(change);
    }
    Some(changes).filter(|changes| !changes.is_empty())
}

impl Change {
    fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let mut bits = self.bits | self.copied.map_or(0, |shift| mode >> shift & 7);
        if self.x_if && (is_folder || mode & 0o111 != 0) {
            bits |= 1;
        }
        let mut wanted = (bits * 0o111) & self.who;
        let mut cleared = self.who;
        for (class, bit) in [(0o700, 0o4000), (0o070, 0o2000)] {
            if self.who & class != 0 {
                // Of folders they stay unless they are named (chmod(1)).
                cleared |= if is_folder { 0 } else { bit };
                wanted |= if self.setid { bit } else { 0 };
            }
        }
        if self.sticky {
            wanted |= 0o1000;
        }
        match self.operator {
            '+' => mode | wanted,
            '-' => mode & !wanted,
            _ => mode & !cleared | wanted,
        }
    }
}

fn refused(text: &str) -> Error {
    Error::invalid(format!("`{text}` is not a mode")).hint("write it as `755`, `u+x` or `u=rwX,go=rX`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_chmod() {
        for (text, mode, is_folder, expected) in [
            ("755", 0o600, false, 0o755),
            ("4755", 0o600, false, 0o4755),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("go=", 0o777, false, 0o700),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("g=u", 0o740, false, 0o770),
            ("u+s", 0o755, false, 0o4755),
            ("g+s,o+t", 0o755, true, 0o3755),
            ("u=rw", 0o4755, false, 0o655),
            ("u+r-x", 0o311, false, 0o611),
        ] {
            assert_eq!(Chmod::parse(text).unwrap().apply(mode, is_folder), expected, "{text} on {mode:o}");
        }
        for text in ["", "9", "77777", "z", "u", "u+q", "rwx", "+x,"] {
            assert!(Chmod::parse(text).is_err(), "{text}");
        }
    }
}

//! What the kernel counts for a process: `/proc/PID/stat` (proc(5)).

use std::{fs, io};

/// How many ticks of [`ProcessStat`] a second has: `USER_HZ` is 100 on every architecture that we build for.
pub const TICKS: u64 = 100;

/// The fields that somebody here asks for; times in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// The program's name, of 15 bytes at most.
    pub name: String,
    /// `R`, `S`, `T`, `Z` and others.
    pub state: char,
    /// The parent's process id.
    pub parent: i32,
    /// The device number of its terminal; 0: none.
    pub terminal: u64,
    /// In user mode.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
    /// In user mode, of its children that were waited for.
    pub children_user: u64,
    /// In the kernel, of these.
    pub children_system: u64,
    /// How many threads it has.
    pub threads: u64,
    /// From boot to its start.
    pub start_time: u64,
    /// Resident memory, in pages.
    pub pages: u64,
}

impl ProcessStat {
    /// Of a process.
    ///
    /// # Errors
    /// `NotFound`, or the kernel's `ESRCH`, when it has ended and was waited for.
    pub fn of(pid: i32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, and may hold spaces and parentheses.
        let (head, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Counted from field 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            name: head.split_once('(')?.1.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            terminal: fields.get(4)?.parse::<i64>().ok()?.cast_unsigned(),
            user: number(14)?,
            system: number(15)?,
            children_user: number(16)?,
            children_system: number(17)?,
            threads: number(20)?,
            start_time: number(22)?,
            pages: number(24)?,
        })
    }

    /// Stopped, by a signal or a debugger, or ended.
    pub fn is_still(&self) -> bool {
        matches!(self.state, 'T' | 't') || self.has_ended()
    }

    /// A zombie, or about to be gone.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_read() {
        let text =
            "12 (a) b) S 7 12 12 34816 -1 4194560 200 0 0 0 150 50 7 3 20 0 4 0 4242 9000 55 18446744073709551615";
        let expected = ProcessStat {
            name: "a) b".into(),
            state: 'S',
            parent: 7,
            terminal: 34816,
            user: 150,
            system: 50,
            children_user: 7,
            children_system: 3,
            threads: 4,
            start_time: 4242,
            pages: 55,
        };
        assert_eq!(ProcessStat::parse(text).as_ref(), Some(&expected));
        assert_eq!(ProcessStat::parse("12 (a) S 7"), None);
        let in_state = |state| ProcessStat { state, ..expected.clone() };
        assert!(!expected.is_still() && in_state('T').is_still() && in_state('Z').is_still());
        assert!(!in_state('T').has_ended() && in_state('Z').has_ended());
        assert!(ProcessStat::of(std::process::id() as i32).is_ok() && ProcessStat::of(i32::MAX).is_err());
    }
}

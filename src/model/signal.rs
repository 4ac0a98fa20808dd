//! Signals: names and numbers.

use crate::error::{Error, Result};

/// The standard signals with their numbers on this architecture.
const NAMES: [(&str, i32); 32] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
    ("STKFLT", libc::SIGSTKFLT),
    // Another name of the same number, so after it.
    ("POLL", libc::SIGPOLL),
];
/// Real-time signals as programs see them: the C library keeps 32 and 33 to itself (signal(7)).
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of `TERM`, `SIGTERM`, `term`, `RTMIN+3` or `15`.
pub fn number(text: &str) -> Result<i32> {
    read(text).ok_or_else(|| {
        Error::invalid(format!("`{text}` is not a signal")).hint("write it as `TERM`, `SIGTERM` or a number")
    })
}

/// The name without `SIG`, such as `TERM`; `None` for a real-time signal or no signal.
pub fn name(number: i32) -> Option<&'static str> {
    NAMES.iter().find(|(_, n)| *n == number).map(|(name, _)| *name)
}

fn read(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let offset = |text: &str, sign: char| -> Option<i32> {
        if text.is_empty() {
            return Some(0);
        }
        text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from)
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        RTMIN + offset(rest, '+')?
    } else {
        RTMAX - offset(name.strip_prefix("RTMAX")?, '-')?
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_taken() {
        for (text, expected) in
            [("TERM", 15), ("SIGTERM", 15), ("sigint", 2), ("9", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63)]
        {
            assert_eq!(number(text).ok(), Some(expected), "{text}");
        }
        for text in ["", "0", "-9", "65", "SIG", "TERMINATE", "RTMIN+31", "RTMIN-1", "RTMAX+1"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_name_leads_to_its_number_and_back() {
        for (known, n) in NAMES.iter().filter(|(known, _)| *known != "POLL") {
            assert_eq!((number(known).ok(), name(*n)), (Some(*n), Some(*known)));
        }
    }
}

//! Folders that are being made, under names that tell who makes them: those of dead processes are known.

use crate::error::Result;
use crate::model::Id;
use crate::sys::process::{self, ProcessIdentity};

/// No thing may have a name that starts with a dot.
const PREFIX: &str = ".new-";

/// A name that nobody else uses.
pub fn name() -> Result<String> {
    let me = ProcessIdentity::current()?;
    Ok(format!("{PREFIX}{}-{}-{}", me.pid, me.start_time, Id::random()?.short()))
}

/// Whether the maker of a draft still runs; `None` for a name that is no draft's.
pub fn has_maker(name: &str) -> Option<bool> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    let pid = parts.next().and_then(|part| part.parse::<i32>().ok());
    let start_time = parts.next().and_then(|part| part.parse::<u64>().ok());
    Some(
        pid.zip(start_time)
            .is_some_and(|(pid, start_time)| process::start_time(pid).is_ok_and(|found| found == start_time)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_of_this_process_have_a_maker() {
        assert_eq!(has_maker(&name().unwrap()), Some(true));
        assert_eq!(has_maker(".new-1-1-x"), Some(false));
        assert_eq!(has_maker(".new-"), Some(false));
        assert_eq!(has_maker("data"), None);
    }
}

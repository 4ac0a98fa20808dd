//! The hidden role that cleans up while nobody waits: it removes a container which ended with `remove: true`, whose
//! monitor knows no database, and what the root does not need any more.

use crate::native;
use crate::privilege;
use std::path::Path;
use std::process::ExitCode;

/// `shanty-cleaner ROOT [CONTAINER]`. What fails is left for the next command, which sweeps.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (root, container) = match &arguments[..] {
        [root] => (root, None),
        [root, container] => (root, Some(container.as_str())),
        _ => return ExitCode::FAILURE,
    };
    match privilege::stay().and_then(|()| native::clean_up(Path::new(root), container)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

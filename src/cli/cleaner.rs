//! The hidden role that removes a container which ended with `remove: true`: its monitor knows no database.

use crate::native;
use std::path::Path;
use std::process::ExitCode;

/// `shanty-cleaner ROOT ID`. What fails is left for the next command, which sweeps.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, id] = &arguments[..] else { return ExitCode::FAILURE };
    match native::cleaner(Path::new(root), id) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

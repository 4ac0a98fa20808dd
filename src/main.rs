//! The exit code, and which role of the binary this process plays.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Roles first: a monitor pays for nothing that a command needs.
    match std::env::args_os().next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some(shanty::runtime::control::MONITOR_ARGV0) => exit_code(shanty::monitor::run()),
        Some(shanty::runtime::control::CLEANER_ARGV0) => shanty::cli::cleaner(),
        _ => shanty::cli::main(),
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

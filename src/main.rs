//! The exit code, and which role of the binary this process plays.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Roles first: a monitor pays for nothing that a command needs.
    let name = std::env::args_os().next();
    match name.as_deref().and_then(OsStr::to_str) {
        Some(shanty::runtime::control::MONITOR_ARGV0) => exit_code(shanty::monitor::run()),
        Some(shanty::runtime::control::CLEANER_ARGV0) => shanty::cli::cleaner(),
        Some(shanty::runtime::network::uplink::ARGV0) => exit_code(shanty::runtime::network::uplink::run()),
        Some(shanty::oci::PROTECTED_ARGV0) => ExitCode::from(shanty::oci::run(std::env::args_os())),
        _ if name.as_ref().is_some_and(|name| Path::new(name).file_name() == Some(OsStr::new(shanty::oci::ARGV0))) => {
            ExitCode::from(shanty::oci::run(std::env::args_os()))
        }
        _ if std::env::args_os().nth(1).as_deref() == Some(OsStr::new("oci")) => {
            ExitCode::from(shanty::oci::run(std::env::args_os().skip(1)))
        }
        _ => shanty::cli::main(),
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

//! The exit code, and which role of the binary this process plays.

use std::process::ExitCode;

fn main() -> ExitCode {
    shanty::cli::main()
}

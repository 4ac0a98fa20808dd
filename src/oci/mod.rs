//! `shanty oci`: the command line of an OCI runtime, as containerd, Docker and Podman call it.
//!
//! It is that of runc. There is no monitor: whoever calls `create` looks after the container, and what is known of it is
//! a directory below `--root`.

mod arguments;
mod bundle;
mod container;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod fields;
mod foreground;
mod kill;
mod list;
mod log;
mod pause;
mod ps;
mod run;
mod spec;
mod start;
mod state;
mod stdio;
mod update;

use crate::error::{Error, IoContext, Result};
use crate::runtime::control;
use arguments::{Arguments, Command};
pub use bundle::Bundle;
use clap::Parser;
use log::Log;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process;

/// The name by which the binary is called to be this command line alone.
pub const ARGV0: &str = "shanty-oci";

/// The name by which it executes itself, when no container can write to it any more.
pub const PROTECTED_ARGV0: &str = "shanty-oci-protected";

/// Does what these arguments say (the name of the program first); gives the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // What cannot be written cannot be reported either.
            let _ = error.print();
            return u8::from(error.use_stderr());
        }
    };
    let log = Log::new(&arguments.options);
    // As runc: what could not be executed in a running container has a code that programs seldom have.
    let failed = if matches!(arguments.command, Command::Exec(_)) { 255 } else { 1 };
    match protect(&arguments, &words).and_then(|()| dispatch(&arguments, &log)) {
        Ok(code) => code,
        Err(error) => {
            log.error(&error);
            failed
        }
    }
}

/// Executes this program again where a process of a container cannot write to it: on its way into one, a process is still
/// this program, and `/proc/PID/exe` leads to it (CVE-2019-5736).
fn protect(arguments: &Arguments, words: &[OsString]) -> Result<()> {
    let makes_a_process = matches!(arguments.command, Command::Create(_) | Command::Run(_) | Command::Exec(_));
    if !makes_a_process || words.first().is_some_and(|name| name == PROTECTED_ARGV0) {
        return Ok(());
    }
    let root = &arguments.options.root;
    std::fs::create_dir_all(root).doing(|| format!("cannot make `{}`", root.display()))?;
    let program = control::protected(root)?;
    let failure = process::Command::new(program.path()).arg0(PROTECTED_ARGV0).args(words.iter().skip(1)).exec();
    Err(failure).doing(|| "cannot execute this program again")
}

fn dispatch(arguments: &Arguments, log: &Log) -> Result<u8> {
    let options = &arguments.options;
    let root = options.root.as_path();
    let done = |result: Result<()>| result.map(|()| 0);
    match &arguments.command {
        Command::Create(create) => done(create::run(options, create, log)),
        Command::Start { id } => done(start::run(root, id)),
        Command::State { id } => done(state::run(root, id)),
        Command::Kill(kill) => done(kill::run(root, kill)),
        Command::Delete(delete) => done(delete::run(root, delete, log)),
        Command::Run(run) => run::run(options, run, log),
        Command::Exec(exec) => exec::run(options, exec, log),
        Command::Ps(ps) => done(ps::run(root, ps)),
        Command::Pause { id } => done(pause::pause(root, id)),
        Command::Resume { id } => done(pause::resume(root, id)),
        Command::Update(update) => done(update::run(root, update, log)),
        Command::Events(events) => done(events::run(root, events)),
        Command::List(list) => done(list::run(root, list)),
        Command::Features => done(features::run()),
        Command::Spec(spec) => done(spec::run(spec)),
    }
}

/// Writes a value to standard output.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::invalid(format!("cannot be written as JSON: {error}")))?;
    print(&text)
}

/// Writes a line to standard output.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").doing(|| "cannot write to standard output")
}

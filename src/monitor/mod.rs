//! The process beside a running container: the parent of its first process, the holder of its pipes and
//! published ports, the writer of its log, and the only one that knows how it ended.
//!
//! It is this binary in a hidden role, single-threaded, without tokio, SQLite or tracing, so that a hundred of
//! them weigh little.

mod ahead;
mod attach;
mod check;
mod children;
mod cleanup;
mod client;
mod ending;
mod events;
mod execution;
mod handshake;
mod health;
mod input;
pub mod log;
mod networks;
mod oom;
mod output;
mod owners;
mod pause;
mod requests;
mod restart;
mod stdio;
mod stop;
mod timers;
mod watch;

use crate::error::{IoContext, Result};
use crate::privilege;
use crate::runtime::control::protocol::{Event, Failure, answer};
use crate::runtime::control::{CLEANER_ARGV0, Channel};
use crate::runtime::launch::Launch;
use crate::sys::close_range::close_on_exec_from;
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup, dup2_stdin, setsid};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// The role's whole life. Standard input is the connection that it was born with; returns the exit code.
pub fn run() -> i32 {
    match born() {
        Ok(channel) => live(channel),
        // Nobody can be told: the connection itself is missing.
        Err(_) => 1,
    }
}

fn born() -> Result<Channel> {
    let doing = || "cannot set the monitor up";
    // Whatever the caller had open without close-on-exec is not ours to keep.
    close_on_exec_from(3).doing(doing)?;
    let socket = dup(std::io::stdin()).doing(doing)?;
    close_on_exec_from(3).doing(doing)?;
    dup2_stdin(File::open("/dev/null").doing(doing)?).doing(doing)?;
    setsid().doing(doing)?;
    prctl::set_child_subreaper(true).doing(doing)?;
    // It was executed by the number of a descriptor, which `ps` and `top` would show.
    prctl::set_name(c"shanty-monitor").doing(doing)?;
    privilege::stay()?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(Channel::new(socket))
}

fn live(mut channel: Channel) -> i32 {
    let group = std::env::args_os().nth(3).unwrap_or_default();
    match handshake::start(&mut channel, Path::new(&group)) {
        Ok((container, remains, lock)) => {
            let code = watch::run(container, remains, channel);
            // The lock goes with the process: who sees it free finds nothing of us.
            std::mem::forget(lock);
            code
        }
        Err(failure) => {
            tell(&channel, failure);
            1
        }
    }
}

fn tell(channel: &Channel, failure: Failure) {
    // The caller may be gone: then nobody wants to know.
    let _ = channel.send_now(&answer(Event::Failed { failure }));
}

/// The work on the database after a container with `remove`: this process becomes a cleaner, since a
/// monitor knows no database. Returns only when that fails.
fn clean_up_after_removal(launch: &Launch) -> i32 {
    let _why_not = std::process::Command::new("/proc/self/exe")
        .arg0(CLEANER_ARGV0)
        .arg(&launch.root)
        .arg(launch.id.as_str())
        .exec();
    // The next command sweeps it.
    1
}

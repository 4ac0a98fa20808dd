//! Starting the uplink.

use super::ARGV0;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::control::{keep_child, protected};
use crate::runtime::network::way_out::OVERRIDE;
use crate::runtime::systemd;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What it says when the home is there, made by it or by another one; anything else is why not.
pub(super) const READY: &str = "ready";

/// Starts it, and waits until the home is there. `base` is where its files are.
pub fn start(base: &Path) -> Result<()> {
    let program = protected(base)?;
    let mut command = Command::new(program.path());
    command.arg0(ARGV0).arg(base).env_clear().current_dir("/");
    for kept in ["PATH", OVERRIDE, systemd::BUS] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .doing(|| "cannot execute the process that joins networks with the outside")?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said).doing(|| "cannot read what the uplink says")?;
    }
    keep_child(child);
    if said == READY {
        return Ok(());
    }
    let reason = if said.is_empty() { "it ended at once" } else { &said };
    Err(Error::new(ErrorKind::Io, format!("cannot make the networks' home: {reason}"))
        .hint("containers without one work: `network: \"none\"`, or `\"host\"` for the machine's own network"))
}

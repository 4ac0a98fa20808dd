//! The way out by `pasta` (pasta(1)), in the way in which Podman runs it for its bridges.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::network::way_out::{Way, WayKind};
use crate::sys::netlink::RouteSocket;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to end.
const ENDING: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(5);

/// Where its process id is.
fn pid_file(base: &Path) -> PathBuf {
    base.join("network.pasta")
}

/// Starts it for the namespace of this process: it sets its device up there and goes to the background.
pub fn start(base: &Path) -> Result<Way> {
    // One of an uplink that was killed looks once a second whether that is there, and ends then: rather now.
    let started = Instant::now();
    while is_there()? && started.elapsed() < ENDING {
        stop(base);
        thread::sleep(STEP);
    }
    let failure = run(base)?;
    if failure.is_empty() {
        return Ok(Way { kind: WayKind::Pasta, reason: failure });
    }
    Err(Error::new(ErrorKind::Io, format!("`pasta` failed: {failure}")))
}

/// What it says when it fails; empty when it does not.
fn run(base: &Path) -> Result<String> {
    let output = Command::new("pasta")
        .args(arguments(std::process::id(), &pid_file(base)))
        .stdin(Stdio::null())
        .output()
        .doing(|| "cannot execute `pasta`")?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
    Ok(last.map_or_else(|| output.status.to_string(), str::to_owned))
}

/// Nothing comes in by it, and it does not lead to the machine itself: that is our business.
fn arguments(pid: u32, pid_file: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["--config-net", "--quiet", "--no-map-gw"].map(str::to_owned).to_vec();
    for forwarded in ["-t", "-u", "-T", "-U"] {
        arguments.extend([forwarded.to_owned(), "none".to_owned()]);
    }
    arguments.extend(["--pid".to_owned(), pid_file.display().to_string()]);
    arguments.extend(["--netns".to_owned(), format!("/proc/{pid}/ns/net")]);
    arguments
}

/// Whether a default route is there, which only it makes.
fn is_there() -> Result<bool> {
    let routes = RouteSocket::open()?.routes().map_err(|refusal| refusal.doing("cannot list routes"))?;
    Ok(routes.iter().any(|route| route.prefix == 0))
}

/// Ends it, where it was started.
pub fn stop(base: &Path) {
    let file = pid_file(base);
    let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<i32>().ok()) else { return };
    // Whose number it was may have been given to another since. Builds for some processors have names of their own.
    if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("pasta")) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = fs::remove_file(file);
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use std::path::Path;

    #[test]
    fn pasta_lets_nothing_in_and_does_not_lead_to_loopback() {
        let all = arguments(7, Path::new("/run/p")).join(" ");
        assert_eq!(
            all,
            "--config-net --quiet --no-map-gw -t none -u none -T none -U none --pid /run/p \
             --netns /proc/7/ns/net"
        );
    }
}

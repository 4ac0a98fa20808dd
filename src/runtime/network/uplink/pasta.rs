//! The way out by `pasta` (pasta(1)), in the way in which Podman runs it for its bridges.

use super::spawn;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::network::way_out::{Way, WayKind};
use crate::sys::capability;
use crate::sys::netlink::RouteSocket;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long it may take to end.
const ENDING: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(5);

/// Where its process id is.
fn pid_file(base: &Path) -> PathBuf {
    base.join("network.pasta")
}

/// Who executes it: a thread in the machine's namespace, whose routes and addresses it takes over.
pub struct Launcher {
    go: Sender<Pid>,
    said: Receiver<Result<String>>,
}

impl Launcher {
    /// In the namespace that this thread is in now. What it starts is where this process is when `leaving` has ended.
    pub fn here(base: &Path, leaving: JoinHandle<()>) -> Result<Self> {
        let (go, asked) = channel();
        let (answer, said) = channel();
        let base = base.to_owned();
        let work = move || {
            let _ = leaving.join();
            if let Ok(thread) = asked.recv() {
                let _ = answer.send(run(&base, thread));
            }
        };
        spawn(work).doing(|| "cannot start a thread")?;
        Ok(Self { go, said })
    }

    /// Starts it for the namespace of this process: it sets its device up there and goes to the background.
    pub fn start(self, base: &Path) -> Result<Way> {
        // One of an uplink that was killed: newer versions look once a second whether that is there, others stay.
        let started = Instant::now();
        while is_there()? && started.elapsed() < ENDING {
            stop(base);
            thread::sleep(STEP);
        }
        let ended = || Error::invalid("the thread that starts `pasta` has ended");
        self.go.send(open_for_all()?).map_err(|_| ended())?;
        let failure = self.said.recv().map_err(|_| ended())??;
        if failure.is_empty() {
            return Ok(Way { kind: WayKind::Pasta, reason: failure });
        }
        Err(Error::new(ErrorKind::Io, format!("`pasta` failed: {failure}")))
    }
}

/// Starts a thread whose namespace, that of this thread, can be opened by who has no rights but those of the user; gives its
/// number. It stays as long as this process.
///
/// `pasta` gives most capabilities away first, and the kernel lets nobody into `/proc/PID/ns` of who has more (ptrace(2),
/// "Ptrace access mode checking").
fn open_for_all() -> Result<Pid> {
    let (tell, told) = channel();
    let work = move || {
        let _ = tell.send(capability::set(0, 0, 0).map(|()| gettid()));
        loop {
            thread::park();
        }
    };
    spawn(work).doing(|| "cannot start a thread")?;
    let doing = || "cannot give capabilities away";
    told.recv().unwrap_or(Err(Errno::ESRCH)).doing(doing)
}

/// What it says when it fails; empty when it does not. It is for the namespace of a thread.
fn run(base: &Path, thread: Pid) -> Result<String> {
    let output = Command::new("pasta")
        .args(arguments(thread, &pid_file(base)))
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
fn arguments(thread: Pid, pid_file: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["--config-net", "--quiet", "--no-map-gw"].map(str::to_owned).to_vec();
    for forwarded in ["-t", "-u", "-T", "-U"] {
        arguments.extend([forwarded.to_owned(), "none".to_owned()]);
    }
    arguments.extend(["--pid".to_owned(), pid_file.display().to_string()]);
    arguments.extend(["--netns".to_owned(), format!("/proc/{thread}/ns/net")]);
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
    // Whose number it was may have been given to another since. What it is called is no help: it executes `passt.avx2`.
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if command.split(|byte| *byte == 0).any(|argument| argument == file.as_os_str().as_bytes()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let _ = fs::remove_file(file);
}

#[cfg(test)]
mod tests {
    use super::{Pid, arguments};
    use std::path::Path;

    #[test]
    fn pasta_lets_nothing_in_and_does_not_lead_to_loopback() {
        let all = arguments(Pid::from_raw(7), Path::new("/run/p")).join(" ");
        assert_eq!(
            all,
            "--config-net --quiet --no-map-gw -t none -u none -T none -U none --pid /run/p \
             --netns /proc/7/ns/net"
        );
    }
}

//! What a monitor leaves on disk about its container, and reading it truthfully.

use crate::error::{Error, IoContext, Result};
use crate::model::Id;
use crate::runtime::health::Health;
use crate::sys::process::{self, ProcessIdentity};
use crate::sys::record_lock;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Format of `state.json`. Fields are only added, with `#[serde(default)]`.
pub const FORMAT_VERSION: u32 = 1;
/// Name of the file in the container's directory.
pub const FILE_NAME: &str = "state.json";
/// Locked by a monitor for as long as it lives (`F_SETLK`), in the container's directory.
pub const LOCK_NAME: &str = "monitor.lock";
/// The exit code of a container whose end nobody saw: as if by KILL.
pub const UNSEEN_EXIT_CODE: i32 = 128 + libc::SIGKILL;

/// Where a container is in its life, as its monitor knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Never started, or its start has not come to the program yet.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its program has ended and is to be started again.
    Restarting,
    /// Its program has ended.
    Exited,
}

/// `state.json`: written by the monitor at each change, atomically.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`FORMAT_VERSION`] of who wrote it.
    pub version: u32,
    /// The container.
    pub id: Id,
    /// Where it is in its life.
    pub phase: Phase,
    /// The boot that it was written in.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// Its first process on the host. `None` before it started and once it has ended.
    #[serde(default)]
    pub process: Option<ProcessIdentity>,
    /// When its program was executed, UTC nanoseconds.
    #[serde(default)]
    pub started: Option<i64>,
    /// When it ended, UTC nanoseconds; `None` also when nobody saw it.
    #[serde(default)]
    pub finished: Option<i64>,
    /// As a shell gives it, once it has ended.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Killed because it ran out of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// How often its restart policy started it again.
    #[serde(default)]
    pub restarts: u32,
    /// It was ended by hand: by `stop`, or by a signal that means the same.
    #[serde(default)]
    pub stopped: bool,
    /// Why it could not be started again.
    #[serde(default)]
    pub error: Option<String>,
    /// What its health checks have come to; `None`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What could not be done as asked, for a person.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Its monitor was killed, or the machine restarted: nobody saw its end. Found out by [`read`].
    #[serde(skip)]
    pub lost: bool,
}

impl State {
    /// Of a container that has not run.
    pub fn new(id: Id) -> Self {
        Self {
            version: FORMAT_VERSION,
            id,
            phase: Phase::Created,
            boot_id: process::boot_id().ok().map(str::to_owned),
            process: None,
            started: None,
            finished: None,
            exit_code: None,
            oom_killed: false,
            restarts: 0,
            stopped: false,
            error: None,
            health: None,
            warnings: Vec::new(),
            lost: false,
        }
    }

    /// Whether its program has been executed and has not ended, paused or not.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Paused)
    }

    /// Whether its monitor looks after it: it runs, or will run again.
    pub fn is_alive(&self) -> bool {
        self.is_running() || self.phase == Phase::Restarting
    }

    /// Replaces the file. Not synced: after a power loss nothing runs, and another boot says so.
    pub fn write(&self, container_dir: &Path) -> Result<()> {
        let path = container_dir.join(FILE_NAME);
        let doing = || format!("cannot write `{}`", path.display());
        let text = serde_json::to_vec(self).map_err(|error| Error::invalid(format!("{}: {error}", doing())))?;
        let temporary = container_dir.join("state.json.new");
        let replaced = std::fs::write(&temporary, &text).and_then(|()| std::fs::rename(&temporary, &path));
        match replaced {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                // The container has filled its disk. What is there already has its block, and takes the new text.
                let _ = std::fs::remove_file(&temporary);
                overwrite(&path, text).doing(doing)
            }
            other => other.doing(doing),
        }
    }
}

/// Writes over a file without asking for space: what is left of a longer text becomes spaces, which JSON may end in.
fn overwrite(path: &Path, mut text: Vec<u8>) -> std::io::Result<()> {
    let file = std::fs::File::options().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    text.resize(text.len().max(length), b' ');
    file.write_all_at(&text, 0)
}

/// What is true of a container now: a container whose monitor is dead has ended, whatever the file
/// says. `None` when it was never started.
///
/// Fails with `corrupt` when the file cannot be understood.
pub fn read(container_dir: &Path) -> Result<Option<State>> {
    // The lock is looked at first: a monitor that ends in between has written the exit before.
    let alive = monitor_pid(container_dir)?.is_some();
    let Some(mut state) = read_last(container_dir)? else { return Ok(None) };
    if let (None, Some(process)) = (&state.boot_id, &state.process) {
        state.boot_id = Some(process.boot_id.clone());
    }
    let same_boot = match &state.process {
        Some(process) => process::boot_id()? == process.boot_id,
        None => true,
    };
    if state.is_alive() && !(alive && same_boot) {
        if state.is_running() {
            state.exit_code = Some(UNSEEN_EXIT_CODE);
        }
        state.phase = Phase::Exited;
        state.process = None;
        state.lost = true;
    }
    Ok(Some(state))
}

/// The pid of the monitor of a container, while it lives.
pub fn monitor_pid(container_dir: &Path) -> Result<Option<i32>> {
    record_lock::holder(&container_dir.join(LOCK_NAME))
}

/// The file as it is, which may be the past: for a monitor that goes on from there.
pub fn read_last(container_dir: &Path) -> Result<Option<State>> {
    let path = container_dir.join(FILE_NAME);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.doing(|| format!("cannot read `{}`", path.display()))?,
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| Error::corrupt(format!("`{}` is not a state: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(boot_id: &str) -> State {
        let process = ProcessIdentity { boot_id: boot_id.to_owned(), ..ProcessIdentity::current().unwrap() };
        State { phase: Phase::Running, process: Some(process), ..State::new(Id::random().unwrap()) }
    }

    #[test]
    fn a_container_without_a_monitor_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let state = running(process::boot_id().unwrap());
        state.write(dir.path()).unwrap();
        let read = read(dir.path()).unwrap().unwrap();
        assert_eq!((read.phase, read.exit_code), (Phase::Exited, Some(137)));
        assert!(!read.oom_killed && read.process.is_none());
    }

    #[test]
    fn an_exit_that_was_seen_keeps_its_code() {
        let dir = tempfile::tempdir().unwrap();
        let state = State { phase: Phase::Exited, exit_code: Some(3), process: None, ..running("x") };
        state.write(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(state));
    }

    #[test]
    fn fields_of_later_versions_are_ignored_and_missing_ones_have_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let id = Id::random().unwrap();
        let text = format!(r#"{{"version":9,"id":"{id}","phase":"created","later":[1]}}"#);
        std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(State { version: 9, boot_id: None, ..State::new(id) }));
    }

    #[test]
    fn a_broken_file_is_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "{").unwrap();
        assert!(read(dir.path()).unwrap_err().is(crate::error::ErrorKind::Corrupt));
    }
}

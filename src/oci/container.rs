//! What is known of a container: a directory below `--root`.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::bundle;
use crate::runtime::cgroup::{Group, Hierarchies};
use crate::sys::pidfd;
use crate::sys::process::ProcessIdentity;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::UnixAddr;
use nix::sys::stat::Mode;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Version of the runtime specification that this follows.
pub const OCI_VERSION: &str = "1.2.0";
/// Name of the socket that its first process waits at, as long as it was not started.
pub const START_SOCKET: &str = "start.sock";
const RECORD: &str = "state.json";

/// What is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// Directory of its bundle.
    pub bundle: PathBuf,
    /// Its root file system.
    pub rootfs: PathBuf,
    /// When it was created, RFC 3339.
    pub created: String,
    /// Who created it.
    pub owner: String,
    /// Its control group, below the root of each hierarchy.
    pub cgroup: PathBuf,
    /// Its first process.
    pub process: Option<ProcessIdentity>,
    /// What could not be done as asked.
    pub warnings: Vec<String>,
    /// Annotations of its bundle.
    pub annotations: BTreeMap<String, String>,
}

/// A container that was created.
#[derive(Debug)]
pub struct Container {
    /// Where it is written down.
    pub dir: PathBuf,
    /// What is.
    pub record: Record,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is being created.
    Creating,
    /// It waits for its start.
    Created,
    /// Its program runs.
    Running,
    /// Its processes stand still.
    Paused,
    /// Its first process has ended.
    Stopped,
}

impl Status {
    /// The word of the specification.
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl Container {
    /// Takes a name. Fails with `conflict` when it is taken already.
    pub fn claim(root: &Path, id: &str) -> Result<PathBuf> {
        let dir = directory(root, id)?;
        std::fs::create_dir_all(root).doing(|| format!("cannot make `{}`", root.display()))?;
        match std::fs::create_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Error::conflict(format!("container with id exists: `{id}`"))
                    .hint("delete it, or choose another id"))
            }
            made => made.doing(|| format!("cannot make `{}`", dir.display())).map(|()| dir),
        }
    }

    /// Reads what is written down. Engines look for the words of the error.
    pub fn load(root: &Path, id: &str) -> Result<Self> {
        let dir = directory(root, id)?;
        let path = dir.join(RECORD);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::not_found(format!("container `{id}` does not exist"))
                    .hint("look at `shanty oci list`: with the same `--root` as at its creation"));
            }
            other => other.doing(|| format!("cannot read `{}`", path.display()))?,
        };
        let record = serde_json::from_slice(&text)
            .map_err(|error| Error::corrupt(format!("`{}` cannot be read: {error}", path.display())))?;
        Ok(Self { dir, record })
    }

    /// Writes it down: never seen by halves.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.record)
            .map_err(|error| Error::invalid(format!("the state cannot be written: {error}")))?;
        write_whole(&self.dir.join(RECORD), &text)
    }

    /// The specification as it was when the container was created.
    pub fn spec(&self) -> Result<Spec> {
        bundle::read(&self.dir)
    }

    /// Its control groups.
    pub fn group<'a>(&'a self, hierarchies: &'a Hierarchies) -> Group<'a> {
        Group { hierarchies, path: &self.record.cgroup }
    }

    /// What it does now.
    pub fn status(&self) -> Result<Status> {
        let Some(process) = &self.record.process else { return Ok(Status::Creating) };
        if !process.is_alive() {
            return Ok(Status::Stopped);
        }
        if self.dir.join(START_SOCKET).exists() {
            return Ok(Status::Created);
        }
        let hierarchies = Hierarchies::discover()?;
        Ok(if self.group(&hierarchies).is_paused() { Status::Paused } else { Status::Running })
    }

    /// Its first process; `None` when it has ended.
    pub fn init(&self) -> Option<OwnedFd> {
        let process = self.record.process.as_ref()?;
        let pidfd = pidfd::open(process.pid).ok()?;
        // Looked at after it was opened: now it cannot be another one.
        process.is_alive().then_some(pidfd)
    }

    /// The same, which must be there. Engines look for the words of the error.
    pub fn running_init(&self) -> Result<OwnedFd> {
        self.init().ok_or_else(|| Error::conflict(format!("container not running: `{}`", self.record.id)))
    }

    /// Its state, as hooks and `state` have it.
    pub fn state(&self, status: Status) -> serde_json::Value {
        let Record { id, bundle, annotations, process, .. } = &self.record;
        let pid = process.as_ref().filter(|_| status != Status::Stopped).map_or(0, |process| process.pid);
        serde_json::json!({
            "ociVersion": OCI_VERSION, "id": id, "status": status.name(), "pid": pid, "bundle": bundle,
            "annotations": annotations,
        })
    }
}

/// All containers, by name.
pub fn all(root: &Path) -> Vec<Container> {
    let names = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut containers: Vec<Container> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        // One that is being made or taken away at this moment is not there.
        .filter_map(|id| Container::load(root, &id).ok())
        .collect();
    containers.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    containers
}

/// Address of the socket that starts a container, however long the path to it is.
pub fn start_address(dir: &OwnedFd) -> nix::Result<UnixAddr> {
    UnixAddr::new(format!("/proc/self/fd/{}/{START_SOCKET}", dir.as_raw_fd()).as_str())
}

/// Opens a directory as a place.
pub fn open_place(dir: &Path) -> Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(dir, flags, Mode::empty()).doing(|| format!("cannot open `{}`", dir.display()))
}

/// Writes a file so that nobody reads half of it.
pub fn write_whole(path: &Path, text: &[u8]) -> Result<()> {
    let doing = || format!("cannot write `{}`", path.display());
    let name = path.file_name().ok_or_else(|| Error::invalid(format!("{}: it is a directory", doing())))?;
    let new = path.with_file_name(format!(".{}", name.to_string_lossy()));
    std::fs::write(&new, text).doing(doing)?;
    std::fs::rename(&new, path).doing(doing)
}

fn directory(root: &Path, id: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id == "." || id == ".." || !id.chars().all(plain) {
        return Err(Error::new(ErrorKind::Invalid, format!("`{id}` cannot be the id of a container"))
            .hint("use letters, digits, `_`, `+`, `-` and `.`"));
    }
    Ok(root.join(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_and_never_a_path() {
        for (id, good) in
            [("a-1_b+c.d", true), ("", false), ("..", false), ("a/b", false), ("ä", false), ("a b", false)]
        {
            assert_eq!(directory(Path::new("/run/x"), id).is_ok(), good, "{id}");
        }
    }

    #[test]
    fn a_name_is_taken_once_and_what_is_not_there_does_not_exist() {
        let root = tempfile::tempdir().unwrap();
        assert!(Container::load(root.path(), "x").unwrap_err().message().contains("does not exist"));
        Container::claim(root.path(), "x").unwrap();
        assert!(Container::claim(root.path(), "x").unwrap_err().is(ErrorKind::Conflict));
    }
}

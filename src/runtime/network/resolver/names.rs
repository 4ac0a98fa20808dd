//! The names of the containers in a network: a file per network, replaced as a whole under a lock on its folder.
//!
//! A query that is sent after one of these has returned sees the change.

use super::replaced::{replace, unfinished};
use crate::error::{Error, IoContext, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// One container in one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Its id.
    pub container: String,
    /// Its addresses in this network.
    pub addresses: Vec<IpAddr>,
    /// What it is called: container name, aliases, short id, service. Upper and lower case are the same. The first is
    /// what a look-up of an address gives.
    pub names: Vec<String>,
}

/// The file. A structure, so that a later version can add to it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Names {
    containers: Vec<Entry>,
}

/// Adds a container, or replaces its entry. The folder of the file exists.
pub fn put(file: &Path, entry: &Entry) -> Result<()> {
    let lock = lock(file)?
        .ok_or_else(|| Error::not_found(format!("cannot write `{}`: its folder does not exist", file.display())))?;
    let mut entries = read(file)?;
    match entries.iter_mut().find(|known| known.container == entry.container) {
        Some(known) if known == entry => return Ok(()),
        Some(known) => known.clone_from(entry),
        None => entries.push(entry.clone()),
    }
    write(file, entries, &lock)
}

/// Removes a container; fine when there is none. The file goes with its last entry.
pub fn remove(file: &Path, container: &str) -> Result<()> {
    retain(file, |known| known != container)
}

/// Keeps the containers of which `keep` says so.
pub fn retain(file: &Path, keep: impl Fn(&str) -> bool) -> Result<()> {
    let Some(lock) = lock(file)? else { return Ok(()) };
    let mut entries = read(file)?;
    let before = entries.len();
    entries.retain(|entry| keep(&entry.container));
    if entries.len() == before { Ok(()) } else { write(file, entries, &lock) }
}

/// What is in the file; nothing when there is none.
pub fn read(file: &Path) -> Result<Vec<Entry>> {
    let text = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.doing(|| format!("cannot read `{}`", file.display()))?,
    };
    parse(&text).ok_or_else(|| {
        Error::corrupt(format!("`{}` is no file of names", file.display()))
            .hint(format!("remove it: `rm {}`, and start the containers of the network again", file.display()))
    })
}

/// The entries in the text of a file.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Entry>> {
    serde_json::from_slice(text).ok().map(|names: Names| names.containers)
}

fn write(file: &Path, containers: Vec<Entry>, _lock: &Flock<File>) -> Result<()> {
    let doing = || format!("cannot write `{}`", file.display());
    if containers.is_empty() {
        // What a killed writer left.
        let _ = fs::remove_file(unfinished(file));
        return match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.doing(|| format!("cannot remove `{}`", file.display())),
        };
    }
    let text =
        serde_json::to_vec(&Names { containers }).map_err(|error| Error::invalid(format!("{}: {error}", doing())))?;
    replace(file, &text).doing(doing)
}

/// Keeps other writers out of the folder; `None` when there is no folder. A lock file would have to be removed with
/// the file some day, while somebody waits for it; the folder stays. It is held for less than a millisecond.
fn lock(file: &Path) -> Result<Option<Flock<File>>> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut opened = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.doing(|| format!("cannot open `{}`", folder.display()))?,
    };
    loop {
        match Flock::lock(opened, FlockArg::LockExclusive) {
            Ok(lock) => return Ok(Some(lock)),
            Err((back, Errno::EINTR)) => opened = back,
            Err((_, errno)) => return Err(errno).doing(|| format!("cannot lock `{}`", folder.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn entry(number: usize) -> Entry {
        Entry {
            container: format!("id{number}"),
            addresses: vec![IpAddr::from([10, 0, (number / 256) as u8, (number % 256) as u8])],
            names: vec![format!("web{number}"), "web".into()],
        }
    }

    #[test]
    fn entries_are_put_replaced_and_removed_and_the_file_goes_with_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backend.json");
        assert_eq!(read(&file).unwrap(), []);
        remove(&file, "id1").unwrap();
        put(&file, &entry(1)).unwrap();
        put(&file, &entry(2)).unwrap();
        let renamed = Entry { names: vec!["shop".into()], ..entry(1) };
        put(&file, &renamed).unwrap();
        assert_eq!(read(&file).unwrap(), [renamed, entry(2)]);
        retain(&file, |container| container != "id1").unwrap();
        assert_eq!(read(&file).unwrap(), [entry(2)]);
        remove(&file, "id2").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backend.json");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for number in 0..25 {
                        put(file, &entry(writer * 100 + number)).unwrap();
                        put(file, &entry(writer * 100 + 50 + number)).unwrap();
                        remove(file, &format!("id{}", writer * 100 + 50 + number)).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&file).unwrap().len(), 200);
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_reason_to_fail_a_removal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gone/backend.json");
        remove(&file, "id1").unwrap();
        retain(&file, |_| false).unwrap();
        assert_eq!(put(&file, &entry(1)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

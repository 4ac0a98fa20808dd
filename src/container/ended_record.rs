//! What stays readable of a container that was removed at its end: how it ended and the end of its log,
//! until the next boot or for an hour, so that `wait`, `exit_code` and `logs` never race with the removal.

use super::row::Row;
use super::{folder, logs};
use crate::error::{Error, IoContext, Result};
use crate::model::{ContainerInfo, Id};
use crate::store::Store;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

/// How much of the log stays, in bytes.
const LOG_BYTES: u64 = 64 * 1024;
/// How long it stays.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// Writes the record of a container that has ended and is about to be removed.
pub fn write(store: &Store, row: &Row, info: &ContainerInfo) -> Result<()> {
    let path = path(store, row.id.as_str(), "json");
    let doing = || format!("cannot write `{}`", path.display());
    DirBuilder::new().recursive(true).mode(0o700).create(folder(store)).doing(doing)?;
    copy_end_of_log(store, &row.id)?;
    let text = serde_json::to_vec(info).map_err(|error| Error::invalid(format!("{}: {error}", doing())))?;
    fs::write(&path, text).doing(doing)
}

/// How a removed container ended, by its full id.
pub fn read(store: &Store, id: &str) -> Result<Option<ContainerInfo>> {
    if Id::parse(id).is_none() {
        return Ok(None);
    }
    match fs::read(path(store, id, "json")) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(|| "cannot read what is left of a removed container"),
    }
}

/// The end of its log, by its full id.
pub fn log(store: &Store, id: &str) -> Option<PathBuf> {
    let path = path(store, id, "log");
    (Id::parse(id).is_some() && path.exists()).then_some(path)
}

/// Takes away what is older than an hour.
pub fn sweep(store: &Store) -> Result<()> {
    let folder = folder(store);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.doing(|| format!("cannot list `{}`", folder.display()))?,
    };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > KEPT)) {
            // Somebody else may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn copy_end_of_log(store: &Store, id: &Id) -> Result<()> {
    if let Some(end) = logs::end_of(&folder::file(store, id, logs::FILE_NAME), LOG_BYTES)? {
        // The first line is cut short, unless it is the first of all: readers pass over it.
        fs::write(path(store, id.as_str(), "log"), end).doing(|| "cannot keep the end of the log")?;
    }
    Ok(())
}

fn folder(store: &Store) -> PathBuf {
    store.run_dir().join("ended")
}

fn path(store: &Store, id: &str, what: &str) -> PathBuf {
    folder(store).join(format!("{id}.{what}"))
}

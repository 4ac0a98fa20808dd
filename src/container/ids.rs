//! Ids of the host for containers whose user namespace is `auto`: a range that nobody else on the host has.
//!
//! The files of a container are stored with the ids of its image, so a range is needed only while it runs. Who has one
//! is told by the bundles of those that run, of all roots: they are in memory, and go with the container.

use crate::context::CancelToken;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{Id, IdRange};
use crate::runtime::bundle;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Ids of one container, as much as most images use.
const COUNT: u32 = 65_536;
/// The first id that is given: far above what people and distributions use.
const FIRST: u32 = 1 << 29;
/// How many ranges there are, up to 2^31: some programs take greater ids for negative numbers.
const RANGES: u32 = ((1 << 31) - FIRST) / COUNT;
/// Who holds it reads some files: milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A range that nobody has. It is this container's once its bundle is written, up to which the lock is to be held.
/// `run` is the folder with the folders of the roots, which hold those of the containers.
pub fn choose(run: &Path, id: &Id) -> Result<(IdRange, FileLock)> {
    let lock = hold(&run.join("ids.lock"))?;
    let mut taken = delegated("/etc/subuid");
    taken.extend(delegated("/etc/subgid"));
    for root in folders(run) {
        taken.extend(folders(&root).iter().filter(|folder| !folder.ends_with(id.short())).flat_map(|it| mapped(it)));
    }
    // The same for the same container, as far as it can be.
    let first = u32::from_str_radix(id.as_str().get(..8).unwrap_or_default(), 16).unwrap_or(0) % RANGES;
    let range = |number: u32| FIRST + (first + number) % RANGES * COUNT;
    let is_free = |start: &u32| !taken.iter().any(|(other, count)| overlap((*start, COUNT), (*other, *count)));
    match (0..RANGES).map(range).find(is_free) {
        Some(outside) => Ok((IdRange { inside: 0, outside, count: COUNT }, lock)),
        None => Err(Error::conflict("all ranges of ids are taken").hint("give the ids: `userns: #{ uid: …, gid: … }`")),
    }
}

fn hold(path: &Path) -> Result<FileLock> {
    let doing = || format!("cannot open `{}`", path.display());
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).doing(doing)?;
    FileLock::lock(file, LockMode::Exclusive, &CancelToken::new().child_with_timeout(TIMEOUT)).map_err(|error| {
        let error = error.context("waiting for the lock of the host's ids");
        if error.is(ErrorKind::Timeout) { error.as_kind(ErrorKind::Busy).hint("try again") } else { error }
    })
}

fn folders(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// What a bundle maps; one that cannot be read is being taken away.
fn mapped(folder: &Path) -> Vec<(u32, u32)> {
    let Ok(spec) = bundle::read(folder) else { return Vec::new() };
    let Some(linux) = spec.linux() else { return Vec::new() };
    let maps = [linux.uid_mappings(), linux.gid_mappings()];
    maps.into_iter().flatten().flatten().map(|range| (range.host_id(), range.size())).collect()
}

/// What the administrator has given to users (subuid(5)).
fn delegated(path: &str) -> Vec<(u32, u32)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let range = |line: &str| {
        let mut fields = line.trim().split(':').skip(1).map(|field| field.parse().ok());
        Some((fields.next()??, fields.next()??))
    };
    text.lines().filter_map(range).collect()
}

fn overlap((one, of_one): (u32, u32), (other, of_other): (u32, u32)) -> bool {
    let end = |start: u32, count: u32| u64::from(start) + u64::from(count);
    u64::from(one) < end(other, of_other) && u64::from(other) < end(one, of_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_bundle_maps_is_not_given() {
        let run = tempfile::tempdir().unwrap();
        let id = Id::random().unwrap();
        let (first, lock) = choose(run.path(), &id).unwrap();
        drop(lock);
        let other = run.path().join("0a0b0c0d/other");
        std::fs::create_dir_all(&other).unwrap();
        let mapping = format!(r#"[{{"containerID":0,"hostID":{},"size":1}}]"#, first.outside + 1000);
        let text = format!(r#"{{"ociVersion":"1.2.0","linux":{{"gidMappings":{mapping}}}}}"#);
        std::fs::write(other.join(bundle::CONFIG_NAME), text).unwrap();
        let (second, _lock) = choose(run.path(), &id).unwrap();
        assert_ne!(first.outside, second.outside);
        assert!(!overlap((first.outside, COUNT), (second.outside, COUNT)) && second.outside >= FIRST);
    }
}

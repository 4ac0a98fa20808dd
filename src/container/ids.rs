//! Ids of the host for containers whose user namespace is `auto`: a range that nobody else on the host has.
//!
//! The files of a container are stored with the ids of its image, so a range is needed only while it runs. Who has one
//! is told by the bundles of those that run, of all roots: they are in memory, and go with the container.

use super::row;
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{Id, IdMaps, IdRange};
use crate::privilege::Privilege;
use crate::runtime::bundle;
use crate::store::Store;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Ids of one container, as much as most images use.
const COUNT: u32 = 65_536;
/// The first id that is given: far above what people and distributions use.
const FIRST: u32 = 1 << 29;
/// Least that a container of an ordinary user has: those of the system, and some of people.
const LEAST: u32 = 1024;
/// The last ones of 16 bits, which some images have although they need few: `nobody`, `nogroup`, `nonroot`.
const HIGHEST: u32 = 4;
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

/// Ids of the user's namespace that no container of the root has, nor one that runs of another root, and the lock to be held
/// until the container has its row: it keeps them.
///
/// They are a sixteenth of the user's, so that containers with different ones are a few, and the highest of 16 bits
/// among them: `nobody` and the like.
pub fn choose_of_user(store: &Store, cx: &Context, privilege: Privilege) -> Result<(IdMaps, FileLock)> {
    let all = privilege.uid_count().min(privilege.gid_count());
    let Some(count) = size_of_user(all) else {
        return Err(Error::unsupported(format!("`userns: \"auto\"` needs more ids than the {all} that you have"))
            .hint("have root give you 65,536 (`usermod --add-subuids`), or choose them: `userns: #{ uid: […] }`"));
    };
    let run = store.run_dir().parent().unwrap_or(store.run_dir());
    let lock = FileLock::lock(open(&run.join("user-ids.lock"))?, LockMode::Exclusive, &cx.cancel)?;
    let mut taken = of_containers(store)?;
    for root in folders(run).iter().filter(|root| root.as_path() != store.run_dir()) {
        // One that has the user's own number has all of them.
        let others = folders(root);
        let others = others.iter().map(|it| mapped(it)).filter(|maps| !maps.iter().any(|(start, _)| *start == 0));
        taken.extend(others.flatten());
    }
    let starts = (0..(all - 1) / count).map(|number| 1 + number * count);
    let is_free = |start: &u32| !taken.iter().any(|(other, size)| overlap((*start, count), (*other, *size)));
    match starts.into_iter().find(is_free) {
        Some(start) => {
            let ranges = ranges_of_user(start, count);
            Ok((IdMaps { uid: ranges.clone(), gid: ranges }, lock))
        }
        None => Err(Error::conflict(format!("all your ids are taken: each container has {count} of your {all}"))
            .hint("remove containers made with `userns: \"auto\"`, or choose ids: `userns: #{ uid: [\"0:1:1000\"] }`")),
    }
}

/// How many ids a container has of a user's `all`.
fn size_of_user(all: u32) -> Option<u32> {
    let own = all.checked_sub(1)?;
    let part = if own / 16 >= COUNT { COUNT } else { 1u32.checked_shl((own / 16).checked_ilog2()?)? };
    Some(part.max(LEAST)).filter(|count| *count <= own)
}

fn ranges_of_user(start: u32, count: u32) -> Vec<IdRange> {
    let range = |inside, outside, count| IdRange { inside, outside, count };
    if count >= COUNT {
        return vec![range(0, start, COUNT)];
    }
    let low = count - HIGHEST;
    vec![range(0, start, low), range(COUNT - HIGHEST, start + low, HIGHEST)]
}

/// Ids that containers keep.
fn of_containers(store: &Store) -> Result<Vec<(u32, u32)>> {
    let kept: Vec<IdMaps> = store.read(row::kept_ids)?;
    Ok(kept.into_iter().flat_map(|maps| [maps.uid, maps.gid].concat()).map(|it| (it.outside, it.count)).collect())
}

fn open(path: &Path) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    file.doing(|| format!("cannot open `{}`", path.display()))
}

fn hold(path: &Path) -> Result<FileLock> {
    let cancel = CancelToken::new().child_with_timeout(TIMEOUT);
    FileLock::lock(open(path)?, LockMode::Exclusive, &cancel).map_err(|error| {
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
    fn a_users_ids_are_shared_out() {
        let sizes = [1, 500, 1025, 65_537, 200_001, 1_048_577, 4_000_000].map(size_of_user);
        assert_eq!(sizes, [None, None, Some(1024), Some(4096), Some(8192), Some(65_536), Some(65_536)]);
        let range = |inside, outside, count| IdRange { inside, outside, count };
        assert_eq!(ranges_of_user(4097, 4096), [range(0, 4097, 4092), range(65_532, 8189, 4)]);
        assert_eq!(ranges_of_user(1, 65_536), [range(0, 1, 65_536)]);
    }

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

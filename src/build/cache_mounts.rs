//! Folders that outlive a build: `RUN --mount=type=cache`. What is in them is in no image.
//!
//! `cache_mounts/<digits>-<number>` of the root: `data` is the folder, `lock` is held while it is used, `about` says what it
//! is. The digits are those of a digest of the id. Number 0 is what everybody gets; the others are for who wants one alone while
//! that is used. A folder is filled under another name, so that one with its name is whole.

use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{CacheUsage, Digest, PruneItem, PruneKind, PrunePlan, PruneSpec, Usage};
use crate::store::{Store, folder_size};
use crate::sys::lock::{FileLock, LockMode};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In the root.
const FOLDER: &str = "cache_mounts";
/// What the ids of items begin with that are cache mounts.
const PREFIX: &str = "mount-";
/// The folder itself.
const DATA: &str = "data";
/// The same while it is being filled.
const FILLING: &str = "filling";
const LOCK: &str = "lock";
const ABOUT: &str = "about";
/// Until somebody else who makes a folder is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(3);
/// So many builds may have one folder each for themselves alone.
const MOST_PRIVATE: u32 = 1024;

/// Who may use a cache mount at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// Any number of steps.
    #[default]
    Shared,
    /// One step: another one gets a folder of its own.
    Private,
    /// One step: others wait.
    Locked,
}

/// Fills an empty folder.
pub type Seed<'a> = dyn Fn(&Path) -> Result<()> + 'a;

/// What a new cache mount is like.
pub struct CacheInit<'a> {
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode.
    pub mode: u32,
    /// Puts into the empty folder what it begins with, and gives it an owner.
    pub seed: Option<&'a Seed<'a>>,
}

impl Default for CacheInit<'_> {
    fn default() -> Self {
        Self { uid: 0, gid: 0, mode: 0o755, seed: None }
    }
}

/// A cache mount in use. Dropped, others may have it.
#[derive(Debug)]
pub struct CacheMount {
    folder: PathBuf,
    lock: FileLock,
}

/// What is known of a folder beside its files.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    id: String,
    created: jiff::Timestamp,
    uses: u64,
}

/// Gets a cache mount by its id; a new one is made. As in BuildKit, one with another owner or mode is another one.
///
/// # Errors
/// `cancelled` while it waits for others.
pub fn take(store: &Store, cx: &Context, id: &str, sharing: Sharing, init: &CacheInit<'_>) -> Result<CacheMount> {
    let name = Digest::from_sha256(&digest(id, init));
    let numbers = 0..if sharing == Sharing::Private { MOST_PRIVATE } else { 1 };
    for number in numbers {
        let slot = Slot { path: store.root().join(FOLDER).join(format!("{}-{number}", name.hex())) };
        let lock = match sharing {
            Sharing::Private => match slot.try_lock(LockMode::Exclusive)? {
                Some(lock) => lock,
                None => continue,
            },
            Sharing::Locked => slot.lock(LockMode::Exclusive, cx)?,
            Sharing::Shared => slot.lock_shared(cx, id, init)?,
        };
        slot.make(id, init)?;
        slot.note_use()?;
        return Ok(CacheMount { folder: slot.path.join(DATA), lock });
    }
    Err(Error::conflict(format!("{MOST_PRIVATE} steps use the cache mount `{id}` already")))
}

impl CacheMount {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for CacheMount {
    fn drop(&mut self) {
        // Its last use is its end. Without that it only seems to be older than it is.
        let _ = self.lock.file().set_modified(std::time::SystemTime::now());
    }
}

fn digest(id: &str, init: &CacheInit<'_>) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let mut hasher = Sha256::new();
    for number in [init.uid, init.gid, init.mode] {
        hasher.update(number.to_be_bytes());
    }
    hasher.update(id);
    hasher.finalize().into()
}

/// One folder with its lock.
struct Slot {
    path: PathBuf,
}

impl Slot {
    fn open(&self) -> io::Result<File> {
        let path = self.path.join(LOCK);
        let open = || File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
                open()
            }
            opened => opened,
        }
    }

    /// A folder that is being removed is renamed away by who holds its lock.
    fn lock(&self, mode: LockMode, cx: &Context) -> Result<FileLock> {
        FileLock::lock_path_as(&self.path.join(LOCK), mode, || self.open(), &cx.cancel)
    }

    fn try_lock(&self, mode: LockMode) -> Result<Option<FileLock>> {
        let path = self.path.join(LOCK);
        let doing = || format!("cannot lock `{}`", path.display());
        loop {
            let Ok(lock) = FileLock::try_lock(self.open().doing(doing)?, mode).doing(doing)? else { return Ok(None) };
            if lock.is_still_at(&path)? {
                return Ok(Some(lock));
            }
        }
    }

    /// With the others; whoever finds it empty makes it first, alone.
    fn lock_shared(&self, cx: &Context, id: &str, init: &CacheInit<'_>) -> Result<FileLock> {
        loop {
            let lock = self.lock(LockMode::Shared, cx)?;
            if self.path.join(DATA).exists() {
                return Ok(lock);
            }
            drop(lock);
            // Not waited for: who has just made it holds it as long as its step runs.
            match self.try_lock(LockMode::Exclusive)? {
                Some(_alone) => self.make(id, init)?,
                None => cx.cancel.sleep(LOOK_AGAIN)?,
            }
        }
    }

    /// Makes the folder when it is not there; the caller is alone then.
    fn make(&self, id: &str, init: &CacheInit<'_>) -> Result<()> {
        let (data, filling) = (self.path.join(DATA), self.path.join(FILLING));
        if data.exists() {
            return Ok(());
        }
        let doing = || format!("cannot make the cache mount `{id}`");
        match fs::remove_dir_all(&filling) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.doing(doing)?,
        }
        fs::create_dir(&filling).doing(doing)?;
        if let Some(seed) = init.seed {
            seed(&filling)?;
        }
        chown(&filling, Some(init.uid), Some(init.gid)).doing(doing)?;
        fs::set_permissions(&filling, Permissions::from_mode(init.mode)).doing(doing)?;
        self.write(&About { id: id.to_owned(), created: jiff::Timestamp::now(), uses: 0 })?;
        fs::rename(&filling, &data).doing(doing)
    }

    fn about(&self) -> Option<About> {
        serde_json::from_slice(&fs::read(self.path.join(ABOUT)).ok()?).ok()
    }

    fn write(&self, about: &About) -> Result<()> {
        let path = self.path.join(ABOUT);
        let doing = || format!("cannot write `{}`", path.display());
        let text = serde_json::to_vec(about).map_err(io::Error::other).doing(doing)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.path).doing(doing)?;
        io::Write::write_all(&mut file, &text).doing(doing)?;
        file.persist(&path).map(drop).map_err(|error| error.error).doing(doing)
    }

    /// Two at once may be counted as one.
    fn note_use(&self) -> Result<()> {
        match self.about() {
            Some(about) => self.write(&About { uses: about.uses + 1, ..about }),
            None => Ok(()),
        }
    }

    fn used(&self) -> Option<jiff::Timestamp> {
        fs::metadata(self.path.join(LOCK)).ok()?.modified().ok()?.try_into().ok()
    }

    fn item_id(&self) -> String {
        format!("{PREFIX}{}", self.path.file_name().unwrap_or_default().to_string_lossy())
    }
}

/// Whether an item of the build cache is a cache mount.
pub fn is_one(item: &PruneItem) -> bool {
    item.id.starts_with(PREFIX)
}

/// All of them, those used last first. `active` are those that a step uses now.
pub fn usage(store: &Store) -> Result<Usage<CacheUsage>> {
    let mut usage = Usage::default();
    for slot in slots(store)? {
        let size = folder_size(&slot.path.join(DATA));
        let busy = is_busy(&slot)?;
        let about = slot.about();
        usage.count += 1;
        usage.active += usize::from(busy);
        usage.size += size;
        usage.reclaimable += if busy { 0 } else { size };
        usage.items.push(CacheUsage {
            id: slot.item_id(),
            step: describe(about.as_ref()),
            size,
            shared: false,
            created: about.as_ref().map(|about| about.created),
            used: slot.used(),
            uses: about.map_or(0, |about| about.uses),
        });
    }
    usage.items.sort_by_key(|item| std::cmp::Reverse(item.used));
    Ok(usage)
}

/// Plans to remove those that no step uses, all of them or those that were used last before `older_than`.
pub fn plan(store: &Store, spec: &PruneSpec) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    for slot in slots(store)? {
        let used = slot.used();
        if spec.older_than.is_some_and(|time| used.is_some_and(|used| used >= time)) {
            continue;
        }
        let about = slot.about();
        let item = PruneItem {
            kind: PruneKind::BuildCache,
            id: slot.item_id(),
            names: vec![describe(about.as_ref())],
            created: about.map(|about| about.created),
            bytes: folder_size(&slot.path.join(DATA)),
            mark: mark(used),
        };
        if is_busy(&slot)? {
            plan.skipped.push(item.skip(IN_USE));
            continue;
        }
        plan.freed += item.bytes;
        plan.deleted.push(item.id.clone());
        plan.items.push(item);
    }
    Ok(plan)
}

const IN_USE: &str = "a step of a build uses it";

/// Removes those of a plan. Those that were used since stay.
pub fn carry_out(store: &Store, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    let slots = slots(store)?;
    for item in items {
        let Some(slot) = slots.iter().find(|slot| slot.item_id() == item.id) else {
            done.skipped.push(item.skip("it was removed meanwhile"));
            continue;
        };
        if let Some(reason) = slot.remove(store, &item.mark)? {
            done.skipped.push(item.skip(reason));
            continue;
        }
        done.items.push((*item).clone());
        done.freed += item.bytes;
        done.deleted.push(item.id.clone());
    }
    store.empty_trash();
    Ok(())
}

impl Slot {
    /// Removes it as it was planned, or says why not.
    fn remove(&self, store: &Store, planned: &str) -> Result<Option<&'static str>> {
        let Some(_alone) = self.try_lock(LockMode::Exclusive)? else { return Ok(Some(IN_USE)) };
        if mark(self.used()) != planned {
            return Ok(Some("it was used meanwhile"));
        }
        store.discard(&self.path)?;
        Ok(None)
    }
}

fn is_busy(slot: &Slot) -> Result<bool> {
    let Ok(file) = File::open(slot.path.join(LOCK)) else { return Ok(false) };
    Ok(FileLock::try_lock(file, LockMode::Exclusive).doing(|| "cannot lock a cache mount")?.is_err())
}

fn describe(about: Option<&About>) -> String {
    about.map_or_else(|| "cache mount".to_owned(), |about| format!("cache mount `{}`", about.id))
}

fn mark(used: Option<jiff::Timestamp>) -> String {
    used.map(|used| used.to_string()).unwrap_or_default()
}

fn slots(store: &Store) -> Result<Vec<Slot>> {
    let folder = store.root().join(FOLDER);
    let doing = || format!("cannot list `{}`", folder.display());
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.doing(doing)?,
    };
    let slots = entries.map(|entry| Ok(Slot { path: entry.doing(doing)?.path() })).collect::<Result<Vec<_>>>()?;
    Ok(slots.into_iter().filter(|slot| slot.path.join(DATA).exists()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::os::unix::fs::MetadataExt;
    use std::time::Duration;

    struct Root {
        store: Store,
        _folder: tempfile::TempDir,
    }

    impl Root {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Self { store: Store::open(&folder.path().join("root")).unwrap(), _folder: folder }
        }

        fn take(&self, id: &str, sharing: Sharing) -> CacheMount {
            take(&self.store, &Context::background(), id, sharing, &CacheInit::default()).unwrap()
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            fs::remove_dir_all(self.store.run_dir()).unwrap();
        }
    }

    #[test]
    fn files_stay_for_the_next_one_with_the_id_and_the_owner() {
        let root = Root::new();
        let first = root.take("npm", Sharing::Shared);
        fs::write(first.folder().join("kept"), "x").unwrap();
        assert_eq!(fs::metadata(first.folder()).unwrap().mode() & 0o7777, 0o755);
        let path = first.folder().to_owned();
        drop(first);
        assert_eq!(root.take("npm", Sharing::Locked).folder(), path);
        assert_ne!(root.take("pip", Sharing::Shared).folder(), path);
        let seed = |folder: &Path| fs::write(folder.join("seed"), "s").doing(|| "seeding");
        let init = CacheInit { uid: 7, gid: 8, mode: 0o1777, seed: Some(&seed) };
        let other = take(&root.store, &Context::background(), "npm", Sharing::Shared, &init).unwrap();
        let found = fs::metadata(other.folder()).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (7, 8, 0o1777));
        assert_eq!(fs::read_to_string(other.folder().join("seed")).unwrap(), "s");
    }

    #[test]
    fn a_shared_one_is_for_all_a_private_one_alone_and_a_locked_one_is_waited_for() {
        let root = Root::new();
        let shared = [root.take("a", Sharing::Shared), root.take("a", Sharing::Shared)];
        assert_eq!(shared[0].folder(), shared[1].folder());
        let private = [root.take("b", Sharing::Private), root.take("b", Sharing::Private)];
        assert_ne!(private[0].folder(), private[1].folder());
        let freed = private[1].folder().to_owned();
        let [first, second] = private;
        drop(second);
        assert_eq!(root.take("b", Sharing::Private).folder(), freed);
        drop(first);
        let locked = root.take("c", Sharing::Locked);
        let hurried = Context::background().with_timeout(Some(Duration::from_millis(20)));
        for sharing in [Sharing::Locked, Sharing::Shared] {
            let error = take(&root.store, &hurried, "c", sharing, &CacheInit::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| root.take("c", Sharing::Locked));
            drop(locked);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn one_that_was_left_half_filled_is_filled_anew() {
        let root = Root::new();
        let failing = |folder: &Path| {
            fs::write(folder.join("half"), "h").unwrap();
            Err(Error::invalid("no more"))
        };
        let init = CacheInit { seed: Some(&failing), ..CacheInit::default() };
        let cx = Context::background();
        assert!(take(&root.store, &cx, "a", Sharing::Shared, &init).is_err());
        assert_eq!(usage(&root.store).unwrap().count, 0);
        assert_eq!(fs::read_dir(root.take("a", Sharing::Shared).folder()).unwrap().count(), 0);
    }

    #[test]
    fn those_that_nobody_uses_are_removed() {
        let root = Root::new();
        let spec = PruneSpec { build_cache: true, ..PruneSpec::default() };
        for id in ["free", "again"] {
            fs::write(root.take(id, Sharing::Shared).folder().join("file"), "12345").unwrap();
        }
        let busy = root.take("busy", Sharing::Shared);
        let listed = usage(&root.store).unwrap();
        assert_eq!((listed.count, listed.active, listed.size, listed.reclaimable), (3, 1, 10, 10));
        assert!(listed.items.iter().any(|item| item.step == "cache mount `free`" && item.uses == 1 && item.size == 5));
        let planned = plan(&root.store, &spec).unwrap();
        assert_eq!((planned.items.len(), planned.freed, planned.skipped.len()), (2, 10, 1));
        drop(root.take("again", Sharing::Shared));
        let mut done = PrunePlan::default();
        carry_out(&root.store, &planned.items.iter().collect::<Vec<_>>(), &mut done).unwrap();
        assert_eq!((done.items.len(), done.freed), (1, 5));
        assert_eq!(done.skipped[0].reason, "it was used meanwhile");
        assert!(busy.folder().exists());
        assert_eq!(usage(&root.store).unwrap().count, 2);
        let later = PruneSpec { older_than: Some(jiff::Timestamp::UNIX_EPOCH), ..spec };
        assert!(plan(&root.store, &later).unwrap().items.is_empty());
    }
}

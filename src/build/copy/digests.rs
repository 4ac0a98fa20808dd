//! Digests of the files of a build context, remembered with what the kernel says of each: only what has changed is read.

use super::Item;
use crate::build::tree::Tree;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::store::Store;
use nix::fcntl::OFlag;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is remembered of one context.
pub struct Digests {
    file: Option<PathBuf>,
    root: PathBuf,
    known: Mutex<Option<HashMap<Vec<u8>, Known>>>,
    /// Files that were changed after this are read again next time: a later change might not show in their times.
    trusted_before: i128,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    stamp: Stamp,
    digest: [u8; 32],
}

/// What changes when a file does: device, inode, size, and the times of content and of attributes in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp([u64; 5]);

/// The folder of the root that they are kept in.
const FOLDER: &str = "build/contexts";
const MAGIC: &[u8; 8] = b"shanty1\n";
/// A file that was changed so lately may be changed again without another time: network file systems count in seconds.
const FRESH: Duration = Duration::from_secs(2);
/// Contexts that no build has used for so long are forgotten.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);
/// More files than this are remembered of no context.
const MOST: usize = 1_000_000;
/// A stamp and a digest.
const FIXED: usize = 5 * 8 + 32;
/// Read at once.
const BUFFER: usize = 1 << 16;

impl Digests {
    /// Of a folder with this absolute path. Nothing is read yet.
    pub fn new(store: &Store, root: &Path) -> Self {
        let name = hex::encode(Sha256::digest(root.as_os_str().as_bytes()));
        let now = SystemTime::now().checked_sub(FRESH).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            file: Some(store.root().join(FOLDER).join(&name[..32])),
            root: root.to_owned(),
            known: Mutex::new(None),
            trusted_before: now.map_or(0, |now| now.as_nanos() as i128),
        }
    }

    /// Which remember nothing.
    pub fn forgetful() -> Self {
        Self { file: None, root: PathBuf::new(), known: Mutex::new(Some(HashMap::new())), trusted_before: 0 }
    }

    /// Reads what is remembered, which may take as long as to look at all files: both can be done at the same time.
    pub fn prepare(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| self.load());
    }

    /// Fills in the digests of regular files.
    pub fn fill(&self, items: &mut [&mut Item], tree: &Tree, cx: &Context) -> Result<()> {
        let is_context = matches!(tree, Tree::Folder(folder) if self.file.is_some() && folder.root() == self.root);
        if !is_context {
            return read_all(items.iter_mut().filter(|item| item.metadata.is_file()).map(|item| &mut **item), cx);
        }
        let mut guard = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = guard.get_or_insert_with(|| self.load());
        let mut unknown = Vec::new();
        for item in items.iter_mut().filter(|item| item.metadata.is_file()) {
            let stamp = Stamp::of(&item.metadata);
            match known.get(self.name(&item.host)).filter(|known| known.stamp == stamp) {
                Some(known) => item.digest = Some(known.digest),
                None => unknown.push(&mut **item),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        read_all(unknown.iter_mut().map(|item| &mut **item), cx)?;
        for item in &unknown {
            let stamp = Stamp::of(&item.metadata);
            if let Some(digest) = item.digest.filter(|_| stamp.latest() < self.trusted_before) {
                known.insert(self.name(&item.host).to_vec(), Known { stamp, digest });
            }
        }
        // Only saves time: that it could not be kept is no failure of the build.
        if let Err(error) = self.save(known) {
            tracing::debug!(%error, "digests of a context were not kept");
        }
        Ok(())
    }

    fn name<'a>(&self, host: &'a Path) -> &'a [u8] {
        host.strip_prefix(&self.root).unwrap_or(host).as_os_str().as_bytes()
    }

    fn load(&self) -> HashMap<Vec<u8>, Known> {
        let bytes = self.file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        parse(&bytes).unwrap_or_default()
    }

    fn save(&self, known: &HashMap<Vec<u8>, Known>) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| known.len() <= MOST) else { return Ok(()) };
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder)?;
        let mut bytes = MAGIC.to_vec();
        for (name, Known { stamp, digest }) in known {
            bytes.extend(u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
            bytes.extend(name);
            stamp.0.iter().for_each(|part| bytes.extend(part.to_le_bytes()));
            bytes.extend(digest);
        }
        bytes.extend(Sha256::digest(&bytes));
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        new.write_all(&bytes)?;
        new.persist(file).map_err(|error| error.error)?;
        forget_old(folder);
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Option<HashMap<Vec<u8>, Known>> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if Sha256::digest(content).as_slice() != sum {
        return None;
    }
    let mut rest = content.strip_prefix(MAGIC)?;
    let mut known = HashMap::with_capacity(rest.len() / 128);
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (name, after) = after.split_at_checked(length)?;
        let (fixed, after) = after.split_at_checked(FIXED)?;
        let mut stamp = [0; 5];
        for (part, bytes) in stamp.iter_mut().zip(fixed.chunks(8)) {
            *part = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        known.insert(name.to_vec(), Known { stamp: Stamp(stamp), digest: fixed[40..].try_into().ok()? });
        rest = after;
    }
    Some(known)
}

fn forget_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > KEEP) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| (seconds * 1_000_000_000 + rest) as u64;
        Self([
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        ])
    }

    fn latest(&self) -> i128 {
        i128::from(self.0[3] as i64).max(i128::from(self.0[4] as i64))
    }
}

/// Reads files, several at once.
fn read_all<'a>(items: impl Iterator<Item = &'a mut Item>, cx: &Context) -> Result<()> {
    let items: Vec<Mutex<&mut Item>> = items.map(Mutex::new).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            cx.check()?;
            let mut item = item.lock().unwrap_or_else(PoisonError::into_inner);
            item.digest = Some(read(&item.host, &mut buffer)?);
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len() / 16 + 1);
    if threads == 1 {
        return work();
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| Error::new(ErrorKind::Io, "a thread that read files ended"))?
        })
    })
}

/// SHA-256 of a file.
pub fn digest_of(path: &Path) -> Result<[u8; 32]> {
    read(path, &mut vec![0; BUFFER])
}

fn read(path: &Path, buffer: &mut [u8]) -> Result<[u8; 32]> {
    let doing = || format!("cannot read `{}`", path.display());
    let mut file = open(path).doing(doing)?;
    let mut hasher = Sha256::new();
    loop {
        match file.read(buffer).doing(doing)? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Opens a file that was found to be a regular one: what has taken its place meanwhile is not followed, nor waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    File::options().read(true).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_what_is_torn_is_forgotten() {
        let mut bytes = MAGIC.to_vec();
        for name in ["a", "b/c"] {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend([7; FIXED]);
        }
        bytes.extend(Sha256::digest(&bytes));
        assert_eq!(parse(&bytes).unwrap().len(), 2);
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length]).is_none(), "{length}");
        }
    }
}

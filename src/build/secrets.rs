//! Secrets of a build: in memory while a step that asked for them runs, and nowhere else.
//!
//! A file that a step is to see is in a folder below the run-time folder of the root, a file system of its own in memory: `/run` is
//! on a disk on some machines, and other memory may be swapped out to one. Ordinary users can mount none there: theirs is in
//! memory that is there. The folder's name tells who made it: what a killed process left is taken away by the next command.

use crate::error::{Error, IoContext, Result};
use crate::model::SecretSource;
use crate::privilege::{self, Privilege};
use crate::store::{Store, draft};
use crate::sys::mount::{FsContext, MountAttrs, attach};
use crate::sys::ownership;
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Most bytes of a secret: BuildKit's limit.
pub const MOST_BYTES: usize = 500 * 1024;
/// In the run-time folder.
const FOLDER: &str = "build";

/// Reads a secret.
///
/// # Errors
/// `not_found` when there is no such file or variable, `invalid` when it is larger than [`MOST_BYTES`].
pub fn read(source: &SecretSource) -> Result<Vec<u8>> {
    let value = match source {
        SecretSource::Value(value) => value.clone(),
        SecretSource::Env(name) => std::env::var_os(name).map(OsString::into_vec).ok_or_else(|| {
            Error::not_found(format!("the environment has no variable `{name}` for a secret"))
                .hint(format!("set it: `export {name}=…`"))
        })?,
        SecretSource::File(path) => {
            let doing = || format!("cannot read the secret `{}`", path.display());
            let (file, mut value) = (File::open(path).doing(doing)?, Vec::new());
            file.take(MOST_BYTES as u64 + 1).read_to_end(&mut value).doing(doing)?;
            value
        }
    };
    if value.len() > MOST_BYTES {
        return Err(Error::invalid(format!("a secret has at most {MOST_BYTES} bytes, and this one has more"))
            .hint("mount a file of that size with `type=bind`"));
    }
    Ok(value)
}

/// Where the folders of a root are.
fn place(store: &Store) -> Result<PathBuf> {
    if Privilege::current().is_rootless() {
        return Ok(privilege::memory_base()?.join(format!("{FOLDER}-{}", store.root_id8())));
    }
    Ok(store.run_dir().join(FOLDER))
}

/// A folder in memory that nobody but root, or the user, can enter. Dropped, it is gone with all that is in it.
#[derive(Debug)]
pub struct SecretFolder(PathBuf);

impl SecretFolder {
    /// Makes an empty one.
    pub fn make(store: &Store) -> Result<Self> {
        let folder = place(store)?;
        if Privilege::current().is_rootless() {
            privilege::own_folder(privilege::memory_base()?)?;
        }
        let path = folder.join(draft::name()?);
        let doing = || format!("cannot make `{}`", path.display());
        loop {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.doing(doing)?,
            }
            match DirBuilder::new().mode(0o700).create(&path) {
                // Somebody removed the last one of them, and the folder with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                made => {
                    made.doing(doing)?;
                    let folder = Self(path.clone());
                    if !Privilege::current().is_rootless() {
                        mount_memory(&path).doing(doing)?;
                    }
                    return Ok(folder);
                }
            }
        }
    }

    /// Writes a secret as a new file with this mode and owner, and gives its path: to be bound, read-only.
    pub fn write(&self, value: &[u8], mode: u32, uid: u32, gid: u32) -> Result<PathBuf> {
        let doing = || "cannot write a secret".to_owned();
        let path = self.next_path("secret")?;
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&path).doing(doing)?;
        file.write_all(value).doing(doing)?;
        give(&path, mode, uid, gid).doing(doing)?;
        Ok(path)
    }

    /// A path in it that is not taken.
    pub(super) fn next_path(&self, kind: &str) -> Result<PathBuf> {
        let count = fs::read_dir(&self.0).doing(|| "cannot list the folder of secrets")?.count();
        Ok(self.0.join(format!("{kind}-{count}")))
    }
}

impl Drop for SecretFolder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Takes away what killed processes have left.
pub fn sweep(store: &Store) {
    let Ok(folder) = place(store) else { return };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if draft::has_maker(&entry.file_name().to_string_lossy()) == Some(false) {
            remove(&entry.path());
        }
    }
}

/// Sets mode and owner of what a step is to use. It stays ours where there is nobody else.
pub(super) fn give(path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    ownership::give_at(File::open(folder)?, name.as_bytes(), (uid, gid))?;
    fs::set_permissions(path, Permissions::from_mode(mode & 0o777))
}

fn remove(path: &Path) {
    match umount2(path, MntFlags::MNT_DETACH) {
        // Its maker was killed before it was mounted, or mounts nothing.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::EPERM) => {}
        Err(error) => tracing::warn!(%error, "a folder of secrets was not unmounted"),
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a folder of secrets was not removed");
        }
        _ => {
            // Others may be there.
            let _ = path.parent().map(fs::remove_dir);
        }
    }
}

/// Mounts memory that is not swapped out, where the kernel knows that (Linux 6.4).
fn mount_memory(path: &Path) -> nix::Result<()> {
    let mounted = |keeps_out_of_swap: bool| {
        let memory = FsContext::open(c"tmpfs")?;
        for (key, value) in [(c"source", c"shanty-secrets"), (c"mode", c"0700"), (c"size", c"64m")] {
            memory.set(key, value)?;
        }
        if keeps_out_of_swap {
            memory.set_flag(c"noswap")?;
        }
        memory.mount(MountAttrs::NO_SUID | MountAttrs::NO_DEV | MountAttrs::NO_EXEC)
    };
    let memory = mounted(true).or_else(|_| mounted(false))?;
    attach(memory, File::open(path).map_err(|_| Errno::ENOENT)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    use std::os::unix::fs::MetadataExt;

    fn with_store(test: impl FnOnce(&Store)) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("root")).unwrap();
        test(&store);
        fs::remove_dir_all(store.run_dir()).unwrap();
    }

    #[test]
    fn a_secret_is_read_from_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, b"in a file\n").unwrap();
        assert_eq!(read(&SecretSource::File(path)).unwrap(), b"in a file\n");
        assert_eq!(read(&SecretSource::Value(vec![0, 255])).unwrap(), [0, 255]);
        assert_eq!(read(&SecretSource::Env("PATH".into())).unwrap(), std::env::var("PATH").unwrap().into_bytes());
        for source in [SecretSource::File("/no/such/file".into()), SecretSource::Env("NO_SUCH_VARIABLE".into())] {
            assert_eq!(read(&source).unwrap_err().kind(), ErrorKind::NotFound, "{source:?}");
        }
        assert!(read(&SecretSource::Value(vec![b'x'; MOST_BYTES])).is_ok());
        let error = read(&SecretSource::Value(vec![b'x'; MOST_BYTES + 1])).unwrap_err();
        assert!(error.is(ErrorKind::Invalid) && !format!("{error:?}").contains("xxx"));
    }

    #[test]
    fn files_have_their_mode_and_owner_and_go_with_the_folder() {
        with_store(|store| {
            let folder = SecretFolder::make(store).unwrap();
            let paths = [folder.write(b"one", 0o400, 0, 0).unwrap(), folder.write(b"two", 0o440, 1000, 1001).unwrap()];
            let found = fs::metadata(&paths[1]).unwrap();
            assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o440, 1000, 1001));
            assert_eq!(fs::read(&paths[0]).unwrap(), b"one");
            assert_eq!(fs::metadata(paths[0].parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
            let other = SecretFolder::make(store).unwrap();
            drop(folder);
            assert!(!paths[0].parent().unwrap().exists() && other.0.exists());
            drop(other);
            assert!(!store.run_dir().join(FOLDER).exists());
        });
    }

    #[test]
    fn what_killed_processes_left_is_swept() {
        with_store(|store| {
            let dead = store.run_dir().join(FOLDER).join(".new-1-1-dead");
            fs::create_dir_all(&dead).unwrap();
            mount_memory(&dead).unwrap();
            fs::write(dead.join("secret-0"), "x").unwrap();
            fs::create_dir_all(store.run_dir().join(FOLDER).join(".new-1-2-dead")).unwrap();
            let alive = SecretFolder::make(store).unwrap();
            sweep(store);
            assert!(!dead.exists() && alive.0.exists());
        });
    }

    #[test]
    fn the_folder_is_in_memory() {
        with_store(|store| {
            let folder = SecretFolder::make(store).unwrap();
            assert_eq!(statfs(&folder.0).unwrap().filesystem_type(), TMPFS_MAGIC);
        });
    }
}

//! Where things are for whom.

use super::Privilege;
use crate::error::{Error, ErrorKind, IoContext, Result};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::{Uid, User, geteuid};
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The root when nobody says another: `/var/lib/shanty`, and `$XDG_DATA_HOME/shanty` (`~/.local/share/shanty`) for
/// everybody but root.
pub fn default_root() -> PathBuf {
    let privilege = Privilege::current();
    if !privilege.is_rootless() {
        return PathBuf::from("/var/lib/shanty");
    }
    root_of_user(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"), || {
        User::from_uid(Uid::from_raw(privilege.uid())).ok().flatten().map_or_else(|| "/".into(), |user| user.dir)
    })
}

fn root_of_user(data: Option<OsString>, home: Option<OsString>, entry: impl FnOnce() -> PathBuf) -> PathBuf {
    // The specification of these folders has relative ones ignored.
    let absolute = |folder: OsString| Some(PathBuf::from(folder)).filter(|folder| folder.is_absolute());
    let data =
        data.and_then(absolute).unwrap_or_else(|| home.and_then(absolute).unwrap_or_else(entry).join(".local/share"));
    data.join("shanty")
}

/// Where what need not survive a reboot is, made when it is not there: `/run/shanty`, and for everybody but root
/// `/run/user/<uid>/shanty` or, where that is not, `/tmp/shanty-<uid>`; with a single id, the same and `-single`.
///
/// It depends on nothing but who we are and with what ids, so that all processes in a user's namespace find each other,
/// whatever their environment is.
///
/// # Errors
/// `denied` when somebody else has made it.
pub fn run_base() -> Result<PathBuf> {
    let privilege = Privilege::current();
    if !privilege.is_rootless() {
        return Ok(PathBuf::from("/run/shanty"));
    }
    base_of_user(privilege.uid(), privilege.has_many_ids())
}

/// The same for a user who may not have entered its namespace yet.
pub(super) fn base_of_user(uid: u32, has_many_ids: bool) -> Result<PathBuf> {
    let login = PathBuf::from(format!("/run/user/{uid}"));
    // A namespace of its own for each: what is in one is nobody's in the other.
    let kind = if has_many_ids { "" } else { "-single" };
    let base =
        if is_ours(&login) { login.join(format!("shanty{kind}")) } else { format!("/tmp/shanty-{uid}{kind}").into() };
    own_folder(base)
}

/// A folder in memory of an ordinary user, who can mount none where all its processes see it: that of [`run_base`] where
/// it is in memory, else one in `/dev/shm`.
///
/// Made by [`own_folder`].
///
/// # Errors
/// `unsupported` when neither is.
pub fn memory_base() -> Result<PathBuf> {
    let base = run_base()?;
    if is_in_memory(&base) {
        return Ok(base);
    }
    let memory = Path::new("/dev/shm");
    if !is_in_memory(memory) {
        return Err(Error::unsupported("neither `/run/user` nor `/dev/shm` of this machine is in memory")
            .hint("log in with a session of your own, or have root mount a tmpfs on `/dev/shm`"));
    }
    Ok(memory.join(base.file_name().unwrap_or_default()))
}

fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC)
}

/// A folder for us alone where others may make some, too; made when it is not there.
///
/// # Errors
/// `denied` when somebody else has made it.
pub fn own_folder(folder: PathBuf) -> Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.doing(|| format!("cannot make `{}`", folder.display()))?,
    }
    if is_ours(&folder) {
        return Ok(folder);
    }
    Err(Error::new(ErrorKind::Denied, format!("`{}` is not a folder that only you can enter", folder.display()))
        .hint("somebody else may have made it: remove it, or have root remove it"))
}

/// Whether this is a folder, not a link, that belongs to us and that nobody else enters.
fn is_ours(folder: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return false };
    // In the namespace our own number is 0, and what is ours outside has it, too.
    metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.permissions().mode().trailing_zeros() >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_user() {
        let of = |data: &str, home: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
            root_of_user(given(data), given(home), || "/entry".into())
        };
        assert_eq!(of("/data", "/home/ann"), Path::new("/data/shanty"));
        assert_eq!(of("data", "/home/ann"), Path::new("/home/ann/.local/share/shanty"));
        assert_eq!(of("", ""), Path::new("/entry/.local/share/shanty"));
    }

    #[test]
    fn a_folder_of_others_or_a_link_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (own, link) = (folder.path().join("own"), folder.path().join("link"));
        DirBuilder::new().mode(0o700).create(&own).unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        assert!(is_ours(&own) && !is_ours(&link) && !is_ours(&folder.path().join("none")));
        fs::set_permissions(&own, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(!is_ours(&own));
    }
}

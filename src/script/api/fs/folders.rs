//! Folders, and removing what is in them.

use crate::error::{Error, IoContext, Result};
use crate::script::binding::{Call, Options, api};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The names in a folder, sorted.
///
/// # Example
/// let dir = fs::temp_dir();
/// fs::write(dir + "/b", "");
/// fs::mkdir(dir + "/a");
/// assert_eq(fs::list(dir), ["a", "b"]);
#[api(module = "fs")]
pub fn list(path: PathBuf) -> Result<Vec<String>> {
    let doing = || format!("cannot list `{}`", path.display());
    let entries = fs::read_dir(&path).doing(doing)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<std::io::Result<Vec<_>>>().doing(doing)?;
    names.sort();
    Ok(names)
}

/// Makes a folder and those above it; it may be there already.
///
/// # Example
/// fs::mkdir(fs::temp_dir() + "/a/b");
#[api(module = "fs")]
pub fn mkdir(path: PathBuf) -> Result<()> {
    fs::create_dir_all(&path).doing(|| format!("cannot make the folder `{}`", path.display()))
}

/// Options of `fs::remove`.
#[derive(Default, Options)]
pub struct RemoveOptions {
    /// No error when it is not there.
    pub missing_ok: bool,
}

/// Removes a file, or a folder with all it holds. A link goes, not what it points to.
///
/// # Example
/// let dir = fs::temp_dir();
/// fs::mkdir(dir + "/a/b");
/// fs::remove(dir + "/a");
/// fs::remove(dir + "/a", #{ missing_ok: true });
///
/// # Errors
/// `not_found` unless `missing_ok: true`, `denied`.
#[api(module = "fs")]
pub fn remove(path: PathBuf, options: RemoveOptions) -> Result<()> {
    if path.canonicalize().is_ok_and(|path| path == Path::new("/")) {
        return Err(Error::invalid("the root folder cannot be removed"));
    }
    let removed = fs::symlink_metadata(&path)
        .and_then(|metadata| if metadata.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) });
    match removed {
        Err(error) if options.missing_ok && error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.doing(|| format!("cannot remove `{}`", path.display())),
    }
}

/// Makes a folder that is removed at the end of the innermost scope, or of the script. Gives its path.
///
/// # Example
/// let dir = fs::temp_dir();
/// assert(fs::is_dir(dir));
#[api(module = "fs")]
pub fn temp_dir(call: &Call) -> Result<PathBuf> {
    let folder = tempfile::Builder::new().prefix("shanty-").tempdir().doing(|| "cannot make a temporary folder")?;
    let path = folder.path().to_owned();
    let remove = move || folder.close().doing(|| "cannot remove a temporary folder");
    call.session().defer(call.context().scope, Box::new(remove));
    Ok(path)
}

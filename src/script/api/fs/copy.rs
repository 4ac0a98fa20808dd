//! Copying files and folders.

use crate::error::{IoContext, Result};
use crate::script::binding::{Call, api};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Copies a file, or a folder with all it holds; modes are kept, links stay links.
///
/// # Example
/// let dir = fs::temp_dir();
/// fs::mkdir(dir + "/a/b");
/// fs::write(dir + "/a/b/c", "x");
/// fs::copy(dir + "/a", dir + "/z");
/// assert_eq(fs::read(dir + "/z/b/c"), "x");
#[api(module = "fs")]
pub fn copy(call: &Call, from: PathBuf, to: PathBuf) -> Result<()> {
    copy_any(call, &from, &to)
}

fn copy_any(call: &Call<'_>, from: &Path, to: &Path) -> Result<()> {
    call.context().check()?;
    let doing = || format!("cannot copy `{}` to `{}`", from.display(), to.display());
    let metadata = fs::symlink_metadata(from).doing(doing)?;
    if metadata.is_symlink() {
        return fs::read_link(from).and_then(|target| symlink(target, to)).doing(doing);
    }
    if !metadata.is_dir() {
        return fs::copy(from, to).map(drop).doing(doing);
    }
    // Listed first: the target may be inside of what is copied.
    let entries = fs::read_dir(from).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).doing(doing)?;
    fs::create_dir_all(to).doing(doing)?;
    for entry in entries {
        if entry.path() != to {
            copy_any(call, &entry.path(), &to.join(entry.file_name()))?;
        }
    }
    fs::set_permissions(to, metadata.permissions()).doing(doing)
}

//! Looking at files without reading them.

use crate::error::{IoContext, Result};
use crate::script::binding::{IntoScript, api};
use rhai::Map;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// Whether there is such a file or folder. A link counts as what it points to.
///
/// # Example
/// assert(fs::exists("/"));
#[api(module = "fs")]
pub fn exists(path: PathBuf) -> bool {
    path.exists()
}

/// Whether it is a folder.
///
/// # Example
/// assert(fs::is_dir("/"));
#[api(module = "fs")]
pub fn is_dir(path: PathBuf) -> bool {
    path.is_dir()
}

/// Whether it is a file.
///
/// # Example
/// assert(!fs::is_file("/"));
#[api(module = "fs")]
pub fn is_file(path: PathBuf) -> bool {
    path.is_file()
}

/// What is known about a file: a map of `kind` (`file`, `dir`, `link`, `other`), `size` in bytes, `mode`, `uid`, `gid`
/// and `modified`.
///
/// # Example
/// assert_eq(fs::stat("/").kind, "dir");
#[api(module = "fs")]
pub fn stat(path: PathBuf) -> Result<Map> {
    let metadata = fs::symlink_metadata(&path).doing(|| format!("cannot look at `{}`", path.display()))?;
    let file_type = metadata.file_type();
    let kind = match () {
        () if file_type.is_file() => "file",
        () if file_type.is_dir() => "dir",
        () if file_type.is_symlink() => "link",
        () => "other",
    };
    let modified = jiff::Timestamp::new(metadata.mtime(), metadata.mtime_nsec() as i32).ok();
    Ok(Map::from([
        ("kind".into(), kind.into()),
        ("size".into(), metadata.len().into_script()?),
        ("mode".into(), i64::from(metadata.permissions().mode() & 0o7777).into()),
        ("uid".into(), i64::from(metadata.uid()).into()),
        ("gid".into(), i64::from(metadata.gid()).into()),
        ("modified".into(), modified.into_script()?),
    ]))
}

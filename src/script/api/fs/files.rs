//! Reading and writing files.

use crate::error::{Error, IoContext, Result};
use crate::script::binding::{Bytes, api};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// The text of a file.
///
/// # Example
/// let file = fs::temp_dir() + "/a.txt";
/// fs::write(file, "hello");
/// assert_eq(fs::read(file), "hello");
///
/// # Errors
/// `not_found`, `denied`, `invalid` when it is not UTF-8.
#[api(module = "fs")]
pub fn read(path: PathBuf) -> Result<String> {
    let bytes = fs::read(&path).doing(|| format!("cannot read `{}`", path.display()))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("`{}` is not UTF-8 text", path.display())).hint("use `fs::read_bytes`"))
}

/// The bytes of a file, as a blob.
///
/// # Example
/// let file = fs::temp_dir() + "/a";
/// fs::write(file, "abc");
/// assert_eq(fs::read_bytes(file).len(), 3);
#[api(module = "fs")]
pub fn read_bytes(path: PathBuf) -> Result<Bytes> {
    fs::read(&path).map(Bytes).doing(|| format!("cannot read `{}`", path.display()))
}

/// Writes text or a blob into a file, in place of what it held.
///
/// # Example
/// fs::write(fs::temp_dir() + "/a.txt", "hello\n");
#[api(module = "fs")]
pub fn write(path: PathBuf, content: Bytes) -> Result<()> {
    fs::write(&path, content.0).doing(|| format!("cannot write `{}`", path.display()))
}

/// Writes text or a blob at the end of a file; makes the file when there is none.
///
/// # Example
/// let file = fs::temp_dir() + "/log";
/// fs::append(file, "one\n");
/// fs::append(file, "two\n");
/// assert_eq(fs::read(file), "one\ntwo\n");
#[api(module = "fs")]
pub fn append(path: PathBuf, content: Bytes) -> Result<()> {
    let file = fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(&content.0)).doing(|| format!("cannot write `{}`", path.display()))
}

/// Gives a file or folder another name, also in another folder of the same file system.
///
/// # Example
/// let dir = fs::temp_dir();
/// fs::write(dir + "/a", "");
/// fs::rename(dir + "/a", dir + "/b");
/// assert(fs::exists(dir + "/b"));
#[api(module = "fs")]
pub fn rename(from: PathBuf, to: PathBuf) -> Result<()> {
    fs::rename(&from, &to).doing(|| format!("cannot rename `{}` to `{}`", from.display(), to.display()))
}

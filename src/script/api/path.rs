//! `path::`: names of files, without looking at them.

use crate::error::{IoContext, Result};
use crate::script::binding::api;
use std::path::{Path, PathBuf};

/// Puts parts together with `/`; an absolute part starts anew.
///
/// # Example
/// assert_eq(path::join("/srv", "app", "main.rhai"), "/srv/app/main.rhai");
#[api(module = "path")]
pub fn join(base: PathBuf, part: PathBuf, more: Option<PathBuf>, last: Option<PathBuf>) -> PathBuf {
    [Some(part), more, last].into_iter().flatten().fold(base, |path, part| path.join(part))
}

/// The last part: `main.rhai` of `/srv/main.rhai`.
///
/// # Example
/// assert_eq(path::name("/srv/main.rhai"), "main.rhai");
#[api(module = "path")]
pub fn name(path: PathBuf) -> String {
    text(path.file_name().map(Path::new))
}

/// The last part without its extension.
///
/// # Example
/// assert_eq(path::stem("/srv/main.rhai"), "main");
#[api(module = "path")]
pub fn stem(path: PathBuf) -> String {
    text(path.file_stem().map(Path::new))
}

/// What stands behind the last dot; empty without one.
///
/// # Example
/// assert_eq(path::extension("a/b.tar.gz"), "gz");
#[api(module = "path")]
pub fn extension(path: PathBuf) -> String {
    text(path.extension().map(Path::new))
}

/// Everything before the last part.
///
/// # Example
/// assert_eq(path::parent("/srv/main.rhai"), "/srv");
#[api(module = "path")]
pub fn parent(path: PathBuf) -> String {
    text(path.parent())
}

/// The path from `/`, links resolved.
///
/// # Example
/// assert_eq(path::absolute("/usr/.."), "/");
///
/// # Errors
/// `not_found` when there is no such file.
#[api(module = "path")]
pub fn absolute(path: PathBuf) -> Result<PathBuf> {
    path.canonicalize().doing(|| format!("cannot resolve `{}`", path.display()))
}

fn text(path: Option<&Path>) -> String {
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

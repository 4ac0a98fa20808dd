//! Where the history of the prompt is kept.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// `$XDG_STATE_HOME/shanty/history`, or below `~/.local/state`; `None` without a home.
pub fn path() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("shanty/history"))
}

/// Makes the folder that `path` is in, for its owner only: lines may hold passwords.
pub fn make_folder(path: &Path) -> bool {
    path.parent().is_some_and(|folder| DirBuilder::new().recursive(true).mode(0o700).create(folder).is_ok())
}

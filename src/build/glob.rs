//! Host paths with `*`, `?` and `[…]`, as a shell has them.

use crate::archive::names;
use crate::error::Result;
use crate::model::pattern::{is_pattern, matches};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The paths that a pattern means, in order. One without special characters means itself, there or not.
pub fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found = found.iter().map(|path| path.join(component)).collect();
            continue;
        };
        if !is_pattern(name.as_bytes()) {
            found = found.iter().map(|path| path.join(name)).collect();
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let folder_or_here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            if !folder_or_here.is_dir() {
                continue;
            }
            for entry in names(folder_or_here)? {
                if matches(name.as_bytes(), entry.as_bytes()) {
                    next.push(folder.join(entry));
                }
            }
        }
        found = next;
    }
    // What follows a pattern has to be there: `*/name` does not mean folders without one.
    if is_pattern(pattern.as_os_str().as_bytes()) {
        found.retain(|path| path.symlink_metadata().is_ok());
    }
    Ok(found)
}

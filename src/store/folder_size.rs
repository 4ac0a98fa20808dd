//! What folders take.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of the files below a folder, each counted once however many names it has. What cannot be read is not counted.
pub fn folder_size(folder: &Path) -> u64 {
    let (mut size, mut seen) = (0, HashSet::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.nlink() == 1 || seen.insert((found.dev(), found.ino())) {
                size += found.len();
            }
        }
    }
    size
}
